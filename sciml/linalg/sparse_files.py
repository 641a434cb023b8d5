"""Linear systems in files, recognised by their content and not by their name.

==========================  =====================================================================================
file                        content
==========================  =====================================================================================
cells ``.npz``              ``cells`` integers (nx, ny[, nz]): 0 fluid, 1 Dirichlet, 2 Neumann solid; ``b`` floats of
                            the same shape; optionally ``coefficient`` (> 0, same shape), ``spacing`` (one number or
                            one per axis), ``outside`` (one string for all sides, or 2 per axis in the order
                            ``x-, x+, y-, y+, z-, z+``; each ``"neumann"`` or ``"dirichlet"``)
scipy-sparse ``.npz``       as ``scipy.sparse.save_npz`` writes it (csr, csc, coo, dia), optionally with ``b`` and
                            with the ``spacing`` of the grid of its unknowns
``.mtx``, ``.mtx.gz``       Matrix Market, symmetric storage expanded
DCDM ``.bin``               a sparse matrix, see :func:`sciml.linalg.sparse_formats.read_binary_matrix`
MLPCG flags ``.bin``        cell flags, see :func:`sciml.linalg.sparse_formats.read_binary_flags`
==========================  =====================================================================================

A right-hand side in a file of its own is an ``.npy``, an ``.npz`` (its ``b`` or its only array), a Matrix Market array,
or a DCDM vector ``.bin`` (an 8-byte count, then float64).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import scipy.sparse as sp

from sciml.atomic import AtomicFile
from sciml.checks import did_you_mean, known_names, real_array
from sciml.checks.arrays import KINDS
from sciml.errors import DataFormatError, InputError
from sciml.linalg import sparse_formats as formats
from sciml.linalg.validation import FLUID, check_cells, check_coefficient, check_outside, check_spacing, side_names
from sciml.npy_files import npz_names, read_npy, read_npz
from sciml.regular_files import open_regular

CELL_ARRAYS = ("cells", "b", "coefficient", "spacing", "outside")
OTHER_NAMES = {"rhs": "b", "right_hand_side": "b"}  # too far from the names above to be recognised as near
SPARSE_ARRAYS = ("format", "shape", "data", "indices", "indptr", "row", "col", "offsets", "_is_array", "b", "spacing")
SYSTEMS = "an .npz with cells and b, a scipy-sparse .npz, a Matrix Market .mtx[.gz], a DCDM matrix or MLPCG flags .bin"
VECTORS = "an .npy, an .npz, a Matrix Market array or a DCDM vector .bin"


@dataclass(frozen=True)
class SystemFile:
    """A linear system as a file holds it; shapes agree, values are checked by the solvers.

    Attributes
    ----------
    kind
        ``"cells"``: a voxel Poisson problem, `matrix` is None. ``"matrix"``: a sparse matrix, `cells` is None.
    b
        Right-hand side, float64, in the shape of `cells`, or as the file has it when there is a matrix.
    cells
        Cell codes of shape (nx, ny) or (nx, ny, nz).
    coefficient
        Coefficient per cell, in the shape of `cells`, or None for 1.
    spacing
        Cell size per axis, or None for weights without 1/h^2; of a matrix, that of the grid of its unknowns.
    outside
        One boundary kind for all sides, or one per named side.
    matrix
        The sparse matrix.
    """

    kind: Literal["cells", "matrix"]
    b: np.ndarray
    cells: np.ndarray | None = None
    coefficient: np.ndarray | None = None
    spacing: tuple[float, ...] | None = None
    outside: str | dict[str, str] = "neumann"
    matrix: sp.csr_array | None = None


def read_system(path: str | Path, rhs: str | Path | None = None, *, shape: tuple[int, ...] | None = None) -> SystemFile:
    """Read a linear system of any of the formats above.

    Parameters
    ----------
    path
        The system.
    rhs
        File with the right-hand side; needed unless `path` holds ``b``, which it takes precedence over.
    shape
        Shape of the grid of an MLPCG flags file that is not a cube.

    Raises
    ------
    DataFormatError
        A file is missing, truncated, or of another format.
    InputError
        There is no right-hand side, or shapes disagree.
    """
    path = Path(path)
    with formats.reading(path, "a linear system"):
        arrays, matrix = _read_content(path, shape)
    if rhs is not None:
        b = read_vector(rhs)
    elif "b" in arrays:
        b = arrays["b"]
    else:
        raise InputError(
            f"{path} has no right-hand side; give one in a file of its own, with --rhs FILE (in Python, rhs=FILE)."
        )
    with formats.reading(path, "a linear system"):
        return _matrix_system(matrix, b, arrays) if matrix is not None else _cells_system(arrays, b)


def read_matrix(path: str | Path) -> sp.csr_array:
    """Read a sparse matrix from a scipy-sparse ``.npz``, a Matrix Market file or a DCDM ``.bin``."""
    path = Path(path)
    with formats.reading(path, "a sparse matrix"):
        matrix = _read_content(path, None)[1]
        if matrix is None:
            raise DataFormatError(f"{path} holds the cells of a grid, expected a sparse matrix; use read_system.")
    return matrix


def read_coefficient(path: str | Path) -> SystemFile:
    """Read the coefficient of a voxel Poisson problem from an ``.npz`` with the arrays of a cells ``.npz``.

    Only ``coefficient`` has to be there; without ``cells`` all of them are fluid, and without ``b`` it is 0.
    """
    path = Path(path)
    with formats.reading(path, "a coefficient"):
        if not _first_bytes(path).startswith(b"PK"):
            raise ValueError(
                "it is no .npz file, or it is truncated; numpy.savez(FILE, coefficient=k) writes an array k as one"
            )
        known_names("the name of an array beside the coefficient", names := npz_names(path), CELL_ARRAYS)
        if "coefficient" not in names:
            raise ValueError(f"it holds the arrays {', '.join(names) or 'nothing'}, expected 'coefficient'")
        arrays = read_npz(path)
        shape = real_array("the coefficient", arrays["coefficient"], finite=False).shape
        arrays.setdefault("cells", np.full(shape, FLUID, np.uint8))
        arrays["coefficient"] = check_coefficient(arrays["coefficient"], arrays["cells"].shape)
        return _cells_system(arrays, arrays.get("b", np.zeros(shape)))


def read_vector(path: str | Path) -> np.ndarray:
    """Read a right-hand side or an initial guess as float64, in the shape the file has (n x 1 becomes n)."""
    path = Path(path)
    with formats.reading(path, "a vector"):
        head = _first_bytes(path)
        if head.startswith(b"PK"):
            values = _only_array(read_npz(path))
        elif head.startswith(b"\x93NUMPY"):
            values = read_npy(path)
        elif head.startswith((b"%%MatrixMarket", b"\x1f\x8b")):
            values = formats.read_matrix_market(path)
            values = values.toarray() if sp.issparse(values) and 1 in values.shape else values
        elif formats.binary_kind(path) == "vector":
            values = formats.read_binary_vector(path)
        else:
            raise ValueError(f"it is none of {VECTORS}, or it is truncated")
        return _real(values, "the vector")


def _first_bytes(path: Path) -> bytes:
    with open_regular(path, DataFormatError) as stream:
        return stream.read(16)


def _read_content(path: Path, shape: tuple[int, ...] | None) -> tuple[dict[str, np.ndarray], sp.csr_array | None]:
    """Return the arrays of a system by name, and its matrix unless it is a grid of cells."""
    head = _first_bytes(path)
    if head.startswith(b"PK"):
        return _read_arrays(path, shape)
    if head.startswith((b"%%MatrixMarket", b"\x1f\x8b")):
        return {}, sp.csr_array(formats.read_matrix_market(path))
    kind = "unknown" if head.startswith(b"\x93NUMPY") else formats.binary_kind(path)
    if kind == "matrix":
        return {}, formats.read_binary_matrix(path)
    if kind == "flags":
        return {"cells": formats.read_binary_flags(path, shape)}, None
    if kind == "vector" or head.startswith(b"\x93NUMPY"):
        raise ValueError("it holds a vector; give the system here and the vector as its right-hand side")
    raise ValueError(f"it is none of {SYSTEMS}, or it is truncated")


def _read_arrays(path: Path, shape: tuple[int, ...] | None) -> tuple[dict[str, np.ndarray], sp.csr_array | None]:
    """Return the arrays of an ``.npz``, of which each has to have a name that means something."""
    names = npz_names(path)
    if "cells" in names:
        for name in names:
            if name.casefold() in OTHER_NAMES:
                raise InputError(f"it holds {name!r} beside cells; did you mean {OTHER_NAMES[name.casefold()]!r}?")
        known_names("the name of an array beside cells", names, CELL_ARRAYS)
        arrays = read_npz(path)
        if shape is not None and arrays["cells"].shape != shape:
            raise InputError(f"the cells have the shape {arrays['cells'].shape}, got {shape}; leave the shape out.")
        return arrays, None
    if "format" in names and "data" in names:
        known_names("the name of an array beside the matrix", names, SPARSE_ARRAYS)
        arrays = read_npz(path)
        return arrays, formats.sparse_from_arrays(arrays, path.stat().st_size)
    near = "".join(did_you_mean(name, ("cells", "data")) for name in names)
    raise ValueError(
        f"it holds the arrays {', '.join(names) or 'nothing'}, expected 'cells' or those of a scipy-sparse matrix{near}"
    )


def _only_array(arrays: dict[str, np.ndarray]) -> np.ndarray:
    if "b" in arrays:
        return arrays["b"]
    if len(arrays) != 1:
        raise ValueError(f"it holds the arrays {sorted(arrays)}, expected 'b' or one array alone")
    return next(iter(arrays.values()))


def _real(values: np.ndarray | sp.coo_array, name: str) -> np.ndarray:
    if sp.issparse(values):
        raise ValueError(f"{name} is a matrix, expected an array of numbers")
    values = real_array(name, values, finite=False)
    return values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values


def _cells_system(arrays: dict[str, np.ndarray], b: np.ndarray) -> SystemFile:
    cells = check_cells(arrays["cells"])
    b = _real(b, "b") if b.shape != cells.shape else real_array("b", b, finite=False)
    if b.ndim == 1 and b.size == cells.size:
        b = b.reshape(cells.shape)
    coefficient = arrays.get("coefficient")
    for name, values in (("b", b), ("coefficient", coefficient)):
        if values is not None and values.shape != cells.shape:
            raise InputError(f"{name} has shape {values.shape} but cells has shape {cells.shape}; they must agree.")
    spacing = check_spacing(arrays["spacing"], cells.ndim) if "spacing" in arrays else None
    outside = _decode_outside(arrays["outside"], cells.ndim) if "outside" in arrays else "neumann"
    return SystemFile("cells", b, cells=cells, coefficient=coefficient, spacing=spacing, outside=outside)


def _matrix_system(matrix: sp.csr_array, b: np.ndarray, arrays: Mapping[str, np.ndarray]) -> SystemFile:
    b = _real(b, "b")
    if b.size != matrix.shape[0]:
        raise InputError(f"b has {b.size} values but the matrix has {matrix.shape[0]} rows; they must agree.")
    spacing = check_spacing(arrays["spacing"], max(arrays["spacing"].size, 1)) if "spacing" in arrays else None
    return SystemFile("matrix", b, matrix=matrix, spacing=spacing)


def _decode_outside(values: np.ndarray, dimension: int) -> str | dict[str, str]:
    names = side_names(dimension)
    if values.dtype.kind not in "US" or values.shape not in ((), (len(names),)):
        held = KINDS.get(values.dtype.kind, str(values.dtype))
        raise InputError(
            f"outside is an array of {held} of shape {values.shape}, expected one text for all sides, or the "
            f"{len(names)} texts of the sides {', '.join(names)} in this order; "
            "sciml.linalg.sparse_files.write_cells writes them from a mapping."
        )
    words = [word.decode("ascii") if isinstance(word, bytes) else word for word in values.reshape(-1).tolist()]
    outside = words[0] if values.ndim == 0 else dict(zip(names, words, strict=True))
    check_outside(outside, dimension)
    return outside


# --------------------------------------------------------------------------------------------------------- writers


def write_solution(path: str | Path, x: np.ndarray) -> None:
    """Write the solution as the array ``x`` of an ``.npz`` file."""
    _write_npz(path, {"x": real_array("x", x, finite=False)})


def write_cells(
    path: str | Path,
    cells: np.ndarray,
    b: np.ndarray,
    *,
    coefficient: np.ndarray | None = None,
    spacing: float | tuple[float, ...] | None = None,
    outside: str | Mapping[str, str] | None = None,
) -> None:
    """Write a voxel Poisson problem and its right-hand side as a cells ``.npz``; see the module for the arrays."""
    arrays = {"cells": check_cells(cells)}
    arrays["b"] = real_array("b", b, shape=arrays["cells"].shape)
    if coefficient is not None:
        arrays["coefficient"] = check_coefficient(coefficient, arrays["cells"].shape)
    if spacing is not None:
        arrays["spacing"] = np.asarray(check_spacing(spacing, arrays["cells"].ndim))
    if outside is not None:
        sides = check_outside(outside, arrays["cells"].ndim)
        arrays["outside"] = np.array(outside if isinstance(outside, str) else list(sides.values()))
    _write_npz(path, arrays)


def matrix_arrays(matrix: sp.sparray, b: np.ndarray, *, spacing: Sequence[float]) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` with a sparse matrix, its right-hand side and the grid of its unknowns.

    ``scipy.sparse.load_npz`` reads the matrix of such a file, :func:`read_system` all of it.

    Parameters
    ----------
    matrix
        Of shape (n, n).
    b
        Of shape (n,).
    spacing
        Cell size per axis of the grid.
    """
    matrix = sp.csr_array(matrix)
    arrays = {"format": np.array(b"csr"), "shape": np.array(matrix.shape), "_is_array": np.array(True)}
    arrays |= {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
    arrays |= {"b": real_array("b", b, shape=(matrix.shape[0],))}
    return arrays | {"spacing": np.asarray(check_spacing(spacing, len(spacing)))}


def write_binary_matrix(path: str | Path, matrix: sp.sparray, *, dtype: np.dtype | type = np.float64) -> None:
    """Write a sparse matrix as a DCDM ``.bin`` with float32 or float64 values."""
    matrix = sp.csr_array(matrix)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise InputError(f"a DCDM matrix has float32 or float64 values, got {np.dtype(dtype)}.")
    if max(*matrix.shape, matrix.nnz) >= 2**31:
        raise InputError(f"a DCDM matrix counts with 32 bits, got {matrix.nnz} values; write an .npz instead.")
    with _replacing(Path(path)) as stream:
        stream.write(np.array([*matrix.shape, matrix.nnz, *matrix.shape], "<i4").tobytes())
        stream.write(matrix.data.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
        stream.write(matrix.indptr[:-1].astype("<i4").tobytes())
        stream.write(matrix.indices.astype("<i4").tobytes())


def write_binary_vector(path: str | Path, values: np.ndarray) -> None:
    """Write a vector as a DCDM ``.bin``: an 8-byte count, then float64 values in C order."""
    values = real_array("the vector", values).astype("<f8")
    with _replacing(Path(path)) as stream:
        stream.write(values.size.to_bytes(8, "little"))
        stream.write(values.tobytes())


def _write_npz(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"cannot write {path}: expected a name that ends in .npz.")
    with _replacing(path) as stream:
        np.savez(stream, **arrays)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a stream whose content appears under the name `path` when all of it is written."""
    try:
        with AtomicFile(path) as atomic, atomic.part.open("wb") as stream:
            yield stream
    except OSError as error:
        raise DataFormatError(f"{path} cannot be written: {error.strerror or error}.") from error
