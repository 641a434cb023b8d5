"""Times at which solvers of this package are asked for u."""

from __future__ import annotations

import numpy as np

from sciml.errors import InputError


def check_rising(times: np.ndarray, method: str) -> None:
    """Refuse times that fall, are below 0, or not finite.

    Parameters
    ----------
    times : (steps,)
    method : for the sentence

    Raises
    ------
    InputError
        If they are anything else than one rising axis.
    """
    times = np.asarray(times, float)
    if times.ndim != 1 or not len(times) or not np.all(np.isfinite(times)) or np.diff(times, prepend=0.0).min() < 0.0:
        raise InputError(f"the times of {method} must be one rising axis of finite numbers >= 0.")
