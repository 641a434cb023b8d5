"""Files for ``sciml predict`` of a solution: the points to evaluate at, and the fields at one time or several.

======= ============================================================================================================
ending  contents
======= ============================================================================================================
.xdmf   with .h5: one time, or a series of several, which ParaView opens
.vtu    one time; .msh and .med likewise
.npz    ``points``, ``times``, and each field as ``(times, points[, components])``
.csv    a table with a row for each time and point
======= ============================================================================================================

Points come from a mesh file, or from a table: ``.npz`` with ``points``, ``.npy``, or ``.csv``: numbers with commas
between them, ``#`` before comments; a first row in which no cell is a number names the columns.
"""

from __future__ import annotations

import io
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sciml.atomic import write_bytes, write_text
from sciml.checks import real_array, shape
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, Mesh, SeriesWriter, read_mesh
from sciml.mesh.files import READ, WRITE, write_fields
from sciml.npy_files import check_expanded_size, npz_names, read_npy, read_npz
from sciml.regular_files import open_regular
from sciml.tables import counted

TABLES = (".npz", ".npy", ".csv")
ENDINGS = (*WRITE, ".npz", ".csv")
_OF_NPZ = ("points", "times", "file", "allow_pickle")  # the last two are NumPy's
_BREAKS = set(',"#;\t\r\n')  # what the name of a column cannot have
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_LIKE_A_NUMBER = re.compile(r"[-+.]|\d|$")  # how no name of a column begins
Sample = Callable[[float], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Points:
    """Points in more dimensions than a mesh has, ``(n, dim)``."""

    points: np.ndarray

    @property
    def n_points(self) -> int:
        """The number of points, as a mesh has it."""
        return len(self.points)

    @property
    def dim(self) -> int:
        """The number of coordinates of a point."""
        return self.points.shape[1]


Place = Grid | Mesh | Points


def read_place(source: Path, dim: int) -> Mesh | Points:
    """Return the mesh of a file, or the points of a table, as a mesh of vertices in up to three dimensions.

    Parameters
    ----------
    source : in one of the formats above
    dim : number of coordinates of a point in a table

    Raises
    ------
    MeshFileError, DataFormatError
        If the file cannot be read.
    """
    ending = source.suffix.lower()
    if ending in READ:
        return read_mesh(source)[0]
    if ending not in TABLES:
        known = " ".join([*READ, *TABLES])
        raise DataFormatError(f"{source} cannot be read: its ending is {ending!r}, expected one of {known}.")
    what = f"the points in {source}"
    points = real_array(what, _read_table(source, ending), error=DataFormatError)
    if not points.size:
        raise DataFormatError(f"{source} has no points, expected at least one.")
    points = points[:, None] if points.ndim == 1 and dim == 1 else points
    shape(what, points, ("number of points", dim), error=DataFormatError)
    return Points(points) if dim > 3 else Mesh(points, {"vertex": np.arange(len(points))[:, None]})


def check_output(output: Path, place: Place, times: Sequence[float], channels: Mapping[str, int]) -> None:
    """Refuse a file that cannot hold the fields at these times, before they are evaluated.

    Parameters
    ----------
    output : its ending says how the fields are written
    place, times : of the fields
    channels : the number of components of each field, by name

    Raises
    ------
    InputError
        Naming the formats that can, or the field whose name the file has for something else.
    """
    ending = output.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"{output} cannot be written: its ending is {ending!r}, expected one of {' '.join(ENDINGS)}.")
    if isinstance(place, Points) and ending in WRITE:
        raise InputError(f"{output} holds points of at most 3 dimensions, got {place.dim}; write .npz or .csv.")
    if len(times) > 1 and ending in WRITE and ending != ".xdmf":
        raise InputError(
            f"{output} holds one time, got {len(times)}; write a series for ParaView, {output.with_suffix('.xdmf')}, "
            f"or a table, {output.with_suffix('.npz')}."
        )
    taken = [name for name in channels if name in _OF_NPZ] if ending == ".npz" else []
    if ending == ".csv":
        columns = Counter(["t", *_axes(place.dim), *(part for item in channels.items() for part in _parts(*item))])
        taken = [
            name for item in channels.items() for name in _parts(*item) if columns[name] > 1 or _BREAKS & set(name)
        ]
    if taken:
        raise InputError(
            f"{output} cannot hold a field as {taken[0]!r}, which has another meaning there; write "
            f"{output.with_suffix('.csv' if ending == '.npz' else '.npz')}, or rename the field."
        )


