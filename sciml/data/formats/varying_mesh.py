"""`VaryingMesh`: meshes of which a data set has one for each sample, graphs among them.

The numbers of points in the cells and groups of a sample count its own points, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from sciml.data.formats.varying_place import Offsets, Part, check_names
from sciml.errors import InputError
from sciml.mesh import Grid, Group, Mesh
from sciml.mesh.field import Location
from sciml.mesh.shapes import SHAPES


class GroupKind(NamedTuple):
    """A named part that the mesh of every sample has, though it may be empty.

    Attributes
    ----------
    name : of the group
    dim : topological dimension of the members, 0 for points
    nodes : points of each facet; 0 for a group of cells by number
    """

    name: str
    dim: int = 0
    nodes: int = 1


@dataclass(frozen=True)
class VaryingMesh:
    """The kind of the meshes of a data set: what all of them have in common.

    Parameters
    ----------
    dim : number of coordinates of a point
    cells : types of cells in their order; lines keep their direction, so a directed graph is a mesh of lines
    groups : named parts of every mesh
    offsets : of a data set that was read: for ``points``, ``cells/TYPE`` and ``groups/NAME`` the first row of each
        sample, (samples + 1,) int64

    Examples
    --------
    >>> network = Mesh(np.eye(3), {"line": [[0, 1], [1, 2]]}, {"inlet": Group(0, facets=[[0]])})
    >>> VaryingMesh.of(network)
    VaryingMesh(dim=3, cells=('line',), groups=(GroupKind(name='inlet', dim=0, nodes=1),))
    """

    dim: int
    cells: tuple[str, ...]
    groups: tuple[GroupKind, ...] = ()
    offsets: Offsets = field(default_factory=dict, compare=False, repr=False)

    kind = "mesh"

    def __post_init__(self) -> None:
        unknown = [name for name in self.cells if name not in SHAPES]
        names = [group.name for group in self.groups]
        if self.dim not in (1, 2, 3) or unknown or not self.cells or len(set(self.cells)) < len(self.cells):
            raise InputError(f"meshes have 1 to 3 coordinates and types of cells, each once; got {self!r}.")
        if len(set(names)) < len(names) or any(group.nodes < 0 or not 0 <= group.dim <= 3 for group in self.groups):
            raise InputError(f"each group of a mesh needs a name of its own and a dimension from 0 to 3; got {self!r}.")
        check_names(names)

    def __str__(self) -> str:
        groups = ", ".join(group.name for group in self.groups)
        return f"a mesh for each in {self.dim}-D of {', '.join(self.cells)}{', groups: ' + groups if groups else ''}"

    @classmethod
    def of(cls, mesh: Mesh) -> VaryingMesh:
        """Return the kind of a mesh.

        Parameters
        ----------
        mesh : one that the others are like
        """
        groups = tuple(
            GroupKind(name, group.dim, 0 if group.facets is None else group.facets.shape[1])
            for name, group in mesh.groups.items()
        )
        return cls(mesh.dim, tuple(mesh.cells), groups)

    def parts(self) -> dict[str, Part]:
        """Arrays of a mesh by name: coordinates, points of the cells, members of the groups."""
        return {
            "points": Part("float64", (self.dim,)),
            **{f"cells/{name}": Part("int64", (SHAPES[name].nodes,)) for name in self.cells},
            **{f"groups/{group.name}": Part("int64", (group.nodes,) * (group.nodes > 0)) for group in self.groups},
        }

    def split(self, on: Grid | Mesh) -> dict[str, np.ndarray]:
        """Return the arrays of one mesh, after a check that it is of this kind.

        Parameters
        ----------
        on : the mesh of a sample
        """
        if not isinstance(on, Mesh) or VaryingMesh.of(on) != self:
            raise InputError(f"the mesh of every sample must be like {self!r}, got {on}; a part of it may be empty.")
        return {
            "points": on.points,
            **{f"cells/{name}": nodes for name, nodes in on.cells.items()},
            **{f"groups/{name}": group.members for name, group in on.groups.items()},
        }

    def build(self, arrays: Mapping[str, np.ndarray]) -> Mesh:
        """Return the mesh of these arrays.

        Parameters
        ----------
        arrays : by name, as :meth:`split` returns them
        """
        groups = {
            group.name: Group(group.dim, **{"facets" if group.nodes else "cells": arrays[f"groups/{group.name}"]})
            for group in self.groups
        }
        return Mesh(arrays["points"], {name: arrays[f"cells/{name}"] for name in self.cells}, groups)

    def numbers(self, part: str) -> Literal["", "point", "cell"]:
        """Return what the whole numbers in a part count: points or cells of the mesh; empty for its coordinates.

        Parameters
        ----------
        part : key of :meth:`parts`
        """
        if part == "points":
            return ""
        return "cell" if part in [f"groups/{group.name}" for group in self.groups if not group.nodes] else "point"

    def located(self, rows: Offsets) -> VaryingMesh:
        """Return this kind with the offsets of a file.

        Parameters
        ----------
        rows : offsets by part
        """
        return replace(self, offsets=dict(rows))

    def lengths(self, location: Location, sample: int | None) -> tuple[int | None, ...]:
        """Return (points,) or (cells,) of a sample, (None,) where none is given.

        Parameters
        ----------
        location : "points" or "cells"
        sample : its number
        """
        if sample is None:
            return (None,)
        names = ["points"] if location == "points" else [f"cells/{name}" for name in self.cells]
        return (sum(int(self.offsets[name][sample + 1] - self.offsets[name][sample]) for name in names),)

    def starts(self, location: Location) -> np.ndarray:
        """Return the number of points or cells before each sample, (samples + 1,).

        Parameters
        ----------
        location : "points" or "cells"
        """
        if location == "points":
            return self.offsets["points"]
        return np.sum([self.offsets[f"cells/{name}"] for name in self.cells], axis=0)

    def rows(self, sample: int) -> dict[str, slice]:
        """Return where the arrays of a sample lie among the rows of all.

        Parameters
        ----------
        sample : its number
        """
        return {name: slice(int(rows[sample]), int(rows[sample + 1])) for name, rows in self.offsets.items()}

    def sizes(self) -> dict[str, np.ndarray]:
        """Return the numbers of points and cells of each sample."""
        return {name: np.diff(self.starts(name)) for name in ("points", "cells")}  # type: ignore[arg-type]

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"kind": self.kind, "dim": self.dim, "cells": list(self.cells), "groups": [list(g) for g in self.groups]}
