"""Darcy problems on very many small boxes of cells at once, by a banded factorisation of several in step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sciml.linalg.kernels.compiled import kernel

LANES = 8  # boxes that are factorised in step: a vector register of float64, or two
BATCH = 64 * LANES  # boxes in memory at once


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
    """
    count, *cells = coefficient.shape
    padded = -count % LANES
    if padded:
        coefficient = np.concatenate([coefficient, np.repeat(coefficient[-1:], padded, axis=0)])
    groups = coefficient.reshape(-1, LANES, *cells)
    band, right = _assemble(np.moveaxis(groups, 1, -1), weights, held)
    if sources is not None:
        right += sources.reshape(-1, 1)
    factorise_and_solve(band, right)
    return np.moveaxis(right.reshape(-1, *cells, LANES), -1, 1).reshape(-1, *cells)[:count]


def _assemble(
    k: np.ndarray, weights: Sequence[float], held: Sequence[tuple[float | None, float | None]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bands (groups, unknowns, width + 1, lanes) and right-hand sides (groups, unknowns, lanes)."""
    cells = k.shape[1:-1]
    offsets = [int(np.prod(cells[axis + 1 :])) for axis in range(len(cells))]
    band = np.zeros((len(k), *cells, offsets[0] + 1, LANES))
    right = np.zeros(k.shape)
    diagonal = band[..., 0, :]
    with np.errstate(divide="ignore"):
        resistance = 0.5 / k
    for axis, weight in enumerate(weights):
        r = np.moveaxis(resistance, axis + 1, 0)
        t = weight / (r[:-1] + r[1:])
        d, b = np.moveaxis(diagonal, axis + 1, 0), np.moveaxis(right, axis + 1, 0)
        d[:-1] += t
        d[1:] += t
        np.moveaxis(band[..., offsets[axis], :], axis + 1, 0)[:-1] -= t
        for index, pressure in zip((0, -1), held[axis], strict=True):
            if pressure is not None:
                d[index] += weight / r[index]
                b[index] += pressure * weight / r[index]
    diagonal[diagonal == 0.0] = 1.0
    unknowns = offsets[0] * cells[0]
    return band.reshape(len(k), unknowns, -1, LANES), right.reshape(len(k), unknowns, LANES)


@kernel(fastmath={"contract"})
def factorise_and_solve(band: np.ndarray, right: np.ndarray) -> None:
    """Overwrite right-hand sides (groups, n, lanes) by solutions and bands (groups, n, width + 1, lanes) by factors.

    ``band[g, j, i]`` is the entry (j + i, j) of a symmetric positive definite matrix per lane.
    """
    groups, n, entries, _ = band.shape
    for g in range(groups):
        for j in range(n):
            for lane in range(LANES):
                band[g, j, 0, lane] = 1.0 / band[g, j, 0, lane]
            for i in range(1, min(entries, n - j)):
                factor = band[g, j, i] * band[g, j, 0]
                for k in range(i, entries):
                    for lane in range(LANES):
                        band[g, j + i, k - i, lane] -= factor[lane] * band[g, j, k, lane]
                for lane in range(LANES):
                    right[g, j + i, lane] -= factor[lane] * right[g, j, lane]
                    band[g, j, i, lane] = factor[lane]
        for j in range(n - 1, -1, -1):
            for lane in range(LANES):
                right[g, j, lane] *= band[g, j, 0, lane]
            for i in range(1, min(entries, n - j)):
                for lane in range(LANES):
                    right[g, j, lane] -= band[g, j, i, lane] * right[g, j + i, lane]
