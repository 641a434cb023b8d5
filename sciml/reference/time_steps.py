"""The number of equal steps between two times."""

from __future__ import annotations

import math

from sciml.errors import InputError

MOST_STEPS = 10**7  # between two times: more take hours even where a step is short
ROUNDING = 1e-9  # of a step, by which the longest one may be exceeded


def equal_steps(duration: float, longest: float) -> int:
    """Return how many equal steps of at most a given length lead through a duration; none where it is 0.

    Parameters
    ----------
    duration : at least 0
    longest : length of a step, at least 0; infinite for a single step

    Raises
    ------
    InputError
        If there were more than ten millions.

    Examples
    --------
    >>> equal_steps(1.0, 0.3), equal_steps(0.9, 0.3), equal_steps(0.0, 0.3)
    (4, 3, 0)
    """
    if not duration > 0:
        return 0
    steps = duration / longest - ROUNDING if longest > 0 else math.inf
    if not steps <= MOST_STEPS:
        raise InputError(
            f"a time of {duration:g} takes {steps:.1e} steps of at most {longest:g}, expected at most "
            f"{MOST_STEPS:.0e}; take a shorter time, or a coarser grid, which allows longer steps."
        )
    return max(math.ceil(steps), 1)
