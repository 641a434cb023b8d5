r"""Values on all faces of a box, held by the form of the state instead of rows of the residual.

In the slab from t_k, with s = t - t_k and a network N,

    w = w_k + lift(x, t) - lift(x, t_k) + s U b(x) N,        b = \prod_i 4 (x_i - l_i) (u_i - x_i) / (u_i - l_i)^2,

where the lift is the transfinite interpolation of the values on the faces: 1 - \prod_i (1 - P_i), of the linear
interpolations P_i between both faces of one axis. Products and factors are over axes that are not periodic.

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

APART = 1e-9  # of a start from the values on the faces, relative to both, as rounding leaves
CHECKED = 256


def can_hold(problem: TransportProblem) -> bool:
    """Whether all faces have values that the start meets; without viscosity only those where the flow enters do."""
    box = problem.domain
    if type(box) is not Box or not problem.viscosity or all(box.periodic):  # what is cut out of a box has other faces
        return False
    at = box.boundary(CHECKED, torch.Generator().manual_seed(0)).points
    values = problem.inflow(at, torch.zeros_like(at[:, :1]))
    if values is None:
        return False
    start = problem.initial(at)
    size = float(torch.cat([values, start, problem.initial(problem.probes())]).abs().max())
    return float((values - start).abs().max()) <= APART * size


def vanishing(problem: TransportProblem, jet: Jet, points: Tensor, directions: Tensor) -> Jet:
    """A jet times b, which is 0 on the faces: of points ``(n, at least dim)`` along directions of the same."""
    box, along = problem.domain, coordinates(points, jet.order, directions)
    for axis in _axes(problem):
        place, lower, upper = along.channel(axis), box.lower[axis], box.upper[axis]
        x, scale = place.value, 4 / (upper - lower) ** 2
        factor = scale * (x - lower) * (upper - x), scale * (lower + upper - 2 * x), torch.full_like(x, -2 * scale)
        jet = place.apply(*factor) * jet
    return jet


def lifted(problem: TransportProblem, points: Tensor, begin: float, order: int, directions: Tensor) -> Jet:
    """What the lift has changed since a time: jet at places and times ``(n, dim + 1)`` along directions of both."""
    dim, axes = points.shape[1] - 1, _axes(problem)

    def change(at: Tensor) -> Tensor:
        x, t = at[:, :dim], at[:, dim:]
        return _lift(problem, axes, x, t) - _lift(problem, axes, x, torch.full_like(t, begin))

    return jet_of(change, points, order, directions)


def _axes(problem: TransportProblem) -> list[int]:
    return [axis for axis, periodic in enumerate(problem.domain.periodic) if not periodic]


def _lift(problem: TransportProblem, axes: list[int], x: Tensor, t: Tensor) -> Tensor:
    """The transfinite interpolation; each term takes some of the axes to one of their faces."""
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
