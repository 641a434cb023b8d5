"""The loss around a solution: the Gauss-Newton spectrum of a time slab, and its loss in a plane through the weights.

References
----------
Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks", CMAME 404, 2023:
landscapes in both frames.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn.solver import SpaceTimeSolver, SpaceTimeState
from sciml.numerics import landscape as plane
from sciml.numerics.linearisation import Residuals
from sciml.numerics.random import generator


def gauss_newton_spectrum(
    solver: SpaceTimeSolver, state: SpaceTimeState, *, slab: int | None = None, count: int | None = None
) -> plane.Spectrum:
    """Return the spectrum of ``J^T J`` of the equations of a slab, at points used by no round.

    Parameters
    ----------
    solver : problem, frame, network, and number of points
    state : weights, fitted or not
    slab : its number; by default that of the largest residual
    count : number of eigenvectors; by default all
    """
    slab = _slab(state, slab)
    return plane.gauss_newton(_groups(solver, state, slab), state.weights[slab], count)


def loss_landscape(
    solver: SpaceTimeSolver,
    state: SpaceTimeState,
    *,
    slab: int | None = None,
    span: float = 1.0,
    count: int = 41,
    directions: Literal["spectrum", "random"] | Tensor = "spectrum",
) -> plane.Landscape:
    """Return the loss of a slab in a plane through its weights.

    Parameters
    ----------
    solver, state, slab : as for :func:`gauss_newton_spectrum`
    span : largest multiple of a direction
    count : number of steps along each direction, odd
    directions : the two leading eigenvectors of the Gauss-Newton matrix, along which the loss grows most; two random
        ones of the size of the weights; or a tensor ``(p, 2)``

    References
    ----------
    Li, Xu, Taylor, Studer, Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018: random directions.
    """
    slab = _slab(state, slab)
    groups, weights, network = _groups(solver, state, slab), state.weights[slab], solver.characteristics.network
    if isinstance(directions, Tensor):
        along = directions
    elif directions == "spectrum":
        along = plane.gauss_newton(groups, weights, 2).vectors
    elif directions == "random":
        draws = _draws(solver, slab, 1, weights.device)
        along = torch.stack([plane.filter_normalised(network, weights, draws) for _ in range(2)], 1)
    else:
        raise InputError(f"there are no directions {directions!r}, expected spectrum, random or a tensor (p, 2).")
    return plane.landscape(groups, weights, along, span, count)


def _slab(state: SpaceTimeState, slab: int | None) -> int:
    return max(range(len(state.rms)), key=state.rms.__getitem__) if slab is None else slab


def _groups(solver: SpaceTimeSolver, state: SpaceTimeState, slab: int) -> list[Residuals]:
    return solver.groups(state, slab, _draws(solver, max(slab, 0), 0, state.weights.device))


def _draws(solver: SpaceTimeSolver, slab: int, number: int, device: torch.device) -> torch.Generator:
    return generator(solver.seed, slab, solver.rounds + 1 + number, device=device)  # of no round
