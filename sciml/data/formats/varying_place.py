"""`VaryingPlace`: the interface of a kind of place of which a data set has one for each sample.

A kind says what the samples have in common, how one place comes apart into arrays whose rows follow one another in a
file, and how it is put together again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np

from sciml.errors import InputError
from sciml.mesh import Grid, Mesh
from sciml.mesh.field import Location

Offsets = Mapping[str, np.ndarray]


class Part(NamedTuple):
    """The rows of one array of a place: their numbers, their shape, and whether each sample has exactly one."""

    dtype: str
    shape: tuple[int, ...] = ()
    single: bool = False


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


def check_names(names: Sequence[str]) -> None:
    """Refuse names that an HDF5 file cannot hold, or that a reader could not tell apart.

    Parameters
    ----------
    names : of fields, parameters, places or groups
    """
    for name in names:
        if not name.isprintable() or not name.strip() or "/" in name or name == "." or "\\" in name:
            raise InputError(f"names in a data set must be printable and without '/'; got {name!r}.")
