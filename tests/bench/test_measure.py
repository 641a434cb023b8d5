"""Methods take fair turns, and clocks and memory are read before and after."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.bench import measure
from sciml.bench.measure import cpu_timed, extra_memory, interleave, medians_of_turns, timed

MEBIBYTE = 2**20


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 7), min_size=1))
def test_at_any_moment_every_solver_has_had_its_share_of_the_turns(repetitions: dict[str, int]) -> None:
    order = interleave(repetitions)
    assert {name: order.count(name) for name in repetitions} == repetitions
    for moment in range(len(order)):
        shares = {name: order[:moment].count(name) / count for name, count in repetitions.items()}
        for name, count in repetitions.items():
            for other, others in repetitions.items():
                assert abs(shares[name] - shares[other]) <= 0.5 / count + 0.5 / others + 1e-12


def test_solvers_with_equal_turns_alternate() -> None:
    assert interleave({"a": 2, "b": 2}) == ["a", "b", "a", "b"]


def test_wall_time_and_cpu_time_are_read_from_clocks_of_their_own(monkeypatch) -> None:
    clocks = {"perf_counter": iter([10.0, 13.5]), "process_time": iter([2.0, 2.5])}
    for name, moments in clocks.items():
        monkeypatch.setattr(measure.time, name, moments.__next__)
    assert timed(lambda: 7) == (7, 3.5, 0.5)


def test_medians_of_turns_are_those_of_each_function(monkeypatch) -> None:
    clock = iter(np.cumsum([0, 1, 0, 20, 0, 2, 0, 10, 0, 9, 0, 30]).tolist())  # the turns take 1, 20, 2, 10, 9, 30
    monkeypatch.setattr(measure.time, "process_time", clock.__next__)
    assert medians_of_turns({"a": lambda: None, "b": lambda: None}, 3) == {"a": 2, "b": 20}


def test_cpu_time_is_that_of_this_process() -> None:
    before = time.process_time()
    value, seconds = cpu_timed(lambda: 7)
    assert value == 7 and 0 <= seconds <= time.process_time() - before


def test_the_peak_counts_what_was_freed_again_but_nothing_from_before() -> None:
    def takes(mebibytes: int):
        return lambda: np.ones(mebibytes * MEBIBYTE, np.uint8).sum()

    takes(200)()
    assert extra_memory(takes(100))["extra_bytes"] / MEBIBYTE == pytest.approx(100, abs=15)
