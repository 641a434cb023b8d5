"""DeepXDE's PINN: it solves what is easy within its budget, and leaves the process as it was."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
import torch

from sciml.deepxde_backend import deepxde
from sciml.domains import Box
from sciml.errors import DivergenceError, InputError
from sciml.lpinn import Convection, TransportProblem, relative_error
from sciml.lpinn.baselines import Budget, DeepXdePinn, Solution
from sciml.lpinn.baselines.deepxde_pinn import LOOK, Features
from sciml.numerics.random import generator
from tests.lpinn.baselines.flows import Channel, Torus
from tests.lpinn.plate import AroundTheHole

SMALL: dict[str, Any] = {"width": 12, "layers": 2, "points": 200, "modes": 2}
LIMITS = {"hard": 0.03, "soft": 0.25}
Conditions = Literal["hard", "soft"]


def error(solution: Solution) -> float:
    """Over four times."""
    times = [solution.problem.duration * k / 4 for k in range(5)]
    return relative_error(solution, times, solution.problem.probes()[::16])


@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize("problem", [Convection(1.0), Channel(0.5, 0.1), Torus(0.1)])
def test_slow_waves_on_circles_and_through_a_channel_are_found(
    problem: TransportProblem, conditions: Conditions
) -> None:
    found = DeepXdePinn(conditions, **SMALL)(problem, Budget(1000.0, 300), seed=0)
    assert found.updates == 300 and error(found) < LIMITS[conditions]


@pytest.mark.parametrize("conditions", ["hard", "soft"])
def test_what_flows_through_a_plate_with_a_hole_is_found(conditions: Conditions) -> None:
    problem = AroundTheHole(viscosity=0.1)
    found = DeepXdePinn(conditions, width=12, layers=2, points=300)(problem, Budget(1000.0, 150))
    points = problem.domain.interior(200, generator(0), "shifted")
    assert relative_error(found, [0.1, 0.3, 0.5], points) < 0.02


def test_a_fast_wave_is_not_found() -> None:
    found = DeepXdePinn("soft", **SMALL)(Convection(30.0), Budget(1000.0, 400))
    assert error(found) > 0.5


def test_hard_conditions_hold_at_once() -> None:
    problem = Torus()
    found = DeepXdePinn("hard", **SMALL)(problem, Budget(1000.0, 3))
    points = problem.probes()[:50]
    assert found.updates == 3
    assert torch.allclose(found(points, 0.0), problem.initial(points), rtol=0, atol=1e-15)
    across = points.clone()
    across[:, 0] = 2 * math.pi * (1 - 1e-12)
    begin = across.clone()
    begin[:, 0] = 0.0
    assert torch.allclose(found(across, 0.3), found(begin, 0.3), rtol=0, atol=1e-9)


def test_the_seed_and_nothing_else_decides_and_nothing_else_changes() -> None:
    def state() -> tuple[Any, ...]:
        dde = deepxde()
        numbers = torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002
        reverse = dde.grad.gradients_reverse
        tables = len(reverse.jacobian._Jacobians.Js), len(reverse.hessian._Hessians.Hs)
        return *numbers, torch.get_default_dtype(), torch.get_default_device(), dde.config.default_float(), *tables

    before = state()
    points = Convection().probes()[:20]
    method = DeepXdePinn(**SMALL, distribution="pseudo", resampled=5)
    values = [method(Convection(1.0), Budget(1000.0, 25), seed)(points, 0.5) for seed in (0, 0, 1)]
    assert torch.equal(values[0], values[1]) and not torch.allclose(values[0], values[2])
    assert values[0].dtype == torch.float64 and not values[0].requires_grad
    assert before == state() and before[-2:] == (0, 0)


def test_time_runs_out_too(ticking_clock: None) -> None:
    found = DeepXdePinn(**SMALL)(Convection(), Budget(0.3))
    assert 0.3 <= found.seconds < 0.4 and 5 < found.updates <= 30 * LOOK  # L-BFGS looks at the clock every LOOK updates
    assert found.parameters == sum(n * 12 + 12 for n in (5, 12)) + 13


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(DivergenceError, match="use a smaller learning rate"):
        DeepXdePinn("soft", **SMALL, learning_rate=1e200, adam=1.0)(Convection(), Budget(1000.0, 5))


def test_settings_that_make_no_sense_are_refused() -> None:
    for settings, message in (
        ({"conditions": "firm"}, "conditions is 'firm', expected one of hard, soft"),
        ({"width": 0}, "width is 0"),
        ({"adam": 2.0}, "share of Adam is 2.0"),
        ({"weight": -1.0}, "weight is -1.0"),
        ({"distribution": "grid"}, "the distribution of points is 'grid'"),
    ):
        with pytest.raises(InputError, match=message):
            DeepXdePinn(**settings)


def test_features_are_waves_where_the_domain_is_periodic_and_scaled_coordinates_elsewhere() -> None:
    shown = Features(Box([0.0, -1.0], [2.0, 3.0], [True, False]), 0.5, modes=3, frequencies=2)
    inputs = torch.tensor([[0.5, 1.0, 0.25], [2.5, 1.0, 0.25]], dtype=torch.float64)
    found = shown(inputs)
    assert found.shape == (2, shown.count) == (2, 6 + 1 + 4 + 1)
    assert torch.allclose(found[0], found[1], rtol=0, atol=1e-14)
    assert found[0, 0] == pytest.approx(2 * math.exp(-1 / 50)) and found[0, 6] == pytest.approx(0)
    assert found[0, 7:].tolist() == pytest.approx([1.0, 0.0, 0.0, -1.0, 0.0], abs=1e-15)
