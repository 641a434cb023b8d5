"""Darcy problems on very many small boxes of cells at once, by a banded factorisation of several in step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sciml.errors import DivergenceError
from sciml.linalg.kernels.compiled import kernel

LANES = 32  # boxes that are factorised in step
BATCH = 16 * LANES  # boxes that are copied together at once


def solve_boxes(
    coefficient: np.ndarray,
    weights: Sequence[float],
    held: Sequence[tuple[float | None, float | None]],
    sources: np.ndarray | None = None,
) -> np.ndarray:
    """Return the pressures in boxes of cells, float64, in the shape of ``coefficient``.

    Two-point fluxes as in :mod:`sciml.reference.upscaling`, by L D L^T of the band.

    Parameters
    ----------
    coefficient : k per cell, of shape (boxes, *cells); 0 where a box has no cell, and the pressure there is 0
    weights : 1 / h^2 per axis
    held : per axis the pressures on the two sides, None for a closed one
    sources : f per cell of every box, of shape (cells)

    Raises
    ------
    DivergenceError
        If a pivot is lost to rounding.
    """
    count, *cells = coefficient.shape
    padded = -count % LANES
    if padded:
        coefficient = np.concatenate([coefficient, np.repeat(coefficient[-1:], padded, axis=0)])
    extents = (*cells, 1)[:3]
    groups = coefficient.reshape(-1, LANES, int(np.prod(cells))).transpose(0, 2, 1)
    sides = np.array([[np.nan if p is None else p for p in pair] for pair in (*held, (None, None))[:3]], float)
    right = np.zeros(extents) if sources is None else sources
    values = np.ascontiguousarray(0.5 / np.maximum(groups, 1e-300))
    try:
        solve_groups(values, extents, np.array((*weights, 0.0)[:3]), sides, np.ravel(right))
    except ZeroDivisionError:
        raise DivergenceError(
            "a pivot of a local fine problem is lost to rounding: the coefficient differs by more between neighbours "
            "than double precision resolves; narrow its range."
        ) from None
    return values.transpose(0, 2, 1).reshape(-1, *cells)[:count]


@kernel(fastmath={"contract"})
def solve_groups(
    values: np.ndarray, cells: tuple[int, int, int], weights: np.ndarray, held: np.ndarray, sources: np.ndarray
) -> None:
    """Overwrite the resistances 1 / (2 k) of boxes (groups, cells in C order, lanes) by the pressures.

    Parameters
    ----------
    values : above 1e299 where there is no cell
    cells : along each of 3 axes
    weights : 1 / h^2 per axis
    held : (3, 2), the pressures on the sides, not a number on closed ones
    sources : per cell
    """
    groups, n, lanes = values.shape
    steps = (cells[1] * cells[2], cells[2], 1)
    band = np.empty((n, steps[0] + 1, lanes))
    for g in range(groups):
        _assemble(values[g], cells, weights, held, sources, band)
        factorise_and_solve(band, values[g])


@kernel(fastmath={"contract"})
def _assemble(
    values: np.ndarray,
    cells: tuple[int, int, int],
    weights: np.ndarray,
    held: np.ndarray,
    sources: np.ndarray,
    band: np.ndarray,
) -> None:
    """Fill the band of the matrix of each lane, and replace the resistances by the right-hand sides."""
    n, lanes = values.shape
    steps = (cells[1] * cells[2], cells[2], 1)
    band[:] = 0.0
    right = np.zeros((n, lanes))
    for j in range(n):
        place = (j // steps[0], j // steps[1] % cells[1], j % cells[2])
        for lane in range(lanes):
            if values[j, lane] < 1e299:
                right[j, lane] = sources[j]
        for axis in range(3):
            step = steps[axis]
            for lane in range(lanes):
                if place[axis] + 1 < cells[axis]:
                    t = weights[axis] / (values[j, lane] + values[j + step, lane])
                    band[j, 0, lane] += t
                    band[j + step, 0, lane] += t
                    band[j, step, lane] -= t
                for side in range(2):
                    if place[axis] == side * (cells[axis] - 1) and not np.isnan(held[axis, side]):
                        t = weights[axis] / values[j, lane]
                        band[j, 0, lane] += t
                        right[j, lane] += t * held[axis, side]
    for j in range(n):
        for lane in range(lanes):
            if not values[j, lane] < 1e299:
                band[j, 0, lane] = 1.0
                right[j, lane] = 0.0
    values[:] = right


@kernel(fastmath={"contract"})
def factorise_and_solve(band: np.ndarray, right: np.ndarray) -> None:
    """Overwrite right-hand sides (n, lanes) by solutions and the bands (n, width + 1, lanes) by their factors.

    ``band[j, i]`` is the entry (j + i, j) of a symmetric positive definite matrix per lane.
    """
    n, entries, lanes = band.shape
    for j in range(n):
        pivot, known = band[j], right[j]
        for lane in range(lanes):
            pivot[0, lane] = 1.0 / pivot[0, lane]
        for i in range(1, min(entries, n - j)):
            row, other = band[j + i], right[j + i]
            factor = pivot[i] * pivot[0]
            for k in range(i, entries):
                target, source = row[k - i], pivot[k]
                for lane in range(lanes):
                    target[lane] -= factor[lane] * source[lane]
            for lane in range(lanes):
                other[lane] -= factor[lane] * known[lane]
                pivot[i, lane] = factor[lane]
    for j in range(n - 1, -1, -1):
        known = right[j]
        for lane in range(lanes):
            known[lane] *= band[j, 0, lane]
        for i in range(1, min(entries, n - j)):
            factor, other = band[j, i], right[j + i]
            for lane in range(lanes):
                known[lane] -= factor[lane] * other[lane]
