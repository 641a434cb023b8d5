"""The largest sample that a generator makes."""

from __future__ import annotations

import math

from sciml.errors import InputError

MOST_VALUES = 2**31  # of one field in all: 16 GiB in double precision


def check_sample_size(**counts: int) -> None:
    """Refuse samples that no computer would hold, before anything of their size is made.

    Parameters
    ----------
    counts : factors of the number of values of a field, by the name of the option that they come from

    Examples
    --------
    >>> check_sample_size(size=10**6, steps=10**6)
    Traceback (most recent call last):
    sciml.errors.InputError: a sample has 1e+12 values, expected at most 2e+09; take a smaller size or steps.
    """
    values = math.prod(counts.values())
    if values > MOST_VALUES:
        raise InputError(
            f"a sample has {min(values, 10**300):.0e} values, expected at most {MOST_VALUES:.0e}; take a smaller "
            f"{' or '.join(counts)}."
        )
