"""Darcy flow on a rectangle by finite volumes, the classical method: two-point fluxes, of second order.

The transmissibilities are those of :func:`sciml.reference.upscaling.fine_transmissibilities`; here k, f and the
pressure on the boundary are functions of points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sciml.checks import finite, shape, whole_number
from sciml.reference.upscaling import fine_transmissibilities

MOST_CELLS = 2048  # along an axis
Function = Callable[[np.ndarray], np.ndarray]


def finite_volumes(
    permeability: Function,
    source: Function,
    boundary: Function,
    lower: Sequence[float],
    upper: Sequence[float],
    cells: int = 128,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve for the pressure at the centres of cells, with the pressure given on all sides.

    Parameters
    ----------
    permeability, source, boundary : k > 0, f and the pressure on the boundary, map points (n, 2) to (n,)
    lower, upper : of the rectangle
    cells : along each axis

    Returns
    -------
    centres, pressure : (cells, cells, 2) and (cells, cells)
    """
    whole_number("the number of cells", cells, at_least=2, at_most=MOST_CELLS)
    sizes = (np.asarray(upper, float) - np.asarray(lower, float)) / cells
    axes = [low + size * (np.arange(cells) + 0.5) for low, size in zip(lower, sizes, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def sampled(name: str, function: Function, points: np.ndarray) -> np.ndarray:
        values = np.asarray(function(points.reshape(-1, 2)), float)
        return finite(name, shape(name, values, (points.size // 2,))).reshape(points.shape[:-1])

    faces = fine_transmissibilities(sampled("the permeability", permeability, centres), sizes.tolist())
    right = sampled("the source", source, centres)
    for axis in (0, 1):
        for side, end in ((0, lower), (-1, upper)):
            points = np.moveaxis(centres, axis, 0)[side].copy()
            points[:, axis] = end[axis]
            given = sampled("the pressure on the boundary", boundary, points)
            np.moveaxis(right, axis, 0)[side] += np.moveaxis(faces.faces[axis], axis, 0)[side] * given
    held = dict.fromkeys(("x-", "x+", "y-", "y+"), 0.0)
    return centres, faces.solve(held, right)
