"""`DatasetWriter`: our layouts, written trajectory by trajectory beside its name and renamed at the end.

Where one grid or mesh is all there is, the file has the layout of `sciml.data.formats.one_place`, which is The Well's;
places with names have that of `sciml.data.formats.named_places`. All numbers carry the checksum fletcher32, and the
texts that we read lie in object headers, which have one too.
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
from sciml.data.formats.description import DataField, Description
from sciml.data.formats.named_places import NamedPlacesFile
from sciml.data.formats.one_place import OnePlaceFile
from sciml.data.formats.places import VaryingTimes, lengths
from sciml.data.formats.varying_place import check_names
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, Mesh
from sciml.mesh.hdf5 import NewFile


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
    >>> from sciml.data import DataField, DatasetWriter, Description, VaryingMesh, open_dataset
    >>> from sciml.mesh import Grid, make_mesh
    >>> path = os.path.join(tempfile.mkdtemp(), "waves.h5")
    >>> about = Description("waves", Grid((8,)), np.arange(3.0), (DataField("u"),), trajectories=2)
    >>> with DatasetWriter(path, about) as writer:
    ...     for k in range(2):
    ...         writer.append({"u": np.full((3, 8), k)})
    >>> open_dataset(path).read("u", 1).mean()
    np.float32(1.0)

    Each sample on a mesh of its own:

    >>> meshes = [make_mesh("disk", resolution) for resolution in (1, 2)]
    >>> about = Description(
    ...     "disks", {"disk": VaryingMesh.of(meshes[0])}, np.zeros(1), (DataField("u", time_varying=False),), 2
    ... )
    >>> with DatasetWriter(path, about) as writer:
    ...     for mesh in meshes:
    ...         writer.append({"u": mesh.points[:, 0]}, places={"disk": mesh})
    >>> with open_dataset(path) as data:
    ...     print(data.read("u", 0).shape[1] == meshes[0].n_points, data.place("disk", 1).n_cells == meshes[1].n_cells)
    True True
    """

    def __init__(self, path: str | os.PathLike[str], description: Description, *, compress: bool = False) -> None:
        self.path, self.description = Path(path), description
        self._options: dict[str, Any] = {"fletcher32": True, **({"compression": "gzip"} if compress else {})}
        self._written = 0
        self._parameter_shapes: dict[str, tuple[int, ...]] = {}
        check_description(description)
        if not self.path.parent.is_dir():
            raise InputError(f"the folder {self.path.parent} does not exist; make it first.")
        with self._described():
            self._new = NewFile(self.path)
        try:
            with self._described(), self._new.writing() as file:
                layout = NamedPlacesFile if description.named else OnePlaceFile
                self._layout = layout(file, description, self._options)
        except BaseException:
            self.abandon()
            raise

    def append(
        self,
        fields: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        places: Mapping[str, Grid | Mesh] | None = None,
        times: Any = None,
    ) -> None:
        """Write the fields, parameters, places and times of the next trajectory.

        Parameters
        ----------
        fields : by name, ``(steps, *places, *components)``; a field constant in time without the first axis or with 1
        parameters : numbers by name, those of the description
        places : by name, those that differ from sample to sample
        times : (steps,) increasing, if they differ from sample to sample
        """
        about = self.description
        if self._file is None or self._written == about.trajectories:
            raise InputError(f"{self.path} takes {about.trajectories} trajectories, and all are written.")
        given, own = dict(parameters or {}), dict(places or {})
        for what, got, known in (
            ("fields", fields, [entry.name for entry in about.fields]),
            ("parameters", given, list(about.parameters)),
            ("places", own, list(about.varying)),
        ):
            if set(got) != set(known):
                raise InputError(f"every trajectory of {about.name!r} needs the {what} {known}, got {sorted(got)}.")
        arrays = {name: about.places[name].split(own[name]) for name in about.varying}  # type: ignore[union-attr]
        own_times = isinstance(about.times, VaryingTimes)
        if own_times != (times is not None):
            kind = "each trajectory has times of its own" if own_times else "all trajectories have the same times"
            raise InputError(f"in {about.name!r} {kind}; got {times}.")
        steps = _checked_times(times if own_times else about.times)
        checked = {entry.name: self._checked(entry, fields[entry.name], own, len(steps)) for entry in about.fields}
        numbers = {name: self._checked_parameter(name, given[name]) for name in about.parameters}
        with self._described(), self._new.writing():
            if own_times:
                self._layout.times(steps)
            for name, parts in arrays.items():
                self._layout.place(name, parts)
            for name, values in checked.items():
                self._layout.field(name, self._written, values)
            for name, value in numbers.items():
                self._layout.parameter(name, self._written, value)
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
                with self._new.writing():
                    self._layout.finish()
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

    def _checked_parameter(self, name: str, value: Any) -> np.ndarray:
        value = real_array(f"the parameter {name!r}", value, finite=False)
        shape = self._parameter_shapes.setdefault(name, value.shape)
        if value.shape != shape:
            raise InputError(f"the parameter {name!r} must have the shape {shape} as before, got {value.shape}.")
        return value

    def _checked(self, entry: DataField, values: Any, own: Mapping[str, Grid | Mesh], steps: int) -> np.ndarray:
        about = self.description
        on = own.get(entry.place, about.places[entry.place])
        name, kind = f"a trajectory of {entry.name!r}", np.dtype(entry.dtype)
        values = whole_array(name, values) if kind.kind in "iu" else real_array(name, values, finite=False)
        shape = (steps if entry.time_varying else 1, *lengths(on, entry.location), *entry.components)
        if not entry.time_varying and values.shape == shape[1:]:
            values = values[None]
        if values.shape != shape:
            raise InputError(f"{name} must hold real numbers of shape {shape}, got the shape {values.shape}.")
        with np.errstate(over="ignore", invalid="ignore"):
            stored = values.astype(kind)
        changed = (np.isfinite(values) != np.isfinite(stored)) if kind.kind == "f" else stored != values
        if changed.any():
            raise InputError(f"{name} holds {values[changed][0]:g}, which {kind} does not hold; choose another dtype.")
        return stored


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
    check_names([*names, *about.parameters, *(name for name in about.places if about.named)])
    if len(set(names)) < len(names):
        raise InputError(f"every field needs a name of its own; got {names}.")
    for entry in about.fields:
        kind = np.dtype(entry.dtype)
        if kind.kind not in "biuf" or kind.itemsize > 8 or len(entry.components) > 2 or 0 in entry.components:
            raise InputError(f"the field {entry.name!r} must hold real scalars, vectors or matrices; got {entry}.")
    if not isinstance(about.times, VaryingTimes):
        _checked_times(about.times)
    if about.boundary and about.named:
        raise InputError("places with names have no boundary of axes; name the parts of the meshes by groups.")
    for name, kind in about.boundary.items():
        if name[:1] not in ("x", "y", "z")[: about.on.dim] or name[1:] not in ("", "-", "+") or not kind.isalpha():
            raise InputError(f"a boundary is named by its axis and side, such as 'x' or 'y+'; got {name!r}: {kind!r}.")


def _checked_times(times: Any) -> np.ndarray:
    times = real_array("the times", times, finite=False)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError(f"the times of a data set must be finite and increase; got {times}.")
    return times
