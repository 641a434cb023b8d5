r"""Velocity fields v(x, t) for transport with exact flow maps: particle paths in closed form.

The map of a flow takes a particle from where it is at one time to where it is at another, dx/dt = v(x, t). A quantity
that is only carried, du/dt + v . grad u = 0, is then u(x, t) = u_0(map(x, t, 0)) (:func:`transported`). Points are
numpy arrays or torch tensors (..., d), times are numbers or arrays (...); the result is of the kind of the points.

Reference: LeVeque, SIAM J. Numer. Anal. 33 (1996) 627-665, section 9 (the swirl). Its map is derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy.special import ellipj

from sciml.checks import positive, shape
from sciml.errors import InputError
from sciml.reference.arrays import Array, array_module


class FlowMap(ABC):
    """A velocity field with its exact flow map."""

    dim: int

    @abstractmethod
    def velocity(self, points: Array, time: Array | float) -> Array:
        """Return v(x, t), shape (..., d)."""

    @abstractmethod
    def map(self, points: Array, start: Array | float, end: Array | float) -> Array:
        """Return where particles that are at the points (..., d) at time ``start`` are at ``end``, later or earlier.

        Nothing is wrapped: a particle that goes around a periodic box has moved by its length.
        """

    def _check(self, points: Array) -> None:
        shape(f"the points of a {type(self).__name__}", points, (..., self.dim))


def transported(initial: Callable[[Array], Array], flow: FlowMap, points: Array, time: Array | float) -> Array:
    """Return the solution of du/dt + v . grad u = 0 that starts as u_0 at time 0.

    Parameters
    ----------
    initial : u_0, maps points (..., d) to values (...)
    flow : v with its map
    points : (..., d)
    time : t

    Returns
    -------
    array
        (...).
    """
    return initial(flow.map(points, time, 0.0))


@dataclass(frozen=True)
class UniformMotion(FlowMap):
    """Everything moves at one velocity.

    Parameters
    ----------
    speeds : c, d components
    """

    speeds: Sequence[float]

    @property
    def dim(self) -> int:
        """The number of components of the velocity."""
        return len(self.speeds)

    def velocity(self, points: Array, time: Array | float) -> Array:
        """Return c at each point."""
        self._check(points)
        return array_module(points).stack([0.0 * points[..., i] + c for i, c in enumerate(self.speeds)], -1)

    def map(self, points: Array, start: Array | float, end: Array | float) -> Array:
        """Return x + c (end - start)."""
        self._check(points)
        moved = [points[..., i] + c * (end - start) for i, c in enumerate(self.speeds)]
        return array_module(points).stack(moved, -1)


@dataclass(frozen=True)
class SineSpeed(FlowMap):
    r"""The speed m + a sin x on the periodic domain [0, 2 \pi), of one sign.

    With w = \sqrt{m^2 - a^2} the phase P = 2 arctan((m tan(x / 2) + a) / w) grows at the constant rate w, so that
    particles are back after 2 \pi / w.

    Parameters
    ----------
    mean : m
    amplitude : a, with \|a\| < m

    Raises
    ------
    InputError
        Unless \|a\| < m: particles would never pass the zeros of the speed.
    """

    mean: float = 1.0
    amplitude: float = 0.5
    dim = 1

    def __post_init__(self) -> None:
        if not abs(self.amplitude) < self.mean < float("inf"):
            raise InputError(
                f"the speed is {self.mean} + {self.amplitude} sin x, expected one that keeps its sign; take |a| < m."
            )

    @property
    def turn(self) -> float:
        """The time a particle takes to cross the period once."""
        return 2.0 * pi / self._rate

    def velocity(self, points: Array, time: Array | float) -> Array:
        """Return m + a sin x."""
        self._check(points)
        return self.mean + self.amplitude * array_module(points).sin(points)

    def map(self, points: Array, start: Array | float, end: Array | float) -> Array:
        """Return the points whose phase has grown by w (end - start)."""
        self._check(points)
        xp, x, w = array_module(points), points[..., 0], self._rate
        sine, cosine = xp.sin(0.5 * x), xp.cos(0.5 * x)
        # tan((P - x) / 2), whose denominator and numerator never go around zero: P stays on the turn of x
        lead = self.mean * sine + self.amplitude * cosine
        phase = x + 2.0 * xp.arctan2(lead * cosine - w * sine * cosine, w * cosine**2 + lead * sine)
        phase = phase + w * (end - start)
        sine, cosine = xp.sin(0.5 * phase), xp.cos(0.5 * phase)
        lag = w * sine - self.amplitude * cosine
        above, below = lag * cosine - self.mean * sine * cosine, self.mean * cosine**2 + lag * sine
        return (phase + 2.0 * xp.arctan2(above, below))[..., None]

    @property
    def _rate(self) -> float:
        return sqrt(self.mean**2 - self.amplitude**2)


@dataclass(frozen=True)
class Rotation(FlowMap):
    """The plane turns like a solid body.

    Parameters
    ----------
    centre : two coordinates
    rate : angle per unit of time, anticlockwise; one revolution per unit by default
    """

    centre: Sequence[float] = (0.0, 0.0)
    rate: float = 2.0 * pi
    dim = 2

    def velocity(self, points: Array, time: Array | float) -> Array:
        """Return rate times (-(y - y_0), x - x_0)."""
        self._check(points)
        x, y = points[..., 0] - self.centre[0], points[..., 1] - self.centre[1]
        return array_module(points).stack([-self.rate * y, self.rate * x], -1)

    def map(self, points: Array, start: Array | float, end: Array | float) -> Array:
        """Return the points turned by the angle rate (end - start)."""
        self._check(points)
        xp = array_module(points)
        x, y = points[..., 0] - self.centre[0], points[..., 1] - self.centre[1]
        angle = self.rate * (end - start) + 0.0 * x
        cosine, sine = xp.cos(angle), xp.sin(angle)
        return xp.stack([self.centre[0] + cosine * x - sine * y, self.centre[1] + sine * x + cosine * y], -1)


@dataclass(frozen=True)
class Swirl(FlowMap):
    r"""LeVeque's deformation of the unit square, which returns: everything is back at its place at time T.

    v = (sin^2(\pi x) sin(2 \pi y), -sin^2(\pi y) sin(2 \pi x)) g(t) with g = cos(\pi t / T), of stream function
    sin^2(\pi x) sin^2(\pi y) g / \pi, periodic, zero on the boundary. Only s = \int g dt counts: in it the flow is
    steady, and p = cot(\pi x), q = cot(\pi y) obey p' = -2 \pi q / (1 + q^2), q' = 2 \pi p / (1 + p^2). On the stream
    line sin^2(\pi x) sin^2(\pi y) = 1 - m = m_1 these are Jacobi's functions of parameter m,

        sin(\pi y) = dn,    cos(\pi y) = \sqrt{m} sn,    cos(\pi x) sin(\pi y) = \sqrt{m} cn,

    of an argument that grows at the rate 2 \pi \sqrt{m_1}; the addition theorems take it on.

    Parameters
    ----------
    period : T > 0; the deformation is largest at T / 2. None for the steady flow, g = 1

    Raises
    ------
    InputError
        If the period is not positive.
    """

    period: float | None = 1.5
    dim = 2

    def __post_init__(self) -> None:
        if self.period is not None:
            positive("the period of a swirl", self.period, remedy="None makes it steady")

    def velocity(self, points: Array, time: Array | float) -> Array:
        """Return the velocity v(x, t) at points (..., d)."""
        self._check(points)
        xp, x, y = array_module(points), points[..., 0], points[..., 1]
        beat = 1.0 if self.period is None else xp.cos(pi / self.period * (time + 0.0 * x))
        along = xp.sin(pi * x) ** 2 * xp.sin(2.0 * pi * y)
        across = xp.sin(pi * y) ** 2 * xp.sin(2.0 * pi * x)
        return xp.stack([along * beat, -across * beat], -1)

    def map(self, points: Array, start: Array | float, end: Array | float) -> Array:
        """Return where the particles are, exactly, without derivatives: torch tensors are detached."""
        self._check(points)
        xp = array_module(points)
        if xp is not np:
            times = [time.detach().cpu().numpy() if hasattr(time, "detach") else time for time in (start, end)]
            moved = self.map(points.detach().cpu().numpy().astype(float), *times)
            return xp.as_tensor(moved, dtype=points.dtype, device=points.device)
        cell = np.floor(points)
        x, y = np.moveaxis(np.pi * (points - cell), -1, 0)
        elapsed = self._elapsed(end) - self._elapsed(start) + 0.0 * x
        complement = (np.sin(x) * np.sin(y)) ** 2  # m_1
        cn, sn, dn = np.cos(x) * np.sin(y), np.cos(y), np.sin(y)  # the first two times sqrt(m)
        more_sn, more_cn, more_dn, _ = ellipj(2.0 * np.pi * np.sqrt(complement) * elapsed, 1.0 - complement)
        below = 1.0 - (sn * more_sn) ** 2
        new_sn = (sn * more_cn * more_dn + more_sn * cn * dn) / below
        new_cn = (cn * more_cn - sn * dn * more_sn * more_dn) / below
        # sin(pi x) sin(pi y) stays what it is on a stream line
        x, y = (
            np.arctan2(np.sqrt(complement), new_cn),
            np.arctan2((dn * more_dn - sn * cn * more_sn * more_cn) / below, new_sn),
        )
        moved = cell + np.stack([x, y], -1) / np.pi
        return np.where(complement[..., None] > 0.0, moved, points)  # the velocity is zero on the boundary

    def _elapsed(self, time: np.ndarray | float) -> np.ndarray | float:
        return time if self.period is None else self.period / np.pi * np.sin(np.pi * time / self.period)
