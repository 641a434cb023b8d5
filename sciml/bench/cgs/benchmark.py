"""``sciml bench cgs``: learned linear systems on graphs beside classical solvers and other networks on graphs."""

from __future__ import annotations

from sciml.bench.cgs import peers
from sciml.bench.cgs.rows import GROUPS
from sciml.bench.grouped import Groups

MEASUREMENTS = (
    *("berea", "classification", "diffusion", "gradients", "jobs", "peers"),
    *("solvers", "theorems", "upscaling", "values"),
)
REFERENCES = (
    *("diffusion_finite_elements", "value_iteration"),
    *(f"pore_network{part}" for part in ("s", "_boxes", "_files", "_flow", "_laws", "_statoil", "_tessellations")),
    *(f"upscaling{part}" for part in ("", "_boxes", "_factors", "_fields", "_flows", "_local", "_sources")),
)

BENCHMARK = Groups("cgs", "CGS", "sciml.bench.cgs", GROUPS).benchmark(
    title="CGS: convergent graph solvers beside classical solvers and other networks on graphs",
    quick_note="A quick run: one seed, few updates, small systems; the limits are meant for the full one.",
    measured_code=(
        *("cgs", "linalg", "nets", "numerics"),
        *(f"reference/{name}.py" for name in REFERENCES),
        *(f"bench/cgs/{name}.py" for name in MEASUREMENTS),
    ),
    packages=("numpy", "scipy", "pyamg", "torch", "torch_geometric"),
    require_peer=peers.require,
)
