"""Values on faces hold by the form of the state: for any weights, in every slab, in boxes of one and two dimensions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from sciml.domains import Box, Disc
from sciml.lpinn import (
    BoundaryLayer,
    CollocationPoints,
    Eulerian,
    LeastSquaresRounds,
    SpaceTimeField,
    SpaceTimeSolver,
    TransportProblem,
    relative_error,
)
from sciml.lpinn.boundary_form import can_hold
from sciml.lpinn.networks import start_at_zero
from sciml.numerics.least_squares import LevenbergMarquardt
from tests.lpinn.maps import characteristics, directions, random_weights, space_time


class Plate(TransportProblem):
    """Heat in a plate whose edges follow a wave, or in a strip that is periodic along it."""

    viscosity, passive, duration = 0.1, True, 0.5

    def __init__(self, periodic: bool = False) -> None:
        self.domain = Box([0.0, -1.0], [2 * math.pi, 1.0], [periodic, False])

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.ones_like(x)

    def initial(self, x: Tensor) -> Tensor:
        return self.inflow(x, 0 * x[:, :1])

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(x[:, :1] - 3 * t) * torch.exp(x[:, 1:] * torch.cos(t))


PROBLEMS: dict[str, TransportProblem] = {"layer": BoundaryLayer(), "plate": Plate(), "strip": Plate(True)}
each = pytest.mark.parametrize("name", PROBLEMS)


@each
@pytest.mark.parametrize("slabs", [1, 3])
def test_values_on_faces_hold_for_any_weights(name: str, slabs: int) -> None:
    problem = PROBLEMS[name]
    made = characteristics(problem, Eulerian(), 1, slabs)
    assert made.holds
    weights = random_weights(made)
    at = problem.domain.boundary(60, torch.Generator().manual_seed(1)).points
    for share in (0.0, 0.2, 0.5, 0.99, 1.0):
        time = share * problem.duration
        found = made.evaluate(weights, at, time)[1]
        torch.testing.assert_close(found, problem.inflow(at, torch.full_like(found, time)), rtol=0, atol=1e-13)
    inside = problem.domain.interior(60, torch.Generator().manual_seed(1), kind="uniform")
    assert float((made.evaluate(weights, inside, problem.duration)[1] - problem.initial(inside)).abs().max()) > 0.1


@each
def test_motions_are_the_nested_derivatives_of_what_is_evaluated(name: str) -> None:
    problem = PROBLEMS[name]
    made, dim = characteristics(problem, Eulerian(), 1, 2), problem.domain.dim
    weights, points = random_weights(made, 0.3), space_time(problem, 4)
    points[:, -1] = (points[:, -1] + problem.duration) / 2

    def state(point: Tensor) -> Tensor:
        at = point[None]
        return made.motion(weights[1], 1, at, made.initial(weights, 1, at[:, :-1], 0)).state.value[0, 0]

    start = made.initial(weights, 1, points[:, :-1], 2)
    motion, again = (made.motion(weights[1], 1, points, s) for s in (start, made.in_time(1, points, start)))
    assert torch.equal(motion.state.rows, again.state.rows)
    along, close = directions(dim, 2), {"rtol": 1e-9, "atol": 1e-8}
    torch.testing.assert_close(motion.state.first[..., 0], along @ vmap(jacfwd(state))(points).T, **close)
    bent = torch.einsum("nde,kd,ke->kn", vmap(hessian(state))(points), along, along)
    torch.testing.assert_close(motion.state.second[..., 0], bent, **close)


def test_rows_on_faces_are_needed_only_where_the_form_does_not_hold_them() -> None:
    problem = BoundaryLayer()
    jumping = BoundaryLayer()
    jumping.initial = lambda x: 0.5 + 0 * x
    ideal = BoundaryLayer()
    ideal.viscosity = 0.0
    carved = Plate()
    carved.domain = Disc([0, 0], 1)
    closed = BoundaryLayer()
    closed.inflow = lambda x, t: None
    assert can_hold(problem)
    assert not any(can_hold(other) for other in (jumping, ideal, closed, carved))
    for given, groups in ((problem, 1), (jumping, 2)):
        solver = SpaceTimeSolver(characteristics(given, Eulerian(), 1), points=CollocationPoints(20, boundary=10))
        assert len(solver._boundary(solver.initial(), 0, torch.Generator())) == groups - 1


def test_a_layer_is_solved() -> None:
    problem = BoundaryLayer(viscosity=0.1, duration=0.5)
    made = characteristics(problem, Eulerian(), 1, width=10)
    start_at_zero(made.network.module)
    method = LevenbergMarquardt(1e-9, 40, damping=1e-3, increase=2.0, trials=20, patience=10)
    ((state, _),) = SpaceTimeSolver(made, 1, LeastSquaresRounds(method), CollocationPoints(400)).run()
    x = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    assert relative_error(SpaceTimeField(made, state.weights), [0.1, 0.3, 0.5], x) < 1e-3
