"""Darcy flow on a grid by two-point fluxes, and its upscaling to coarse cells by averages of the coefficient.

-div(k grad p) = f, k per cell, is discretised as sum over the faces of T (p_c - p_n) = f_c, in which T has the units of
the couplings of :class:`~sciml.linalg.VoxelPoisson`: k / h^2, f per volume. A coarse problem has the same form, with
blocks of ``factor`` cells per axis for cells and sums of f for sources; upscaling is the choice of its T.

>>> import numpy as np
>>> fine = fine_transmissibilities(np.ones((8, 8)))
>>> coarse = average_transmissibilities(np.ones((8, 8)), factor=4)
>>> held = {"x-": 1.0, "x+": 0.0}                                  # the other sides are closed
>>> float(fine.flow_rate(fine.solve(held), held, "x-"))
1.0
>>> float(coarse.flow_rate(coarse.solve(held), held, "x-"))
1.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from sciml.checks import known_names, real_array, whole_number
from sciml.errors import IncompatibleRightHandSideError, InputError
from sciml.linalg.validation import check_coefficient, check_spacing, side_names
from sciml.linalg.voxel_poisson import VoxelPoisson
from sciml.reference.upscaling_factors import factorise

Held = Mapping[str, float]
"""Pressures that are held on whole sides of the box, by the name of the side, such as ``"x-"``; no flow elsewhere."""
CLOSED_TOLERANCE = 1e-10  # of the sum of the sources of a closed box, relative to that of their absolute values

SMALLEST, LARGEST = 1e-100, 1e100  # of a coefficient: products of three such numbers are neither 0 nor infinite
FINEST, WIDEST = 1e-50, 1e50  # of a spacing, whose square divides a coefficient


@dataclass(frozen=True, eq=False)
class Transmissibilities:
    """The conductances of the faces of a cell-centred grid, and the flow problems that they make.

    The pressures satisfy sum over faces of T (p_c - p_n) = f_c, where p_n is the pressure of the neighbour, or the one
    that is held on the side. As T > 0 is symmetric, every problem is conservative and, without sources, obeys the
    maximum principle, wherever T comes from.

    Parameters
    ----------
    faces : per axis a float64 array > 0 with one entry more than cells along that axis: entry i couples the cells i - 1
        and i, and the two at the ends couple a cell to the side of the box
    """

    faces: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        shapes = [faces.shape for faces in self.faces]
        cells = {tuple(n - (a == axis) for a, n in enumerate(shape)) for axis, shape in enumerate(shapes)}
        if len(cells) != 1 or any(len(shape) != len(shapes) or min(shape) < 1 for shape in (*shapes, *cells)):
            raise InputError(
                f"the faces along the axes have the shapes {shapes}, expected for every axis of one grid an array with "
                "one entry more along that axis than cells."
            )
        for axis, faces in enumerate(self.faces):
            if not (np.isfinite(faces).all() and (faces > 0).all()):
                wrong = np.argwhere(~((faces > 0) & np.isfinite(faces)))[0].tolist()
                raise InputError(
                    f"the transmissibility of face {wrong} along axis {axis} is {faces[tuple(wrong)]:g}, expected a "
                    "finite number > 0; measure the coefficient in other units if it is very large or small."
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        first = self.faces[0].shape
        return (first[0] - 1, *first[1:])

    def problem(self, held: Held) -> VoxelPoisson:
        """Return the linear system of the cells, whose Dirichlet sides are those with a held pressure."""
        diagonal, dirichlet = np.zeros(self.shape), np.zeros(self.shape)
        inner = []
        for axis, faces in enumerate(self.faces):
            weights = np.moveaxis(faces.copy(), axis, 0)
            weights[[0, -1]] = 0.0
            diagonal += np.moveaxis(weights[:-1] + weights[1:], 0, axis)
            inner.append(np.moveaxis(weights, 0, axis))
        for side in self._held(held):
            axis, index = _place(side)
            np.moveaxis(dirichlet, axis, 0)[index] += np.moveaxis(self.faces[axis], axis, 0)[index]
        return VoxelPoisson(np.ones(self.shape, bool), inner, dirichlet, diagonal + dirichlet)

    def matrix(self, held: Held) -> sp.csr_array:
        """Return the symmetric positive (semi-)definite matrix over the cells in C order."""
        return self.problem(held).to_csr()

    def right_hand_side(self, held: Held, sources: np.ndarray | None = None) -> np.ndarray:
        """Return sources plus what flows in from the sides, of shape (..., *shape).

        Parameters
        ----------
        held : pressures by side
        sources : f per cell, of shape (..., *shape); none by default
        """
        b = np.zeros(self.shape)
        for side, pressure in self._held(held).items():
            axis, index = _place(side)
            np.moveaxis(b, axis, 0)[index] += pressure * np.moveaxis(self.faces[axis], axis, 0)[index]
        if sources is None:
            return b
        return b + real_array("the sources", sources, shape=(..., *self.shape))

    def factorise(self, held: Held) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from right-hand sides (..., *shape) to pressures, with sparse factors that are kept.

        In a closed box the pressure has zero mean, and each right-hand side has to sum to zero.
        """
        matrix, closed = self.matrix(held), not held
        if closed:
            if matrix.shape[0] == 1:
                return np.zeros_like
            matrix = matrix[1:, 1:]
        substitute = factorise(matrix)

        def solve(right: np.ndarray) -> np.ndarray:
            columns = right.reshape(-1, int(np.prod(self.shape))).T
            if not closed:
                return substitute(columns).T.reshape(right.shape)
            _check_closed(columns)
            x = np.zeros(columns.shape)
            x[1:] = substitute(columns[1:])
            return (x - x.mean(axis=0)).T.reshape(right.shape)

        return solve

    def solve(self, held: Held, sources: np.ndarray | None = None) -> np.ndarray:
        """Return the pressures of the cells, of shape (..., *shape), by a sparse factorisation."""
        return self.factorise(held)(self.right_hand_side(held, sources))

    def fluxes(self, pressures: np.ndarray, held: Held) -> tuple[np.ndarray, ...]:
        """Return T (p_{i-1} - p_i) on every face along each axis, 0 on closed sides; positive along the axis."""
        result = []
        given = self._held(held)
        for axis, faces in enumerate(self.faces):
            p = np.moveaxis(pressures, axis - len(self.faces), 0)
            t = np.moveaxis(faces, axis, 0)
            t = t.reshape(t.shape[0], *(1,) * (p.ndim - t.ndim), *t.shape[1:])
            flux = np.zeros((t.shape[0], *p.shape[1:]))
            flux[1:-1] = t[1:-1] * (p[:-1] - p[1:])
            low, high = side_names(len(self.faces))[2 * axis : 2 * axis + 2]
            if low in given:
                flux[0] = t[0] * (given[low] - p[0])
            if high in given:
                flux[-1] = t[-1] * (p[-1] - given[high])
            result.append(np.moveaxis(flux, 0, axis - len(self.faces)))
        return tuple(result)

    def flow_rate(self, pressures: np.ndarray, held: Held, side: str) -> np.ndarray:
        """Return what flows into the box through a side, one number for each of the leading axes of ``pressures``."""
        axis, index = _place(side)
        flux = np.moveaxis(self.fluxes(pressures, held)[axis], axis - len(self.faces), 0)[index]
        total = flux.sum(axis=tuple(range(1 - len(self.faces), 0)))
        return total if index == 0 else -total

    def _held(self, held: Held) -> Held:
        known_names("a side with a held pressure", held, side_names(len(self.faces)))
        return held


