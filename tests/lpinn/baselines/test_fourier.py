"""Waves of space and time, and causal weights."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.lpinn import Convection, StandardBurgers, relative_error
from sciml.lpinn.baselines import Budget, FourierCausal
from sciml.lpinn.baselines.causal_fourier import causal_weights
from sciml.lpinn.baselines.standard import SoftPinn
from sciml.numerics.derivatives import jet_of
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import generator
from tests.lpinn.baselines.flows import Channel, Torus

SMALL = FourierCausal(features=12, width=8, points=200, bins=4)


def test_causal_weights_are_those_of_the_formula() -> None:
    losses = torch.tensor([0.5, 2.0, 0.1, 3.0], dtype=torch.float64)
    expected = [math.exp(-0.7 * before) for before in (0.0, 0.5, 2.5, 2.6)]
    assert causal_weights(losses, 0.7).tolist() == pytest.approx(expected, rel=1e-14)


def test_residuals_in_a_bin_have_the_causal_weight_of_the_losses_before() -> None:
    made = SoftPinn(Convection(5.0), FlatModule(SMALL.network(Convection(5.0), 0)))
    weights = made.network.vector()
    equation = SMALL.groups(made, weights, generator(1))[0]
    points, scale = equation.data
    square = made.equation(weights, points)[1].square()
    bins = (4 * points[:, 1]).floor()
    before = 0.0
    for number in range(4):
        here = bins == number
        expected = torch.exp(torch.tensor(-SMALL.epsilon * before, dtype=torch.float64))
        assert torch.allclose(scale[here].square(), expected.expand_as(scale[here]))
        before += float(square[here].mean())
    assert torch.allclose(equation(weights).square(), scale.square() * square)


@pytest.mark.parametrize("optimizer", ["soap", "adam"])
def test_published_optimizers_are_a_choice(optimizer: str) -> None:
    baseline = FourierCausal(features=16, width=16, points=200, bins=4, epsilon=1.0, optimizer=optimizer)
    solution = baseline(Convection(1.0), Budget(1000.0, 250))
    assert relative_error(solution, [0.5, 1.0], Convection(1.0).probes()[::8]) < 0.2


@pytest.mark.parametrize("problem", [Convection(30.0), Torus()])
def test_networks_are_periodic_with_all_derivatives(problem: Convection | Torus) -> None:
    network, dim = SMALL.network(problem, 0), problem.domain.dim
    points = torch.rand(20, dim + 1, dtype=torch.float64, generator=generator(0))
    period = torch.tensor([2 * math.pi] * dim + [0.0], dtype=torch.float64)
    first, moved = network(points, 2), network(points + period, 2)
    assert torch.allclose(first.rows, moved.rows, rtol=1e-10, atol=1e-10)


def test_derivatives_are_those_of_the_network() -> None:
    network = SMALL.network(Channel(), 0)
    points = torch.rand(10, 2, dtype=torch.float64, generator=generator(0))
    expected = jet_of(network, points, 2)
    assert torch.allclose(network(points, 2).rows, expected.rows, rtol=1e-9, atol=1e-9)


def test_frequencies_grow_with_the_speed_of_the_problem() -> None:
    slow, fast = (SMALL.network(Convection(speed), 0).waves[:, -1] for speed in (10.0, 50.0))
    assert torch.allclose(fast, 5 * slow)
    assert float(slow.std()) == pytest.approx(10 * SMALL.spread, rel=0.5)


def test_a_network_knows_nothing_of_the_start_before_it_is_trained() -> None:
    problem = StandardBurgers()
    error = relative_error(SMALL(problem, Budget(1000.0, 1)), [0.1], problem.probes()[::8])
    assert error > 0.5


def test_a_share_that_grows_is_refused() -> None:
    with pytest.raises(InputError, match="decay"):
        FourierCausal(decay=-1.0)
