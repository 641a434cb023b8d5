"""Progress on standard error: how it is worded, what a log receives, and that nothing is left of unfinished work."""

from __future__ import annotations

import io
import itertools
import time
from contextlib import redirect_stderr

import pytest

from sciml.cli import display
from sciml.cli.progress import ProgressLine, ResidualLine, TrainingBar, duration


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time that all displays read."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def log(monkeypatch) -> io.StringIO:
    """Standard error that is no terminal."""
    monkeypatch.delenv(display.VARIABLE)
    return io.StringIO()


@pytest.fixture
def terminal(monkeypatch) -> io.StringIO:
    """Standard error that is a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


def test_a_log_gets_a_line_after_twenty_seconds_and_then_after_twice_the_time_each(log, clock):
    begin, written = clock[0], []
    with redirect_stderr(log), ProgressLine("box2d") as line:
        for number in range(100_000):
            clock[0] = begin + 0.1 * number
            before = len(log.getvalue())
            line.stage("evaluating", number / 100_000)
            if len(log.getvalue()) > before:
                written.append(clock[0] - begin)
    waits = [later - earlier for earlier, later in itertools.pairwise([0.0, *written])]
    assert waits[:7] == pytest.approx([20, 20, 40, 80, 160, 320, 600], abs=0.3)
    assert waits[7:] == pytest.approx([600] * (len(waits) - 7), abs=0.3) and len(waits) > 15
    first = log.getvalue().splitlines()[0]
    assert first.startswith("box2d  evaluating, 0%, 2 h 46 min left"), first


def test_a_log_can_be_spared_and_short_work_leaves_nothing(log, clock, monkeypatch):
    with redirect_stderr(log), ProgressLine("short") as line:
        line.stage("evaluating")
    monkeypatch.setenv(display.VARIABLE, "off")
    with redirect_stderr(log), ProgressLine("long") as line:
        clock[0] += 1e6
        line.stage("evaluating")
    assert log.getvalue() == ""


def test_a_slow_solve_says_from_its_second_iteration_on_how_long_it_will_take(terminal, clock):
    with redirect_stderr(terminal), ResidualLine("dcdm", rtol=1e-6) as line:
        for iteration in range(1, 7):
            clock[0] += 10.0  # each reduces the residual tenfold
            line(iteration, 10.0**-iteration)
    said = terminal.getvalue()
    assert "iteration 1  relative residual 1.00e-01" in said
    assert "iteration 2  relative residual 1.00e-02  about 40 s left" in said
    assert "iteration 4  relative residual 1.00e-04  about 20 s left" in said
    assert "iteration 6  relative residual 1.00e-06" in said and " 0 s left" not in said


def test_a_quick_solve_and_one_without_progress_claim_nothing(terminal, clock):
    with redirect_stderr(terminal), ResidualLine("cg", rtol=1e-6) as line:
        for iteration in range(1, 200):
            clock[0] += 0.01
            line(iteration, 0.9**iteration)
        for iteration in range(200, 300):
            clock[0] += 100.0
            line(iteration, 1.0)
    lines = terminal.getvalue().split("iteration")
    assert not [text for text in lines if "left" in text and "e+00" in text]
    assert "left" not in "".join(lines[:100])


def test_the_stages_after_the_last_epoch_have_their_own_time_left(terminal, clock):
    with redirect_stderr(terminal), TrainingBar("step", then="fields and figures") as bar:
        bar(39.5, 40, {"loss/error": 0.1}, 0.2)
        bar(40, 40, {"loss/error": 0.1}, None)
        for number in range(10):
            clock[0] += 3.0
            bar.stage("writing fields", number / 10)
        bar.stage("drawing figures")
    said = terminal.getvalue()
    assert "step 40/40  error 0.1  under 1 s left, then fields and figures" in said
    assert "writing fields, 10%, 27 s left" in said and "writing fields, 90%, 3 s left" in said
    assert "drawing figures" in said and " 0 s left" not in said


@pytest.mark.parametrize("seconds", [0.0, 0.4, 0.99, 1.0, 59.4, 59.6, 61.0, 3599.0, 1e6])
def test_a_duration_is_never_zero_and_never_sixty_of_a_unit(seconds):
    words = duration(seconds)
    assert not words.startswith("0 ") and not words.startswith("60 ")
