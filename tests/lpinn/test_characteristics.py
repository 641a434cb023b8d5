"""Characteristics: starts and periods hold for any weights, slabs join, derivatives are those of what is evaluated."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn import (
    Ale,
    Characteristics,
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
from sciml.lpinn.frames import residuals
from sciml.numerics.flat import FlatModule
from tests.lpinn.maps import characteristics, directions, network, random_weights, space_time

# problem, frame, outputs of the network
MADE: dict[str, tuple[TransportProblem, Frame, int]] = {
    "convection": (Convection(50.0, 0.1), Lagrangian(), 2),
    "map alone": (VariableConvection(), Lagrangian(), 1),
    "burgers": (ViscousBurgers(3.0, 0.1, cosines=(0.2,), duration=0.5), Lagrangian(), 2),
    "burgers, label": (ViscousBurgers(3.0, 0.1, duration=0.5), Lagrangian("label"), 2),
    "mean": (ViscousBurgers(50.0, 0.05), Ale(), 1),
    "relaxed": (ViscousBurgers(1.0, 0.05), Ale(0.2), 2),
    "still": (ViscousBurgers(1.0, 0.05), Eulerian(), 1),
    "plane": (SolidBodyRotation(0.01), Lagrangian(), 3),
    "swirl": (DeformationalSwirl(), Lagrangian(), 2),
}
each = pytest.mark.parametrize("name", MADE)


def made_of(name: str, slabs: int = 1, frame: Frame | None = None) -> Characteristics:
    problem, given, outputs = MADE[name]
    return characteristics(problem, frame or given, outputs, slabs)


@each
def test_starts_hold_exactly_for_any_weights(name: str) -> None:
    made = made_of(name)
    labels = space_time(made.problem)[:, :-1]
    position, state, deformation = made.evaluate(random_weights(made), labels, 0.0)
    assert torch.equal(position, labels)
    assert float((state - made.problem.initial(labels)).abs().max()) < 1e-15
    assert torch.equal(deformation, torch.eye(made.problem.domain.dim).double().expand_as(deformation))


@pytest.mark.parametrize("name", [name for name in MADE if all(MADE[name][0].domain.periodic)])
@pytest.mark.parametrize("slabs", [1, 3])
def test_labels_one_period_apart_stay_so_and_carry_the_same(name: str, slabs: int) -> None:
    made = made_of(name, slabs)
    weights, period = random_weights(made, 0.3), made.problem.domain.measure
    labels, time = space_time(made.problem)[:, :-1], 0.8 * made.problem.duration
    position, state, deformation = made.evaluate(weights, labels, time)
    further = made.evaluate(weights, labels + period, time)
    assert float((further[0] - position - period).abs().max()) < 1e-13 * max(1.0, float(position.abs().max()))
    torch.testing.assert_close(further[1], state, rtol=0, atol=1e-12)
    torch.testing.assert_close(further[2], deformation, rtol=0, atol=1e-12)


@each
def test_slabs_join(name: str) -> None:
    made = made_of(name, 3)
    weights, labels = random_weights(made, 0.3), space_time(made.problem)[:, :-1]
    for slab in (1, 2):
        edge = slab * made.length
        assert made.slab_of(edge) == slab and made.slab_of(edge - 1e-9) == slab - 1
        before = made.between(weights[slab - 1], slab - 1, labels, edge, made.initial(weights, slab - 1, labels, 2))
        position, state, deformation = made.evaluate(weights, labels, edge)
        if made.restarts:
            assert torch.equal(position, labels)
            continue
        torch.testing.assert_close(position, before[0].value, rtol=1e-15, atol=1e-15)
        torch.testing.assert_close(state, before[1].value, rtol=1e-15, atol=1e-15)
        dim = labels.shape[1]
        torch.testing.assert_close(deformation, before[0].first[:dim].permute(1, 2, 0), rtol=1e-14, atol=1e-14)
        start = made.initial(weights, slab, labels, 2)
        for found, given in zip(start, before, strict=True):
            torch.testing.assert_close(found.rows, given.rows, rtol=1e-14, atol=1e-14)


def test_labels_begin_anew_only_where_the_map_carries_everything() -> None:
    assert made_of("map alone").restarts and made_of("swirl").restarts
    assert not any(made_of(name).restarts for name in MADE if name not in ("map alone", "swirl"))


@each
@pytest.mark.parametrize("slabs", [1, 2])
def test_motions_are_the_nested_derivatives_of_what_is_evaluated(name: str, slabs: int) -> None:
    made, slab = made_of(name, slabs), slabs - 1
    weights, dim = random_weights(made, 0.3), made.problem.domain.dim
    points = space_time(made.problem, 5)
    points[:, -1] = (points[:, -1] + slab * made.problem.duration) / slabs

    def both(point: Tensor) -> Tensor:
        at = point[None]
        motion = made.motion(weights[slab], slab, at, made.initial(weights, slab, at[:, :-1], 0))
        return torch.cat([motion.position.value, motion.state.value], 1)[0]

    motion = made.motion(weights[slab], slab, points, made.initial(weights, slab, points[:, :-1], 2))
    along = directions(dim, 2)
    first, second = vmap(jacfwd(both))(points), vmap(hessian(both))(points)
    close = {"rtol": 1e-9, "atol": 1e-9}
    for jet, rows in ((motion.position, slice(0, dim)), (motion.state, slice(dim, None))):
        torch.testing.assert_close(jet.value, vmap(both)(points)[:, rows], **close)
        torch.testing.assert_close(jet.first, torch.einsum("ncd,kd->knc", first[:, rows], along), **close)
        expected = torch.einsum("ncde,kd,ke->knc", second[:, rows], along, along)
        size = float(expected.abs().max()) + 1
        torch.testing.assert_close(jet.second / size, expected / size, **close)


@pytest.mark.parametrize("speed", [1.0, 50.0, 1000.0])
def test_straight_characteristics_need_no_training(speed: float) -> None:
    made = characteristics(Convection(speed), Lagrangian(), 2)
    points = space_time(made.problem)
    weights = torch.zeros(1, made.network.count, dtype=torch.float64)
    found = made.residuals(weights[0], 0, points, made.initial(weights, 0, points[:, :-1], 1))
    assert found.shape == (50, 2)
    assert not found.any()
    position, state, _ = made.evaluate(weights, points[:, :1], 0.7)
    assert float((position - points[:, :1] - 0.7 * speed).abs().max()) < 1e-15 * speed
    assert torch.equal(state, torch.sin(points[:, :1]))


def test_residuals_are_of_size_one_where_everything_moves_and_changes() -> None:
    made = made_of("burgers")
    points = space_time(made.problem)
    weights = random_weights(made)
    start = made.initial(weights, 0, points[:, :-1], 2)
    motion = made.motion(weights[0], 0, points, start)
    raw = residuals(made.problem, made.frame, made.drift, motion)
    found = made.residuals(weights[0], 0, points, start)
    low, high = made.problem.initial_series.extremes
    assert made.size == pytest.approx((high - low) / 2, rel=1e-5)
    assert made.speed == pytest.approx(max(high - 3, 3 - low), rel=1e-5)
    torch.testing.assert_close(found[:, :1], raw["position"] / made.speed)
    torch.testing.assert_close(found[:, 1:], raw["state"] * made.problem.duration / made.size)


class Waking(Convection):
    """At rest and the same everywhere at first: a wind and a source set in."""

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return self.speed * torch.sin(math.pi * t) * (1 + torch.cos(x) / 2)

    def initial(self, x: Tensor) -> Tensor:
        return 0 * x

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return 3 * torch.cos(x)


def test_scales_are_those_of_what_will_happen_not_of_the_start_alone() -> None:
    made = characteristics(Waking(4.0), Lagrangian(), 2)
    assert made.speed == pytest.approx(6.0, rel=1e-3)
    assert made.size == pytest.approx(3.0, rel=1e-3)
    entering = characteristics(Inflow(), Eulerian(), 1)
    assert entering.size == pytest.approx((math.sin(1) + math.sin(1)) / 2, rel=1e-2)
    still = characteristics(Convection(0.0), Lagrangian(), 2)
    assert still.speed == 1.0
    assert characteristics(Convection(50.0), Lagrangian(), 2).speed == pytest.approx(5e-5)
    flat = ViscousBurgers(3.0, 0.1, sines=(0.0,))
    assert characteristics(flat, Eulerian(), 1).size == pytest.approx(3e-6)


def test_only_what_is_unknown_has_a_residual() -> None:
    for name, columns in (("convection", 2), ("map alone", 1), ("mean", 1), ("relaxed", 2), ("plane", 3), ("swirl", 2)):
        made = made_of(name)
        points, weights = space_time(made.problem, 3), random_weights(made)
        start = made.initial(weights, 0, points[:, :-1], 2)
        assert made.residuals(weights[0], 0, points, start).shape == (3, columns)


# ---------------------------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("problem", "frame", "outputs", "expected"),
    [
        (ViscousBurgers(), Lagrangian(), 1, "2 outputs for the frame Lagrangian"),
        (ViscousBurgers(), Ale(), 2, "1 outputs for the frame Ale"),
        (ViscousBurgers(), Eulerian(), 3, "1 outputs for the frame Eulerian"),
        (VariableConvection(), Lagrangian(), 3, "1 or 2 outputs for the frame Lagrangian"),
        (VariableConvection(), Ale(0.1), 1, "2 outputs for the frame Ale"),
        (DeformationalSwirl(), Lagrangian(), 1, r"2 or 3 outputs for the frame Lagrangian"),
    ],
)
def test_networks_of_another_shape_are_refused(
    problem: TransportProblem, frame: Frame, outputs: int, expected: str
) -> None:
    with pytest.raises(InputError, match=rf"{outputs} outputs, expected {problem.domain.dim + 1} inputs .*{expected}"):
        characteristics(problem, frame, outputs)


def test_networks_without_time_or_in_single_precision_are_refused() -> None:
    with pytest.raises(InputError, match="the network has 3 inputs and 2 outputs, expected 2 inputs"):
        Characteristics(ViscousBurgers(), Lagrangian(), network(DeformationalSwirl(), 2))
    single = FlatModule(network(ViscousBurgers(), 2).module.float())
    with pytest.raises(InputError, match=r"the network is in torch.float32, expected torch.float64: call double\(\)"):
        Characteristics(ViscousBurgers(), Lagrangian(), single)


@pytest.mark.parametrize("slabs", [0, -1, 1.5, True])
def test_numbers_of_slabs_that_are_none_are_refused(slabs: int) -> None:
    with pytest.raises(InputError, match=r"the number of slabs is .*expected a whole number of at least 1"):
        characteristics(ViscousBurgers(), Lagrangian(), 2, slabs)


class Inflow(Convection):
    """Values come in from the left."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.domain = Box([0.0], [1.0])

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(x - t)


def test_values_on_the_boundary_need_the_eulerian_frame() -> None:
    characteristics(Inflow(), Eulerian(), 1)
    with pytest.raises(InputError, match=r"has values on its boundary, which labels of the frame Ale would leave; use"):
        characteristics(Inflow(), Ale(), 1)


@pytest.mark.parametrize("time", [-0.01, 1.01, math.nan, math.inf])
def test_times_outside_of_the_duration_are_refused(time: float) -> None:
    with pytest.raises(InputError, match=r"the time is .*, expected 0 to 1"):
        made_of("mean").slab_of(time)


def test_the_end_belongs_to_the_last_slab() -> None:
    made = characteristics(VariableConvection(), Lagrangian(), 1, 7)
    assert made.slab_of(made.problem.duration) == 6
    assert [made.slab_of(k * made.length) for k in range(8)] == [0, 1, 2, 3, 4, 5, 6, 6]
