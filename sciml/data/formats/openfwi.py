"""OpenFWI's NumPy arrays, alone and in folders of pairs: mapped into memory and never unpickled.

A folder of pairs holds shot records and the velocity maps they were recorded over, in files of up to 500::

    FlatVel, CurveVel, Style, ours   data/dataN.npy (maps, shots, steps, receivers), model/modelN.npy (maps, 1, nz, nx)
    FlatFault, CurveFault            seisG_1_I.npy, velG_1_I.npy, in one folder
    ours                             manifest.json, see `sciml.data.formats.shot_manifest`

Reference: Deng et al., OpenFWI: large-scale multi-structural benchmark datasets for full waveform inversion, NeurIPS
2022.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.checks import whole_array
from sciml.data.formats.dataset import Source
from sciml.data.formats.description import DataField, Description
from sciml.data.formats.shot_files import check_array, mapped, pairs_in, sha256_of
from sciml.data.formats.shot_manifest import MANIFEST, Manifest, read_manifest
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid
from sciml.reference.waves.units import check_metres_per_second

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

AGAIN = "make it again, or go on with the command that makes it"


class _Samples:
    """A field that is constant in time: samples along the first axis, components along the second."""

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        return np.moveaxis(np.asarray(file[trajectory]), 0, -1)[None]

    def datasets(self, trajectories: int) -> list[str]:
        return ["array"]


class _FolderMaps:
    """The velocity maps of a folder of pairs."""

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        return file.maps([trajectory])[0]

    def datasets(self, trajectories: int) -> list[str]:
        return ["model"]


class _FolderShots:
    """The shot records of a folder of pairs."""

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        return file.records([trajectory])

    def datasets(self, trajectories: int) -> list[str]:
        return ["data"]


def read(file: np.ndarray, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of ``model`` (samples, 1, depth, x) or ``data`` (samples, sources, time, receivers).

    Parameters
    ----------
    file : the mapped array
    path : of the file, for sentences
    """
    check_array(path, file)
    samples, channels, *shape = file.shape
    name, components, unit = ("velocity", (), "m/s") if channels == 1 else ("shots", (channels,), "")
    entry = DataField(name, components, file.dtype.name, unit, "cells", time_varying=False)
    description = Description(
        path.stem, Grid(tuple(shape), centring="cell"), np.zeros(1), (entry,), samples, layout="openfwi"
    )
    return description, {name: _Samples()}


