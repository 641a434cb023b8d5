r"""Exact solutions of Burgers' equation du/dt + u du/dx = \nu d^2u/dx^2 on a periodic domain, by Cole-Hopf quadrature.

With m the mean and U the antiderivative of u_0 - m, the solution is a weighted mean of the initial condition u_0,

    u(x, t) = m + \frac{\int (u_0(y) - m) e^{G(y)} dy}{\int e^{G(y)} dy},
    G(y) = -\frac{U(y)}{2 \nu} - \frac{(x - m t - y)^2}{4 \nu t},

so it never leaves the range of u_0, and nothing cancels as t goes to 0. The trapezoidal rule over all y that
matter is exact to rounding, since e^G is analytic and falls below 1e-31 of its maximum at both ends. The maximum of G
is subtracted at each point: without it the exponentials under- and overflow at small viscosities.

Points and times are numpy arrays or torch tensors that broadcast; the result is of the same kind, and has derivatives.

References: Hopf, Comm. Pure Appl. Math. 3 (1950) 201-230; Cole, Quart. Appl. Math. 9 (1951) 225-236; Basdevant et al.,
Comput. Fluids 14 (1986) 23-41 (the standard case).
"""

from __future__ import annotations

from math import pi

import numpy as np

from sciml.checks import positive, shown
from sciml.errors import InputError
from sciml.reference.arrays import Array, array_module
from sciml.reference.trigonometric_series import TrigonometricSeries

DEVIATIONS = 12.0  # of the heat kernel, beyond all departure points: e^{-72} is left out
BLOCK = 256  # points at a time, so that a field of any size needs a few megabytes


def periodic_burgers(
    points: Array, times: Array, viscosity: float, initial: TrigonometricSeries, nodes: int = 2001
) -> Array:
    r"""Return the solution of Burgers' equation that starts as a periodic function.

    Parameters
    ----------
    points : (...) positions
    times : (...) t >= 0; at 0 the initial condition is returned, but has no derivative with respect to t
    viscosity : nu > 0
    initial : u_0
    nodes : N of the trapezoidal rule, more than :func:`least_nodes`, of which three times is exact to rounding. Of
        numpy arrays this is checked; torch tensors are not looked into.

    Returns
    -------
    array
        (...), the shape of points and times together.

    Raises
    ------
    InputError
        If the viscosity is not positive, a time is negative, or there are too few nodes.
    """
    xp = array_module(points) if array_module(points) is not np else array_module(times)
    positive("the viscosity", viscosity, remedy="without viscosity use sciml.reference.conservation_laws_entropy")
    if xp is np:
        points, times = np.asarray(points, float), np.asarray(times, float)
        _check_times(times, viscosity, initial, nodes)
    x, t = points + 0.0 * times, times + 0.0 * points
    flat_x, flat_t = x.reshape(-1), t.reshape(-1)
    parts = [
        _quadrature(flat_x[first : first + BLOCK], flat_t[first : first + BLOCK], viscosity, initial, nodes)
        for first in range(0, max(len(flat_x), 1), BLOCK)
    ]
    return xp.concatenate(parts).reshape(x.shape)


def sine_burgers(
    points: Array, times: Array, viscosity: float, mean: float = 0.0, amplitude: float = 1.0, nodes: int = 2001
) -> Array:
    r"""Return the solution of Burgers' equation on [0, 2 \pi) that starts as mean + amplitude sin x.

    Parameters
    ----------
    points, times : (...), see :func:`periodic_burgers`
    viscosity : nu > 0
    mean : conserved speed at which the front travels
    amplitude : of the sine
    nodes : of the quadrature

    Returns
    -------
    array
        (...).
    """
    return periodic_burgers(points, times, viscosity, TrigonometricSeries(mean, sines=(amplitude,)), nodes)


def standard_burgers(points: Array, times: Array, viscosity: float = 0.01 / pi, nodes: int = 2001) -> Array:
    r"""Return the standard case of physics-informed networks: u_0 = -sin(\pi x) on [-1, 1], u = 0 at both ends.

    It is the case u_0 = sin X on [0, 2 \pi) with X = \pi (x + 1), time \pi t and viscosity \pi \nu.

    Parameters
    ----------
    points : (...) x
    times : (...) t
    viscosity : nu > 0
    nodes : of the quadrature

    Returns
    -------
    array
        (...).
    """
    return sine_burgers(pi * (points + 1.0), pi * times, pi * viscosity, nodes=nodes)


def least_nodes(viscosity: float, time: float, steepest: float, spread: float) -> float:
    r"""Return the number of nodes that the quadrature needs, 2 \sqrt{1 + s t} (12 + r \sqrt{t / (8 \nu)}).

    Parameters
    ----------
    viscosity : nu > 0
    time : t, the latest one
    steepest : s, the largest |du_0/dx|
    spread : r = max u_0 - min u_0
    """
    return 2.0 * (1.0 + steepest * time) ** 0.5 * (DEVIATIONS + spread * (time / (8.0 * viscosity)) ** 0.5)


def _quadrature(x: Array, t: Array, viscosity: float, initial: TrigonometricSeries, nodes: int) -> Array:
    """Return the weighted mean at points (n,) and times (n,)."""
    xp = array_module(x)
    low, high = initial.extremes
    fluctuation = TrigonometricSeries(0.0, initial.cosines, initial.sines, initial.period)
    unit = np.linspace(-1.0, 1.0, nodes)
    unit = unit if xp is np else xp.as_tensor(unit, dtype=x.dtype, device=x.device)
    # y leaves from x - t u_0 for some u_0 of the range, or a few deviations of the heat kernel beyond
    middle, half = 0.5 * (low + high) - initial.mean, 0.5 * (high - low)
    x, t = (x - initial.mean * t)[:, None], t[:, None]
    departure = x - middle * t + (half * t + DEVIATIONS * xp.sqrt(2.0 * viscosity * t)) * unit
    # (x - y) / sqrt(4 nu t), written so that t = 0 is not a special case
    distance = xp.sqrt(t) * (middle - half * unit) / (2.0 * viscosity**0.5) - DEVIATIONS * 0.5**0.5 * unit
    exponent = -fluctuation.antiderivative(departure) / (2.0 * viscosity) - distance**2
    weight = xp.exp(exponent - xp.amax(exponent, -1)[:, None])
    return initial.mean + (weight * fluctuation(departure)).sum(-1) / weight.sum(-1)


def _check_times(times: np.ndarray, viscosity: float, initial: TrigonometricSeries, nodes: int) -> None:
    latest = float(np.max(times, initial=0.0))
    if not (np.all(times >= 0.0) and latest < float("inf")):
        raise InputError(
            f"the times of Burgers' equation are {shown(times.tolist())}, expected finite numbers of at least 0; "
            "it cannot run backwards."
        )
    low, high = initial.extremes
    steepest = float(np.abs(initial.slope(initial.period * np.linspace(0.0, 1.0, 1024))).max())
    needed = least_nodes(viscosity, latest, steepest, high - low)
    if nodes <= needed:
        raise InputError(
            f"{nodes} nodes are too few for the quadrature at time {latest:g} and viscosity {viscosity:g}; "
            f"take at least {int(np.ceil(2.0 * needed))}."
        )
