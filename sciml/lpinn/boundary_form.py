r"""Boundary values on all faces of a box, satisfied by the form of the state instead of rows of the residual.

In the slab from t_k, with s = t - t_k and a network N,

    w = w_k + lift(x, t) - lift(x, t_k) + s U b(x) N,        b = \prod_i 4 (x_i - l_i) (u_i - x_i) / (u_i - l_i)^2,

where the lift is the transfinite interpolation of the boundary values, 1 - \prod_i (1 - P_i), with P_i the linear
interpolation between both faces of axis i. Products are over the axes that are not periodic.

References
----------
Gordon, Hall, "Transfinite element methods: blending-function interpolation over arbitrary curved element domains",
Numerische Mathematik 21, 1973. Lagari et al., "Systematic construction of neural forms", IJAIT 29, 2020.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from sciml.domains import Box
from sciml.lpinn.problems import TransportProblem
from sciml.numerics.derivatives import Jet, coordinates, jet_of

APART = 1e-9  # relative difference of initial and boundary values, as rounding leaves
CHECKED = 256


def can_hold(problem: TransportProblem) -> bool:
    """Return whether there is viscosity, and all faces have values that the initial condition matches."""
    box = problem.domain
    if type(box) is not Box or not problem.viscosity or all(box.periodic):  # a region cut out of a box has other faces
        return False
    at = box.boundary(CHECKED, torch.Generator().manual_seed(0)).points
    values = problem.inflow(at, torch.zeros_like(at[:, :1]))
    if values is None:
        return False
    start = problem.initial(at)
    size = float(torch.cat([values, start, problem.initial(problem.probes())]).abs().max())
    return float((values - start).abs().max()) <= APART * size


def vanishing(problem: TransportProblem, jet: Jet, points: Tensor, directions: Tensor) -> Jet:
    """Return a jet times b, which vanishes on the faces.

    Parameters
    ----------
    problem : with the box
    jet : of any function at the points
    points : positions, and possibly times, ``(n, dim)`` or ``(n, dim + 1)``
    directions : of the jet
    """
    box, along = problem.domain, coordinates(points, jet.order, directions)
    for axis in _axes(problem):
        place, lower, upper = along.channel(axis), box.lower[axis], box.upper[axis]
        x, scale = place.value, 4 / (upper - lower) ** 2
        factor = scale * (x - lower) * (upper - x), scale * (lower + upper - 2 * x), torch.full_like(x, -2 * scale)
        jet = place.apply(*factor) * jet
    return jet


def lifted(problem: TransportProblem, points: Tensor, begin: float, order: int, directions: Tensor) -> Jet:
    """Return the change of the lift since a time.

    Parameters
    ----------
    problem : with the boundary values
    points : positions and times, ``(n, dim + 1)``
    begin : the time
    order, directions : of the jet
    """
    dim, axes = points.shape[1] - 1, _axes(problem)

    def change(at: Tensor) -> Tensor:
        x, t = at[:, :dim], at[:, dim:]
        return _lift(problem, axes, x, t) - _lift(problem, axes, x, torch.full_like(t, begin))

    return jet_of(change, points, order, directions)


def _axes(problem: TransportProblem) -> list[int]:
    return [axis for axis, periodic in enumerate(problem.domain.periodic) if not periodic]


def _lift(problem: TransportProblem, axes: list[int], x: Tensor, t: Tensor) -> Tensor:
    """Return the transfinite interpolation; each of its terms moves points to faces along some of the axes."""
    box, total = problem.domain, torch.zeros_like(t)
    for sides in product((None, 0, 1), repeat=len(axes)):
        moved, weight = list(x.split(1, 1)), -torch.ones_like(t)
        for axis, side in zip(axes, sides, strict=True):
            if side is None:
                continue
            place = (x[:, axis : axis + 1] - box.lower[axis]) / (box.upper[axis] - box.lower[axis])
            weight = -weight * (place if side else 1 - place)
            moved[axis] = torch.full_like(t, (box.lower, box.upper)[side][axis])
        if any(side is not None for side in sides):
            total = total + weight * problem.inflow(torch.cat(moved, 1), t)
    return total
