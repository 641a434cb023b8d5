"""Meshes, grids, fields and their files.

`Mesh` (points, cells, named groups), `Grid` (uniform lattice), `Field` (values on either), `read_mesh` and
`write_mesh` (nine formats in, four out), `SeriesWriter` and `read_series` (time series that ParaView opens),
`make_mesh`, `make_interval` and `make_channel` (ready shapes), `voxelise` (a closed surface into grid cells).

>>> from sciml.mesh import Grid
>>> Grid((3, 3)).to_mesh()
Mesh(9 points in 2-D, 4 quad)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.mesh.channel import make_channel
    from sciml.mesh.field import Field
    from sciml.mesh.files import read_mesh, write_fields, write_mesh
    from sciml.mesh.grid import Grid
    from sciml.mesh.groups import Group
    from sciml.mesh.make import make_interval, make_mesh
    from sciml.mesh.mesh import Mesh
    from sciml.mesh.series import Series, SeriesWriter, read_series
    from sciml.mesh.voxelise import voxelise

_WHERE = {
    "Field": "field",
    "Grid": "grid",
    "Group": "groups",
    "Mesh": "mesh",
    "Series": "series",
    "SeriesWriter": "series",
    "make_channel": "channel",
    "make_interval": "make",
    "make_mesh": "make",
    "read_mesh": "files",
    "read_series": "series",
    "voxelise": "voxelise",
    "write_fields": "files",
    "write_mesh": "files",
}

__all__ = [
    "Field",
    "Grid",
    "Group",
    "Mesh",
    "Series",
    "SeriesWriter",
    "make_channel",
    "make_interval",
    "make_mesh",
    "read_mesh",
    "read_series",
    "voxelise",
    "write_fields",
    "write_mesh",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value  # a function named like its module (voxelise) replaces the module here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
