"""`VoxelPoisson`: the cell-centred Poisson problem on voxels, the system that every solver of this package takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from sciml.checks import real_array
from sciml.errors import InputError
from sciml.linalg.validation import (
    DIRICHLET,
    FLUID,
    SOLID,
    check_cells,
    check_coefficient,
    check_outside,
    check_spacing,
    side_names,
)

if TYPE_CHECKING:
    from sciml.mesh import Mesh

FaceWeights = float | np.ndarray
# The largest coupling is brought near 1 where it is not within 2^-60 .. 2^60: single precision ends at 2^127.
EXPONENT = 60


class VoxelPoisson:
    """The positive Poisson operator on the fluid cells of a 2-D or 3-D voxel grid.

    (A p)_c = sum over neighbours n of c that are not solid of w_cn (p_c - p_n), with p = 0 at the centre of Dirichlet
    cells.

    Solid neighbours, and a side of the box that is ``"neumann"``, let nothing through. Build it with
    :meth:`from_cells`, :meth:`from_matrix` or :meth:`from_surface`.

    Parameters
    ----------
    fluid : bool array, shape (nx, ny) or (nx, ny, nz); the unknowns
    face_weights : per axis either one number, the coupling of any two fluid neighbours along it, or an array with one
        entry more than ``fluid`` along that axis: entry i couples cells i - 1 and i and is 0 unless both are fluid
    dirichlet : float64 array, shape of ``fluid``; the coupling of each cell to Dirichlet neighbours, 0 off the fluid:
        the row sums of A
    diagonal : float64 array, shape of ``fluid``; the diagonal of A: ``dirichlet`` plus the couplings of the cell
    cells : uint8 codes (0 fluid, 1 Dirichlet, 2 solid) for pictures and files; made from ``fluid`` where not given

    Examples
    --------
    >>> problem = VoxelPoisson.from_cells(np.zeros((3, 3), np.uint8), outside="dirichlet")
    >>> problem.to_csr().toarray()[4]
    array([ 0., -1.,  0., -1.,  4., -1.,  0., -1.,  0.])
    """

    def __init__(
        self,
        fluid: np.ndarray,
        face_weights: Sequence[FaceWeights],
        dirichlet: np.ndarray,
        diagonal: np.ndarray,
        *,
        cells: np.ndarray | None = None,
        outside: Mapping[str, str] | None = None,
    ) -> None:
        self.fluid = fluid
        self.face_weights = tuple(face_weights)
        self.dirichlet = dirichlet
        self.diagonal = diagonal
        self.cells = np.where(fluid, FLUID, SOLID).astype(np.uint8) if cells is None else cells
        self.outside = None if outside is None else dict(outside)

    @classmethod
    def from_cells(
        cls,
        cells: np.ndarray,
        *,
        coefficient: np.ndarray | None = None,
        spacing: float | Sequence[float] | None = None,
        outside: str | Mapping[str, str] = "neumann",
    ) -> VoxelPoisson:
        """Return the problem of cell codes: w = 1 / h^2 times the harmonic mean of the two coefficients.

        Parameters
        ----------
        cells : integer array, shape (nx, ny) or (nx, ny, nz): 0 fluid, 1 Dirichlet (p = 0), 2 Neumann solid
        coefficient : > 0, shape of ``cells``; permeability or 1 / density per cell. None means 1.
        spacing : cell size h per axis, or one for all; None means 1, the integer matrix of MAC grids
        outside : ``"neumann"`` or ``"dirichlet"`` for the whole box, or a mapping from side (``"x-"``, ``"y+"``, ...)
            to one of them. ``"dirichlet"`` is a ghost cell with p = 0 at its centre and the coefficient of its
            neighbour.

        Raises
        ------
        InputError
            Wrong codes or shapes, no fluid cell, a coefficient or spacing that is not finite and positive, or so large
            or small that the couplings are not.
        """
        cells = check_cells(cells)
        dimension = cells.ndim
        step = (1.0,) * dimension if spacing is None else check_spacing(spacing, dimension)
        sides = check_outside(outside, dimension)
        k = None if coefficient is None else check_coefficient(coefficient, cells.shape)
        if k is not None and (k == k.flat[0]).all():
            step, k = tuple(h / np.sqrt(k.flat[0]) for h in step), None
        fluid = cells == FLUID
        dirichlet, diagonal = np.zeros(cells.shape), np.zeros(cells.shape)
        weights: list[FaceWeights] = []
        for axis in range(dimension):
            weight = 1.0 / step[axis] / step[axis]
            faces = _couplings(cells, k, weight, axis)
            _add_air(dirichlet, cells, faces, axis)
            _add_outside(dirichlet, k, weight, axis, sides)
            _inner(faces, axis)[np.logical_not(np.logical_and(*_pair(fluid, axis)))] = 0.0
            diagonal += _take(faces, axis, 0, -1)
            diagonal += _take(faces, axis, 1, None)
            weights.append(weight if k is None else faces)
        dirichlet[~fluid] = 0.0
        diagonal += dirichlet
        if not (np.isfinite(diagonal).all() and all(np.max(weight) > 0 for weight in weights if np.isscalar(weight))):
            raise InputError(
                f"the couplings coefficient / spacing^2 lie beyond floating point numbers for spacing={spacing}; "
                "measure in other units."
            )
        return cls(fluid, weights, dirichlet, diagonal, cells=cells, outside=sides)

    @classmethod
    def from_matrix(
        cls,
        matrix: sp.sparray | sp.spmatrix,
        shape: Sequence[int] | None = None,
        fluid_index: np.ndarray | None = None,
    ) -> VoxelPoisson:
        """Return the problem of a sparse 5-point or 7-point matrix; see :func:`sciml.linalg.grid_matrix.recognise`."""
        from sciml.linalg.grid_matrix import recognise

        return cls(*recognise(matrix, shape, fluid_index))

    @classmethod
    def from_surface(
        cls,
        surface: Mesh,
        shape: Sequence[int],
        *,
        fill: float = 0.5,
        close_holes: bool = False,
        outside: str | Mapping[str, str] = "neumann",
    ) -> VoxelPoisson:
        """Return the problem of the flow around a closed surface, centred in the box [0, 1]^d of ``shape`` cells.

        Parameters
        ----------
        surface : closed triangle or quadrilateral surface, as :func:`sciml.mesh.read_mesh` returns it
        shape : cells of the box per axis; the longest side of the box has length 1 and cells are cubes
        fill : size of the obstacle relative to the box, in (0, 1]
        close_holes : cap the holes of a surface that is not closed, and keep parts thinner than a cell, instead of
            refusing it: for scans and models made for the eye
        outside : as in :meth:`from_cells`
        """
        from sciml.mesh import Grid
        from sciml.mesh.voxelise import fit_into_box, voxelise

        grid = Grid.from_spacing(tuple(shape), 1.0 / max(shape), centring="cell")
        fitted = fit_into_box(surface, grid.lower, grid.upper, fill=fill)
        solid = voxelise(fitted, grid, close_holes=close_holes, keep_thin=close_holes)
        return cls.from_cells(np.where(solid, SOLID, FLUID).astype(np.uint8), outside=outside)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return self.fluid.shape

    @cached_property
    def unknowns(self) -> int:
        """Number of fluid cells, which are the unknowns."""
        return int(np.count_nonzero(self.fluid))

    @property
    def constant(self) -> bool:
        """True if the coupling along each axis is the same for all fluid neighbours."""
        return all(np.isscalar(weight) for weight in self.face_weights)

    def face_weights_along(self, axis: int) -> np.ndarray:
        """Return the couplings of fluid neighbours along an axis, float64, one entry more than cells along it."""
        weight = self.face_weights[axis]
        if isinstance(weight, np.ndarray):
            return weight
        shape = list(self.shape)
        shape[axis] += 1
        result = np.zeros(shape)
        left, right = _pair(self.fluid, axis)
        _inner(result, axis)[...] = np.where(left & right, weight, 0.0)
        return result

    def matvec(self, x: np.ndarray) -> np.ndarray:
        """Return A x for a full-grid float64 array x; values off the fluid are ignored, and the result is 0 there."""
        x = np.where(self.fluid, real_array("x", x, shape=self.shape, finite=False), 0.0)
        result = self.diagonal * x
        for axis in range(self.fluid.ndim):
            weights = _inner(self.face_weights_along(axis), axis)
            left, right = _pair(x, axis)
            _take(result, axis, 0, -1)[...] -= weights * right
            _take(result, axis, 1, None)[...] -= weights * left
        return result

    def to_csr(self) -> sp.csr_array:
        """Return the matrix over the fluid cells in C order, float64 CSR with int32 indices where they fit."""
        number = np.full(self.shape, -1, np.int64)
        number[self.fluid] = np.arange(self.unknowns)
        rows, columns = [number[self.fluid]], [number[self.fluid]]
        values = [self.diagonal[self.fluid]]
        for axis in range(self.fluid.ndim):
            weights = _inner(self.face_weights_along(axis), axis)
            left, right = _pair(number, axis)
            coupled = weights > 0
            rows += [left[coupled], right[coupled]]
            columns += [right[coupled], left[coupled]]
            values += [-weights[coupled]] * 2
        index = np.int32 if self.unknowns < 2**31 else np.int64
        pattern = tuple(np.concatenate(part).astype(index) for part in (rows, columns))
        return sp.coo_array((np.concatenate(values), pattern), shape=(self.unknowns,) * 2).tocsr()

    @cached_property
    def closed_components(self) -> tuple[np.ndarray, int]:
        """The label 1..count of the cells of each closed component, 0 elsewhere, and the count.

        A closed component is a connected part of the fluid without Dirichlet neighbour; its constants are null vectors
        of A.
        """
        labels, count = self.components()
        closed = np.ones(count + 1, bool)
        closed[0] = False
        closed[labels[self.dirichlet > 0]] = False
        if not closed.any():
            return np.zeros(self.shape, np.int32), 0
        return np.where(closed, np.cumsum(closed), 0).astype(np.int32)[labels], int(closed.sum())

    def components(self) -> tuple[np.ndarray, int]:
        """Return the label 1..count of each fluid cell's connected component, 0 off the fluid, and the count."""
        from scipy import ndimage

        if all(self._couples_all_neighbours(axis) for axis in range(self.fluid.ndim)):
            return ndimage.label(self.fluid)
        count, flat = sp.csgraph.connected_components(self.to_csr(), directed=False)
        labels = np.zeros(self.shape, np.int32)
        labels[self.fluid] = flat + 1
        return labels, int(count)

    def _couples_all_neighbours(self, axis: int) -> bool:
        weights = self.face_weights[axis]
        if not isinstance(weights, np.ndarray):
            return True
        return bool(((_inner(weights, axis) > 0) == np.logical_and(*_pair(self.fluid, axis))).all())

    def normalised(self) -> tuple[VoxelPoisson, float]:
        """Return the problem times a power of two that makes its couplings fit single precision, and that power."""
        largest = float(self.diagonal.max())
        if largest == 0.0 or 2.0**-EXPONENT < largest < 2.0**EXPONENT:
            return self, 1.0
        factor = 2.0 ** -min(max(np.frexp(largest)[1], -1000), 1000)
        weights = [weight * factor for weight in self.face_weights]
        scaled = VoxelPoisson(
            self.fluid, weights, self.dirichlet * factor, self.diagonal * factor, cells=self.cells, outside=self.outside
        )
        return scaled, float(factor)

    def divergence(self, *velocity: np.ndarray, spacing: float | Sequence[float] = 1.0) -> np.ndarray:
        """Return the right-hand side -div u of the pressure projection from face velocities of a MAC grid.

        b_c = - sum over axes of (u_right - u_left) / h in fluid cells, 0 elsewhere. Faces that touch a solid cell, and
        the sides of the box that are ``"neumann"``, count as closed, so that b is compatible on closed components.

        Parameters
        ----------
        velocity : one array per axis with one entry more than cells along that axis
        spacing : cell size per axis, or one for all
        """
        if len(velocity) != self.fluid.ndim:
            raise InputError(f"divergence needs one velocity per axis, {self.fluid.ndim} in all, got {len(velocity)}.")
        steps = check_spacing(spacing, self.fluid.ndim)
        result = np.zeros(self.shape)
        for axis, (u, h) in enumerate(zip(velocity, steps, strict=True)):
            expected = tuple(n + (a == axis) for a, n in enumerate(self.shape))
            flux = real_array(f"the velocity along axis {axis}", u, shape=expected).copy()
            left, right = _pair(self.cells == SOLID, axis)
            _inner(flux, axis)[left | right] = 0.0
            for side, index in zip(side_names(self.fluid.ndim)[2 * axis : 2 * axis + 2], (0, -1), strict=True):
                if self.outside is None or self.outside[side] == "neumann":
                    np.moveaxis(flux, axis, 0)[index] = 0.0
            result -= np.diff(flux, axis=axis) / h
        return np.where(self.fluid, result, 0.0)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        kind = "constant" if self.constant else "variable"
        return f"VoxelPoisson({size} cells, {self.unknowns} unknowns, {kind} coefficient)"


