"""The pieces in which HDF5 keeps numbers: each has its own checksum, and is read whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

CHUNK_BYTES = 1 << 16  # small steps share a chunk up to this size
LARGEST_CHUNK = 1 << 23


def chunks(shape: tuple[int, ...], itemsize: int, *, time_varying: bool) -> tuple[int, ...]:
    """Return chunks of one trajectory: several steps where they are small, part of the first axis of space where large.

    Parameters
    ----------
    shape : (trajectories[, steps], *places, *components)
    itemsize : bytes of a number
    time_varying : whether there is an axis of steps
    """
    rest = shape[2:] if time_varying else shape[1:]
    step = int(np.prod(rest)) * itemsize
    steps = (max(1, min(shape[1], CHUNK_BYTES // max(1, step))),) if time_varying else ()
    rows = max(1, min(rest[0], rest[0] * LARGEST_CHUNK // max(1, step)))
    return (1, *steps, rows, *rest[1:])


class GrowingRows:
    """A data set of HDF5 to which rows are appended.

    Parameters
    ----------
    file : open HDF5 file
    name : of the data set
    dtype : of the numbers
    shape : of a row
    options : of HDF5, such as the checksum
    """

    def __init__(self, file: Any, name: str, dtype: str, shape: tuple[int, ...], options: Mapping[str, Any]) -> None:
        size = np.dtype(dtype).itemsize * math.prod(shape)
        chunk = (max(1, CHUNK_BYTES // size), *shape)
        if size > LARGEST_CHUNK:  # a step of a field on a large grid
            chunk = (1, max(1, shape[0] * LARGEST_CHUNK // size), *shape[1:])
        self._data = file.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=chunk, **options)
        self.attributes = self._data.attrs
        self.offsets = [0]

    def append(self, values: np.ndarray) -> None:
        """Append the rows of one sample, of which there may be none.

        Parameters
        ----------
        values : (rows, *shape)
        """
        first, past = self.offsets[-1], self.offsets[-1] + len(values)
        self.offsets.append(past)
        if len(values):
            self._data.resize(past, axis=0)
            self._data[first:past] = values
