"""Between `Mesh` and what file formats know: blocks of cells with data by name, one list entry per block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sciml.errors import InputError, MeshFileError
from sciml.mesh.field import Field, storable
from sciml.mesh.groups import Group, facet_type
from sciml.mesh.mesh import Mesh
from sciml.mesh.shapes import SHAPES, shape_of

GROUP = "group:"  # prefix of the 0/1 cell data that hold groups where the format has none
FACETS = "group-facets"  # cell data: 1 on cells that were added to hold the facets of groups
_TAGS = ("gmsh:physical", "gmsh:geometrical", "cell_tags")
_NOT_FIELDS = {*_TAGS, "gmsh:dim_tags", "point_tags", "facet_normals", FACETS}


@dataclass
class Parts:
    """A mesh as file formats hold it; ``cell_data`` has one array per block, ``cell_tags`` are the families of MED."""

    points: np.ndarray
    cells: list[tuple[str, np.ndarray]]
    point_data: dict[str, np.ndarray] = field(default_factory=dict)
    cell_data: dict[str, list[np.ndarray]] = field(default_factory=dict)
    field_data: dict[str, np.ndarray] = field(default_factory=dict)
    cell_tags: dict[int, list[str]] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------------------------ writing
def parts_from_mesh(mesh: Mesh, fields: Sequence[Field], suffix: str) -> Parts:
    """Return the parts of a mesh and its fields in the form of a file format.

    Facets of groups become cells marked by the data "group-facets". Groups become 0/1 data in .vtu, families in .med,
    physical names in .msh, where a cell in several groups is written once for each, as gmsh itself does.
    """
    if not mesh.n_cells:
        raise MeshFileError(f"A {suffix} file needs cells; the mesh has points only.")
    types = {name: [nodes] for name, nodes in mesh.cells.items()}
    source = {name: [np.arange(where.start, where.stop)] for name, _, where in mesh.blocks()}
    marks = {name: [np.full(len(nodes), -1)] for name, nodes in mesh.cells.items()}  # number of the facet group, or -1
    for number, group in enumerate(mesh.groups.values()):
        if group.facets is not None and len(group):
            kind = facet_type(group)
            for table, rows in (
                (types, group.facets),
                (source, np.full(len(group), -1)),
                (marks, np.full(len(group), number)),
            ):
                table.setdefault(kind, []).append(rows)
    kinds = list(types)
    origin = np.concatenate([row for kind in kinds for row in source[kind]])
    mark = np.concatenate([row for kind in kinds for row in marks[kind]])
    masks = {
        name: mark == number if group.cells is None else np.isin(origin, group.cells)
        for number, (name, group) in enumerate(mesh.groups.items())
        if len(group)
    }
    _check_names([*masks, *(f.name for f in fields)], suffix)

    blocks = [np.concatenate(types[kind]) for kind in kinds]
    block_of = np.repeat(np.arange(len(kinds)), [len(block) for block in blocks])
    rows, tags = _repeated_per_group(masks, len(origin)) if suffix == ".msh" else (np.arange(len(origin)), None)
    chosen = [rows[block_of[rows] == k] for k in range(len(kinds))]
    starts = np.concatenate([[0], np.cumsum([len(block) for block in blocks])])
    wide = 3 if suffix in (".vtu", ".msh") else mesh.dim
    parts = Parts(
        np.pad(mesh.points, ((0, 0), (0, wide - mesh.dim))),
        [(kind, block[rows - start]) for kind, block, rows, start in zip(kinds, blocks, chosen, starts, strict=False)],
    )

    def add(name: str, values: np.ndarray) -> None:
        parts.cell_data[name] = [values[rows] for rows in chosen]

    _add_fields(parts, fields, origin, suffix, add)
    if len(mark) and mark.max() >= 0:
        add(FACETS, _in_format((mark >= 0).astype(np.uint8), suffix))
    if suffix == ".vtu":
        for name, mask in masks.items():
            add(GROUP + name, mask.astype(np.uint8))
    elif suffix == ".med":
        codes, parts.cell_tags = _families(masks, len(origin))
        add("cell_tags", codes)
    elif tags is not None:
        by_block = [tags[block_of[rows] == k].astype(np.int32) for k in range(len(kinds))]
        parts.cell_data["gmsh:physical"] = by_block
        parts.cell_data["gmsh:geometrical"] = [np.ones_like(tag) for tag in by_block]
        parts.field_data = {name: np.array([k + 1, mesh.groups[name].dim]) for k, name in enumerate(masks)}
    return parts


def _add_fields(parts: Parts, fields: Sequence[Field], origin: np.ndarray, suffix: str, add: Any) -> None:
    """Add fields; on cells that hold facets of groups (origin -1) floats are nan, integers 0."""
    for given in fields:
        for name, stored in storable(given.name, given.values).items():
            values = _in_format(stored, suffix)
            if values.ndim > 2:
                values = values.reshape(len(values), -1)
            if suffix == ".msh" and values.shape[1:] == (2,):  # gmsh knows 1, 3 and 9 components
                values = np.pad(values, ((0, 0), (0, 1)))
            if given.location == "points":
                if len(values) != len(parts.points):
                    raise InputError(
                        f"Field {name!r} has {len(values)} values; the mesh has {len(parts.points)} points."
                    )
                parts.point_data[name] = values
                continue
            if len(values) != np.count_nonzero(origin >= 0):
                raise InputError(
                    f"Field {name!r} has {len(values)} values; the mesh has {np.count_nonzero(origin >= 0)} cells."
                )
            out = values[origin]
            out[origin < 0] = np.nan if values.dtype.kind == "f" else 0
            add(name, out)


def _in_format(values: np.ndarray, suffix: str) -> np.ndarray:
    return values.astype(np.float64) if suffix in (".med", ".msh") else values


def _repeated_per_group(masks: dict[str, np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and the number of their group, 0 without one; a cell in several groups gets more rows at the end."""
    rows, tags, first = [np.arange(n)], [], np.zeros(n, np.int64)
    for number, mask in enumerate(masks.values(), start=1):
        again = np.flatnonzero(mask & (first > 0))
        rows.append(again)
        tags.append(np.full(len(again), number))
        first[mask & (first == 0)] = number
    return np.concatenate(rows), np.concatenate([first, *tags])


