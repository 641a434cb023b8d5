"""The layout of The Well.

Reference: Ohana et al., The Well: a large-scale collection of diverse physics simulations for machine learning,
NeurIPS 2024, data set track; its page "Data format".
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sciml.data.formats.access import (
    Stack,
    check_text_heaps,
    dataset,
    grid_from_coordinates,
    number,
    table,
    text,
    texts,
    unread,
)
from sciml.data.formats.dataset import Source
from sciml.data.formats.description import DataField, Description
from sciml.errors import DataFormatError
from sciml.mesh import Grid, Mesh

ORDERS = ("t0_fields", "t1_fields", "t2_fields")


def read(file: Any, path: Path) -> tuple[Description, dict[str, Source]]:
    """Read the description of a file of The Well.

    Parameters
    ----------
    file : open HDF5 file
    path : of the file, for sentences
    """
    check_text_heaps(path)
    boundary = _boundary(file)
    on = _place(file, path, boundary)
    times = _times(file, path)
    trajectories = int(number(file.attrs, "n_trajectories", 0))
    fields, sources = [], {}
    for order in ORDERS:
        for name in file.get(order, {}):
            entry, source = _field(file, f"{order}/{name}", on, (trajectories, len(times)))
            if name in sources:  # The Well allows a scalar and a vector of one name
                entry = replace(entry, name=f"{name}_{order}")
            fields.append(entry)
            sources[entry.name] = source
    if not fields:
        raise DataFormatError(f"{path} has no fields.")
    description = Description(
        name=text(file.attrs.get("dataset_name", path.stem)),
        on=on,
        times=times,
        fields=tuple(fields),
        trajectories=trajectories,
        boundary=boundary,
        parameters=_parameters(file, trajectories, len(times)),
        layout="the_well",
        ignored=unread(file, ("dimensions", "boundary_conditions", "scalars", *ORDERS)),
    )
    return description, sources


def _place(file: Any, path: Path, boundary: dict[str, str]) -> Grid | Mesh:
    kind = text(file.attrs.get("grid_type", "cartesian"))
    if kind != "cartesian":
        raise DataFormatError(f"{path} has a {kind} grid, expected a cartesian one; others are not supported.")
    names = texts(file["dimensions"].attrs["spatial_dims"])
    axes = [table(file, f"dimensions/{name}") for name in names]
    return grid_from_coordinates(axes, tuple(boundary.get(name) == "periodic" for name in names))


def _times(file: Any, path: Path) -> np.ndarray:
    times = table(file, "dimensions/time")
    if times.ndim == 2 and len(times) and (times == times[0]).all():
        times = times[0]
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise DataFormatError(
            f"{path}: the times must be finite, increase, and be those of all trajectories; got shape {times.shape}."
        )
    return times


def _boundary(file: Any) -> dict[str, str]:
    """Kind of each boundary: by the axis it belongs to, else by the name of its group."""
    kinds = {}
    for name in file.get("boundary_conditions", {}):
        group = file["boundary_conditions"][name].attrs
        axes = texts(group["associated_dims"]) if "associated_dims" in group else []
        key = axes[0] if len(axes) == 1 and axes[0] not in kinds else name
        kinds[key] = text(group["bc_type"]).lower()
    return kinds


def _field(file: Any, name: str, on: Grid | Mesh, counts: tuple[int, int]) -> tuple[DataField, Source]:
    found = dataset(file, name)
    given = found.attrs
    samples, steps = bool(number(given, "sample_varying", True)), bool(number(given, "time_varying", True))
    # an uneven grid became a mesh, whose fields keep their axes in the file
    grid_shape = on.shape if isinstance(on, Grid) else _uneven_shape(file)
    leading = ((counts[0],) if samples else ()) + ((counts[1],) if steps else ())
    varying = np.atleast_1d(number(given, "dim_varying", np.ones(len(grid_shape), bool))).astype(bool)
    missing = (0,) * len(grid_shape)
    expected = (*leading, *grid_shape)
    if len(varying) == len(grid_shape) and not varying.all():
        expected = (*leading, *(n for n, there in zip(grid_shape, varying, strict=True) if there))
        missing = tuple(0 if there else n for n, there in zip(grid_shape, varying, strict=True))
    if found.shape[: len(expected)] != expected or found.ndim > len(expected) + 2:
        raise DataFormatError(
            f"{file.filename}: {name} has shape {found.shape}, expected {expected} and at most two axes of components."
        )
    entry = DataField(
        name.split("/")[1],
        found.shape[len(expected) :],
        found.dtype.name,
        text(given.get("unit", "")),
        "cells" if isinstance(on, Grid) else "points",
        steps,
    )
    return entry, Stack((name,), samples, steps, missing)


def _uneven_shape(file: Any) -> tuple[int, ...]:
    names = texts(file["dimensions"].attrs["spatial_dims"])
    return tuple(file[f"dimensions/{name}"].shape[-1] for name in names)


def _parameters(file: Any, trajectories: int, steps: int) -> dict[str, np.ndarray]:
    """Scalars by name as (trajectories, ...), those that are the same for all trajectories repeated."""
    values = {}
    for name in file.get("scalars", {}):
        value, given = table(file, f"scalars/{name}"), file["scalars"][name].attrs
        if bool(number(given, "sample_varying", False)):
            if value.shape[:1] != (trajectories,):
                raise DataFormatError(
                    f"{file.filename}: scalars/{name} has shape {value.shape}, expected {trajectories} entries."
                )
            values[name] = value
        else:
            series = bool(number(given, "time_varying", False)) and value.shape == (steps,)
            value = value if series else value.reshape(-1)[0]
            values[name] = np.broadcast_to(value, (trajectories, *value.shape))
    return values
