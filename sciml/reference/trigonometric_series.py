r"""Periodic functions of one variable as trigonometric series, with their slopes and antiderivatives.

They are the initial conditions of exact solutions on periodic domains. Arguments are numpy arrays or torch tensors; the
result is of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import pi

import numpy as np

from sciml.checks import finite, positive, shape, whole_number
from sciml.reference.arrays import Array, array_module


@dataclass(frozen=True)
class TrigonometricSeries:
    r"""The function u(x) = m + \sum_{k = 1}^K a_k cos(k w x) + b_k sin(k w x) with w = 2 \pi / L.

    Parameters
    ----------
    mean : m
    cosines, sines : a_1, a_2, ... and b_1, b_2, ...; what the shorter one lacks is zero
    period : L > 0

    Raises
    ------
    InputError
        If a number is not finite, or the period is not positive.

    Examples
    --------
    >>> float(TrigonometricSeries(mean=0.5, sines=(1.0,))(np.array(np.pi / 2)))
    1.5
    """

    mean: float = 0.0
    cosines: Sequence[float] = ()
    sines: Sequence[float] = ()
    period: float = 2.0 * pi

    def __post_init__(self) -> None:
        positive("the period of a trigonometric series", self.period)
        finite("the coefficients of a trigonometric series", [self.mean, *self.cosines, *self.sines])

    @classmethod
    def interpolating(
        cls, function: Callable[[np.ndarray], np.ndarray], period: float, modes: int
    ) -> TrigonometricSeries:
        """Return the series of ``modes`` Fourier modes that interpolates a periodic function at 2 ``modes`` + 1 nodes.

        For a periodic analytic function its error falls exponentially with the number of Fourier modes.

        Parameters
        ----------
        function : maps (n,) to (n,)
        period : L
        modes : K >= 1

        Raises
        ------
        InputError
            If ``modes`` is not positive or the function does not return one finite number per point.
        """
        count = 2 * whole_number("the number of Fourier modes", modes, at_least=1) + 1
        values = np.asarray(function(period * np.arange(count) / count), float)
        finite("the function", shape("the values of the function", values, (count,)))
        spectrum = np.fft.rfft(values) / count
        return cls(float(spectrum[0].real), tuple(2.0 * spectrum[1:].real), tuple(-2.0 * spectrum[1:].imag), period)

    def __call__(self, x: Array) -> Array:
        """Return the values u(x) of the series."""
        return self.mean + self._sum(x, 0)

    def slope(self, x: Array) -> Array:
        """Return the first derivative du/dx."""
        return self._sum(x, 1)

    def curvature(self, x: Array) -> Array:
        """Return the second derivative d^2u/dx^2."""
        return self._sum(x, 2)

    def antiderivative(self, x: Array) -> Array:
        """Return U(x) with dU/dx = u, the mean of U(x) - m x being zero; U(x + L) = U(x) + m L."""
        return self.mean * x + self._sum(x, -1)

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """The least and the largest value of u."""
        nodes = self.period * np.linspace(0.0, 1.0, 32 * (len(self._coefficients) + 1), endpoint=False)
        values, found = self(nodes), []
        for sign in (1.0, -1.0):
            x = nodes[np.argmin(sign * values)]
            best = sign * np.min(sign * values)
            for _ in range(4):  # Newton's method for u' = 0, from a point that is close to the extreme
                bend = self.curvature(x)
                x = x - (self.slope(x) / bend if bend != 0.0 else 0.0)
                best = sign * min(sign * best, sign * self(x))
            found.append(float(best))
        return found[0], found[1]

    @cached_property
    def _coefficients(self) -> np.ndarray:
        """a_k - i b_k, so that u - m is the real part of the sum of these times exp(i k w x)."""
        both = np.zeros(max(len(self.cosines), len(self.sines)), complex)
        both[: len(self.cosines)] += self.cosines
        both[: len(self.sines)] -= 1j * np.asarray(self.sines, float)
        return both

    def _sum(self, x: Array, derivative: int) -> Array:
        """Return the fluctuation, differentiated, by Horner's scheme in real arithmetic."""
        frequency = 2.0 * pi / self.period
        terms = self._coefficients * (1j * frequency * np.arange(1, len(self._coefficients) + 1)) ** derivative
        if not len(terms):
            return 0.0 * x
        xp = array_module(x)
        cosine, sine = xp.cos(frequency * x), xp.sin(frequency * x)
        real, imaginary = float(terms[-1].real), float(terms[-1].imag)  # numbers as long as that suffices: most series
        for coefficient in terms[-2::-1]:  # have one term
            real, imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine
            real, imaginary = real + float(coefficient.real), imaginary + float(coefficient.imag)
        return real * cosine - imaginary * sine
