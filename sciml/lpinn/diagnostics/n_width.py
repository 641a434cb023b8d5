r"""Measures of the compressibility of a history of snapshots: the Kolmogorov n-width, and the bandwidth in time.

The first is the number of modes in space that a linear basis needs, the second how fast they change. Both can grow
with the speed of a wave, and either can do so alone: sin(x - c t) has two modes for every c, and the bandwidth
c / (2 \pi).

References: Pinkus, n-Widths in Approximation Theory, 1985 (in L2, the width of a set of snapshots is the next singular
value); Mojgani, Balajewicz and Hassanzadeh, Comput. Methods Appl. Mech. Eng. 404 (2023) 115810 (n-width and networks).
"""

from __future__ import annotations

import numpy as np

from sciml.checks import number, positive, whole_number
from sciml.errors import InputError


def singular_values(snapshots: np.ndarray) -> np.ndarray:
    """Return the singular values, falling, of a history of snapshots.

    Parameters
    ----------
    snapshots : (steps, ...), the values of one time in each row

    Raises
    ------
    InputError
        If there are no snapshots, or a value is not finite.
    """
    return np.linalg.svd(_history(snapshots), compute_uv=False)


def n_width(snapshots: np.ndarray, tolerance: float = 1e-6) -> int:
    r"""Return the least number n of modes whose best linear combinations miss a share of less than ``tolerance``.

    \sqrt{\sum_{k > n} s_k^2 / \sum_k s_k^2} < tolerance with singular values s_1 >= s_2 >= ...; 0 for a zero history.

    Parameters
    ----------
    snapshots : (steps, ...)
    tolerance : in (0, 1); the share of the norm over all of space and time. Rounding is about 1e-15

    Raises
    ------
    InputError
        If the tolerance is out of its range, or a value is not finite.
    """
    number("the tolerance of an n-width", tolerance, above=0, below=1)
    values = singular_values(snapshots)
    if not values[0] > 0.0:
        return 0
    missed = np.sqrt(np.cumsum((values / values[0])[::-1] ** 2))[::-1]  # by the first 0, 1, 2, ... modes
    return int(np.count_nonzero(missed >= tolerance * missed[0]))


def temporal_bandwidth(snapshots: np.ndarray, time_step: float, share: float = 0.999) -> float:
    r"""Return the frequency below which a share of the energy of the changes in time lies, in cycles per unit of time.

    What does not change is left out: the mean in time is subtracted at each point. Hann's window keeps a history that
    is not periodic from leaking into high frequencies; it widens each line by one or two of the steps of the result,
    1 / (steps time_step). Frequencies above 1 / (2 time_step) appear as lower ones: sample at least twice per cycle.

    Parameters
    ----------
    snapshots : (steps, ...), equally spaced in time
    time_step : between them, > 0
    share : of the energy, in (0, 1)

    Returns
    -------
    float
        Zero for a history that does not change.

    Raises
    ------
    InputError
        If there are fewer than four snapshots, or a number is out of its range.
    """
    history = _history(snapshots)
    steps = len(history)
    whole_number("the number of snapshots of a bandwidth", steps, at_least=4)
    positive("the time step of a bandwidth", time_step)
    number("the share of a bandwidth", share, above=0, below=1)
    window = np.sin(np.pi * (np.arange(steps) + 0.5) / steps)[:, None] ** 2
    changes = history - (window * history).sum(0) / window.sum()
    size = np.abs(changes).max(initial=0.0)
    if not size > 1e-14 * np.abs(history).max(initial=0.0):
        return 0.0
    energy = (np.abs(np.fft.rfft(window * (changes / size), axis=0)) ** 2).sum(1)
    both = np.r_[energy[0], 2.0 * energy[1:]]
    if steps % 2 == 0:
        both[-1] /= 2.0  # the highest frequency has no twin
    reached = np.cumsum(both) >= share * both.sum()
    return float(np.argmax(reached) / (steps * time_step))


def _history(snapshots: np.ndarray) -> np.ndarray:
    history = np.asarray(snapshots, float)
    if history.ndim < 1 or history.size == 0 or not np.all(np.isfinite(history)):
        raise InputError(f"a history needs finite snapshots (steps, ...), got shape {history.shape}.")
    return history.reshape(len(history), -1)
