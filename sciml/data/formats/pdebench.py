"""The three layouts of PDEBench.

Reference: Takamoto et al., PDEBench: an extensive benchmark for scientific machine learning, NeurIPS 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sciml.data.formats.access import Stack, dataset, grid_from_coordinates, table, unread
from sciml.data.formats.dataset import Source
from sciml.data.formats.description import DataField, Description
from sciml.errors import DataFormatError
from sciml.mesh import Grid, Mesh

AXES = "xyz"


def read_tensor(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read ``tensor`` (trajectories, steps, x[, y[, z]]); ``nu`` (trajectories, x, y) is the coefficient of Darcy flow.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    tensor = dataset(file, "tensor")
    shape = _checked_shape(path, "tensor", tensor.shape)
    on = _place(file, path, shape[2:])
    fields, sources = [_entry("u", on, tensor)], {"u": Stack(("tensor",))}
    if "nu" in file:
        nu = dataset(file, "nu")
        if nu.shape != (shape[0], *shape[2:]):
            raise DataFormatError(f"{path}: nu has shape {nu.shape}, expected {(shape[0], *shape[2:])} as of tensor.")
        fields.append(_entry("nu", on, nu, time_varying=False))
        sources["nu"] = Stack(("nu",), time_varying=False)
    about = _described(path, on, _times(file, path, shape[1]), fields, shape[0], "pdebench_tensor")
    return replace(about, ignored=unread(file, ("tensor", *sources, *_coordinates(shape[2:])))), sources


def read_fluid(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read ``density``, ``pressure`` and ``Vx[, Vy[, Vz]]``, each (trajectories, steps, x[, y[, z]]).

    The components of the velocity become one vector field.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    shape = _checked_shape(path, "Vx", dataset(file, "Vx").shape)
    on = _place(file, path, shape[2:])
    fields: list[DataField] = []
    sources: dict[str, Source] = {}
    velocity = tuple(f"V{axis}" for axis in AXES[: len(shape) - 2])
    for name in ("density", "pressure", *velocity):
        if name not in file and name not in velocity:
            continue
        found = dataset(file, name)
        if found.shape != shape:
            raise DataFormatError(f"{path}: {name} has shape {found.shape}, expected {shape} as of Vx.")
        if name not in velocity:
            fields.append(_entry(name, on, found))
            sources[name] = Stack((name,))
    first = dataset(file, "Vx")
    fields.append(_entry("velocity", on, first, (len(velocity),)))
    sources["velocity"] = Stack(velocity, vector=True)
    about = _described(path, on, _times(file, path, shape[1]), fields, shape[0], "pdebench_fluid")
    return replace(about, ignored=unread(file, (*velocity, *sources, *_coordinates(shape[2:])))), sources


def read_groups(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read one group for each trajectory with ``data`` (steps, x[, y[, z]], channels) and ``grid/{t, x[, y[, z]]}``.

    One channel becomes the field ``u``, several become ``u0``, ``u1``, ...

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    groups = tuple(sorted(file, key=int))
    first = dataset(file, f"{groups[0]}/data")
    if not 3 <= first.ndim <= 5:
        raise DataFormatError(
            f"{path}: {groups[0]}/data has shape {first.shape}, expected (steps, x[, y[, z]], channels)."
        )
    for group in groups:
        found = dataset(file, f"{group}/data")
        if found.shape != first.shape or found.dtype != first.dtype:
            raise DataFormatError(
                f"{path}: {group}/data has shape {found.shape}, expected {first.shape} as in {groups[0]}."
            )
    on = _place(file[groups[0]], path, first.shape[1:-1], "grid/{}")
    times = _times(file[groups[0]], path, first.shape[0], "grid/t")
    count = first.shape[-1]
    names = ["u"] if count == 1 else [f"u{channel}" for channel in range(count)]
    fields = [_entry(name, on, first) for name in names]
    sources: dict[str, Source] = {name: _Channel(groups, channel) for channel, name in enumerate(names)}
    return _described(path, on, times, fields, len(groups), "pdebench_groups"), sources


@dataclass(frozen=True)
class _Channel:
    """One channel of the numbered groups."""

    groups: tuple[str, ...]
    channel: int

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        return np.asarray(file[f"{self.groups[trajectory]}/data"][steps, ..., self.channel])

    def datasets(self, trajectories: int) -> list[str]:
        return [f"{group}/data" for group in self.groups[:trajectories]]


def _coordinates(shape: tuple[int, ...]) -> list[str]:
    return [f"{axis}-coordinate" for axis in ("t", *AXES[: len(shape)])]


def _checked_shape(path: Path, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if not 3 <= len(shape) <= 5:
        raise DataFormatError(f"{path}: {name} has shape {shape}, expected (trajectories, steps, x[, y[, z]]).")
    return shape


def _place(file: Any, path: Path, shape: tuple[int, ...], pattern: str = "{}-coordinate") -> Grid | Mesh:
    """The grid of the coordinates in the file, which are the centres of cells; the unit box where there are none."""
    names = [pattern.format(axis) for axis in AXES[: len(shape)]]
    if not all(name in file for name in names):
        return Grid(shape, centring="cell")
    axes = [table(file, name) for name in names]
    if tuple(map(len, axes)) != shape:
        raise DataFormatError(
            f"{path}: the coordinates have {tuple(map(len, axes))} values, expected {shape} as of the fields."
        )
    return grid_from_coordinates(axes, (False,) * len(shape))


def _times(file: Any, path: Path, steps: int, name: str = "t-coordinate") -> np.ndarray:
    """The times of the steps; some files of PDEBench have one more time than steps, the end of the last interval."""
    if name not in file:
        return np.arange(steps, dtype=np.float64)
    times = table(file, name)
    if times.ndim != 1 or len(times) not in (steps, steps + 1):
        raise DataFormatError(f"{path}: {name} has shape {times.shape}, expected ({steps},) or ({steps + 1},).")
    times = times[:steps]
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise DataFormatError(f"{path}: {name} must hold finite times that increase.")
    return times


def _entry(
    name: str, on: Grid | Mesh, found: Any, components: tuple[int, ...] = (), *, time_varying: bool = True
) -> DataField:
    location = "cells" if isinstance(on, Grid) else "points"
    return DataField(name, components, found.dtype.name, "", location, time_varying)  # type: ignore[arg-type]


def _described(
    path: Path, on: Grid | Mesh, times: np.ndarray, fields: list[DataField], trajectories: int, layout: str
) -> Description:
    return Description(path.stem, on, times, tuple(fields), trajectories, layout=layout)