def _families(masks: dict[str, np.ndarray], n: int) -> tuple[np.ndarray, dict[int, list[str]]]:
    """Return the family number of each cell, negative or 0 for none, and the groups of each family."""
    if not masks:
        return np.zeros(n, np.int64), {}
    families, number = np.unique(np.array([*masks.values()]), axis=1, return_inverse=True)
    names = [[name for name, member in zip(masks, column, strict=True) if member] for column in families.T]
    codes = np.array([-1 - k if members else 0 for k, members in enumerate(names)], dtype=np.int64)
    return codes[number.ravel()], {int(code): members for code, members in zip(codes, names, strict=True) if members}


def _check_names(names: Sequence[str], suffix: str) -> None:
    for name in names:
        wrong = (
            not name.strip()
            or not name.isprintable()
            or (suffix == ".med" and (not name.isascii() or "/" in name or len(name) > 64))
            or (suffix == ".msh" and any(c in name for c in '"\\'))
        )
        if wrong or name in _NOT_FIELDS or name.startswith(GROUP):
            raise MeshFileError(f"A {suffix} file cannot hold the name {name!r}; give it a plain name of letters.")


# ------------------------------------------------------------------------------------------------------------ reading
def mesh_from_parts(raw: Any, suffix: str, keep_3d: bool) -> tuple[Mesh, list[Field]]:
    """Return mesh and fields of an object with the attributes of `Parts`, and perhaps ``cell_sets, point_sets``."""
    types = list(dict.fromkeys(block.type for block in raw.cells))
    if not types:
        raise InputError("the file holds no cells")
    for kind in types:
        shape_of(kind)
    sizes = [len(block.data) for block in raw.cells]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    place = [
        np.concatenate([np.arange(starts[k], starts[k + 1]) for k, block in enumerate(raw.cells) if block.type == kind])
        for kind in types
    ]
    cells = [
        np.concatenate(
            [
                np.asarray(block.data).astype(np.int64).reshape(size, -1)
                for block, size in zip(raw.cells, sizes, strict=True)
                if block.type == kind
            ]
        )
        for kind in types
    ]
    order = np.concatenate(place)  # numbers in the file of the cells in our order
    data = {name: np.concatenate([_native(rows) for rows in blocks])[order] for name, blocks in raw.cell_data.items()}
    masks = {name: mask[order] for name, mask in _masks(raw, sizes).items()}
    points, cells, keep = _cleaned(np.array(_native(np.asarray(raw.points)), np.float64), cells, masks, suffix)

    facet = data.get(FACETS, np.zeros(len(order)))[keep] == 1
    masks = {name: mask[keep] for name, mask in masks.items()}
    data = {name: rows[keep] for name, rows in data.items() if name not in _NOT_FIELDS and not name.startswith(GROUP)}
    kind_of = np.repeat(np.arange(len(types)), [len(block) for block in cells])
    stays = [~facet[kind_of == k] for k in range(len(types))]
    groups = _groups(masks, types, cells, facet, kind_of)
    groups |= {
        name: Group(0, facets=np.asarray(members, np.int64).reshape(-1, 1))
        for name, members in getattr(raw, "point_sets", {}).items()
        if name not in groups and len(members)
    }
    kept = {kind: block[stay] for kind, block, stay in zip(types, cells, stays, strict=True) if stay.any()}
    mesh = Mesh(_without_zero_axes(points, kept, keep_3d), kept, groups)
    fields = [
        Field(name, _native(values), mesh, "points")
        for name, values in raw.point_data.items()
        if name not in _NOT_FIELDS and suffix != ".stl"
    ]
    return mesh, fields + [Field(name, rows[~facet], mesh, "cells") for name, rows in data.items()]


