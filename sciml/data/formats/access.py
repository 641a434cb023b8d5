"""Careful access to HDF5 files of unknown origin, and the sources that most layouts share."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sciml.errors import DataFormatError
from sciml.mesh import Grid, Mesh

LARGEST_TABLE = 1 << 24  # numbers in a coordinate or a list of parameters
HEAP, HEAP_REACH = b"GCOL\x01\x00\x00\x00", 1 << 25  # start of a collection of texts, bytes searched for it


def dataset(file: Any, name: str) -> Any:
    """Return an HDF5 data set of numbers that is wholly in this file.

    What lies in another file is refused, see :func:`sciml.mesh.hdf5.inside`.
    """
    import h5py

    from sciml.mesh.hdf5 import inside

    found = inside(file, name)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "biuf":
        raise DataFormatError(f"{file.filename}: {name} must be a data set of numbers.")
    return found


def described(file: Any, name: str, dtype: str, shape: tuple[int, ...]) -> Any:
    """Return an HDF5 data set of numbers that has the type and the shape of the description of the file.

    Raises
    ------
    DataFormatError
        It has others.
    """
    found = dataset(file, name)
    if found.shape != shape or found.dtype != np.dtype(dtype):
        raise DataFormatError(
            f"{file.filename}: {name} has {found.dtype} of shape {found.shape}, expected {dtype} of shape {shape}."
        )
    return found


def table(file: Any, name: str) -> np.ndarray:
    """Return a small data set, such as a coordinate, as float64."""
    found = dataset(file, name)
    if found.size > LARGEST_TABLE:
        raise DataFormatError(f"{file.filename}: {name} has {found.size} numbers, at most {LARGEST_TABLE} make sense.")
    with np.errstate(invalid="ignore"):  # a damaged file may hold signalling nans
        return np.asarray(found[()], dtype=np.float64)


def unread(file: Any, known: Collection[str]) -> tuple[str, ...]:
    """Return the names at the top of a file that are not among those read."""
    return tuple(name for name in sorted(file) if name not in known)


def number(attributes: Any, name: str, default: Any) -> Any:
    """Return an attribute of numbers; one that damage turned into a text is not touched, as the library may hang.

    Parameters
    ----------
    attributes : those of an HDF5 object
    name : of the attribute
    default : if there is none
    """
    if name not in attributes:
        return default
    kind = attributes.get_id(name).dtype
    if kind.kind not in "biuf":
        raise DataFormatError(f"the attribute {name} must be a number, got {kind}; the file is damaged.")
    return attributes[name]


def text(value: Any) -> str:
    """Return an attribute as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def texts(value: Any) -> list[str]:
    """Return an attribute that is a text or a list of texts as a list."""
    return [text(item) for item in np.atleast_1d(value).tolist()]


def check_text_heaps(path: Path) -> None:
    """Refuse a file whose texts of variable length are damaged in the way that makes the HDF5 library loop for ever.

    They lie in collections, ``GCOL``, that have no checksum: a row of objects, each with a number and a size. Where a
    flipped bit leads the row to a free object, number 0, of size 0, the library never gets past it.

    Parameters
    ----------
    path : of the file; of one larger than 64 MB the first and last 32 MB are looked at, where attributes mostly are
    """
    size = path.stat().st_size
    pieces = [(0, size)] if size <= 2 * HEAP_REACH else [(0, HEAP_REACH), (size - HEAP_REACH, size)]
    with open(path, "rb") as file:
        for low, high in pieces:
            file.seek(low)
            content = file.read(high - low)
            place = content.find(HEAP)
            while place >= 0:
                if not _is_sound_heap(content, place, size - low):
                    raise DataFormatError(f"{path}: its texts cannot be read, the file is damaged.")
                place = content.find(HEAP, place + 1)


def _is_sound_heap(content: bytes, start: int, limit: int) -> bool:
    """Return True if the objects of a collection follow one another up to its end."""
    if start + 16 > len(content):
        return True  # cut off by the piece that was read, or by the end of the file, which the library notices
    end = start + int.from_bytes(content[start + 8 : start + 16], "little")
    place = start + 16
    if not place < end <= limit:
        return False
    while place + 16 <= min(end, len(content)):
        number = int.from_bytes(content[place : place + 2], "little")
        length = int.from_bytes(content[place + 8 : place + 16], "little")
        if number == 0 and length == 0:
            return False
        place += length if number == 0 else 16 + -(-length // 8) * 8
    return place >= end - 16 or end > len(content)


def grid_from_coordinates(axes: list[np.ndarray], periodic: tuple[bool, ...]) -> Grid | Mesh:
    """Return the cell-centred grid with these coordinates; uneven spacing gives the mesh of the points.

    Parameters
    ----------
    axes : coordinates along each axis, increasing
    periodic : per axis
    """
    lower, upper, even = [], [], True
    for axis in axes:
        steps = np.diff(axis)
        if axis.ndim != 1 or not axis.size or not np.isfinite(axis).all() or (steps <= 0).any():
            raise DataFormatError("the coordinates along an axis must be finite and increase.")
        step = float((axis[-1] - axis[0]) / len(steps)) if len(steps) else 1.0
        even = even and bool((np.abs(steps - step) <= 1e-3 * step).all())
        lower.append(float(axis[0]) - step / 2)
        upper.append(float(axis[-1]) + step / 2)
    shape = tuple(len(axis) for axis in axes)
    if even:
        return Grid(shape, tuple(lower), tuple(upper), periodic, "cell")
    if min(shape) < 2:
        raise DataFormatError(f"an uneven grid needs two points along each axis, got {shape}.")
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return Mesh(points, Grid(shape).to_mesh().cells)


@dataclass(frozen=True)
class Stack:
    """A field in one HDF5 data set, or a vector field with one data set for each component.

    Attributes
    ----------
    names : of the data sets
    sample_varying, time_varying : whether they have an axis of trajectories and one of steps
    missing : for each axis of the grid its length if the data set lacks the axis, else 0
    vector : whether each data set is one component of a vector
    """

    names: tuple[str, ...]
    sample_varying: bool = True
    time_varying: bool = True
    missing: tuple[int, ...] = ()
    vector: bool = False

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        """Return (steps, *places, *components) of one trajectory."""
        index = ((trajectory,) if self.sample_varying else ()) + ((steps,) if self.time_varying else ())
        parts = [np.asarray(file[name][index]) for name in self.names]
        values = np.stack(parts, axis=-1) if self.vector else parts[0]
        values = values if self.time_varying else values[None]
        for axis, length in enumerate(self.missing, start=1):
            if length:
                values = np.repeat(np.expand_dims(values, axis), length, axis)
        return values

    def datasets(self, trajectories: int) -> list[str]:
        """Names of the data sets that hold the values."""
        return list(self.names)
