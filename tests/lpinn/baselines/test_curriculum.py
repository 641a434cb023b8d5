"""The slower problems of a curriculum."""

from __future__ import annotations

import pytest
import torch

from sciml.errors import InputError
from sciml.lpinn import Convection, SolidBodyRotation, ViscousBurgers, relative_error
from sciml.lpinn.baselines import Budget, Curriculum
from sciml.lpinn.baselines.curriculum import SlowerProblem
from sciml.lpinn.solver import CollocationPoints
from tests.lpinn.baselines.flows import Channel


def test_the_velocity_is_a_share_and_all_else_is_the_same() -> None:
    problem = Channel(growth=0.5, viscosity=0.1)
    slower = SlowerProblem(problem, 0.3)
    slower.check()
    x = problem.probes()[::50]
    t, u = torch.rand_like(x), torch.rand_like(x)
    assert torch.equal(slower.velocity(x, t, u), 0.3 * problem.velocity(x, t, u))
    for name, arguments in (("initial", (x,)), ("source", (x, t, u)), ("inflow", (x, t))):
        assert torch.equal(getattr(slower, name)(*arguments), getattr(problem, name)(*arguments))
    assert (slower.duration, slower.viscosity, slower.passive) == (0.5, 0.1, True)


def test_a_velocity_that_depends_on_the_state_is_scaled_where_it_is() -> None:
    x = ViscousBurgers().probes()[::50]
    u = torch.rand_like(x)
    assert torch.equal(SlowerProblem(ViscousBurgers(), 0.5).velocity(x, 0 * x, u), u / 2)


def test_labels_are_those_of_the_problem() -> None:
    slower = SlowerProblem(SolidBodyRotation(), 0.5)
    assert slower.labels.upper == SolidBodyRotation().labels.upper


def test_nobody_knows_the_exact_solution_of_a_slower_problem() -> None:
    slower = SlowerProblem(ViscousBurgers(), 0.5)
    assert slower.exact(slower.probes(), 0.5) is None


def test_stages_share_the_updates_and_the_last_one_is_the_problem_itself() -> None:
    problem = Convection(4.0)
    baseline = Curriculum(width=10, layers=2, points=CollocationPoints(200))
    solution = baseline(problem, Budget(1000.0, 60))
    assert solution.problem is problem
    assert solution.updates <= 60
    assert relative_error(solution, [0.5, 1.0], problem.probes()[::8]) < 3e-2


def test_causal_weights_are_a_choice() -> None:
    baseline = Curriculum(stages=2, width=8, layers=2, causal=1.0, points=CollocationPoints(200))
    problem = Convection(1.0)
    assert relative_error(baseline(problem, Budget(1000.0, 25)), [0.5, 1.0], problem.probes()[::8]) < 3e-2


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_shares_that_are_none_are_refused(share: float) -> None:
    with pytest.raises(InputError, match="share of a velocity"):
        SlowerProblem(ViscousBurgers(), share)
