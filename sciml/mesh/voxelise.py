"""Marking of the cells of a grid that lie inside a closed surface.

One line per column of cells runs along the first axis through the cell centres; a cell is inside when its line has
crossed the surface an odd number of times before it. Crossings are found triangle by triangle with a scan conversion
in the plane of the other two axes, so the work grows with the crossings and not with cells times triangles.

Ties need no tolerance. Each edge is tested with half-open comparisons whose operands depend on the edge alone, so the
two triangles beside it always decide oppositely, whatever the rounding: every line crosses a closed surface an even
number of times. This is the perturbation of Edelsbrunner and Mücke (ACM Transactions on Graphics 9, 1990) with the
cells shifted up by infinitesimals: a body is closed on its lower sides and open on its upper sides, and bodies that
share a face neither overlap nor leave a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sciml.checks import number
from sciml.errors import InputError
from sciml.mesh.edges import components
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CHUNK = 1 << 18  # triangles at a time: bounds the memory of surfaces with millions of triangles
_IGNORED_CELLS = frozenset({"vertex", "line", "line3"})  # gmsh files carry them beside the surface


def voxelise(
    surface: Mesh,
    grid: Grid,
    *,
    rule: Literal["parity", "union"] = "parity",
    close_holes: bool = False,
    keep_thin: bool = False,
    merge_tolerance: float = 1e-6,
) -> Bools:
    """Return True for each place of the grid that lies inside the surface.

    Parameters
    ----------
    surface : Mesh
        Triangles and quadrilaterals in three dimensions (a quadrilateral is split along its first diagonal). The order
        of the vertices of a triangle does not matter, and triangles that touch need not share vertex numbers (STL).
    grid : Grid
        Three-dimensional; its places are the centres of the cells, or its vertices if it is vertex centred.
    rule : "parity" or "union"
        ``parity``: a closed surface inside another one is a cavity, and where two overlap is outside. ``union``: each
        connected piece is a solid body of its own and bodies may overlap (assemblies from a modelling program).
    close_holes : bool
        Close each hole with a cone of triangles from the mean of its rim (exact for flat holes) instead of refusing.
    keep_thin : bool
        Also mark the cells that the surface itself passes through (it crosses one of the three lines through the cell
        centre within the cell), so that sheets thinner than a cell stay tight walls. Bodies grow by up to half a cell.
    merge_tolerance : float
        If vertices merged by equal coordinates leave the surface open, those nearer than this fraction of the diagonal
        of the bounding box are merged too.

    Returns
    -------
    ndarray of bool, shape ``grid.shape``

    Raises
    ------
    InputError
        The surface is not closed: an edge belongs to an odd number of triangles.
    """
    if rule not in ("parity", "union"):
        raise InputError(f"The rule of voxelise is wrong: got {rule!r}, expected 'parity' or 'union'.")
    if len(grid.shape) != 3:
        raise InputError(f"A surface needs a grid of three dimensions: got the shape {tuple(grid.shape)}.")
    points, triangles = _closed_triangles(surface, merge_tolerance, close_holes)
    bodies = [triangles] if rule == "parity" else _pieces(len(points), triangles)
    inside = _touched(points, triangles, grid) if keep_thin else np.zeros(grid.shape, dtype=bool)
    for body in bodies:
        inside |= _inside(points, body, grid.axes())
    return inside


def fit_into_box(surface: Mesh, lower: Sequence[float], upper: Sequence[float], fill: float = 0.5) -> Mesh:
    """Move a surface to the middle of a box and scale it by one factor until it takes ``fill`` of a side.

    Parameters
    ----------
    surface : Mesh
    lower, upper : three floats each, in the unit of the surface's points
        Opposite corners of the box.
    fill : float, 0 < fill <= 1
        The largest of (extent of the surface) / (side of the box) over the axes, afterwards.
    """
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    dim = surface.points.shape[1]
    if low.shape != (dim,) or high.shape != (dim,) or not np.all(high > low):
        raise InputError(f"The box is wrong: got corners {low.tolist()} and {high.tolist()}, expected lower < upper.")
    number("the fill of the box", fill, above=0, at_most=1)
    least, most = surface.points.min(axis=0), surface.points.max(axis=0)
    largest = float(np.max((most - least) / (high - low)))
    if not largest > 0.0:
        raise InputError("The surface has no extent: all its points are equal; check the file it came from.")
    points = 0.5 * (low + high) + (fill / largest) * (surface.points - 0.5 * (least + most))
    return replace(surface, points=points)


def _closed_triangles(surface: Mesh, tolerance: float, close_holes: bool) -> tuple[Floats, Indices]:
    """Merge equal vertices, drop collapsed triangles, and see that each edge has an even number of triangles.

    Even rather than exactly two, because parity needs no more: two boxes that touch along an edge are a sound surface.
    """
    if not (np.isfinite(tolerance) and tolerance >= 0.0):
        raise InputError(f"The merge tolerance is wrong: got {tolerance!r}, expected a finite number >= 0.")
    corners = _split_into_triangles(surface)
    points, number = np.unique(surface.points, axis=0, return_inverse=True)
    triangles = _drop_collapsed(number.reshape(-1)[corners])
    open_edges, edges = _odd_edges(triangles, len(points))
    if len(open_edges) and tolerance > 0.0:
        number = _merge_close(points, tolerance)
        triangles = _drop_collapsed(number[triangles])
        open_edges, edges = _odd_edges(triangles, len(points))
    if len(triangles) == 0:
        raise InputError("The surface is empty: every triangle is degenerate; check the file and its unit of length.")
    if len(open_edges) and not close_holes:
        where = ", ".join(f"{value:.4g}" for value in points[open_edges[0]].mean(axis=0))
        raise InputError(
            f"The surface is not closed: got {len(open_edges)} of {edges} edges with an odd number of triangles "
            f"(the first near ({where})), expected 0; close the holes in a mesh tool or ask for close_holes."
        )
    if len(open_edges):
        points, triangles = _cap_holes(points, triangles, open_edges)
    return points, triangles


def _split_into_triangles(surface: Mesh) -> Indices:
    if surface.points.shape[1] != 3:
        raise InputError(f"A surface needs points in three dimensions: got {surface.points.shape[1]}.")
    blocks: list[Indices] = []
    for kind, cells in surface.cells.items():
        if kind == "triangle":
            blocks.append(cells)
        elif kind == "quad":
            blocks += [cells[:, [0, 1, 2]], cells[:, [0, 2, 3]]]
        elif kind not in _IGNORED_CELLS:
            raise InputError(f"The mesh is not a surface of triangles and quads: got cells of type {kind!r}.")
    if not sum(map(len, blocks)):
        raise InputError("The mesh is not a surface: got no cells of type 'triangle' or 'quad'.")
    return np.concatenate(blocks).astype(np.int64, copy=False)


def _drop_collapsed(triangles: Indices) -> Indices:
    """Drop triangles that name a vertex twice.

    Three distinct vertices on one line stay: such slivers close the surface and cover no scan line.
    """
    a, b, c = triangles.T
    return triangles[(a != b) & (b != c) & (c != a)]


def _odd_edges(triangles: Indices, count: int) -> tuple[Indices, int]:
    """Return the edges, shape (m, 2), that an odd number of triangles share, and the number of all edges."""
    pairs = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    keys, sharing = np.unique(pairs[:, 0] * count + pairs[:, 1], return_counts=True)
    odd = keys[sharing % 2 == 1]
    return np.stack([odd // count, odd % count], axis=1), len(keys)


def _merge_close(points: Floats, tolerance: float) -> Indices:
    """Number the points so that those within ``tolerance`` diagonals (and chains of them) share their lowest number."""
    from scipy.spatial import cKDTree

    radius = tolerance * float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    pairs = cKDTree(points).query_pairs(radius, output_type="ndarray")
    label = components(pairs, len(points))
    _, lowest = np.unique(label, return_index=True)
    return lowest[label]


def _cap_holes(points: Floats, triangles: Indices, rim: Indices) -> tuple[Floats, Indices]:
    """Add, for each connected part of the rim, the cone from the mean of its vertices.

    The rim is a cycle modulo two (each vertex has an even number of rim edges), hence so closed is the sum.
    """
    label = components(rim, len(points))[rim[:, 0]]
    holes, hole = np.unique(label, return_inverse=True)
    middle = points[rim].mean(axis=1)
    apexes = np.stack([middle[hole == number].mean(axis=0) for number in range(len(holes))])
    cone = np.column_stack([rim, len(points) + hole])
    return np.concatenate([points, apexes]), np.concatenate([triangles, cone])


def _pieces(count: int, triangles: Indices) -> Iterator[Indices]:
    """Yield the triangles of each connected piece."""
    label = components(triangles[:, [0, 1, 1, 2]].reshape(-1, 2), count)[triangles[:, 0]]
    order = np.argsort(label, kind="stable")
    yield from np.split(triangles[order], np.flatnonzero(np.diff(label[order])) + 1)


def _inside(points: Floats, triangles: Indices, axes: Sequence[Floats]) -> Bools:
    """Parity of the crossings up to each place, shape (nx, ny, nz)."""
    flips = np.zeros(tuple(len(axis) for axis in axes), dtype=np.uint8)
    flat, (nx, ny, nz) = flips.reshape(-1), flips.shape
    for x, j, k in _crossings(points, triangles, axes):
        i = np.searchsorted(axes[0], x)
        hit = i < nx
        np.bitwise_xor.at(flat, ((i * ny + j) * nz + k)[hit], np.uint8(1))
    np.bitwise_xor.accumulate(flips, axis=0, out=flips)
    return flips.view(np.bool_)


def _touched(points: Floats, triangles: Indices, grid: Grid) -> Bools:
    """Places whose cell has the surface crossing one of its three midlines.

    No path through faces of unmarked cells crosses the surface (Cohen-Or and Kaufman, Graphical Models and Image
    Processing 57, 1995: the 6-separating cover).
    """
    touched = np.zeros(grid.shape, dtype=bool)
    for axis in range(3):
        turn = [axis, (axis + 1) % 3, (axis + 2) % 3]
        view, axes = touched.transpose(turn), [grid.axes()[t] for t in turn]
        for x, j, k in _crossings(points[:, turn], triangles, axes):
            i = np.floor((x - axes[0][0]) / grid.spacing[axis] + 0.5).astype(np.int64)
            hit = (i >= 0) & (i < view.shape[0])
            view[i[hit], j[hit], k[hit]] = True
    return touched


def _crossings(points: Floats, triangles: Indices, axes: Sequence[Floats]) -> Iterator[tuple[Floats, Indices, Indices]]:
    """Yield, in chunks, where the lines (y_j, z_k) along x cross triangles: arrays x, j, k."""
    for start in range(0, len(triangles), _CHUNK):
        yield _chunk_crossings(points, triangles[start : start + _CHUNK], axes[1], axes[2])


def _chunk_crossings(points: Floats, triangles: Indices, y: Floats, z: Floats) -> tuple[Floats, Indices, Indices]:
    # Vertices by ascending y. Each scan line y_j with y_0 <= y_j < y_2 meets the long edge 0-2 and one of 0-1 and 1-2.
    order = np.argsort(points[triangles, 1], axis=1, kind="stable")
    corner = np.take_along_axis(triangles, order, axis=1)
    first, last = (np.searchsorted(y, points[corner[:, side], 1]) for side in (0, 2))
    owner, j = _ranges(first, last)
    corner, level = corner[owner], y[j]
    upper = (level >= points[corner[:, 1], 1]).astype(np.int64)
    rows = np.arange(len(owner))
    x_long, z_long = _cut(points, corner[:, 0], corner[:, 2], level)
    x_short, z_short = _cut(points, corner[rows, upper], corner[rows, upper + 1], level)

    # On a scan line the triangle is the segment between its cuts; it meets the lines z_k with z_low <= z_k < z_high.
    swap = z_long > z_short
    z_low, z_high = np.where(swap, z_short, z_long), np.where(swap, z_long, z_short)
    x_low, x_high = np.where(swap, x_short, x_long), np.where(swap, x_long, x_short)
    row, k = _ranges(np.searchsorted(z, z_low), np.searchsorted(z, z_high))
    share = (z[k] - z_low[row]) / (z_high - z_low)[row]
    return x_low[row] + share * (x_high - x_low)[row], j[row], k


def _cut(points: Floats, low: Indices, high: Indices, level: Floats) -> tuple[Floats, Floats]:
    """Return x and z where the edges from ``low`` to ``high`` meet the planes y = level.

    The formula depends on the edge alone, not on its triangle, so neighbours cut their common edge at the same floats.
    """
    start, way = points[low], points[high] - points[low]
    share = (level - start[:, 1]) / way[:, 1]
    return start[:, 0] + share * way[:, 0], start[:, 2] + share * way[:, 2]


def _ranges(first: Indices, last: Indices) -> tuple[Indices, Indices]:
    """Expand the half-open ranges first[r] <= value < last[r] to the pairs (r, value)."""
    length = np.maximum(last - first, 0)
    owner = np.repeat(np.arange(len(length)), length)
    offset = np.cumsum(length) - length
    return owner, np.arange(len(owner)) + (first - offset)[owner]