def _masks(raw: Any, sizes: list[int]) -> dict[str, np.ndarray]:
    """Return for each named part which cells belong to it, (cells,) bool in the order of the file."""
    masks: dict[str, np.ndarray] = {}
    starts, total = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), sum(sizes)
    for name, blocks in raw.cell_data.items():
        if name.startswith(GROUP):
            masks[name.removeprefix(GROUP)] = np.concatenate(blocks) != 0
    for name, blocks in getattr(raw, "cell_sets", {}).items():
        if name.startswith("gmsh:"):
            continue
        masks[name] = np.zeros(total, bool)
        for start, members in zip(starts, blocks, strict=False):
            if members is not None:
                masks[name][start + np.asarray(members, np.int64)] = True
    if "gmsh:physical" in raw.cell_data:
        tags = np.concatenate(raw.cell_data["gmsh:physical"])
        dims = np.repeat([SHAPES[block.type].dim for block in raw.cells], sizes)
        names = {(int(entry[0]), int(entry[1])): name for name, entry in raw.field_data.items()}
        for tag, dim in sorted({(int(t), int(d)) for t, d in zip(tags, dims, strict=True)}):
            name = names.get((tag, dim), f"physical_{dim}d_{tag}")
            if tag and name not in masks:
                masks[name] = (tags == tag) & (dims == dim)
    if getattr(raw, "cell_tags", None):
        tags = np.concatenate(raw.cell_data["cell_tags"])
        for code, names_of_family in raw.cell_tags.items():
            for name in names_of_family:
                masks[name] = masks.get(name, np.zeros(total, bool)) | (tags == code)
    return masks


def _cleaned(
    points: np.ndarray, cells: list[np.ndarray], masks: dict[str, np.ndarray], suffix: str
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Merge the equal vertices of .stl and the equal cells of .msh; return also which cells are kept."""
    keep: list[np.ndarray] = [np.ones(len(block), bool) for block in cells]
    if suffix == ".stl":
        points, number = np.unique(points, axis=0, return_inverse=True)
        cells = [number.ravel()[block] for block in cells]
        # a triangle whose vertices fell together has no area and belongs to no surface
        keep = [np.asarray((np.diff(np.sort(block, axis=1), axis=1) > 0).all(axis=1)) for block in cells]
    elif suffix == ".msh":
        # gmsh writes a cell once for each physical group that it belongs to
        start = 0
        for k, block in enumerate(cells):
            _, first, number = np.unique(np.sort(block, axis=1), axis=0, return_index=True, return_inverse=True)
            original = first[number.ravel()]
            keep[k] = original == np.arange(len(block))
            for mask in masks.values():
                np.logical_or.at(mask, start + original, mask[start : start + len(block)].copy())
            start += len(block)
    return points, [block[kept] for block, kept in zip(cells, keep, strict=True)], np.concatenate(keep)


def _groups(
    masks: dict[str, np.ndarray], types: list[str], cells: list[np.ndarray], facet: np.ndarray, kind_of: np.ndarray
) -> dict[str, Group]:
    """Return groups of one dimension each: a part of several dimensions keeps its name for the largest."""
    dims = np.array([SHAPES[kind].dim for kind in types])[kind_of]
    number = np.cumsum(~facet) - 1  # of the cells that stay
    starts = np.concatenate([[0], np.cumsum([len(block) for block in cells])])
    groups: dict[str, Group] = {}
    for name, mask in masks.items():
        for k, dim in enumerate(sorted({int(d) for d in dims[mask]}, reverse=True)):
            title = name if k == 0 else f"{name}_{dim}d"
            members = np.flatnonzero(mask & (dims == dim))
            if facet[members].all():
                kinds = {int(kind) for kind in kind_of[members]}
                if len(kinds) != 1:
                    raise InputError(f"the facets of group {name!r} are of several types")
                kind = kinds.pop()
                groups[title] = Group(dim, facets=cells[kind][members - starts[kind]])
            else:
                groups[title] = Group(dim, cells=number[members[~facet[members]]])
    return groups


def _without_zero_axes(points: np.ndarray, cells: dict[str, np.ndarray], keep_3d: bool) -> np.ndarray:
    """Drop trailing coordinates that are zero everywhere and that no cell needs."""
    least = max(1, *(SHAPES[kind].dim for kind in cells))
    while not keep_3d and points.ndim == 2 and points.shape[1] > least and len(points) and not points[:, -1].any():
        points = points[:, :-1]
    return points


def _native(values: Any) -> np.ndarray:
    """Return values in the byte order of the machine: torch refuses the big-endian arrays of .vtk files."""
    values = np.asarray(values)
    return values.astype(values.dtype.newbyteorder("="), copy=False)
