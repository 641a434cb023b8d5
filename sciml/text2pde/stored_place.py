"""The grid, the times and the range of the parameters of the training's trajectories, in the checkpoint of a task."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sciml.data import FieldData
from sciml.errors import InputError
from sciml.mesh import Grid
from sciml.text2pde.trajectories import grid_of, times_of

_EQUAL = 1e-6  # largest difference of two boxes, relative to their sides
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
        self.box.copy_(torch.tensor([grid.lower, grid.upper]))
        self.kind.copy_(torch.tensor([grid.centring == "cell", *np.broadcast_to(grid.periodic, grid.dim)]))
        self.times.copy_(torch.from_numpy(times_of(data)))
        self.ranges.copy_(torch.from_numpy(np.stack([parameters.min(0), parameters.max(0)])))

    @property
    def grid(self) -> Grid:
        """The grid of the frames."""
        (lower, upper), (cells, *periodic) = self.box.tolist(), self.kind.bool().tolist()
        return Grid(self.shape, tuple(lower), tuple(upper), tuple(periodic), "cell" if cells else "vertex")

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
