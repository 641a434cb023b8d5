"""Exact solutions make the residuals of every frame vanish, and wrong ones do not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Convection,
    DeformationalSwirl,
    Eulerian,
    Frame,
    Lagrangian,
    SolidBodyRotation,
    TransportProblem,
    VariableConvection,
    ViscousBurgers,
)
from sciml.lpinn.frames import LabelMotion, label_directions, residuals
from sciml.numerics.derivatives import Jet, coordinates, jet_of
from sciml.reference.burgers_cole_hopf import periodic_burgers
from tests.lpinn.maps import Map, differences, directions, motion_of, space_time


def largest(problem: TransportProblem, frame: Frame, motion: LabelMotion, *names: str) -> float:
    """Of the residuals that are asked for, in the frame's own drift; all of them unless named."""
    found = residuals(problem, frame, frame.drift(problem), motion)
    return max(float(found[name].abs().max()) for name in names or found)


def bent(label: Tensor, time: Tensor) -> Tensor:
    """A map of no meaning, with all second derivatives."""
    x = label[:, :1]
    if label.shape[1] == 1:
        return label + 0.3 * time * torch.sin(x)
    y = label[:, 1:]
    return torch.cat([x + 0.2 * time * torch.sin(2 * x + 3 * y), y + 0.2 * time * torch.cos(x - 2 * y) * x], 1)


def still(label: Tensor, time: Tensor) -> Tensor:
    """The map of the Eulerian frame."""
    return label + 0 * time


# ---------------------------------------------------------------------------------------------------------------------
# Exact solutions


@pytest.mark.parametrize("viscosity", [0.0, 0.1])
@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_convection_and_diffusion_at_one_speed_in_every_frame(speed: float, viscosity: float) -> None:
    problem = Convection(speed, viscosity, wave_number=2)

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return torch.exp(-4 * viscosity * t) * problem.initial(x - speed * t)

    points = space_time(problem)
    moved = motion_of(lambda label, t: label + speed * t, exact, points)
    for frame in (Lagrangian(), Lagrangian("label"), Ale(), Ale(0.3)):
        assert largest(problem, frame, moved) < 1e-10 * speed
    assert largest(problem, Eulerian(), motion_of(still, exact, points)) < 1e-10 * speed
    assert largest(problem, Ale(), motion_of(bent, exact, points), "state") < 1e-10 * speed


def test_a_speed_that_varies_in_every_frame() -> None:
    problem = VariableConvection()
    points, flow = space_time(problem), problem.flow

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return problem.initial(flow.map(x, t[:, 0], 0.0))

    def carried(label: Tensor, t: Tensor) -> Tensor:
        return flow.map(label, 0.0, t[:, 0])

    assert largest(problem, Lagrangian(), motion_of(carried, exact, points, 1)) < 1e-10
    assert largest(problem, Eulerian(), motion_of(still, exact, points, 1)) < 1e-10
    assert largest(problem, Ale(), motion_of(lambda label, t: bent(label, t / 3), exact, points, 1), "state") < 1e-10


@pytest.mark.parametrize("mean", [0.0, 50.0])
def test_burgers_equation_without_viscosity_before_characteristics_cross(mean: float) -> None:
    problem = ViscousBurgers(mean, 0.0, cosines=(0.3,), sines=(0.5, 0.1), duration=0.9)
    points = space_time(problem)
    along = directions(1, 1)
    position = jet_of(lambda at: at[:, :1] + at[:, 1:] * problem.initial(at[:, :1]), points, 1, along)
    state = jet_of(lambda at: problem.initial(at[:, :1]), points, 1, along)
    motion = LabelMotion(position, state, points[:, 1:])
    assert float(motion.stretch.min()) > 0.1
    assert largest(problem, Lagrangian(), motion) < 1e-12
    # the same values on labels that move faster are no solution
    shifted = LabelMotion(
        Jet(position.rows + 7 * coordinates(points, 1, along).channel(1).rows, 1), state, points[:, 1:]
    )
    assert largest(problem, Ale(), shifted, "state") > 1
    assert largest(problem, Ale(), motion, "state") < 1e-12


