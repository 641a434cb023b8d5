"""The number of equal steps between two times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.reference.time_steps import equal_steps


@given(duration=st.floats(1e-6, 1e3), longest=st.floats(1e-3, 1e6))
def test_steps_are_as_few_as_the_longest_one_allows(duration: float, longest: float) -> None:
    steps = equal_steps(duration, longest)
    assert steps >= 1
    assert duration / steps <= longest * (1 + 1e-8)
    assert steps == 1 or duration / (steps - 1) > longest


def test_no_time_takes_no_steps_and_steps_without_end_are_refused() -> None:
    assert equal_steps(0.0, 0.1) == 0
    assert equal_steps(1e300, math.inf) == 1
    for duration, longest in ((1e300, 0.1), (1.0, 1e-300), (1.0, 0.0), (math.inf, 1.0)):
        with pytest.raises(InputError, match="expected at most 1e"):
            equal_steps(duration, longest)
