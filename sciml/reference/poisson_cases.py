"""Poisson systems on voxels: a box, obstacles, free surfaces, thin walls, jumping coefficients, closed components.

Every geometry lives in the unit box of ``size`` cells per axis and depends on (name, size, seed, dimension) alone.
Cell codes are 0 fluid, 1 Dirichlet (p = 0 at the centre), 2 solid; a side of the box is closed ("neumann") or a layer
of ghost cells at p = 0 ("dirichlet").

The classes follow Kaneda et al., A deep conjugate direction method for iteratively solving linear systems, ICML 2023
(smoke), and Lan et al., A neural-preconditioned Poisson solver for mixed Dirichlet and Neumann boundary conditions,
ICML 2024 (mixed); walls and jumps are harder than those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sciml.checks import choice, whole_number
from sciml.errors import InputError

FLUID, DIRICHLET, SOLID = 0, 1, 2
SMALLEST_SIZE = 12
MOST_CELLS = 2**30  # in all, 1024 along each of three axes
CONTRAST = 1000.0
WALLS = 5
RIGHT_HAND_SIDES = ("white", "smooth")
CASES = {
    "box": "all fluid, p = 0 around it",
    "smoke": "closed box with an open top and a spherical obstacle",
    "mixed": "closed box with 12 spherical obstacles, a wavy free surface and three bubbles at p = 0",
    "walls": "five thin walls with gaps at alternating ends, open top",
    "jumps": "mixed, with a coefficient that jumps by 1000 between random blobs",
    "blocks": "box, with a coefficient of 1 or 10,000 at random in blocks of 2 cells",
    "lognormal": "box, with a coefficient exp(2 g), g standard normal in every cell",
    "closed": "two closed chambers and 12 spherical obstacles: singular",
    "spheres": "the box, with 12 spherical obstacles in it",
}


@dataclass(frozen=True)
class PoissonCase:
    """One Poisson system without its right-hand side; :meth:`right_hand_side` makes some.

    Attributes
    ----------
    name, seed : which case it is
    cells : uint8, shape (size,) * dimension; 0 fluid, 1 Dirichlet, 2 solid. A fluid cell without any neighbour to
        exchange with is not an unknown and counts as solid.
    coefficient : float64, shape of ``cells``, > 0; None stands for 1
    outside : the kind of each side of the box that is not ``"neumann"``: ``{"y+": "dirichlet"}``
    """

    name: str
    seed: int
    cells: np.ndarray
    coefficient: np.ndarray | None
    outside: dict[str, str]

    @property
    def fluid(self) -> np.ndarray:
        """The mask of the fluid cells, which are the unknowns."""
        return self.cells == FLUID

    def right_hand_side(self, kind: str = "white", seed: int = 1) -> np.ndarray:
        """Return a right-hand side of the shape of ``cells``, 0 off the fluid, of zero sum on every closed component.

        Parameters
        ----------
        kind : ``"white"``: independent standard normal values, which hold all frequencies; ``"smooth"``: a source
            exp(-60 |x - x_0|^2) low in the box, such as a plume
        seed : of the white noise
        """
        choice("the right-hand side", kind, RIGHT_HAND_SIDES)
        shape = self.cells.shape
        if kind == "white":
            b = np.random.default_rng(seed).standard_normal(shape)
        else:
            b = np.exp(-60.0 * _squared_distance(_centres(shape[0], len(shape)), (0.5, 0.15, 0.5)))
        return self.compatible(np.where(self.fluid, b, 0.0))

    def compatible(self, b: np.ndarray) -> np.ndarray:
        """Return ``b`` less its mean over each closed component, the nearest right-hand side that has a solution."""
        result = b.copy()
        for cells in closed_components(self.cells, self.outside):
            result[cells] -= result[cells].mean()
        return result


def poisson_case(name: str, size: int, seed: int = 0, dimension: int = 3) -> PoissonCase:
    """Return one of the geometries of :data:`CASES` as a Poisson case.

    Parameters
    ----------
    name : key of :data:`CASES`
    size : cells per axis, at least 12
    seed : of the random geometry and coefficient; box, smoke and walls do not depend on it
    dimension : 2 or 3
    """
    choice("the Poisson case", name, CASES)
    whole_number("the number of cells per axis", size, at_least=SMALLEST_SIZE)
    choice("the dimension", dimension, (2, 3))
    if size**dimension > MOST_CELLS:
        raise InputError(
            f"a case of {size} cells along {dimension} axes is too large, expected at most {MOST_CELLS:,}."
        )
    cells, outside = _MAKERS[name](size, seed, dimension)
    cells[_isolated(cells, outside)] = SOLID
    coefficient = (
        _COEFFICIENTS[name](size, dimension, np.random.default_rng(seed + 1)) if name in _COEFFICIENTS else None
    )
    return PoissonCase(name, seed, cells, coefficient, outside)


def closed_components(cells: np.ndarray, outside: dict[str, str]) -> list[tuple[np.ndarray, ...]]:
    """Return the indices of the cells of every connected fluid component without a Dirichlet cell or side."""
    from scipy import ndimage

    labels, count = ndimage.label(cells == FLUID)
    is_open = np.zeros(count + 1, bool)
    is_open[np.unique(labels[_dirichlet_neighbours(cells, outside)])] = True
    return [np.nonzero(labels == label) for label in range(1, count + 1) if not is_open[label]]


# --------------------------------------------------------------------------------------------------------- geometries

Centres = tuple[np.ndarray, ...]
Geometry = tuple[np.ndarray, dict[str, str]]


def _box(size: int, seed: int, dimension: int) -> Geometry:
    sides = [axis + end for axis in "xyz"[:dimension] for end in "-+"]
    return np.full((size,) * dimension, FLUID, np.uint8), dict.fromkeys(sides, "dirichlet")


def _smoke(size: int, seed: int, dimension: int) -> Geometry:
    cells = np.full((size,) * dimension, FLUID, np.uint8)
    cells[_squared_distance(_centres(size, dimension), (0.5, 0.4, 0.5)) < 0.15**2] = SOLID
    return cells, {"y+": "dirichlet"}


def _mixed(size: int, seed: int, dimension: int) -> Geometry:
    random = np.random.default_rng(seed)
    centres = _centres(size, dimension)
    cells = _obstacles(centres, random)
    amplitude, waves, phase = random.uniform(0.05, 0.1), random.uniform(1, 3), random.uniform(0, 6)
    surface = 0.75 + amplitude * np.sin(2 * np.pi * waves * centres[0] + phase) * (
        np.cos(2 * np.pi * centres[2]) if dimension == 3 else 1.0
    )
    cells[(cells == FLUID) & (centres[1] > surface)] = DIRICHLET
    for _ in range(3):
        centre, radius = random.uniform(0.15, 0.6, dimension), random.uniform(0.03, 0.08)
        cells[(_squared_distance(centres, centre) < radius**2) & (cells == FLUID)] = DIRICHLET
    return cells, {}


def _walls(size: int, seed: int, dimension: int) -> Geometry:
    cells = np.full((size,) * dimension, FLUID, np.uint8)
    thickness = max(1, size // 64)
    for number in range(1, WALLS + 1):
        start = int(number * size / (WALLS + 1)) - 1
        extent = slice(0, int(size * 0.8) - 1) if number % 2 else slice(int(size * 0.2) - 1, size)
        # The gap is at alternating ends of the last axis; in the plane that is the open one.
        cells[start : start + thickness, ..., extent] = SOLID
    return cells, {"y+": "dirichlet"}


def _closed(size: int, seed: int, dimension: int) -> Geometry:
    cells = _obstacles(_centres(size, dimension), np.random.default_rng(seed))
    wall = size // 3
    cells[wall : wall + max(1, size // 64)] = SOLID
    return cells, {}


def _spheres(size: int, seed: int, dimension: int) -> Geometry:
    _, outside = _box(size, seed, dimension)
    return _obstacles(_centres(size, dimension), np.random.default_rng(seed)), outside


_MAKERS: dict[str, Callable[[int, int, int], Geometry]] = {
    "box": _box,
    "smoke": _smoke,
    "mixed": _mixed,
    "walls": _walls,
    "jumps": _mixed,
    "blocks": _box,
    "lognormal": _box,
    "closed": _closed,
    "spheres": _spheres,
}


def _obstacles(centres: Centres, random: np.random.Generator) -> np.ndarray:
    """Return fluid cells with 12 solid spheres."""
    cells = np.full(np.broadcast_shapes(*(c.shape for c in centres)), FLUID, np.uint8)
    for _ in range(12):
        centre, radius = random.uniform(0.1, 0.9, len(centres)), random.uniform(0.04, 0.14)
        cells[_squared_distance(centres, centre) < radius * radius] = SOLID
    return cells


def jumping_coefficient(
    size: int, dimension: int, random: np.random.Generator, correlation: float, contrast: float = CONTRAST
) -> np.ndarray:
    """Return ``contrast`` where smoothed white noise exceeds 0.3 deviations, 1 elsewhere; shape (size,) * dimension.

    Parameters
    ----------
    size, dimension : of the grid
    random : where the noise comes from
    correlation : width of the smoothing, in cells
    contrast : > 0
    """
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(random.standard_normal((size + 2,) * dimension), correlation)
    field = (field - field.mean()) / field.std()
    return np.where(field > 0.3, contrast, 1.0)[(slice(1, -1),) * dimension].copy()


def block_coefficient(
    size: int, dimension: int, random: np.random.Generator, width: int, contrast: float
) -> np.ndarray:
    """Return 1 or ``contrast``, equally likely, in blocks of ``width`` cells; shape (size,) * dimension."""
    blocks = random.choice([1.0, contrast], (size // width + 1,) * dimension)
    for axis in range(dimension):
        blocks = np.repeat(blocks, width, axis=axis)
    return blocks[(slice(size),) * dimension].copy()


def lognormal_coefficient(size: int, dimension: int, random: np.random.Generator, deviation: float) -> np.ndarray:
    """Return exp(deviation g), g standard normal and independent for each cell; shape (size,) * dimension."""
    return np.exp(deviation * random.standard_normal((size,) * dimension))


_COEFFICIENTS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "jumps": lambda size, dimension, random: jumping_coefficient(size, dimension, random, size / 16),
    "blocks": lambda size, dimension, random: block_coefficient(size, dimension, random, 2, 10_000.0),
    "lognormal": lambda size, dimension, random: lognormal_coefficient(size, dimension, random, 2.0),
}


def _centres(size: int, dimension: int) -> Centres:
    """Return the coordinates of the cell centres, one array per axis that broadcasts to the grid."""
    centres = (np.arange(size) + 0.5) / size
    return tuple(np.meshgrid(*(centres,) * dimension, indexing="ij", sparse=True))


def _squared_distance(centres: Centres, point: np.ndarray | tuple[float, ...]) -> np.ndarray:
    return sum((axis - at) ** 2 for axis, at in zip(centres, point, strict=False))


def _dirichlet_neighbours(cells: np.ndarray, outside: dict[str, str]) -> np.ndarray:
    """Return the mask of the fluid cells beside a Dirichlet cell or side."""
    return (cells == FLUID) & _beside(cells == DIRICHLET, outside)


def _isolated(cells: np.ndarray, outside: dict[str, str]) -> np.ndarray:
    """Return the mask of the fluid cells whose neighbours are all solid."""
    return (cells == FLUID) & ~_beside(cells != SOLID, outside)


def _beside(mask: np.ndarray, outside: dict[str, str]) -> np.ndarray:
    """Return the mask of the cells beside a cell of the mask, or beside a Dirichlet side of the box."""
    result = np.zeros(mask.shape, bool)
    for axis, letter in enumerate("xyz"[: mask.ndim]):
        along, source = np.moveaxis(result, axis, 0), np.moveaxis(mask, axis, 0)
        along[:-1] |= source[1:]
        along[1:] |= source[:-1]
        along[0] |= outside.get(f"{letter}-") == "dirichlet"
        along[-1] |= outside.get(f"{letter}+") == "dirichlet"
    return result
