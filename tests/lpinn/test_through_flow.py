"""What flows into an interval is labelled beforehand: entry times, jumps, sources, fields in the Lagrangian frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Channel,
    CollocationPoints,
    Eulerian,
    Lagrangian,
    LeastSquaresRounds,
    SpaceTimeField,
    SpaceTimeSolver,
    ThroughFlow,
    TransportProblem,
    relative_error,
)
from sciml.lpinn.networks import start_at_zero
from sciml.numerics.derivatives import jet_of
from sciml.numerics.least_squares import LevenbergMarquardt
from tests.lpinn.maps import characteristics

X = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None]


class Wind(TransportProblem):
    """A wind over [0, 1], any part of which may be changed."""

    domain, duration, passive = Box([0.0], [1.0]), 0.8, True

    def __init__(self, **parts: Any) -> None:
        for name, part in parts.items():
            setattr(self, name, part)

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return 1 + 0 * x

    def initial(self, x: Tensor) -> Tensor:
        return torch.cos(3 * x)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(5 * t) + x


def upstream(problem: ThroughFlow, count: int = 40, number: int = 0) -> Tensor:
    """Labels between the face of an entry and its far end, both left out."""
    entry = problem.entries[number]
    share = (torch.arange(count, dtype=torch.float64)[:, None] + 0.5) / count
    return entry.face.place + share * (entry.far - entry.face.place)


def carried(problem: TransportProblem, labels: Tensor, end: Tensor, steps: int = 400) -> tuple[Tensor, Tensor]:
    """Place and value of labels at times, by the classical method of fourth order."""
    state, zero = (labels, problem.initial(labels)), 0 * end

    def rate(share: float, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        added = problem.source(x, end * share, u)
        return end * problem.velocity(x, end * share, u), end * (zero if added is None else added)

    def moved(by: float, slopes: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return tuple(part + by * slope for part, slope in zip(state, slopes, strict=True))

    for number in range(steps):
        at, step = number / steps, 1 / steps
        k1 = rate(at, *state)
        k2 = rate(at + step / 2, *moved(step / 2, k1))
        k3 = rate(at + step / 2, *moved(step / 2, k2))
        k4 = rate(at + step, *moved(step, k3))
        mean = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
        state = moved(step, mean)
    return state


FLOWS: dict[str, tuple[TransportProblem, str]] = {
    "drawn out": (Channel(1.0, 1.0), "formula"),
    "squeezed": (Channel(1.5, -1.0), "formula"),
    "held at the face": (Channel(1.0, 1.0), "face"),
    "gusts": (Wind(velocity=lambda x, t, u: (1 + torch.sin(x) / 2) * (1 + torch.cos(7 * t) / 2)), "formula"),
    "from the right": (Wind(velocity=lambda x, t, u: torch.cos(t) * (x - 3)), "formula"),
    "from both sides": (Wind(velocity=lambda x, t, u: torch.cos(3 * (x + 0.02)) + 0 * t), "formula"),
    "source": (Wind(source=lambda x, t, u: torch.cos(4 * t) * u + x), "formula"),
    "by value": (
        Wind(passive=False, velocity=lambda x, t, u: 2 + u / 4, inflow=lambda x, t: torch.sin(2 * t) + 0 * x),
        "formula",
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_labels_arrive_at_the_face_at_their_time_with_the_value_there(name: str) -> None:
    given, beyond = FLOWS[name]
    problem = ThroughFlow(given, beyond)
    problem.check()
    assert len(problem.entries) == (2 if name == "from both sides" else 1)
    for number, entry in enumerate(problem.entries):
        labels = upstream(problem, number=number)
        times = torch.from_numpy(entry.times(labels.numpy()))
        assert float(times.min()) > 0 and float(times.max()) < problem.duration
        place, value = carried(problem, labels, times)
        torch.testing.assert_close(place, torch.full_like(place, entry.face.place), rtol=0, atol=1e-9)
        torch.testing.assert_close(value, given.inflow(place, times), rtol=0, atol=1e-8)


def test_labels_begin_where_what_enters_at_the_end_comes_from() -> None:
    problem = ThroughFlow(Channel(1.0, 1.0))
    assert problem.labels.lower[0] == pytest.approx(math.exp(-1) - 1, abs=1e-12)
    assert problem.labels.upper == (1.0,)
    assert ThroughFlow(Channel(1.0, 1.0), "face").labels.lower[0] == pytest.approx(-1.0, abs=1e-12)
    both = ThroughFlow(FLOWS["from both sides"][0]).labels
    assert both.lower[0] < 0 and both.upper[0] > 1
    leaving = ThroughFlow(Wind(velocity=lambda x, t, u: x - 0.5))
    assert leaving.labels.lower == (0.0,) and not leaving.entries


def test_the_start_inside_is_that_of_the_problem_and_upstream_the_signal_by_entry_time() -> None:
    given = Channel(1.0, 1.0, frequency=3.0)
    problem = ThroughFlow(given)
    assert torch.equal(problem.initial(X), given.initial(X))
    labels = upstream(problem)
    expected = torch.sin(-6 * math.pi * torch.log1p(labels))
    torch.testing.assert_close(problem.initial(labels), expected, rtol=0, atol=1e-11)


def test_derivatives_of_the_start_go_through_the_entry_time() -> None:
    problem = ThroughFlow(Channel(1.0, 1.0, frequency=1.0))
    labels = upstream(problem)
    jet = jet_of(problem.initial, labels, 2)
    angle, omega = -2 * math.pi * torch.log1p(labels), 2 * math.pi
    first = -omega / (1 + labels) * torch.cos(angle)
    second = omega / (1 + labels) ** 2 * (torch.cos(angle) - omega * torch.sin(angle))
    torch.testing.assert_close(jet.first[0], first, rtol=0, atol=1e-8)
    torch.testing.assert_close(jet.second[0], second, rtol=0, atol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Fields


def fitted(problem: TransportProblem) -> SpaceTimeField:
    """In the Lagrangian frame, by a small network that begins at 0."""
    made = characteristics(problem, Lagrangian(), 1, width=6)
    start_at_zero(made.network.module)
    method = LevenbergMarquardt(1e-7, 25, damping=1e-3, increase=2.0, trials=20, patience=10)
    ((state, _),) = SpaceTimeSolver(made, 1, LeastSquaresRounds(method), CollocationPoints(200)).run()
    return SpaceTimeField(made, state.weights)


def test_the_lagrangian_frame_labels_by_itself_and_carries_the_jump_exactly() -> None:
    problem = Channel(1.0, 0.0, frequency=2.0, duration=0.6)
    field = fitted(problem)
    assert field.problem is problem
    assert isinstance(field.characteristics.labelled_problem, ThroughFlow)
    assert relative_error(field, [0.2, 0.4, 0.6], X[1::2]) < 1e-12
    front = 0.6  # of the start, which was 1 where the signal was 0
    sides = torch.tensor([[front - 1e-9], [front + 1e-9]], dtype=torch.float64)
    below, above = field(sides, 0.6)[:, 0].tolist()
    assert below == pytest.approx(0.0, abs=1e-7)
    assert above == pytest.approx(1.0, abs=1e-7)


def test_a_flow_that_draws_out_is_learned_and_a_jump_is_no_trouble() -> None:
    problem = Channel(duration=0.5)
    field = fitted(problem)
    assert relative_error(field, [0.1, 0.3, 0.5], X) < 1e-3


def test_the_smallest_stretch_is_that_of_all_labels_upstream_included() -> None:
    problem = Wind(velocity=lambda x, t, u: 1 + 0.5 * x.square(), duration=0.5)
    field = fitted(problem)
    labels = torch.linspace(*field.label_box.lower, 1.0, 401, dtype=torch.float64)[:, None]
    everywhere = field.characteristics.evaluate(field.weights, labels, 0.5)[2].min()
    inside = field.characteristics.evaluate(field.weights, X, 0.5)[2].min()
    assert float(field.stretch(0.5)) == pytest.approx(float(everywhere), abs=2e-3)
    assert float(everywhere) < float(inside) - 0.01


def test_values_that_come_from_both_sides_meet_nothing_that_was_not_fitted() -> None:
    problem = FLOWS["from both sides"][0]
    field = fitted(problem)
    x = torch.tensor([[0.01], [0.99]], dtype=torch.float64)
    labels = field.labels(x, 0.7)
    assert float(labels[0]) < 0 and float(labels[1]) > 1
    assert bool(field(X, 0.8).isfinite().all())


def test_what_follows_the_flow_agrees_with_labels_that_stay() -> None:
    """Two ways of one problem: what enters by rows on the face, or by labels from upstream."""
    problem = Wind(initial=lambda x: -torch.sin(3 * x), inflow=lambda x, t: torch.sin(3 * t) + 0 * x, duration=0.5)
    made = characteristics(problem, Eulerian(), 1, width=8)
    start_at_zero(made.network.module)
    ((state, _),) = SpaceTimeSolver(made, 1, points=CollocationPoints(200, boundary=40)).run()
    moving = fitted(problem)
    torch.testing.assert_close(SpaceTimeField(made, state.weights)(X, 0.5), moving(X, 0.5), rtol=0, atol=5e-3)
    torch.testing.assert_close(moving(X, 0.5), torch.sin(3 * (0.5 - X)), rtol=0, atol=1e-10)


# ---------------------------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (
            Wind(viscosity=0.1),
            "inflow can be labelled without viscosity only, but that of Wind is 0.1; use the frame Eulerian",
        ),
        (Wind(domain=Box([0.0], [2 * math.pi / 3], True)), "labelled on intervals only, but the domain of Wind is Box"),
        (
            Wind(velocity=lambda x, t, u: torch.cos(4 * t) + 0 * x),
            "enters at 0 at some times and stands still or leaves",
        ),
        (Wind(inflow=lambda x, t: None), "inflow of Wind returned None, expected finite values of shape"),
        (Wind(inflow=lambda x, t: torch.log(-t)), "inflow of Wind returned values of shape .* or not finite"),
        (
            Wind(velocity=lambda x, t, u: 1 + 0 * torch.log(x + 0.1)),
            "cannot be followed back from 0.*; set beyond to .face",
        ),
        (
            Wind(passive=False, velocity=lambda x, t, u: u, inflow=lambda x, t: 1 - t + 0 * x),
            "characteristics cross before they enter at 0",
        ),
        (Wind(velocity=lambda x, t, u: 1 + 0.5 * (t - 0.31).abs() + 0 * x), "do not depend smoothly on the time"),
    ],
)
def test_what_cannot_be_labelled_is_refused(problem: TransportProblem, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ThroughFlow(problem)


def test_another_way_beyond_is_refused() -> None:
    with pytest.raises(InputError, match="beyond is 'nothing', expected one of formula, face"):
        ThroughFlow(Channel(), "nothing")


def test_frames_that_only_drift_are_told_which_ones_take_inflow() -> None:
    with pytest.raises(InputError, match="use the frame Lagrangian without viscosity, or Eulerian"):
        characteristics(Channel(), Ale(), 1)
    with pytest.raises(InputError, match="inflow can be labelled without viscosity only"):
        characteristics(Wind(viscosity=0.1), Lagrangian(), 2)


def test_a_flow_that_stops_upstream_takes_the_speed_of_the_face() -> None:
    given = Wind(velocity=lambda x, t, u: torch.sqrt(x + 0.1))
    problem = ThroughFlow(given, "face")
    assert problem.labels.lower[0] == pytest.approx(-0.8 * math.sqrt(0.1), abs=1e-12)
    assert np.isfinite(problem.initial(upstream(problem)).numpy()).all()
