"""The layout of a data set whose places have names, and may differ from sample to sample.

::

    @sciml_format "2"  @sciml_description
    times                              (steps,); where they differ, those of all samples, one after the other
    time_offsets                       where times differ: (samples + 1,) the first time of each sample
    places/NAME/{grid or mesh}         common to all samples: exact, as in the files of sciml.mesh
    places/NAME/points                 a mesh for each sample: the coordinates of all samples, one after the other
    places/NAME/cells/TYPE             (cells of all samples, nodes); they count the points of their own sample
    places/NAME/groups/NAME            (members of all samples[, nodes])
    places/NAME/offsets/...            (samples + 1,): sample k has the rows offsets[k] to offsets[k + 1] - 1 of ...
    places/NAME/{shape, lower, upper}  a grid for each sample: (samples, axes)
    fields/NAME                        (samples[, steps], *places[, components]) on a common place, and
                                       (steps of all samples, *places[, components]) where times differ; else
                                       (values of all samples[, components]), those of a sample by step  @unit
    parameters/NAME                    (samples, ...)

All numbers carry the checksum fletcher32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sciml.checks import whole_number
from sciml.data.formats import native
from sciml.data.formats.access import Stack, dataset, described, table
from sciml.data.formats.chunks import GrowingRows, chunks
from sciml.data.formats.dataset import Source
from sciml.data.formats.description import Description
from sciml.data.formats.places import Place, VaryingGrid, VaryingMesh, VaryingTimes, from_plain, is_varying
from sciml.data.formats.varying_place import check_names
from sciml.errors import DataFormatError
from sciml.mesh.xdmf import chunk_shape, read_place, text_attribute, write_place

GROUPS = ("times", "time_offsets", "places", "fields", "parameters")


@dataclass(frozen=True)
class Ragged:
    """A field whose samples have different numbers of values or of steps, in the rows of one data set.

    Attributes
    ----------
    name : of the data set
    counts : (samples,) rows of one step
    steps : (samples,) of each
    """

    name: str
    counts: np.ndarray
    steps: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """First row of each sample, and the number of all, (samples + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts * self.steps)])

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        """Return (steps, rows, *shape of a row) of one sample; only its rows are read."""
        start, count = int(self.starts[trajectory]), int(self.counts[trajectory])
        chosen = range(*steps.indices(int(self.steps[trajectory])))
        low, high = (min(chosen), max(chosen) + 1) if chosen else (0, 0)
        rows = np.asarray(file[self.name][start + low * count : start + high * count])
        return rows.reshape(high - low, count, *rows.shape[1:])[[step - low for step in chosen]]

    def datasets(self, trajectories: int) -> list[str]:
        """Names of the data sets that hold the values."""
        return [self.name]


