"""``sciml bench gfi``: the wave solver, networks for seismic inversion, and their refinement beside others."""

from __future__ import annotations

from sciml.bench.gfi import waves
from sciml.bench.gfi.rows import GROUPS
from sciml.bench.grouped import Groups

MEASUREMENTS = ("genuine", "maps", "networks", "refinements", "waves")

BENCHMARK = Groups("gfi", "GFI", "sciml.bench.gfi", GROUPS).benchmark(
    title="GFI: seismic inversion by networks with the wave equation in the loop",
    quick_note="A quick run: one seed, fewer maps; the limits are meant for the full one.",
    measured_code=(
        *("gfi", "nets", "reference/waves", "reference/layered_maps.py"),
        *(f"bench/gfi/{name}.py" for name in MEASUREMENTS),
    ),
    packages=("numpy", "scipy", "numba", "torch"),
    require_peer=waves.require_peer,
)