def test_a_revolution_with_diffusion_in_every_frame() -> None:
    problem = SolidBodyRotation(0.01)
    points, flow = space_time(problem), problem.flow

    def exact(x: Tensor, t: Tensor) -> Tensor:
        home = flow.map(x, t[:, 0], 0.0)
        variance = problem.width**2 + 2 * problem.viscosity * t
        square = (home - home.new_tensor(problem.centre)).square().sum(1, keepdim=True)
        return problem.width**2 / variance * torch.exp(-square / (2 * variance))

    turned = motion_of(lambda label, t: flow.map(label, 0.0, t[:, 0]), exact, points)
    assert largest(problem, Lagrangian(), turned) < 1e-10
    assert largest(problem, Lagrangian("label"), turned) < 1e-10  # a rotation keeps the Laplacian
    assert largest(problem, Eulerian(), motion_of(still, exact, points)) < 1e-10
    assert largest(problem, Ale(), motion_of(bent, exact, points), "state") < 1e-10


def test_the_swirl_follows_its_flow_map() -> None:
    problem = DeformationalSwirl()
    points = space_time(problem, 200)
    position = differences(lambda at: problem.flow.map(at[:, :2], 0.0, at[:, 2]), points, 1e-3)
    state = jet_of(lambda at: problem.initial(at[:, :2]), points, 1, directions(2, 1))
    motion = LabelMotion(position, state, points[:, 2:])
    assert largest(problem, Lagrangian(), motion) < 1e-10
    assert largest(problem, Ale(), motion, "state") < 1e-9
    assert float((motion.stretch - 1).abs().max()) < 1e-8  # it keeps areas


# ---------------------------------------------------------------------------------------------------------------------
# Diffusion in space and by label


def burgers_motion(problem: ViscousBurgers, position: Map, count: int = 24) -> LabelMotion:
    def exact(x: Tensor, t: Tensor) -> Tensor:
        return periodic_burgers(x, t, problem.viscosity, problem.initial_series, nodes=301)

    return motion_of(position, exact, space_time(problem, count))


def test_burgers_equation_with_viscosity_on_labels_that_do_not_follow_it() -> None:
    problem = ViscousBurgers(0.0, 0.1)
    motion = burgers_motion(problem, bent)
    assert largest(problem, Ale(), motion, "state") < 1e-7
    # the Lagrangian residual leaves out the transport past labels; with it, only the operator of diffusion differs
    passing = motion.state.value - motion.position.first[-1]
    transport = motion.stretch * (passing * motion.gradient).sum(1, keepdim=True)
    drift = Lagrangian().drift(problem)
    size = {
        kind: float((residuals(problem, Lagrangian(kind), drift, motion)["state"] + transport).abs().max())
        for kind in ("physical", "label")
    }
    assert size["physical"] < 1e-7
    assert size["label"] > 1e-2


