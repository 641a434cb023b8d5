r"""Incompressible flow in a periodic square, by the vorticity and its Fourier series.

With a stream function on the unit square, periodic along both axes,

    \omega_t + u \omega_x + v \omega_y = \nu \Delta \omega,    -\Delta \psi = \omega,    (u, v) = (\psi_y, -\psi_x),

for a vorticity of mean zero and a velocity of mean zero. Products are computed on nodes, free of aliasing by the
two-thirds rule, so that the truncated inviscid system keeps energy and enstrophy; time steps are of fourth order, with
viscosity exact by an integrating factor. :mod:`sciml.reference.incompressible_spectral` has the box with walls.

Fields are real arrays (..., n, n) of values at x, y = 0, 1/n, ..., 1 - 1/n; several flows are solved at once.

References: Canuto, Hussaini, Quarteroni and Zang, Spectral Methods: Fundamentals in Single Domains, 2006, section 3.4;
Chalapathi, Du and Krishnapriyan, Scaling physics-informed hard constraints with mixture-of-experts, ICLR 2024, section
4.2 (the problem: viscosity 1e-4, 5 s; its amplitude, and the kernel beside the length 0.8, are not published).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.special import ive

from sciml.checks import number, positive, real_array, rising, shape, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.reference.integrating_factor import runge_kutta_step
from sciml.reference.periodic_fourier import random_field
from sciml.reference.time_steps import equal_steps

MODES = 7  # of a random vorticity along each axis; at the length 0.8 those left out have 1e-5 of the variance
LEAST_POINTS = 2 * MODES + 1
GROWTH = 1.001  # of the enstrophy by rounding and time steps; the exact system has none
MEAN = 1e-10  # of the vorticity relative to its largest value, which counts as zero


def random_vorticity(points: int, random: np.random.Generator, length: float = 0.8) -> np.ndarray:
    """Return a Gaussian random field with the covariance of a periodic kernel, of mean zero and mean square one.

    The covariance is exp(-2 (sin^2(pi dx) + sin^2(pi dy)) / l^2) up to a factor, cut off at seven Fourier modes along
    each axis. One seed gives one function at every resolution.

    Parameters
    ----------
    points : n, values along each axis, at least 15
    random : draws the coefficients
    length : l of the kernel, from 0.3 to 10

    Returns
    -------
    ndarray
        (n, n).
    """
    whole_number("the number of points of a random vorticity", points, at_least=LEAST_POINTS)
    concentration = 1.0 / number("the length of a random vorticity", length, at_least=0.3, at_most=10) ** 2

    def divisors(waves: Sequence[np.ndarray]) -> np.ndarray:
        # exp(a cos x) has the Fourier coefficients I_k(a), the modified Bessel functions
        variances = np.prod([ive(np.abs(k), concentration) for k in waves], axis=0)
        return 1.0 / np.sqrt(np.maximum(variances, np.finfo(float).tiny))

    return random_field((points, points), random, MODES, divisors)


def vorticity_flow(initial: np.ndarray, viscosity: float, times: Sequence[float], time_step: float) -> np.ndarray:
    """Solve for the vorticity at several times.

    Parameters
    ----------
    initial : (..., n, n) at t = 0, of mean zero; Fourier modes from n / 3 on are left out
    viscosity : nu >= 0
    times : (steps,) rising from 0 or later
    time_step : longest step; max|u| time_step n must be at most about 1

    Returns
    -------
    ndarray
        (steps, ..., n, n).

    Raises
    ------
    InputError
        If a shape or a number is wrong, or the mean is not zero.
    DivergenceError
        If the time step is too long.
    """
    initial, count = _square("the vorticity", initial)
    number("the viscosity", viscosity, at_least=0)
    positive("the time step", time_step)
    times = rising("the times of the vorticity", times, at_least=0)
    largest, mean = float(np.abs(initial).max(initial=0.0)), float(np.abs(initial.mean((-2, -1))).max(initial=0.0))
    if mean > MEAN * largest:
        raise InputError(
            f"the mean of the vorticity is {mean:g}, expected 0, as that of a periodic flow is; subtract it."
        )
    system = _Galerkin(count, viscosity)
    modes, now, kept = system.kept * rfft2(initial), 0.0, []
    most = GROWTH * system.enstrophy(modes)
    for target in times:
        steps = equal_steps(target - now, time_step)
        with np.errstate(over="ignore", invalid="ignore"):  # the sentence below answers
            for _ in range(steps):
                modes = runge_kutta_step(modes, system.convection, system.decay, (target - now) / steps)
            stable = np.all(system.enstrophy(modes) <= most)  # not so if it is infinite or not a number
        if not stable:
            raise DivergenceError(
                f"the enstrophy grew before t = {target:g}, as in no flow; take a time step below {time_step:g}, so "
                "that max|u| time_step n is at most about 1."
            )
        now = target
        kept.append(irfft2(modes, (count, count)))
    return np.stack(kept)


def velocity(vorticity: np.ndarray) -> np.ndarray:
    """Return the velocity of mean zero that has a vorticity.

    Parameters
    ----------
    vorticity : (..., n, n), of mean zero

    Returns
    -------
    ndarray
        (..., n, n, 2).
    """
    vorticity, count = _square("the vorticity", vorticity)
    system = _Galerkin(count, 0.0)
    along, across = system.velocity_modes(rfft2(vorticity) * system.centred)
    return np.stack([irfft2(part, vorticity.shape[-2:]) for part in (along, across)], axis=-1)


def unresolved_share(vorticity: np.ndarray) -> np.ndarray:
    """Return the share of the enstrophy in modes above three quarters of the largest wave number that is computed.

    Small where the series resolves the flow; a percent means that it does not, and that it is not a reference.

    Parameters
    ----------
    vorticity : (..., n, n)

    Returns
    -------
    ndarray
        (...).
    """
    vorticity, count = _square("the vorticity", vorticity)
    system = _Galerkin(count, 0.0)
    largest = np.abs(vorticity).max((-2, -1), keepdims=True, initial=0.0)
    modes = rfft2(vorticity / np.where(largest > 0.0, largest, 1.0))  # whose squares do not overflow
    high = np.maximum(np.abs(system.rows), system.columns) > 0.75 * 2.0 * np.pi * (vorticity.shape[-1] / 3.0)
    return system.enstrophy(modes * high) / np.maximum(system.enstrophy(modes), np.finfo(float).tiny)


def _square(name: str, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return finite real values (..., n, n), and n, at least 4."""
    values = real_array(name, values, shape=(..., "n", "n"))
    count = whole_number(f"the number of points of {name} along an axis", values.shape[-1], at_least=4)
    return shape(name, values, (..., count, count)), count


