"""``sciml bench lpinn``: networks for characteristics beside classical methods and PINNs in the Eulerian frame."""

from __future__ import annotations

from sciml.bench.benchmark import Benchmark
from sciml.bench.lpinn import tables
from sciml.bench.lpinn.headlines import headlines
from sciml.bench.lpinn.plan import GROUPS, QUICK, Plan, plan_jobs

BENCHMARK = Benchmark(
    name="lpinn",
    title="LPINN: Lagrangian PINNs beside classical methods and other PINNs",
    groups=GROUPS,
    plan=Plan(),
    quick=QUICK,
    quick_note="A quick run: one seed, one round; the limits are meant for the full one.",
    measured_code=(
        "lpinn",
        "nets",
        "numerics",
        "domains",
        *(f"reference/advection_{name}.py" for name in ("flow_maps", "semi_lagrangian")),
        "reference/burgers_cole_hopf.py",
        *(f"reference/conservation_laws_{name}.py" for name in ("entropy", "finite_volumes", "fourier")),
        "reference/trigonometric_series.py",
        *(f"bench/lpinn/{name}.py" for name in ("jobs", "grids", "baselines")),
    ),
    packages=("numpy", "scipy", "torch"),
    jobs=plan_jobs,
    checks=tables.checks,
    sections=tables.sections,
    headlines=headlines,
    legend=tables.legend,
)
