"""``sciml bench cgs``: learned linear systems on graphs beside classical solvers and other networks on graphs."""

from __future__ import annotations

from sciml.bench.benchmark import Benchmark
from sciml.bench.cgs import peers, tables
from sciml.bench.cgs.headlines import headlines
from sciml.bench.cgs.plan import QUICK, Plan, plan_jobs
from sciml.bench.cgs.rows import GROUPS

BENCHMARK = Benchmark(
    name="cgs",
    title="CGS: convergent graph solvers beside classical solvers and other networks on graphs",
    groups={group.name: group.title for group in GROUPS},
    plan=Plan(),
    quick=QUICK,
    quick_note="A quick run: one seed, few updates, small systems; the limits are meant for the full one.",
    measured_code=("cgs", "nets", "numerics", "linalg", "bench/cgs"),
    packages=("numpy", "scipy", "pyamg", "torch", "torch_geometric"),
    jobs=plan_jobs,
    checks=tables.checks,
    sections=tables.sections,
    headlines=headlines,
    legend=tables.legend,
    optional_peers={group.peer: group.name for group in GROUPS if group.peer},
    require_peer=peers.require,
)
