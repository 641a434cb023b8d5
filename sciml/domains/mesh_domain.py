"""The domain `MeshDomain`, filled by the lines, triangles or tetrahedra of a mesh, and random points in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from sciml.domains.cell_search import CellSearch
from sciml.domains.strata import BoundaryPoints, check_draw, descend, levels, locate, positions, uniform
from sciml.errors import InputError
from sciml.mesh.groups import Group
from sciml.mesh.mesh import Mesh
from sciml.mesh.shapes import signed_measures, simplex_measures

KINDS = ("uniform", "stratified")
_SIMPLEX = {"line": 1, "triangle": 2, "tetra": 3}
# The corners of the children of a simplex, each the middle of two corners of their parent. The order of the nodes in
# the children of a tetrahedron keeps their shapes from degenerating, however often they are cut (Bey 1995).
_CHILDREN = {
    0: (),
    1: ("00 01", "01 11"),
    2: ("00 01 02", "01 11 12", "02 12 22", "01 12 02"),
    3: (
        *("00 01 02 03", "01 11 12 13", "02 12 22 23", "03 13 23 33"),
        *("01 02 03 13", "01 02 12 13", "02 03 13 23", "02 12 13 23"),
    ),
}


class MeshDomain:
    """The domain that the cells of a mesh fill: lines, triangles or tetrahedra, also as a surface in space.

    "Stratified" points lie one in each part of a partition into parts of equal measure: the cells, ordered along a
    Z-order curve of their centres, are cut like an interval, and a part of a cell is one of its children by halving
    the edges. So the parts are compact, whether there are more points or more cells.

    Parameters
    ----------
    mesh : a `Mesh`, the path of a mesh file, or one of `sciml.mesh.make.MESH_NAMES` such as "disk"
    refinements : of a named shape; each halves the cells

    Raises
    ------
    InputError : other cells than lines, triangles and tetrahedra, or cells that overlap
    MeshFileError : a file that cannot be read

    References
    ----------
    K. Basu and A. B. Owen, Low discrepancy constructions in the triangle, SIAM Journal on Numerical Analysis 53 (2015):
    points by the digits of their number. J. Bey, Tetrahedral grid refinement, Computing 55 (1995): the children.

    Examples
    --------
    >>> MeshDomain("l_shape", 2).measure
    3.0
    """

    def __init__(self, mesh: str | Mesh, refinements: int = 3) -> None:
        self.mesh = _as_mesh(mesh, refinements)
        kinds = list(self.mesh.cells)
        top = [name for name in kinds if _SIMPLEX.get(name) == self.mesh.topological_dim]
        others = [name for name, _, _ in self.mesh.blocks() if name not in _SIMPLEX and name != "vertex"]
        if len(top) != 1 or others:
            raise InputError(
                f"points are drawn from lines, triangles or tetrahedra, the mesh has {', '.join(kinds) or 'no cells'}; "
                "split its cells into triangle or tetra."
            )
        self._cells = self.mesh.cells[top[0]]
        if not len(self._cells):
            raise InputError(f"points are drawn from cells, and the mesh has none of type {top[0]}.")
        start = next(where.start for name, _, where in self.mesh.blocks() if name == top[0])
        corners = self.mesh.points[self._cells]
        self._facets = _Facets.of(self._cells)
        if self.mesh.topological_dim == self.mesh.dim:
            self._facets.check_sides(top[0], corners, start)
        self._interior = _Simplices(corners)
        self._boundaries: dict[str | None, tuple[_Simplices, torch.Tensor]] = {}

    @property
    def dim(self) -> int:
        """Dimension of the space, the number of coordinates of a point."""
        return self.mesh.dim

    @property
    def measure(self) -> float:
        """The length, area or volume of the cells."""
        return float(self._interior.measures.sum())

    @property
    def has_boundary(self) -> bool:
        """True if the domain has a boundary, as every mesh has."""
        return True

    @property
    def boundary_measure(self) -> float:
        """Length or area of the boundary."""
        return float(self.mesh.boundary().volumes().sum())

    @property
    def vertices(self) -> torch.Tensor:
        """The points that are corners of cells, (vertices, dim) float64 on the CPU, in the order of the mesh."""
        return torch.from_numpy(self.mesh.points[np.unique(self._cells)])

    def interior(self, count: int, generator: torch.Generator, kind: str = "stratified") -> torch.Tensor:
        """Return random points, each uniform in the domain, (count, dim) float64.

        Parameters
        ----------
        count : number of points
        generator : draws the points
        kind : "uniform" independent; "stratified" one in each of ``count`` compact parts of equal measure
        """
        check_draw(count, generator, kind, KINDS)
        return self._interior.draw(count, generator, kind)[0]

    def contains(self, points: torch.Tensor, slack: float = 1e-9) -> torch.Tensor:
        """Return whether points lie in a cell, (n,) bool.

        Parameters
        ----------
        points : (n, dim)
        slack : by which points may be outside, relative to the size of a cell
        """
        found = self._search.contains(points.detach().double().cpu().numpy(), slack)
        return torch.from_numpy(found).to(points.device)

    @cached_property
    def _search(self) -> CellSearch:
        """The cells in which points are searched for; only some uses of a domain do so."""
        return CellSearch(self.mesh.points[self._cells])

    def wrap(self, points: torch.Tensor) -> torch.Tensor:
        """Return the points unchanged: points on a mesh are inside, and no mesh is periodic."""
        return points

    def boundary(self, count: int, generator: torch.Generator, group: str | None = None) -> BoundaryPoints:
        """Return random points, each uniform on the boundary, one in each of ``count`` parts of equal measure.

        Parameters
        ----------
        count : number of points
        generator : draws the points
        group : a group of facets of the mesh that lie on the boundary; None for all of it

        Raises
        ------
        InputError : a group that does not exist or is not on the boundary, or a surface without one
        """
        check_draw(count, generator, "stratified", KINDS)
        if group not in self._boundaries:
            number = self._facets.outer if group is None else self._group(group)
            if not len(number):
                what = "the mesh is closed and" if group is None else f"group {group!r}"
                raise InputError(f"{what} has no boundary to draw points on; sample the interior.")
            facets = self.mesh.points[self._facets.nodes[number]]
            outside = _outward(facets, self.mesh.points[self._facets.opposite[number]])
            simplices = _Simplices(facets)
            self._boundaries[group] = simplices, torch.from_numpy(outside[simplices.order])
        simplices, normals = self._boundaries[group]
        points, facet = simplices.draw(count, generator, "stratified")
        return BoundaryPoints(points, normals.to(points.device)[facet])

    def _group(self, name: str) -> np.ndarray:
        """Return the numbers of the facets of a group."""
        dim = self.mesh.topological_dim - 1
        usable = [key for key, group in self.mesh.groups.items() if group.dim == dim]
        if name not in usable:
            raise InputError(
                f"the mesh has no group of facets {name!r}; there "
                + (f"are {', '.join(usable)}." if usable else "are none, only the whole boundary.")
            )
        outer = {tuple(sorted(self._facets.nodes[k].tolist())): k for k in self._facets.outer}
        found = {}
        for facet in self._members(self.mesh.groups[name]):
            key = tuple(sorted(facet))
            if key not in outer:
                raise InputError(
                    f"group {name!r} has the facet {facet}, which is not on the boundary and has no outer side; "
                    "use a group of boundary facets."
                )
            found[key] = outer[key]
        return np.array(list(found.values()), np.int64)

    def _members(self, group: Group) -> list[list[int]]:
        """Return the points of each facet or cell of a group."""
        if group.facets is not None:
            return group.facets.tolist()
        members, out = group.members, []
        for _, nodes, where in self.mesh.blocks():
            out += nodes[members[(members >= where.start) & (members < where.stop)] - where.start].tolist()
        return out

    def __repr__(self) -> str:
        return f"MeshDomain({self.mesh!r})"


@dataclass(frozen=True)
class _Facets:
    """The facets of simplices, each as often as there are cells that have it.

    ``nodes`` (facets, d) and ``opposite`` (facets,) are point numbers, ``cell`` (facets,) the owners and ``local`` the
    number of the opposite corner in them; ``outer`` are the numbers of facets that occur once, and ``inner`` the runs
    of numbers that are one facet.
    """

    nodes: np.ndarray
    opposite: np.ndarray
    cell: np.ndarray
    local: np.ndarray
    outer: np.ndarray
    inner: list[np.ndarray]

    @classmethod
    def of(cls, cells: np.ndarray) -> _Facets:
        n, corners = cells.shape
        nodes = np.concatenate([np.delete(cells, k, axis=1) for k in range(corners)])
        key = np.sort(nodes, axis=1)
        order = np.lexsort(key.T)
        new = np.flatnonzero(np.r_[True, (key[order][1:] != key[order][:-1]).any(axis=1)])
        counts = np.diff(np.r_[new, len(order)])
        inner = [order[new[counts == times][:, None] + np.arange(times)] for times in np.unique(counts[counts > 1])]
        owner, local = np.tile(np.arange(n), corners), np.repeat(np.arange(corners), n)
        return cls(nodes, cells.T.ravel(), owner, local, np.sort(order[new[counts == 1]]), inner)

    def check_sides(self, kind: str, corners: np.ndarray, start: int) -> None:
        """Refuse cells that lie on the same side of a facet they share, so that they overlap.

        The orientation that a cell gives to its facet is the product of three signs: of the measure of the cell, of
        the opposite corner's number and of the permutation that sorts the nodes of the facet. Neighbours differ in it.
        """
        signed = signed_measures(kind, corners)
        side = np.sign(signed)[self.cell] * (1 - 2 * (self.local % 2))
        for i in range(self.nodes.shape[1]):
            for j in range(i):
                side = side * np.sign(self.nodes[:, i] - self.nodes[:, j])
        for run in self.inner:
            bad = np.flatnonzero((side[run].sum(axis=1) != 0) | (run.shape[1] > 2))
            if len(bad):
                owners = np.sort(self.cell[run[bad[0]]])
                names = " and ".join(
                    f"cell {start + k} ({('length', 'area', 'volume')[corners.shape[2] - 1]} {signed[k]:.3g})"
                    for k in owners
                )
                raise InputError(
                    f"{names} share a facet and lie on the same side of it, so they overlap: one is flipped or a copy. "
                    "Repair the mesh."
                )


class _Simplices:
    """Simplices to draw points from, ordered so that neighbours in the order are neighbours in space.

    Those of measure zero, which surfaces in space may have, are left out.

    Parameters
    ----------
    corners : (simplices, d + 1, dim)
    """

    def __init__(self, corners: np.ndarray) -> None:
        order = _z_order(corners.mean(axis=1))
        measures = simplex_measures(corners)[order]
        self.order, self.measures = order[measures > 0], measures[measures > 0]
        if not len(self.order):
            raise InputError("all cells of the mesh have no length or area; repair the mesh.")
        self.dim = corners.shape[1] - 1
        self._largest_share = self.measures.max() / self.measures.sum()
        self._host = (
            torch.from_numpy(self.measures),
            torch.from_numpy(corners[self.order]),
            _children(self.dim),
        )
        self._copies: dict[torch.device, tuple[torch.Tensor, ...]] = {self._host[0].device: self._host}

    def _on(self, device: torch.device) -> tuple[torch.Tensor, ...]:
        """Return measures, corners and children on a device, copied there once."""
        if device not in self._copies:
            with torch.inference_mode(mode=False):
                self._copies[device] = tuple(tensor.to(device) for tensor in self._host)
        return self._copies[device]

    def draw(self, count: int, generator: torch.Generator, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return points (count, dim) and the simplices they lie in, (count,) as numbered by ``order``."""
        measures, corners, children = self._on(generator.device)
        number, fraction = locate(positions(count, generator, kind), measures)
        x = corners[number]
        depth = levels(count, self._largest_share, len(children)) if kind == "stratified" else 0
        for _ in range(depth):
            child, fraction = descend(fraction, len(children))
            x = children[child] @ x
        point, along = x[:, 0], torch.ones_like(fraction)
        others = uniform([count, self.dim], generator)
        for k in range(self.dim):
            # the first coordinate of the simplex is the fraction itself, so that parts of a cell have their measure
            along = along * (fraction if k == 0 else others[:, k]).pow(1.0 / (self.dim - k))
            point = point + along[:, None] * (x[:, k + 1] - x[:, k])
        return point, number