class _Galerkin:
    """The system of ordinary differential equations for the Fourier coefficients of the vorticity."""

    def __init__(self, count: int, viscosity: float) -> None:
        self.count = count
        waves = np.fft.fftfreq(count, 1.0 / count)
        # the Nyquist mode of an even n has no direction; the two-thirds rule leaves it out in any case
        self.rows, self.columns = 2.0 * np.pi * waves[:, None], 2.0 * np.pi * np.arange(count // 2 + 1)
        squares = self.rows**2 + self.columns**2
        self.decay = -viscosity * squares
        self.inverse = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0.0)
        largest = np.maximum(np.abs(self.rows), self.columns) / (2.0 * np.pi)
        self.centred = (squares > 0.0) & (largest < count / 2.0)
        self.kept = self.centred & (largest < count / 3.0)
        # how many of the n modes along y each entry of a real transform stands for
        self.multiplicity = np.where((np.arange(count // 2 + 1) % (count / 2.0)) == 0.0, 1.0, 2.0)

    def enstrophy(self, modes: np.ndarray) -> np.ndarray:
        """Return the sum of the squares of all n^2 coefficients, (...)."""
        return (np.abs(modes) ** 2 * self.multiplicity).sum((-2, -1))

    def velocity_modes(self, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients of u and v."""
        stream = self.inverse * modes
        return 1j * self.columns * stream, -1j * self.rows * stream

    def convection(self, modes: np.ndarray) -> np.ndarray:
        """Return the coefficients of -u omega_x - v omega_y."""
        along, across = self.velocity_modes(modes)
        place = (self.count, self.count)
        product = irfft2(along, place) * irfft2(1j * self.rows * modes, place)
        product += irfft2(across, place) * irfft2(1j * self.columns * modes, place)
        return self.kept * rfft2(-product)
