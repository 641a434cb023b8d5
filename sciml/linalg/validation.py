"""Checks of the values of a linear system, shared by the Python API, the file readers and the command line.

Each function returns its argument as the plain array the solvers work on, or raises :class:`sciml.errors.InputError`
with a sentence that names the offending value and where it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from sciml.checks import choice, known_names, real_array, shown, whole_array
from sciml.errors import InputError

FLUID, DIRICHLET, SOLID = 0, 1, 2
SYMMETRY_TOLERANCE = 1e-10
BOUNDARY_KINDS = ("neumann", "dirichlet")


def side_names(dimension: int) -> tuple[str, ...]:
    """Return the names of the sides of a box in the order used everywhere: ``x-, x+, y-, y+`` and in 3-D ``z-, z+``."""
    return tuple(axis + end for axis in "xyz"[:dimension] for end in "-+")


def check_cells(cells: object) -> np.ndarray:
    """Return cell codes (0 fluid, 1 Dirichlet, 2 solid) as a C-ordered uint8 array of shape (nx, ny) or (nx, ny, nz).

    Raises
    ------
    InputError
        The array is not 2-D or 3-D, is empty, holds another code, or has no fluid cell.
    """
    array = whole_array("cells", cells, remedy="give integer codes: 0 fluid, 1 Dirichlet, 2 Neumann solid")
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"cells must have shape (nx, ny) or (nx, ny, nz) with at least one cell, got {array.shape}.")
    wrong = (array < FLUID) | (array > SOLID)
    if wrong.any():
        codes, counts = np.unique(array[wrong], return_counts=True)
        listed = ", ".join(f"{code} ({_times(count)})" for code, count in zip(codes[:3], counts[:3], strict=True))
        more = f" and {len(codes) - 3} other codes" if len(codes) > 3 else ""
        raise InputError(
            f"cells holds the code {listed}{more}, expected only 0 fluid, 1 Dirichlet, 2 Neumann solid; "
            "recode these cells."
        )
    if not (array == FLUID).any():
        raise InputError("cells has no fluid cell (code 0), so there is no unknown to solve for; mark some cells as 0.")
    return np.ascontiguousarray(array, dtype=np.uint8)


def check_coefficient(coefficient: object, shape: tuple[int, ...]) -> np.ndarray:
    """Return the coefficient per cell as a C-ordered float64 array of the given shape, finite and > 0 everywhere."""
    array = real_array("the coefficient", coefficient, finite=False)
    if array.shape != tuple(shape):
        raise InputError(f"coefficient has shape {array.shape}, expected {tuple(shape)}: one value per cell.")
    with np.errstate(invalid="ignore"):
        wrong = ~((array > 0) & np.isfinite(array))
    if wrong.any():
        index = _first_index(wrong)
        raise InputError(
            f"coefficient must be finite and > 0 in every cell, got {array[index]:g} at index {index} "
            f"({_times(np.count_nonzero(wrong), 'cell')} in all); any positive value will do in solid cells."
        )
    return array


def check_spacing(spacing: object, dimension: int) -> tuple[float, ...]:
    """Return the cell size per axis as a tuple of `dimension` positive floats; one number stands for all axes."""
    array = real_array("the spacing", spacing, finite=False)
    if array.size == 1:
        array = np.full(dimension, array.item())
    if array.shape != (dimension,):
        raise InputError(
            f"spacing has shape {array.shape}, expected one cell size or one per axis, {dimension} in all."
        )
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise InputError(f"spacing must be finite and > 0 on every axis, got {array.tolist()}.")
    return tuple(array.tolist())


def check_outside(outside: str | Mapping[str, str], dimension: int) -> dict[str, str]:
    """Return the boundary condition of every side of the box, in the order of :func:`side_names`.

    Parameters
    ----------
    outside
        ``"neumann"`` or ``"dirichlet"`` for all sides, or a mapping from side name (``"x-"``) to one of the two;
        a side that is not named is ``"neumann"``.
    dimension
        2 or 3.
    """
    names = side_names(dimension)
    if not isinstance(outside, str | Mapping):
        raise InputError(f"outside is {shown(outside)}, expected 'neumann', 'dirichlet', or one of them by side.")
    given = dict.fromkeys(names, outside) if isinstance(outside, str) else dict(outside)
    known_names("a side that outside names", given, names)
    for side, kind in given.items():
        choice(f"outside on the side {side}", kind, BOUNDARY_KINDS)
    return {name: given.get(name, "neumann") for name in names}


def remedy_of(*, on_cells: bool) -> str:
    """Return what to do about a right-hand side that is not finite, on the cells of a grid or on rows of a matrix."""
    return "replace them, by 0 where the cell is not fluid" if on_cells else "give a finite number for each row"


def check_right_hand_side(b: object, fluid: np.ndarray, name: str = "b") -> np.ndarray:
    """Return a right-hand side as a new C-ordered float64 array, zero off the fluid.

    Parameters
    ----------
    b
        Values of shape ``fluid.shape``, or ``(batch, *fluid.shape)`` for several right-hand sides; finite everywhere.
    fluid
        True on the cells that are unknowns; for a matrix without a grid, ones of shape (rows,).
    name
        Of the values, for the sentences.
    """
    array = real_array(name, b, remedy=remedy_of(on_cells=fluid.ndim > 1))
    if array.shape[-fluid.ndim :] != fluid.shape or array.ndim > fluid.ndim + 1:
        raise InputError(
            f"{name} has shape {array.shape}, expected {fluid.shape}: one value per cell or row of the system."
        )
    return np.where(fluid, array, 0.0)


def check_spd_matrix(matrix: object) -> sp.csr_array:
    """Return a matrix as a sorted float64 CSR array after cheap checks of symmetric positive semi-definiteness.

    Square, finite, max |A - A^T| <= 1e-10 max |A|, no negative diagonal value, and a zero on the diagonal only in a row
    that is zero altogether (such rows stand for cells that are not unknowns). The argument is never changed.
    """
    if sp.issparse(matrix):
        real_array("the matrix", np.empty(0, matrix.dtype))
        matrix = matrix.astype(
            np.float64, copy=True
        )  # before duplicates are added up, in which small integers overflow
    else:
        matrix = sp.csr_array(real_array("the matrix", matrix, finite=False))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise InputError(f"the matrix must be square with at least one row, got shape {matrix.shape}.")
    result = sp.csr_array(matrix)
    result.sum_duplicates()
    result.eliminate_zeros()
    if not np.isfinite(result.data).all():
        entry = int(np.argmin(np.isfinite(result.data)))
        row = int(np.searchsorted(result.indptr, entry, side="right")) - 1
        raise InputError(
            f"the matrix must be finite, got {result.data[entry]:g} in row {row}, column {result.indices[entry]}."
        )
    _check_symmetry(result)
    _check_diagonal(result)
    return result


def row_sums(matrix: sp.csr_array) -> np.ndarray:
    """Return the sum of each row, exactly 0 where rounding alone may have made it: below 4 eps n sum_j |a_ij|.

    n is the number of entries of the row; its diagonal is a sum of that many terms, and adding up rounds as often.
    """
    sums, entries = matrix.sum(axis=1), np.diff(matrix.indptr)
    return np.where(np.abs(sums) > 4 * np.finfo(float).eps * entries * abs(matrix).sum(axis=1), sums, 0.0)


def _check_symmetry(matrix: sp.csr_array) -> None:
    difference = (matrix - matrix.T).tocoo()
    if difference.nnz == 0:
        return
    worst = int(np.argmax(np.abs(difference.data)))
    if abs(difference.data[worst]) > SYMMETRY_TOLERANCE * np.abs(matrix.data).max():
        row, column = int(difference.row[worst]), int(difference.col[worst])
        raise InputError(
            f"the matrix is not symmetric: A[{row}, {column}] = {matrix[row, column]:g} but A[{column}, {row}] = "
            f"{matrix[column, row]:g}; the solvers here need a symmetric positive definite matrix."
        )


def _check_diagonal(matrix: sp.csr_array) -> None:
    diagonal = matrix.diagonal()
    row = int(np.argmin(diagonal))
    if diagonal[row] < 0:
        raise InputError(
            f"the matrix is not positive: its diagonal is {diagonal[row]:g} in row {row}; "
            "solve (-A) x = -b if A is a Laplacian with the negative sign."
        )
    indefinite = (diagonal == 0) & (np.diff(matrix.indptr) > 0)
    if indefinite.any():
        raise InputError(
            f"the matrix is not positive: row {int(np.argmax(indefinite))} has a zero diagonal beside other values."
        )


def _first_index(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def _times(count: int, noun: str = "cell") -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
