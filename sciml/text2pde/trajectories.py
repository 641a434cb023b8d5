"""Trajectories on grids, as the windows of a data set hold them: fields in time, their names, units and places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from sciml.checks import instance
from sciml.data import FieldData
from sciml.errors import ConfigError, DataFormatError
from sciml.mesh import Grid

AT_ONCE = 16  # trajectories


def field_data(data: lightning.LightningDataModule) -> FieldData:
    """Return a data module that is one of trajectories, or refuse it.

    Raises
    ------
    ConfigError
        If it is another one.
    """
    return instance("data", data, FieldData, "FieldData, windows of trajectories", error=ConfigError)


def trajectories(batch: Mapping[str, Any]) -> Tensor:
    r"""Return the trajectories of a batch, the steps given and those wanted, ``(batch, channels, time, \*space)``.

    Raises
    ------
    DataFormatError
        If a value is not finite; the sentence names the trajectory.
    """
    found = torch.cat([batch["history"], batch["target"]], 1).movedim(-1, 1)
    if not bool(found.isfinite().all()):
        wrong = int((~found.flatten(1).isfinite().all(1)).nonzero()[0, 0])
        raise DataFormatError(
            f"trajectory {int(batch['trajectory'][wrong])} of the data has values that are not finite; remove it."
        )
    return found


def check_not_zero(norms: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    """Return the norms of trajectories, to which errors are relative, or refuse one that is zero.

    Parameters
    ----------
    norms : of the trajectories
    numbers : of the trajectories in the data

    Raises
    ------
    DataFormatError
        If one is zero; the sentence names the trajectory.
    """
    if not norms.all():
        wrong = int(np.flatnonzero(norms == 0)[0])
        raise DataFormatError(
            f"trajectory {int(numbers[wrong])} of the data is zero, so that no error is relative to it; remove it."
        )
    return norms


def training_batches(data: FieldData) -> Iterator[dict[str, Tensor]]:
    """Yield the samples of the training in their order, in batches of one size.

    Parameters
    ----------
    data : windows of trajectories
    """
    samples = data.samples("train")
    for first in range(0, len(samples), AT_ONCE):
        rows = [samples[number] for number in range(first, min(first + AT_ONCE, len(samples)))]
        yield {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def to_frames(found: Tensor) -> Tensor:
    r"""Return the frames of trajectories one after the other, ``(batch * time, channels, \*space)``."""
    return found.transpose(1, 2).flatten(0, 1)


def from_frames(frames: Tensor, count: int) -> Tensor:
    r"""Return as many trajectories, ``(count, channels, time, \*space)``, the inverse of :func:`to_frames`."""
    return frames.unflatten(0, (count, -1)).transpose(1, 2)


def check_fields(data: FieldData, fields: Mapping[str, str]) -> None:
    """Refuse data of other fields or units than those of a network, or on no grid.

    Parameters
    ----------
    data : windows of trajectories
    fields : units of the network's channels by name, in their order

    Raises
    ------
    ConfigError
        If they differ; the sentence says in what.
    """
    names, inputs = data.channels("targets"), data.channels("inputs")
    if inputs != names:
        raise ConfigError(
            f"the data give {', '.join(inputs)} and want {', '.join(names)}, expected the same fields in both; set "
            "inputs of the data."
        )
    if names != list(fields):
        raise ConfigError(
            f"the data have the fields {', '.join(names)}, expected {', '.join(fields)}, those of the network."
        )
    for channel, unit in fields.items():
        found = data.dataset.description[_field_of(data, channel)].unit
        if found != unit:
            raise ConfigError(f"{channel} of the data has the unit {found!r}, expected {unit!r}, that of the network.")
    grid_of(data)


def shape_of(data: FieldData) -> tuple[int, ...]:
    """Return the number of times of a trajectory, and the numbers of points along each axis of space."""
    return (data.window.length, *data.dataset.description.lengths(data.window.targets[0]))


def grid_of(data: FieldData) -> Grid:
    """Return the grid of the fields, or refuse data that are on none."""
    about = data.dataset.description
    place = about.places[about[data.window.targets[0]].place]
    return instance("the place of the fields", place, Grid, "a grid, the same for all trajectories", error=ConfigError)


def times_of(data: FieldData) -> np.ndarray:
    """Return the times of a window, counted from its first one; those of all windows are the same."""
    times = np.asarray(data.dataset.description.times, float)
    return times[: data.window.length] - times[0]


def _field_of(data: FieldData, channel: str) -> str:
    """Return the field that a channel, such as ``velocity.0``, is a component of."""
    names = data.window.targets
    return channel if channel in names else channel.rpartition(".")[0]