class ShearedWave(TransportProblem):
    """Sheared by ``(sin y, 0)`` and diffused, with the source that makes a wave the solution."""

    domain, viscosity, passive = Box([0.0, 0.0], [2 * math.pi, 2 * math.pi], True), 0.2, True

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.stack([torch.sin(x[:, 1]), 0 * x[:, 1]], 1)

    def initial(self, x: Tensor) -> Tensor:
        return self.wave(x, 0 * x[:, :1])

    def wave(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(x[:, :1] + 2 * x[:, 1:] - t)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        slope = torch.cos(x[:, :1] + 2 * x[:, 1:] - t)
        return slope * (torch.sin(x[:, 1:]) - 1) + 5 * self.viscosity * self.wave(x, t)


def test_sheared_labels_need_mixed_derivatives_of_state_and_position() -> None:
    problem = ShearedWave()
    points = space_time(problem)

    def sheared(label: Tensor, t: Tensor) -> Tensor:
        return torch.cat([label[:, :1] + t * torch.sin(label[:, 1:]), label[:, 1:]], 1)

    motion = motion_of(sheared, problem.wave, points)
    assert largest(problem, Lagrangian(), motion) < 1e-12
    assert largest(problem, Lagrangian("label"), motion) > 1e-2
    assert largest(problem, Ale(), motion_of(bent, problem.wave, points), "state") < 1e-12
    assert largest(problem, Eulerian(), motion_of(still, problem.wave, points)) < 1e-12


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_gradient_and_laplacian_in_space_do_not_depend_on_the_map(dim: int) -> None:
    points = torch.rand(40, dim + 1, dtype=torch.float64, generator=torch.Generator().manual_seed(dim))
    pulls = torch.arange(1.0, dim + 1, dtype=torch.float64)

    def folded(label: Tensor, t: Tensor) -> Tensor:
        return label + 0.1 * t * torch.sin(label.roll(1, 1) + 2 * label) * pulls

    def state(x: Tensor, t: Tensor) -> Tensor:
        return torch.exp(0.3 * (x * pulls).sum(1, keepdim=True)) * torch.cos(x[:, :1])

    motion = motion_of(folded, state, points)
    at_positions = motion_of(still, state, torch.cat([motion.position.value, points[:, -1:]], 1))
    gradient = motion.gradient
    torch.testing.assert_close(gradient, at_positions.state.first[:dim, :, 0].T, rtol=1e-11, atol=1e-11)
    expected = at_positions.state.second[:dim].sum(0)
    torch.testing.assert_close(motion.laplacian(gradient), expected, rtol=1e-10, atol=1e-10)


def test_directions_are_the_axes_and_for_second_derivatives_the_sums_of_two() -> None:
    assert label_directions(2, 1).tolist() == [[1, 0], [0, 1]]
    assert label_directions(2, 2).tolist() == [[1, 0], [0, 1], [1, 1]]
    assert len(label_directions(3, 2)) == 6
    assert label_directions(1, 2).tolist() == [[1]]


# ---------------------------------------------------------------------------------------------------------------------
# Frames


def test_the_frames_move_with_the_flow_its_mean_or_not_at_all() -> None:
    problem = ViscousBurgers(50.0, 0.01)
    speed, stretch = torch.tensor([[51.0], [49.0]], dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
    drift = Ale().drift(problem)
    assert float(drift - 50) == pytest.approx(0, abs=1e-12)  # the mean is conserved, and computed
    assert torch.equal(Lagrangian().velocity(drift, speed, stretch), speed)
    assert torch.equal(Ale().velocity(drift, speed, stretch), drift.expand(2, 1))
    assert not Eulerian().drift(problem).any()
    assert Lagrangian.moves and not Eulerian.moves and not Ale().moves and Ale(0.1).moves


def test_relaxed_labels_follow_less_where_they_crowd_and_stop_at_a_fold() -> None:
    drift, speed = torch.zeros(1, dtype=torch.float64), torch.ones(4, 1, dtype=torch.float64)
    stretch = torch.tensor([[9.0], [1.0], [0.1], [-1.0]], dtype=torch.float64)
    found = Ale(0.1).velocity(drift, speed, stretch)
    assert found[:, 0].tolist() == pytest.approx([9 / 9.1, 1 / 1.1, 0.5, 0.0])


def test_a_singular_map_gives_residuals_that_are_not_finite_instead_of_stopping_everything() -> None:
    problem = ViscousBurgers(0.0, 0.1)
    points = space_time(problem, 4)
    motion = motion_of(lambda label, t: 0 * label + t, lambda x, t: torch.sin(x), points)
    assert not residuals(problem, Ale(), torch.zeros(1), motion)["state"].isfinite().any()


def test_frames_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="diffusion is 'eulerian', expected one of physical, label"):
        Lagrangian("eulerian")
    for relaxation in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match=r"the relaxation of a frame is .*, expected a positive number"):
            Ale(relaxation)
