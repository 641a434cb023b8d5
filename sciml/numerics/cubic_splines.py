"""Cubic splines through values on places, as torch functions of the values and of where they are evaluated."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from sciml.checks import rising
from sciml.errors import InputError

MOST_PLACES = 4096  # the matrix of slopes is dense


def cubic_spline(values: Tensor, x: Tensor, points: Tensor) -> Tensor:
    """Return the cubic spline through values, with continuous second derivatives, and none of its own at the ends.

    At the second and the last but one place the third derivative is continuous, too ("not a knot"), so that cubics are
    reproduced; two places give a line, three a parabola. Beyond the ends the last pieces are extrapolated. The error is
    of fourth order in the spacing. Equivalent to :class:`scipy.interpolate.CubicSpline`, and differentiable in values
    and points.

    Parameters
    ----------
    values : ``(..., n)``
    x : the n places, rising, at least two; see :func:`check_places`
    points : where the spline is evaluated, of any shape

    Returns
    -------
    Tensor
        ``(..., *points.shape)``, in the type of the points.

    Examples
    --------
    >>> x = torch.linspace(0, 1, 5, dtype=torch.float64)
    >>> bool(torch.isclose(cubic_spline(x**3, x, torch.tensor(0.6)), torch.tensor(0.216)))
    True
    """
    values, x = values.to(points), x.to(points)
    slopes = values @ _slopes(tuple(x.tolist())).to(points).mT
    left = torch.bucketize(points.detach().contiguous(), x[1:-1].contiguous())
    length = (x[1:] - x[:-1])[left]
    s = (points - x[left]) / length
    ends = values[..., left] * (1 + 2 * s) * (1 - s) ** 2 + values[..., left + 1] * (3 - 2 * s) * s**2
    return ends + length * s * (1 - s) * (slopes[..., left] * (1 - s) - slopes[..., left + 1] * s)


def check_places(name: str, x: Tensor) -> None:
    """Check the places of a spline.

    Raises
    ------
    InputError
        If they are not rising, fewer than two, or more than :data:`MOST_PLACES`.
    """
    rising(name, x)
    if not 2 <= len(x) <= MOST_PLACES or not bool((x.diff() > 0).all()):
        raise InputError(f"{name} are {len(x)}, expected from two to {MOST_PLACES} that differ.")


@lru_cache(maxsize=8)
def _slopes(places: tuple[float, ...]) -> Tensor:
    """Return the matrix from values to the slopes of the spline at its places, ``(n, n)``."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(places, np.eye(len(places)))
    return torch.from_numpy(spline(np.array(places), 1))
