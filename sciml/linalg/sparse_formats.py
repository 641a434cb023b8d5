"""Readers of the single file formats behind :mod:`sciml.linalg.sparse_files`.

Every count in a header is compared with the size of the file before anything is allocated, compressed files may not
expand beyond half of the machine's memory, and nothing is ever unpickled.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from sciml.checks import real_array, whole_array
from sciml.errors import DataFormatError, InputError, SciMLError
from sciml.linalg.validation import DIRICHLET, FLUID, SOLID
from sciml.memory import GIBIBYTE
from sciml.npy_files import check_expanded_size, memory_limit

# Text of numbers shrinks by 5 to 50 when compressed; beyond this it is not a matrix.
TEXT_RATIO = 500
# A file may have empty rows, but not so many that the row pointer alone is out of proportion to the file.
EMPTY_ROWS = 2**20
MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
    SyntaxError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
    struct.error,
)
MLPCG_TO_CELLS = np.array([SOLID, SOLID, FLUID, DIRICHLET], np.uint8)


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever goes wrong while `path` is read as `kind` into an error that names the file and the reason."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except SciMLError:
        raise
    except MemoryError as error:
        raise DataFormatError(f"{path} cannot be read as {kind}: it does not fit into memory.") from error
    except (gzip.BadGzipFile, *MALFORMED) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataFormatError(f"{path} cannot be read as {kind}: {reason.rstrip('.')}.") from error
    except OSError as error:
        raise DataFormatError(f"{path} cannot be opened: {error.strerror or error}.") from error


def sparse_from_arrays(arrays: dict[str, np.ndarray], file_bytes: int) -> sp.csr_array:
    """Return the matrix from the arrays that ``scipy.sparse.save_npz`` writes for the formats csr, csc, coo and dia."""
    kind = arrays["format"].item()
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    shape = _integers(arrays, "shape")
    if shape.shape != (2,):
        raise ValueError(f"its shape is {shape.tolist()}, expected (rows, columns)")
    rows, columns = (int(n) for n in shape)
    check_rows(rows, columns, file_bytes)
    data = real_array("data", arrays["data"], finite=False)  # before duplicates are added up: small integers overflow
    if kind in ("csr", "csc"):
        outer, inner = (rows, columns) if kind == "csr" else (columns, rows)
        matrix = compressed(data, _integers(arrays, "indices"), _integers(arrays, "indptr"), (outer, inner))
        return matrix if kind == "csr" else sp.csr_array(matrix.T)
    if kind == "coo":
        row, column = _integers(arrays, "row"), _integers(arrays, "col")
        _check_range(row, rows, "row")
        _check_range(column, columns, "column")
        return sp.csr_array(sp.coo_array((data, (row, column)), shape=(rows, columns)))
    if kind == "dia":
        return sp.csr_array(sp.dia_array((data, _integers(arrays, "offsets")), shape=(rows, columns)))
    raise ValueError(f"it holds a sparse matrix in the format {kind!r}, expected csr, csc, coo or dia")


def _integers(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"its array {name!r} is missing")
    return whole_array(name, arrays[name], shape=("numbers",))


def check_rows(rows: int, columns: int, file_bytes: int) -> None:
    """Raise ValueError for a negative size, or one that is out of proportion to the bytes that hold the entries."""
    if min(rows, columns) < 0 or max(rows, columns) > EMPTY_ROWS + 16 * file_bytes:
        raise ValueError(f"it declares {rows} rows and {columns} columns, which does not fit its {file_bytes} bytes")


def _check_range(indices: np.ndarray, end: int, name: str) -> None:
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= end):
        raise ValueError(f"its {name} numbers run from {indices.min()} to {indices.max()}, expected 0 to {end - 1}")


def compressed(data: np.ndarray, indices: np.ndarray, starts: np.ndarray, shape: tuple[int, int]) -> sp.csr_array:
    """Return the CSR matrix of the given shape from its three arrays, after checking every index."""
    if data.ndim != 1 or data.shape != indices.shape:
        raise ValueError(f"it has {data.shape} values but {indices.shape} column numbers")
    if starts.shape != (shape[0] + 1,):
        raise ValueError(f"it has {starts.size} row starts, expected {shape[0] + 1}")
    if starts[0] != 0 or starts[-1] != data.size or (starts[1:] < starts[:-1]).any():
        raise ValueError(f"its row starts do not rise from 0 to the {data.size} values")
    _check_range(indices, shape[1], "column")
    return sp.csr_array((data, indices, starts), shape=shape)


# -------------------------------------------------------------------------------------------------- Matrix Market


def read_matrix_market(path: Path) -> sp.coo_array | np.ndarray:
    """Return the content of a ``.mtx[.gz]`` file: a sparse matrix (symmetric storage expanded) or a 2-D array.

    Entries that are given twice add up. Equivalent to ``scipy.io.mmread`` for real files; that reader ends the process
    on some damaged files, this one raises ValueError.
    """
    with path.open("rb") as stream:
        head = stream.read(2)
    limit = memory_limit()
    if head == b"\x1f\x8b":
        limit = min(limit, 2**20 + TEXT_RATIO * path.stat().st_size)
        with gzip.open(path) as stream:
            text = stream.read(limit + 1)
    else:
        check_expanded_size(path.stat().st_size)
        text = path.read_bytes()
    if len(text) > limit:
        raise ValueError(f"it expands to more than {limit / GIBIBYTE:.2g} GiB; unpack it if that is intended")
    layout, field, symmetry, counts, body = _split_matrix_market(text)
    numbers = _parse_numbers(body)
    if layout == "array":
        return _dense_entries(numbers, counts, symmetry)
    rows, columns, count = counts
    check_rows(rows, columns, len(text))
    width = 2 if field == "pattern" else 3
    if numbers.size != count * width:
        raise ValueError(f"it declares {count} entries of {width} numbers but holds {numbers.size} numbers")
    table = numbers.reshape(count, width)
    row, column = _one_based(table[:, 0], rows, "row"), _one_based(table[:, 1], columns, "column")
    values = np.ones(count) if field == "pattern" else table[:, 2].copy()
    if symmetry == "symmetric":
        if (row > column).any() and (row < column).any():  # expanded, such entries would count twice
            raise ValueError("it is symmetric but has entries on both sides of the diagonal; give one side, or general")
        off = row != column
        row, column = np.concatenate([row, column[off]]), np.concatenate([column, row[off]])
        values = np.concatenate([values, values[off]])
    return sp.coo_array((values, (row, column)), shape=(rows, columns))


def _split_matrix_market(text: bytes) -> tuple[str, str, str, list[int], bytes]:
    """Return layout, field, symmetry, the counts of the size line, and the text after it."""
    stream = io.BytesIO(text)
    banner = stream.readline(200).decode("ascii").lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"] or banner[2] not in ("coordinate", "array"):
        raise ValueError("its first line is not '%%MatrixMarket matrix coordinate|array FIELD SYMMETRY'")
    layout, field, symmetry = banner[2:]
    if field not in ("real", "double", "integer", "pattern") or symmetry not in ("general", "symmetric"):
        raise ValueError(f"it is {field} and {symmetry}, expected real and general or symmetric")
    line = b"%"
    while line and (line.startswith(b"%") or not line.strip()):
        line = stream.readline()
    words = line.split()[:4]
    if len(words) != (3 if layout == "coordinate" else 2) or not all(word.isdigit() for word in words):
        raise ValueError(f"its size line is {line[:60].decode('ascii', 'replace').strip()!r}")
    return layout, field, symmetry, [int(word) for word in words], text[stream.tell() :]


def _parse_numbers(text: bytes) -> np.ndarray:
    """Return all numbers of a text as float64: exact for the integers below 2^53."""
    if not text.strip():
        return np.empty(0)
    with warnings.catch_warnings():
        # numpy < 2.3 warns of text that is not a number, later versions raise ValueError.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ValueError("its entries are not all numbers") from error


def _one_based(numbers: np.ndarray, end: int, name: str) -> np.ndarray:
    if not ((numbers >= 1) & (numbers <= end) & (numbers == np.floor(numbers))).all():
        raise ValueError(f"its {name} numbers are not all whole and from 1 to {end}")
    return numbers.astype(np.int64) - 1


def _dense_entries(numbers: np.ndarray, counts: list[int], symmetry: str) -> np.ndarray:
    """Return an array from its columns, or from the lower triangle of its columns."""
    rows, columns = counts
    expected = rows * columns if symmetry == "general" else rows * (rows + 1) // 2
    if numbers.size != expected or (symmetry == "symmetric" and rows != columns):
        raise ValueError(f"it declares {symmetry} {rows} x {columns} values but holds {numbers.size} numbers")
    if symmetry == "general":
        return numbers.reshape(columns, rows).T
    column, row = np.triu_indices(rows)
    full = np.empty((rows, rows))
    full[row, column] = full[column, row] = numbers
    return full


# ------------------------------------------------------------------------------------- DCDM and MLPCG binary files


def binary_kind(path: Path) -> str:
    """Return the raw layout that agrees with the size: ``"matrix"``, ``"flags"``, ``"vector"`` or ``"unknown"``."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(20)
    if len(head) == 20:
        rows, columns, count, outer, inner = np.frombuffer(head, "<i4").tolist()
        sizes = (20 + 4 * outer + 8 * count, 20 + 4 * outer + 12 * count)
        if (outer, inner) == (rows, columns) and min(rows, columns) > 0 and count >= 0 and size in sizes:
            return "matrix"
    if len(head) >= 8:
        count = int.from_bytes(head[:8], "little")
        if count > 0 and size == 8 + 4 * count:
            return "flags"
        if count > 0 and size == 8 + 8 * count:
            return "vector"
    return "unknown"


