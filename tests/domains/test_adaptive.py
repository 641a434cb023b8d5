"""Adaptive points: a density is followed, without repetitions, and a residual moves points to where it is large."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from sciml.domains.adaptive import draw_weighted, draw_where_large
from sciml.errors import InputError
from sciml.numerics.random import generator

IMPROBABLE = 1e-4


def test_weighted_points_follow_the_density() -> None:
    """Few of many candidates: their distribution is the density, here 2 x on [0, 1]."""
    candidates = (torch.arange(20_000, dtype=torch.float64)[:, None] + 0.5) / 20_000
    x = torch.cat([draw_weighted(candidates, candidates[:, 0], 50, generator(0, seed)) for seed in range(40)])[:, 0]
    assert stats.kstest(x.numpy(), lambda t: t**2).pvalue > IMPROBABLE


def test_weighted_points_are_drawn_one_after_the_other_from_those_left() -> None:
    """Of densities (3, 1, 1), two draws without replacement leave out the first with probability 1/10 and each other
    with 9/20.
    """
    three = torch.arange(3.0)[:, None]
    left_out = [
        3 - int(draw_weighted(three, torch.tensor([3.0, 1.0, 1.0]), 2, generator(0, seed)).sum())
        for seed in range(2000)
    ]
    counts = np.bincount(left_out, minlength=3)
    assert stats.chisquare(counts, [200, 900, 900]).pvalue > IMPROBABLE


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_weighted_points_never_repeat_and_never_have_density_zero(scale: float) -> None:
    density = torch.tensor([0.0, 1.0, 0.0, 1e-3, 1.0, 1e-7], dtype=torch.float64) * scale
    assert draw_weighted(torch.arange(6)[:, None], density, 4, generator(0)).ravel().tolist() == [1, 3, 4, 5]
    with pytest.raises(InputError, match="5 points cannot be drawn from 4 candidates of positive density"):
        draw_weighted(torch.arange(6)[:, None], density, 5, generator(0))


@pytest.mark.parametrize(
    ("density", "sentence"),
    [
        ([1.0, 2.0], r"the shape of the density is \(2,\), expected \(3,\)"),
        ([1.0, -2.0, 1.0], "density of candidate 1 is -2.0, expected a finite number"),
        ([1.0, 2.0, float("nan")], "density of candidate 2 is nan"),
        ([1.0, float("inf"), 1.0], "density of candidate 1 is inf"),
    ],
)
def test_what_is_no_density_is_refused(density: list[float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        draw_weighted(torch.zeros(3, 1), torch.tensor(density), 1, generator(0))


def test_points_move_to_where_the_residual_is_large() -> None:
    """A residual that is 9 on a tenth of the candidates and 0 elsewhere: the densities are 11 and 1."""
    candidates = torch.arange(20_000, dtype=torch.float64)[:, None]
    large = candidates[:, 0] < 2000
    chosen = torch.cat([draw_where_large(candidates, 9.0 * large, 50, generator(0, seed)) for seed in range(40)])
    share = float((chosen < 2000).double().mean())
    assert share == pytest.approx(11 / 20, abs=5 * (0.55 * 0.45 / len(chosen)) ** 0.5)


def test_a_residual_of_zero_draws_all_candidates_alike() -> None:
    chosen = draw_where_large(torch.arange(8)[:, None], torch.zeros(8), 8, generator(0))
    assert chosen.ravel().tolist() == list(range(8))
