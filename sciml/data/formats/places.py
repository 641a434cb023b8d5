"""The places that the values of a data set are at, and its times: common to all samples, or different for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sciml.checks import choice
from sciml.config_errors import Where
from sciml.data.formats.varying_grid import VaryingGrid
from sciml.data.formats.varying_mesh import GroupKind, VaryingMesh
from sciml.errors import ConfigError, InputError
from sciml.mesh import Grid, Mesh
from sciml.mesh.field import Location
from sciml.typed_values import TypedValues


@dataclass(frozen=True)
class VaryingTimes:
    """The kind of times of which each sample has its own, such as those of a solver that chooses its steps.

    Parameters
    ----------
    offsets : of a data set that was read: the first time of each sample, (samples + 1,) int64
    """

    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64), compare=False, repr=False)

    def steps(self, sample: int | None) -> int | None:
        """Return the number of times of a sample, None where none is given.

        Parameters
        ----------
        sample : its number
        """
        return None if sample is None else int(self.offsets[sample + 1] - self.offsets[sample])


Place = Grid | Mesh | VaryingMesh | VaryingGrid


def from_plain(given: dict[str, Any]) -> VaryingMesh | VaryingGrid:
    """Return the kind of place that :meth:`VaryingPlace.to_plain` turned into plain values.

    Parameters
    ----------
    given : of a file, not checked yet
    """
    kinds: dict[Any, type] = {"mesh": _PlainMesh, "grid": _PlainGrid}
    kind = choice("the kind of a place", given.get("kind"), tuple(kinds))
    try:
        plain = TypedValues(Where("the description")).check(kinds[kind], given, "a place")
    except ConfigError as error:
        raise InputError(str(error)) from error
    if kind == "mesh":
        return VaryingMesh(plain["dim"], tuple(plain["cells"]), tuple(GroupKind(*group) for group in plain["groups"]))
    return VaryingGrid(plain["dim"], tuple(plain["periodic"]), plain["centring"])


@dataclass(frozen=True)
class _PlainMesh:
    """The types of `VaryingMesh.to_plain`."""

    kind: str
    dim: int
    cells: list[str]
    groups: list[tuple[str, int, int]]


@dataclass(frozen=True)
class _PlainGrid:
    """The types of `VaryingGrid.to_plain`."""

    kind: str
    dim: int
    periodic: list[bool]
    centring: Literal["vertex", "cell"]


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
