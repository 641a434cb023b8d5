"""Scores of ensembles against closed forms for Gaussian laws, and against definitions that are computed otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from sciml.errors import InputError
from sciml.metrics import coverage, crps, energy_score, rank_histogram, spread_skill

NUMBERS = st.floats(-1e3, 1e3, allow_subnormal=False)
ENSEMBLES = arrays(np.float64, st.tuples(st.integers(2, 7), st.integers(1, 4)), elements=NUMBERS)


def draws(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def crps_of_a_gaussian(mean, deviation, y):
    """Gneiting and Raftery 2007, Eq. 21 and below: E|X - y| - E|X - X'| / 2 in closed form."""
    z = (y - mean) / deviation
    return deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))


def test_the_crps_of_many_draws_is_that_of_their_gaussian_law():
    y = np.array([-2.0, 0.3, 1.0, 4.0])
    members = 1.0 + 0.5 * draws(0, 40_000, 1)
    for fair in (True, False):
        assert crps(np.repeat(members, 4, axis=1), y, fair=fair) == pytest.approx(
            crps_of_a_gaussian(1.0, 0.5, y), abs=0.008
        )


def test_the_plain_crps_is_the_integral_of_the_squared_error_of_the_distribution_function():
    x, y = np.array([-1.0, 0.2, 0.2, 3.0]), 0.7
    found = quad(lambda at: (np.mean(x <= at) - (y <= at)) ** 2, -2.0, 4.0, points=[*x, y], limit=200)[0]
    assert crps(x[:, None], [y], fair=False)[0] == pytest.approx(found, rel=1e-8)


@given(ENSEMBLES, st.data())
@settings(deadline=None)
def test_the_energy_score_of_scalars_is_the_crps_and_both_sum_over_all_pairs(members, data):
    truth = data.draw(arrays(np.float64, members.shape[1], elements=NUMBERS))
    m = len(members)
    for fair, pairs in ((True, m * (m - 1)), (False, m * m)):
        expected = np.abs(members - truth).mean(0)
        expected -= np.abs(members[:, None] - members[None]).sum((0, 1)) / (2 * pairs)
        assert crps(members, truth, fair=fair) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert energy_score(members, truth, fair=fair) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_one_member_has_its_error_as_its_plain_score():
    x, y = draws(1, 5, 3, 2), draws(2, 5, 3, 2)
    assert crps(x[None], y, fair=False) == pytest.approx(np.abs(x - y))
    distances = np.sqrt(((x - y) ** 2).sum((1, 2)))
    assert energy_score(x[None], y, fair=False) == pytest.approx(distances)


@pytest.mark.parametrize("score", [crps, energy_score])
def test_the_fair_score_of_few_members_has_no_bias_and_the_plain_one_the_known_one(score):
    m, cases = 3, 60_000
    x = draws(3, m, cases)
    exact = crps_of_a_gaussian(0.0, 1.0, 0.4)  # of the law from which the members are drawn
    bias = (2 / math.sqrt(math.pi)) / (2 * m)  # E|X - X'| / 2m
    for fair, expected in ((True, exact), (False, exact + bias)):
        found = score(x, np.full(cases, 0.4), fair=fair)
        assert abs(found.mean() - expected) < 3 * found.std() / math.sqrt(cases)
    assert bias > 0.1  # so that the two are told apart


def test_the_mean_energy_score_is_least_for_the_law_of_the_truth():
    # E||X - Y|| and E||X - X'|| of Gaussians in d dimensions are multiples of E chi_d.
    m, cases, d = 4, 4000, 6
    x, y = draws(4, m, cases, d), draws(5, cases, d)
    chi = math.sqrt(2) * math.gamma((d + 1) / 2) / math.gamma(d / 2)
    found = {scale: energy_score(scale * x, y) for scale in (0.5, 1.0, 1.5)}
    for scale, scores in found.items():
        expected = chi * (math.sqrt(1 + scale**2) - scale / math.sqrt(2))
        assert abs(scores.mean() - expected) < 3 * scores.std() / math.sqrt(cases)
    assert found[1.0].mean() < min(found[0.5].mean(), found[1.5].mean())
    assert energy_score(x + 0.5, y).mean() > found[1.0].mean()


def test_a_calibrated_ensemble_of_any_size_has_the_spread_of_its_error_and_the_ideal_coverage():
    for m in (2, 8):
        x, y = draws(6, m, 40_000), draws(7, 40_000)
        assert spread_skill(x, y) == pytest.approx(1.0, abs=0.02)
        assert spread_skill(0.5 * x, y) == pytest.approx(0.5 * math.sqrt(1 + 1 / m) / math.sqrt(1 + 0.25 / m), abs=0.02)
        found = coverage(x, y)
        assert found.ideal == pytest.approx((m - 1) / (m + 1))
        assert found.share == pytest.approx(found.ideal, abs=0.01)


def test_coverage_of_inner_members_is_ideal_too():
    found = coverage(draws(8, 9, 40_000), draws(9, 40_000), left_out=2)
    assert found.ideal == pytest.approx(0.4)
    assert found.share == pytest.approx(0.4, abs=0.01)


def test_the_rank_histogram_is_flat_for_a_calibrated_ensemble_and_a_valley_for_a_narrow_one():
    x, y = draws(10, 4, 50_000), draws(11, 50_000)
    counts = rank_histogram(x, y)
    assert counts.sum() == 50_000
    assert np.abs(counts - 10_000).max() < 4 * math.sqrt(10_000 * 0.8)
    narrow = rank_histogram(0.3 * x, y)
    assert min(narrow[0], narrow[-1]) > 2 * narrow[2]
    low = rank_histogram(x - 3.0, y)
    assert low[-1] > 0.8 * 50_000


def test_ranks_among_equal_members_are_drawn_and_repeat_with_the_seed():
    zeros = np.zeros((4, 20_000))
    counts = rank_histogram(zeros, zeros[0], seed=1)
    assert counts / 20_000 == pytest.approx(np.full(5, 0.2), abs=0.015)
    assert (counts == rank_histogram(zeros, zeros[0], seed=1)).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: crps([[1.0]], [1.0]), "1 member, expected at least 2"),
        (lambda: energy_score([1.0, 2.0], 1.0), "cases along the first axis"),
        (lambda: spread_skill([[1.0, 2.0], [3.0, 4.0]], [1.0]), "do not fit the truth"),
        (lambda: spread_skill([[1.0], [3.0]], [2.0]), "undefined"),
        (lambda: coverage(np.zeros((3, 2)), np.zeros(2), left_out=1), "expected at least 4"),
        (lambda: crps([[math.nan], [1.0]], [1.0]), "not finite"),
        (lambda: rank_histogram(np.zeros((2, 0)), np.zeros(0)), "at least one value"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
