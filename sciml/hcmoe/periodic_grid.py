r"""A periodic square at several times: the linear terms of vorticity fields, by Fourier series and in time.

Fields are tensors ``(instances, times, nx, ny, ...)`` of values at the places 0, 1/n, ..., 1 - 1/n of both axes, each
place once; further axes, such as that of a basis, are carried along, and gradients flow through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from sciml.checks import choice, positive, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.numerics.finite_differences import FiniteDifference
from sciml.numerics.polynomials import chebyshev

LEAST_TIMES, LEAST_PLACES = 6, 4
Times = Literal["chebyshev", "uniform"]
Term = Literal["u", "v", "x", "y", "laplace"]


@dataclass(frozen=True)
class PeriodicGrid:
    r"""Times from 0 to T and the places of a periodic square of side 1.

    Parameters
    ----------
    shape : numbers of times and of places along x and y, at least 6, 4 and 4; odd ones, too
    duration : T
    times : ``"chebyshev"``: :math:`t_i = T (1 - \cos \pi i / (n - 1)) / 2`, where derivatives are those of the
        polynomial of degree n - 1 through all values; or ``"uniform"``, with finite differences of fourth order

    Examples
    --------
    >>> grid = PeriodicGrid((6, 8, 8), duration=2.0)
    >>> field = grid.t[:, None, None] ** 3 * torch.sin(2 * torch.pi * grid.x[:, None]).expand(8, 8)
    >>> bool(torch.allclose(grid.time_derivative(field[None])[0, -1], 3 * field[-1] / 2))
    True
    """

    shape: tuple[int, int, int]
    duration: float = 5.0
    times: Times = "chebyshev"

    def __post_init__(self) -> None:
        shape("the numbers of times and places", self.shape, (3,))
        for name, count, least in zip(("times", "x", "y"), self.shape, (LEAST_TIMES, *[LEAST_PLACES] * 2), strict=True):
            whole_number(f"the number of points of the axis of {name}", count, at_least=least)
        positive("the duration of a periodic grid", self.duration)
        choice("the times of a periodic grid", self.times, ("chebyshev", "uniform"))

    @cached_property
    def t(self) -> Tensor:
        """The times from 0 to T, ``(times,)``."""
        steps = torch.linspace(0, 1, self.shape[0], dtype=torch.float64)
        return self.duration * (steps if self.times == "uniform" else (1 - torch.cos(torch.pi * steps)) / 2)

    @cached_property
    def x(self) -> Tensor:
        """The places along x, from 0, ``(nx,)``."""
        return torch.arange(self.shape[1], dtype=torch.float64) / self.shape[1]

    @cached_property
    def y(self) -> Tensor:
        """The places along y, from 0, ``(ny,)``."""
        return torch.arange(self.shape[2], dtype=torch.float64) / self.shape[2]

    @cached_property
    def weights(self) -> Tensor:
        """The weights of the times in means over time, by the rule of Clenshaw and Curtis or the trapezoidal one."""
        count = self.shape[0]
        if self.times == "uniform":
            weights = torch.ones(count, dtype=torch.float64)
            weights[[0, -1]] = 0.5
            return weights / weights.sum()
        degrees = torch.arange(count, dtype=torch.float64)
        means = torch.where(degrees % 2 == 0, 1 / (1 - degrees**2), 0.0)  # of T_k over [-1, 1]
        return torch.linalg.solve(self._chebyshev[0].T, means)

    @cached_property
    def _chebyshev(self) -> Tensor:
        """The Chebyshev polynomials and their derivatives at the times on [-1, 1], ``(2, times, degrees)``."""
        return chebyshev(2 * self.t / self.duration - 1, self.shape[0] - 1, 1)

    @cached_property
    def _in_time(self) -> Tensor:
        """The matrix of time derivatives, ``(times, times)``."""
        count = self.shape[0]
        if self.times == "uniform":
            return torch.from_numpy(FiniteDifference(count, self.duration / (count - 1), order=4).matrix)
        values, slopes = self._chebyshev
        return 2 / self.duration * torch.linalg.solve(values.T, slopes.T).T

    @cached_property
    def _factors(self) -> dict[Term, Tensor]:
        """The factors of the Fourier coefficients of the vorticity, ``(nx, ny // 2 + 1)``."""
        waves = [
            torch.fft.fftfreq(self.shape[1], 1 / self.shape[1]),
            torch.fft.rfftfreq(self.shape[2], 1 / self.shape[2]),
        ]
        along, across = torch.meshgrid(*(2 * torch.pi * each.double() for each in waves), indexing="ij")
        squares = along**2 + across**2
        inverse = torch.where(squares > 0, 1 / squares, 0.0)
        # a wave of n / 2 has no slope at the places
        x, y = (
            1j * torch.where(each.abs() < torch.pi * count, each, 0.0)
            for each, count in zip((along, across), self.shape[1:], strict=True)
        )
        return {"u": y * inverse, "v": -x * inverse, "x": x, "y": y, "laplace": -squares.to(x)}

    def check(self, name: str, fields: Tensor, instances: int | str = "instances") -> None:
        """Refuse fields that are no real tensor on this grid.

        Parameters
        ----------
        name : of the fields, in the sentence
        fields : ``(instances, times, nx, ny)``
        instances : their number, or a word for any number
        """
        shape(name, real_tensor(name, fields), (instances, *self.shape))

    def time_derivative(self, fields: Tensor, chosen: Tensor | slice = slice(None)) -> Tensor:
        """Return the derivative by the time.

        Parameters
        ----------
        fields : at all times
        chosen : numbers of the times of the derivative; all by default
        """
        matrix = self._in_time.to(fields)[chosen]
        return (matrix @ fields.flatten(2)).unflatten(2, fields.shape[2:])

    def spectrum(self, fields: Tensor) -> Tensor:
        """Return the Fourier coefficients in space, of which :meth:`term` makes the terms."""
        return torch.fft.rfft2(fields, dim=(2, 3))

    def term(self, name: Term, spectrum: Tensor) -> Tensor:
        r"""Return a linear term of the vorticity: velocities :math:`\psi_y, -\psi_x`, derivatives, the Laplacian.

        Parameters
        ----------
        name : ``"u"``, ``"v"``, ``"x"``, ``"y"`` or ``"laplace"``
        spectrum : of the vorticity w; the velocity has mean zero and the stream function :math:`-\Delta \psi = w`
        """
        factor = self._factors[name].to(spectrum)
        factor = factor.reshape(*factor.shape, *[1] * (spectrum.ndim - 4))
        return torch.fft.irfft2(factor * spectrum, s=self.shape[1:], dim=(2, 3))

    def residual(self, vorticity: Tensor, viscosity: Tensor | float) -> Tensor:
        r"""Return :math:`w_t + u w_x + v w_y - \nu \Delta w` of fields, ``(instances, times, nx, ny)``.

        Parameters
        ----------
        vorticity : ``(instances, times, nx, ny)``
        viscosity : :math:`\nu`, a number or one for each instance
        """
        self.check("the vorticity", vorticity)
        spectrum = self.spectrum(vorticity)
        u, v, x, y, laplace = (self.term(name, spectrum) for name in self._factors)
        return self.time_derivative(vorticity) + u * x + v * y - per_instance(viscosity, vorticity) * laplace

    def mean_squares(self, fields: Tensor) -> Tensor:
        """Return the means over time and space of the squares of fields ``(instances, times, nx, ny)``."""
        return (self.weights.to(fields)[:, None, None] * fields.square()).sum(1).mean((1, 2))

    def at(self, fields: Tensor, times: Tensor, places: int) -> Tensor:
        """Return fields at other times, by the polynomial or a cubic spline in time, and on another number of places.

        Parameters
        ----------
        fields : ``(instances, times, nx, ny)``, with as many places along x as along y
        times : from 0 to T, ``(others,)``
        places : along each axis

        Returns
        -------
        Tensor
            ``(instances, others, places, places)``, without derivatives.
        """
        fields = fields.detach()
        if self.times == "uniform":
            spline = CubicSpline(self.t.numpy(), fields.cpu().numpy(), axis=1)
            values = torch.from_numpy(spline(times.cpu().numpy())).to(fields)
        else:
            basis = chebyshev(2 * times.double() / self.duration - 1, self.shape[0] - 1)[0].to(fields)
            matrix = torch.linalg.solve(self._chebyshev[0].to(fields).T, basis.T).T
            values = (matrix @ fields.flatten(2)).unflatten(2, fields.shape[2:])
        return resampled(values, places)


def resampled(fields: Tensor, places: int) -> Tensor:
    """Return the values of the Fourier series of fields ``(..., n, n)`` on a grid of another number of places.

    Values at places of both grids stay as they are, but for a wave of n / 2, which has no direction and is left out
    unless the places divide n.

    Parameters
    ----------
    fields : real
    places : along each axis
    """
    old = fields.shape[-1]
    if not old % places:
        return fields[..., :: old // places, :: old // places]
    count = (old - 1) // 2
    rows = (_waves(places, count) @ _waves(old, count).T / old).to(fields)
    return rows @ fields @ rows.T


def _waves(places: int, count: int) -> Tensor:
    """Return 1 and the cosines and sines of so many waves, of mean square 1, ``(places, 1 + 2 count)``."""
    steps = torch.arange(places)[:, None] * torch.arange(1, count + 1) % places  # whole numbers, for exact angles
    angles = 2 * torch.pi * steps.double() / places
    return torch.cat([torch.ones(places, 1).double(), math.sqrt(2) * angles.cos(), math.sqrt(2) * angles.sin()], 1)


def per_instance(viscosity: Tensor | float, like: Tensor) -> Tensor:
    """Return viscosities with axes for time and space.

    Parameters
    ----------
    viscosity : a number or ``(instances,)``, at least 0
    like : fields of the instances, for device, precision and their number
    """
    values = torch.atleast_1d(torch.as_tensor(viscosity, device=like.device, dtype=like.dtype))
    if values.ndim != 1 or len(values) not in (1, len(like)) or not bool(((values >= 0) & values.isfinite()).all()):
        raise InputError(
            f"the viscosity has the shape {tuple(values.shape)} and values from {float(values.min()):g} to "
            f"{float(values.max()):g}, expected one number of at least 0, or one for each of {len(like)} instances."
        )
    return values[:, None, None, None]
