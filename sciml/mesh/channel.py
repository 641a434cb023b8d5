"""Triangle meshes of a channel around an obstacle, graded by the distance from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sciml.checks import number, positive
from sciml.errors import InputError
from sciml.mesh.force_equilibrium import force_equilibrium, least_angles
from sciml.mesh.groups import Group
from sciml.mesh.mesh import Mesh
from sciml.mesh.obstacles import Circle, Obstacle

DEFAULT = Circle((0.2, 0.2), 0.05)
ACROSS = 4  # sizes that a gap has at least
PART = 50  # of the height, the size at the obstacle where none is given
STEEPEST = 0.3  # growth of the size per distance
FAR = 4.0  # size far from the obstacle over that at it, where none is given
CLEARANCE = 0.35  # of the size, by which inner nodes are kept away from the boundary
BEGINNING = 0.6  # of the size, the distance from the boundary at which inner nodes start
SLIVER = 15.0  # degrees; no mesh has a smaller angle
LARGEST = 5_000_000  # cells of the lattice on which the size is kept


def make_channel(
    obstacle: Obstacle = DEFAULT,
    length: float = 2.2,
    height: float = 0.41,
    size: float | None = None,
    far_size: float | None = None,
    growth: float = 0.1,
) -> Mesh:
    """Return a triangle mesh of the channel [0, length] x [0, height] around an obstacle.

    Edges are as long as h = min(far_size, size + growth d) at a distance d from the obstacle. Boundary nodes lie
    exactly on the obstacle and on the sides. Boundary groups: "inlet" (x = 0), "outlet" (x = length), "wall" (both of
    them) and "obstacle". The mesh is a function of its arguments. The defaults are the channel of Schäfer and Turek.

    Parameters
    ----------
    obstacle : `sciml.mesh.obstacles.Circle`, `Ellipse` or `Polygon`
    length, height : of the channel, in m
    size : of edges at the obstacle; a 50th of the height unless given
    far_size : of the longest edges; four times ``size`` unless given, and a quarter of the height at most
    growth : of the size per distance from the obstacle, up to 0.3

    Raises
    ------
    InputError
        For an obstacle that is not inside the channel, a gap of less than four sizes between it and a side, a size
        that is too coarse for the obstacle or the channel, or arguments out of their ranges.

    References
    ----------
    Persson and Strang, A simple mesh generator in MATLAB, SIAM Review 46 (2004); Schäfer and Turek, Benchmark
    computations of laminar flow around a cylinder, 1996.

    Examples
    --------
    >>> mesh = make_channel(Circle((0.4, 0.2), 0.05), length=1.0, size=0.02)
    >>> mesh.dim, list(mesh.cells), sorted(mesh.groups)
    (2, ['triangle'], ['inlet', 'obstacle', 'outlet', 'wall'])
    """
    length, height = positive("the length of a channel", length), positive("its height", height)
    widest, remedy = height / ACROSS, "at least four edges go across a channel"
    size = height / PART if size is None else number("the size", size, above=0, at_most=widest, remedy=remedy)
    far_size = min(FAR * size, widest) if far_size is None else far_size
    number("the far size", far_size, at_least=size, at_most=widest, remedy=remedy)
    number("the growth", growth, at_least=0, at_most=STEEPEST)
    if length * height > LARGEST * size**2:
        raise InputError(
            f"a size of {size:.3g} is too fine for a channel of {length:.3g} by {height:.3g}; take one of at least "
            f"{np.sqrt(length * height / LARGEST):.2g}."
        )
    _check_gaps(obstacle, length, height, size)
    domain = _Domain(obstacle, length, height, size, far_size, growth)
    found = force_equilibrium(domain.boundary, domain.start(), domain.size, domain.confine)
    triangles = domain.trimmed(found.points, found.triangles)
    return _mesh(domain, found.points, triangles)


def _check_gaps(obstacle: Obstacle, length: float, height: float, size: float) -> None:
    """Refuse an obstacle that is not inside the channel, or so near to a side that few cells would go between."""
    (left, below), (right, above) = obstacle.bounds
    gaps = {"inlet": left, "outlet": length - right, "lower wall": below, "upper wall": height - above}
    side, gap = min(gaps.items(), key=lambda each: each[1])
    if gap <= 0:
        raise InputError(
            f"the obstacle reaches x from {left:.3g} to {right:.3g} and y from {below:.3g} to {above:.3g}, expected a "
            f"place inside the channel of {length:.3g} by {height:.3g}; move it or make it smaller."
        )
    if gap < ACROSS * size:
        raise InputError(
            f"the gap between obstacle and {side} is {gap:.3g}, expected at least {ACROSS} times the size of "
            f"{size:.3g}; take a size of at most {gap / ACROSS:.2g}, or move the obstacle."
        )


@dataclass(frozen=True)
class _Domain:
    """The channel without its obstacle: the size and the distance from the obstacle, on a lattice, and nodes.

    Parameters
    ----------
    body : the obstacle
    length, height : of the channel
    least, most, growth : of the size, see `make_channel`
    """

    body: Obstacle
    length: float
    height: float
    least: float
    most: float
    growth: float

    @cached_property
    def obstacle(self) -> np.ndarray:
        """Return the nodes on the obstacle, counter-clockwise."""
        return self.body.nodes(self.least)

    @cached_property
    def _spacing(self) -> np.ndarray:
        sides = np.array([self.length, self.height])
        return sides / np.ceil(sides / self.least)

    @cached_property
    def _distances(self) -> np.ndarray:
        """Return the distance from the obstacle on the lattice, negative inside."""
        from scipy.spatial import KDTree

        counts = np.rint(np.array([self.length, self.height]) / self._spacing).astype(int) + 1
        axes = [step * np.arange(count) for step, count in zip(self._spacing, counts, strict=True)]
        lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        sides = np.roll(self.obstacle, -1, axis=0) - self.obstacle
        pieces = self.obstacle[:, None] + sides[:, None] * np.linspace(0.0, 1.0, 8, endpoint=False)[:, None]
        distances = KDTree(pieces.reshape(-1, 2)).query(lattice)[0]
        near = ((lattice >= self.obstacle.min(axis=0)) & (lattice <= self.obstacle.max(axis=0))).all(axis=1)
        near[near] = self.body.signed_distance(lattice[near]) < 0
        return np.where(near, -distances, distances).reshape(counts)

    @cached_property
    def _sizes(self) -> np.ndarray:
        return np.minimum(self.most, self.least + self.growth * np.maximum(self._distances, 0.0))

    @cached_property
    def _directions(self) -> tuple[np.ndarray, ...]:
        return tuple(np.gradient(self._distances, *self._spacing))

    def _at(self, values: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return values on the lattice at points in the channel, bilinear."""
        index = points / self._spacing
        i, j = np.clip(index.astype(int), 0, np.array(values.shape) - 2).T
        s, t = index[:, 0] - i, index[:, 1] - j
        low = (1.0 - t) * values[i, j] + t * values[i, j + 1]
        return (1.0 - s) * low + s * ((1.0 - t) * values[i + 1, j] + t * values[i + 1, j + 1])

    def size(self, points: np.ndarray) -> np.ndarray:
        """Return the wanted length of edges at points, (points,)."""
        return self._at(self._sizes, points)

    def confine(self, points: np.ndarray) -> np.ndarray:
        """Return points, of which those too near to the boundary are moved away from it."""
        clearance = CLEARANCE * self.size(np.clip(points, 0.0, (self.length, self.height)))
        points = np.clip(points, clearance[:, None], np.array([self.length, self.height]) - clearance[:, None])
        short = clearance - self._at(self._distances, points)
        close = short > 0
        outwards = np.column_stack([self._at(each, points[close]) for each in self._directions])
        points[close] += short[close, None] * outwards / np.maximum(np.hypot(*outwards.T), 1e-3)[:, None]
        return points

    @cached_property
    def boundary(self) -> np.ndarray:
        """Nodes on the sides, counter-clockwise from the lower left corner, and then on the obstacle."""
        x, y = self.length, self.height
        corners = np.array([(0.0, 0.0), (x, 0.0), (x, y), (0.0, y)])
        sides = [self._side(start, end) for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
        return np.concatenate([*sides, self.obstacle])

    def _side(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return nodes from one corner to before the next, with distances in proportion to the size."""
        part = np.linspace(0.0, 1.0, 2001)
        density = 1.0 / self.size(start + (end - start) * part[:, None])
        edges = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        edges *= np.abs(end - start).sum() / 2000
        count = max(round(edges[-1]), 2)
        where = np.interp(edges[-1] * np.arange(count) / count, edges, part)
        return start + (end - start) * where[:, None]

    def start(self) -> np.ndarray:
        """Return nodes of a lattice of equilateral triangles, thinned at random to the density of the size."""
        rise = self.least * np.sqrt(3.0) / 2
        x, y = np.meshgrid(np.arange(0.0, self.length, self.least), np.arange(rise / 2, self.height, rise))
        x[1::2] += self.least / 2
        points = np.column_stack([x.ravel(), y.ravel()])
        points = points[points[:, 0] < self.length]
        sizes = self.size(points)
        clear = np.minimum(points, np.array([self.length, self.height]) - points).min(axis=1)
        clear = np.minimum(clear, self._at(self._distances, points))
        kept = np.random.default_rng(0).random(len(points)) < (self.least / sizes) ** 2
        return points[kept & (clear > BEGINNING * sizes)]

    def trimmed(self, points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        """Return the triangles that are not inside the obstacle; only those of boundary nodes alone can be."""
        alone = (triangles < len(self.boundary)).all(axis=1)
        alone[alone] = self.body.signed_distance(points[triangles[alone]].mean(axis=1)) < 0
        return triangles[~alone]


def _mesh(domain: _Domain, points: np.ndarray, triangles: np.ndarray) -> Mesh:
    """Return the mesh with its boundary groups, or refuse one that does not conform to the boundary."""
    mesh = Mesh(points, {"triangle": triangles})
    facets = mesh.boundary().cells["line"]
    count, sides = len(domain.boundary), len(domain.boundary) - len(domain.obstacle)
    loops = [np.arange(sides), np.arange(sides, count)]
    wanted = np.concatenate([np.column_stack([loop, np.roll(loop, -1)]) for loop in loops])
    conforms = {frozenset(edge) for edge in facets.tolist()} == {frozenset(edge) for edge in wanted.tolist()}
    least = float(least_angles(points, triangles).min())
    if not conforms or least < SLIVER:
        found = f"angles of {least:.3g} degrees" if conforms else "edges that cross the boundary"
        raise InputError(
            f"a size of {domain.least:.3g} is too coarse for this obstacle: the triangles would have {found}; take a "
            "smaller one, and no acute angles of the fluid."
        )
    x, y = points[facets, 0], points[facets, 1]
    ends = {
        "inlet": (x == 0.0).all(axis=1),
        "outlet": (x == domain.length).all(axis=1),
        "wall": ((y == 0.0) | (y == domain.height)).all(axis=1),
        "obstacle": (facets >= sides).all(axis=1),
    }
    return Mesh(points, mesh.cells, {name: Group(1, facets=facets[chosen]) for name, chosen in ends.items()})
