"""Read-out: Newton's method finds the labels, slabs compose to one map, and what has no value is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from sciml.domains import Box
from sciml.errors import CharacteristicCrossingError, InputError, PoorFitError
from sciml.lpinn import (
    Ale,
    Characteristics,
    Convection,
    Eulerian,
    Lagrangian,
    SolidBodyRotation,
    SpaceTimeField,
    StandardBurgers,
    TransportProblem,
    VariableConvection,
    ViscousBurgers,
    relative_error,
)
from sciml.numerics.derivatives import Jet, coordinates, jet_of
from sciml.numerics.flat import FlatModule
from tests.lpinn.maps import characteristics, random_weights


class Known(nn.Module):
    """A network that is a known function of label and scaled time, times its only weight."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.factor = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def function(self, points: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        jet = jet_of(self.function, points, order or 0, directions)
        jet = Jet(self.factor * jet.rows, jet.order)
        return jet.value if order is None else jet


class Wave(Known):
    """sin(label), and nothing for the state."""

    def function(self, points: Tensor) -> Tensor:
        return torch.cat([torch.sin(points[:, :1])] + [0 * points[:, :1]] * (self.outputs - 1), 1)


class Turn(Known):
    """A rotation as displacement over elapsed time and speed."""

    def __init__(self, made_for: SolidBodyRotation, slabs: int) -> None:
        super().__init__(3, 2)
        self.problem, self.slabs, self.speed, self.drift = made_for, slabs, 1.0, made_for.drift()

    def function(self, points: Tensor) -> Tensor:
        elapsed = points[:, 2] * self.problem.duration / self.slabs
        moved = self.problem.flow.map(points[:, :2], 0.0, elapsed)
        safe = torch.where(elapsed == 0, torch.ones_like(elapsed), elapsed)[:, None]
        share = torch.where(elapsed[:, None] == 0, torch.zeros_like(moved), (moved - points[:, :2]) / safe - self.drift)
        return share / self.speed


def waving(amplitude: float, mean: float = 0.0, duration: float = 1.0) -> tuple[SpaceTimeField, Characteristics]:
    """X = label + t (mean + amplitude sin label): characteristics of Burgers' equation without viscosity."""
    problem = ViscousBurgers(mean, 0.0, sines=(amplitude,), duration=duration)
    made = Characteristics(problem, Lagrangian(), FlatModule(Wave(2, 1)))
    return SpaceTimeField(made, torch.full((1, 1), amplitude / made.speed, dtype=torch.float64)), made


CIRCLE = torch.linspace(0, 2 * math.pi, 301, dtype=torch.float64)[:-1, None]


# ---------------------------------------------------------------------------------------------------------------------
# Labels


@pytest.mark.parametrize("mean", [0.0, -3.0, 50.0])
@pytest.mark.parametrize("amplitude", [0.4, 0.9, -0.9])
def test_newtons_method_recovers_labels_to_rounding(amplitude: float, mean: float) -> None:
    field, _ = waving(amplitude, mean)
    position = CIRCLE + mean + amplitude * torch.sin(CIRCLE)
    found = field.labels(position, 1.0)
    steepest = 1 / (1 - abs(amplitude))  # errors of the position grow by it
    assert float((found - CIRCLE).abs().max()) < 1e-13 * steepest * max(1.0, abs(mean) / 5)


def test_burgers_equation_without_viscosity_is_read_out_exactly_before_the_front() -> None:
    field, made = waving(1.0, 2.0, duration=0.95)
    assert relative_error(field, [0.0, 0.4, 0.8], CIRCLE) < 1e-13
    assert float(field.stretch(0.8)) == pytest.approx(0.2, rel=1e-3)
    assert float(field.stretch(0.0)) == 1.0
    assert made.problem.exact(CIRCLE, 0.8) is not None


def test_points_a_period_apart_have_one_value() -> None:
    field, _ = waving(0.8, 3.0)
    for turns in (-2, 1, 5):
        moved = CIRCLE + 2 * math.pi * turns
        torch.testing.assert_close(field(moved, 0.9), field(CIRCLE, 0.9), rtol=0, atol=1e-12)


