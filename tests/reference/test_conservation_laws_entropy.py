"""Entropy solutions: characteristics before the shock, least action after it, jump and entropy conditions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from sciml.errors import InputError
from sciml.reference.burgers_cole_hopf import periodic_burgers
from sciml.reference.conservation_laws_entropy import (
    BURGERS,
    Characteristics,
    ConservationLaw,
    Flux,
    least_action_labels,
)
from sciml.reference.trigonometric_series import TrigonometricSeries

SINE = ConservationLaw(TrigonometricSeries(0.5, sines=(1.0,)))
WAVY = ConservationLaw(TrigonometricSeries(0.5, cosines=(0.0, 0.3), sines=(1.0,)))
EXPONENTIAL = ConservationLaw(TrigonometricSeries(0.2, cosines=(0.1, 0.4, 0.5), sines=(0.7,)), Flux(*(np.exp,) * 3))
LAWS = {"sine": SINE, "wavy": WAVY, "exponential": EXPONENTIAL}
each_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
X = np.linspace(0, 2 * np.pi, 1001)


@each_law
def test_before_the_crossing_characteristics_carry_the_start(law: ConservationLaw) -> None:
    time = 0.98 * law.first_crossing
    arrived = X + time * law.flux.slope(law.initial(X))
    assert np.abs(law.solution(arrived, time) - law.initial(X)).max() < 1e-12
    assert not len(law.shocks(time).positions)


@each_law
def test_after_the_crossing_there_is_a_shock(law: ConservationLaw) -> None:
    assert len(law.shocks(1.05 * law.first_crossing).positions) >= 1


def test_the_first_crossing_is_that_of_the_steepest_descent() -> None:
    assert SINE.first_crossing == pytest.approx(1.0, rel=1e-14)
    steepest = np.min(np.exp(EXPONENTIAL.initial(X)) * EXPONENTIAL.initial.slope(X))
    assert EXPONENTIAL.first_crossing == pytest.approx(-1 / steepest, rel=1e-4)
    assert ConservationLaw(TrigonometricSeries(3.0)).first_crossing == np.inf


def test_the_solution_equals_the_least_action_over_all_labels() -> None:
    """Brute force: Lax's minimum of U(y) + (x - y)^2 / (2 t) over a fine grid of labels y."""
    time, labels = 2.0, np.linspace(-4 * np.pi, 4 * np.pi, 200001)
    points = X[::25] + 1e-3
    actions = WAVY.initial.antiderivative(labels) + (points[:, None] - labels) ** 2 / (2 * time)
    assert np.abs(WAVY.initial(labels[actions.argmin(1)]) - WAVY.solution(points, time)).max() < 2e-4
    assert np.abs(actions.min(1) - WAVY.potential(points, time)).max() < 1e-8


@pytest.mark.parametrize("mean", [0.0, 0.5, 50.0])
def test_the_shock_of_a_sine_travels_with_its_mean(mean: float) -> None:
    law, time = ConservationLaw(TrigonometricSeries(mean, sines=(1.0,))), 2.0
    shocks = law.shocks(time)
    height = brentq(lambda u: np.sin(np.pi - u * time) - u, 0.5, 1.5)  # the state that arrives at the resting shock
    assert shocks.positions == pytest.approx([(np.pi + mean * time) % (2 * np.pi)], abs=1e-10)
    assert shocks.left - mean == pytest.approx([height], abs=1e-10)
    assert shocks.right - mean == pytest.approx([-height], abs=1e-10)


@each_law
def test_the_equation_holds_beside_the_shocks(law: ConservationLaw) -> None:
    time, h = 1.8 * law.first_crossing, 1e-4
    shocks = law.shocks(time).positions
    distance = np.abs((X[:, None] - shocks + np.pi) % (2 * np.pi) - np.pi).min(1)
    x = X[distance > 0.05]
    differences = np.array([1, -8, 0, 8, -1]) / (12 * h)
    steps = h * np.arange(-2, 3)
    u_x = differences @ np.array([law.solution(x + step, time) for step in steps])
    u_t = differences @ np.array([law.solution(x, time + step) for step in steps])
    assert np.abs(u_t + law.flux.slope(law.solution(x, time)) * u_x).max() < 1e-8


@each_law
def test_shocks_move_as_rankine_and_hugoniot_say(law: ConservationLaw) -> None:
    time, h = 1.5 * law.first_crossing, 1e-3
    before, now, after = (law.shocks(time + step) for step in (-h, 0.0, h))
    moved = (after.positions - before.positions + np.pi) % (2 * np.pi) - np.pi
    expected = (law.flux.value(now.left) - law.flux.value(now.right)) / (now.left - now.right)
    assert len(now.positions) and np.abs(moved / (2 * h) - expected).max() < 1e-5
    assert np.all(now.left > now.right)


@each_law
def test_states_beside_a_shock_are_those_of_the_solution(law: ConservationLaw) -> None:
    shocks = law.shocks(1.7 * law.first_crossing)
    for side, states in ((-1e-9, shocks.left), (1e-9, shocks.right)):
        assert np.abs(law.solution(shocks.positions + side, 1.7 * law.first_crossing) - states).max() < 1e-7


@each_law
def test_no_value_leaves_the_range_of_the_start_and_the_mean_is_kept(law: ConservationLaw) -> None:
    low, high = law.initial.extremes
    for factor in (0.5, 1.5, 4.0, 20.0):
        u = law.solution(X, factor * law.first_crossing)
        assert u.min() >= low - 1e-14 and u.max() <= high + 1e-14
        averages = law.cell_averages(X, factor * law.first_crossing)
        assert averages.mean() == pytest.approx(law.initial.mean, abs=1e-12)
        assert averages.min() >= low - 1e-10 and averages.max() <= high + 1e-10