def read(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of a data set with named places.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    given = native.read_plain(file, named=True)
    samples = whole_number("the number of samples", given["trajectories"], at_least=1)
    check_names(list(given["places"]))
    places = {name: _read_place(file, name, plain, samples) for name, plain in given["places"].items()}
    parameters = {name: table(file, f"parameters/{name}") for name in given["parameters"]}
    for name, values in parameters.items():
        if values.shape[:1] != (samples,):
            raise DataFormatError(f"{path}: parameters/{name} has shape {values.shape}, expected {samples} rows.")
    about = native.described(given, places, _read_times(file, given, samples), parameters)
    native.check_known("a group of the file", file, GROUPS)
    for group, known in (("places", places), ("parameters", parameters), ("fields", [f.name for f in about.fields])):
        native.check_known(f"a name in the group {group}", file.get(group, {}), list(known))
    return about, {entry.name: _source(file, about, entry.name) for entry in about.fields}


def _read_times(file: Any, given: dict[str, Any], samples: int) -> np.ndarray | VaryingTimes:
    if not given["varying_times"]:
        return table(file, "times")
    found = dataset(file, "times")
    if found.ndim != 1 or found.dtype != np.float64:
        raise DataFormatError(f"times has {found.dtype} of shape {found.shape}, expected float64 of one axis.")
    offsets = _offsets(file, "time_offsets", samples, len(found))
    if (np.diff(offsets) < 1).any():
        raise DataFormatError(f"sample {int(np.diff(offsets).argmin())} has no times, expected at least one.")
    return VaryingTimes(offsets)


def _read_place(file: Any, name: str, plain: dict[str, Any], samples: int) -> Place:
    if plain == {"kind": "common"}:
        return read_place(file["places"][name])
    place = from_plain(plain)
    _check_parts(file, name, place)
    rows = {}
    for part, (dtype, shape, single) in place.parts().items():
        where = f"places/{name}/{part}"
        found = dataset(file, where)
        if found.dtype != np.dtype(dtype) or found.shape[1:] != shape:
            expected = ", ".join(map(str, ("rows", *shape)))
            raise DataFormatError(
                f"{where} has {found.dtype} of shape {found.shape}, expected {dtype} of ({expected})."
            )
        if single and len(found) != samples:
            raise DataFormatError(f"{where} has {len(found)} rows, expected {samples}.")
        rows[part] = (
            np.asarray(found[()]) if single else _offsets(file, f"places/{name}/offsets/{part}", samples, len(found))
        )
    return place.located(rows)


def _check_parts(file: Any, name: str, place: VaryingMesh | VaryingGrid) -> None:
    """Refuse what is beside the parts of a place and their offsets, such as a group that the description lacks."""
    ragged = [part for part, (_, _, single) in place.parts().items() if not single]
    known = {*place.parts(), *(f"offsets/{part}" for part in ragged)}
    found: list[str] = []
    file["places"][name].visit(found.append)
    inner = {part.rsplit("/", depth)[0] for part in known for depth in range(1, 3)}
    native.check_known(f"a name in places/{name}", [part for part in found if part not in inner], sorted(known))


def _offsets(file: Any, where: str, samples: int, rows: int) -> np.ndarray:
    """The first row of each sample, after a check that the samples follow one another and use all rows."""
    found = dataset(file, where)
    if found.shape != (samples + 1,) or found.dtype != np.int64:
        raise DataFormatError(f"{where} has {found.dtype} of shape {found.shape}, expected int64 of ({samples + 1},).")
    offsets = np.asarray(found[()], np.int64)
    if offsets[0] != 0 or offsets[-1] != rows or (offsets[1:] < offsets[:-1]).any():
        raise DataFormatError(f"{where} must rise from 0 to {rows}, the number of rows.")
    return offsets


def _source(file: Any, about: Description, name: str) -> Source:
    """Where a field is, after a check that the file holds it as described."""
    entry, where = about[name], f"fields/{name}"
    place, shape = about.places[entry.place], about.shape(name)
    source: Source
    if _is_ragged(about, name):
        steps, counts = np.ones(about.trajectories, np.int64), np.ones(about.trajectories, np.int64)
        if entry.time_varying:
            own = isinstance(about.times, VaryingTimes)
            steps = np.diff(about.times.offsets) if own else len(about.times) * steps  # type: ignore[union-attr]
        if isinstance(place, VaryingMesh | VaryingGrid):
            counts = np.diff(place.starts(entry.location))
        source = Ragged(where, counts, steps)
        expected = (int(source.starts[-1]), *_row(about, name))
    else:
        source = Stack((where,), time_varying=entry.time_varying)
        expected = shape if entry.time_varying else (shape[0], *shape[2:])  # type: ignore[assignment]
    described(file, where, entry.dtype, expected)
    return source


def _is_ragged(about: Description, name: str) -> bool:
    """Return True for a field of which samples have different numbers of rows."""
    entry = about[name]
    own_times = isinstance(about.times, VaryingTimes) and entry.time_varying
    return own_times or is_varying(about.places[entry.place])


def _row(about: Description, name: str) -> tuple[int, ...]:
    """Shape of a row of a ragged field: one value, or all values of a step on a place that does not differ."""
    entry = about[name]
    places = () if is_varying(about.places[entry.place]) else about.lengths(name)
    return (*places, *entry.components)  # type: ignore[arg-type]


class NamedPlacesFile:
    """A file of this layout that is being written, sample by sample.

    Parameters
    ----------
    file : open HDF5 file, empty
    about : what is written
    options : of HDF5 for the numbers, such as their checksum
    """

    def __init__(self, file: Any, about: Description, options: Mapping[str, Any]) -> None:
        self._file, self._about, self._options = file, about, options
        self._rows: dict[str, GrowingRows] = {}
        self._tables: dict[str, list[np.ndarray]] = {}  # one row for each sample, written at the end
        plain = {
            name: place.to_plain() if isinstance(place, VaryingMesh | VaryingGrid) else {"kind": "common"}
            for name, place in about.places.items()
        }
        native.write(file, about, plain)
        if isinstance(about.times, VaryingTimes):
            self._rows["times"] = GrowingRows(file, "times", "float64", (), options)
        else:
            self._write("times", about.times)
        for name, place in about.places.items():
            self._create_place(name, place)
        for entry in about.fields:
            self._create_field(entry.name)
        for name in about.parameters:
            self._tables[f"parameters/{name}"] = []

    def place(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the place of the next sample.

        Parameters
        ----------
        name : of the place
        arrays : that it splits into
        """
        for part, values in arrays.items():
            where = f"places/{name}/{part}"
            if where in self._rows:
                self._rows[where].append(values)
            else:
                self._tables[where].append(values[0])

    def times(self, times: np.ndarray) -> None:
        """Write the times of the next sample, which has its own.

        Parameters
        ----------
        times : (steps,) increasing
        """
        self._rows["times"].append(times)

    def field(self, name: str, number: int, values: np.ndarray) -> None:
        """Write the values of a field of one sample, ``(steps, *places, *components)``.

        Parameters
        ----------
        name : of the field
        number : of the sample
        values : in the dtype of the field
        """
        entry, where = self._about[name], f"fields/{name}"
        if where in self._rows:
            self._rows[where].append(values.reshape(-1, *_row(self._about, name)))
        else:
            self._file[where][number] = values if entry.time_varying else values[0]

    def parameter(self, name: str, number: int, value: np.ndarray) -> None:
        """Keep a parameter of one sample for the end.

        Parameters
        ----------
        name : of the parameter
        number : of the sample
        value : float64
        """
        self._tables[f"parameters/{name}"].append(value)

    def finish(self) -> None:
        """Write the offsets, and what has one row for each sample."""
        for name, rows in self._rows.items():
            if name == "times":
                self._write("time_offsets", np.array(rows.offsets, np.int64))
            elif name.startswith("places/"):
                _, place, part = name.split("/", 2)
                self._write(f"places/{place}/offsets/{part}", np.array(rows.offsets, np.int64))
        for name, values in self._tables.items():
            self._write(name, np.stack(values))

    def _create_place(self, name: str, place: Place) -> None:
        group = self._file.create_group(f"places/{name}")
        if not isinstance(place, VaryingMesh | VaryingGrid):
            write_place(group, place)
            return
        for part, (dtype, shape, single) in place.parts().items():
            where = f"places/{name}/{part}"
            if single:
                self._tables[where] = []
            else:
                self._rows[where] = GrowingRows(self._file, where, dtype, shape, self._options)

    def _create_field(self, name: str) -> None:
        entry, where, shape = self._about[name], f"fields/{name}", self._about.shape(name)
        if _is_ragged(self._about, name):
            row = _row(self._about, name)
            rows = self._rows[where] = GrowingRows(self._file, where, entry.dtype, row, self._options)
            attributes = rows.attributes
        else:
            full, kind = shape if entry.time_varying else (shape[0], *shape[2:]), np.dtype(entry.dtype)
            chunk = chunks(full, kind.itemsize, time_varying=entry.time_varying)  # type: ignore[arg-type]
            attributes = self._file.create_dataset(where, full, kind, chunks=chunk, **self._options).attrs
        attributes["location"] = text_attribute(entry.location)
        if entry.unit:
            attributes["unit"] = text_attribute(entry.unit)

    def _write(self, name: str, values: np.ndarray) -> None:
        options = {**self._options, "chunks": chunk_shape(values.shape, values.itemsize)} if values.size else {}
        self._file.create_dataset(name, data=values, **options)
