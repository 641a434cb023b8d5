"""`Mesh`: points, cells of one or several types, and named groups; immutable and checked when made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.checks import real_array
from sciml.errors import InputError
from sciml.mesh.groups import Group, facet_type, integers
from sciml.mesh.scikit_fem import to_skfem
from sciml.mesh.shapes import LINEAR_TYPE, SHAPES, shape_of, signed_measures, simplex_measures

if TYPE_CHECKING:
    import skfem

_CHUNK = 1 << 16  # cells measured at a time: bounds the temporary memory to some tens of MB
_FLAT = 1e-14  # a cell is degenerate below this fraction of its diameter to the power of its dimension


@dataclass(frozen=True, eq=False)
class Mesh:
    """Points and cells of an unstructured mesh.

    Parameters
    ----------
    points : (points, dim) coordinates, dim 1 to 3, kept as float64
    cells : ``{"triangle": (cells, 3) point numbers, ...}`` with the type names and node order of meshio and VTK
    groups : named parts, ``{"wall": Group(1, cells=...)}``

    Raises
    ------
    InputError : coordinates that are not finite, point numbers out of range, a repeated point in a cell, a cell of no
        volume (where cells have the dimension of the space), members of groups out of range
    """

    points: np.ndarray
    cells: Mapping[str, np.ndarray]
    groups: Mapping[str, Group] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = real_array("the points", self.points, finite=False).copy()
        if points.ndim != 2 or not 1 <= points.shape[1] <= 3:
            raise InputError(f"points must have shape (points, dim) with dim 1 to 3; got {points.shape}.")
        if not np.isfinite(points).all():
            bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
            raise InputError(f"Point {bad} has a coordinate that is not finite: {points[bad]}.")
        points.setflags(write=False)
        cells = {str(name): _checked_block(str(name), nodes, points) for name, nodes in self.cells.items()}
        for name, value in (
            ("points", points),
            ("cells", MappingProxyType(cells)),
            ("groups", MappingProxyType(dict(self.groups))),
        ):
            object.__setattr__(self, name, value)
        for name, group in self.groups.items():
            _check_group(name, group, self)
        _check_measures(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mesh, (self.points, dict(self.cells), dict(self.groups))

    @property
    def dim(self) -> int:
        """Dimension of the space that the points are in."""
        return int(self.points.shape[1])

    @property
    def topological_dim(self) -> int:
        """Largest dimension of the cells: 2 for a surface in space; 0 without cells."""
        return max((SHAPES[name].dim for name in self.cells), default=0)

    @property
    def n_points(self) -> int:
        """Number of points, whether cells use them or not."""
        return len(self.points)

    @property
    def n_cells(self) -> int:
        """Number of cells of all types."""
        return sum(len(nodes) for nodes in self.cells.values())

    def blocks(self) -> Iterator[tuple[str, np.ndarray, slice]]:
        """Yield ``(type, (cells, nodes), slice)`` per block, the slice of its cells in the numbering of all cells."""
        start = 0
        for name, nodes in self.cells.items():
            yield name, nodes, slice(start, start + len(nodes))
            start += len(nodes)

    def edges(self) -> np.ndarray:
        """Return each pair of neighbouring points once, (edges, 2) with the smaller number first, sorted."""
        pairs = [nodes[:, SHAPES[name].edges].reshape(-1, 2) for name, nodes, _ in self.blocks() if SHAPES[name].edges]
        if not pairs:
            return np.empty((0, 2), np.int64)
        return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)

    def boundary(self) -> Mesh:
        """Return the facets that belong to one cell only, as a mesh on the same points.

        Only cells of the largest dimension count. Where they have the dimension of the space, the facets point
        outwards whatever the orientation of the cells, so that ``boundary().normals()`` sums to zero.
        """
        facets: dict[str, list[np.ndarray]] = {}
        for name, nodes, _ in self.blocks():
            if SHAPES[name].dim != self.topological_dim:
                continue
            inverted = self._signed(name, nodes) < 0 if SHAPES[name].dim == self.dim else np.zeros(len(nodes), bool)
            for kind, local in SHAPES[name].facets:
                block = nodes[:, local].copy()
                block[inverted] = block[inverted][:, _reversed_facet(kind)]
                facets.setdefault(kind, []).append(block)
        return Mesh(
            self.points,
            {kind: once for kind, blocks in facets.items() if len(once := _occurring_once(np.concatenate(blocks)))},
        )

    def normals(self) -> np.ndarray:
        """Return the normals of facets times their measure, (cells, dim), of a mesh with cells of dimension dim - 1.

        A line from a to b in the plane has the normal ``(b_y - a_y, a_x - b_x)``; a polygon in space has half the sum
        of the cross products around it. Second-order facets are taken by their corners.
        """
        if self.topological_dim != self.dim - 1 or self.dim == 1:
            raise InputError(
                f"Normals need cells of dimension {self.dim - 1} in {self.dim}-dimensional space, 2 or 3; "
                f"got cells of dimension {self.topological_dim}. Call boundary() first."
            )
        out = np.zeros((self.n_cells, self.dim))
        for name, nodes, where in self.blocks():
            x = self.points[nodes[:, : SHAPES[name].corners]]
            if self.dim == 2 and SHAPES[name].dim == 1:
                step = x[:, 1] - x[:, 0]
                out[where] = np.stack([step[:, 1], -step[:, 0]], axis=1)
            elif SHAPES[name].dim == 2:
                x = x - x[:, :1]
                out[where] = np.cross(x, np.roll(x, -1, axis=1)).sum(axis=1) / 2
        return out

    def volumes(self) -> np.ndarray:
        """Return length, area or volume of every cell by its own dimension, (cells,); a vertex counts 1.

        Exact for linear cells with straight edges, hexahedra, wedges and pyramids with warped facets included (in the
        sense of their multilinear map). Second-order cells are measured by their split into simplices, and
        second-order hexahedra by their corners.
        """
        out = np.empty(self.n_cells)
        for name, nodes, where in self.blocks():
            linear = name if name in ("line", "quad", "hexahedron", "wedge", "pyramid") else None
            if name in ("hexahedron20", "hexahedron27"):
                linear = "hexahedron"
            for part in range(0, len(nodes), _CHUNK):
                block = nodes[part : part + _CHUNK]
                if linear and SHAPES[name].dim == self.dim:
                    measure = np.abs(self._signed(linear, block))
                else:
                    measure = self.simplex_volumes(name, block).sum(axis=1)
                out[where.start + part : where.start + part + len(block)] = measure
        return out

    def simplex_volumes(self, cell_type: str, nodes: np.ndarray) -> np.ndarray:
        """Return the measures of the simplices that cells split into, (cells, simplices of the type)."""
        split = np.array(SHAPES[cell_type].simplices)
        vertices = self.points[nodes[:, split]]
        return simplex_measures(vertices.reshape(-1, *vertices.shape[2:])).reshape(len(nodes), len(split))

    def _signed(self, cell_type: str, nodes: np.ndarray) -> np.ndarray:
        linear = LINEAR_TYPE.get(cell_type, cell_type)
        corners = self.points[nodes[:, : SHAPES[linear].corners]]
        return signed_measures(linear, corners)

    def locate(self, x: np.ndarray) -> np.ndarray:
        """Return the number of the cell of the largest dimension that contains each position.

        Parameters
        ----------
        x : (positions, dim)

        Returns
        -------
        (positions,) cell numbers

        Raises
        ------
        InputError : a position outside the mesh, or a mesh that `to_skfem` refuses
        """
        start = next(where.start for name, _, where in self.blocks() if SHAPES[name].dim == self.topological_dim)
        x = self._positions(x)
        try:
            return np.asarray(self.to_skfem().element_finder()(*x.T), np.int64) + start
        except (ValueError, IndexError) as error:
            raise InputError(f"Cannot locate the positions in the mesh, probably one is outside: {error}.") from error

    def interpolate(self, values: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the piecewise linear interpolant of values at the points, at other positions.

        Parameters
        ----------
        values : (points [, components]) values at the points of a mesh of first-order cells
        x : (positions, dim) positions inside the mesh

        Returns
        -------
        (positions [, components])
        """
        import skfem

        mesh, x, values = self.to_skfem(), self._positions(x), np.asarray(values)
        if len(values) != self.n_points:
            raise InputError(f"Interpolation needs one value for each of {self.n_points} points; got {len(values)}.")
        if mesh.nvertices != self.n_points:
            raise InputError("Interpolation needs a mesh of first-order cells.")
        try:
            return np.asarray(skfem.Basis(mesh, mesh.elem()).probes(x.T) @ values)
        except (ValueError, IndexError) as error:
            raise InputError(f"Cannot interpolate at the positions, probably one is outside: {error}.") from error

    def _positions(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise InputError(f"Positions must have shape (positions, {self.dim}); got {x.shape}.")
        return x

    def to_skfem(self) -> skfem.Mesh:
        """Return the cells of the largest dimension as a scikit-fem mesh.

        Groups of these cells become subdomains; groups of facets, or of cells of one dimension less, boundaries. Points
        keep their numbers when cells are of first order.

        Raises
        ------
        InputError : cells of several types, of a type that scikit-fem lacks, or on a surface in space
        """
        return to_skfem(self.points, list(self.blocks()), self.groups)

    def __repr__(self) -> str:
        blocks = ", ".join(f"{len(nodes)} {name}" for name, nodes in self.cells.items()) or "no cells"
        groups = ", ".join(f"{name} ({len(group)})" for name, group in self.groups.items())
        return f"Mesh({self.n_points} points in {self.dim}-D, {blocks}{', groups: ' + groups if groups else ''})"


def _checked_block(name: str, nodes: Any, points: np.ndarray) -> np.ndarray:
    shape = shape_of(name)
    block = integers(nodes, 2, f"the {name} cells")
    if block.shape[1] != shape.nodes:
        raise InputError(f"A {name} has {shape.nodes} points; got cells of shape {block.shape}.")
    if shape.dim > points.shape[1]:
        raise InputError(f"A {name} needs {shape.dim} coordinates; the points have {points.shape[1]}.")
    if block.size and (block.min() < 0 or block.max() >= len(points)):
        raise InputError(
            f"The {name} cells use point numbers {block.min()} to {block.max()}; expected 0 to {len(points) - 1}."
        )
    for part in range(0, len(block), _CHUNK):
        ordered = np.sort(block[part : part + _CHUNK], axis=1)
        repeated = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if repeated.any():
            bad = part + int(repeated.argmax())
            raise InputError(
                f"{name} {bad} uses a point twice: {block[bad].tolist()}. Use the cell type with "
                "fewer corners, or remove the cell."
            )
    return block


def _check_group(name: str, group: Group, mesh: Mesh) -> None:
    members, limit, what = group.members, mesh.n_points, "points"
    if group.facets is None:
        limit, what = mesh.n_cells, "cells"
    if members.size and (members.min() < 0 or members.max() >= limit):
        raise InputError(f"Group {name!r} uses {what} {members.min()} to {members.max()}; expected 0 to {limit - 1}.")
    if group.facets is not None:
        facet_type(group)
        return
    for cell_type, _, where in mesh.blocks():
        inside = (members >= where.start) & (members < where.stop)
        if inside.any() and SHAPES[cell_type].dim != group.dim:
            raise InputError(f"Group {name!r} has dimension {group.dim}, but contains a {cell_type}.")


def _check_measures(mesh: Mesh) -> None:
    """Refuse flat cells. Surfaces in space may have slivers, as scanned and CAD surfaces often do."""
    for name, nodes, _ in mesh.blocks():
        if not 1 <= SHAPES[name].dim == mesh.dim:
            continue
        for part in range(0, len(nodes), _CHUNK):
            x = mesh.points[nodes[part : part + _CHUNK]]
            diameter = np.ptp(x, axis=1).max(axis=1)
            flat = np.abs(mesh._signed(name, nodes[part : part + _CHUNK])) <= _FLAT * diameter**mesh.dim
            if flat.any():
                bad = part + int(flat.argmax())
                raise InputError(
                    f"{name} {bad} has no {('length', 'area', 'volume')[mesh.dim - 1]}: its points "
                    f"{nodes[bad].tolist()} are degenerate. Repair the mesh."
                )


def _reversed_facet(kind: str) -> list[int]:
    """Return the node order that turns a facet around."""
    corners, nodes = SHAPES[kind].corners, SHAPES[kind].nodes
    turned = [0, *range(corners - 1, 0, -1)] if corners > 2 else list(range(corners))[::-1]
    middles = list(range(corners, min(2 * corners, nodes)))[::-1] if corners > 2 else list(range(corners, nodes))
    return [*turned, *middles, *range(corners + len(middles), nodes)]


def _occurring_once(facets: np.ndarray) -> np.ndarray:
    """Return the rows whose set of nodes occurs only once, in their order."""
    key = np.sort(facets, axis=1)
    order = np.lexsort(key.T[::-1])
    same = (key[order][1:] == key[order][:-1]).all(axis=1)
    repeated = np.zeros(len(facets), bool)
    repeated[order[1:][same]] = True
    repeated[order[:-1][same]] = True
    return facets[~repeated]
