"""Read and write mesh files; the only place that calls meshio, whose faults all become `MeshFileError`.

======= =========================================================================================================
format  what survives a round trip
======= =========================================================================================================
.xdmf   everything (an HDF5 + XDMF pair; also whole grids without coordinates, see `sciml.mesh.series`)
.vtu    points, cells, groups, fields with their dtypes
.med    the same, with fields in float64 (the format has no other) and blocks in the order of the format
.msh    the same, with fields in float64 and plane vectors in space (gmsh 2.2 binary; groups are physical names)
======= =========================================================================================================

In all: bool becomes uint8, float16 float32, complex two fields; empty groups and units are kept by .xdmf only.
``.vtk .inp .stl .obj .ply`` are read, not written.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sciml.atomic import AtomicFile, is_full
from sciml.errors import DataFormatError, InputError, MeshFileError
from sciml.mesh.expansion import check_appended, check_counts, limited_decompression
from sciml.mesh.field import Field
from sciml.mesh.gmsh_data import Table, check_node_numbers, place, take_data
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh
from sciml.mesh.parts import Parts, mesh_from_parts, parts_from_mesh
from sciml.mesh.references import check_references
from sciml.regular_files import regular_file

READ = {
    ".vtu": "vtu",
    ".vtk": "vtk",
    ".xdmf": "xdmf",
    ".msh": "gmsh",
    ".med": "med",
    ".inp": "abaqus",
    ".stl": "stl",
    ".obj": "obj",
    ".ply": "ply",
}
WRITE = (".vtu", ".xdmf", ".msh", ".med")
# meshio lacks the fixed-size type names in files of VTK before 5: the same types by their C names
_VTK_NAMES = {
    b"vtktypeint64": b"long",
    b"vtktypeuint64": b"unsigned_long",
    b"vtktypeint32": b"int",
    b"vtktypeuint32": b"unsigned_int",
}
_VTK_TYPE = re.compile(rb"(?m)^(\S+ \d+ \d+ )(vtktypeu?int(?:32|64))(\s*)$")


def read_mesh(path: str | os.PathLike[str], *, keep_3d: bool = False) -> tuple[Mesh, list[Field]]:
    """Read a mesh and its fields.

    Parameters
    ----------
    path : file in one of the formats ``.vtu .vtk .xdmf .msh .med .inp .stl .obj .ply``
    keep_3d : keep coordinates that are zero everywhere; otherwise a plane mesh with z = 0 comes back in 2-D

    Returns
    -------
    mesh : a grid written by sciml comes as its cells; equal vertices of an .stl are merged
    fields : with times if the file is a series of sciml

    Raises
    ------
    MeshFileError : no such file, another format, damaged, or cells that `Mesh` refuses
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in READ:
        raise MeshFileError(f"{path} cannot be read: the ending must be one of {' '.join(READ)}; got {suffix!r}.")
    if not path.exists():
        raise MeshFileError(f"{path} is not a file; check the name.")
    regular_file(path, MeshFileError)
    if suffix == ".xdmf" and _is_ours(path):
        return _read_ours(path)
    _guarded(lambda: check_references(path, suffix), path, "read")
    raw = _guarded(lambda: _read_with_meshio(path, suffix), path, "read")
    return _guarded(lambda: mesh_from_parts(raw, suffix, keep_3d), path, "read")


def write_mesh(path: str | os.PathLike[str], mesh: Mesh | Grid, fields: Iterable[Field] = ()) -> None:
    """Write a mesh or grid and static fields on it; the file appears complete or not at all.

    Parameters
    ----------
    path : file in one of the formats ``.vtu .xdmf .msh .med``
    mesh : mesh or grid; a grid is written as its cells, to .xdmf as a lattice
    fields : static fields with as many values as the mesh has points or cells

    Raises
    ------
    MeshFileError : another format, no such folder, or something the format cannot hold
    """
    path, fields = Path(path), list(fields)
    suffix = path.suffix.lower()
    if suffix not in WRITE:
        raise MeshFileError(f"{path} cannot be written: the ending must be one of {' '.join(WRITE)}; got {suffix!r}.")
    if not path.parent.is_dir():
        raise MeshFileError(f"The folder {path.parent} does not exist; make it first.")
    for field in fields:
        if field.times is not None:
            raise InputError(f"Field {field.name!r} has times; write it with SeriesWriter.")
    if suffix == ".xdmf":
        from sciml.mesh.series import write_snapshot

        write_snapshot(path, mesh, fields)
        return
    if isinstance(mesh, Grid):
        mesh, fields = _grid_as_mesh(mesh, fields)
    parts = parts_from_mesh(mesh, fields, suffix)
    with AtomicFile(path, keep_name=True) as file:
        _guarded(lambda: _write(file.part, parts, suffix), path, "written")


