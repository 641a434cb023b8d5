r"""Advection and diffusion in one to three dimensions by paths traced backwards, the baselines of moving frames.

What is only carried, du/dt + v(x, t) . grad u = 0, is u(x, t) = u_0(foot), the foot being where the path that ends at x
at the time t began at time 0. If v is known beforehand, :func:`traced` finds the feet to rounding, and there is no
grid and no error of u. :func:`semi_lagrangian` goes back one step at a time and interpolates on a grid by splines: it
needs u there only, has no limit of stability on its steps, and takes diffusion, which is exact on the grid and split
from the transport symmetrically.

References: Staniforth and Côté, Mon. Weather Rev. 119 (1991) 2206-2223 (semi-Lagrangian schemes); Hairer, Nørsett and
Wanner, Solving Ordinary Differential Equations I, 1993, section II.5 (the method of order eight that traces); Strang,
SIAM J. Numer. Anal. 5 (1968) 506-517 (splitting).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import dct, idct, irfft, rfft
from scipy.integrate import solve_ivp
from scipy.interpolate import NdBSpline, make_interp_spline
from scipy.ndimage import spline_filter1d

from sciml.checks import choice, finite, number, positive, rising, shape, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.reference.time_steps import equal_steps

Velocity = Callable[[np.ndarray, float], np.ndarray]
DEGREES = (3, 5)
FEWEST = 8  # nodes along an axis


@dataclass(frozen=True)
class Lattice:
    """Equal nodes of a box: both ends of an axis, or the lower one only where the axis is periodic.

    Parameters
    ----------
    lower, upper : corners
    shape : nodes along each axis, at least 8
    periodic : whether each axis is, or all

    Raises
    ------
    InputError
        If lengths differ, a lower bound is not below its upper one, or an axis has too few nodes.
    """

    lower: Sequence[float]
    upper: Sequence[float]
    shape: Sequence[int]
    periodic: Sequence[bool] | bool = False

    def __post_init__(self) -> None:
        wraps = self.periodic
        object.__setattr__(self, "periodic", (wraps,) * len(self.shape) if isinstance(wraps, bool) else tuple(wraps))
        lengths = {len(self.lower), len(self.upper), len(self.shape), len(self.periodic)}
        if lengths != {self.dim} or self.dim not in (1, 2, 3):
            raise InputError(
                f"the lattice has {len(self.lower)} lower and {len(self.upper)} upper bounds, {len(self.shape)} "
                f"numbers of nodes and {len(self.periodic)} flags, expected one to three of each."
            )
        if not all(-np.inf < a < b < np.inf for a, b in zip(self.lower, self.upper, strict=True)):
            raise InputError(f"the box of the lattice is {self.lower} to {self.upper}, expected lower < upper.")
        if min(self.shape) < FEWEST:
            raise InputError(f"the lattice has {tuple(self.shape)} nodes, expected at least {FEWEST} along each axis.")

    @property
    def dim(self) -> int:
        """The number of axes of the lattice."""
        return len(self.shape)

    @cached_property
    def spacing(self) -> np.ndarray:
        """h of each axis, (dim,)."""
        cells = [n if wraps else n - 1 for n, wraps in zip(self.shape, self.periodic, strict=True)]
        return (np.asarray(self.upper, float) - self.lower) / cells

    @cached_property
    def points(self) -> np.ndarray:
        """The coordinates of the nodes, (*shape, dim)."""
        axes = [a + h * np.arange(n) for a, h, n in zip(self.lower, self.spacing, self.shape, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def home(self, points: np.ndarray) -> np.ndarray:
        """Return points (..., dim) wrapped along periodic axes, and moved to the nearest face along others."""
        lower, upper = np.asarray(self.lower, float), np.asarray(self.upper, float)
        wrapped = lower + (points - lower) % (upper - lower)
        return np.where(np.array(self.periodic), wrapped, np.clip(points, lower, upper))


def feet(velocity: Velocity, points: np.ndarray, time: float, before: float, steps: int = 1) -> np.ndarray:
    """Return where paths that end at points at one time were before, by the classical Runge-Kutta method.

    Parameters
    ----------
    velocity : v, maps (n, dim) and a time to (n, dim)
    points : (n, dim)
    time, before : the end and the beginning of the paths
    steps : of fourth order
    """
    step = (before - time) / steps
    for stage in range(steps):
        now = time + stage * step
        first = velocity(points, now)
        second = velocity(points + step / 2.0 * first, now + step / 2.0)
        third = velocity(points + step / 2.0 * second, now + step / 2.0)
        fourth = velocity(points + step * third, now + step)
        points = points + step / 6.0 * (first + 2.0 * (second + third) + fourth)
    return points


def traced(
    initial: Callable[[np.ndarray], np.ndarray],
    velocity: Velocity,
    points: np.ndarray,
    times: np.ndarray,
    tolerance: float = 1e-12,
) -> np.ndarray:
    """Solve du/dt + v . grad u = 0 at points by paths back to time 0, without a grid and without numerical diffusion.

    Parameters
    ----------
    initial : u_0, maps (n, dim) to (n,)
    velocity : v, maps (n, dim) and a time to (n, dim); also a little outside of the domain
    points : (n, dim)
    times : (steps,) >= 0
    tolerance : of the feet in one step, relative and absolute; the error of u is larger by the slope of u_0 and
        by how much paths diverge

    Returns
    -------
    ndarray
        (steps, n).

    Raises
    ------
    InputError
        If shapes do not fit, or times or the tolerance are out of range.
    DivergenceError
        If paths cannot be followed.
    """
    points, times = _checked_points(points), np.asarray(times, float)
    rising("the times of traced paths", np.sort(shape("the times of traced paths", times, ("n",))), at_least=0)
    number("the tolerance of traced paths", tolerance, at_least=1e-14, below=1)
    _checked_velocity(velocity, points)

    def change(time: float, state: np.ndarray) -> np.ndarray:
        return velocity(state.reshape(points.shape), time).reshape(-1)

    found = []
    for time in times:
        foot = points
        if time:
            path = solve_ivp(
                change, (time, 0.0), points.reshape(-1), method="DOP853", rtol=max(tolerance, 3e-14), atol=tolerance
            )
            if not path.success:
                raise DivergenceError(
                    f"paths back from time {time:g} cannot be followed ({path.message.lower().rstrip('.')}); look for "
                    "jumps of the velocity, or raise the tolerance."
                )
            foot = path.y[:, -1].reshape(points.shape)
        found.append(initial(foot))
    return np.stack(found)


def semi_lagrangian(
    initial: np.ndarray,
    lattice: Lattice,
    velocity: Velocity,
    times: np.ndarray,
    time_step: float,
    viscosity: float = 0.0,
    degree: int = 3,
) -> np.ndarray:
    r"""Solve du/dt + v . grad u = \nu \Delta u on a lattice.

    A step interpolates at the feet of its paths: errors are of order h^{degree + 1} in each step, however long, and of
    order 4 in the step from its paths. Where paths come from outside of a box they bring the value of the nearest face;
    diffusion does not pass faces.

    Parameters
    ----------
    initial : values at the nodes, of the shape of the lattice
    lattice : box and nodes
    velocity : v, maps (n, dim) and a time to (n, dim)
    times : (steps,) rising, >= 0
    time_step : longest step
    viscosity : nu >= 0; then errors of the splitting are of order 2 in the step, or none if v only turns
    degree : of the splines, 3 or 5

    Returns
    -------
    ndarray
        (steps, \*shape) values at the nodes.

    Raises
    ------
    InputError
        If shapes do not fit or a number is out of its range.
    """
    u, times = np.asarray(initial, float), rising("the times of semi-Lagrangian steps", times, at_least=0)
    finite("the initial condition", shape("the initial condition", u, lattice.shape))
    positive("the time step of semi-Lagrangian steps", time_step)
    number("the viscosity of semi-Lagrangian steps", viscosity, at_least=0)
    choice("the degree of the splines", degree, DEGREES)
    points = lattice.points.reshape(-1, lattice.dim)
    _checked_velocity(velocity, points)
    now, result = 0.0, []
    for target in times:
        count = equal_steps(target - now, time_step)
        for taken in range(1, count + 1):
            step = (target - now) / count
            time = now + taken * step
            u = _diffused(u, lattice, viscosity * step / 2.0)
            there = lattice.home(feet(velocity, points, time, time - step))
            u = spline(u, lattice, degree)(there).reshape(u.shape)
            u = _diffused(u, lattice, viscosity * step / 2.0)
        now = target
        result.append(u)
    return np.stack(result)


def spline(values: np.ndarray, lattice: Lattice, degree: int = 3) -> NdBSpline:
    """Return the spline through values at the nodes, to be called with points (n, dim) of the box.

    Parameters
    ----------
    values : of the shape of the lattice
    lattice : box and nodes; along axes that are not periodic the spline has no knots next to the outermost nodes
    degree : 3 or 5
    """
    knots, coefficients = [], values
    for axis, (lower, h, n, wraps) in enumerate(
        zip(lattice.lower, lattice.spacing, lattice.shape, lattice.periodic, strict=True)
    ):
        if wraps:
            beyond = (degree + 1) // 2
            inner = spline_filter1d(coefficients, degree, axis, mode="grid-wrap")
            coefficients = np.take(inner, np.arange(-beyond, n + beyond) % n, axis)
            count = n + 2 * beyond + degree + 1
            knots.append(lower + h * (np.arange(count) - beyond - (degree + 1) / 2.0))
        else:
            found = make_interp_spline(lower + h * np.arange(n), coefficients, degree, axis=axis)
            coefficients = np.moveaxis(found.c, 0, axis)
            knots.append(found.t)
    return NdBSpline(tuple(knots), np.ascontiguousarray(coefficients), degree)


def _diffused(u: np.ndarray, lattice: Lattice, amount: float) -> np.ndarray:
    """Return the solution of the heat equation for nu t = ``amount``, by Fourier modes, or cosines between faces."""
    if not amount:
        return u
    for axis, (lower, upper, n, wraps) in enumerate(
        zip(lattice.lower, lattice.upper, lattice.shape, lattice.periodic, strict=True)
    ):
        count = n // 2 + 1 if wraps else n
        numbers = np.arange(count).reshape([-1 if k == axis else 1 for k in range(u.ndim)])
        decay = np.exp(-amount * ((2.0 if wraps else 1.0) * np.pi * numbers / (upper - lower)) ** 2)
        if wraps:
            u = irfft(decay * rfft(u, axis=axis), n, axis=axis)
        else:
            u = idct(decay * dct(u, 1, axis=axis), 1, axis=axis)
    return u


def _checked_points(points: np.ndarray) -> np.ndarray:
    points = finite("the points", shape("the points", np.asarray(points, float), ("number of points", "dimension")))
    whole_number("the number of points", len(points), at_least=1)
    return points


def _checked_velocity(velocity: Velocity, points: np.ndarray) -> None:
    finite("the velocity", shape("the velocity", np.asarray(velocity(points, 0.0)), points.shape))
