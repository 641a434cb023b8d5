r"""Plane flows in the box [-1, 1]^2 given by formulas, the initial conditions of incompressible flows.

Each is a sum of products of one function of x and one of y,

    \psi = \sum f(x) g(y),    (u, v) = (\psi_y, -\psi_x),    \omega = v_x - u_y = -\Delta \psi,

hence free of divergence. All have \psi = \omega = 0 on the walls: no flow through them, and free slip along them.
Points are numpy arrays or torch tensors (..., 2); the result is of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

from sciml.checks import number, shape
from sciml.errors import InputError
from sciml.reference.arrays import Array, array_module

Profile = Callable[[Array], tuple[Array, Array, Array]]


@dataclass(frozen=True)
class Sine:
    """The function a sin(k pi (x + 1) / 2), zero at both walls, with its first and second derivative.

    Parameters
    ----------
    number : k, half waves in the box
    amplitude : a
    """

    number: int
    amplitude: float = 1.0

    def __call__(self, x: Array) -> tuple[Array, Array, Array]:
        """Return value, first and second derivative at x."""
        xp, wave = array_module(x), self.number * pi / 2.0
        sine = self.amplitude * xp.sin(wave * (x + 1.0))
        cosine = self.amplitude * xp.cos(wave * (x + 1.0))
        return sine, wave * cosine, -(wave**2) * sine


@dataclass(frozen=True)
class ClampedSine:
    r"""The function a sin(k q(x)) beyond an edge and zero before it, with its first and second derivative.

    q is max(s (x - e), 0) with a rounded corner: its slope rises from 0 to 1 over e - w <= x <= e + w as the polynomial
    10 t^3 - 15 t^4 + 6 t^5, so that three derivatives of q are continuous, and q = s (x - e) from e + w on.

    Parameters
    ----------
    wave : k
    amplitude : a
    edge : e
    taper : w
    side : s, 1 if the function lives on the right of the edge, -1 if on the left
    """

    wave: float
    amplitude: float
    edge: float
    taper: float
    side: int

    def __call__(self, x: Array) -> tuple[Array, Array, Array]:
        """Return value, first and second derivative at x."""
        xp, w = array_module(x), self.taper
        distance = self.side * (x - self.edge)
        t = xp.clip((distance + w) / (2.0 * w), 0.0, 1.0)
        q = 2.0 * w * t**4 * (2.5 - 3.0 * t + t**2) + xp.clip(distance - w, 0.0, float("inf"))
        slope = self.side * t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
        curvature = 30.0 * (t * (1.0 - t)) ** 2 / (2.0 * w)
        sine, cosine = self.amplitude * xp.sin(self.wave * q), self.amplitude * self.wave * xp.cos(self.wave * q)
        return sine, cosine * slope, cosine * curvature - self.wave**2 * sine * slope**2


@dataclass(frozen=True)
class Flow:
    r"""A flow whose stream function is \psi(x, y) = \sum f(x) g(y).

    Parameters
    ----------
    terms : pairs (f, g) of functions that return value, first and second derivative
    """

    terms: tuple[tuple[Profile, Profile], ...]

    def stream_function(self, points: Array) -> Array:
        """Return psi, shape (...), at points (..., 2)."""
        return sum(f[0] * g[0] for f, g in self._at(points))

    def velocity(self, points: Array) -> Array:
        """Return (u, v) = (psi_y, -psi_x), shape (..., 2), at points (..., 2)."""
        factors = self._at(points)
        along, across = sum(f[0] * g[1] for f, g in factors), -sum(f[1] * g[0] for f, g in factors)
        return array_module(points).stack([along, across], -1)

    def vorticity(self, points: Array) -> Array:
        """Return omega = v_x - u_y, shape (...), at points (..., 2)."""
        return -sum(f[2] * g[0] + f[0] * g[2] for f, g in self._at(points))

    def _at(self, points: Array) -> list[tuple[tuple[Array, ...], tuple[Array, ...]]]:
        shape("the points of a plane flow", points, (..., 2))
        return [(f(points[..., 0]), g(points[..., 1])) for f, g in self.terms]


def sine_flow(*modes: tuple[int, int, float]) -> Flow:
    r"""Return the flow of vorticity \omega = \sum a sin(k pi (x + 1) / 2) sin(l pi (y + 1) / 2).

    Parameters
    ----------
    modes : (k, l, a) with k, l >= 1

    Raises
    ------
    InputError
        If there is no mode, or a number of half waves is not a positive integer.
    """
    if not modes or any(k < 1 or k != int(k) or m < 1 or m != int(m) for k, m, _ in modes):
        raise InputError(
            f"the modes of a sine flow are {modes}, expected (k, l, amplitude) with whole numbers k, l of at least 1."
        )
    return Flow(tuple((Sine(k, 4.0 * a / (pi**2 * (k**2 + m**2))), Sine(m)) for k, m, a in modes))


def taylor_green() -> Flow:
    r"""Return four vortices that stand still without viscosity: \psi = sin X sin Y / \pi^2, X = \pi (x + 1).

    Reference: Taylor and Green, Proc. R. Soc. A 158 (1937) 499-521; scaled by 1 / pi as the case ``taylorgreen`` of
    Chen et al., Implicit neural spatial representations for time-dependent PDEs, ICML 2023.
    """
    return sine_flow((2, 2, 2.0))


def unsteady_modes() -> Flow:
    """Return four modes of different scales that stir one another: a smooth flow that does not stand still."""
    return sine_flow((2, 2, 2.0), (1, 1, 1.2), (1, 2, 0.6), (3, 2, 0.4))


def two_vortices(taper: float = 0.05) -> Flow:
    r"""Return a Taylor-Green cell on [-1, 0]^2 and one of a quarter of its size on [0.75, 1]^2; both have speed 1.

    \psi = sin(2\pi p(x)) sin(2\pi p(y)) / (2\pi) + sin(8\pi q(x)) sin(8\pi q(y)) / (8\pi), where p and q are the
    distances max(-x, 0) and max(x - 3/4, 0) with corners rounded over ``taper`` and ``taper / 4`` to both sides.

    The case ``taylorgreen_multi`` of Chen et al., ICML 2023, with one deviation. There the *velocity* of each cell is
    frozen beyond its edge and faded out linearly over 0.05 (0.0125 for the small cell), which has kinks, and divergence
    up to 2 pi (8 pi), so that the flow after the first projection depends on the method. Here the coordinates inside
    the *stream function* come to rest smoothly: divergence is zero, vorticity is once differentiable, the shear in the
    large layers is at most 18.75 instead of 20, and within the cells, away from the layers, nothing changes.
    Without viscosity these shear layers roll up into ever finer scales: compare references of two resolutions.

    Parameters
    ----------
    taper : half the thickness of the layers of the large cell; 0 < taper <= 0.25
    """
    number("the taper", taper, above=0, at_most=0.25, remedy="wider layers would leave their cells")
    cells = ((2.0 * pi, 0.0, taper, -1), (8.0 * pi, 0.75, taper / 4.0, 1))
    return Flow(
        tuple(
            (ClampedSine(wave, 1.0 / wave, edge, width, side), ClampedSine(wave, 1.0, edge, width, side))
            for wave, edge, width, side in cells
        )
    )
