r"""Velocities without divergence in a closed box, from any velocities at the centres of its cells.

The centres of a staggered grid, as solvers of incompressible flow have it, hold means of two faces. With walls at both
ends, a component is a series of sines along its own axis and of cosines along the others, whose derivative on the
faces, seen from the centres, is

.. math:: D: \sin \frac{k \pi (i + 1/2)}{n} \mapsto \frac2h \tan \frac{k \pi}{2 n} \, \cos \frac{k \pi (i + 1/2)}{n}.

So the divergence of centres vanishes exactly where that of the faces does. The nearest velocities without divergence
are found mode by mode.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dct, dst, idct, idst

from sciml.checks import real_array
from sciml.errors import ConfigError
from sciml.mesh import Grid


class DivergenceFree:
    """The orthogonal projection of velocities in a closed box on those without divergence and flow through the walls.

    Parameters
    ----------
    grid : of cells, not periodic

    Raises
    ------
    ConfigError
        If the grid is one of vertices, or periodic.

    Examples
    --------
    >>> random = np.random.default_rng(0).standard_normal((2, 16, 16))
    >>> projection = DivergenceFree(Grid((16, 16), centring="cell"))
    >>> bool(abs(projection.divergence(projection(random))).max() < 1e-10)
    True
    """

    def __init__(self, grid: Grid) -> None:
        if grid.centring != "cell" or any(np.atleast_1d(grid.periodic)):
            raise ConfigError(
                "velocities are made free of divergence in a closed box of cells; the grid is "
                f"{'one of vertices' if grid.centring != 'cell' else 'periodic'}, so leave divergence_free out."
            )
        self.grid, self._axes = grid, range(-grid.dim, 0)
        self._symbols = [
            np.expand_dims(2 / width * np.tan(np.pi * np.arange(count) / (2 * count)), tuple(range(1, grid.dim - axis)))
            for axis, (count, width) in enumerate(zip(grid.shape, grid.spacing, strict=True))
        ]
        self._squares = sum(symbol**2 for symbol in self._symbols)

    def __call__(self, velocity: np.ndarray) -> np.ndarray:
        """Return the nearest velocities without divergence, in double precision.

        Parameters
        ----------
        velocity : ``(..., components, *shape)``
        """
        modes = self._modes(velocity)
        pressure = self._divergence(modes) / np.where(self._squares > 0, self._squares, 1.0)
        found = [own - symbol * pressure for own, symbol in zip(modes, self._symbols, strict=True)]
        return np.stack([self._values(own, axis) for axis, own in enumerate(found)], axis=-1 - self.grid.dim)

    def divergence(self, velocity: np.ndarray) -> np.ndarray:
        """Return the divergence at the centres of the cells, ``(..., *shape)``; without the mode of alternating signs.

        Parameters
        ----------
        velocity : ``(..., components, *shape)``
        """
        found = self._divergence(self._modes(velocity))
        for axis in self._axes:
            found = idct(found, axis=axis, norm="ortho")
        return found

    def _divergence(self, modes: list[np.ndarray]) -> np.ndarray:
        return sum(symbol * own for symbol, own in zip(self._symbols, modes, strict=True))

    def _modes(self, velocity: np.ndarray) -> list[np.ndarray]:
        """Return the coefficients of each component; along its own axis, that of the n-th sine is left out."""
        shape = ("...", self.grid.dim, *self.grid.shape)
        values = real_array("the velocities", velocity, shape=(..., *shape[1:]))
        found = []
        for component, own in enumerate(self._axes):
            modes = np.take(values, component, axis=-1 - self.grid.dim)
            for axis in self._axes:
                modes = (dst if axis == own else dct)(modes, 2, axis=axis, norm="ortho")
            found.append(np.roll(_without(modes, -1, own), 1, axis=own))
        return found

    def _values(self, modes: np.ndarray, component: int) -> np.ndarray:
        own = self._axes[component]
        values = np.roll(_without(modes, 0, own), -1, axis=own)
        for axis in self._axes:
            values = (idst if axis == own else idct)(values, 2, axis=axis, norm="ortho")
        return values


def _without(modes: np.ndarray, index: int, axis: int) -> np.ndarray:
    """Return coefficients of which those with one index along an axis are zero."""
    modes = modes.copy()
    np.moveaxis(modes, axis, 0)[index] = 0.0
    return modes
