"""Draws are a pure function of their counters, and leave the global state alone."""

from __future__ import annotations

import itertools

import pytest
import torch

from sciml.errors import InputError
from sciml.numerics.random import generator, seeded


def draw(*arguments: int) -> torch.Tensor:
    return torch.randn(2000, generator=generator(*arguments), dtype=torch.float64)


def test_the_same_counters_give_the_same_numbers() -> None:
    assert torch.equal(draw(3, 1, 4), draw(3, 1, 4))


def test_neighbours_permutations_and_trailing_zeros_are_uncorrelated() -> None:
    streams = [draw(*arguments) for arguments in [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (2**32,), (0, 2**32)]]
    for one, other in itertools.combinations(streams, 2):
        # Independent streams: a correlation of standard deviation 1 / sqrt(2000) = 0.022.
        assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.11


def test_counters_over_many_updates_do_not_repeat() -> None:
    firsts = {generator(7, update, rank).initial_seed() for update in range(2000) for rank in range(2)}
    assert len(firsts) == 4000


@pytest.mark.parametrize("wrong", [-1, 2**63, 1.5, True, "1"])
def test_what_is_no_counter_is_refused(wrong) -> None:
    with pytest.raises(InputError, match="expected a whole number from 0"):
        generator(0, wrong)


def test_seeded_restores_the_global_generator() -> None:
    before = torch.get_rng_state()
    with seeded(5):
        inside = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(KeyError), seeded(5):
        again = torch.rand(3)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(inside, again)