def write_fields(path: str | os.PathLike[str], on: Mesh | Grid, fields: Mapping[str, Any]) -> None:
    """Write arrays on a mesh or grid: `write_mesh` with a `Field` made of each.

    Parameters
    ----------
    path : file in one of the formats ``.vtu .xdmf .msh .med``
    on : mesh or grid
    fields : arrays by name; on a mesh, one with as many rows as points is at the points, else at the cells
    """
    made = []
    for name, values in fields.items():
        at_cells = isinstance(on, Mesh) and np.shape(values)[:1] == (on.n_cells,) != (on.n_points,)
        made.append(values if isinstance(values, Field) else Field(name, values, on, "cells" if at_cells else None))
    write_mesh(path, on, made)


def _grid_as_mesh(grid: Grid, fields: list[Field]) -> tuple[Mesh, list[Field]]:
    mesh, made = grid.to_mesh(), []
    for f in fields:
        lead = () if f.times is None else (len(f.times),)
        values = f.values.reshape(*lead, grid.size, *f.components)
        made.append(Field(f.name, values, mesh, f.location, f.times, f.unit))
    return mesh, made


def _is_ours(path: Path) -> bool:
    from sciml.mesh.xdmf import MARK

    with path.open("rb") as file:
        return f'<Domain Name="{MARK}"'.encode() in file.read(4096)


def _read_ours(path: Path) -> tuple[Mesh, list[Field]]:
    from sciml.mesh.series import read_series

    series = read_series(path)
    if isinstance(series.on, Mesh):
        return series.on, series.fields
    return _grid_as_mesh(series.on, series.fields)


def _read_with_meshio(path: Path, suffix: str) -> Any:
    """Read a file, or a copy of it without what meshio 5.3.5 reads wrongly."""
    import meshio
    from meshio.vtu import _vtu

    content = path.read_bytes() if suffix in (".msh", ".vtk", ".ply") else b""
    point_data: dict[str, Table] = {}
    cell_data: dict[str, Table] = {}
    mended = content
    if suffix == ".vtk":
        check_counts(content)
    if suffix == ".ply":
        _check_ply(content)
    elif suffix == ".vtu":
        check_appended(path)
    elif suffix == ".msh":
        check_node_numbers(content)
        mended, point_data, cell_data = take_data(content)
    elif suffix == ".vtk" and not content.startswith(b"# vtk DataFile Version 5"):
        mended = _VTK_TYPE.sub(lambda found: found[1] + _VTK_NAMES[found[2]] + found[3], content)
    if mended == content:
        with limited_decompression(_vtu, path.stat().st_size):
            return meshio.read(path, file_format=READ[suffix])
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(mended)
        raw = meshio.read(copy, file_format=READ[suffix])
    ends = np.cumsum([len(block.data) for block in raw.cells])
    raw.point_data |= {name: place(name, table, len(raw.points)) for name, table in point_data.items()}
    raw.cell_data |= {name: np.split(place(name, table, int(ends[-1])), ends[:-1]) for name, table in cell_data.items()}
    return raw


def _check_ply(content: bytes) -> None:
    """Refuse a header without end, and more elements than bytes: on both meshio goes on for ever."""
    header, end, _ = content.partition(b"end_header")
    counts = [int(count) for count in re.findall(rb"(?m)^element\s+\S+\s+(\d+)", header)]
    if not end or max(counts, default=0) > len(content):
        raise InputError("the header has no end, or announces more elements than the file has bytes")


def _write(path: Path, parts: Parts, suffix: str) -> None:
    import meshio

    mesh = meshio.Mesh(
        parts.points, parts.cells, point_data=parts.point_data, cell_data=parts.cell_data, field_data=parts.field_data
    )
    if suffix == ".med":
        mesh.cell_tags = parts.cell_tags
    # the ending .msh alone would make meshio write ANSYS and drop the data; its ASCII is unreadable under numpy 2
    if suffix == ".msh":
        meshio.write(path, mesh, file_format="gmsh22", binary=True)
    elif suffix == ".med":
        from sciml.mesh.hdf5 import Storage

        with Storage(path, str(path)) as storage:
            meshio.write(storage, mesh, file_format=READ[suffix])
            storage.check()
    else:
        meshio.write(path, mesh, file_format=READ[suffix])


def _guarded(action: Callable[[], Any], path: Path, verb: str) -> Any:
    """Run an action; whatever meshio prints, raises or exits with becomes one sentence."""
    said = io.StringIO()
    try:
        # meshio warns and complains on both streams, and divides and casts without care on damaged files
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), np.errstate(all="ignore"):
            return action()
    except (MeshFileError, DataFormatError):
        raise
    except OSError as error:
        if is_full(error):
            raise
        raise MeshFileError(f"{path} cannot be {verb}: {error.strerror or error}.") from error
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        if isinstance(error, SystemExit) or not reason:
            reason = " ".join(said.getvalue().split()) or type(error).__name__
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        reason = (kind + reason)[:300].rstrip(".")
        raise MeshFileError(f"{path} cannot be {verb}: {reason}.") from error
