"""Equations on a periodic box, solved by Fourier series: heat and advection exactly, Burgers to fourth order in time.

Fields are real arrays (n, ...) of values at x = 0, 1/n, ..., 1 - 1/n on each axis of the box [0, 1]^d.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sciml.checks import shape as check_shape
from sciml.errors import InputError
from sciml.reference.integrating_factor import runge_kutta_step
from sciml.reference.time_steps import equal_steps

Divisors = Callable[[Sequence[np.ndarray]], np.ndarray]


def one_and_square(waves: Sequence[np.ndarray]) -> np.ndarray:
    """Return 1 + |k|^2, the divisors of smooth random fields.

    Parameters
    ----------
    waves : whole numbers along each axis, arrays that broadcast
    """
    return 1.0 + sum(k**2 for k in waves)


def random_field(
    shape: Sequence[int], random: np.random.Generator, modes: int = 4, divisors: Divisors = one_and_square
) -> np.ndarray:
    """Return a smooth random field of zero mean and unit variance, a trigonometric polynomial with few Fourier modes.

    The coefficient of wave vector k is normal with deviation 1 / (1 + |k|^2), or one over another divisor, up to
    ``modes`` along each axis. They are drawn in an order that does not depend on the shape, so one seed gives one
    function at every resolution.

    Parameters
    ----------
    shape : values along each axis, more than 2 ``modes``
    random : draws the coefficients
    modes : largest wave number along each axis
    divisors : maps the wave numbers along each axis to the numbers by which standard normal ones are divided for the
        coefficients; a common factor has no effect
    """
    if min(shape) <= 2 * modes:
        raise InputError(
            f"the shape of a field with {modes} Fourier modes is {tuple(shape)}, expected more than {2 * modes} values "
            "per axis."
        )
    dimension = len(shape)
    numbers = np.arange(-modes, modes + 1)
    divided = divisors(np.meshgrid(*(numbers,) * dimension, indexing="ij"))
    parts = random.standard_normal((2, *divided.shape))
    coefficients = (parts[0] + 1j * parts[1]) / divided
    coefficients[(modes,) * dimension] = 0.0
    spectrum = np.zeros(shape, complex)
    spectrum[np.ix_(*(numbers % n for n in shape))] = coefficients
    values = np.fft.ifftn(spectrum).real * np.prod(shape)
    # by the coefficients and not by the values, so that the resolution does not matter: pairs k, -k add up
    both = coefficients + np.conj(coefficients[(slice(None, None, -1),) * dimension])
    return values / np.sqrt((np.abs(both) ** 2).sum() / 4.0)


def heat(initial: np.ndarray, diffusivity: float, times: np.ndarray) -> np.ndarray:
    r"""Solve du/dt = D \Delta u exactly: each Fourier mode k decays by exp(-D |2 pi k|^2 t).

    Parameters
    ----------
    initial : values at t = 0
    diffusivity : D >= 0
    times : (steps,) >= 0

    Returns
    -------
    ndarray
        (steps, *shape of ``initial``).
    """
    squares = sum(k**2 for k in _wave_numbers(initial.shape))
    return _evolved(initial, [np.exp(-diffusivity * squares * t) for t in times])


def advection(initial: np.ndarray, velocity: Sequence[float], times: np.ndarray) -> np.ndarray:
    """Solve du/dt + c . grad u = 0 exactly: u(x, t) = u(x - c t, 0).

    Parameters
    ----------
    initial : values at t = 0; a mode at the Nyquist frequency has no direction and must be absent
    velocity : c, one entry per axis
    times : (steps,)

    Returns
    -------
    ndarray
        (steps, *shape of ``initial``).
    """
    check_shape("the velocity", velocity, (initial.ndim,))
    phase = sum(c * k for c, k in zip(velocity, _wave_numbers(initial.shape), strict=True))
    return _evolved(initial, [np.exp(-1j * phase * t) for t in times])


def burgers(initial: np.ndarray, viscosity: float, times: np.ndarray, time_step: float) -> np.ndarray:
    r"""Solve du/dt + d(u^2 / 2)/dx = nu d^2u/dx^2 on one axis by Fourier series.

    Diffusion is exact (integrating factor), convection steps with the classical Runge-Kutta method of fourth order,
    and the product is free of aliasing by the two-thirds rule: the modes above n / 3 are zero.

    Parameters
    ----------
    initial : (n,) values at t = 0
    viscosity : nu > 0; the modes up to n / 3 must resolve the thickness nu / max|u| of fronts
    times : (steps,) increasing from 0
    time_step : longest step; max|u| time_step n must be at most about 1

    Returns
    -------
    ndarray
        (steps, n).
    """
    n = initial.shape[0]
    wave = 2.0 * np.pi * np.fft.rfftfreq(n, 1.0 / n)
    kept = np.fft.rfftfreq(n, 1.0 / n) <= n / 3
    spectrum, now, result = np.fft.rfft(initial) * kept, 0.0, []

    def convection(state: np.ndarray) -> np.ndarray:
        return -0.5j * wave * kept * np.fft.rfft(np.fft.irfft(state, n) ** 2)

    for target in times:
        count = equal_steps(target - now, time_step)
        step = (target - now) / count if count else 0.0
        for _ in range(count):
            spectrum = runge_kutta_step(spectrum, convection, -viscosity * wave**2, step)
        now = target
        result.append(np.fft.irfft(spectrum, n))
    return np.stack(result)


def _evolved(initial: np.ndarray, factors: list[np.ndarray]) -> np.ndarray:
    spectrum = np.fft.fftn(initial)
    return np.stack([np.fft.ifftn(factor * spectrum).real for factor in factors])


def _wave_numbers(shape: Sequence[int]) -> list[np.ndarray]:
    return np.meshgrid(*(2.0 * np.pi * np.fft.fftfreq(n, 1.0 / n) for n in shape), indexing="ij", sparse=True)
