"""Pictures of learned upscaling: pressures on the fine and on the coarse grid, and the errors of several methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sciml.cgs.upscaling.model import TransmissibilityNet, all_transmissibilities
from sciml.mesh import Field, Grid
from sciml.plots import error_distributions, fine_beside_coarse
from sciml.reference.upscaling import fine_transmissibilities
from sciml.reference.upscaling_flows import FineFlows

HELD = {"x-": 1.0, "x+": 0.0}


def draw_figures(network: TransmissibilityNet, flows: Sequence[FineFlows], folder: Path) -> None:
    """Write ``pressure.png`` and ``rates.png`` into a folder.

    Parameters
    ----------
    network : trained
    flows : on fields that it has not seen; the first one is drawn
    folder : made if it does not exist
    """
    folder.mkdir(parents=True, exist_ok=True)
    k = flows[0].blocks.coefficient
    fine, coarse = fine_transmissibilities(k).solve(HELD), network.transmissibilities(k).solve(HELD)
    fields = {
        f"pressure on {_size(fine)} cells": Field("p", fine, Grid(fine.shape, centring="cell")),
        f"on {_size(coarse)} cells, learned": Field("p", coarse, Grid(coarse.shape, centring="cell")),
    }
    coefficient = Field("log k", np.log(k), Grid(k.shape, centring="cell"))
    fine_beside_coarse(fields, folder / "pressure.png", coefficient=coefficient)
    errors: dict[str, list[float]] = {}
    for each in flows:
        for name, transmissibilities in all_transmissibilities(network, each.blocks.coefficient).items():
            errors.setdefault(name, []).append(each.errors(transmissibilities)["rate"])
    error_distributions(
        {name: np.array(values) for name, values in errors.items()},
        folder / "rates.png",
        label="relative error of the rate",
        title="Rates through the box on unseen fields",
    )


def _size(values: np.ndarray) -> str:
    return " × ".join(map(str, values.shape))
