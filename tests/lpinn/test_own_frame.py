"""A frame is one class: what a user adds in a file of its own works with problems, solver and read-out unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Channel,
    Characteristics,
    CollocationPoints,
    Convection,
    Eulerian,
    Frame,
    LabelMotion,
    Lagrangian,
    Rezoned,
    SpaceTimeField,
    SpaceTimeSolver,
    ThroughFlow,
    TransportProblem,
    ViscousBurgers,
    relative_error,
)
from sciml.lpinn.frames import default_frame, residuals
from sciml.lpinn.networks import start_at_zero
from tests.lpinn.maps import characteristics, motion_of, space_time


@dataclass(frozen=True)
class HalfDrift(Frame):
    """Labels move with half the mean velocity."""

    def drift(self, problem: TransportProblem) -> Tensor:
        return problem.drift() / 2

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        return drift.expand_as(speed)


class Slower(Frame):
    """A plain class with a velocity and a setting: labels move with a share of the mean velocity."""

    def __init__(self, share: float) -> None:
        self.share = share

    def velocity(self, drift: Tensor, speed: Tensor, stretch: Tensor) -> Tensor:
        return drift.expand_as(speed)

    def drift(self, problem: TransportProblem) -> Tensor:
        return self.share * problem.drift()


@dataclass(frozen=True)
class Doubled(Lagrangian):
    """A frame whose equation has twice the diffusion."""

    follows_flow: ClassVar[bool] = True

    def diffusion_term(self, motion: LabelMotion, gradient: Tensor) -> Tensor:
        return 2 * super().diffusion_term(motion, gradient)


def test_the_exact_solution_solves_the_equation_in_a_frame_of_ones_own() -> None:
    problem = Convection(3.0, 0.1)
    motion = motion_of(
        lambda label, t: label + 1.5 * t, lambda x, t: torch.exp(-0.1 * t) * torch.sin(x - 3 * t), space_time(problem)
    )
    found = residuals(problem, HalfDrift(), problem.drift() / 2, motion)
    assert all(float(values.abs().max()) < 1e-12 for values in found.values())


@pytest.mark.parametrize("frame", [HalfDrift(), Slower(0.75)], ids=["dataclass", "plain class"])
def test_a_frame_of_ones_own_is_solved_read_out_and_printed(frame: Frame) -> None:
    problem = Convection(2.0, duration=0.5)
    made = characteristics(problem, frame, 1, width=8)
    start_at_zero(made.network.module)
    solver = SpaceTimeSolver(made, 1, points=CollocationPoints(200))
    assert f"Frame {type(frame).__name__}" in str(solver)
    ((state, _),) = solver.run()
    assert relative_error(SpaceTimeField(made, state.weights), [0.25, 0.5], problem.probes()) < 1e-2


def test_the_terms_of_the_equation_are_those_of_the_frame() -> None:
    problem = Convection(3.0, 0.1)
    motion = motion_of(lambda label, t: label + 3 * t, lambda x, t: torch.sin(x - 3 * t), space_time(problem))
    one, two = (residuals(problem, frame, problem.drift(), motion)["state"] for frame in (Lagrangian(), Doubled()))
    assert torch.allclose(two, 2 * one) and float(one.abs().max()) > 1e-2


def test_the_default_is_ale_where_characteristics_may_cross_and_diffuse() -> None:
    assert default_frame(ViscousBurgers()) == Ale()
    assert default_frame(Convection(1.0, 0.1)) == default_frame(ViscousBurgers(viscosity=0.0)) == Lagrangian()


def test_the_problem_that_was_given_stays_and_its_transformation_has_a_name() -> None:
    problem = Channel()
    made = characteristics(problem, Lagrangian(), 1)
    assert made.problem is problem and isinstance(made.labelled_problem, ThroughFlow)
    assert made.labelled_problem.problem is problem
    assert SpaceTimeSolver(made).labelled_problem is made.labelled_problem
    assert made.shown_problem.startswith("Channel (ThroughFlow: labels of what flows in, in Box([-0.63")
    other = characteristics(problem, Eulerian(), 1)
    assert other.labelled_problem is problem and other.shown_problem == "Channel"


def test_frames_that_keep_their_labels_have_no_map_of_them() -> None:
    with pytest.raises(InputError, match="the frame Ale keeps its labels from slab to slab"):
        Ale().slab_map(characteristics(Convection(), Ale(), 1), [], 0)


@pytest.mark.parametrize("frame", [Lagrangian(), Ale(0.5), Rezoned(), Eulerian(), HalfDrift(), Slower(0.75)])
def test_frames_print_how_their_labels_move_and_their_settings(frame: Frame) -> None:
    title, *rows = str(frame).splitlines()
    assert title == f"Frame {type(frame).__name__}" and rows[0].startswith("  velocity of the labels")
    assert ("0.5" in rows[-1]) == (frame == Ale(0.5))
    assert (rows[-1].split() == ["share", "0.75"]) == isinstance(frame, Slower)


def test_problems_and_solvers_print_themselves_as_tables() -> None:
    text = str(Convection(50.0, 0.1))
    assert "u_t + velocity(x, t) . grad u = viscosity Laplace u" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("  speed")] == ["50"]
    made: Characteristics = characteristics(Convection(), Ale(), 1, slabs=3)
    solver = SpaceTimeSolver(made, rounds=7, points=CollocationPoints(40))
    rows = dict(line.strip().split("   ", 1) for line in str(solver).splitlines()[1:] if "   " in line.strip())
    assert {name: rows[name].strip() for name in ("problem", "time slabs", "rounds of each")} == {
        "problem": "Convection",
        "time slabs": "3",
        "rounds of each": "7",
    }
    report = next(solver.run())[1]
    assert repr(report).splitlines()[0] == "Round 1" and f"{report.rms:.2e}" in repr(report)
    assert str(report).startswith("round 1, slab 0: residual ")