def write_times(output: Path, place: Place, times: Sequence[float], sample: Sample, series: bool) -> None:
    """Write fields at some times into a file, whose ending says how.

    Parameters
    ----------
    output : checked by :func:`check_output`
    place : the points of the fields
    times : increasing
    sample : the fields at a time, as arrays on the place
    series : whether an ``.xdmf`` has times if there is only one
    """
    ending = output.suffix.lower()
    if ending == ".xdmf" and series:
        with SeriesWriter(output, place) as writer:
            for time in times:
                writer.append(time, **sample(time))
    elif ending in WRITE:
        write_fields(output, place, sample(times[0]))
    else:
        found = [sample(time) for time in times]
        fields = {name: np.stack([each[name] for each in found]) for name in found[0]}
        points = place.coordinates() if isinstance(place, Grid) else place.points
        write = _write_npz if ending == ".npz" else _write_csv
        write(output, points, np.array(times), fields)


def _read_table(source: Path, ending: str) -> np.ndarray:
    """Return an array of points; nothing is unpickled."""
    try:
        if ending == ".csv":
            return _read_csv(source)
        if ending == ".npy":
            return read_npy(source)
        found = read_npz(source, ["points"])
        if not found:
            names = ", ".join(npz_names(source)) or "nothing"
            raise DataFormatError(f"{source} holds {names}, expected an array with the name points.")
        return found["points"]
    except DataFormatError:
        raise
    except FileNotFoundError:
        raise DataFormatError(f"{source} does not exist; check the name.") from None
    except Exception as error:  # NumPy raises whatever its parsers stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataFormatError(f"{source} cannot be read as a table of points: {reason[:200].rstrip('.')}.") from error


def _read_csv(source: Path) -> np.ndarray:
    """Return the rows of numbers, without a header, comments and empty lines."""
    values, columns = array("d"), 0
    with io.TextIOWrapper(open_regular(source, DataFormatError), encoding="utf-8-sig") as file:
        check_expanded_size(os.fstat(file.fileno()).st_size)
        for line, text in enumerate(file, 1):
            text = text.partition("#")[0].strip(" \r\n")
            if not text:
                continue
            cells = _cells(text, columns, f"line {line} of {source}")
            if columns or any(_NUMBER.fullmatch(cell) or _LIKE_A_NUMBER.match(cell) for cell in cells):
                if wrong := [cell for cell in cells if not _NUMBER.fullmatch(cell)]:
                    raise DataFormatError(f"line {line} of {source} has {wrong[0][:40]!r} where a number is expected.")
                values.extend(map(float, cells))
            columns = len(cells)
    return np.array(values).reshape(-1, max(columns, 1))


def _cells(text: str, columns: int, where: str) -> list[str]:
    """Return the cells of a row of a table that has some columns; 0 if it is the first."""
    for sign, name in ((";", "a semicolon"), ("\t", "a tab")):
        if sign in text:
            raise DataFormatError(f"{where} has {name}, expected commas between numbers such as 0.5.")
    cells = [cell.strip().strip('"') for cell in text.split(",")]
    if columns and len(cells) != columns:
        raise DataFormatError(f"{where} has {counted(len(cells), 'column')}, but the first row has {columns}.")
    return cells


def _write_npz(output: Path, points: np.ndarray, times: np.ndarray, fields: Mapping[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **{**fields, "points": points, "times": times})
    write_bytes(output, buffer.getbuffer())


def _write_csv(output: Path, points: np.ndarray, times: np.ndarray, fields: Mapping[str, np.ndarray]) -> None:
    dim = points.shape[-1]
    count = points.size // dim
    columns = {"t": np.repeat(times, count)}
    for axis, name in enumerate(_axes(dim)):
        columns[name] = np.tile(points.reshape(count, dim)[:, axis], len(times))
    for name, values in fields.items():
        parts = values.reshape(len(times) * count, -1)
        columns.update(zip(_parts(name, parts.shape[1]), parts.T, strict=True))
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    write_text(output, "\n".join(lines) + "\n")


def _axes(dim: int) -> list[str]:
    """Return the names of the columns of the coordinates."""
    return list("xyz"[:dim]) if dim <= 3 else [f"x{axis}" for axis in range(dim)]


def _parts(name: str, count: int) -> list[str]:
    """Return the names of the columns of a field with some components."""
    return [name] if count == 1 else [f"{name}_{part}" for part in range(count)]
