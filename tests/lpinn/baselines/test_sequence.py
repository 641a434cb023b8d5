"""Windows of time."""

from __future__ import annotations

import torch

from sciml.lpinn import Convection
from sciml.lpinn.baselines import Budget, SequenceToSequence
from sciml.lpinn.solver import CollocationPoints

SMALL = SequenceToSequence(windows=4, width=8, points=CollocationPoints(150))


def test_a_window_starts_with_what_the_one_before_ended_with() -> None:
    solution, points = SMALL(Convection(2.0), Budget(1000.0, 8)), Convection().probes()[::100]
    for edge in (0.25, 0.5, 0.75):
        before, after = (solution(points, edge + side) for side in (-1e-10, 1e-10))
        assert torch.allclose(before, after, atol=1e-8)


def test_the_start_is_exact() -> None:
    problem = Convection(2.0)
    points = problem.probes()[::100]
    assert torch.equal(SMALL(problem, Budget(1000.0, 4))(points, 0.0), problem.initial(points))


def test_windows_have_weights_of_their_own_and_the_same_updates() -> None:
    one = SequenceToSequence(windows=1, width=8, points=CollocationPoints(150))(Convection(1.0), Budget(1000.0, 8))
    four = SMALL(Convection(1.0), Budget(1000.0, 8))
    assert four.parameters == 4 * one.parameters
    assert four.updates == one.updates == 8


def test_fast_waves_are_carried_where_windows_are_short() -> None:
    problem = Convection(30.0, duration=0.2)
    points = problem.probes()[::64]
    windows = SequenceToSequence(windows=4, width=10, points=CollocationPoints(200))(problem, Budget(1000.0, 100))
    assert (windows(points, 0.2) - problem.exact(points, 0.2)).abs().max() < 2e-2


def test_there_are_as_many_windows_as_the_speed_asks_for() -> None:
    numbers = []
    for speed in (4.0, 8.0):
        baseline = SequenceToSequence(radians=2.0, width=6, points=CollocationPoints(60))
        numbers.append(baseline(Convection(speed), Budget(1000.0, 8)).parameters)
    assert numbers[1] == 2 * numbers[0]
