"""Places that differ from sample to sample: meshes and grids of which a data set has one for each sample.

A kind of place says what the samples have in common (`VaryingMesh`: the types of cells and the groups; `VaryingGrid`:
the number of axes), how one place comes apart into arrays whose rows follow one another in a file, and how it is put
together again. The numbers of points in the cells and groups of a sample count its own points, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np

from sciml.errors import InputError
from sciml.mesh import Grid, Group, Mesh
from sciml.mesh.field import Location
from sciml.mesh.shapes import SHAPES

Offsets = Mapping[str, np.ndarray]


class Part(NamedTuple):
    """The rows of one array of a place: their numbers, their shape, and whether each sample has exactly one."""

    dtype: str
    shape: tuple[int, ...] = ()
    single: bool = False


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


class VaryingPlace(Protocol):
    """The interface of a kind of place that differs from sample to sample."""

    kind: str

    def parts(self) -> dict[str, Part]:
        """Arrays of a place by name."""
        ...

    def split(self, on: Grid | Mesh) -> dict[str, np.ndarray]:
        """Return the arrays of one place, after a check that it is of this kind."""
        ...

    def build(self, arrays: Mapping[str, np.ndarray]) -> Grid | Mesh:
        """Return the place of these arrays."""
        ...

    def numbers(self, part: str) -> Literal["", "point", "cell"]:
        """Return what the whole numbers in a part count: points or cells of the place; empty if neither."""
        ...

    def located(self, rows: Offsets) -> Self:
        """Return this kind with what a file says of all samples: offsets of ragged parts, rows of single ones."""
        ...

    def lengths(self, location: Location, sample: int | None) -> tuple[int | None, ...]:
        """Shape of the places that values are at; None for each length that differs, where no sample is given."""
        ...

    def starts(self, location: Location) -> np.ndarray:
        """Return the number of values (of one step) before each sample, (samples + 1,)."""
        ...

    def rows(self, sample: int) -> dict[str, slice]:
        """Return where the arrays of a sample lie among the rows of all."""
        ...

    def sizes(self) -> dict[str, np.ndarray]:
        """Numbers by sample that say how large its place is, such as those of points and cells."""
        ...

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        ...


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


@dataclass(frozen=True)
class VaryingGrid:
    """The kind of the grids of a data set, each with a shape and a box of its own.

    Parameters
    ----------
    dim : number of axes
    periodic : per axis
    centring : "vertex" or "cell"
    shapes : of a data set that was read: (samples, dim) int64
    """

    dim: int
    periodic: tuple[bool, ...] = ()
    centring: Literal["vertex", "cell"] = "vertex"
    shapes: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64), compare=False, repr=False)

    kind = "grid"

    def __post_init__(self) -> None:
        periodic = tuple(self.periodic) or (False,) * self.dim
        if self.dim not in (1, 2, 3) or len(periodic) != self.dim or self.centring not in ("vertex", "cell"):
            raise InputError(f"grids have 1 to 3 axes and values at vertices or cells; got {self!r}.")
        object.__setattr__(self, "periodic", periodic)

    def __str__(self) -> str:
        wraps = ", ".join(axis for axis, periodic in zip("xyz", self.periodic, strict=False) if periodic)
        return f"a {self.centring}-centred grid for each in {self.dim}-D{', periodic in ' + wraps if wraps else ''}"

    @classmethod
    def of(cls, grid: Grid) -> VaryingGrid:
        """Return the kind of a grid.

        Parameters
        ----------
        grid : one that the others are like
        """
        return cls(grid.dim, tuple(grid.periodic), grid.centring)  # type: ignore[arg-type]

    def parts(self) -> dict[str, Part]:
        """Arrays of a grid by name: its shape and the corners of its box."""
        corner = Part("float64", (self.dim,), single=True)
        return {"shape": Part("int64", (self.dim,), single=True), "lower": corner, "upper": corner}

    def split(self, on: Grid | Mesh) -> dict[str, np.ndarray]:
        """Return the arrays of one grid, after a check that it is of this kind.

        Parameters
        ----------
        on : the grid of a sample
        """
        if not isinstance(on, Grid) or VaryingGrid.of(on) != self:
            raise InputError(f"the grid of every sample must be like {self!r}, got {on}.")
        return {name: np.array([getattr(on, name)], part.dtype) for name, part in self.parts().items()}

    def build(self, arrays: Mapping[str, np.ndarray]) -> Grid:
        """Return the grid of these arrays.

        Parameters
        ----------
        arrays : by name, as :meth:`split` returns them
        """
        shape, lower, upper = (tuple(arrays[name][0].tolist()) for name in ("shape", "lower", "upper"))
        return Grid(shape, lower, upper, self.periodic, self.centring)

    def numbers(self, part: str) -> Literal["", "point", "cell"]:
        """Return an empty text: no part of a grid holds numbers of points or cells.

        Parameters
        ----------
        part : has no effect
        """
        return ""

    def located(self, rows: Offsets) -> VaryingGrid:
        """Return this kind with the shapes of a file.

        Parameters
        ----------
        rows : all rows by part
        """
        if (rows["shape"] < 1).any():
            raise InputError("the shape of a grid holds a number below 1.")
        return replace(self, shapes=rows["shape"])

    def lengths(self, location: Location, sample: int | None) -> tuple[int | None, ...]:
        """Return the shape of the grid of a sample, None for each axis where none is given.

        Parameters
        ----------
        location : has no effect
        sample : its number
        """
        return (None,) * self.dim if sample is None else tuple(self.shapes[sample].tolist())

    def starts(self, location: Location) -> np.ndarray:
        """Return the number of values before each sample, (samples + 1,).

        Parameters
        ----------
        location : has no effect
        """
        return _cumulative([math.prod(shape) for shape in self.shapes.tolist()])

    def rows(self, sample: int) -> dict[str, slice]:
        """Return where the arrays of a sample lie among the rows of all.

        Parameters
        ----------
        sample : its number
        """
        return dict.fromkeys(self.parts(), slice(sample, sample + 1))

    def sizes(self) -> dict[str, np.ndarray]:
        """Return the number of values of each sample."""
        return {"values": np.diff(self.starts("points"))}

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"kind": self.kind, "dim": self.dim, "periodic": list(self.periodic), "centring": self.centring}


Place = Grid | Mesh | VaryingMesh | VaryingGrid


def from_plain(given: dict[str, Any]) -> VaryingMesh | VaryingGrid:
    """Return the kind of place that :meth:`VaryingPlace.to_plain` turned into plain values.

    Parameters
    ----------
    given : of a file, not checked yet
    """
    if given["kind"] == "mesh":
        place: VaryingMesh | VaryingGrid = VaryingMesh(
            given["dim"], tuple(given["cells"]), tuple(GroupKind(*group) for group in given["groups"])
        )
    else:
        place = VaryingGrid(given["dim"], tuple(given["periodic"]), given["centring"])
    if place.to_plain() != given:
        raise InputError(f"a kind of place is {given}, expected one such as {place.to_plain()}.")
    return place


def is_varying(place: Place) -> bool:
    """Return True for a place of which each sample has its own."""
    return not isinstance(place, Grid | Mesh)


def lengths(place: Place, location: Location, sample: int | None = None) -> tuple[int | None, ...]:
    """Return the shape of the places that values are at, with None for each length that differs among the samples.

    Parameters
    ----------
    place : of the values
    location : "points" or "cells"
    sample : its number, which makes all lengths known
    """
    if isinstance(place, Grid):
        return place.shape
    if isinstance(place, Mesh):
        return (place.n_points if location == "points" else place.n_cells,)
    return place.lengths(location, sample)


def read_rows(file: Any, name: str, place: VaryingMesh | VaryingGrid, sample: int) -> dict[str, np.ndarray]:
    """Read the arrays of the place of one sample, and nothing else.

    Parameters
    ----------
    file : open HDF5 file with named places
    name : of the place
    place : its kind, with the offsets of the file
    sample : its number
    """
    return {part: np.asarray(file[f"places/{name}/{part}"][where]) for part, where in place.rows(sample).items()}


def same_place(one: Place, other: Place) -> bool:
    """Return True if two places, or kinds of places, are equal."""
    if not isinstance(one, Mesh) or not isinstance(other, Mesh):
        return one == other
    mine, its = VaryingMesh.of(one).split(one), VaryingMesh.of(other)
    return its == VaryingMesh.of(one) and all(
        np.array_equal(array, its.split(other)[name]) for name, array in mine.items()
    )


def check_names(names: Sequence[str]) -> None:
    """Refuse names that an HDF5 file cannot hold, or that a reader could not tell apart.

    Parameters
    ----------
    names : of fields, parameters, places or groups
    """
    for name in names:
        if not name.isprintable() or not name.strip() or "/" in name or name == "." or "\\" in name:
            raise InputError(f"names in a data set must be printable and without '/'; got {name!r}.")


def _cumulative(counts: Sequence[int]) -> np.ndarray:
    if sum(counts) >= 1 << 62:
        raise InputError(f"there are {sum(counts)} values, which no file can hold.")
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