class ShotFolder:
    """Shot records and velocity maps in a folder, read map by map; genuine folders of OpenFWI and our own.

    It can be sent to the workers of a loader.

    Parameters
    ----------
    path : of the folder

    Raises
    ------
    DataFormatError
        If there are no pairs of files, one of a pair is missing or damaged, arrays or their axes do not fit together or
        to the acquisition of the manifest, or the folder is not complete.

    Examples
    --------
    >>> folder = ShotFolder("CurveVel_A")  # doctest: +SKIP
    >>> folder.maps([0, 3]).shape, folder.records([0, 3]).shape  # doctest: +SKIP
    ((2, 1, 70, 70), (2, 5, 1000, 70))
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataFormatError(f"there is no folder {path}, expected one of shot records.")
        self.manifest: Manifest | None = read_manifest(self.path)
        self._pairs = pairs_in(self.path)
        self._records = [mapped(self.path / pair.data) for pair in self._pairs]
        self._maps = [mapped(self.path / pair.model) for pair in self._pairs]
        self._starts = np.cumsum([0, *map(len, self._maps)])
        self._check_files()
        if self.manifest is not None:
            self._check_complete(self.manifest)
        self._check_acquisition()

    @property
    def count(self) -> int:
        """The number of maps in all files."""
        return int(self._starts[-1])

    @property
    def map_shape(self) -> tuple[int, int]:
        """Shape of a velocity map, (nz, nx)."""
        nz, nx = self._maps[0].shape[2:]
        return nz, nx

    @property
    def record_shape(self) -> tuple[int, int, int]:
        """Shape of the records of a map, (shots, steps, receivers)."""
        shots, steps, receivers = self._records[0].shape[1:]
        return shots, steps, receivers

    @property
    def acquisition(self) -> Acquisition:
        """The acquisition of all records: that of the manifest, or OpenFWI's where the arrays have its shapes.

        Raises
        ------
        DataFormatError
            If there is no manifest, and the shapes are not OpenFWI's.
        """
        if self.known_acquisition is None:
            raise DataFormatError(
                f"{self.path} has no {MANIFEST}, and its records of shape {self.record_shape} over maps of shape "
                f"{self.map_shape} are not OpenFWI's, (5, 1000, 70) over (70, 70); how they were shot is not known."
            )
        return self.known_acquisition

    @cached_property
    def known_acquisition(self) -> Acquisition | None:
        """The acquisition, None where it is not known."""
        from sciml.reference.waves import Acquisition

        if self.manifest is not None:
            return self.manifest.shot_by()
        openfwi = Acquisition.openfwi()
        known = (self.map_shape, self.record_shape) == (openfwi.shape, openfwi.record_shape)
        return openfwi if known else None

    def maps(self, indices: Iterable[int]) -> np.ndarray:
        """Return velocity maps, (n, 1, nz, nx) float32 in m/s with depth first.

        Parameters
        ----------
        indices : of the maps, 0 to ``count - 1``

        Raises
        ------
        DataFormatError
            If velocities are not positive and finite, or in km/s.
        """
        numbers, values = self._gathered(self._maps, indices)
        for number, low, high in zip(numbers, values.min(axis=(1, 2, 3)), values.max(axis=(1, 2, 3)), strict=True):
            check_metres_per_second(f"{self.path}: map {number}", low, high, DataFormatError)
        return values

    def records(self, indices: Iterable[int]) -> np.ndarray:
        """Return shot records, (n, shots, steps, receivers) float32.

        Parameters
        ----------
        indices : of the maps, 0 to ``count - 1``

        Raises
        ------
        DataFormatError
            If a value is not finite, or the records of a map are zero everywhere.
        """
        numbers, values = self._gathered(self._records, indices)
        for number, record in zip(numbers, values, strict=True):
            if not np.isfinite(record).all():
                raise DataFormatError(f"{self.path}: the records of map {number} hold values that are not finite.")
            if not record.any():
                raise DataFormatError(
                    f"{self.path}: the records of map {number} are zero everywhere, expected waves; make them again."
                )
        return values

    def damage(self) -> list[str]:
        """Read all files that have a sum in the manifest; return a sentence for each that has changed since."""
        sums = {} if self.manifest is None else self.manifest.sums
        found = {name: sha256_of(self.path / name) for name in sums}
        return [
            f"{self.path / name} has changed since it was written: its sha256 is {found[name][:12]}..., expected "
            f"{sums[name][:12]}...; make or copy it again."
            for name in sums
            if found[name] != sums[name]
        ]

    def verify(self) -> None:
        """Read all files that have a sum in the manifest, and compare.

        Raises
        ------
        DataFormatError
            If one has changed since it was written; the sentence names it.
        """
        if faults := self.damage():
            more = f" And {len(faults) - 1} more files have changed." if len(faults) > 1 else ""
            raise DataFormatError(faults[0] + more)

    def close(self) -> None:
        """Do nothing; the maps of files into memory end with this object."""

    def _gathered(self, arrays: list[np.ndarray], indices: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers and the values of some maps or records."""
        numbers = whole_array(f"the maps of {self.path}", list(indices), at_least=0, below=self.count).reshape(-1)
        values = np.empty((len(numbers), *arrays[0].shape[1:]), dtype=np.float32)
        files = np.searchsorted(self._starts, numbers, side="right") - 1
        for place, (file, number) in enumerate(zip(files, numbers, strict=True)):
            with np.errstate(over="ignore", invalid="ignore"):  # doubles that are no floats become infinite
                values[place] = arrays[file][number - self._starts[file]]
        return numbers, values

    def _check_files(self) -> None:
        """Refuse arrays that do not fit together."""
        for pair, records, maps in zip(self._pairs, self._records, self._maps, strict=True):
            if len(records) != len(maps):
                raise DataFormatError(
                    f"{self.path}: {pair.data} has {len(records)} records and {pair.model} {len(maps)} maps, expected "
                    "as many."
                )
            if maps.shape[1] != 1:
                raise DataFormatError(f"{self.path / pair.model} has shape {maps.shape}, expected (maps, 1, nz, nx).")
            for name, array, first in ((pair.data, records, self._records[0]), (pair.model, maps, self._maps[0])):
                if array.shape[1:] != first.shape[1:]:
                    raise DataFormatError(
                        f"{self.path / name} has arrays of shape {array.shape[1:]}, those before it {first.shape[1:]}."
                    )

    def _check_complete(self, manifest: Manifest) -> None:
        """Refuse a folder that lacks files of its manifest, or has others."""
        first, stop = manifest.bounds
        present = {name for pair in self._pairs for name in (pair.data, pair.model)}
        for name in sorted(present ^ set(manifest.sums)):
            fault = "is not in the manifest" if name in present else "of the manifest is missing"
            raise DataFormatError(f"{self.path}: {name} {fault}; {AGAIN}.")
        if self.count != stop - first:
            raise DataFormatError(f"{self.path} holds {self.count} of {stop - first} maps; {AGAIN}.")

    def _check_acquisition(self) -> None:
        """Refuse shapes that contradict the acquisition, which is OpenFWI's where nothing else is said."""
        from sciml.reference.waves import Acquisition

        try:
            given = Acquisition.openfwi() if self.manifest is None else self.manifest.shot_by()
            exchanged = sorted(self.record_shape) == sorted(given.record_shape)
            if self.manifest is not None or exchanged:
                given.check_records(f"the records in {self.path}", self._records[0])
            if self.manifest is not None and self.map_shape != given.shape:
                remedy = "; depth comes first" if self.map_shape == given.shape[::-1] else ""
                raise InputError(
                    f"the maps in {self.path} have the shape {self.map_shape}, its acquisition {given.shape}{remedy}."
                )
        except InputError as error:
            place = "" if str(self.path) in str(error) else f"{self.path / MANIFEST}: "
            raise DataFormatError(f"{place}{error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"ShotFolder({str(self.path)!r}: {self.count} maps {self.map_shape}, records {self.record_shape})"


def read_folder(folder: ShotFolder, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of a folder of pairs: ``velocity`` on the place ground, ``shots`` on the place record.

    Parameters
    ----------
    folder : of pairs
    path : of the folder
    """
    about = describe_pairs(path.name, folder.map_shape, folder.record_shape, folder.count, folder.known_acquisition)
    manifest = folder.manifest
    if manifest is not None:
        part = None if manifest.part is None else (*manifest.part, manifest.maps)
        about = replace(about, generator=manifest.command, seed=manifest.seed, part=part)
    return about, {"velocity": _FolderMaps(), "shots": _FolderShots()}


def describe_pairs(
    name: str,
    map_shape: tuple[int, int],
    record_shape: tuple[int, int, int],
    count: int,
    acquisition: Acquisition | None,
) -> Description:
    """Describe velocity maps, on the place ground, and their shots, on the place record (shots, steps, receivers).

    Parameters
    ----------
    name : of the data set
    map_shape : (nz, nx)
    record_shape : (shots, steps, receivers)
    count : number of maps
    acquisition : for places in metres and seconds, with shots and receivers counted; without it they are unit boxes
    """
    places = {"ground": Grid(map_shape, centring="cell"), "record": Grid(record_shape, centring="cell")}
    if acquisition is not None:
        places = {
            "ground": _centred(map_shape, (acquisition.spacing, acquisition.spacing)),
            "record": _centred(record_shape, (1.0, acquisition.time_step, 1.0)),
        }
    fields = (
        DataField("velocity", (), "float32", "m/s", "cells", False, "ground"),
        DataField("shots", (), "float32", "", "cells", False, "record"),
    )
    return Description(name, places, np.zeros(1), fields, count, layout="openfwi")


def _centred(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Grid:
    """Return the grid of which the first cell has its centre in the origin."""
    lower = tuple(-step / 2 for step in spacing)
    upper = tuple((count - 0.5) * step for count, step in zip(shape, spacing, strict=True))
    return Grid(shape, lower, upper, centring="cell")
