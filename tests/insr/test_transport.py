"""Paths of particles: their order, what happens at walls, and random ones as diffusion."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.domains import Box, MeshDomain
from sciml.domains.walls import continuation
from sciml.errors import InputError
from sciml.insr.integrators.paths import BackTrace, random_feet, trace_back
from sciml.numerics.random import generator

BOX = Box([-4.0, -4.0], [4.0, 4.0])
POINTS = Box([-1.0, -1.0], [1.0, 1.0]).interior(64, generator(0))


def turned(points: Tensor, angle: float) -> Tensor:
    cosine, sine = math.cos(angle), math.sin(angle)
    return points @ torch.tensor([[cosine, sine], [-sine, cosine]], dtype=points.dtype)


def order_of(errors: list[float]) -> float:
    return math.log2(errors[-2] / errors[-1])


@pytest.mark.parametrize(("rule", "order"), [("euler", 1), ("rk2", 2), ("rk4", 4)])
def test_paths_in_a_rotation_end_where_they_should_with_the_order_of_the_rule(rule: BackTrace, order: int) -> None:
    def velocity(points: Tensor, fraction: float) -> Tensor:
        return torch.stack([-points[:, 1], points[:, 0]], 1)

    errors, inside = [], continuation(BOX, "reflect")
    for steps in (8, 16, 32):
        feet = POINTS
        for _ in range(steps):
            feet = trace_back(velocity, feet, 1 / steps, rule, inside)
        errors.append(float((feet - turned(POINTS, -1.0)).norm(dim=1).max()))
    assert order_of(errors) == pytest.approx(order, abs=0.15)


def test_a_velocity_that_changes_during_the_step_is_followed() -> None:
    def velocity(points: Tensor, fraction: float) -> Tensor:
        return (1 + fraction) * torch.ones_like(points)  # its mean is 3/2

    for rule in ("rk2", "rk4"):
        feet = trace_back(velocity, POINTS, 0.5, rule, continuation(BOX, "clamp"))
        assert torch.allclose(feet, POINTS - 0.75)


def test_walls_reflect_periodic_axes_wrap_and_others_clamp() -> None:
    points = torch.tensor([[0.5, 0.5], [1.25, -0.25], [-0.5, 1.5], [2.25, 3.0]], dtype=torch.float64)
    folded, signs = continuation(Box([0, 0], [1, 1]), "reflect")(points)
    assert torch.equal(folded, torch.tensor([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5], [0.25, 1.0]], dtype=torch.float64))
    assert torch.equal(signs[:3], torch.tensor([[1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64))
    assert signs[3, 0] == 1  # reflected twice
    folded, signs = continuation(Box([0, 0], [1, 1], [True, False]), "reflect")(points[1:2])
    assert torch.equal(folded, torch.tensor([[0.25, 0.25]], dtype=torch.float64))
    assert torch.equal(signs, torch.tensor([[1.0, -1.0]], dtype=torch.float64))
    folded, signs = continuation(Box([0, 0], [1, 1]), "clamp")(points)
    assert torch.equal(folded, points.clamp(0, 1)) and bool((signs == 1).all())


def test_paths_do_not_cross_a_wall_that_reflects() -> None:
    inside = continuation(Box([0.0], [1.0]), "reflect")

    def towards(points: Tensor, fraction: float) -> Tensor:
        return torch.sin(math.pi * points)  # 0 on both walls, and odd there

    points = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    feet = trace_back(towards, points, 0.3, "rk4", inside)
    exact = 2 / math.pi * torch.atan(torch.tan(math.pi * points / 2) * math.exp(-0.3 * math.pi))
    assert (feet[:-1] - exact[:-1]).abs().max() < 1e-2
    assert feet.min() > -1e-12 and feet.max() < 1 + 1e-12


def test_a_mean_over_random_paths_is_transport_and_diffusion_to_second_order() -> None:
    # w_t + a x w_x = nu w_xx turns a wave cos(k x) into one of k exp(-a t): strain and diffusion do not commute.
    strain, diffusivity, wave = 0.8, 0.3, 2.0
    inside, errors = continuation(Box([-40.0], [40.0]), "clamp"), []
    points = torch.linspace(-1, 1, 41, dtype=torch.float64)[:, None]
    for length in (0.1, 0.05, 0.025):
        feet, weights = random_feet(lambda x, fraction: strain * x, points, length, diffusivity, inside)
        mean = torch.einsum("k,knm->nm", weights, torch.cos(wave * feet))
        decay = math.exp(-diffusivity * wave**2 * (1 - math.exp(-2 * strain * length)) / (2 * strain))
        errors.append(float((mean - decay * torch.cos(wave * math.exp(-strain * length) * points)).abs().max()))
    assert order_of(errors) > 2.8  # of one step: one more than that of many


def test_weights_of_random_paths_are_positive_and_sum_to_one() -> None:
    feet, weights = random_feet(lambda x, fraction: 0 * x, POINTS, 0.1, 2.0, continuation(BOX, "reflect"))
    assert weights.min() > 0 and float(weights.sum()) == pytest.approx(1)
    moves = feet - POINTS
    assert torch.allclose(torch.einsum("k,kni,knj->ij", weights, moves, moves) / 64, 0.4 * torch.eye(2).double())


def test_paths_in_a_mesh_are_refused() -> None:
    with pytest.raises(InputError, match="need a box to stay in"):
        continuation(MeshDomain.__new__(MeshDomain), "clamp")
