r"""Finite volumes of fifth order on a periodic domain, the baseline for fronts that steepen into shocks.

The averages of u over n equal cells change by what flows through their faces,

    d\bar u_i / dt = -(F_{i+1/2} - F_{i-1/2}) / h,    F = f(u) - \nu u_x,

where f comes from the states that weighted essentially non-oscillatory (WENO) polynomials have on both sides of a face,
u_x is the central difference of fourth order, and time goes on by the strong-stability-preserving Runge-Kutta method of
third order. Fluxes cancel in pairs, so that the mean is conserved to rounding.

References: Jiang and Shu, J. Comput. Phys. 126 (1996) 202-228; Shu and Osher, J. Comput. Phys. 77 (1988) 439-471 (steps
in time); LeVeque, Finite Volume Methods for Hyperbolic Problems, 2002, chapters 10 and 12 (fluxes).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sciml.checks import choice, finite, number, positive, rising, shape, whole_number
from sciml.errors import InputError
from sciml.reference.conservation_laws_entropy import Flux
from sciml.reference.time_steps import equal_steps

LINEAR_WEIGHTS = (0.1, 0.6, 0.3)
SMALLEST = 1e-6  # of Jiang and Shu, relative to squared differences of the initial averages
STABLE_DIFFUSION = 3.0 * 2.5 / 16.0  # h^2 / nu times this: 2.5 of the time scheme over the largest wave, 16 / (3 h^2)
FLUXES = ("godunov", "lax_friedrichs")


def cell_averages(function: Callable[[np.ndarray], np.ndarray], period: float, count: int) -> np.ndarray:
    """Return the averages of a function over ``count`` cells from 0 to the period, by five Gauss points in each.

    Parameters
    ----------
    function : maps (n,) to (n,)
    period : L
    count : cells
    """
    abscissae, weights = np.polynomial.legendre.leggauss(5)
    points = period / count * (np.arange(count)[:, None] + 0.5 * (1.0 + abscissae))
    return function(points.reshape(-1)).reshape(points.shape) @ weights / 2.0


def centre_values(averages: np.ndarray) -> np.ndarray:
    """Return the values at the centres of the cells, to sixth order where the function is smooth.

    Parameters
    ----------
    averages : (..., n), periodic along the last axis
    """
    near, far = (np.roll(averages, k, -1) + np.roll(averages, -k, -1) for k in (1, 2))
    return (2134.0 * averages - 116.0 * near + 9.0 * far) / 1920.0


def face_states(averages: np.ndarray, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the states on the left and on the right of the face behind each cell, i + 1/2, by WENO of fifth order.

    Parameters
    ----------
    averages : (n,), periodic
    scale : size of the variations of u; differences far below a thousandth of it count as smooth
    """
    return _weno(averages, scale), np.roll(_weno(averages[::-1], scale)[::-1], -1)


