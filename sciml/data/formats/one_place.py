"""The layout of a data set on one grid or mesh: The Well's, with our own description beside it.

::

    @sciml_format "1"  @sciml_description  @generator  @seed
    @dataset_name  @grid_type  @n_spatial_dims  @n_trajectories  @simulation_parameters
    grid or mesh                            exact, as in the files of sciml.mesh
    dimensions/{time, x, y, z}              @spatial_dims
    boundary_conditions/NAME                @bc_type  @associated_dims
    scalars/NAME                            (trajectories, ...)
    t0_fields, t1_fields, t2_fields/NAME    (trajectories[, steps], *places[, components])  @unit  @location

On a mesh ``grid_type`` is ``"unstructured"``. The attributes of The Well say what the description says, for its own
readers; they are texts of variable length, which lie in a heap without a checksum where a flipped bit can make the
library loop for ever, so they are not touched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sciml.data.formats import native
from sciml.data.formats.access import Stack, described, table
from sciml.data.formats.chunks import chunks
from sciml.data.formats.dataset import Source
from sciml.data.formats.description import DataField, Description
from sciml.mesh import Grid, Mesh
from sciml.mesh.xdmf import read_place, text_attribute, write_place

GROUPS = ("grid", "mesh", "dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields")


def where(entry: DataField) -> str:
    """Name of the HDF5 data set of a field: The Well sorts them by the order of the tensor.

    Parameters
    ----------
    entry : the field
    """
    return f"t{len(entry.components)}_fields/{entry.name}"


def read(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of a data set on one grid or mesh.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    given = native.read_plain(file, named=False)
    parameters = {name: table(file, f"scalars/{name}") for name in given["parameters"]}
    about = native.described(given, read_place(file), table(file, "dimensions/time"), parameters)
    _check_names(file, about)
    for entry in about.fields:
        shape = about.shape(entry.name)
        described(file, where(entry), entry.dtype, shape if entry.time_varying else (shape[0], *shape[2:]))
    return about, {entry.name: Stack((where(entry),), time_varying=entry.time_varying) for entry in about.fields}


def _check_names(file: Any, about: Description) -> None:
    native.check_known("a group of the file", file, GROUPS)
    native.check_known("a parameter in the group scalars", file.get("scalars", {}), list(about.parameters))
    for order in range(3):
        names = [entry.name for entry in about.fields if len(entry.components) == order]
        native.check_known(f"a field in the group t{order}_fields", file.get(f"t{order}_fields", {}), names)


class OnePlaceFile:
    """A file of this layout that is being written.

    Parameters
    ----------
    file : open HDF5 file, empty
    about : what is written
    options : of HDF5 for the numbers, such as their checksum
    """

    def __init__(self, file: Any, about: Description, options: Mapping[str, Any]) -> None:
        self._file, self._about, self._options = file, about, options
        self._datasets: dict[str, Any] = {}
        self._on: Grid | Mesh = about.on  # type: ignore[assignment]
        native.write(file, about)
        self._write_head()

    def place(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Do nothing: all trajectories are on the same place."""

    def times(self, times: np.ndarray) -> None:
        """Do nothing: all trajectories have the same times."""

    def field(self, name: str, number: int, values: np.ndarray) -> None:
        """Write the values of a field of one trajectory, ``(steps, *places, *components)``.

        Parameters
        ----------
        name : of the field
        number : of the trajectory
        values : in the dtype of the field
        """
        self._datasets[name][number] = values if self._about[name].time_varying else values[0]

    def parameter(self, name: str, number: int, value: np.ndarray) -> None:
        """Write a parameter of one trajectory.

        Parameters
        ----------
        name : of the parameter
        number : of the trajectory
        value : float64
        """
        scalars = self._file["scalars"]
        if name not in scalars:
            data = self._create(scalars, name, (self._about.trajectories, *value.shape), np.float64)
            data.attrs["sample_varying"], data.attrs["time_varying"] = True, False
        scalars[name][number] = value

    def finish(self) -> None:
        """Do nothing: all is written."""

    def _write_head(self) -> None:
        about, file, on = self._about, self._file, self._on
        attributes = {
            "dataset_name": about.name,
            "grid_type": "cartesian" if isinstance(on, Grid) else "unstructured",
            "n_spatial_dims": on.dim,
            "n_trajectories": about.trajectories,
            "simulation_parameters": _texts([]),  # those of one value for all trajectories; ours are scalars
        }
        if about.generator:
            attributes["generator"] = text_attribute(about.generator)
        if about.seed is not None:
            attributes["seed"] = about.seed
        for name, value in attributes.items():
            file.attrs[name] = value
        write_place(file, on)
        dimensions = file.create_group("dimensions")
        axes = dict(zip("xyz", on.axes(), strict=False)) if isinstance(on, Grid) else {}
        dimensions.attrs["spatial_dims"] = _texts(["x", "y", "z"][: on.dim])
        for name, values in {"time": about.times, **axes}.items():
            self._create(dimensions, name, values.shape, np.float64)[...] = values
            dimensions[name].attrs["sample_varying"] = dimensions[name].attrs["time_varying"] = False
        self._write_boundary()
        file.create_group("scalars").attrs["field_names"] = _texts(list(about.parameters))
        self._create_fields()

    def _write_boundary(self) -> None:
        group, on = self._file.create_group("boundary_conditions"), self._on
        for name, kind in self._about.boundary.items():
            given = group.create_group(f"{name}_{kind}")
            given.attrs["bc_type"] = kind.upper()
            given.attrs["associated_dims"] = _texts([name[0]])
            given.attrs["associated_fields"] = _texts([])
            given.attrs["sample_varying"] = given.attrs["time_varying"] = False
            if isinstance(on, Grid):
                mask = np.zeros(on.shape["xyz".index(name[0])], bool)
                mask[{"-": [0], "+": [-1]}.get(name[1:], [0, -1])] = True
                self._create(given, "mask", mask.shape, bool)[...] = mask

    def _create_fields(self) -> None:
        about = self._about
        for order in range(3):
            group = self._file.create_group(f"t{order}_fields")
            group.attrs["field_names"] = _texts([f.name for f in about.fields if len(f.components) == order])
        for entry in about.fields:
            shape, kind = about.shape(entry.name), np.dtype(entry.dtype)
            shape = shape if entry.time_varying else (shape[0], *shape[2:])
            data = self._create(
                self._file, where(entry), shape, kind, chunks(shape, kind.itemsize, time_varying=entry.time_varying)
            )
            data.attrs["dim_varying"] = np.ones(len(about.lengths(entry.name)), bool)
            data.attrs["sample_varying"], data.attrs["time_varying"] = True, entry.time_varying
            if entry.unit:
                data.attrs["unit"] = text_attribute(entry.unit)
            self._datasets[entry.name] = data

    def _create(self, group: Any, name: str, shape: Any, dtype: Any, chunk: tuple[int, ...] | None = None) -> Any:
        options = self._options if 0 not in shape else {}
        return group.create_dataset(name, shape, dtype, chunks=(chunk or shape) if options else None, **options)


def _texts(values: list[str]) -> np.ndarray:
    """A list of texts as The Well's readers expect them."""
    import h5py

    return np.array(values, dtype=h5py.string_dtype())
