"""The places that the values of a data set are at, and its times: common to all samples, or different for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sciml.data.formats.varying_grid import VaryingGrid
from sciml.data.formats.varying_mesh import GroupKind, VaryingMesh
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh
from sciml.mesh.field import Location


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
