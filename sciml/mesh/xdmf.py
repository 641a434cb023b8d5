"""The layout of our HDF5 files and the XDMF text that describes it; `sciml.mesh.series` opens and closes the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.mesh.groups import Group
from sciml.mesh.mesh import Mesh

MARK = "sciml"  # name of the XDMF domain of our own files
_CHUNK_BYTES = 1 << 23
_ATTRIBUTE_TYPES = {1: "Scalar", 2: "Vector", 3: "Vector", 6: "Tensor6", 9: "Tensor"}
# meshio cell type -> XDMF name and number
_XDMF_TYPES = {
    "vertex": ("Polyvertex", 1),
    "line": ("Polyline", 2),
    "triangle": ("Triangle", 4),
    "quad": ("Quadrilateral", 5),
    "tetra": ("Tetrahedron", 6),
    "pyramid": ("Pyramid", 7),
    "wedge": ("Wedge", 8),
    "hexahedron": ("Hexahedron", 9),
    "line3": ("Edge_3", 34),
    "quad9": ("Quad_9", 35),
    "triangle6": ("Tri_6", 36),
    "quad8": ("Quad_8", 37),
    "tetra10": ("Tet_10", 38),
    "hexahedron20": ("Hex_20", 48),
    "hexahedron27": ("Hex_27", 50),
}


@dataclass(frozen=True)
class Column:
    """Shape (of one step, as stored), dtype and location of a field in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    location: str


