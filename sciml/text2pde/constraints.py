"""Constraints that generated trajectories satisfy exactly: their first frame, and velocities without divergence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sciml.errors import ConfigError
from sciml.mesh import Grid
from sciml.text2pde.divergence import DivergenceFree


@dataclass(frozen=True)
class TrajectoryConstraints:
    """Constraints of decoded trajectories, which are moved to them by the shortest way.

    Parameters
    ----------
    fields : names of the channels
    exact_first_frame : whether trajectories begin with the given frame itself
    divergence_free : channels that are the components of a velocity without divergence, in the order of the axes

    Raises
    ------
    ConfigError
        If a component is no channel.
    """

    fields: list[str]
    exact_first_frame: bool
    divergence_free: list[str]

    def __post_init__(self) -> None:
        for name in self.divergence_free:
            if name not in self.fields:
                raise ConfigError(
                    f"divergence_free has {name!r}, expected some of the fields {', '.join(self.fields)}."
                )

    def check_axes(self, count: int) -> None:
        """Refuse another number of components than that of the axes of space."""
        if self.divergence_free and len(self.divergence_free) != count:
            raise ConfigError(
                f"divergence_free has {len(self.divergence_free)} components, expected {count}, one for each axis."
            )

    def check_grid(self, grid: Grid) -> None:
        """Refuse a grid on which velocities are not made free of divergence, if there are any."""
        if self.divergence_free:
            DivergenceFree(grid)

    def __call__(self, found: Tensor, frames: Tensor, grid: Grid) -> np.ndarray:
        r"""Return trajectories that satisfy the constraints, in double precision.

        Parameters
        ----------
        found : ``(batch, channels, time, *space)``
        frames : the first ones, ``(batch, channels, *space)``
        grid : of the frames
        """
        values = found.cpu().double().numpy().copy()  # which shares no memory with what was given
        if self.divergence_free:
            velocity = values[:, self._components].swapaxes(1, 2)
            values[:, self._components] = DivergenceFree(grid)(velocity).swapaxes(1, 2)
        if self.exact_first_frame:
            values[:, :, 0] = frames.cpu().double().numpy()
        return values

    def divergence(self, values: np.ndarray, grid: Grid) -> float:
        """Return the largest divergence of trajectories after their first frame; not a number without components."""
        if not self.divergence_free:
            return float("nan")
        velocity = values[:, self._components, 1:].swapaxes(1, 2)
        return float(np.abs(DivergenceFree(grid).divergence(velocity)).max())

    @property
    def _components(self) -> list[int]:
        return [self.fields.index(name) for name in self.divergence_free]
