"""The interface of a data set to the rest of sciml, whatever layout its file has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from sciml.checks import did_you_mean
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Field, Grid, Mesh
from sciml.mesh.field import Location
from sciml.regular_files import open_regular

# What h5py and numpy raise on files that are damaged or not what they claim to be.
FILE_FAULTS = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    IndexError,
    AttributeError,
    MemoryError,
    SyntaxError,
    TokenError,
)


@dataclass(frozen=True)
class DataField:
    """One quantity of a data set.

    Attributes
    ----------
    name : such as ``"velocity"``
    components : shape of one value: () for a scalar, (2,) for a vector in the plane
    dtype : numpy's name of the stored numbers
    unit : for labels, e.g. "m/s"
    location : "points" or "cells" of a mesh or grid
    time_varying : False for a quantity that has one value per trajectory, such as a coefficient
    """

    name: str
    components: tuple[int, ...] = ()
    dtype: str = "float32"
    unit: str = ""
    location: Location = "points"
    time_varying: bool = True


@dataclass(frozen=True, eq=False)
class Description:
    """A description of the contents of a data set.

    Attributes
    ----------
    name : of the data set
    on : the grid or mesh that all its fields are on
    times : (steps,) float64, increasing
    fields : its quantities
    trajectories : number of trajectories
    boundary : kind by axis or side: ``{"x": "periodic", "y-": "wall"}``
    parameters : by name, (trajectories, ...) float64
    generator : the command that made it; empty if unknown
    seed : of the random numbers, None if unknown
    part : (first, past the last, all) trajectories of a part of a larger data set, None for a whole one
    layout : of the file
    ignored : names in a file of a foreign layout that are not read; in our own layout there are none
    """

    name: str
    on: Grid | Mesh
    times: np.ndarray
    fields: tuple[DataField, ...]
    trajectories: int
    boundary: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    generator: str = ""
    seed: int | None = None
    part: tuple[int, int, int] | None = None
    layout: str = "sciml"
    ignored: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> DataField:
        for entry in self.fields:
            if entry.name == name:
                return entry
        known = [entry.name for entry in self.fields]
        raise InputError(
            f"there is no field {name!r} in the data set {self.name!r}, which has {', '.join(known)}"
            f"{did_you_mean(name, known) or '.'}"
        )

    def places(self, name: str) -> tuple[int, ...]:
        """Shape of the places that a field has values at: that of the grid, or (points,) or (cells,) of the mesh."""
        if isinstance(self.on, Grid):
            return self.on.shape
        return (self.on.n_points if self[name].location == "points" else self.on.n_cells,)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return ``(trajectories, steps, *places, *components)`` of a field; a field constant in time has one step."""
        steps = len(self.times) if self[name].time_varying else 1
        return (self.trajectories, steps, *self.places(name), *self[name].components)


class Source(Protocol):
    """The location of the values of one field in an open file."""

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        """Return ``(steps, *places, *components)`` of one trajectory."""
        ...

    def datasets(self, trajectories: int) -> list[str]:
        """Names of the parts of the file that hold the values."""
        ...


class Dataset:
    """A data set in a file, read trajectory by trajectory.

    The file is opened when it is first read, once in every process: the object can be sent to the workers of a loader.

    Parameters
    ----------
    path : of the file
    description : what is in it
    sources : where each field is

    Examples
    --------
    >>> from sciml.data import open_dataset                                             # doctest: +SKIP
    >>> with open_dataset("burgers.h5") as data:                                        # doctest: +SKIP
    ...     print(data.description.shape("u"), data.read("u", 0).shape)
    (100, 101, 256) (101, 256)
    """

    def __init__(self, path: Path, description: Description, sources: dict[str, Source]) -> None:
        self.path, self.description, self._sources = path, description, sources
        self._file: Any = None
        self._process = 0

    def read(self, name: str, trajectory: int, steps: slice = slice(None)) -> np.ndarray:
        """Return values of one trajectory, ``(steps, *places, *components)``; one step if they are constant in time.

        Parameters
        ----------
        name : of the field
        trajectory : 0 to ``trajectories - 1``
        steps : the steps to read; all by default

        Raises
        ------
        DataFormatError : a checksum fails, or the file ends too early
        """
        about = self.description
        entry = about[name]
        if not 0 <= trajectory < about.trajectories:
            raise InputError(
                f"{self.path} has {about.trajectories} trajectories, counted from 0; there is no {trajectory}."
            )
        count = len(range(*steps.indices(len(about.times)))) if entry.time_varying else 1
        source = self._sources[name]
        with faults(self.path, f"field {name!r} ({source.datasets(1)[0]}), trajectory {trajectory}"):
            values = source.read(self.handle(), trajectory, steps if entry.time_varying else slice(None))
            return np.ascontiguousarray(values.reshape(count, *about.places(name), *entry.components))

    def field(self, name: str, trajectory: int) -> Field:
        """Return one trajectory of a field as a `Field`, with its times if it varies."""
        entry, values = self.description[name], self.read(name, trajectory)
        location = None if isinstance(self.description.on, Grid) else entry.location
        if entry.time_varying:
            return Field(name, values, self.description.on, location, self.description.times, entry.unit)
        return Field(name, values[0], self.description.on, location, unit=entry.unit)

    def handle(self) -> Any:
        """Return the open file: an `h5py.File`, or a memory-mapped array."""
        if self._file is None or self._process != os.getpid():  # a forked process must not share the file's position
            with faults(self.path, "it"):
                self._file, self._process = open_handle(self.path), os.getpid()
        return self._file

    def storage(self, name: str) -> list[str]:
        """Names of the parts of the file that hold a field."""
        return self._sources[name].datasets(self.description.trajectories)

    def close(self) -> None:
        """Close the file; reading opens it again."""
        if self._file is not None and hasattr(self._file, "close"):
            self._file.close()
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_process": 0}

    def __repr__(self) -> str:
        about = self.description
        shapes = ", ".join(f"{entry.name} {about.shape(entry.name)}" for entry in about.fields)
        return f"Dataset({str(self.path)!r}, {about.layout}: {shapes})"


def open_handle(path: Path) -> Any:
    """Open a file by its first bytes: ``.npy`` arrays are mapped and never unpickled, all others are HDF5."""
    with open_regular(path, DataFormatError) as file:
        start = file.read(8)
    if start.startswith(b"\x93NUMPY"):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    import h5py

    from sciml.mesh.hdf5 import refuse_external_links

    file = h5py.File(path, "r")
    try:
        refuse_external_links(file)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def faults(path: Path, what: str) -> Iterator[None]:
    """Turn what a damaged file makes h5py and numpy raise into one sentence.

    Parameters
    ----------
    path : the file
    what : is read
    """
    try:
        yield
    except DataFormatError as error:
        if str(path) in str(error):
            raise
        raise DataFormatError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise DataFormatError(f"there is no file {path}.") from error
    except FILE_FAULTS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataFormatError(
            f"{path}: {what} cannot be read, the file is damaged or not complete ({reason})."
        ) from error
