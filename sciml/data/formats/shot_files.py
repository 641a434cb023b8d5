"""Files of shot records: pairs in a folder, mapped into memory, their sums, and acquisitions in JSON."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sciml import strict_json
from sciml.checks import real_array
from sciml.data.formats.dataset import faults
from sciml.errors import DataFormatError, InputError
from sciml.memory import check_memory
from sciml.npy_files import map_npy, read_npy
from sciml.regular_files import open_regular

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

LARGEST_SINGLE = float(np.finfo(np.float32).max)
READING = 6  # times the bytes of a file in single precision, for its numbers in double precision and what follows
SEGY = (".sgy", ".segy")  # endings of SEG-Y files
_RECORDS = re.compile(r"data/data(\d+)\.npy|seis(\d+)_(\d+)_(\d+)\.npy")
_MAPS = re.compile(r"model/model(\d+)\.npy|vel(\d+)_(\d+)_(\d+)\.npy")
_PARTNERS = {"data/data": "model/model", "seis": "vel"}
EXPECTED = "data/dataN.npy and model/modelN.npy, or seisG_1_N.npy and velG_1_N.npy"


@dataclass(frozen=True)
class Pair:
    """The names, in their folder, of a file of shot records and of that of the velocity maps below them.

    Attributes
    ----------
    data : such as ``data/data1.npy`` or ``seis2_1_0.npy``
    model : such as ``model/model1.npy`` or ``vel2_1_0.npy``
    """

    data: str
    model: str

    @classmethod
    def of(cls, data: str) -> Pair:
        """Return the pair of a file of records."""
        start = next(start for start in _PARTNERS if data.startswith(start))
        return cls(data, _PARTNERS[start] + data.removeprefix(start))

    @classmethod
    def numbered(cls, number: int) -> Pair:
        """Return the pair with a number, counted from 1, as we write it."""
        return cls.of(f"data/data{number}.npy")

    @property
    def order(self) -> tuple[int, ...]:
        """The numbers in its names, by which the pairs of a folder follow one another."""
        return tuple(map(int, re.findall(r"\d+", self.data)))


def is_of_pair(name: str) -> bool:
    """Return whether a file in a folder is one of shot records or of velocity maps, by its name."""
    return bool(_RECORDS.fullmatch(name) or _MAPS.fullmatch(name))


def pairs_in(folder: Path) -> list[Pair]:
    """Return the pairs of files in a folder, in the order of their numbers.

    Parameters
    ----------
    folder : of shot records

    Raises
    ------
    DataFormatError
        If there are none, or one of a pair is missing.
    """
    with faults(folder, "it"):
        files = {
            path.relative_to(folder).as_posix()
            for place in (folder, folder / "data", folder / "model")
            if place.is_dir()
            for path in place.iterdir()
        }
    pairs = [Pair.of(name) for name in files if _RECORDS.fullmatch(name)]
    models = {name for name in files if _MAPS.fullmatch(name)}
    alone = sorted([pair.data for pair in pairs if pair.model not in models])
    alone += sorted(models - {pair.model for pair in pairs})
    if alone:
        more = f" and {len(alone) - 1} more files" if len(alone) > 1 else ""
        raise DataFormatError(f"{folder}: {alone[0]}{more} without a partner, expected {EXPECTED}.")
    if not pairs:
        raise DataFormatError(f"{folder} is a folder without shot records, expected {EXPECTED}.")
    return sorted(pairs, key=lambda pair: (pair.order, pair.data))


def mapped(path: Path) -> np.ndarray:
    """Return the array of a file, (maps, channels, rows, columns), mapped into memory.

    Raises
    ------
    DataFormatError
        If the file is damaged, not complete or pickled, or the array is another.
    """
    with faults(path, "it"):
        array = map_npy(path)
    check_array(path, array)
    return array


def mapped_maps(path: Path) -> np.ndarray:
    """Return the velocity maps of a file, (maps, nz, nx), mapped into memory.

    Parameters
    ----------
    path : ``.npy`` with (maps, 1, nz, nx), (maps, nz, nx) or (nz, nx)

    Raises
    ------
    InputError
        If it holds something else.
    """
    with faults(path, "it"):
        array = map_npy(path)
    plane = array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array[None] if array.ndim == 2 else array
    if plane.ndim != 3 or plane.dtype.kind not in "iuf" or not len(plane):
        raise InputError(
            f"{path} is an array of {array.dtype} with shape {array.shape}, expected maps (maps, 1, nz, nx), "
            "(maps, nz, nx) or (nz, nx) of numbers."
        )
    return plane


def read_values(path: Path, what: str, *, finite: bool = True) -> np.ndarray:
    """Return records or maps of a file ``.npy`` of real numbers, as floating-point ones that fit in single precision.

    Parameters
    ----------
    path : of the file
    what : it holds, such as ``"the shot records"``
    finite : whether to refuse infinities and not-a-numbers

    Raises
    ------
    DataFormatError
        If it holds something else.
    InputError
        If it does not fit into the memory.
    """
    if path.is_file():
        remedy = "write the arrays of fewer maps into a file"
        check_memory(f"to read {what} of {path} takes", READING * path.stat().st_size, remedy)
    try:
        array = read_npy(path)
    except ValueError as error:
        raise DataFormatError(f"{path} is no array in .npy: {error}; expected {what}.") from error
    array = real_array(f"{what} in {path}", array, finite=finite, error=DataFormatError)
    known = np.isfinite(array)
    largest = float(max(array.max(initial=0.0, where=known), -array.min(initial=0.0, where=known)))
    if largest > LARGEST_SINGLE:
        raise DataFormatError(
            f"{what} in {path} are as large as {largest:.1e}, expected at most {LARGEST_SINGLE:.1e}, which single "
            "precision holds; give them in another unit."
        )
    return array


def read_acquisition(path: Path) -> Acquisition:
    """Return the acquisition of a JSON file with :meth:`~sciml.reference.waves.Acquisition.as_dict`.

    Raises
    ------
    DataFormatError
        If there is no such file, or it holds something else.
    """
    from sciml.reference.waves import Acquisition

    with faults(path, "it"):
        values = strict_json.read(path)
    try:
        return Acquisition.from_dict(values)
    except InputError as error:
        raise DataFormatError(f"{path} holds no acquisition: {error}") from error


def check_array(path: Path, array: np.ndarray) -> None:
    """Refuse what is no array of numbers with OpenFWI's four axes."""
    if array.ndim != 4 or array.dtype.kind not in "iuf" or 0 in array.shape:
        raise DataFormatError(
            f"{path} is an array of {array.dtype} with shape {array.shape}, expected numbers of shape "
            "(samples, channels, rows, columns) as in OpenFWI."
        )


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with open_regular(path, DataFormatError) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
