"""The layout of the Navier-Stokes data of PDEArena: smoke in a closed box, with or without a buoyancy of each sample.

::

    train, valid or test/u, vx, vy    (trajectories, steps, nx, ny)
                        /t            (trajectories, steps)
                        /x, y         (trajectories, nx), (trajectories, ny)
                        /dt, dx, dy   (trajectories,)
                        /buo_y        (trajectories,)

Three things are not as these names say, by the program that made the files. The smoke ``u`` is at the centres of
cells, while ``x`` and ``y`` run from one wall to the other. A velocity is on the lower face of its cell, as on the
staggered grid that it comes from, without the last face, on which it is zero. And the frames are ``dt`` apart, while
``t`` spreads them from the first time to what is the end of the last step.

Here all fields are at the centres of cells, velocities as the means of two faces, at times ``dt`` apart: what ``sciml
data generate smoke`` makes. The means lose nothing; `sciml.reference.incompressible_smoke` goes back to the faces.

Reference: Gupta and Brandstetter, Towards multi-spatiotemporal-scale generalized PDE modeling, TMLR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sciml.data.formats.access import Stack, dataset, table, unread
from sciml.data.formats.dataset import Source
from sciml.data.formats.description import DataField, Description
from sciml.errors import DataFormatError
from sciml.mesh import Grid

PARTS = ("train", "valid", "test")
# Our names of the fields, those of the file, and the axis of places, if there is one, along which they are on faces.
FIELDS = (("velocity_x", "vx", 0), ("velocity_y", "vy", 1), ("smoke", "u", None))


def parts(file: Any) -> list[str]:
    """Return the parts of a data set of PDEArena that a file has; none if it is another file.

    Parameters
    ----------
    file : open HDF5 file
    """
    return [part for part in PARTS if all(f"{part}/{name}" in file for _, name, _ in FIELDS)]


def read(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read ``velocity_x``, ``velocity_y`` and ``smoke``, and the parameter ``buoyancy`` if there is one.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    part, *more = parts(file)
    if more:
        raise DataFormatError(
            f"{path} has the parts {part} and {more[0]}, expected one; put each in a file of its own."
        )
    shape = dataset(file, f"{part}/u").shape
    if len(shape) != 4:
        raise DataFormatError(f"{path}: {part}/u has shape {shape}, expected (trajectories, steps, nx, ny).")
    fields: list[DataField] = []
    sources: dict[str, Source] = {}
    for name, theirs, axis in FIELDS:
        found = dataset(file, f"{part}/{theirs}")
        if found.shape != shape or found.dtype.kind != "f":
            raise DataFormatError(
                f"{path}: {part}/{theirs} has {found.dtype} of shape {found.shape}, expected floating-point numbers of "
                f"shape {shape} as of {part}/u."
            )
        fields.append(DataField(name, (), found.dtype.name, "", "cells"))
        stored = Stack((f"{part}/{theirs}",))
        sources[name] = stored if axis is None else _Means(stored, axis)
    parameters = {"buoyancy": _rows(file, path, f"{part}/buo_y", shape[:1])} if f"{part}/buo_y" in file else {}
    known = ("u", "vx", "vy", "t", "x", "y", "dt", "dx", "dy", "buo_y")
    return Description(
        path.stem,
        _grid(file, path, part, shape),
        _times(file, path, part, shape),
        tuple(fields),
        shape[0],
        boundary=dict.fromkeys("xy", "wall"),
        parameters=parameters,
        layout="pdearena",
        ignored=(*unread(file, (part,)), *(f"{part}/{name}" for name in unread(file[part], known))),
    ), sources


@dataclass(frozen=True)
class _Means:
    """Means of values on the lower faces of cells and on the next ones along an axis of places; zero on the last."""

    faces: Stack
    axis: int

    def read(self, file: Any, trajectory: int, steps: slice) -> np.ndarray:
        low = self.faces.read(file, trajectory, steps) / 2
        high = np.zeros_like(low)
        np.moveaxis(high, 1 + self.axis, 0)[:-1] = np.moveaxis(low, 1 + self.axis, 0)[1:]
        return low + high

    def datasets(self, trajectories: int) -> list[str]:
        return self.faces.datasets(trajectories)


def _grid(file: Any, path: Path, part: str, shape: tuple[int, ...]) -> Grid:
    """Return the cells between the first and the last coordinate."""
    axes = [_common(file, path, f"{part}/{axis}", (shape[0], n)) for axis, n in zip("xy", shape[2:], strict=True)]
    lower, upper = (tuple(float(axis[end]) for axis in axes) for end in (0, -1))
    sides = [high - low for low, high in zip(lower, upper, strict=True)]
    if not all(len(axis) > 1 and (axis[1:] > axis[:-1]).all() for axis in axes) or not np.isfinite(sides).all():
        raise DataFormatError(f"{path}: the coordinates x and y must increase, within a finite box.")
    return Grid(shape[2:], lower, upper, centring="cell")


def _times(file: Any, path: Path, part: str, shape: tuple[int, ...]) -> np.ndarray:
    times = _common(file, path, f"{part}/t", shape[:2])
    step = _rows(file, path, f"{part}/dt", shape[:1])
    if not shape[0] or not shape[1]:
        return np.zeros(shape[1])
    if not step[0] > 0 or (step != step[0]).any():
        raise DataFormatError(f"{path}: {part}/dt must be one positive number for all trajectories.")
    with np.errstate(over="ignore", invalid="ignore"):  # the sentence below answers
        found = times[0] + step[0] * np.arange(shape[1])
        rises = np.isfinite(found).all() and (np.diff(found) > 0).all()
    if not rises:
        raise DataFormatError(
            f"{path}: {shape[1]} times {step[0]:g} apart from {times[0]:g} are no numbers that increase."
        )
    return found


def _common(file: Any, path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the one row of a table whose rows are alike."""
    rows = _rows(file, path, name, shape)
    if (rows != rows[:1]).any():
        raise DataFormatError(f"{path}: {name} differs among the trajectories, expected the same for all.")
    return rows[0] if len(rows) else np.arange(float(shape[1]))


def _rows(file: Any, path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    rows = table(file, name)
    if rows.shape != shape or not np.isfinite(rows).all():
        raise DataFormatError(f"{path}: {name} has shape {rows.shape}, expected finite numbers of shape {shape}.")
    return rows
