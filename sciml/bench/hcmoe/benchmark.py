"""``sciml bench hcmoe``: coupled experts beside classical solvers and single domains, and constraints as layers."""

from __future__ import annotations

from sciml.bench.grouped import Groups
from sciml.bench.hcmoe.rows import GROUPS

MEASUREMENTS = (
    *("costs", "families", "flows", "gradients", "inversions", "layers", "operators", "sensitivities", "solutions"),
    *("vorticity", "wide"),
)
REFERENCES = (
    *("burgers_cole_hopf", "conservation_laws_entropy", "conservation_laws_fourier", "darcy", "darcy_finite_volumes"),
    *("diffusion_sorption", "diffusion_sorption_families", "integrating_factor", "periodic_fourier", "time_steps"),
    *("trigonometric_series", "vorticity"),
)

BENCHMARK = Groups("hcmoe", "HC-MoE", "sciml.bench.hcmoe", GROUPS).benchmark(
    title="HC-MoE: hard constraints by experts beside classical solvers and single domains",
    quick_note="A quick run: one seed, smaller sizes; the limits are meant for the full one.",
    measured_code=(
        *("domains", "hcmoe", "lpinn", "nets", "numerics", "bench/lpinn/jobs.py"),
        *(f"reference/{name}.py" for name in REFERENCES),
        *(f"bench/hcmoe/{name}.py" for name in MEASUREMENTS),
    ),
    packages=("numpy", "scipy", "torch"),
)
