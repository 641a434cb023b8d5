"""The pieces that the baselines share: the equation in the fixed frame, its scales, conditions and budgets."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.domains import Box
from sciml.lpinn import Convection, Eulerian, GradientRounds, LeastSquaresRounds, TransportProblem, ViscousBurgers
from sciml.lpinn.baselines.standard import (
    SoftPinn,
    at_most,
    largest_speed,
    network_on,
    pace,
    solves,
    space_time,
    spread_points,
)
from sciml.lpinn.frames import LabelMotion, residuals
from sciml.numerics.derivatives import coordinates
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import generator
from tests.lpinn.baselines.flows import Channel, Torus
from tests.lpinn.maps import directions


def made(problem: TransportProblem) -> tuple[SoftPinn, torch.Tensor]:
    """A PINN, and random weights."""
    network = FlatModule(network_on(space_time(problem.labels, 0.0, problem.duration), 6, 2, 2, 0))
    draws = generator(0)
    return SoftPinn(problem, network), torch.randn(network.count, generator=draws, dtype=torch.float64) / 2


@pytest.mark.parametrize("problem", [Convection(7.0), ViscousBurgers(0.5, 0.1), Channel(0.5, 0.1), Torus(0.2)])
def test_the_equation_is_that_of_the_frame_at_rest(problem: TransportProblem) -> None:
    pinn, weights = made(problem)
    points = space_time(problem.labels, 0.0, problem.duration).interior(40, generator(1), kind="shifted")
    dim = problem.domain.dim
    along = directions(dim, 2)
    state = pinn.network(weights, points, 2, along)
    state = type(state)(pinn.size * state.rows, 2).shifted(points.new_tensor(pinn.mean))
    position = coordinates(points, 2, along)
    motion = LabelMotion(type(position)(position.rows[..., :dim], 2), state, points[:, -1:])
    frame = Eulerian()
    expected = residuals(problem, frame, frame.drift(problem), motion)["state"] / pinn.rate
    u, found = pinn.equation(weights, points)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert torch.allclose(u, state.value)


def test_scales_are_those_of_the_problem() -> None:
    pinn, _ = made(ViscousBurgers(mean=50.0, viscosity=0.01))
    assert pinn.mean == pytest.approx(50.0, abs=1e-3)
    assert pinn.size == pytest.approx(1.0, abs=1e-3)
    assert pinn.rate == pytest.approx(51.0, rel=1e-3)
    assert largest_speed(Torus()) == pytest.approx(math.hypot(1, 0.5))


def test_values_flow_in_where_the_flow_enters_and_everywhere_with_viscosity() -> None:
    points, values = made(Channel())[0].boundary_data(40, generator(0))
    assert bool((points[:, 0] == 0).all())
    assert torch.allclose(values, torch.sin(-2 * points[:, 1:]))
    assert len(made(Channel(viscosity=0.1))[0].boundary_data(40, generator(0))[0]) == 40
    assert made(Convection())[0].boundary_data(40, generator(0)) is None


def test_the_start_is_known_at_time_zero() -> None:
    points, values = made(Torus())[0].initial_data(30, generator(0))
    assert bool((points[:, -1] == 0).all())
    assert torch.equal(values, Torus().initial(points[:, :-1]))


@pytest.mark.parametrize("periodic", [[True, False], [False, False]])
def test_networks_start_at_zero_and_are_a_function_of_the_seed(periodic: list[bool]) -> None:
    box = Box([0.0, 0.0], [1.0, 1.0], periodic)
    points = box.interior(10, generator(0))
    first, again, other = (FlatModule(network_on(box, 5, 2, 2, seed)).vector() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not network_on(box, 5, 2, 2, 0)(points).any()


def test_rounds_are_cut_to_what_is_left() -> None:
    assert at_most(solves(5), 3).method.max_solves == 3
    assert at_most(solves(5), None) == at_most(solves(5), 9) == solves(5)
    assert at_most(GradientRounds(updates=100), 30).updates == 30
    assert isinstance(solves(), LeastSquaresRounds)


def test_the_pace_is_how_far_the_longest_wave_is_carried() -> None:
    assert pace(Convection(30.0, duration=2.0)) == pytest.approx(60.0)
    assert pace(Convection(0.1)) == 1.0


def test_adaptive_points_go_where_the_residual_is_large() -> None:
    box = Box([0.0, 0.0], [1.0, 1.0])

    def residual(points: torch.Tensor) -> torch.Tensor:
        return torch.exp(-100 * (points[:, :1] - 0.5).square())

    shares = []
    for adaptive in (0.0, 0.5, 1.0):
        points = spread_points(box, 400, adaptive, residual, generator(0))
        assert len(points) == 400
        shares.append(float(((points[:, 0] - 0.5).abs() < 0.1).double().mean()))
    assert shares[0] == pytest.approx(0.2, abs=0.02)
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.1
