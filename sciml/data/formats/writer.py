"""`DatasetWriter`: our layout, written trajectory by trajectory beside its name and renamed at the end.

::

    @sciml_format "1"  @sciml_description  @generator  @seed
    @dataset_name  @grid_type  @n_spatial_dims  @n_trajectories  @simulation_parameters
    grid or mesh                            exact, as in the files of sciml.mesh
    dimensions/{time, x, y, z}              @spatial_dims
    boundary_conditions/NAME                @bc_type  @associated_dims
    scalars/NAME                            (trajectories, ...)
    t0_fields, t1_fields, t2_fields/NAME    (trajectories[, steps], *places[, components])  @unit  @location

This is The Well's layout with our own description beside it; on a mesh ``grid_type`` is ``"unstructured"``. All numbers
carry the checksum fletcher32, and the texts that we read lie in object headers, which have one too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sciml.atomic import is_full
from sciml.checks import real_array, whole_array
from sciml.data.formats import native
from sciml.data.formats.dataset import DataField, Description
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid
from sciml.mesh.hdf5 import NewFile
from sciml.mesh.xdmf import text_attribute, write_place

CHUNK_BYTES = 1 << 16  # small steps share a chunk up to this size
LARGEST_CHUNK = 1 << 23


class DatasetWriter:
    """Write a data set of a known number of trajectories; the memory needed is that of one.

    Parameters
    ----------
    path : of the file; until :meth:`close` the values are in ``path.part``
    description : what is written; of its parameters the names count, the values come with the trajectories
    compress : gzip the values

    Examples
    --------
    >>> import os, tempfile
    >>> from sciml.data import DataField, DatasetWriter, Description, open_dataset
    >>> from sciml.mesh import Grid
    >>> path = os.path.join(tempfile.mkdtemp(), "waves.h5")
    >>> about = Description("waves", Grid((8,)), np.arange(3.0), (DataField("u"),), trajectories=2)
    >>> with DatasetWriter(path, about) as writer:
    ...     for k in range(2):
    ...         writer.append({"u": np.full((3, 8), k)})
    >>> open_dataset(path).read("u", 1).mean()
    np.float32(1.0)
    """

    def __init__(self, path: str | os.PathLike[str], description: Description, *, compress: bool = False) -> None:
        self.path, self.description = Path(path), description
        self._options: dict[str, Any] = {"fletcher32": True, **({"compression": "gzip"} if compress else {})}
        self._written = 0
        self._datasets: dict[str, Any] = {}
        check_description(description)
        if not self.path.parent.is_dir():
            raise InputError(f"the folder {self.path.parent} does not exist; make it first.")
        with self._described():
            self._new = NewFile(self.path)
        try:
            with self._described(), self._new.writing():
                self._write_head()
        except BaseException:
            self.abandon()
            raise

    def append(self, fields: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> None:
        """Write the fields and parameters of the next trajectory.

        Parameters
        ----------
        fields : by name, ``(steps, *places, *components)``; a field constant in time without the first axis or with 1
        parameters : numbers by name, those of the description
        """
        about = self.description
        if self._file is None or self._written == about.trajectories:
            raise InputError(f"{self.path} takes {about.trajectories} trajectories, and all are written.")
        given = dict(parameters or {})
        for what, got, known in (
            ("fields", fields, [entry.name for entry in about.fields]),
            ("parameters", given, list(about.parameters)),
        ):
            if set(got) != set(known):
                raise InputError(f"every trajectory of {about.name!r} needs the {what} {known}, got {sorted(got)}.")
        with self._described(), self._new.writing():
            for entry in about.fields:
                self._datasets[entry.name][self._written] = self._checked(entry, fields[entry.name])
            for name, value in given.items():
                self._write_parameter(name, real_array(f"the parameter {name!r}", value, finite=False))
        self._written += 1

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._file is None:
            return
        if self._written != self.description.trajectories:
            self.abandon()
            raise InputError(
                f"{self.path} was to get {self.description.trajectories} trajectories, but got {self._written}."
            )
        try:
            with self._described():
                self._new.finish()
                self._new.commit()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close and remove what was written so far."""
        self._new.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    @property
    def _file(self) -> Any:
        """The open HDF5 file, None once it is closed."""
        return self._new.file

    @contextmanager
    def _described(self) -> Iterator[None]:
        """Turn what the system says of a write into one sentence; a full disk stays what it is."""
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise
            raise DataFormatError(f"{self.path} cannot be written: {error.strerror or error}.") from error

    def _write_head(self) -> None:
        about, file = self.description, self._file
        attributes = {
            "sciml_format": text_attribute("1"),
            native.DESCRIPTION: text_attribute(native.to_json(about)),
            "dataset_name": about.name,
            "grid_type": "cartesian" if isinstance(about.on, Grid) else "unstructured",
            "n_spatial_dims": about.on.dim,
            "n_trajectories": about.trajectories,
            "simulation_parameters": _texts([]),  # those of one value for all trajectories; ours are scalars
        }
        if about.generator:
            attributes["generator"] = text_attribute(about.generator)
        if about.seed is not None:
            attributes["seed"] = about.seed
        for name, value in attributes.items():
            file.attrs[name] = value
        write_place(file, about.on)
        dimensions = file.create_group("dimensions")
        axes = dict(zip("xyz", about.on.axes(), strict=False)) if isinstance(about.on, Grid) else {}
        dimensions.attrs["spatial_dims"] = _texts(["x", "y", "z"][: about.on.dim])
        for name, values in {"time": about.times, **axes}.items():
            self._create(dimensions, name, values.shape, np.float64)[...] = values
            dimensions[name].attrs["sample_varying"] = dimensions[name].attrs["time_varying"] = False
        self._write_boundary()
        file.create_group("scalars").attrs["field_names"] = _texts(list(about.parameters))
        self._create_fields()

    def _write_boundary(self) -> None:
        group = self._file.create_group("boundary_conditions")
        for name, kind in self.description.boundary.items():
            given = group.create_group(f"{name}_{kind}")
            given.attrs["bc_type"] = kind.upper()
            given.attrs["associated_dims"] = _texts([name[0]])
            given.attrs["associated_fields"] = _texts([])
            given.attrs["sample_varying"] = given.attrs["time_varying"] = False
            if isinstance(self.description.on, Grid):
                mask = np.zeros(self.description.on.shape["xyz".index(name[0])], bool)
                mask[{"-": [0], "+": [-1]}.get(name[1:], [0, -1])] = True
                self._create(given, "mask", mask.shape, bool)[...] = mask

    def _create_fields(self) -> None:
        about = self.description
        for order in range(3):
            group = self._file.create_group(f"t{order}_fields")
            group.attrs["field_names"] = _texts([f.name for f in about.fields if len(f.components) == order])
        for entry in about.fields:
            shape = about.shape(entry.name)
            shape = shape if entry.time_varying else (shape[0], *shape[2:])
            data = self._create(
                self._file,
                native.where(entry),
                shape,
                np.dtype(entry.dtype),
                _chunks(shape, np.dtype(entry.dtype).itemsize, entry.time_varying),
            )
            data.attrs["dim_varying"] = np.ones(len(about.places(entry.name)), bool)
            data.attrs["sample_varying"], data.attrs["time_varying"] = True, entry.time_varying
            if entry.unit:
                data.attrs["unit"] = text_attribute(entry.unit)
            self._datasets[entry.name] = data

    def _create(
        self, group: Any, name: str, shape: tuple[int, ...], dtype: Any, chunks: tuple[int, ...] | None = None
    ) -> Any:
        options = self._options if 0 not in shape else {}
        return group.create_dataset(name, shape, dtype, chunks=(chunks or shape) if options else None, **options)

    def _write_parameter(self, name: str, value: np.ndarray) -> None:
        scalars = self._file["scalars"]
        if name not in scalars:
            shape = (self.description.trajectories, *value.shape)
            data = self._create(scalars, name, shape, np.float64)
            data.attrs["sample_varying"], data.attrs["time_varying"] = True, False
        scalars[name][self._written] = value

    def _checked(self, entry: DataField, values: Any) -> np.ndarray:
        about = self.description
        name, kind = f"a trajectory of {entry.name!r}", np.dtype(entry.dtype)
        values = whole_array(name, values) if kind.kind in "iu" else real_array(name, values, finite=False)
        shape = about.shape(entry.name)[1:]
        if not entry.time_varying and values.shape == shape[1:]:
            values = values[None]
        if values.shape != shape:
            raise InputError(f"{name} must hold real numbers of shape {shape}, got the shape {values.shape}.")
        with np.errstate(over="ignore", invalid="ignore"):
            stored = values.astype(kind)
        changed = (np.isfinite(values) != np.isfinite(stored)) if kind.kind == "f" else stored != values
        if changed.any():
            raise InputError(f"{name} holds {values[changed][0]:g}, which {kind} does not hold; choose another dtype.")
        return stored if entry.time_varying else stored[0]


