"""Where the fit of a slab begins: the weights before, whose last layers are fitted anew where the flow has changed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from sciml.lpinn import (
    Characteristics,
    CollocationPoints,
    GradientRounds,
    Lagrangian,
    LeastSquaresRounds,
    SpaceTimeSolver,
    TwoBranches,
)
from sciml.lpinn import SolidBodyRotation as Rotation
from sciml.lpinn.fitting import Fitted, refitted
from sciml.lpinn.networks import last_layers, start_at_zero
from sciml.nets import TanhNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.random import seeded

X = torch.linspace(-1, 1, 21, dtype=torch.float64)[:, None]
CORNERS = [[-1.45, -1.45, 0.0], [1.45, 1.45, 1.0]]
BRIEF = LevenbergMarquardt(tolerance=1e-4, max_solves=12, increase=2.0, trials=40, smallest_damping=1e-12, patience=12)


class Noting(LeastSquaresRounds):
    """Keeps the loss where each slab begins and ends."""

    def fit(self, groups: list[Residuals], start: Tensor, damping: float, generator: torch.Generator) -> Fitted:
        fitted = super().fit(groups, start, damping, generator)
        losses.append((float(groups[0].loss(start)) ** 0.5, fitted.rms))
        return fitted


losses: list[tuple[float, float]] = []


def bend(weights: Tensor, x: Tensor) -> Tensor:
    return weights[1] * torch.exp(weights[0] * x) + weights[2] - 3 * torch.exp(0.5 * x) + 1


def test_some_weights_are_fitted_and_the_others_stay() -> None:
    start = torch.tensor([0.5, 0.0, 7.0]).double()
    found = refitted(Residuals("bend", bend, (X,)), start, torch.tensor([1, 2]))
    torch.testing.assert_close(found, torch.tensor([0.5, 3.0, -1.0]).double(), rtol=1e-9, atol=1e-9)
    assert torch.equal(start, torch.tensor([0.5, 0.0, 7.0]).double())


def test_without_weights_to_fit_the_start_is_returned() -> None:
    start = torch.zeros(3, dtype=torch.float64)
    assert refitted(Residuals("bend", bend, (X,)), start, torch.zeros(0, dtype=torch.long)) is start


def test_last_layers_are_those_that_start_at_zero() -> None:
    for network in (TanhNetwork(2, 3, 5), TwoBranches(TanhNetwork(3, 2, 4), TanhNetwork(3, 1, 6))):
        flat, chosen = FlatModule(network), last_layers(network)
        before = flat.vector()
        start_at_zero(network)
        changed = (flat.vector() != before).nonzero()[:, 0]
        assert torch.equal(chosen, changed) and len(chosen) > 0
    assert len(last_layers(nn.Linear(2, 1))) == 0


@pytest.mark.parametrize("viscosity", [0.0, 0.001])
def test_a_slab_goes_on_where_the_flow_has_turned(viscosity: float) -> None:
    """A quarter of a turn later labels that go on move at a right angle to how they moved before."""
    with seeded(0):
        position = TanhNetwork(3, 2, 8, box=CORNERS)
        network = TwoBranches(position, TanhNetwork(3, 1, 5, box=CORNERS)) if viscosity else position
        network = network.double()
    start_at_zero(network)
    made = Characteristics(Rotation(viscosity, duration=0.5), Lagrangian(), FlatModule(network), slabs=2)
    losses.clear()
    list(SpaceTimeSolver(made, 1, Noting(BRIEF), CollocationPoints(300)).run())
    (first, reached), (second, _) = losses
    assert reached < 0.05 * first and second < 0.2 * first, losses


def test_gradient_methods_begin_from_the_weights_before_alone() -> None:
    with seeded(0):
        network = TanhNetwork(3, 2, 6, box=CORNERS).double()
    made = Characteristics(Rotation(duration=0.25), Lagrangian(), FlatModule(network), slabs=2)
    state = [
        state
        for state, _ in SpaceTimeSolver(
            made, 1, GradientRounds(updates=1, learning_rate=1e-9), CollocationPoints(200)
        ).run()
    ][-1]
    assert math.isclose(float((state.weights[1] - state.weights[0]).abs().max()), 0.0, abs_tol=1e-8)
