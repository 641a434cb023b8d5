"""The grid, the times and the range of the parameters of the training's trajectories, in the checkpoint of a task."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sciml.data import FieldData
from sciml.errors import InputError
from sciml.mesh import Grid
from sciml.text2pde.trajectories import grid_of, times_of

_EQUAL = 1e-6  # largest difference of two boxes relative to their sides, and of times relative to the last one
_BEYOND = 1e-6  # of the range of a parameter that counts as within


class StoredPlace(nn.Module):
    """Places, times and parameters of the trajectories of a training, as buffers.

    Parameters
    ----------
    shape : points of a frame along each axis
    steps : times of a trajectory
    parameters : their number
    """

    box: Tensor
    kind: Tensor
    times: Tensor
    ranges: Tensor

    def __init__(self, shape: tuple[int, ...], steps: int, parameters: int) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("box", torch.tensor([[0.0] * len(shape), [1.0] * len(shape)], dtype=torch.float64))
        self.register_buffer("kind", torch.zeros(1 + len(shape), dtype=torch.uint8))  # cells; which axes are periodic
        self.register_buffer("times", torch.arange(float(steps), dtype=torch.float64))
        self.register_buffer("ranges", torch.zeros(2, parameters, dtype=torch.float64))

    def fit(self, data: FieldData, parameters: np.ndarray) -> None:
        """Take grid and times from a data set, and the ranges of parameters.

        Parameters
        ----------
        data : windows of trajectories
        parameters : of the training split, ``(trajectories, number)``
        """
        grid = grid_of(data)
        self.box.copy_(torch.tensor([grid.lower, grid.upper], dtype=torch.float64))
        self.kind.copy_(torch.tensor([grid.centring == "cell", *np.broadcast_to(grid.periodic, grid.dim)]))
        self.times.copy_(torch.from_numpy(times_of(data)))
        self.ranges.copy_(torch.from_numpy(np.stack([parameters.min(0), parameters.max(0)])))

    @property
    def grid(self) -> Grid:
        """The grid of the frames."""
        (lower, upper), (cells, *periodic) = self.box.tolist(), self.kind.bool().tolist()
        return Grid(self.shape, tuple(lower), tuple(upper), tuple(periodic), "cell" if cells else "vertex")

    def check(self, data: FieldData) -> None:
        """Refuse a data set whose trajectories are on another grid, or at other times, than those of the training.

        Parameters
        ----------
        data : windows of trajectories, with as many times and points
        """
        found, times, own = grid_of(data), times_of(data), self.times.numpy(force=True)
        self.check_grid(found, data.path)
        if _periodic(found) != _periodic(self.grid):
            raise InputError(
                f"{data.path} is {_axes(found)}, expected {_axes(self.grid)}, as the trajectories of the training."
            )
        if np.abs(times - own).max() > _EQUAL * own[-1]:
            raise InputError(
                f"{data.path} has times that are {_step(times)} apart, expected {_step(own)}, as the trajectories of "
                "the training."
            )

    def check_grid(self, found: Grid, source: str) -> None:
        """Refuse another grid than that of the training.

        Parameters
        ----------
        found : the other one
        source : names it in the sentence
        """
        own = self.grid
        sides = np.subtract(own.upper, own.lower)
        if found.shape == own.shape and found.centring == own.centring:
            apart = np.abs(np.subtract([found.lower, found.upper], [own.lower, own.upper])) / sides
            if apart.max() <= _EQUAL:
                return
        raise InputError(
            f"{source} is on {_words(found)}, expected {_words(own)}, as the trajectories of the training."
        )

    def check_parameters(self, values: dict[str, float]) -> None:
        """Refuse parameters out of the range of the training.

        Parameters
        ----------
        values : by name, in their order
        """
        for (name, value), (lowest, highest) in zip(values.items(), self.ranges.T.tolist(), strict=True):
            slack = _BEYOND * max(abs(lowest), abs(highest))
            if not lowest - slack <= value <= highest + slack:
                raise InputError(
                    f"{name} is {value:g}, expected a number from {lowest:g} to {highest:g}, the range of the "
                    "training; beyond it the network has seen nothing."
                )


def _words(grid: Grid) -> str:
    kind = "cells" if grid.centring == "cell" else "points"
    corners = (tuple(round(float(each), 6) for each in corner) for corner in (grid.lower, grid.upper))
    return f"{' x '.join(map(str, grid.shape))} {kind} from {' to '.join(map(str, corners))}"


def _periodic(grid: Grid) -> tuple[bool, ...]:
    return tuple(np.broadcast_to(grid.periodic, grid.dim).tolist())


def _axes(grid: Grid) -> str:
    along = [str(axis) for axis, periodic in enumerate(_periodic(grid)) if periodic]
    return f"periodic along the axes {', '.join(along)}" if along else "periodic along no axis"


def _step(times: np.ndarray) -> str:
    least, largest = (f"{each:.6g}" for each in (np.diff(times).min(), np.diff(times).max()))
    return least if least == largest else f"{least} to {largest}"
