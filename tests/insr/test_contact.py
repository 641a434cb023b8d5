"""Contact: forces of true potentials, zero on the surface, outward, growing with the depth."""

from __future__ import annotations

import math

import pytest
import torch
from torch.func import jacrev, vmap

from sciml.errors import InputError
from sciml.insr.problems.contact import Plane, Sphere
from sciml.numerics.random import generator


def sphere(dim: int) -> Sphere:
    return Sphere([0.3, -0.2, 0.5][:dim], 0.8, 50.0)


def plane(dim: int) -> Plane:
    return Plane([0.0, 0.1, -0.3][:dim], [0.5, 2.0, 1.0][:dim], 50.0)


OBSTACLES = [plane(2), plane(3), sphere(2), sphere(3)]
each_obstacle = pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda o: f"{type(o).__name__}")


def dimension(obstacle) -> int:
    return len(obstacle.point if isinstance(obstacle, Plane) else obstacle.center)


def cloud(obstacle, count: int = 200) -> torch.Tensor:
    return torch.randn(count, dimension(obstacle), dtype=torch.float64, generator=generator(0, dimension(obstacle)))


def potential(obstacle, positions: torch.Tensor) -> torch.Tensor:
    return obstacle.residuals(positions).square().sum(-1)


@each_obstacle
def test_the_force_is_minus_the_gradient_of_the_potential(obstacle) -> None:
    """By central differences; positions closer to the surface than a step have a kink between them."""
    x, step = cloud(obstacle), 1e-6
    force = torch.empty_like(x)
    for axis in range(x.shape[1]):
        shift = torch.zeros(x.shape[1], dtype=torch.float64)
        shift[axis] = step
        force[:, axis] = (potential(obstacle, x - shift) - potential(obstacle, x + shift)) / (2 * step)
    assert (obstacle.depth(x) > 0).any() and (obstacle.depth(x) == 0).any()
    assert torch.allclose(obstacle.force(x), force, rtol=1e-6, atol=1e-5)


@each_obstacle
def test_gauss_newton_sees_the_same_force(obstacle) -> None:
    x = cloud(obstacle)
    rows, jacobian = obstacle.residuals(x), vmap(jacrev(obstacle.residuals))(x)
    assert rows.shape == (200, 1)
    assert torch.allclose(obstacle.force(x), -2 * (rows[..., None] * jacobian).sum(1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_the_force_of_a_sphere_is_zero_on_its_surface_and_grows_with_the_depth_outward(dim: int) -> None:
    ball = sphere(dim)
    center = torch.tensor(ball.center, dtype=torch.float64)
    outward = torch.nn.functional.normalize(cloud(ball), dim=-1)
    for depth in (0.0, 0.1, 0.4):
        force = ball.force(center + (ball.radius - depth) * outward)
        assert force.shape == (200, dim)
        assert torch.allclose(force, 50.0 * depth * outward, atol=1e-12)
    assert (ball.force(center + (ball.radius + 1e-3) * outward) == 0).all()
    assert torch.isfinite(ball.force(center)).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_a_plane_pushes_along_its_normal_by_stiffness_times_depth(dim: int) -> None:
    wall = plane(dim)
    normal = torch.tensor(wall.normal, dtype=torch.float64)
    assert math.isclose(float(normal.norm()), 1.0)
    along = cloud(wall)
    along = along - (along @ normal)[:, None] * normal + torch.tensor(wall.point, dtype=torch.float64)
    assert torch.allclose(wall.force(along - 0.2 * normal), (10.0 * normal).expand(200, dim), atol=1e-12)
    assert (wall.force(along + 1e-9 * normal) == 0).all()


@each_obstacle
def test_each_position_of_a_batch_is_its_own_case(obstacle) -> None:
    """The code of the paper broadcasts depths of shape (n,) against normals in 3-D."""
    x = cloud(obstacle, 12)
    for evaluate in (obstacle.depth, obstacle.residuals, obstacle.force):
        alone = torch.stack([evaluate(position) for position in x])
        assert torch.allclose(evaluate(x), alone, rtol=1e-14)
        assert torch.equal(evaluate(x.reshape(3, 4, -1)), evaluate(x).reshape(3, 4, *alone.shape[1:]))
        assert torch.allclose(vmap(evaluate)(x), alone, rtol=1e-14)


def test_bad_obstacles_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="normal of a plane needs 2 coordinates, not all 0"):
        Plane([0, 0], [0, 0], 1.0)
    with pytest.raises(InputError, match="normal of a plane needs 3 coordinates"):
        Plane([0, 0, 0], [0, 1], 1.0)
    with pytest.raises(InputError, match="radius of a sphere is 0"):
        Sphere([0, 0], 0, 1.0)
    with pytest.raises(InputError, match="stiffness of an obstacle is -1"):
        Plane([0, 0], [0, 1], -1)
    with pytest.raises(InputError, match="center of an obstacle"):
        Sphere([0, math.nan], 1.0, 1.0)
    with pytest.raises(InputError, match="2-D, but positions have shape"):
        Sphere([0, 0], 1.0, 1.0).force(torch.zeros(5, 3))
