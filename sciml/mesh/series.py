"""HDF5 + XDMF pairs: time series written step by step, and snapshots, that ParaView opens.

The values are in ``name.h5`` with a checksum (fletcher32) on every chunk; ``name.xdmf`` beside it describes them.
Axes of grids are stored last axis first, ``([time,] z, y, x [, components])``, as XDMF wants. Both files are written
as ``.*.part`` and renamed at the end, HDF5 first, so that a crash leaves no plausible but short result.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree import ElementTree

import numpy as np

from sciml.atomic import AtomicFile
from sciml.errors import DataFormatError, InputError, MeshFileError
from sciml.mesh.field import Field, storable
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh
from sciml.mesh.xdmf import (
    Column,
    chunk_shape,
    in_order,
    read_field,
    read_place,
    read_text,
    stored_form,
    text_attribute,
    write_place,
    xdmf_tree,
)
from sciml.regular_files import regular_file


@dataclass(frozen=True, eq=False)
class Series:
    """The contents of a series: the mesh or grid, the fields, and the times (None for a snapshot)."""

    on: Mesh | Grid
    fields: list[Field]
    times: np.ndarray | None

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise InputError(f"There is no field {name!r}; the file has {[f.name for f in self.fields]}.")


class SeriesWriter:
    """Write fields on one mesh or grid, step by step; the memory needed is that of one step.

    Parameters
    ----------
    path : ``name.xdmf``; the values go to ``name.h5`` in the same folder
    on : the mesh or grid of all steps
    units : unit by field name

    Examples
    --------
    >>> from sciml.mesh import Grid, SeriesWriter, read_series
    >>> import numpy as np, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "run.xdmf")
    >>> with SeriesWriter(path, on=Grid((4, 3))) as series:
    ...     for step in range(3):
    ...         series.append(0.1 * step, u=np.full((4, 3), float(step)))
    >>> read_series(path)["u"].values[:, 0, 0]
    array([0., 1., 2.])
    """

    def __init__(self, path: str | os.PathLike[str], on: Mesh | Grid, units: Mapping[str, str] | None = None) -> None:
        self._pair = _Pair(path, on)
        self._units = dict(units or {})
        self._times: list[float] = []

    def append(self, time: float, **fields: Any) -> None:
        """Write the fields of one more time step.

        Parameters
        ----------
        time : larger than that of the step before
        fields : the same names in every step; arrays in the shape of a `Field`, or static `Field` objects. An array
            with as many rows as the mesh has points is taken to be at its points, else at its cells.
        """
        time = float(time)
        if not np.isfinite(time) or (self._times and time <= self._times[-1]):
            raise InputError(f"Times must be finite and increase; got {time} after {self._times[-1:]}.")
        step = [self._pair.as_field(name, values, self._units.get(name, "")) for name, values in fields.items()]
        self._pair.write(step, len(self._times))
        self._times.append(time)

    def close(self) -> None:
        """Finish the files and give them their names."""
        self._pair.finish(self._times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._pair.abandon()


def write_snapshot(path: str | os.PathLike[str], on: Mesh | Grid, fields: Iterable[Field] = ()) -> None:
    """Write static fields on a mesh or grid as an HDF5 + XDMF pair.

    Parameters
    ----------
    path : ``name.xdmf``
    on : mesh or grid; a grid needs no coordinates in the file
    fields : static fields on it
    """
    pair = _Pair(path, on)
    try:
        pair.write([pair.as_field(field.name, field, field.unit) for field in fields], None)
        pair.finish(None)
    except BaseException:
        pair.abandon()
        raise


def read_series(path: str | os.PathLike[str], names: Sequence[str] | None = None, steps: slice = slice(None)) -> Series:
    """Read a pair written by `SeriesWriter` or `write_snapshot`.

    Parameters
    ----------
    path : ``name.xdmf`` or ``name.h5``
    names : fields to read; all by default
    steps : which steps to read, e.g. ``slice(-1, None)`` for the last

    Raises
    ------
    DataFormatError : no such file, not one of ours, truncated, or a checksum that fails
    """
    import h5py

    from sciml.mesh.hdf5 import inside

    path = Path(path).with_suffix(".h5")
    if not path.exists():
        raise DataFormatError(f"There is no file {path}; the .h5 must be in the same folder as the .xdmf.")
    regular_file(path, DataFormatError)
    try:
        with h5py.File(path, "r") as file:
            if read_text(file.attrs.get("sciml_format")) != "1":
                raise DataFormatError(f"{path} is not a series of sciml (no attribute sciml_format = 1).")
            on = read_place(file)
            times = inside(file, "time")[steps] if "time" in file else None
            known = in_order(file, "fields")
            for name in names or ():
                if name not in known:
                    raise InputError(f"There is no field {name!r} in {path}; it has {list(known)}.")
            fields = [
                read_field(data, on, times, steps) for name, data in known.items() if names is None or name in names
            ]
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError, MemoryError) as error:
        if isinstance(error, InputError) and names is not None:
            raise
        raise DataFormatError(f"{path} cannot be read, it is damaged or not complete: {error}.") from error
    return Series(on, fields, times)


def _check_values_of(xdmf: Path, h5: Path) -> None:
    """Refuse to replace an HDF5 file that nobody has named and that is not the values of a series, such as a data set.

    What cannot be opened is replaced if there is the description that goes with it.
    """
    import h5py

    if not h5.is_file():  # nothing there, or what is not replaced in any case
        return
    is_pair = xdmf.is_file()
    try:
        with h5py.File(h5, "r") as file:
            is_series = "sciml_description" not in file.attrs and (is_pair or "sciml_format" in file.attrs)
    except (OSError, RuntimeError, KeyError, ValueError):
        is_series = is_pair
    if not is_series:
        raise MeshFileError(
            f"the values of {xdmf} would be written to {h5}, which holds something else, such as a data set; choose "
            "another name, or remove that file."
        )


class _Pair:
    """One HDF5 + XDMF pair while it is written."""

    def __init__(self, path: str | os.PathLike[str], on: Mesh | Grid) -> None:
        from sciml.mesh.hdf5 import NewFile

        self.xdmf = Path(path)
        if self.xdmf.suffix.lower() != ".xdmf":
            raise InputError(f"A series is written to a file NAME.xdmf; got {str(path)!r}.")
        if not self.xdmf.parent.is_dir():
            raise MeshFileError(f"The folder {self.xdmf.parent} does not exist; make it first.")
        if not isinstance(on, Mesh | Grid):
            raise InputError(f"Fields are on a Mesh or a Grid; got {type(on).__name__}.")
        self.on = on
        self.h5 = self.xdmf.with_suffix(".h5")
        self.columns: dict[str, Column] = {}
        _check_values_of(self.xdmf, self.h5)
        try:
            self._description, self._values = AtomicFile(self.xdmf), NewFile(self.h5)
        except OSError as error:
            raise MeshFileError(f"{self.h5} cannot be written: {error.strerror or error}.") from error
        try:
            with self._values.writing() as file:
                file.attrs["sciml_format"] = text_attribute("1")
                write_place(file, on)
        except BaseException:
            self.abandon()
            raise

    @property
    def file(self) -> Any:
        """The open HDF5 file, None once it is closed."""
        return self._values.file

    def as_field(self, name: str, values: Any, unit: str) -> Field:
        """Return a static field on this mesh or grid, placed by the number of its rows if it is a plain array."""
        if isinstance(values, Field):
            if values.times is not None:
                raise InputError(f"Field {name!r} has times; append its steps one by one.")
            return Field(name, values.values, self.on, values.location, unit=unit or values.unit)
        location = None
        if isinstance(self.on, Mesh):
            rows = (np.shape(values) or (0,))[0]
            location = "cells" if rows == self.on.n_cells and rows != self.on.n_points else "points"
        return Field(name, values, self.on, location, unit=unit)  # type: ignore[arg-type]

    def write(self, fields: Sequence[Field], step: int | None) -> None:
        """Write the fields of one step, or static fields (step None)."""
        if self.file is None:
            raise InputError(f"The series {self.xdmf} is closed.")
        arrays = {
            name: (array, field) for field in fields for name, array in storable(field.name, field.values).items()
        }
        for name in arrays:
            if "/" in name or name == ".":
                raise InputError(f"A field name in an HDF5 file must not contain '/'; got {name!r}.")
        columns = {
            name: Column(stored_form(array, self.on).shape, array.dtype, str(field.location))
            for name, (array, field) in arrays.items()
        }
        if step and columns != self.columns:
            raise InputError(f"Every step needs the same fields; got {columns} after {self.columns}.")
        with self._values.writing() as file:
            for name, (array, field) in arrays.items():
                stored = stored_form(array, self.on)
                if not step:
                    self._create(name, stored, field, series=step is not None)
                    self.columns[name] = columns[name]
                data = file[f"fields/{name}"]
                if step is None:
                    data[...] = stored
                else:
                    data.resize(step + 1, axis=0)
                    data[step] = stored

    def _create(self, name: str, stored: np.ndarray, field: Field, series: bool) -> None:
        shape = ((0,) if series else ()) + stored.shape
        limits = ((None,) if series else ()) + stored.shape
        chunk = ((1,) if series else ()) + chunk_shape(stored.shape, stored.dtype.itemsize)
        data = self.file.create_dataset(
            f"fields/{name}", shape, stored.dtype, maxshape=limits, fletcher32=True, chunks=chunk
        )
        data.attrs["location"] = text_attribute(str(field.location))
        if field.unit:
            data.attrs["unit"] = text_attribute(field.unit)
        data.attrs["components"], data.attrs["order"] = field.components, len(self.columns)

    def finish(self, times: Sequence[float] | None) -> None:
        """Write times and XDMF, close, and rename both files."""
        if self.file is None:
            return
        try:
            if times is not None:
                self.file.create_dataset("time", data=np.array(times, dtype=np.float64))
            self._values.finish()
            tree = xdmf_tree(self.h5.name, self.on, self.columns, times)
            ElementTree.indent(tree)
            with self._description as description:
                ElementTree.ElementTree(tree).write(description.part, xml_declaration=True, encoding="utf-8")
                self._values.commit()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close and remove what was written so far."""
        self._description.discard()
        self._values.abandon()
