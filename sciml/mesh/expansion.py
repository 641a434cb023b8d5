"""Limits on what a mesh file becomes in memory: compressed data, data that are used many times, and mere counts.

meshio decompresses and makes tables without looking at sizes: a VTU file of 600 KB becomes 6 GB, and a VTK file of 100
bytes a grid of 10^10 points. Meshes shrink by 2 to 50 when they are compressed, fields of one value by 1000 or more.
"""

from __future__ import annotations

import lzma
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from sciml.errors import InputError
from sciml.npy_files import memory_limit

LARGEST_RATIO = 500  # bytes in memory for each byte of a file
SMALL = 1 << 26  # bytes that any file may become
_DICTIONARY = 1 << 28  # bytes that an LZMA decoder may need beside what it returns
_MOST_GRID_POINTS = 1 << 22  # of a grid without a field
_DIMENSIONS = re.compile(rb"(?im)^\s*DIMENSIONS\s+(\d+)\s+(\d+)\s+(\d+)")
_COUNTED = re.compile(rb"(?im)^\s*(?:POINTS|CELLS|CELL_TYPES|POINT_DATA|CELL_DATA|[XYZ]_COORDINATES)\s+(\d+)")
_left: ContextVar[int | None] = ContextVar("bytes left", default=None)


def largest_size(length: int) -> int:
    """Return the bytes that a file of some bytes may become in memory."""
    return min(memory_limit(), SMALL + LARGEST_RATIO * length)


@contextmanager
def limited_decompression(reader: Any, length: int) -> Iterator[None]:
    """Limit what the reader of VTU files of meshio decompresses inside of the block.

    Parameters
    ----------
    reader : its module
    length : of the file in bytes

    Raises
    ------
    InputError
        Before more than :func:`largest_size` is decompressed altogether.
    """
    # The decoders stay in the place of those of the modules: other threads may read at the same time.
    reader.zlib = SimpleNamespace(decompress=_inflate, compress=zlib.compress)
    reader.lzma = SimpleNamespace(decompress=_unpack, compress=lzma.compress)
    token = _left.set(largest_size(length))
    try:
        yield
    finally:
        _left.reset(token)


def check_appended(path: Path) -> None:
    """Refuse a VTU file whose arrays share their data so often that they need much more memory than the file."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:  # raw data, which meshio takes once
        return
    length = sum(len(data.text or "") for data in root.iter("AppendedData"))
    starts = [int(array.get("offset", 0)) for array in root.iter("DataArray") if array.get("format") == "appended"]
    if min(starts, default=0) < 0 or sum(max(length - start, 0) for start in starts) > largest_size(length):
        raise InputError(f"{len(starts)} arrays share data of {length} bytes, more than makes sense")


def check_counts(content: bytes) -> None:
    """Refuse a VTK file that announces more points or cells than it has bytes, and grids that are large but empty."""
    counts = [int(count[:20]) for count in _COUNTED.findall(content)]
    grids = [math.prod(int(count[:20]) for count in found) for found in _DIMENSIONS.findall(content)]
    if max(counts, default=0) > len(content) or max(grids, default=0) > _MOST_GRID_POINTS + len(content):
        raise InputError(
            f"{max(counts + grids)} points or cells are announced, more than a file of {len(content)} bytes has"
        )


def _inflate(data: bytes) -> bytes:
    decoder = zlib.decompressobj()
    found = decoder.decompress(data, _allowed() + 1)
    return _counted(found, decoder.eof)


def _unpack(data: bytes) -> bytes:
    decoder = lzma.LZMADecompressor(memlimit=_DICTIONARY)
    found = decoder.decompress(data, _allowed() + 1)
    return _counted(found, decoder.eof)


def _allowed() -> int:
    left = _left.get()
    return memory_limit() if left is None else left


def _counted(found: bytes, complete: bool) -> bytes:
    """Return decompressed bytes and take them from those that are left."""
    if len(found) > _allowed():
        raise InputError("its compressed data become too large for a file of its size")
    if not complete:
        raise InputError("its compressed data are cut off")
    if _left.get() is not None:
        _left.set(_allowed() - len(found))
    return found
