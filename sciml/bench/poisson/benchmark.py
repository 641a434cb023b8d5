"""``sciml bench poisson``: our multigrid beside PyAMG, hypre, IC(0) and plain conjugate gradients."""

from __future__ import annotations

from sciml.bench.benchmark import Benchmark
from sciml.bench.poisson import tables
from sciml.bench.poisson.jobs import RTOL
from sciml.bench.poisson.plan import GROUPS, QUICK, Plan, plan_jobs


def _require_hypre(_: str) -> None:
    """Build and find the programs of hypre."""
    from sciml.bench.poisson.hypre import build_pfmg, find_petsc_python

    build_pfmg()
    find_petsc_python()


BENCHMARK = Benchmark(
    name="poisson",
    title="Poisson systems: multigrid beside classical solvers",
    groups=GROUPS,
    plan=Plan(),
    quick=QUICK,
    quick_note="A quick run on small systems: the limits are meant for 64³, 128³ and 256³.",
    measured_code=(
        "linalg",
        "reference/poisson_cases.py",
        *(f"bench/{name}.py" for name in ("linear_systems", "measure", "poisson/peers", "poisson/jobs")),
    ),
    packages=("numpy", "scipy", "numba", "pyamg"),
    jobs=plan_jobs,
    checks=tables.checks,
    sections=tables.sections,
    headlines=tables.headlines,
    legend=tables.legend,
    losses=tables.losses,
    header=lambda: {"rtol": RTOL},
    optional_peers={"hypre": "hypre"},
    require_peer=_require_hypre,
)
