"""The numba back end: levels of the hierarchy on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sciml.linalg.kernels import numba_setup as setup
from sciml.linalg.kernels import numba_smoother as smoother
from sciml.linalg.kernels import numba_transfers as transfers
from sciml.linalg.kernels.islands import Islands, find_islands
from sciml.linalg.kernels.layout import Weights, coupling_strength, three_axes, three_weights
from sciml.linalg.kernels.stencil import (
    FORWARD,
    SEVEN_POINT,
    Offset,
    axes_to_coarsen,
    coarse_offsets,
    coarse_shape,
    couplings_to_plane,
    galerkin_terms,
)
from sciml.linalg.kernels.threads import prefer_work_stealing

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson

# (stencil, offsets, axis, level) -> weights of a coarsening, both with halo.
Rule = Callable[[np.ndarray, tuple[Offset, ...], int, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Interpolation:
    """The interpolation of one coarsening along one axis; its weights have the shape of the coarse cells, with halo."""

    steps: Offset
    left: np.ndarray
    right: np.ndarray


class Level:
    """One level of the hierarchy: its operator, its work arrays and the transfers to the next coarser grid.

    Parameters
    ----------
    shape : cells per axis, three of them; a 2-D problem has one cell along the middle axis
    inverse : D^-1 with halo, 0 off the unknowns
    weights : couplings along the axes of a 7-point level (numbers or arrays with halo), or None
    stencil : couplings and diagonal of a 27-point level, (14, *shape with halo), or None
    """

    def __init__(self, shape: Offset, inverse: np.ndarray, weights: Weights | None, stencil: np.ndarray | None) -> None:
        self.shape = shape
        self.inverse = inverse
        self.operator = weights if stencil is None else stencil
        self.full = stencil is not None
        self.x, self.old, self.b = (np.zeros_like(inverse) for _ in range(3))
        self.chunks = smoother.active_chunks(shape, inverse)
        self.interpolations: list[Interpolation] = []
        self.between: list[np.ndarray] = []
        self.islands: Islands | None = None

    def attach(self, interpolations: list[Interpolation], islands: Islands | None) -> None:
        """Attach the interpolation to the next coarser level, the islands of this one and work space between."""
        self.interpolations, self.islands = interpolations, islands
        self.between = [np.zeros_like(each.left) for each in interpolations[:-1]]

    def start(self, step: float) -> None:
        """Set x = step D^-1 b, the first smoothing step from 0."""
        smoother.start(self.b, self.inverse, self.inverse.dtype.type(step), self.chunks, self.x)

    def smooth(self, factors: tuple[float, float, float]) -> None:
        """Carry out one Chebyshev step: x, old = a x + s D^-1 (b - A x) - g old, x."""
        kernel = smoother.smooth_full if self.full else smoother.smooth_seven
        factors = tuple(self.inverse.dtype.type(f) for f in factors)
        kernel(self.x, self.old, self.b, self.inverse, self.operator, factors, self.chunks)
        self.x, self.old = self.old, self.x

    def restrict_residual(self, coarse: Level) -> None:
        """Set coarse.b = P^T (b - A x)."""
        kernel = smoother.residual_full if self.full else smoother.residual_seven
        kernel(self.x, self.b, self.inverse, self.operator, self.chunks, self.old)
        grids = [self.old, *self.between, coarse.b]
        for each, fine, out in zip(self.interpolations, grids[:-1], grids[1:], strict=True):
            transfers.restrict(fine, each.steps, each.left, each.right, out)

    def add_correction(self, coarse: Level) -> None:
        """Add the correction: x += P coarse.x."""
        values = coarse.x
        for each, out in zip(self.interpolations[:0:-1], self.between[::-1], strict=True):
            transfers.prolong(values, each.steps, each.left, each.right, out)
            values = out
        first = self.interpolations[0]
        transfers.prolong_and_add(values, first.steps, first.left, first.right, self.inverse, self.x)

    def correct_islands(self) -> None:
        """Correct the common value of every island in x."""
        if self.islands is not None:
            self.islands.correct(self.b, self.x)

    def prepare_direct(self, inverse: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bring the dense inverse of this level's operator and its cells into the level's precision."""
        return np.ascontiguousarray(inverse, self.inverse.dtype), active

    def solve_directly(self, prepared: tuple[np.ndarray, np.ndarray]) -> None:
        """Set x = A^-1 b by the dense inverse of the coarsest level."""
        inverse, active = prepared
        transfers.solve_dense(inverse, active, self.b, self.x)

    def load(self, b: np.ndarray) -> None:
        """Set the right-hand side from an array without halo."""
        inner(self.b)[...] = three_axes(b)

    def unload(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the result as a float64 array without halo, of the shape of the problem."""
        return inner(self.x).astype(np.float64).reshape(shape)

    def unknowns(self) -> int:
        """Return the number of cells that carry an unknown."""
        return int(np.count_nonzero(self.inverse))

    def entries(self) -> int:
        """Return the number of nonzero entries of the matrix of this level."""
        if self.full:
            return self.unknowns() + 2 * int(np.count_nonzero(self.operator[:-1]))
        couplings, known = 0, self.inverse > 0
        for axis, weight in enumerate(self.operator):
            if isinstance(weight, np.ndarray):
                couplings += np.count_nonzero(weight)
            elif weight:
                cells = np.moveaxis(known, axis, 0)
                couplings += np.count_nonzero(cells[1:] & cells[:-1])
        return self.unknowns() + 2 * int(couplings)

    def arrays(self) -> list[np.ndarray]:
        """Return every array that the level keeps."""
        own = [self.inverse, self.x, self.old, self.b, *self.between]
        operator = [self.operator] if self.full else [w for w in self.operator if isinstance(w, np.ndarray)]
        return own + operator + [w for each in self.interpolations for w in (each.left, each.right)]


def finest(problem: VoxelPoisson, dtype: np.dtype) -> tuple[Level, np.ndarray]:
    """Return the finest level of a problem, and its stencil (z, y, x couplings and diagonal) with halo."""
    diagonal = three_axes(problem.diagonal)
    stencil = np.zeros((4, *(n + 2 for n in diagonal.shape)), dtype)
    inverse = np.zeros(stencil.shape[1:], dtype)
    if problem.constant:
        numbers = three_weights(problem.face_weights)
        weights: Weights = tuple(dtype.type(w) for w in numbers)
        setup.seven_point(diagonal, weights, stencil)
    else:
        inner(stencil[3])[...] = diagonal
        # Entry i + 1 of the faces couples cells i and i + 1; the stencil keeps it at cell i.
        for axis, slot in enumerate((2, 1, 0)):
            if diagonal.shape[axis] > 1:
                faces = three_axes(problem.face_weights[axis if problem.fluid.ndim == 3 else axis // 2])
                inner(stencil[slot])[...] = faces[tuple(slice(a == axis, None) for a in range(3))]
        weights = (stencil[2], stencil[1], stencil[0])
    setup.inverse_diagonal(stencil, np.zeros((0, 3), np.int64), inverse)
    return Level(diagonal.shape, inverse, weights, None), stencil


def coarsen(
    stencil: np.ndarray, offsets: tuple[Offset, ...], axis: int, rule: Rule | None = None, level: int = 0
) -> tuple[np.ndarray, Interpolation]:
    """Return Galerkin stencil and interpolation of a coarsening along one axis; a rule replaces the default weights."""
    left, right = rule(stencil, offsets, axis, level) if rule else interpolation_weights(stencil, offsets, axis)
    out = np.zeros((len(coarse_offsets(offsets, axis)) + 1, *left.shape), stencil.dtype)
    if setup.galerkin(stencil, axis, _flat_terms(offsets, axis, stencil.shape[1:], left.shape), left, right, out):
        setup.drop_couplings(out, np.array([flat_shift(each, left.shape) for each in coarse_offsets(offsets, axis)]))
    return out, Interpolation(tuple(2 if a == axis else 1 for a in range(3)), left, right)


def interpolation_weights(stencil: np.ndarray, offsets: tuple[Offset, ...], axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return operator-dependent weights of the odd cells along an axis, in the shape of the coarse cells with halo."""
    left, right = (np.zeros(coarse_halo(stencil.shape[1:], axis), stencil.dtype) for _ in range(2))
    fill_weights(stencil, offsets, axis, left, right)
    return left, right


def fill_weights(
    stencil: np.ndarray, offsets: tuple[Offset, ...], axis: int, left: np.ndarray, right: np.ndarray
) -> None:
    """Write the operator-dependent weights into zeroed arrays."""
    setup.interpolation_weights(stencil, axis, groups_of_odd_cells(offsets, axis, stencil.shape[1:]), left, right)


def coarse_halo(halo: tuple[int, ...], axis: int) -> Offset:
    """Return the shape with halo after a coarsening along an axis, from that before."""
    return tuple(n + 2 for n in coarse_shape(tuple(n - 2 for n in halo), axis))  # type: ignore[return-value]


def groups_of_odd_cells(offsets: tuple[Offset, ...], axis: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return rows (plane, slot, flat shift from the even cell before) of the couplings of an odd cell."""
    return _groups(offsets, axis, shape, flat_shift(unit(axis), shape))


def build(
    problem: VoxelPoisson, dtype: np.dtype, coarsest: int, rule: Rule | None = None
) -> tuple[list[Level], np.ndarray]:
    """Return all levels down to at most ``coarsest`` cells, and the stencil of the last one."""
    prefer_work_stealing()
    level, stencil = finest(problem, dtype)
    levels, offsets = [level], SEVEN_POINT
    strength = coupling_strength(problem)
    while np.prod(level.shape) > coarsest:
        axes = axes_to_coarsen(level.shape, strength)
        islands = None if problem.constant else find_islands(stencil, offsets, axes)
        interpolations = []
        for axis in axes:
            stencil, interpolation = coarsen(stencil, offsets, axis, rule, len(levels) - 1)
            offsets = coarse_offsets(offsets, axis)
            strength = tuple(s / 4 if a == axis else s for a, s in enumerate(strength))
            interpolations.append(interpolation)
        if not interpolations:
            break
        level.attach(interpolations, islands)
        stencil = _complete(stencil, offsets)
        offsets = FORWARD
        shape = tuple(n - 2 for n in stencil.shape[1:])
        inverse = np.zeros(stencil.shape[1:], dtype)
        setup.inverse_diagonal(stencil, _groups(FORWARD, 0, inverse.shape), inverse)
        level = Level(shape, inverse, None, stencil)
        levels.append(level)
    return levels, _complete(stencil, offsets)


def inner(array: np.ndarray) -> np.ndarray:
    """Return the cells of an array with halo."""
    return array[1:-1, 1:-1, 1:-1]


def _complete(stencil: np.ndarray, offsets: tuple[Offset, ...]) -> np.ndarray:
    """Return the stencil with all 13 forward couplings, those that are absent being 0."""
    if offsets == FORWARD:
        return stencil
    result = np.zeros((len(FORWARD) + 1, *stencil.shape[1:]), stencil.dtype)
    for slot, offset in enumerate(offsets):
        result[FORWARD.index(offset)] = stencil[slot]
    result[-1] = stencil[-1]
    return result


def flat_shift(shift: Offset, shape: tuple[int, ...]) -> int:
    """Return a shift in cells as a distance in the flat array with halo."""
    return (shift[0] * shape[1] + shift[1]) * shape[2] + shift[2]


def unit(axis: int) -> Offset:
    """Return the shift by one cell along an axis."""
    return tuple(int(a == axis) for a in range(3))  # type: ignore[return-value]


def _groups(offsets: tuple[Offset, ...], axis: int, shape: tuple[int, ...], start: int = 0) -> np.ndarray:
    """Return rows (plane, slot, flat shift) of all couplings of a cell; planes 0 before, 1 after, 2 beside an axis."""
    return np.array(
        [
            (plane, slot, start + flat_shift(shift, shape))
            for plane, step in enumerate((-1, 1, 0))
            for slot, shift in couplings_to_plane(offsets, axis, step)
        ]
    )


def _flat_terms(offsets: tuple[Offset, ...], axis: int, fine: tuple[int, ...], coarse: tuple[int, ...]) -> np.ndarray:
    """Return the terms of the Galerkin product with flat shifts, in the columns that the kernel takes."""
    return np.array(
        [
            (
                t.slot,
                t.source,
                t.sign,
                flat_shift(t.shift, fine),
                t.p,
                flat_shift(t.p_shift, coarse),
                t.q,
                flat_shift(t.q_shift, coarse),
            )
            for t in galerkin_terms(offsets, axis)
        ]
    )
