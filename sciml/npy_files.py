"""Read ``.npy`` and ``.npz`` files of unknown origin: nothing is unpickled, and nothing expands without a limit.

The header of an array must account for every byte of its file before memory is taken for it, and a compressed file may
not expand beyond half of the memory of the machine.
"""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from sciml.errors import DataFormatError
from sciml.memory import GIBIBYTE, machine_memory
from sciml.regular_files import open_regular

# Deflate cannot expand by more than 1032; a zip member that promises more does not hold what it promises.
DEFLATE_RATIO = 1032


def memory_limit() -> int:
    """Return the bytes that one file may expand to: half of the machine's memory."""
    return machine_memory() // 2


def check_expanded_size(size: int) -> None:
    """Raise ValueError if what a file holds would take more bytes than :func:`memory_limit`."""
    if size > memory_limit():
        raise ValueError(
            f"it expands to {size / GIBIBYTE:.1f} GiB, more than half of this machine's memory "
            f"({memory_limit() / GIBIBYTE:.1f} GiB)"
        )


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays of an ``.npz`` file; a name that is there twice is refused."""
    with open_regular(path, DataFormatError) as file, zipfile.ZipFile(file) as archive:
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"it has two arrays {name!r}")
    return names


def read_npz(path: Path, only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file by name; object arrays are refused.

    Parameters
    ----------
    path : of the file
    only : names of the arrays to read, those that there are; all by default
    """
    arrays = {}
    names = npz_names(path)
    with open_regular(path, DataFormatError) as file, zipfile.ZipFile(file) as archive:
        members = dict(zip(names, archive.infolist(), strict=True))
        members = {name: info for name, info in members.items() if only is None or name in only}
        check_expanded_size(sum(info.file_size for info in members.values()))
        for name, info in members.items():
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"its member {name!r} is compressed by another method than NumPy uses")
            if info.file_size > DEFLATE_RATIO * info.compress_size + 1024:
                raise ValueError(f"its member {name!r} declares more bytes than the file can hold")
            with archive.open(info) as stream:
                check_npy_header(stream, info.file_size, name)
        for name, info in members.items():
            with archive.open(info) as stream:
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def read_npy(path: Path) -> np.ndarray:
    """Return the array of an ``.npy`` file."""
    with open_regular(path, DataFormatError) as stream:
        size = os.fstat(stream.fileno()).st_size
        check_npy_header(stream, size, "array")
        check_expanded_size(size)
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def check_npy_header(stream: IO[bytes], size: int, name: str) -> None:
    """Raise ValueError unless the header at the stream's position describes exactly the `size` bytes of the file."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"its member {name!r} has the .npy version {version}, expected 1.0 or 2.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            shape, _, dtype = readers[version](stream)
        except UserWarning as warning:
            raise ValueError(f"the header of its member {name!r} is damaged") from warning
    if dtype.hasobject:
        raise ValueError(f"its member {name!r} holds Python objects, and pickled objects are never loaded")
    expected = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or stream.tell() + expected != size:
        raise ValueError(
            f"its member {name!r} of shape {shape} and type {dtype} needs {expected} bytes, "
            f"the file has {size - stream.tell()}"
        )


def map_npy(path: Path) -> np.ndarray:
    """Return the array of an ``.npy`` file, mapped into memory to be read."""
    with open_regular(path, DataFormatError) as stream:
        check_npy_header(stream, os.fstat(stream.fileno()).st_size, "array")
    return np.load(path, mmap_mode="r", allow_pickle=False)
