r"""Fourier collocation on a periodic domain, the baseline where solutions stay smooth enough for their Fourier modes.

Values of u at n equal nodes are as good as its modes, exp(i k w x) with w = 2 \pi / L. What only multiplies a mode is
exact: diffusion, and convection at a constant speed, for which conservation laws are solved in the frame of their mean.
The rest N steps with the exponential Runge-Kutta method of fourth order,

    d\hat u / dt = -\nu (k w)^2 \hat u + N(u).

Modes above n / 3 are zero, so that products of two functions come without aliasing; fluxes of higher degree need a
margin of modes.

References: Cox and Matthews, J. Comput. Phys. 176 (2002) 430-455 (time stepping); Kassam and Trefethen, SIAM J. Sci.
Comput. 26 (2005) 1214-1233 (their coefficients, as means over circles); Orszag, J. Atmos. Sci. 28 (1971) 1074 (the rule
of two thirds).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, rfft

from sciml.checks import finite, number, positive, rising, shape, whole_number
from sciml.errors import DivergenceError
from sciml.reference.conservation_laws_entropy import Flux
from sciml.reference.time_steps import equal_steps

CIRCLE = 64  # points of the means; the coefficients are entire functions, whose means converge like 1 / 64!
Change = Callable[[np.ndarray], np.ndarray]
Settings = tuple[np.ndarray, float, float, float | None]  # times, viscosity, courant, time step


def nodes(period: float, count: int) -> np.ndarray:
    """Return where the values belong, 0, L / n, ..., (n - 1) L / n.

    Parameters
    ----------
    period : L
    count : n
    """
    return period / count * np.arange(count)


def convection(
    initial: np.ndarray,
    period: float,
    speed: Callable[[np.ndarray], np.ndarray] | float,
    times: np.ndarray,
    viscosity: float = 0.0,
    courant: float = 0.5,
    time_step: float | None = None,
) -> np.ndarray:
    r"""Solve du/dt + a(x) du/dx = \nu d^2u/dx^2; for a constant speed exactly, mode by mode.

    Parameters
    ----------
    initial : (n,) values at the nodes of one period
    period : L
    speed : a(x), maps nodes (n,) to (n,), or a number
    times : (steps,) rising, >= 0
    viscosity : nu >= 0
    courant : longest step in units of h / max |a|, at most 1
    time_step : longest step, in place of the Courant number

    Returns
    -------
    ndarray
        (steps, n) values at the nodes.

    Raises
    ------
    InputError
        If shapes do not fit or a number is out of its range.
    DivergenceError
        If the steps are too long.
    """
    settings = (times, viscosity, courant, time_step)
    initial = _checked(initial, period, settings)
    here = speed(nodes(period, len(initial))) if callable(speed) else speed
    here = np.broadcast_to(np.asarray(here, float), initial.shape)
    finite("the speed at the nodes", here)
    if np.ptp(here) == 0.0:
        return _evolve(initial, period, float(here[0]), (None, 0.0), settings)
    slope = 1j * _waves(len(initial), period)
    here = irfft(_kept(len(initial)) * rfft(here), len(initial))  # higher modes would come back as lower ones

    def change(modes: np.ndarray) -> np.ndarray:
        return -rfft(here * irfft(slope * modes, len(initial)))

    return _evolve(initial, period, 0.0, (change, float(np.abs(here).max())), settings)


def conservation(
    initial: np.ndarray,
    period: float,
    flux: Flux,
    times: np.ndarray,
    viscosity: float = 0.0,
    courant: float = 0.5,
    time_step: float | None = None,
) -> np.ndarray:
    r"""Solve du/dt + df(u)/dx = \nu d^2u/dx^2, whose mean is conserved to rounding.

    Without viscosity only until characteristics cross. With it n / 3 modes have to resolve the fronts, whose thickness
    is about nu / |jump of f'|.

    Parameters
    ----------
    initial : (n,) values at the nodes of one period
    period : L
    flux : f
    times : (steps,) rising, >= 0
    viscosity : nu >= 0
    courant : longest step in units of h / max |f'(u) - f'(mean of u)|, at most 1
    time_step : longest step, in place of the Courant number

    Returns
    -------
    ndarray
        (steps, n) values at the nodes.

    Raises
    ------
    InputError
        If shapes do not fit or a number is out of its range.
    DivergenceError
        If the steps are too long or the modes too few.
    """
    settings = (times, viscosity, courant, time_step)
    initial = _checked(initial, period, settings)
    mean = float(flux.slope(np.array(initial.mean())))
    fastest = float(np.abs(flux.slope(np.linspace(initial.min(), initial.max(), 4097)) - mean).max())
    slope = 1j * _waves(len(initial), period)

    def change(modes: np.ndarray) -> np.ndarray:
        u = irfft(modes, len(initial))
        return -slope * rfft(flux.value(u) - mean * u)

    return _evolve(initial, period, mean, (change, fastest), settings)


def _evolve(
    initial: np.ndarray,
    period: float,
    drift: float,
    rest: tuple[Change | None, float],
    settings: Settings,
) -> np.ndarray:
    """Return the values at the times; ``rest`` is N in the drifting frame, if there is any, with its largest speed."""
    times, viscosity, courant, time_step = settings
    change, fastest = rest
    n, kept, wave = len(initial), _kept(len(initial)), _waves(len(initial), period)
    longest = (time_step or courant * period / n / fastest) if change and fastest else np.inf
    modes, now, result = kept * rfft(initial), 0.0, []
    length, factors = 0.0, ()
    for target in np.asarray(times, float):
        count = equal_steps(target - now, longest)
        step = (target - now) / count if count else length
        if abs(step - length) > 1e-12 * step:
            length, factors = step, _factors(-step * viscosity * wave**2, step)
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            for _ in range(count):
                modes = _advanced(modes, factors, lambda at: kept * change(at)) if change else factors[0] * modes
        if not np.all(np.isfinite(modes)):
            raise DivergenceError(
                f"the modes are not finite any more at time {target:g}: the steps of {step:.2g} are too long, or {n} "
                "values too few; lower the Courant number or take more values."
            )
        now = target
        result.append(irfft(np.exp(-1j * drift * target * wave) * modes, n))
    return np.stack(result)


def _factors(z: np.ndarray, step: float) -> tuple[np.ndarray, ...]:
    """Return exp(z), exp(z / 2) and the weights of the four stages, computed as means over circles around z."""
    around = z[:, None] + np.exp(2j * np.pi * (np.arange(CIRCLE) + 0.5) / CIRCLE)
    e = np.exp(around)
    weights = (
        (np.exp(around / 2.0) - 1.0) / around,
        (-4.0 - around + e * (4.0 - 3.0 * around + around**2)) / around**3,
        (2.0 + around + e * (around - 2.0)) / around**3,
        (-4.0 - 3.0 * around - around**2 + e * (4.0 - around)) / around**3,
    )
    return np.exp(z), np.exp(z / 2.0), *(step * weight.mean(1).real for weight in weights)


def _advanced(modes: np.ndarray, factors: tuple[np.ndarray, ...], change: Change) -> np.ndarray:
    """Return the modes one step later."""
    whole, half, middle, outer, inner, last = factors
    first = change(modes)
    a = half * modes + middle * first
    second = change(a)
    third = change(half * modes + middle * second)
    fourth = change(half * a + middle * (2.0 * third - first))
    return whole * modes + outer * first + 2.0 * inner * (second + third) + last * fourth


def _waves(n: int, period: float) -> np.ndarray:
    return 2.0 * np.pi / period * np.arange(n // 2 + 1)


def _kept(n: int) -> np.ndarray:
    return np.arange(n // 2 + 1) <= n / 3


def _checked(initial: np.ndarray, period: float, settings: Settings) -> np.ndarray:
    times, viscosity, courant, time_step = settings
    initial = np.asarray(initial, float)
    finite("the initial condition", shape("the initial condition", initial, ("n",)))
    whole_number("the number of nodes", len(initial), at_least=4)
    rising("the times of Fourier collocation", times, at_least=0)
    positive("the period of Fourier collocation", period)
    number("the viscosity of Fourier collocation", viscosity, at_least=0)
    number("the Courant number of Fourier collocation", courant, above=0, at_most=1)
    if time_step is not None:
        positive("the time step of Fourier collocation", time_step)
    return initial