def _take(array: np.ndarray, axis: int, start: int | None, stop: int | None) -> np.ndarray:
    index = [slice(None)] * array.ndim
    index[axis] = slice(start, stop)
    return array[tuple(index)]


def _inner(faces: np.ndarray, axis: int) -> np.ndarray:
    return _take(faces, axis, 1, -1)


def _pair(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    return _take(array, axis, 0, -1), _take(array, axis, 1, None)


def _couplings(cells: np.ndarray, coefficient: np.ndarray | None, weight: float, axis: int) -> np.ndarray:
    """Return the couplings of neighbours along an axis that are both not solid, one entry more than cells along it."""
    shape = list(cells.shape)
    shape[axis] += 1
    faces = np.zeros(shape)
    inner = _inner(faces, axis)
    if coefficient is None:
        inner[...] = weight
    else:
        left, right = _pair(coefficient, axis)
        # Not 2 k_l k_r / (k_l + k_r), whose product can overflow or underflow when the harmonic mean does not.
        with np.errstate(over="ignore"):
            inner[...] = weight * 2.0 / (1.0 / left + 1.0 / right)
    inner[np.logical_or(*_pair(cells == SOLID, axis))] = 0.0
    return faces


def _add_air(dirichlet: np.ndarray, cells: np.ndarray, faces: np.ndarray, axis: int) -> None:
    air = cells == DIRICHLET
    if not air.any():
        return
    left, right = _pair(air, axis)
    inner = _inner(faces, axis)
    _take(dirichlet, axis, 0, -1)[...] += np.where(right, inner, 0.0)
    _take(dirichlet, axis, 1, None)[...] += np.where(left, inner, 0.0)


def _add_outside(
    dirichlet: np.ndarray, coefficient: np.ndarray | None, weight: float, axis: int, sides: Mapping[str, str]
) -> None:
    names = side_names(dirichlet.ndim)[2 * axis : 2 * axis + 2]
    for name, index in zip(names, (0, -1), strict=True):
        if sides[name] == "dirichlet":
            k = 1.0 if coefficient is None else np.moveaxis(coefficient, axis, 0)[index]
            np.moveaxis(dirichlet, axis, 0)[index] += weight * k
