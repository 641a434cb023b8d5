r"""Advection on one axis by classical grids, the baselines of neural representations of the same problem.

All solve du/dt + c du/dx = 0 and differ in what they know of space and of time. With D the difference matrix,

    u^{n+1} = Q(z)^{-1} P(z) u^n,    z = \Delta t c D,

where P / Q is a rational approximation of exp(-z): implicit Euler 1 / (1 + z); the midpoint
scheme (1 - z/2) / (1 + z/2), which on a linear equation is Crank's and Nicolson's; Padé's (2, 2), of order four,
(1 - z/2 + z^2/12) / (1 + z/2 + z^2/12). In Fourier space z = i k c \Delta t is a number, space is exact, and what is
left is the error of the time scheme alone: no spatial discretisation that steps by this scheme can be better.

References: Hairer and Wanner, Solving Ordinary Differential Equations II, 1996, section IV.3 (the approximants);
Fornberg, Math. Comp. 51 (1988) 699-706 (difference formulas); Staniforth and Côté, Mon. Weather Rev. 119 (1991)
2206-2223 (semi-Lagrangian schemes).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.interpolate import CubicSpline
from scipy.sparse.linalg import splu

from sciml.checks import choice, finite, number, positive, shape, shown, whole_number
from sciml.errors import InputError

# Nodes of the formula behind and ahead of the node, seen in the direction of the flow.
STENCILS = {"upwind": (1, 0), "central2": (1, 1), "central4": (2, 2)}
# Coefficients of P and Q by rising powers of z.
SCHEMES = {
    "implicit_euler": ((1.0,), (1.0, 1.0)),
    "midpoint": ((1.0, -0.5), (1.0, 0.5)),
    "pade22": ((1.0, -0.5, 1.0 / 12.0), (1.0, 0.5, 1.0 / 12.0)),
}


def amplification(time: str, z: np.ndarray) -> np.ndarray:
    """Return the amplification factor of a mode in one step, P(z) / Q(z) or exp(-z).

    Parameters
    ----------
    time : "implicit_euler", "midpoint", "pade22" or "exact"
    z : time step times eigenvalue, i k c dt for advection, D k^2 dt for diffusion

    Raises
    ------
    InputError
        If the scheme is unknown.
    """
    z = np.asarray(z)
    if time == "exact":
        return np.exp(-z)
    choice("the time-stepping scheme", time, [*SCHEMES, "exact"])
    above, below = (np.polynomial.polynomial.polyval(z, coefficients) for coefficients in SCHEMES[time])
    return above / below


def difference_matrix(positions: np.ndarray, space: str, direction: float = 1.0) -> sp.csc_array:
    """Return the matrix of d/dx on an interval, with an empty row at the node where the flow enters.

    Near the ends, where the formula would reach beyond the interval, one on the nearest nodes replaces it: for
    "central4" on four only, because formulas on five leave eigenvalues whose solutions grow. One order less there costs
    none inside (Gustafsson, Math. Comp. 29 (1975) 396-406). The empty row leaves the value of the inlet as it is.

    Parameters
    ----------
    positions : (n,) equally spaced, rising
    space : "upwind" (order 1), "central2" (order 2) or "central4" (order 4)
    direction : its sign is that of the flow
    """
    choice("the space scheme", space, list(STENCILS))
    spacing, n = _spacing(positions), len(positions)
    behind, ahead = STENCILS[space]
    edge = min(behind + ahead + 1, 4)
    if n <= behind + ahead + 1:
        raise InputError(f"the number of nodes is {n}, expected at least {behind + ahead + 2} for the scheme {space}.")
    if direction < 0.0:
        return sp.csc_array(-difference_matrix(positions, space)[::-1, ::-1])
    inside = _formula(behind + ahead + 1, behind)
    matrix = sp.diags_array(inside, offsets=range(-behind, ahead + 1), shape=(n, n)).tolil()
    for row in [*range(1, behind), *range(n - ahead, n)]:
        first = int(np.clip(row - behind, 0, n - edge))
        matrix[row, :] = 0.0
        matrix[row, first : first + edge] = _formula(edge, row - first)
    matrix[0, :] = 0.0
    return sp.csc_array(matrix) / spacing


def advect_on_grid(
    initial: np.ndarray,
    positions: np.ndarray,
    speed: float,
    time_step: float,
    steps: int,
    space: str = "upwind",
    time: str = "midpoint",
) -> np.ndarray:
    """Solve advection on an interval by finite differences: one sparse factorisation, two triangular solves per step.

    The value at the inlet keeps its initial value: zero for a pulse that begins inside. The outlet is free.

    Parameters
    ----------
    initial : (n,) values at t = 0
    positions : (n,) nodes, equally spaced, rising
    speed : c, of either sign
    time_step : > 0
    steps : >= 1
    space : "upwind", "central2" or "central4"
    time : "implicit_euler", "midpoint" or "pade22"

    Returns
    -------
    ndarray
        (steps + 1, n), the initial values first.

    Raises
    ------
    InputError
        If a scheme is unknown, shapes differ, nodes are not equally spaced, or a number is out of its range.
    """
    _check_run(initial, positions, speed, time_step, steps)
    choice("the time-stepping scheme", time, list(SCHEMES))
    matrix = time_step * speed * difference_matrix(positions, space, speed)
    above, below = (_polynomial(matrix, coefficients) for coefficients in SCHEMES[time])
    factors = splu(below)
    states = [np.asarray(initial, float)]
    for _ in range(steps):
        states.append(factors.solve(above @ states[-1]))
    return np.stack(states)


def advect_by_splines(
    initial: np.ndarray, positions: np.ndarray, speed: float, time_step: float, steps: int
) -> np.ndarray:
    """Solve advection by a semi-Lagrangian scheme with the cubic spline through the nodes.

    Characteristics are exact; what comes from outside the interval has the value of the inlet.

    Parameters
    ----------
    initial : (n,) values at t = 0
    positions : (n,) nodes, equally spaced, rising
    speed : c, of either sign
    time_step : > 0, as long as one likes
    steps : >= 1

    Returns
    -------
    ndarray
        (steps + 1, n), the initial values first.

    Raises
    ------
    InputError
        If shapes differ, nodes are not equally spaced, or a number is out of its range.
    """
    _check_run(initial, positions, speed, time_step, steps)
    departure = np.clip(positions - speed * time_step, positions[0], positions[-1])
    states = [np.asarray(initial, float)]
    for _ in range(steps):
        states.append(CubicSpline(positions, states[-1])(departure))
    return np.stack(states)


def advect_by_fourier_modes(
    initial: np.ndarray, length: float, speed: float, time_step: float, steps: int, time: str = "midpoint"
) -> np.ndarray:
    """Solve periodic advection exactly in space: each step multiplies Fourier mode k by the factor of the time scheme.

    Parameters
    ----------
    initial : (n,) values at x0, x0 + length / n, ...
    length : period
    speed : c
    time_step : > 0
    steps : >= 1
    time : "implicit_euler", "midpoint", "pade22" or "exact"

    Returns
    -------
    ndarray
        (steps + 1, n), the initial values first.

    Raises
    ------
    InputError
        If the scheme is unknown or a number is out of its range.
    """
    initial = np.asarray(initial, float)
    shape("the initial condition", initial, ("n",))
    positive("the length of the period", length)
    _check_steps(initial, speed, time_step, steps)
    n = len(initial)
    factor = amplification(time, 2j * np.pi * np.fft.rfftfreq(n, length / n) * speed * time_step)
    return np.fft.irfft(np.fft.rfft(initial) * factor ** np.arange(steps + 1)[:, None], n)


def _formula(width: int, place: int) -> np.ndarray:
    """Return the weights of the first derivative at one of ``width`` unit-spaced nodes, of order ``width`` - 1."""
    powers = np.arange(width)
    return np.linalg.solve((powers[None, :] - place) ** powers[:, None] + 0.0, (powers == 1) + 0.0)


def _polynomial(matrix: sp.csc_array, coefficients: tuple[float, ...]) -> sp.csc_array:
    identity = sp.eye_array(matrix.shape[0], format="csc")
    total = coefficients[-1] * identity
    for coefficient in reversed(coefficients[:-1]):
        total = total @ matrix + coefficient * identity
    return sp.csc_array(total)


def _check_steps(initial: np.ndarray, speed: float, time_step: float, steps: int) -> None:
    positive("the time step of advection", time_step)
    whole_number("the number of steps of advection", steps, at_least=1)
    number("the speed of advection", speed)
    finite("the initial condition", initial)


def _check_run(initial: np.ndarray, positions: np.ndarray, speed: float, time_step: float, steps: int) -> None:
    _check_steps(initial, speed, time_step, steps)
    _spacing(positions)
    shape("the initial condition", initial, np.shape(positions), remedy="give it a value at each position")


def _spacing(positions: np.ndarray) -> float:
    steps = np.diff(positions) if np.ndim(positions) == 1 and len(positions) > 1 else np.zeros(1)
    if not (steps.min() > 0.0 and np.ptp(steps) < 1e-8 * steps.mean()):
        raise InputError(
            f"the positions are {shown(positions)}, expected one axis of at least two equally spaced, rising nodes; "
            "make them with np.linspace."
        )
    return float(positions[-1] - positions[0]) / (len(positions) - 1)