def _children(dim: int) -> torch.Tensor:
    """Return the barycentric coordinates of the corners of the children of a simplex, (children, dim + 1, dim + 1)."""
    corner = torch.eye(dim + 1, dtype=torch.float64)
    rows = [[(corner[int(a)] + corner[int(b)]) / 2 for a, b in child.split()] for child in _CHILDREN[dim]]
    return torch.stack([torch.stack(row) for row in rows]) if rows else torch.empty(0, 1, 1, dtype=torch.float64)


def _z_order(x: np.ndarray) -> np.ndarray:
    """Return the order of positions (n, dim) along the Z-order curve of a cube around them."""
    bits = 20  # of each coordinate: 60 in three dimensions
    size = max(float(np.ptp(x, axis=0).max()), np.finfo(float).tiny)
    number = np.minimum((x - x.min(axis=0)) / size * 2.0**bits, 2.0**bits - 1).astype(np.int64)
    key = np.zeros(len(x), np.int64)
    for bit in range(bits):
        for axis in range(x.shape[1]):
            key |= ((number[:, axis] >> bit) & 1) << (bit * x.shape[1] + axis)
    return np.argsort(key, kind="stable")


def _outward(facets: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """Return unit normals of facets (n, d, dim) within their cells, away from the opposite corners (n, dim).

    In the QR factorisation of the edges of the facet and of the edge away from the opposite corner, the last column
    of Q is normal to the facet.
    """
    away = facets[:, 0] - opposite
    edges = facets[:, 1:] - facets[:, :1]
    q, r = np.linalg.qr(np.concatenate([edges, away[:, None]], axis=1).transpose(0, 2, 1))
    return q[:, :, -1] * np.where(r[:, -1, -1] < 0, -1.0, 1.0)[:, None]


def _as_mesh(mesh: Any, refinements: int) -> Mesh:
    if isinstance(mesh, Mesh):
        return mesh
    if not isinstance(mesh, str | os.PathLike):
        raise InputError(f"mesh is a {type(mesh).__name__}; expected a Mesh, the path of a mesh file or a name.")
    from sciml.mesh.files import READ, read_mesh
    from sciml.mesh.make import MESH_NAMES, make_mesh

    if isinstance(mesh, str) and mesh in MESH_NAMES:
        return make_mesh(mesh, refinements)
    if os.path.splitext(mesh)[1].lower() not in READ and not os.path.exists(mesh):
        raise InputError(
            f"there is no mesh {os.fspath(mesh)!r}; expected one of {', '.join(MESH_NAMES)}, "
            f"or a file that ends in one of {', '.join(READ)}."
        )
    return read_mesh(mesh)[0]
