"""What holds for each baseline: slow cases are solved, seeds decide all, budgets are kept."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.lpinn import Convection, TransportProblem, ViscousBurgers, relative_error
from sciml.lpinn.baselines import Baseline, Budget, Curriculum, FourierCausal, SequenceToSequence, Xpinn
from sciml.lpinn.solver import CollocationPoints
from tests.lpinn.baselines.flows import Channel, Torus

SMALL = {
    "curriculum": Curriculum(stages=3, width=8, layers=2, points=CollocationPoints(200)),
    "sequence": SequenceToSequence(windows=3, width=8, points=CollocationPoints(150)),
    "xpinn": Xpinn(times=2, width=8, points=150, known=50, interface=20),
    "fourier": FourierCausal(features=12, width=8, points=250, bins=8),
}
ENOUGH = {"curriculum": 25, "sequence": 30, "xpinn": 25, "fourier": 40}
LONG = 1000.0  # seconds, so that the number of updates is the limit
TOLERANCE = 3e-2
baselines = pytest.mark.parametrize("name", SMALL)


def solved(name: str, problem: TransportProblem, seed: int = 0, updates: int | None = None) -> float:
    solution = SMALL[name](problem, Budget(LONG, updates or ENOUGH[name]), seed)
    times = [problem.duration * share for share in (0.25, 0.5, 1.0)]
    return relative_error(solution, times, problem.probes()[::8])


@baselines
def test_a_slow_wave_is_solved(name: str) -> None:
    assert solved(name, Convection(1.0)) < TOLERANCE


@baselines
def test_a_velocity_that_depends_on_the_state_and_viscosity_are_solved(name: str) -> None:
    assert solved(name, ViscousBurgers(mean=0.5, viscosity=0.1, duration=0.5)) < TOLERANCE


@baselines
def test_values_that_flow_in_and_sources_are_solved(name: str) -> None:
    assert solved(name, Channel(growth=0.5)) < TOLERANCE


@baselines
def test_viscosity_needs_values_on_all_faces(name: str) -> None:
    assert solved(name, Channel(viscosity=0.1)) < TOLERANCE


@baselines
def test_waves_on_the_torus_are_solved(name: str) -> None:
    assert solved(name, Torus(viscosity=0.1)) < TOLERANCE


@baselines
def test_a_seed_decides_every_bit_and_another_seed_is_another_run(name: str) -> None:
    problem, points = Convection(1.0), Convection(1.0).probes()[::100]
    first, again, other = (SMALL[name](problem, Budget(LONG, 6), seed)(points, 0.7) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@baselines
@pytest.mark.parametrize("updates", [1, 7])
def test_updates_are_at_most_those_of_the_budget(name: str, updates: int) -> None:
    solution = SMALL[name](Convection(1.0), Budget(LONG, updates))
    assert 1 <= solution.updates <= updates


@baselines
def test_seconds_are_kept_but_for_a_round(name: str, ticking_clock: None) -> None:
    solution = SMALL[name](Convection(1.0), Budget(0.05))
    assert solution.updates > 0 and solution.seconds < 0.15


@baselines
def test_the_answer_is_periodic_counts_its_weights_and_refuses_times_outside(name: str) -> None:
    solution = SMALL[name](Convection(1.0), Budget(LONG, 3))
    points = torch.tensor([[0.3], [0.3 + 2 * torch.pi]], dtype=torch.float64)
    first, moved = solution(points, 0.4)
    assert torch.allclose(first, moved, atol=1e-12)
    assert solution.parameters > 50
    assert solution.loss < float("inf")
    with pytest.raises(InputError, match=r"time is 1\.5"):
        solution(points, 1.5)


@baselines
def test_what_is_no_problem_is_refused(name: str) -> None:
    problem = Convection(1.0)
    problem.viscosity = -1.0
    with pytest.raises(InputError, match="viscosity"):
        SMALL[name](problem, Budget(LONG, 1))


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (Curriculum, {"stages": 0}, "stages"),
        (Curriculum, {"last": 1.5}, "last stage"),
        (Curriculum, {"enough": -1.0}, "enough"),
        (SequenceToSequence, {"windows": 0}, "windows"),
        (Curriculum, {"radians": 0.0}, "radians"),
        (SequenceToSequence, {"radians": -1.0}, "radians"),
        (Xpinn, {"radians": float("inf")}, "radians"),
        (Xpinn, {"times": 0}, "times"),
        (Xpinn, {"parts": (0,)}, "part"),
        (Xpinn, {"weight": 0.0}, "weight"),
        (FourierCausal, {"optimizer": "sgd"}, "sgd"),
        (FourierCausal, {"epsilon": 0.0}, "epsilon"),
        (FourierCausal, {"features": 0}, "features"),
        (FourierCausal, {"adaptive": 1.5}, "adaptive"),
        (Xpinn, {"adaptive": -0.5}, "adaptive"),
    ],
)
def test_wrong_settings_are_refused(kind: type[Baseline], settings: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        kind(**settings)


@pytest.mark.parametrize(("seconds", "updates"), [("60", None), (0.0, None), (math.inf, None), (1.0, 2.5), (1.0, 0)])
def test_budgets_that_are_no_numbers_are_refused(seconds: object, updates: object) -> None:
    with pytest.raises(InputError, match=r"the budget of .* is .*, expected a"):
        Budget(seconds, updates)
