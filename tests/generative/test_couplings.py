"""Couplings bring noise nearer to data, and transport never exchanges it across conditions."""

from __future__ import annotations

import pytest
import torch

from sciml.errors import InputError
from sciml.generative import IndependentCoupling, MinibatchTransport, NearestNoise
from sciml.numerics.random import generator

DATA = torch.randn(32, 2, 3, generator=generator(7), dtype=torch.float64)
GROUPS = torch.arange(32) % 3


def cost(noise):
    return float((noise - DATA).square().sum())


def test_independent_noise_is_standard_normal():
    noise = IndependentCoupling().draw(torch.zeros(20_000, 2).double(), generator(0))
    assert float(noise.mean().abs()) < 0.015 and float(noise.std()) == pytest.approx(1, abs=0.015)


def test_transport_permutes_independent_noise_within_groups_and_lowers_its_cost():
    before = IndependentCoupling().draw(DATA, generator(1))
    after = MinibatchTransport().draw(DATA, generator(1), GROUPS)
    assert cost(after) < 0.9 * cost(before)
    for group in range(3):
        rows = [set(map(tuple, each[group == GROUPS].flatten(1).tolist())) for each in (before, after)]
        assert rows[0] == rows[1]


def test_transport_finds_the_least_cost_of_all_permutations():
    data = DATA[:5]
    noise = IndependentCoupling().draw(data, generator(2))
    found = MinibatchTransport().draw(data, generator(2), torch.zeros(5, dtype=torch.long))
    every = torch.cartesian_prod(*[torch.arange(5)] * 5)
    permutations = every[every.sort(1).values.eq(torch.arange(5)).all(1)]
    costs = (noise[permutations] - data).square().sum((1, 2, 3))
    assert len(permutations) == 120
    assert float((found - data).square().sum()) == pytest.approx(float(costs.min()))


def test_transport_with_conditions_that_all_differ_is_the_independent_coupling():
    noise = MinibatchTransport().draw(DATA, generator(3), torch.arange(32))
    assert torch.equal(noise, IndependentCoupling().draw(DATA, generator(3)))


def test_the_nearest_noise_is_one_of_the_candidates_and_nearer_the_more_there_are():
    costs = [cost(NearestNoise(candidates).draw(DATA, generator(4))) for candidates in (1, 4, 16)]
    assert costs[0] == cost(IndependentCoupling().draw(DATA, generator(4)))  # the only candidate
    assert costs[0] > costs[1] > costs[2]


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: MinibatchTransport().draw(DATA, generator(0)), "minibatch transport was given no groups"),
        (lambda: MinibatchTransport().draw(DATA, generator(0), GROUPS[:3]), "shape of the groups is"),
        (lambda: NearestNoise(0), "the number of candidates is 0"),
    ],
)
def test_arguments_that_make_no_coupling_are_refused(draw, sentence):
    with pytest.raises(InputError, match=sentence):
        draw()
