"""``sciml bench dcdm``: networks as solvers beside conjugate gradients, its best classical forms, and multigrid."""

from __future__ import annotations

from collections.abc import Collection

from sciml.bench.benchmark import Benchmark
from sciml.bench.dcdm import plan, tables
from sciml.bench.dcdm.headlines import headlines
from sciml.bench.worker import Job


def _jobs(chosen: plan.Plan, _: Collection[str] = ()) -> list[Job]:
    return plan.plan_jobs(chosen, plan.networks())


BENCHMARK = Benchmark(
    name="dcdm",
    title="DCDM: networks as linear solvers beside classical ones",
    groups=plan.GROUPS,
    plan=plan.Plan(),
    quick=plan.QUICK,
    quick_note="A quick run: one seed, small systems; the limits are meant for the full one.",
    measured_code=(
        "dcdm",
        "linalg",
        "reference/poisson_cases.py",
        *(f"bench/{name}.py" for name in ("dcdm/jobs", "dcdm/solvers", "linear_systems", "measure")),
    ),
    packages=("numpy", "scipy", "numba", "torch", "pyamg"),
    jobs=_jobs,
    checks=tables.checks,
    sections=tables.sections,
    headlines=headlines,
    legend=tables.legend,
    losses=tables.losses,
    header=plan.header,
)