def transport(
    initial: np.ndarray,
    period: float,
    speed: Callable[[np.ndarray], np.ndarray] | float,
    times: np.ndarray,
    viscosity: float = 0.0,
    courant: float = 0.5,
) -> np.ndarray:
    r"""Solve du/dt + d(a(x) u)/dx = \nu d^2u/dx^2, upwind.

    In the other form, dv/dt + a dv/dx = 0, the quotient u = v / a obeys this one, if a has no zero.

    Parameters
    ----------
    initial : (n,) averages over cells from 0 to the period
    period : L
    speed : a(x), maps faces (n,) to (n,), or a number
    times : (steps,) rising, >= 0
    viscosity : nu >= 0
    courant : longest step in units of h / max |a|; at most about 1. The error of the time scheme falls as its cube

    Returns
    -------
    ndarray
        (steps, n) averages.

    Raises
    ------
    InputError
        If shapes do not fit or a number is out of its range.
    """
    initial = _checked(initial, period, times, viscosity, courant)
    faces = period / len(initial) * np.arange(1, len(initial) + 1)
    here = np.broadcast_to(np.asarray(speed(faces) if callable(speed) else speed, float), initial.shape)
    finite("the speed at the faces", here)

    def through(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return here * np.where(here > 0.0, left, right)

    return _evolve(initial, period, through, float(np.abs(here).max()), (times, viscosity, courant))


def conservation(
    initial: np.ndarray,
    period: float,
    flux: Flux,
    times: np.ndarray,
    viscosity: float = 0.0,
    courant: float = 0.5,
    numerical_flux: str = "godunov",
) -> np.ndarray:
    r"""Solve du/dt + df(u)/dx = \nu d^2u/dx^2.

    Parameters
    ----------
    initial : (n,) averages over cells from 0 to the period
    period : L
    flux : f; Godunov's flux needs it convex on the range of the initial averages
    times : (steps,) rising, >= 0
    viscosity : nu >= 0
    courant : longest step in units of h / max |f'|; at most about 1
    numerical_flux : "godunov", which solves the problem of two states exactly, or "lax_friedrichs", for any f

    Returns
    -------
    ndarray
        (steps, n) averages.

    Raises
    ------
    InputError
        If shapes do not fit, a number is out of its range, or the flux is unknown or not convex as Godunov's needs it.
    """
    initial = _checked(initial, period, times, viscosity, courant)
    choice("the numerical flux", numerical_flux, FLUXES)
    states = np.linspace(initial.min(), initial.max(), 4097)
    slopes = np.asarray(flux.slope(states), float)
    fastest = float(np.abs(slopes).max())
    if numerical_flux == "lax_friedrichs":

        def through(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            return 0.5 * (flux.value(left) + flux.value(right) - fastest * (right - left))

    else:
        if np.diff(slopes).min() < -1e-12 * fastest:
            raise InputError(
                "the flux is not convex on the range of the initial condition, expected a convex one; choose the "
                "numerical flux 'lax_friedrichs'."
            )
        sonic = _sonic(flux, states, slopes)

        def through(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            # the largest flux between falling states, the least between rising ones: at the sonic state if it is there
            fan = flux.value(np.clip(sonic, np.minimum(left, right), np.maximum(left, right)))
            return np.where(left > right, np.maximum(flux.value(left), flux.value(right)), fan)

    return _evolve(initial, period, through, fastest, (times, viscosity, courant))


def _weno(u: np.ndarray, scale: float) -> np.ndarray:
    """Return the state at the right face of each cell, on its left side."""
    a, b, d, e = (np.roll(u, k) for k in (2, 1, -1, -2))
    candidates = (
        (2.0 * a - 7.0 * b + 11.0 * u) / 6.0,
        (-b + 5.0 * u + 2.0 * d) / 6.0,
        (2.0 * u + 5.0 * d - e) / 6.0,
    )
    roughness = (
        13.0 / 12.0 * (a - 2.0 * b + u) ** 2 + 0.25 * (a - 4.0 * b + 3.0 * u) ** 2,
        13.0 / 12.0 * (b - 2.0 * u + d) ** 2 + 0.25 * (b - d) ** 2,
        13.0 / 12.0 * (u - 2.0 * d + e) ** 2 + 0.25 * (3.0 * u - 4.0 * d + e) ** 2,
    )
    smallest = SMALLEST * scale**2
    weights = [linear / (smallest + rough) ** 2 for linear, rough in zip(LINEAR_WEIGHTS, roughness, strict=True)]
    return sum(w * state for w, state in zip(weights, candidates, strict=True)) / sum(weights)


def _sonic(flux: Flux, states: np.ndarray, slopes: np.ndarray) -> float:
    """Return the state in the range at which f is least."""
    low, high = states[max(int(np.searchsorted(slopes, 0.0)) - 1, 0)], states[-1]
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = float(flux.slope(np.array(middle))) < 0.0
        low, high = (middle, high) if below else (low, middle)
    return 0.5 * (low + high)


def _evolve(
    initial: np.ndarray,
    period: float,
    through: Callable[[np.ndarray, np.ndarray], np.ndarray],
    fastest: float,
    settings: tuple[np.ndarray, float, float],
) -> np.ndarray:
    """Return the averages at the times; ``through`` gives the flux from the states on both sides of each face."""
    times, viscosity, courant = settings
    spacing = period / len(initial)
    scale = max(float(np.ptp(initial)), 1e-300)
    # the rates of both processes add up; a field at rest needs no steps
    rate = fastest / (courant * spacing) + viscosity / (STABLE_DIFFUSION * spacing**2)

    def change(u: np.ndarray) -> np.ndarray:
        flow = through(*face_states(u, scale))
        if viscosity > 0.0:
            ahead = np.roll(u, -1)
            slope = (15.0 * (ahead - u) - np.roll(u, -2) + np.roll(u, 1)) / (12.0 * spacing)
            flow = flow - viscosity * slope
        return (np.roll(flow, 1) - flow) / spacing

    u, now, result = initial, 0.0, []
    for target in np.asarray(times, float):
        count = equal_steps(target - now, 1 / rate if rate else np.inf)
        step = (target - now) / count if count else 0.0
        for _ in range(count):
            first = u + step * change(u)
            second = 0.75 * u + 0.25 * (first + step * change(first))
            u = u / 3.0 + 2.0 / 3.0 * (second + step * change(second))
        now = target
        result.append(u)
    return np.stack(result)


def _checked(initial: np.ndarray, period: float, times: np.ndarray, viscosity: float, courant: float) -> np.ndarray:
    initial = np.asarray(initial, float)
    finite("the initial condition", shape("the initial condition", initial, ("n",)))
    whole_number("the number of finite volumes", len(initial), at_least=5)
    rising("the times of finite volumes", times, at_least=0)
    positive("the period of finite volumes", period)
    number("the viscosity of finite volumes", viscosity, at_least=0)
    number("the Courant number of finite volumes", courant, above=0, at_most=1.5)
    return initial
