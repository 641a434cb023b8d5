r"""Records over a homogeneous medium, exactly: the waves of point sources and of their images above a free surface.

    p(r, t) = h^2 / (2 \pi) \int_0^\infty s(t - (r / v) \cosh u) du

solves p_tt = v^2 (Laplacian p + h^2 s \delta), where h^2 is the area of the cell into which a source is put.

Reference: Morse and Feshbach, Methods of Theoretical Physics (1953), section 7.3 (Green's function in the plane).
"""

from __future__ import annotations

from collections.abc import Callable
from math import acosh, pi

import numpy as np

from sciml.checks import positive
from sciml.errors import InputError
from sciml.reference.waves.acquisition import Acquisition

POINTS = 2000  # of the sum over u


def homogeneous_records(acquisition: Acquisition, velocity: float) -> np.ndarray:
    """Return the records (shots, steps, receivers) of a medium of one velocity, to about six digits.

    Parameters
    ----------
    acquisition : what is shot and recorded; between its samples the wavelet is a cubic spline
    velocity : in m/s

    Raises
    ------
    InputError
        If a receiver lies at its source, where the pressure is infinite.
    """
    from scipy.interpolate import CubicSpline

    positive("the velocity of a homogeneous medium", velocity)
    # A sample is the field one step after the value of the wavelet of the same number.
    times = acquisition.time_step * np.arange(acquisition.steps + 1)
    pulse = CubicSpline(times[:-1], acquisition.wavelet) if acquisition.steps > 1 else np.zeros_like
    records = np.zeros(acquisition.record_shape)
    for shot, source in enumerate(acquisition.sources):
        for number, receiver in enumerate(acquisition.receivers_by_shot[shot]):
            records[shot, :, number] = _wave(np.hypot(*(receiver - source)) / velocity, times, pulse)
            if acquisition.free_surface:
                image = np.hypot(*(receiver - source * (-1.0, 1.0)))
                records[shot, :, number] -= _wave(image / velocity, times, pulse)
    return acquisition.spacing**2 / (2.0 * pi) * records


def _wave(delay: float, times: np.ndarray, pulse: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the integral at the times after the first one."""
    if delay == 0.0:
        raise InputError("a receiver lies at its source, where the pressure is infinite; move one of them.")
    if delay >= times[-1]:
        return np.zeros(len(times) - 1)
    u, step = np.linspace(0.0, acosh(times[-1] / delay), POINTS, retstep=True)
    past = times[1:, None] - delay * np.cosh(u)
    values = np.where(past >= 0.0, pulse(np.maximum(past, 0.0)), 0.0)
    return step * (values.sum(1) - 0.5 * values[:, 0])
