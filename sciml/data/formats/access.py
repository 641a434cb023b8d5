"""Careful access to HDF5 files of unknown origin, and the sources that most layouts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sciml.errors import DataFormatError
from sciml.mesh import Grid, Mesh

LARGEST_TABLE = 1 << 24  # numbers in a coordinate or a list of parameters
LARGEST_RATIO = 1100  # gzip cannot make data smaller than by this factor
CHECKS = (2, 3)  # the HDF5 filters that leave the size as it is: shuffle, fletcher32


def dataset(file: Any, name: str) -> Any:
    """Return an HDF5 data set of numbers that is wholly in this file.

    A file may point at any other file of the machine (external links and storage, virtual data sets): these are
    refused. So is a size that the file cannot hold, before memory is taken for it.
    """
    import h5py

    found = file
    for part in name.split("/"):
        if isinstance(found.get(part, getlink=True), h5py.ExternalLink):
            raise DataFormatError(f"{file.filename}: {name} is a link to another file; copy the values into this one.")
        found = found[part]
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "biuf":
        raise DataFormatError(f"{file.filename}: {name} must be a data set of numbers.")
    if found.external or found.is_virtual:
        raise DataFormatError(f"{file.filename}: {name} lies in another file; copy the values into this one.")
    creation = found.id.get_create_plist()
    plain = all(creation.get_filter(k)[0] in CHECKS for k in range(creation.get_nfilters()))
    stored = min(found.id.get_storage_size(), file.file.id.get_filesize())
    if found.size * found.dtype.itemsize > stored * (1 if plain else LARGEST_RATIO):
        raise DataFormatError(
            f"{file.filename}: {name} has shape {found.shape}, but not all its values are there; "
            "the file is not complete."
        )
    return found


def table(file: Any, name: str) -> np.ndarray:
    """Return a small data set, such as a coordinate, as float64."""
    found = dataset(file, name)
    if found.size > LARGEST_TABLE:
        raise DataFormatError(f"{file.filename}: {name} has {found.size} numbers, at most {LARGEST_TABLE} make sense.")
    with np.errstate(invalid="ignore"):  # a damaged file may hold signalling nans
        return np.asarray(found[()], dtype=np.float64)


def text(value: Any) -> str:
    """Return an attribute as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def texts(value: Any) -> list[str]:
    """Return an attribute that is a text or a list of texts as a list."""
    return [text(item) for item in np.atleast_1d(value).tolist()]


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