def test_at_the_start_the_field_is_the_start() -> None:
    for made in (
        characteristics(ViscousBurgers(2.0, 0.1), Lagrangian(), 2, 2),
        characteristics(VariableConvection(), Lagrangian(), 1, 3),
        characteristics(ViscousBurgers(2.0, 0.1), Eulerian(), 1),
    ):
        found = SpaceTimeField(made, random_weights(made))(CIRCLE, 0.0)
        torch.testing.assert_close(found, made.problem.initial(CIRCLE), rtol=0, atol=1e-12)


def test_labels_are_followed_to_where_they_are_found() -> None:
    for made in (
        characteristics(ViscousBurgers(2.0, 0.1), Lagrangian(), 2, 2),
        characteristics(VariableConvection(), Lagrangian(), 1, 3),
    ):
        field, time = SpaceTimeField(made, random_weights(made, 0.01)), 0.7 * made.problem.duration
        position, state = field.follow(CIRCLE, time)
        torch.testing.assert_close(field(position, time), state, rtol=0, atol=1e-11)


@pytest.mark.parametrize("slabs", [1, 3])
def test_relaxed_labels_of_the_plane_are_found_where_they_were_followed_to(slabs: int) -> None:
    made = characteristics(SolidBodyRotation(0.01, duration=0.4), Ale(0.3), 3, slabs)
    field = SpaceTimeField(made, random_weights(made, 0.02))
    labels = torch.rand(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    for time in (0.1, 0.4):
        position, state = field.follow(labels, time)
        torch.testing.assert_close(field.labels(position, time), labels, rtol=0, atol=1e-12)
        torch.testing.assert_close(field(position, time), state, rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# Slabs


@pytest.mark.parametrize("slabs", [1, 4, 5])
def test_maps_of_slabs_compose_to_one(slabs: int) -> None:
    problem = SolidBodyRotation(duration=1.25)
    net = Turn(problem, slabs)
    made = Characteristics(problem, Lagrangian(), FlatModule(net), slabs)
    net.speed = made.speed
    field = SpaceTimeField(made, torch.ones(slabs, 1, dtype=torch.float64))
    x = problem.domain.interior(80, torch.Generator().manual_seed(0), kind="uniform")
    times = [0.0, 0.1, 0.25, 0.3, 0.5, 0.77, 1.0, 1.25]
    assert made.restarts
    for time in times:
        assert float((field(x, time) - problem.exact(x, time)).abs().max()) < 1e-11
    assert relative_error(field, times, x) < 1e-11
    home = field.follow(x, 1.0)[0]
    assert float((home - x).abs().max()) < 1e-11  # a revolution


def test_without_motion_labels_only_drift() -> None:
    problem = ViscousBurgers(50.0, 0.05)
    for frame, speed in ((Ale(), 50.0), (Eulerian(), 0.0)):
        made = characteristics(problem, frame, 1)
        found = SpaceTimeField(made, random_weights(made)).labels(CIRCLE, 0.5)
        torch.testing.assert_close(found, CIRCLE - 0.5 * speed, rtol=0, atol=1e-12)


@pytest.mark.parametrize("speed", [1.0, 50.0, 1000.0, 1e6])
def test_however_fast_the_frame_is_it_is_read_out(speed: float) -> None:
    made = characteristics(Convection(speed), Lagrangian(), 2)
    field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
    assert relative_error(field, [0.0, 0.3, 1.0], CIRCLE) < 1e-15 * max(speed, 10.0)


# ---------------------------------------------------------------------------------------------------------------------
# What has no value


def test_characteristics_that_have_crossed_are_an_error_not_an_interpolation() -> None:
    field, _ = waving(1.0, 0.0, duration=2.0)
    field(CIRCLE, 0.99)
    words = (
        r"crossed before t = 1\.5 near the label 3\.1.*J runs from -0\.5 to 2\.5, and the residual .* is \d.*e-1\d.*Ale"
    )
    with pytest.raises(CharacteristicCrossingError, match=words):
        field(CIRCLE, 1.5)
    assert float(field.stretch(1.5)) == pytest.approx(-0.5, rel=1e-3)


def test_labels_of_a_table_too_coarse_for_a_fold_are_found_out() -> None:
    field, _ = waving(1.0, 0.0, duration=2.0)
    within = torch.tensor([[math.pi]], dtype=torch.float64)
    with pytest.raises(CharacteristicCrossingError):
        field(within, 1.0001)  # the fold is narrower than a cell of the table


class Smooth(TransportProblem):
    """u_t + (1 + 0.3 sin x) u_x = 0.01 u_xx: a speed without shocks."""

    domain, viscosity, duration = Box([0.0], [2 * math.pi], True), 0.01, 2.0

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return 1 + 0.3 * torch.sin(x)

    def initial(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def test_folds_of_a_poor_fit_are_not_called_crossed_characteristics() -> None:
    made = Characteristics(Smooth(), Lagrangian(), FlatModule(Wave(2, 2)))
    field = SpaceTimeField(made, torch.full((1, 1), 0.9 / made.speed, dtype=torch.float64))
    assert float(field.stretch(2.0)) < 0  # the fitted map folds, the flow does not
    words = (
        r"^the fit is too poor to find the labels of some points at t = 2: the residual of the time slab 0 is \d\S*, "
        r"expected at most 0\.01 \(J runs from -0\.8 to 2\.8\); train longer, .* more time slabs; .* Ale or Eulerian\.$"
    )
    with pytest.raises(PoorFitError, match=words):
        field(CIRCLE, 2.0)


def test_labels_that_newtons_method_misses_without_a_fold_are_not_crossed_either(monkeypatch) -> None:
    monkeypatch.setattr("sciml.lpinn.readout.field.NEWTON", 1)
    field, _ = waving(0.9)
    with pytest.raises(PoorFitError, match=r"no characteristics have met \(J runs from 0\.1 to 1\.9\) .* residual"):
        field(CIRCLE, 1.0)


class Folded(Known):
    """x -> x + 2 sin x along the first axis of a plane."""

    def function(self, points: Tensor) -> Tensor:
        return torch.cat([torch.sin(points[:, :1]), 0 * points[:, :1]], 1)


class Plane(TransportProblem):
    """Carried along the first axis by a wave."""

    domain, passive = Box([0.0, 0.0], [2 * math.pi, 1.0], True), True

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.cat([torch.sin(x[:, :1]), 0 * u], 1)

    def initial(self, x: Tensor) -> Tensor:
        return torch.cos(x[:, :1])


def test_labels_behind_a_fold_of_the_plane_are_refused() -> None:
    made = Characteristics(Plane(), Lagrangian(), FlatModule(Folded(3, 2)))
    for amplitude, folded in ((0.5, False), (2.0, True)):
        field = SpaceTimeField(made, torch.full((1, 1), amplitude / made.speed, dtype=torch.float64))
        x = torch.tensor([[math.pi, 0.3]], dtype=torch.float64)
        if folded:
            with pytest.raises(PoorFitError, match=r"residual of the time slab 0 is 1\.1.*J runs from -1 to 3"):
                field(x, 1.0)  # the flow of this velocity has no folds: the map is no solution
        else:
            assert float(field(x, 1.0)) == pytest.approx(-1.0)


class Law(TransportProblem):
    """u_t + (u, u) . grad u = 0 in the plane; its characteristics cross at t = 1."""

    domain = Box([0.0, 0.0], [2 * math.pi, 2 * math.pi], True)

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.cat([u, u], 1)

    def initial(self, x: Tensor) -> Tensor:
        return torch.sin(x[:, :1] + x[:, 1:]) / 2 + 3


class Lines(Known):
    """Of this law: displacement by the start beside its mean."""

    def function(self, points: Tensor) -> Tensor:
        return (torch.sin(points[:, :1] + points[:, 1:2]) / 2).expand(-1, 2)


@pytest.mark.parametrize("time", [0.3, 0.9])
def test_labels_of_a_law_in_the_plane_are_found_up_to_the_front(time: float) -> None:
    problem = Law()
    made = Characteristics(problem, Lagrangian(), FlatModule(Lines(3, 2)))
    field = SpaceTimeField(made, torch.full((1, 1), 1 / made.speed, dtype=torch.float64))
    labels = problem.domain.interior(60, torch.Generator().manual_seed(0), kind="uniform")
    position = labels + time * (problem.initial(labels) - 3 + made.drift)  # the mean of points is 3 to 1e-5
    assert float((field.labels(position, time) - labels).abs().max()) < 1e-12
    torch.testing.assert_close(field(position, time), problem.initial(labels), rtol=0, atol=1e-12)


def test_times_outside_of_the_duration_have_no_field() -> None:
    field, _ = waving(0.4)
    for time in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match=r"the time is .*, expected 0 to 1\."):
            field(CIRCLE, time)


def test_points_outside_of_a_box_that_is_not_periodic_have_no_field() -> None:
    problem = SolidBodyRotation()
    made = characteristics(problem, Lagrangian(), 2)
    field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
    for x in ([1.01, 0.0], [0.0, -7.0], [math.nan, 0.0], [math.inf, 0.0]):
        with pytest.raises(InputError, match="some points are outside of the domain, expected all inside"):
            field(torch.tensor([[0.0, 0.0], x], dtype=torch.float64), 0.0)


def test_points_of_another_dimension_are_refused() -> None:
    field, _ = waving(0.4)
    for x in (CIRCLE[:, 0], torch.zeros(3, 2)):
        with pytest.raises(InputError, match=r"the shape of the points is .*, expected \(number of points, 1\)"):
            field(x, 0.5)


class Leaving(TransportProblem):
    """Moves to the right through a box, from a start that is known in the box alone."""

    domain, passive = Box([0.0], [1.0]), True
    duration = 0.5

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.ones_like(x)

    def initial(self, x: Tensor) -> Tensor:
        return x.square()


class Entering(Leaving):
    """The same, with labels from as far as they come."""

    @property
    def labels(self) -> Box:
        return Box([-0.5], [1.0])


def test_points_whose_labels_were_never_fitted_are_refused() -> None:
    x = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
    for problem, frame, outputs in ((Leaving(), Lagrangian(), 1), (Leaving(), Ale(), 1)):
        made = characteristics(problem, frame, outputs)
        field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
        field(x[5:], 0.5)
        with pytest.raises(InputError, match=r"some points at t = 0\.5 come from outside of the box of labels Box"):
            field(x, 0.5)
    made = characteristics(Entering(), Lagrangian(), 1)
    field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
    torch.testing.assert_close(field(x, 0.5), (x - 0.5).square(), rtol=0, atol=1e-13)


# ---------------------------------------------------------------------------------------------------------------------
# Errors


def test_errors_are_relative_to_the_fluctuation() -> None:
    class Off(Wave):
        def function(self, points: Tensor) -> Tensor:
            return 0 * points[:, :1] + 0.01

    for mean in (0.0, 50.0):
        problem = ViscousBurgers(mean, 1.0)
        made = Characteristics(problem, Eulerian(), FlatModule(Off(2, 1)))
        field = SpaceTimeField(made, torch.ones(1, 1, dtype=torch.float64))
        exact = problem.exact(CIRCLE, 0.5)
        expected = float((field(CIRCLE, 0.5) - exact).norm() / (exact - mean).norm())
        assert relative_error(field, [0.5], CIRCLE) == pytest.approx(expected, rel=1e-6)


def test_there_is_no_error_without_an_exact_solution_or_of_a_constant() -> None:
    made = characteristics(Leaving(), Lagrangian(), 1)
    field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
    with pytest.raises(InputError, match="Leaving has no exact solution"):
        relative_error(field, [0.1], CIRCLE[:3] / 10)
    flat = characteristics(ViscousBurgers(1.0, 0.1, sines=(0.0,)), Eulerian(), 1)
    field = SpaceTimeField(flat, torch.zeros(1, flat.network.count, dtype=torch.float64))
    with pytest.raises(InputError, match="the exact solution is constant"):
        relative_error(field, [0.0], CIRCLE)


def test_the_standard_case_is_read_out_at_both_ends() -> None:
    made = characteristics(StandardBurgers(), Ale(0.1), 2)
    field = SpaceTimeField(made, torch.zeros(1, made.network.count, dtype=torch.float64))
    ends = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    assert float(field(ends, 0.5).abs().max()) < 1e-12
    assert torch.equal(coordinates(ends).value, ends)
