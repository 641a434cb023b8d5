"""Linear systems as the methods see them, on a voxel grid or as a sparse matrix, and the checks of their vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from sciml.checks import real_array
from sciml.errors import IncompatibleRightHandSideError, InputError, NotStructuredError
from sciml.linalg.validation import check_right_hand_side, check_spd_matrix, remedy_of, row_sums
from sciml.linalg.voxel_poisson import VoxelPoisson

COMPATIBILITY_TOLERANCE = 1e-10  # of the sum of b over a closed component, relative to that of |b|

Matrix = sp.sparray | sp.spmatrix


@dataclass(frozen=True)
class SparseSystem:
    """A sparse symmetric positive definite matrix without a grid, with the attributes that methods read off a grid.

    Parameters
    ----------
    csr : the matrix without its zero rows
    fluid : True on the rows of the original matrix that are unknowns, as :attr:`VoxelPoisson.fluid` is on the cells
    """

    csr: sp.csr_array
    fluid: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a right-hand side: (rows,)."""
        return self.fluid.shape

    @cached_property
    def unknowns(self) -> int:
        """Number of rows that are not zero."""
        return int(np.count_nonzero(self.fluid))

    @cached_property
    def closed_components(self) -> tuple[np.ndarray, int]:
        """The label 1..count of the rows of each set of coupled rows that all sum to zero, 0 elsewhere, and the count.

        The constants on such a set are null vectors, as for the Laplacian of a graph. Other null vectors of a general
        matrix are not looked for.
        """
        labels = np.zeros(self.shape, np.int32)
        supported = row_sums(self.csr) != 0.0
        if supported.all():
            return labels, 0
        count, component = sp.csgraph.connected_components(self.csr, directed=False)
        closed = np.ones(count, bool)
        closed[component[supported]] = False
        labels[self.fluid] = np.where(closed, np.cumsum(closed), 0)[component]
        return labels, int(closed.sum())

    def to_csr(self) -> sp.csr_array:
        """Return the matrix over the unknowns."""
        return self.csr

    def normalised(self) -> tuple[SparseSystem, float]:
        """Return the system itself and the factor 1: a general matrix is solved in double precision as it is."""
        return self, 1.0


System = VoxelPoisson | SparseSystem


def as_matrix(matrix: Matrix) -> SparseSystem:
    """Return a checked matrix as a system without a grid; a zero row stands for a cell that is not an unknown."""
    csr = check_spd_matrix(matrix)
    rows = csr.diagonal() > 0
    if not rows.any():
        raise InputError("the matrix is zero, so there is no unknown to solve for.")
    return SparseSystem(csr if rows.all() else csr[rows][:, rows], rows)


def as_grid(matrix: Matrix) -> VoxelPoisson:
    """Return the voxel problem that a 5- or 7-point matrix comes from, or raise :class:`NotStructuredError`."""
    return VoxelPoisson.from_matrix(check_spd_matrix(matrix))


def as_grid_or_matrix(matrix: Matrix) -> System:
    """Return the voxel problem of a matrix where it is one, the matrix as a system without a grid otherwise."""
    plain = as_matrix(matrix)
    try:
        return VoxelPoisson.from_matrix(matrix)
    except NotStructuredError:
        return plain


def is_plain_box(system: System) -> bool:
    """Return whether a system is a box without obstacles and with a constant coefficient."""
    return (
        isinstance(system, VoxelPoisson) and system.constant and system.outside is not None and bool(system.fluid.all())
    )


def right_hand_side(system: System, b: np.ndarray, project: bool = False) -> np.ndarray:
    """Return b as a new float64 array in the shape of the system, or (batch, *shape), 0 where there is no unknown.

    Parameters
    ----------
    system : on its grid, or without one
    b : values per cell or per row, or several of them along a leading axis
    project : subtract the mean of b on each closed component, instead of refusing a b that has one

    Raises
    ------
    IncompatibleRightHandSideError
        b does not sum to zero on a closed component.
    InputError
        The shape of b is wrong, or its values are not finite.
    """
    values = check_right_hand_side(_on_grid(b, system.fluid, "b"), system.fluid)
    if values.size == 0:
        raise InputError("b holds no right-hand side; give at least one.")
    labels, count = system.closed_components
    if count and not project:
        for right in values.reshape(-1, *system.fluid.shape):
            _check_compatible(right, labels, count)
    remove_means(values, labels, count)
    return values


def starting_point(system: System, x0: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return a checked initial guess in the shape of the right-hand side, None where there is none."""
    if x0 is None:
        return None
    start = check_right_hand_side(_on_grid(x0, system.fluid, "x0"), system.fluid, "x0")
    if start.shape != shape:
        raise InputError(f"x0 has shape {start.shape}, expected that of b, {shape}.")
    return start


def _on_grid(values: np.ndarray, mask: np.ndarray, name: str) -> np.ndarray:
    """Return values per row of a matrix that was recognised as a grid in the shape of the grid."""
    values = real_array(name, values, finite=False)
    if values.shape and mask.ndim > 1 and values.shape[-1] == mask.size and values.ndim <= 2:
        real_array(name, values, remedy=remedy_of(on_cells=False))  # before its places are those of cells
        values = values.reshape(*values.shape[:-1], *mask.shape)
    return values


def _check_compatible(b: np.ndarray, labels: np.ndarray, count: int) -> None:
    sums = component_sums(b, labels, count)
    off = np.abs(sums) > COMPATIBILITY_TOLERANCE * component_sums(np.abs(b), labels, count)
    if off.any():
        worst = int(np.argmax(np.abs(sums) * off))
        cells = np.count_nonzero(labels == worst + 1)
        raise IncompatibleRightHandSideError(
            f"b sums to {sums[worst]:.3g} over a closed component (size {cells}), expected 0, "
            "because the rows of the matrix there sum to 0 (no flux leaves it); correct b, add a Dirichlet cell or a "
            "term on the diagonal, or subtract the part that has no solution with --project (in Python, project=True)."
        )


def component_sums(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the sums of ``values`` over the cells with the labels 1..count."""
    return np.bincount(labels.ravel(), weights=values.ravel(), minlength=count + 1)[1:]


def remove_means(batch: np.ndarray, labels: np.ndarray, count: int) -> None:
    """Subtract from each field of a batch, in place, its mean over the cells of each label 1..count."""
    if count == 0:
        return
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    for field_values in batch.reshape(-1, *labels.shape):
        means = component_sums(field_values, labels, count) / sizes
        field_values -= np.concatenate([[0.0], means])[labels]