@dataclass(frozen=True)
class Blocks:
    """A checked coefficient with the blocks of cells that it is upscaled to.

    Parameters
    ----------
    coefficient : k > 0, of shape (nx, ny) or (nx, ny, nz)
    factor : cells of a block along each axis; it divides nx, ny and nz
    spacing : cell size h per axis, or one for all

    Raises
    ------
    InputError
        If the factor does not divide the shape, a value is not positive, or numbers are so large or small that their
        products are none.
    """

    coefficient: np.ndarray
    factor: int
    spacing: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        k = real_array("the coefficient", self.coefficient, finite=False)
        if k.ndim not in (2, 3) or k.size == 0:
            raise InputError(f"the coefficient has shape {k.shape}, expected (nx, ny) or (nx, ny, nz).")
        k = check_coefficient(k, k.shape)
        if k.min() < SMALLEST or k.max() > LARGEST:
            raise InputError(
                f"the coefficient lies between {k.min():g} and {k.max():g}, expected numbers from {SMALLEST:g} to "
                f"{LARGEST:g}; measure it in other units."
            )
        whole_number("the factor", self.factor, at_least=1)
        if any(n % self.factor for n in k.shape):
            raise InputError(
                f"the coefficient has shape {k.shape}, which the factor {self.factor} does not divide; "
                "cut or pad it to a multiple of the factor along each axis."
            )
        spacing = check_spacing(self.spacing, k.ndim)
        if min(spacing) < FINEST or max(spacing) > WIDEST:
            raise InputError(f"the spacing is {spacing}, expected numbers from {FINEST:g} to {WIDEST:g}.")
        object.__setattr__(self, "coefficient", k)
        object.__setattr__(self, "spacing", spacing)

    @property
    def dimension(self) -> int:
        """Number of axes, 2 or 3."""
        return self.coefficient.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of blocks along each axis."""
        return tuple(n // self.factor for n in self.coefficient.shape)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """1 / h^2 per axis."""
        return tuple(1.0 / h / h for h in self.spacing)

    def split(self, values: np.ndarray) -> np.ndarray:
        """Return values per cell (..., *cells) as (..., *blocks, factor, factor[, factor])."""
        lead, d = values.shape[: -self.dimension], self.dimension
        pairs = values.reshape(*lead, *(n for m in self.shape for n in (m, self.factor)))
        order = [len(lead) + 2 * axis for axis in range(d)] + [len(lead) + 2 * axis + 1 for axis in range(d)]
        return pairs.transpose(*range(len(lead)), *order)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of values per cell over each block."""
        return self.split(values).mean(axis=tuple(range(-self.dimension, 0)))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of values per cell over each block."""
        return self.split(values).sum(axis=tuple(range(-self.dimension, 0)))


def fine_transmissibilities(coefficient: np.ndarray, spacing: float | Sequence[float] = 1.0) -> Transmissibilities:
    """Return the two-point transmissibilities of the cells themselves.

    T is the harmonic mean of the two coefficients over h^2, and 2 k / h^2 on the sides of the box, half a cell away.

    Parameters
    ----------
    coefficient : k > 0, of shape (nx, ny) or (nx, ny, nz)
    spacing : cell size h per axis, or one for all
    """
    return average_transmissibilities(coefficient, 1, spacing)


def average_transmissibilities(
    coefficient: np.ndarray, factor: int, spacing: float | Sequence[float] = 1.0
) -> Transmissibilities:
    """Return the transmissibilities of blocks by averages: harmonic along the flow, arithmetic across it.

    Two half blocks lie in series: T = 1 / (1 / t_a + 1 / t_b), t = 2 / (factor h^2) times the sum over the columns of
    cells along the axis of their harmonic mean. Rates through layers along an axis are exact.

    Parameters
    ----------
    coefficient, factor, spacing : as of :class:`Blocks`

    References
    ----------
    Durlofsky, Upscaling and gridding of fine scale geological models for flow simulation, 2005, section 2.
    """
    blocks = Blocks(coefficient, factor, spacing)
    resistances = blocks.split(1.0 / blocks.coefficient)
    d = blocks.dimension
    faces = []
    for axis in range(d):
        columns = 1.0 / resistances.mean(axis=axis - d)
        half = 2.0 / factor * blocks.weights[axis] * columns.sum(axis=tuple(range(1 - d, 0)))
        half = np.moveaxis(half, axis, 0)
        between = 1.0 / (1.0 / half[:-1] + 1.0 / half[1:])
        faces.append(np.moveaxis(np.concatenate([half[:1], between, half[-1:]]), 0, axis))
    return Transmissibilities(tuple(faces))


def _place(side: str) -> tuple[int, int]:
    """Return the axis of a side and the index of its cells along it."""
    return "xyz".index(side[0]), 0 if side[1] == "-" else -1


def _check_closed(columns: np.ndarray) -> None:
    total, size = np.abs(columns.sum(axis=0)), np.abs(columns).sum(axis=0)
    if (total > CLOSED_TOLERANCE * size).any():
        raise IncompatibleRightHandSideError(
            f"the sources of a closed box sum to {total.max():g}, expected 0; hold the pressure on a side."
        )
