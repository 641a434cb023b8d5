"""Modes and bandwidth of histories: exact ranks, the table of travelling waves, frequencies that are known."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.lpinn.diagnostics.n_width import n_width, singular_values, temporal_bandwidth

X = np.linspace(0, 2 * np.pi, 256, endpoint=False)
T = np.linspace(0, 1, 101)[:, None]
SPEEDS = (1.0, 10.0, 30.0, 50.0, 100.0)


def bump(x: np.ndarray) -> np.ndarray:
    """A Gaussian of width 0.3 on the circle."""
    return np.exp(-((((x + np.pi) % (2 * np.pi) - np.pi) / 0.3) ** 2))


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_travelling_sine_has_two_modes_at_every_speed(speed: float) -> None:
    assert n_width(np.sin(X - speed * T)) == 2


@pytest.mark.parametrize(("speed", "modes"), list(zip(SPEEDS, (13, 48, 45, 48, 47), strict=True)))
def test_a_travelling_bump_has_many_modes(speed: float, modes: int) -> None:
    assert abs(n_width(bump(X - speed * T)) - modes) <= 1


@pytest.mark.parametrize("speed", SPEEDS)
def test_on_characteristics_the_state_has_one_mode_and_the_position_two(speed: float) -> None:
    assert n_width(bump(X) + 0 * T) == 1
    assert n_width(X + speed * T) == 2


@pytest.mark.parametrize("speed", [10.0, 30.0, 50.0, 100.0])
def test_the_bandwidth_of_a_travelling_sine_grows_with_its_speed(speed: float) -> None:
    """What its number of modes does not show."""
    assert abs(temporal_bandwidth(np.sin(X - speed * T), 0.01) - speed / (2 * np.pi)) <= 2.0


@pytest.mark.parametrize("speed", SPEEDS)
def test_on_characteristics_the_bandwidth_does_not_grow(speed: float) -> None:
    assert temporal_bandwidth(bump(X) + 0 * T, 0.01) == 0.0
    assert temporal_bandwidth(X + speed * T, 0.01) <= 3.0


def test_the_rank_of_a_product_is_found() -> None:
    random = np.random.default_rng(0)
    history = random.standard_normal((40, 5)) @ random.standard_normal((5, 6 * 7))
    assert n_width(history.reshape(40, 6, 7)) == n_width(history.T) == 5
    assert np.sum(singular_values(history) ** 2) == pytest.approx(np.sum(history**2))


def test_the_tolerance_is_the_share_that_is_missed() -> None:
    """Of orthogonal modes with norms 1, 0.1, 0.01."""
    history = np.diag([1.0, 0.1, 0.01])
    assert [n_width(history, tolerance) for tolerance in (0.2, 0.05, 0.005)] == [1, 2, 3]
    assert n_width(1e-200 * history, 0.05) == 2
    assert n_width(np.zeros((3, 4))) == 0 and n_width(np.ones((3, 4))) == 1


def test_the_bandwidth_holds_the_share_of_two_waves() -> None:
    """Whole cycles of 5 and 20 per unit of time with energies 9 to 1; the window widens each by one line."""
    t = np.arange(400) / 100
    history = (3 * np.sin(2 * np.pi * 5 * t) + np.sin(2 * np.pi * 20 * t + 1.0))[:, None]
    assert temporal_bandwidth(history, 0.01, 0.8) == pytest.approx(5.0, abs=0.26)
    assert temporal_bandwidth(history, 0.01, 0.999) == pytest.approx(20.25, abs=0.01)
    assert temporal_bandwidth(history + 1e6, 0.01, 0.999) == pytest.approx(20.25, abs=0.01)


def test_units_of_time_and_of_values_scale_out() -> None:
    history = bump(X - 10 * T)
    assert temporal_bandwidth(1e-180 * history, 0.01) == temporal_bandwidth(history, 0.01)
    assert temporal_bandwidth(history, 1.0) == pytest.approx(temporal_bandwidth(history, 0.01) / 100)


def test_what_makes_no_sense_is_refused() -> None:
    for history in (np.zeros((0, 3)), np.array(1.0), np.array([[1.0, np.nan]])):
        with pytest.raises(InputError):
            n_width(history)
    for tolerance in (0.0, 1.0):
        with pytest.raises(InputError):
            n_width(np.ones((3, 3)), tolerance)
    for arguments in ((np.ones((3, 5)), 0.1), (np.ones((5, 5)), 0.0), (np.ones((5, 5)), 0.1, 1.0)):
        with pytest.raises(InputError):
            temporal_bandwidth(*arguments)
