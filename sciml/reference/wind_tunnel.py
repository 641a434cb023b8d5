"""A uniform wind that meets an obstacle: the pressure projection that makes it flow around.

The wind u* = (1, 0, 0) is switched on everywhere at once in a tunnel with an inlet at x-, an open end at x+, slip
side walls, and no flow through the obstacle. Taking away a gradient makes it free of divergence:

    u = u* - grad p,    div u = 0    <=>    A p = -div u*,    A = -div grad,

with p = 0 behind the open end and grad p normal to the inlet and to every wall equal to 0. Up to the time step and the
density, p is the pressure of the impulsive start, and u the potential flow around the obstacle (Batchelor, An
Introduction to Fluid Dynamics, 1967, section 6.10). Velocities live on the faces between cells, as on the grids of
Harlow and Welch (Physics of Fluids 8, 1965), so that this holds exactly in the discrete sense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sciml.checks import positive
from sciml.errors import InputError

FLUID, SOLID = 0, 2


@dataclass(frozen=True, eq=False)
class WindTunnel:
    """A tunnel of cubic cells with solid ones in it.

    Parameters
    ----------
    solid : bool, shape (nx, ny[, nz]); True inside the obstacle
    spacing : side of a cell, in the unit of length

    Examples
    --------
    >>> tunnel = WindTunnel(np.pad(np.ones((2, 2), bool), 3), spacing=0.125)
    >>> float(abs(tunnel.divergence(tunnel.start())).max())    # the wind piles up before the obstacle
    8.0
    """

    solid: np.ndarray
    spacing: float

    def __post_init__(self) -> None:
        if self.solid.dtype != bool or self.solid.ndim not in (2, 3):
            raise InputError(
                f"the obstacle is {self.solid.dtype} of shape {self.solid.shape}, expected a Boolean mask of two or "
                "three dimensions."
            )
        positive("the spacing", self.spacing)

    @property
    def cells(self) -> np.ndarray:
        """Cell codes of the pressure's system, uint8: 0 fluid, 2 solid."""
        return np.where(self.solid, SOLID, FLUID).astype(np.uint8)

    @property
    def outside(self) -> dict[str, str]:
        """Sides of the box at which the pressure is given."""
        return {"x+": "dirichlet"}

    def start(self) -> list[np.ndarray]:
        """Return u* on the faces: per axis an array with one entry more than cells along it."""
        faces = [np.zeros([n + (a == axis) for a, n in enumerate(self.solid.shape)]) for axis in range(self.solid.ndim)]
        faces[0][...] = np.where(self._closed(0), 0.0, 1.0)
        return faces

    def divergence(self, velocity: list[np.ndarray]) -> np.ndarray:
        """Return div u of a velocity on the faces in the fluid cells, 0 elsewhere."""
        total = sum(np.diff(u, axis=axis) for axis, u in enumerate(velocity)) / self.spacing
        return np.where(self.solid, 0.0, total)

    def project(self, velocity: list[np.ndarray], pressure: np.ndarray) -> list[np.ndarray]:
        """Return u - grad p on the faces that are open and not the inlet, u on the others.

        Parameters
        ----------
        velocity : on the faces
        pressure : at the centres, shape of ``solid``
        """
        result = []
        for axis, u in enumerate(velocity):
            padding = [(1, 1) if a == axis else (0, 0) for a in range(pressure.ndim)]
            gradient = np.diff(np.pad(pressure, padding), axis=axis) / self.spacing
            gradient[self._closed(axis)] = 0.0
            first, last = (np.moveaxis(gradient, axis, 0)[end] for end in (0, -1))
            first[...] = 0.0
            if axis > 0:
                last[...] = 0.0
            result.append(u - gradient)
        return result

    def at_centres(self, velocity: list[np.ndarray]) -> np.ndarray:
        """Return the mean of opposite faces at the centre of each fluid cell, 0 in solid ones, components last."""
        means = []
        for axis, u in enumerate(velocity):
            along = np.moveaxis(u, axis, 0)
            means.append(np.moveaxis(0.5 * (along[1:] + along[:-1]), 0, axis))
        return np.where(self.solid[..., None], 0.0, np.stack(means, axis=-1))

    def _closed(self, axis: int) -> np.ndarray:
        """Return the faces normal to an axis that touch a solid cell."""
        ahead = np.pad(self.solid, [(0, 1) if a == axis else (0, 0) for a in range(self.solid.ndim)])
        behind = np.pad(self.solid, [(1, 0) if a == axis else (0, 0) for a in range(self.solid.ndim)])
        return ahead | behind
