"""The interface of a data set to the rest of sciml, whatever layout its file has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from sciml.checks import choice
from sciml.data.formats.description import Description
from sciml.data.formats.places import VaryingGrid, VaryingMesh, VaryingTimes, read_rows
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Field, Grid, Mesh
from sciml.npy_files import map_npy
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

MOST_OPEN = 64  # data sets of a file; the library keeps up to 1 MB of each in memory


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
        self._check_number(trajectory)
        count = len(range(*steps.indices(about.steps(trajectory) or 0))) if entry.time_varying else 1
        source = self._sources[name]
        with faults(self.path, f"field {name!r} ({source.datasets(1)[0]}), trajectory {trajectory}"):
            values = source.read(self.handle(), trajectory, steps if entry.time_varying else slice(None))
            return np.ascontiguousarray(values.reshape(count, *about.lengths(name, trajectory), *entry.components))

    def place(self, name: str, trajectory: int) -> Grid | Mesh:
        """Return the grid or mesh of a name, that of one trajectory where each has its own.

        Parameters
        ----------
        name : of the place, a key of ``description.places``
        trajectory : 0 to ``trajectories - 1``

        Raises
        ------
        DataFormatError : a checksum fails, or what is there is no grid or mesh
        """
        self._check_number(trajectory)
        place = self.description.places[choice(f"a place of {self.path}", name, self.description.places)]
        if not isinstance(place, VaryingMesh | VaryingGrid):
            return place
        with faults(self.path, f"place {name!r}, trajectory {trajectory}"):
            return place.build(read_rows(self.handle(), name, place, trajectory))

    def times(self, trajectory: int) -> np.ndarray:
        """Return the times of one trajectory, (steps,) float64.

        Parameters
        ----------
        trajectory : 0 to ``trajectories - 1``

        Raises
        ------
        DataFormatError : a checksum fails, or the times do not increase
        """
        self._check_number(trajectory)
        about = self.description.times
        if not isinstance(about, VaryingTimes):
            return about
        with faults(self.path, f"the times of trajectory {trajectory}"):
            rows = slice(int(about.offsets[trajectory]), int(about.offsets[trajectory + 1]))
            times = np.asarray(self.handle()["times"][rows])
            if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
                raise DataFormatError(f"the times of trajectory {trajectory} must be finite and increase.")
        return times

    def field(self, name: str, trajectory: int) -> Field:
        """Return one trajectory of a field as a `Field`, with its times if it varies."""
        entry, values = self.description[name], self.read(name, trajectory)
        on = self.place(entry.place, trajectory)
        location = None if isinstance(on, Grid) else entry.location
        if entry.time_varying:
            return Field(name, values, on, location, self.times(trajectory), entry.unit)
        return Field(name, values[0], on, location, unit=entry.unit)

    def handle(self) -> Any:
        """Return the open file: its data sets by name, a memory-mapped array, or a folder of pairs."""
        if self._file is None or self._process != os.getpid():  # a forked process must not share the file's position
            with faults(self.path, "it"):
                file = open_handle(self.path)
            self._file, self._process = OpenParts(file) if hasattr(file, "attrs") else file, os.getpid()
        return self._file

    def storage(self, name: str) -> list[str]:
        """Names of the parts of the file that hold a field."""
        return self._sources[name].datasets(self.description.trajectories)

    def close(self) -> None:
        """Close the file; reading opens it again."""
        if self._file is not None and hasattr(self._file, "close"):
            self._file.close()
        self._file = None

    def _check_number(self, trajectory: int) -> None:
        count = self.description.trajectories
        if not 0 <= trajectory < count:
            raise InputError(f"{self.path} has {count} trajectories, counted from 0; there is no {trajectory}.")

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
        return f"Dataset({str(self.path)!r}, {about.layout}: {about.shapes()})"


class OpenParts:
    """The data sets of an open HDF5 file, which stay open: that takes longer than to read a small sample.

    Parameters
    ----------
    file : open `h5py.File`
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._parts: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._parts:
            if len(self._parts) >= MOST_OPEN:
                self._parts.clear()
            self._parts[name] = self._file[name]
        return self._parts[name]

    def close(self) -> None:
        """Close the file and forget its parts."""
        self._parts.clear()
        self._file.close()


def open_handle(path: Path) -> Any:
    """Open a folder of pairs, or a file by its first bytes: ``.npy`` arrays are mapped, all others are HDF5."""
    if path.is_dir():
        from sciml.data.formats.openfwi import ShotFolder

        return ShotFolder(path)
    with open_regular(path, DataFormatError) as file:
        start = file.read(8)
    if start.startswith(b"\x93NUMPY"):
        return map_npy(path)
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
