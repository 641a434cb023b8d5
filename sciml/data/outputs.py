"""Outputs of generated data sets: one HDF5 file, or a folder of pairs of arrays.

An output has units, each joined from its parts as soon as those are finished: the file is one unit, and in a folder
each pair of files is one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sciml.atomic import AtomicFile, check_no_link, make_folder
from sciml.data.formats import convert, open_dataset
from sciml.data.formats.shot_files import Pair
from sciml.data.formats.shot_manifest import MANIFEST, Manifest, read_manifest
from sciml.errors import DataFormatError, InputError

if TYPE_CHECKING:
    from sciml.data.plans import PairPlan, Plan

PER_FILE = 500  # maps, as in OpenFWI's files


class Output(Protocol):
    """The interface of the place of a data set, which is joined from parts."""

    def begin(self, *, resume: bool) -> bool:
        """Make the place ready; return True if the data set is there and complete, which is refused without resume."""
        ...

    def units(self) -> list[tuple[int, int]]:
        """Return the bounds of the units that are not finished yet."""
        ...

    def join(self, first: int, stop: int, parts: Sequence[Path]) -> None:
        """Write the unit with the trajectories first to stop - 1 from its parts, and remove these."""
        ...


@dataclass(frozen=True)
class OneFile:
    """A data set that is one HDF5 file.

    Attributes
    ----------
    plan : of the data set
    path : of the file
    first, stop : which trajectories of the data set it holds
    """

    plan: Plan
    path: Path
    first: int
    stop: int

    def begin(self, *, resume: bool) -> bool:
        """Refuse a path that is taken; return True if it is by this data set and that is resumed."""
        if not self.path.exists():
            return False
        if resume and self._is_there():
            return True
        raise InputError(f"{self.path} exists; choose another name, or remove it.")

    def units(self) -> list[tuple[int, int]]:
        """Return the bounds of the only unit."""
        return [(self.first, self.stop)]

    def join(self, first: int, stop: int, parts: Sequence[Path]) -> None:
        """Write the file from its parts."""
        convert(list(parts), self.path)
        for part in parts:
            part.unlink()

    def _is_there(self) -> bool:
        try:
            found = open_dataset(self.path).description
        except DataFormatError:
            return False
        expected = (self.plan.command, self.plan.seed, self.plan.part(self.first, self.stop))
        return (found.generator, found.seed, found.part) == expected


@dataclass(frozen=True)
class PairFolder:
    """A folder of velocity maps and shot records, ``model/modelN.npy`` and ``data/dataN.npy``, with a manifest.

    The manifest is there from the beginning and has the sums of the pairs that are finished.

    Attributes
    ----------
    plan : of the data set
    path : of the folder
    first, stop : which maps of the data set it holds
    """

    plan: PairPlan
    path: Path
    first: int
    stop: int

    def begin(self, *, resume: bool) -> bool:
        """Make the folder, or go on with it; return True if it is complete."""
        check_no_link(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file, expected the name of a folder; choose another name.")
        found = read_manifest(self.path)
        expected = self._manifest({} if found is None else found.sums)
        if found is None:
            if self.path.exists() and not _is_empty(self.path):
                raise InputError(f"{self.path} exists; choose another name, or remove it.")
            expected.write(make_folder(self.path))
            return False
        if found.maps_sha256 != expected.maps_sha256:
            raise InputError(f"the maps have changed since {self.path} was begun; choose another name, or remove it.")
        if found != expected:
            raise InputError(
                f"{self.path} holds another data set, made by {found.command!r}, expected {expected.command!r}; remove "
                "the folder or choose another name."
            )
        complete = not self.units()
        if complete and not resume:
            raise InputError(f"{self.path} exists; choose another name, or remove it.")
        return complete

    def units(self) -> list[tuple[int, int]]:
        """Return the bounds of the pairs of files that are not finished."""
        found = read_manifest(self.path)
        sums = {} if found is None else found.sums
        bounds = [(low, min(low + PER_FILE, self.stop)) for low in range(self.first, self.stop, PER_FILE)]
        return [(low, high) for low, high in bounds if not self._is_finished(self._pair(low), sums)]

    def join(self, first: int, stop: int, parts: Sequence[Path]) -> None:
        """Write a pair of files from its parts, and remove these."""
        pair = self._pair(first)
        for name in (pair.data, pair.model):
            make_folder((self.path / name).parent)
        count, shot_by = stop - first, self.plan.generator.shot_by
        sums = {
            pair.model: _write_array(self.path / pair.model, parts, "velocity", (count, 1, *shot_by.shape)),
            pair.data: _write_array(self.path / pair.data, parts, "shots", (count, *shot_by.record_shape)),
        }
        found = read_manifest(self.path)
        if found is None:
            raise InputError(f"{self.path / MANIFEST} has gone while the folder was written; make the folder again.")
        ordered = sorted((found.sums | sums).items(), key=lambda item: (len(item[0]), item[0]))
        replace(found, sha256=dict(ordered)).write(self.path)
        for part in parts:
            part.unlink()

    def _pair(self, low: int) -> Pair:
        return Pair.numbered((low - self.first) // PER_FILE + 1)

    def _is_finished(self, pair: Pair, sums: dict[str, str]) -> bool:
        return all(name in sums and (self.path / name).is_file() for name in (pair.data, pair.model))

    def _manifest(self, sums: dict[str, str]) -> Manifest:
        plan = self.plan
        return Manifest(
            plan.command,
            plan.seed,
            plan.count,
            plan.generator.shot_by.as_dict(),
            None if plan.part(self.first, self.stop) is None else (self.first, self.stop),
            plan.generator.maps_sha256,
            sums,
        )


def _is_empty(folder: Path) -> bool:
    """Return True for a folder with nothing in it but what a kill at the very beginning leaves."""
    return all(path.match(f"{MANIFEST}*.part") for path in folder.iterdir())


def _write_array(path: Path, parts: Sequence[Path], field: str, shape: tuple[int, ...]) -> str:
    """Write a field of all parts as one array of float32 with a shape; return the sum of the file."""
    with AtomicFile(path) as file, file.part.open("w+b") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for part in parts:
            with open_dataset(part) as dataset:
                for trajectory in range(dataset.description.trajectories):
                    stream.write(np.ascontiguousarray(dataset.read(field, trajectory), dtype="<f4").data)
        stream.flush()
        os.fsync(stream.fileno())
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()