def read_binary_matrix(path: Path) -> sp.csr_array:
    """Return the matrix in a little-endian DCDM file.

    int32 rows, columns, count, outer size (= rows), inner size (= columns); `count` float32 or float64 values, told
    apart by the size of the file; the int32 start of each row; `count` int32 column numbers.
    """
    with path.open("rb") as stream:
        rows, columns, count, _, _ = np.fromfile(stream, "<i4", 5).tolist()
        value_type = "<f8" if path.stat().st_size == 20 + 4 * rows + 12 * count else "<f4"
        values = np.fromfile(stream, value_type, count)
        starts = np.append(np.fromfile(stream, "<i4", rows), np.int32(count))
        indices = np.fromfile(stream, "<i4", count)
    return compressed(values, indices, starts, (rows, columns))


def read_binary_vector(path: Path) -> np.ndarray:
    """Return a DCDM vector: an 8-byte count, then float64 values, little-endian."""
    return np.fromfile(path, "<f8", offset=8)


def read_binary_flags(path: Path, shape: tuple[int, ...] | None) -> np.ndarray:
    """Return MLPCG flags (uint64 count, then int32, the last axis fastest) as cell codes.

    0 boundary and 1 solid become 2 Neumann solid, 2 fluid becomes 0 fluid, 3 air becomes 1 Dirichlet. The grid is a
    cube unless `shape` is given.
    """
    flags = np.fromfile(path, "<i4", offset=8)
    edge = round(flags.size ** (1 / 3))
    shape = (edge, edge, edge) if shape is None else tuple(shape)
    if math.prod(shape) != flags.size or min(shape) < 1:
        raise InputError(f"its {flags.size} flags do not fill the shape {shape}; give the shape of the grid.")
    wrong = (flags < 0) | (flags > 3)
    if wrong.any():
        raise InputError(
            f"it holds the flag {flags[np.argmax(wrong)]} ({np.count_nonzero(wrong)} unknown flags in all), expected "
            "0 boundary, 1 solid, 2 fluid, 3 air."
        )
    return MLPCG_TO_CELLS[flags].reshape(shape)
