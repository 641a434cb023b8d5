"""The diagnostics of a run as a file and pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sciml.atomic import make_folder, write_text
from sciml.lpinn.diagnostics.loss import gauss_newton_spectrum, loss_landscape
from sciml.lpinn.diagnostics.mode_counts import modes
from sciml.lpinn.readout import SpaceTimeField
from sciml.lpinn.solver import SpaceTimeSolver, SpaceTimeState
from sciml.run_folder import plain

DIAGNOSTICS = "diagnostics.json"
STEPS = 25  # of a landscape along each direction


def diagnose(field: SpaceTimeField, solver: SpaceTimeSolver, state: SpaceTimeState, folder: Path) -> dict[str, Any]:
    """Write ``diagnostics.json`` and pictures of spectrum and landscape; return the contents of the file.

    Spectrum and landscape are those of the slab with the largest residual.
    """
    from sciml import plots

    name = type(solver.characteristics.frame).__name__
    slab = max(range(len(state.rms)), key=state.rms.__getitem__)
    spectrum = gauss_newton_spectrum(solver, state, slab=slab, count=2)
    land = loss_landscape(solver, state, slab=slab, count=STEPS, directions=spectrum.vectors)
    figures = make_folder(folder / "figures")
    plots.spectrum({name: spectrum.values.cpu().numpy()}, figures / "spectrum.png")
    plots.loss_landscape({name: land.log10.cpu().numpy()}, figures / "landscape.png", span=float(land.steps[-1]))
    numbers = {"rank": spectrum.rank, "condition": spectrum.condition, "eigenvalues": spectrum.values}
    around = {"minima": land.minima, "roughness": land.roughness, "steps": land.steps, "log10_loss": land.log10}
    found = {
        "frame": name,
        "modes": {kind: asdict(counted) for kind, counted in modes(field).items()},
        "spectrum": {"slab": slab, **numbers},
        "landscape": {"slab": slab, **around},
    }
    found = plain(found)
    write_text(folder / DIAGNOSTICS, json.dumps(found, allow_nan=False) + "\n")
    return found
