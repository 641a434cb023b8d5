"""``sciml bench insr``: networks that step in time beside grids, Fourier modes, finite elements, Adam and a PINN."""

from __future__ import annotations

from importlib.util import find_spec

from sciml.bench.benchmark import Benchmark
from sciml.bench.insr import limits
from sciml.bench.insr.headlines import headlines
from sciml.bench.insr.plan import GROUPS, PAPER, QUICK, Plan, plan_jobs
from sciml.bench.insr.tables import sections
from sciml.errors import InputError


def _require_deepxde(_: str) -> None:
    if find_spec("deepxde") is None:
        raise InputError("DeepXDE is not installed; install it with pip install deepxde, or leave it out.")


BENCHMARK = Benchmark(
    name="insr",
    title="INSR: implicit neural spatial representations beside grids",
    groups=GROUPS,
    plan=Plan(),
    quick=QUICK,
    quick_note="A quick run: one seed, few steps; the limits are meant for the full one.",
    measured_code=(
        "insr",
        "nets",
        "numerics",
        "domains",
        *(f"reference/{name}.py" for name in ("advection_diffusion_exact", "advection_grids", "periodic_fourier")),
        *(f"reference/hyperelasticity_{name}.py" for name in ("finite_elements", "materials")),
        *(f"reference/incompressible_{name}.py" for name in ("plane_flows", "spectral", "stable_fluids")),
        "reference/incompressible_taylor_green.py",
        *(f"bench/insr/{name}.py" for name in ("adam", "bodies", "cases", "dimensions", "flows", "grids")),
        *(f"bench/insr/{name}.py" for name in ("jets", "jobs", "pinn", "variants")),
    ),
    packages=("numpy", "scipy", "torch"),
    jobs=plan_jobs,
    checks=limits.checks,
    sections=sections,
    headlines=headlines,
    legend=limits.legend,
    losses=limits.losses,
    header=lambda: {"paper": PAPER},
    optional_peers={"deepxde": "pinn"},
    require_peer=_require_deepxde,
)