def stored_form(array: np.ndarray, on: Mesh | Grid) -> np.ndarray:
    """Return values as files hold them: components share one axis, and on a grid (x, y, z) becomes (z, y, x).

    Viewers want three axes of a grid; one that is missing has the length 1.
    """
    places = 1 if isinstance(on, Mesh) else on.dim
    if array.ndim > places + 1:
        array = array.reshape(*array.shape[:places], -1)
    if isinstance(on, Mesh):
        return array
    turned = array.transpose(*range(places)[::-1], *range(places, array.ndim))
    return turned.reshape((1,) * (3 - places) + turned.shape)


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return HDF5 chunks of some megabytes: whole trailing axes, a part of the first."""
    row = max(1, int(np.prod(shape[1:])) * itemsize)
    return (max(1, min(shape[0], _CHUNK_BYTES // row)), *(max(1, n) for n in shape[1:]))


def text_attribute(text: str) -> np.bytes_:
    """Return a text of fixed length for HDF5: those of variable length lie in a heap that has no checksum."""
    return np.bytes_(text.encode())


def read_text(value: Any) -> Any:
    """Return a text attribute as str."""
    return value.decode() if isinstance(value, bytes) else value


def write_place(file: Any, on: Mesh | Grid) -> None:
    """Write a mesh or grid to an open HDF5 file."""
    if isinstance(on, Grid):
        grid = file.create_group("grid")
        for name in ("shape", "lower", "upper", "periodic"):
            grid.attrs[name] = getattr(on, name)
        grid.attrs["centring"] = text_attribute(on.centring)
        return
    mesh = file.create_group("mesh")
    mesh.attrs["dim"] = on.dim
    points = on.points if on.dim > 1 else np.pad(on.points, ((0, 0), (0, 1)))  # XDMF knows XY and XYZ only
    _dataset(mesh, "points", points)
    for name, nodes in on.cells.items():
        _dataset(mesh, f"cells/{name}", nodes).attrs["order"] = list(on.cells).index(name)
    if len(on.cells) > 1:
        _dataset(mesh, "mixed", _mixed(on))
    for name, group in on.groups.items():
        if "/" in name or name in ("", "."):
            raise InputError(f"A group name in an HDF5 file must not be empty or contain '/'; got {name!r}.")
        data = _dataset(mesh, f"groups/{name}", group.members)
        data.attrs["dim"], data.attrs["order"] = group.dim, list(on.groups).index(name)
        if group.facets is None:  # a mask that viewers can show
            mask = np.zeros(on.n_cells, np.uint8)
            mask[group.members] = 1
            _dataset(mesh, f"masks/{name}", mask)


def read_place(file: Any) -> Mesh | Grid:
    """Read the mesh or grid of an open HDF5 file."""
    from sciml.mesh.hdf5 import inside

    if "grid" in file:
        given = inside(file, "grid").attrs
        shape, lower, upper, periodic = (
            tuple(np.asarray(given[name]).tolist()) for name in ("shape", "lower", "upper", "periodic")
        )
        return Grid(shape, lower, upper, periodic, read_text(given["centring"]))
    mesh = inside(file, "mesh")
    cells = {name: data[()] for name, data in in_order(mesh, "cells").items()}
    groups = {}
    for name, data in in_order(mesh, "groups").items():
        members = data[()]
        kind = "cells" if members.ndim == 1 else "facets"
        groups[name] = Group(int(data.attrs["dim"]), **{kind: members})
    return Mesh(inside(mesh, "points")[:, : int(mesh.attrs["dim"])], cells, groups)


def read_field(data: Any, on: Mesh | Grid, times: np.ndarray | None, steps: slice) -> Field:
    """Read one field from its HDF5 data set."""
    places, first = 1 if isinstance(on, Mesh) else on.dim, int(times is not None)
    stored = data[()] if times is None else data[steps]
    if isinstance(on, Grid):
        stored = stored.reshape(stored.shape[:first] + stored.shape[first + 3 - places :])
    axes = (*range(first), *range(first, first + places)[::-1], *range(first + places, stored.ndim))
    values = stored.transpose(axes)
    values = values.reshape(*values.shape[: first + places], *np.asarray(data.attrs["components"], int))
    name = data.name.rsplit("/", 1)[1]
    return Field(
        name,
        np.ascontiguousarray(values),
        on,
        read_text(data.attrs["location"]),
        times,
        read_text(data.attrs.get("unit", b"")),
    )


def xdmf_tree(h5: str, on: Mesh | Grid, columns: Mapping[str, Column], times: Sequence[float] | None) -> Element:
    """Return the XDMF document of a file.

    Parameters
    ----------
    h5 : name of the HDF5 file beside it
    on : mesh or grid
    columns : fields by name
    times : of a series; None for a snapshot
    """
    root = Element("Xdmf", Version="3.0")
    domain = SubElement(root, "Domain", Name=MARK)
    if times is None:
        _step(SubElement(domain, "Grid", Name="snapshot", GridType="Uniform"), h5, on, columns, None)
        return root
    collection = SubElement(domain, "Grid", Name="series", GridType="Collection", CollectionType="Temporal")
    for number, time in enumerate(times):
        grid = SubElement(collection, "Grid", Name=f"step {number}", GridType="Uniform")
        SubElement(grid, "Time", Value=repr(float(time)))
        _step(grid, h5, on, columns, (number, len(times)))
    return root


def _step(grid: Element, h5: str, on: Mesh | Grid, columns: Mapping[str, Column], step: tuple[int, int] | None) -> None:
    if isinstance(on, Grid):
        _grid_geometry(grid, on)
    else:
        _mesh_geometry(grid, h5, on)
    for name, column in columns.items():
        places = 1 if isinstance(on, Mesh) else 3
        parts = int(np.prod(column.shape[places:]))
        item = SubElement(
            grid,
            "Attribute",
            Name=name,
            AttributeType=_ATTRIBUTE_TYPES.get(parts, "Matrix"),
            Center="Node" if column.location == "points" else "Cell",
        )
        if step is None and isinstance(on, Mesh):
            _item(item, f"{h5}:/fields/{name}", column.shape, column.dtype)
            continue
        leading = () if step is None else (1,)
        slab = SubElement(item, "DataItem", ItemType="HyperSlab", Dimensions=_spell(column.shape))
        count = (*leading, *column.shape)
        start = [0 if step is None else step[0]] + [0] * (len(count) - 1)
        numbers = SubElement(slab, "DataItem", Dimensions=f"3 {len(count)}", NumberType="Int", Format="XML")
        numbers.text = _spell((*start, *[1] * len(count), *count))
        whole = column.shape if step is None else (step[1], *column.shape)
        _item(slab, f"{h5}:/fields/{name}", whole, column.dtype)
    if isinstance(on, Mesh):
        for name, group in on.groups.items():
            if group.facets is None:
                item = SubElement(grid, "Attribute", Name=f"group:{name}", AttributeType="Scalar", Center="Cell")
                _item(item, f"{h5}:/mesh/masks/{name}", (on.n_cells,), np.dtype(np.uint8))


def _mesh_geometry(grid: Element, h5: str, mesh: Mesh) -> None:
    dim = max(2, mesh.dim)
    _item(
        SubElement(grid, "Geometry", GeometryType="XYZ"[:dim]),
        f"{h5}:/mesh/points",
        (mesh.n_points, dim),
        mesh.points.dtype,
    )
    if len(mesh.cells) == 1:
        ((name, nodes),) = mesh.cells.items()
        topology = SubElement(
            grid,
            "Topology",
            TopologyType=_XDMF_TYPES[name][0],
            NumberOfElements=str(len(nodes)),
            NodesPerElement=str(nodes.shape[1]),
        )
        _item(topology, f"{h5}:/mesh/cells/{name}", nodes.shape, nodes.dtype)
    elif mesh.cells:
        topology = SubElement(grid, "Topology", TopologyType="Mixed", NumberOfElements=str(mesh.n_cells))
        _item(topology, f"{h5}:/mesh/mixed", (len(_mixed(mesh)),), np.dtype(np.int64))


def _grid_geometry(grid: Element, on: Grid) -> None:
    """Describe the lattice with three axes, the last first.

    A missing axis is one vertex, or one cell of the smallest spacing around 0: VTK finds no cell data on flat grids.
    """
    cell, missing = on.centring == "cell", 3 - on.dim
    thickness = min(on.spacing)
    vertices = [1 + cell] * missing + [n + cell for n in on.shape[::-1]]
    SubElement(grid, "Topology", TopologyType="3DCoRectMesh", Dimensions=_spell(vertices))
    geometry = SubElement(grid, "Geometry", GeometryType="ORIGIN_DXDYDZ")
    for missing_value, numbers in ((-thickness / 2 if cell else 0.0, on.lower), (thickness, on.spacing)):
        item = SubElement(geometry, "DataItem", Dimensions="3", NumberType="Float", Precision="8", Format="XML")
        item.text = " ".join(map(repr, [missing_value] * missing + list(numbers[::-1])))


def _item(parent: Element, text: str, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    kind = {"i": "Int", "u": "UInt", "f": "Float"}[dtype.kind]
    item = SubElement(
        parent, "DataItem", Dimensions=_spell(shape), NumberType=kind, Precision=str(dtype.itemsize), Format="HDF"
    )
    item.text = text


def _mixed(mesh: Mesh) -> np.ndarray:
    """Return the cells as the flat list of XDMF: per cell its type, for points and lines a node count, the nodes."""
    rows = []
    for name, nodes in mesh.cells.items():
        number = _XDMF_TYPES[name][1]
        head = [number, nodes.shape[1]] if name in ("vertex", "line") else [number]
        rows.append(np.hstack([np.tile(np.array(head, np.int64), (len(nodes), 1)), nodes]).ravel())
    return np.concatenate(rows)


def _dataset(parent: Any, name: str, values: np.ndarray) -> Any:
    return parent.create_dataset(
        name,
        data=values,
        fletcher32=values.size > 0,
        chunks=chunk_shape(values.shape, values.itemsize) if values.size else None,
    )


def in_order(place: Any, kind: str) -> dict[str, Any]:
    """Return the data sets of an HDF5 group by name, in the order in which they were written; none if it is missing."""
    from sciml.mesh.hdf5 import inside

    if kind not in place:
        return {}
    group = inside(place, kind)
    found = {name: inside(group, name) for name in group}
    return dict(sorted(found.items(), key=lambda item: int(item[1].attrs["order"])))


def _spell(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))
