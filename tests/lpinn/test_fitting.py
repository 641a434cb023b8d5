"""One round by least squares, Adam, SOAP or L-BFGS."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from sciml.errors import DivergenceError, InputError
from sciml.lpinn import GradientRounds, LeastSquaresRounds
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals

X = torch.linspace(-1, 1, 21, dtype=torch.float64)[:, None]
START = torch.zeros(2, dtype=torch.float64)


def line(weights: Tensor, x: Tensor) -> Tensor:
    return weights[0] + weights[1] * x - (1 + 2 * x)


def bend(weights: Tensor, x: Tensor) -> Tensor:
    return torch.exp(weights[0] * x) + weights[1] - (torch.exp(2 * x) - 0.5)


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_least_squares_finds_what_linear_algebra_does() -> None:
    groups = [Residuals("inside", line, (X,)), Residuals("ends", line, (X[::20],), weight=10.0)]
    fitted = LeastSquaresRounds().fit(groups, START, 0.0, draws())
    torch.testing.assert_close(fitted.weights, torch.tensor([1.0, 2.0]).double(), rtol=1e-11, atol=1e-11)
    assert fitted.rms <= LeastSquaresRounds().tolerance
    assert 0 < fitted.solves < 10


def test_the_next_round_goes_on_with_the_damping_of_the_last() -> None:
    method = LeastSquaresRounds(LevenbergMarquardt(max_solves=3, damping=1.0, tolerance=0.0))
    groups = [Residuals("bend", bend, (X,))]
    first = method.fit(groups, START + 0.3, 0.0, draws())
    assert first.damping < 1.0
    second = method.fit(groups, first.weights, first.damping, draws())
    anew = method.fit(groups, first.weights, 0.0, draws())
    assert second.rms < anew.rms < first.rms


@pytest.mark.parametrize(
    ("optimizer", "rate", "updates", "options"),
    [("adam", 0.1, 300, None), ("soap", 0.1, 300, None), ("lbfgs", 1.0, 10, {"max_iter": 10})],
)
def test_optimizers_of_the_backbone_fit_too(
    optimizer: str, rate: float, updates: int, options: Mapping[str, Any] | None
) -> None:
    groups = [Residuals("line", line, (X,)), Residuals("ends", line, (X[::20],))]
    method = GradientRounds(optimizer, rate, updates, options=options)
    fitted = method.fit(groups, START, 0.0, draws())
    assert fitted.rms < 1e-2
    assert fitted.solves == updates
    torch.testing.assert_close(fitted.weights, torch.tensor([1.0, 2.0]).double(), rtol=0, atol=2e-2)
    assert not fitted.weights.requires_grad
    assert not START.any()  # the start is nobody's to change
    assert torch.equal(fitted.weights, method.fit(groups, START, 0.0, draws()).weights)


def test_where_no_step_descends_the_fit_ends_without_an_error() -> None:
    groups = [Residuals("off", lambda weights, x: weights[0] * x + torch.ones_like(x), (X,))]
    fitted = LeastSquaresRounds(LevenbergMarquardt(tolerance=0.0, max_solves=50)).fit(groups, START, 0.0, draws())
    assert fitted.rms == pytest.approx(1.0)
    assert fitted.solves < 10


def test_values_that_are_not_finite_are_told_not_returned() -> None:
    broken = [Residuals("equations", lambda weights, x: weights[0] / (x - x), (X,))]
    with pytest.raises(DivergenceError, match="the residuals equations are not finite at the start"):
        LeastSquaresRounds().fit(broken, START + 1, 0.0, draws())
    with pytest.raises(DivergenceError, match="the loss of adam is not finite in update 1; take a smaller"):
        GradientRounds(updates=2).fit(broken, START + 1, 0.0, draws())


def test_single_precision_is_refused_by_least_squares() -> None:
    groups = [Residuals("line", line, (X.float(),))]
    with pytest.raises(InputError, match=r"below what float32 resolves.*compute in float64"):
        LeastSquaresRounds().fit(groups, START.float(), 0.0, draws())


def test_a_fit_without_enough_points_for_the_normal_equations_is_refused() -> None:
    method = LeastSquaresRounds(LevenbergMarquardt(method="normal"))
    groups = [Residuals("few", lambda weights, x: weights.sum() - x, (X[:3],))]
    with pytest.raises(InputError, match=r"3 residuals for 40 parameters.*draw more points, or use the method dual"):
        method.fit(groups, torch.zeros(40).double(), 0.0, draws())


def test_a_fit_that_does_not_fit_into_the_memory_is_refused_before_it_is_made() -> None:
    method = LeastSquaresRounds(LevenbergMarquardt(method="dual", memory=8 * 2 * 21 - 1))
    with pytest.raises(InputError, match=r"dual needs .* for 21 residuals of 2 parameters, .*take fewer points"):
        method.fit([Residuals("line", line, (X,))], START, 0.0, draws())


def test_little_memory_makes_the_jacobian_smaller_not_the_fit_fail() -> None:
    groups = [Residuals("bend", bend, (X,))]
    small = LeastSquaresRounds(LevenbergMarquardt(memory=64, tolerance=1e-9, max_solves=60, patience=20))
    assert small.fit(groups, START + 0.5, 0.0, draws()).rms < 1e-6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"optimizer": "lm"}, "the optimizer is 'lm', expected one of adam, soap, lbfgs"),
        ({"learning_rate": 0.0}, "the learning rate is 0.0"),
        ({"learning_rate": math.nan}, "the learning rate is nan"),
        ({"updates": 0}, "the number of updates is 0, expected a whole number of at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        GradientRounds(**arguments)
