"""Interpolation along one axis of a tensor by polynomials through the nearest points of a grid."""

from __future__ import annotations

import torch
from torch import Tensor

from sciml.checks import rising, whole_number


def interpolate(values: Tensor, known: Tensor, wanted: Tensor, points: int = 4, axis: int = -1) -> Tensor:
    """Return values at other coordinates along an axis, by the polynomial through some of the nearest points.

    The error is that of the order ``points`` in the spacing, beyond the ends of the grid, too, where the polynomial
    through the last points is extrapolated. :class:`scipy.interpolate.KroghInterpolator` is one such polynomial.

    Parameters
    ----------
    values : (..., n, ...)
    known : coordinates of the n points, rising
    wanted : coordinates, ``(m,)``
    points : of each polynomial, at least 1; all of them if there are fewer
    axis : that of the n points

    Returns
    -------
    Tensor
        (..., m, ...), in the type of the values.

    Examples
    --------
    >>> x = torch.linspace(0, 1, 5, dtype=torch.float64)
    >>> bool(torch.isclose(interpolate(x**3, x, torch.tensor([1.1])), torch.tensor(1.331, dtype=x.dtype)).all())
    True
    """
    rising("the coordinates of the grid", known)
    points = min(whole_number("the points of a polynomial", points, at_least=1), len(known))
    after = torch.searchsorted(known, wanted.to(known).contiguous())
    if points > 1:
        first = (after - points // 2).clamp(0, len(known) - points)
    else:
        below = (after - 1).clamp(0, len(known) - 1)
        above = after.clamp(0, len(known) - 1)
        first = torch.where(wanted.to(known) - known[below] <= known[above] - wanted.to(known), below, above)
    places = first[:, None] + torch.arange(points, device=known.device)
    weights = lagrange_weights(known[places], wanted.to(known)).to(values.dtype)
    axis %= values.ndim
    lengths = [1] * values.ndim
    lengths[axis] = len(wanted)
    pairs = zip(places.T, weights.T, strict=True)
    return sum(values.index_select(axis, place) * weight.reshape(lengths) for place, weight in pairs)


def lagrange_weights(nodes: Tensor, at: Tensor) -> Tensor:
    """Return Lagrange's polynomials on each row of nodes, ``(m, p)``, at one coordinate for each row, ``(m,)``."""
    apart = nodes[:, :, None] - nodes[:, None, :]
    others = (at[:, None] - nodes)[:, None, :].expand_as(apart)
    same = torch.eye(nodes.shape[1], dtype=torch.bool, device=nodes.device)
    return torch.where(same, torch.ones_like(apart), others / apart.masked_fill(same, 1.0)).prod(2)