def check_description(about: Description) -> None:
    """Refuse a description that cannot be written.

    Parameters
    ----------
    about : what is to be written
    """
    if about.trajectories < 1 or not about.fields:
        raise InputError(
            f"a data set needs at least one trajectory and one field, got {about.trajectories} and {len(about.fields)}."
        )
    names = [entry.name for entry in about.fields]
    for name in [*names, *about.parameters]:
        if not name.isprintable() or not name.strip() or "/" in name or name == "." or "\\" in name:
            raise InputError(f"names in a data set must be printable and without '/'; got {name!r}.")
    if len(set(names)) < len(names):
        raise InputError(f"every field needs a name of its own; got {names}.")
    for entry in about.fields:
        kind = np.dtype(entry.dtype)
        if kind.kind not in "biuf" or kind.itemsize > 8 or len(entry.components) > 2 or 0 in entry.components:
            raise InputError(f"the field {entry.name!r} must hold real scalars, vectors or matrices; got {entry}.")
    times = real_array("the times", about.times, finite=False)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError(f"the times of a data set must be finite and increase; got {times}.")
    for name, kind in about.boundary.items():
        if name[:1] not in ("x", "y", "z")[: about.on.dim] or name[1:] not in ("", "-", "+") or not kind.isalpha():
            raise InputError(f"a boundary is named by its axis and side, such as 'x' or 'y+'; got {name!r}: {kind!r}.")


def _chunks(shape: tuple[int, ...], itemsize: int, time_varying: bool) -> tuple[int, ...]:
    """Chunks of one trajectory: several steps where they are small, a part of the first axis of space where large."""
    rest = shape[2:] if time_varying else shape[1:]
    step = int(np.prod(rest)) * itemsize
    steps = (max(1, min(shape[1], CHUNK_BYTES // max(1, step))),) if time_varying else ()
    rows = max(1, min(rest[0], rest[0] * LARGEST_CHUNK // max(1, step)))
    return (1, *steps, rows, *rest[1:])


def _texts(values: list[str]) -> np.ndarray:
    """A list of texts as The Well's readers expect them."""
    import h5py

    return np.array(values, dtype=h5py.string_dtype())
