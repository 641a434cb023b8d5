"""Recognise the 5-point and 7-point matrices of a grid, so that the fast solvers of grids apply to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from sciml.checks import whole_array
from sciml.errors import InputError, NotStructuredError
from sciml.linalg.validation import check_spd_matrix, row_sums

DOMINANCE_TOLERANCE = 1e-10


def recognise(
    matrix: sp.sparray | sp.spmatrix, shape: Sequence[int] | None = None, fluid_index: np.ndarray | None = None
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
    """Return fluid mask, face weights, Dirichlet couplings and diagonal of a matrix that couples neighbours on a grid.

    Parameters
    ----------
    matrix : symmetric, off-diagonal values <= 0, row sums >= 0; one row per cell in C order, zero rows for cells that
        are not unknowns, or, with ``fluid_index``, one row per unknown
    shape : cells per axis; where None it is read off the strides between coupled rows
    fluid_index : flat C-order cell index of each row, for matrices whose other rows were eliminated; needs ``shape``

    Raises
    ------
    NotStructuredError
        Some row couples to cells that are not its neighbours, or the values are not those of a diffusion operator.
    """
    csr = check_spd_matrix(matrix)
    shape = None if shape is None else _check_shape(shape)
    coo = csr.tocoo()
    off = coo.row != coo.col
    rows, columns, values = coo.row[off].astype(np.int64), coo.col[off].astype(np.int64), coo.data[off]
    _check_diffusion(csr, values)
    if fluid_index is not None:
        if shape is None:
            raise InputError("fluid_index needs the shape of the grid it points into; give shape=(nx, ny[, nz]).")
        index = _check_index(fluid_index, csr.shape[0], int(np.prod(shape)))
        rows, columns = index[rows], index[columns]
    else:
        shape = _infer_shape(csr.shape[0], np.unique(columns - rows)) if shape is None else shape
        index = np.flatnonzero(csr.diagonal() > 0)
        if int(np.prod(shape)) != csr.shape[0]:
            raise InputError(
                f"the matrix has {csr.shape[0]} rows but the grid {shape} has {int(np.prod(shape))} cells; "
                "give fluid_index if some rows were eliminated."
            )
    if index.size == 0:
        raise InputError("the matrix is zero, so there is no unknown to solve for.")
    fluid = np.zeros(int(np.prod(shape)), bool)
    fluid[index] = True
    rows_of_index = slice(None) if fluid_index is not None else index
    dirichlet, diagonal = np.zeros(fluid.size), np.zeros(fluid.size)
    diagonal[index] = csr.diagonal()[rows_of_index]
    dirichlet[index] = np.maximum(row_sums(csr)[rows_of_index], 0.0)
    weights = _face_weights(shape, rows, columns, values)
    return fluid.reshape(shape), weights, dirichlet.reshape(shape), diagonal.reshape(shape)


def _check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = whole_array("shape", shape, at_least=1)
    if sizes.shape not in ((2,), (3,)):
        raise InputError(f"shape must be 2 or 3 axes of at least one cell each, got {shape}.")
    return tuple(int(n) for n in sizes)


def _check_diffusion(csr: sp.csr_array, off_diagonal: np.ndarray) -> None:
    if (off_diagonal > 0).any():
        raise NotStructuredError(
            f"the matrix has a positive off-diagonal value, {off_diagonal.max():g}, which no 5- or 7-point diffusion "
            "operator has; use method='amg'."
        )
    sums = csr.sum(axis=1)
    short = sums < -DOMINANCE_TOLERANCE * csr.diagonal()
    if short.any():
        row = int(np.argmax(short))
        raise NotStructuredError(
            f"row {row} of the matrix sums to {sums[row]:g}, expected >= 0 as in a diffusion operator; "
            "use method='amg'."
        )


def _check_index(fluid_index: np.ndarray, rows: int, cells: int) -> np.ndarray:
    index = whole_array("fluid_index", fluid_index, at_least=0, below=cells).ravel()
    if index.size != rows or np.unique(index).size != rows:
        raise InputError(f"fluid_index must hold {rows} different cell indices, one per row; got {index.size} values.")
    return index


def _infer_shape(rows: int, strides: np.ndarray) -> tuple[int, ...]:
    """Return the grid shape from the distances between coupled rows: 1, n_z and n_y n_z in 3-D, 1 and n_y in 2-D."""
    positive = [int(s) for s in strides if s > 0]
    plausible = positive[:1] == [1] and len(positive) in (2, 3)
    if plausible and len(positive) == 2 and rows % positive[1] == 0:
        return rows // positive[1], positive[1]
    if plausible and len(positive) == 3 and positive[2] % positive[1] == 0 and rows % positive[2] == 0:
        return rows // positive[2], positive[2] // positive[1], positive[1]
    if not positive:
        raise NotStructuredError(
            "the matrix is diagonal and does not determine a grid; give shape, or use method='cg'."
        )
    listed = ", ".join(map(str, positive[:6])) + (", ..." if len(positive) > 6 else "")
    raise NotStructuredError(
        f"the matrix couples rows at the distances {listed}, which is not a 5- or 7-point stencil on a full grid; "
        "give shape (and fluid_index if rows were eliminated), or use method='amg'."
    )


def _face_weights(
    shape: tuple[int, ...], rows: np.ndarray, columns: np.ndarray, values: np.ndarray
) -> list[np.ndarray]:
    here, there = np.array(np.unravel_index(rows, shape)), np.array(np.unravel_index(columns, shape))
    step = there - here
    if (np.abs(step).sum(axis=0) != 1).any():
        row = int(rows[np.argmax(np.abs(step).sum(axis=0) != 1)])
        raise NotStructuredError(
            f"cell {row} is coupled to a cell that is not its neighbour on the grid {shape}; check shape, or use "
            "method='amg'."
        )
    weights = []
    for axis, _ in enumerate(shape):
        faces = np.zeros([n + (a == axis) for a, n in enumerate(shape)])
        forward = step[axis] == 1
        faces[tuple(there[:, forward])] = -values[forward]
        weights.append(faces)
    return weights
