"""Sources in coarse cells: what the two-point fluxes between coarse cells miss of the radial flow around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sciml.checks import real_array, whole_array
from sciml.errors import InputError
from sciml.reference.upscaling import Blocks, Transmissibilities
from sciml.reference.upscaling_boxes import BATCH, solve_boxes

REACH = {2: 2, 3: 1}  # blocks around a source, by dimension


def corrected_pressures(
    coefficient: np.ndarray,
    coarse: Transmissibilities,
    pressures: np.ndarray,
    rates: np.ndarray,
    spacing: float | Sequence[float] = 1.0,
) -> np.ndarray:
    """Return the pressures of a coarse problem with the radial flow around its sources.

    Parameters
    ----------
    coefficient : k per fine cell
    coarse : the transmissibilities in use
    pressures : of the coarse problem, of shape (..., *blocks)
    rates : of the sources per block, of shape (..., *blocks); blocks of rate 0 cost nothing
    spacing : of the fine cells
    """
    d = len(coarse.shape)
    rates = real_array("the rates", rates, shape=(..., *coarse.shape)).reshape(-1, *coarse.shape)
    where = np.argwhere(rates)
    if not len(where):
        return pressures.copy()
    blocks, which = np.unique(where[:, 1:], axis=0, return_inverse=True)
    corrections = source_corrections(coefficient, coarse, blocks, spacing)
    wide, reach = 2 * REACH[d] + 1, REACH[d]
    result = np.pad(pressures.reshape(-1, *coarse.shape), [(0, 0), *[(reach, reach)] * d])
    for (number, *block), each in zip(where, corrections[which.reshape(-1)], strict=True):
        result[(number, *(slice(first, first + wide) for first in block))] += rates[(number, *block)] * each
    return result[(slice(None), *(slice(reach, -reach),) * d)].reshape(pressures.shape)


def source_corrections(
    coefficient: np.ndarray,
    coarse: Transmissibilities,
    sources: np.ndarray,
    spacing: float | Sequence[float] = 1.0,
) -> np.ndarray:
    """Return what a source of rate 1, spread evenly over a block, adds to the coarse pressures there and around it.

    Two-point fluxes put the pressure of a block with a source too high or too low, as the flow is radial there. As in
    the well model of Peaceman, a local fine problem is compared with the coarse one: the block and those around it,
    with p = 0 further out. The coarse problem has the mean pressures of the fine one in the outermost blocks, and the
    difference of the two is returned. Sides of the box count as closed.

    Parameters
    ----------
    coefficient : k per fine cell
    coarse : the transmissibilities in use
    sources : (n, 2) or (n, 3) integers, the blocks
    spacing : of the fine cells

    Returns
    -------
    ndarray of shape (n, w, w[, w]): by the rates, to be added to the pressures of the w = 2 REACH + 1 blocks per axis
    whose middle is the source.

    References
    ----------
    Peaceman, Interpretation of well-block pressures in numerical reservoir simulation, SPE Journal, 1978.
    """
    d = len(coarse.shape)
    sources = whole_array("the blocks with sources", sources, shape=("n", d), at_least=0)
    if (sources >= coarse.shape).any():
        raise InputError(f"a block with a source lies outside of the {coarse.shape} blocks.")
    blocks = Blocks(coefficient, np.shape(coefficient)[0] // coarse.shape[0], spacing)
    if blocks.shape != coarse.shape:
        raise InputError(
            f"the coefficient has shape {np.shape(coefficient)}, which does not fit {coarse.shape} blocks."
        )
    fine = _mean_pressures(blocks, sources)
    matrices, inner = _coarse_problems(coarse, sources)
    right = np.where(inner, 0.0, fine)
    right[:, fine.shape[1] // 2] = 1.0
    matrices = np.where(inner[:, :, None], matrices, np.eye(fine.shape[1]))
    difference = fine - np.linalg.solve(matrices, right[..., None])[..., 0]
    return difference.reshape(len(sources), *(2 * REACH[d] + 1,) * d)


def _mean_pressures(blocks: Blocks, sources: np.ndarray) -> np.ndarray:
    """Return the mean pressures of all blocks of the local problems, of shape (n, blocks in C order)."""
    f, d, reach = blocks.factor, blocks.dimension, REACH[blocks.dimension]
    wide = 2 * reach + 1
    every = sliding_window_view(np.pad(blocks.coefficient, reach * f), (wide * f,) * d)[(slice(None, None, f),) * d]
    rate = np.zeros((wide * f,) * d)
    rate[(slice(reach * f, (reach + 1) * f),) * d] = 1.0 / f**d
    found = []
    for start in range(0, len(sources), BATCH):
        k = every[tuple(sources[start : start + BATCH].T)]
        p = solve_boxes(k, blocks.weights, [(0.0, 0.0)] * d, rate)
        found.append(p.reshape(len(k), *(wide, f) * d).mean(axis=tuple(range(2, 2 * d + 1, 2))).reshape(len(k), -1))
    return np.concatenate(found) if found else np.zeros((0, wide**d))


def _coarse_problems(coarse: Transmissibilities, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices (n, blocks, blocks) between the blocks of the local problems, and which of them are inner."""
    d = len(coarse.shape)
    reach = REACH[d]
    wide = 2 * reach + 1
    number = np.arange(wide**d).reshape((wide,) * d)
    matrices = np.zeros((len(sources), wide**d, wide**d))
    for axis, faces in enumerate(coarse.faces):
        closed = np.moveaxis(faces.copy(), axis, 0)
        closed[[0, -1]] = 0.0
        padded = np.pad(np.moveaxis(closed, 0, axis), reach)
        every = sliding_window_view(padded, [wide + (a == axis) for a in range(d)])[tuple(sources.T)]
        t = np.moveaxis(every, axis + 1, 1)[:, 1:-1].reshape(len(sources), -1)
        low, high = (np.moveaxis(number, axis, 0)[part].ravel() for part in (slice(None, -1), slice(1, None)))
        for i, j in ((low, high), (high, low)):
            matrices[:, i, j] -= t
            np.add.at(matrices, (slice(None), i, i), t)
    inner = np.zeros((wide,) * d, bool)
    inner[(slice(1, -1),) * d] = True
    return matrices, inner.ravel() & (np.diagonal(matrices, axis1=1, axis2=2) > 0.0)
