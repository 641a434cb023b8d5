"""The time that is left: exact for even work, without its slow start, and near the truth where the pace changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.pace import LONGEST, Pace


def estimates(times: list[float]) -> list[float | None]:
    """What is said after each of some equal steps, which end at these times [s]."""
    pace, said = Pace(len(times)), []
    for done, now in enumerate(times, start=1):
        pace.note(done, now)
        said.append(pace.seconds_left(now))
    return said


@given(st.floats(1e-3, 1e3), st.floats(0, 1e4), st.integers(3, 300))
def test_even_steps_are_estimated_exactly_however_long_the_first_one_took(step, first, count):
    said = estimates([first + step * number for number in range(count)])
    assert said[0] is None
    for number, left in enumerate(said[1:], start=2):
        assert left is None or left == pytest.approx(step * (count - number), rel=1e-6, abs=1e-6)
    if step >= 1:
        assert None not in said[1:] and said[-1] == 0.0


def test_after_a_change_of_pace_the_estimate_follows_the_recent_work():
    times = [10.0 * number for number in range(1, 51)] + [500.0 + number for number in range(1, 501)]
    said = estimates(times)
    assert said[40] == pytest.approx(10 * (550 - 41))
    assert said[400] == pytest.approx(550 - 401, rel=1e-9), "the first 50 steps, ten times slower, are forgotten"


def test_while_nothing_is_done_the_estimate_grows_and_then_nothing_is_claimed():
    pace = Pace(10)
    for done in range(5):
        pace.note(done, float(done))
    waited = [pace.seconds_left(4.0 + wait) for wait in (0.0, 1.0, 2.0)]
    assert waited[0] == 6.0 and waited == sorted(waited)
    assert pace.seconds_left(4.0 + 2 * LONGEST) is None


def test_work_that_is_undone_counts_as_nothing():
    pace = Pace(1.0)
    for done, now in ((0.0, 0.0), (0.5, 10.0), (0.25, 11.0)):
        pace.note(done, now)
    assert pace.seconds_left(11.0) == pytest.approx(11.0)