@each_law
def test_slopes_obey_the_one_sided_bound_of_oleinik(law: ConservationLaw) -> None:
    """f'(u) spreads no faster than x / t: rarefactions open, and only falls are steep."""
    for factor in (1.5, 4.0):
        time = factor * law.first_crossing
        speeds = law.flux.slope(law.solution(X, time))
        assert np.diff(speeds).max() <= np.diff(X).max() / time + 1e-12


def test_where_the_start_rises_the_solution_is_the_rarefied_start() -> None:
    labels = np.linspace(-0.5, 0.5, 11)
    arrived = labels + 3.0 * SINE.initial(labels)
    assert np.abs(SINE.solution(arrived, 3.0) - SINE.initial(labels)).max() < 1e-13


def test_two_solutions_never_move_apart_in_the_mean() -> None:
    """Kruzkov's contraction in L1."""
    other = ConservationLaw(TrigonometricSeries(0.5, cosines=(0.2, 0.3), sines=(1.0,)))
    distances = [
        np.abs(WAVY.solution(X, time) - other.solution(X, time))[:-1].mean() for time in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert np.all(np.diff(distances) < 1e-3)


def test_shocks_merge_until_one_is_left() -> None:
    numbers = [len(EXPONENTIAL.shocks(time).positions) for time in (1.2, 2.0, 4.0, 40.0)]
    assert numbers[0] > 1 and numbers[-1] == 1 and np.all(np.diff(numbers) <= 0)


def test_long_after_the_crossing_a_sawtooth_is_left() -> None:
    """Between shocks one period apart u - mean falls on the line through its zero with slope 1 / t."""
    time = 1000.0
    (shock,) = SINE.shocks(time).positions
    x = shock + np.linspace(0.01, 2 * np.pi - 0.01, 50)
    assert np.abs(SINE.solution(x, time) - 0.5 - (x - shock - np.pi) / (1 + time)).max() < 1e-8
    assert np.abs(SINE.solution(x + 20 * np.pi, time) - SINE.solution(x, time)).max() < 1e-12


def test_random_starts_have_the_least_action_over_all_labels() -> None:
    random, points = np.random.default_rng(1), np.linspace(-7, 20, 12)
    for _ in range(4):
        law = ConservationLaw(TrigonometricSeries(random.normal(), random.normal(size=6), random.normal(size=6)))
        time, labels = 5 * law.first_crossing, np.linspace(-40, 40, 100001)
        actions = law.initial.antiderivative(labels) + (points[:, None] - labels) ** 2 / (2 * time)
        assert np.abs(actions.min(1) - law.potential(points, time)).max() < 1e-5


def test_small_viscosity_tends_to_the_entropy_solution() -> None:
    edges = np.linspace(0, 2 * np.pi, 129)
    x = 0.5 * (edges[1:] + edges[:-1])
    exact, errors = WAVY.solution(x, 2.0), []
    for viscosity in (0.02, 0.01, 0.005):
        errors.append(np.abs(periodic_burgers(x, 2.0, viscosity, WAVY.initial) - exact).mean())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(orders > 0.6), errors


def test_at_time_zero_the_solution_is_the_start() -> None:
    assert np.abs(WAVY.solution(X.reshape(7, 11, 13), 0.0) - WAVY.initial(X).reshape(7, 11, 13)).max() < 1e-14


def test_characteristics_known_from_elsewhere_are_read_out_the_same_way() -> None:
    time = 2.0
    tabulated = Characteristics(
        lambda xi: xi + time * (0.5 + np.sin(xi)),
        lambda xi: 1 + time * np.cos(xi),
        lambda xi: 0.5 * xi - np.cos(xi) + 0.5 * time * (0.5 + np.sin(xi)) ** 2,
        2 * np.pi,
    )
    labels = least_action_labels(X[1:-1], tabulated)
    assert np.abs(0.5 + np.sin(labels) - SINE.solution(X[1:-1], time)).max() < 1e-13
    assert np.abs(labels + time * SINE.initial(labels) - X[1:-1]).max() < 1e-13


def test_what_makes_no_sense_is_refused() -> None:
    buckley_leverett = Flux(
        lambda u: u**2 / (u**2 + (1 - u) ** 2),
        lambda u: 2 * u * (1 - u) / (u**2 + (1 - u) ** 2) ** 2,
        lambda u: 2 * (1 - 2 * u) * (1 + 2 * u - 2 * u**2) / (u**2 + (1 - u) ** 2) ** 3,
    )
    with pytest.raises(InputError, match=r"not convex between 0\.1 and 0\.9"):
        ConservationLaw(TrigonometricSeries(0.5, sines=(0.4,)), buckley_leverett)
    cubic = Flux(lambda u: u**3, lambda u: 3 * u**2, lambda u: 6 * u)
    with pytest.raises(InputError, match="finite_volumes"):
        ConservationLaw(TrigonometricSeries(0.0, sines=(1.0,)), cubic)
    assert ConservationLaw(TrigonometricSeries(2.0, sines=(1.0,)), cubic).first_crossing > 0
    for time in (-1.0, np.nan, np.inf):
        with pytest.raises(InputError):
            SINE.solution(X, time)
    assert float(BURGERS.value(np.array(3.0))) == 4.5
