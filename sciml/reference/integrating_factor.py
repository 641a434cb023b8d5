r"""Time steps of fourth order for equations whose linear part is diagonal and stiff.

For w' = \Lambda w + c(w) with a diagonal \Lambda, the classical Runge-Kutta method is applied to exp(-\Lambda t) w: the
linear part, diffusion in Fourier space, is exact at any step.

Reference: Canuto, Hussaini, Quarteroni and Zang, Spectral Methods: Fundamentals in Single Domains, 2006, section D.5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def runge_kutta_step(
    state: np.ndarray, change: Callable[[np.ndarray], np.ndarray], decay: np.ndarray, step: float
) -> np.ndarray:
    r"""Return the state one step later.

    Parameters
    ----------
    state : w, of any shape, real or complex
    change : c
    decay : the diagonal of \Lambda, of the shape of w or one that broadcasts to it
    step : length of the step
    """
    half = np.exp(decay * step / 2)
    first = change(state)
    second = change(half * (state + step / 2 * first))
    third = change(half * state + step / 2 * second)
    fourth = change(half**2 * state + step * half * third)
    return half**2 * (state + step / 6 * first) + step / 6 * (2 * half * (second + third) + fourth)
