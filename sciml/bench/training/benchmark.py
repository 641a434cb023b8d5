"""``sciml bench training``: updates through the training backbone beside a bare PyTorch loop."""

from __future__ import annotations

from sciml.bench.benchmark import Benchmark
from sciml.bench.training import tables
from sciml.bench.training.plan import GROUPS, QUICK, Plan, plan_jobs

BENCHMARK = Benchmark(
    name="training",
    title="Training backbone beside a bare PyTorch loop",
    groups=GROUPS,
    plan=Plan(),
    quick=QUICK,
    quick_note="A quick run: few updates; the limit is meant for the full one.",
    measured_code=("training/task.py", "training/divergence.py", "training/settings.py", "bench/training/overhead.py"),
    packages=("torch",),
    jobs=plan_jobs,
    checks=tables.checks,
    sections=tables.sections,
    headlines=tables.headlines,
    legend=tables.legend,
)
