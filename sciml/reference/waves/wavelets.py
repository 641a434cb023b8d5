"""The wavelets that sources send out, sampled in time."""

from __future__ import annotations

from math import pi

import numpy as np

from sciml.checks import positive, whole_number

MOST_STEPS = 10_000_000


def ricker(frequency: float, time_step: float, steps: int) -> np.ndarray:
    r"""Return the Ricker wavelet of OpenFWI, (steps,): (1 - 2 a^2) e^{-a^2}, a = \pi f (t - t_0).

    Its peak, 1, is in the middle of 2 floor(1.1 / (f dt)) + 1 samples, behind which it is zero.

    Parameters
    ----------
    frequency : f > 0, of the peak of the spectrum, in hertz
    time_step : dt > 0, in seconds
    steps : number of samples
    """
    positive("the frequency of a wavelet", frequency)
    positive("the time step of a wavelet", time_step)
    whole_number("the number of time steps of a wavelet", steps, at_least=1, at_most=MOST_STEPS)
    half = int(min(1.1 / (frequency * time_step), MOST_STEPS))
    values = np.zeros(steps)
    count = min(2 * half + 1, steps)
    squares = ((np.arange(count) - half) * (frequency * time_step * pi)) ** 2
    values[:count] = (1.0 - 2.0 * squares) * np.exp(-squares)
    return values
