"""Learned positive weights on triangulations: maximum principle and conservation untrained, better when trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from sciml.cgs.diffusion import EdgeShapes, PositiveEdgeWeights, TrainingExample, fit_weights, solve_positive
from sciml.mesh import Group, Mesh, make_mesh
from sciml.reference.diffusion_finite_elements import DiffusionProblem, solve_diffusion

SHEAR = np.array([[1.0, 0.0], [2.0, 1.0]])


def random_weights(seed: int) -> PositiveEdgeWeights:
    """Weights whose correction is random and large."""
    weights = PositiveEdgeWeights(hidden=(16,))
    draws = torch.Generator().manual_seed(seed)
    for parameter in weights.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draws, dtype=parameter.dtype)
    return weights


def random_mesh(draws: np.random.Generator, dim: int, points: int = 40) -> Mesh:
    """A random triangulation, sheared, whose boundary is the group "boundary"."""
    x = draws.uniform(size=(points, dim))
    cells = Delaunay(x).simplices
    sides = x[cells[:, 1:]] - x[cells[:, :1]]
    cells = cells[np.abs(np.linalg.det(sides)) > 1e-6]
    used, numbers = np.unique(cells, return_inverse=True)
    x[:, 0] += 2 * x[:, 1]
    mesh = Mesh(x[used], {"triangle" if dim == 2 else "tetra": numbers.reshape(cells.shape)})
    ((_, facets),) = mesh.boundary().cells.items()
    return Mesh(mesh.points, mesh.cells, {"boundary": Group(dim - 1, facets=facets)})


def on_boundary(x: np.ndarray) -> np.ndarray:
    return np.sign(np.sin(5 * x[:, 0] + 3 * x[:, 1]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3]))
def test_the_maximum_principle_and_conservation_hold_for_random_networks(seed: int, dim: int) -> None:
    draws = np.random.default_rng(seed)
    mesh = random_mesh(draws, dim)
    problem = DiffusionProblem(mesh, {"boundary": on_boundary}, lambda x: np.exp(3 * np.sin(7 * x[:, 0])))
    weights = random_weights(seed)
    u, held = solve_positive(problem, weights), problem.pinned[0]
    assert -1 - 1e-10 <= u.min() <= u.max() <= 1 + 1e-10
    learned = weights(EdgeShapes.of(problem)).detach().numpy()
    assert (learned > 0).all()
    balance = problem.matrix(learned) @ u
    assert np.abs(balance[~held]).max(initial=0.0) <= 1e-9 * learned.max()
    assert abs(problem.outflow(u, "boundary", learned)) <= 1e-9 * learned.sum()


def test_finite_elements_break_the_maximum_principle_where_positive_weights_keep_it() -> None:
    mesh = make_mesh("square", 3)
    sheared = Mesh(mesh.points @ SHEAR, mesh.cells, mesh.groups)
    problem = DiffusionProblem(sheared, {"boundary": lambda x: (x[:, 1] > 0.99).astype(float)})
    assert problem.negative > 0 and solve_diffusion(problem).min() < -1e-3
    assert solve_positive(problem, PositiveEdgeWeights()).min() >= 0


def test_untrained_weights_are_nearly_those_of_finite_elements_on_a_mesh_of_acute_triangles() -> None:
    rows = np.arange(6)
    x, y = np.meshgrid(rows, rows)
    points = np.stack([x + 0.5 * y, y * np.sqrt(3) / 2], axis=-1).reshape(-1, 2)
    cells = Delaunay(points, qhull_options="Qbb Qc Qz Qt").simplices
    sides = points[cells[:, 1:]] - points[cells[:, :1]]
    cells = cells[np.abs(np.linalg.det(sides)) > 0.5]
    problem = DiffusionProblem(Mesh(points, {"triangle": cells}), {})
    found = PositiveEdgeWeights()(EdgeShapes.of(problem)).detach().numpy()
    assert found == pytest.approx(problem.weights, rel=0.01)


@pytest.mark.parametrize("dim", [2, 3])
def test_weights_scale_with_the_coefficient_and_the_length_and_do_not_see_rotations(dim: int) -> None:
    mesh, weights = random_mesh(np.random.default_rng(0), dim), random_weights(1)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((dim, dim)))[0]
    moved = Mesh(3 * mesh.points @ rotation, mesh.cells, mesh.groups)
    first = weights(EdgeShapes.of(DiffusionProblem(mesh, {})))
    second = weights(EdgeShapes.of(DiffusionProblem(moved, {}, 5.0)))
    assert second.detach().numpy() == pytest.approx(5 * 3.0 ** (dim - 2) * first.detach().numpy(), rel=1e-6)


def test_gradients_of_the_loss_are_those_of_differences() -> None:
    problem = DiffusionProblem(random_mesh(np.random.default_rng(3), 2, 20), {"boundary": on_boundary})
    example = TrainingExample(problem, solve_diffusion(problem))
    weights = random_weights(4)
    example.loss(weights).backward()
    parameter = weights.network[0].weight
    step = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact, size = float((parameter.grad * step).sum()), 1e-6
    with torch.no_grad():
        parameter += size * step
        above = float(example.loss(weights))
        parameter -= 2 * size * step
        below = float(example.loss(weights))
    assert abs(exact) > 1e-8 and (above - below) / (2 * size) == pytest.approx(exact, rel=1e-5)


def test_training_on_solutions_reduces_the_error_on_other_meshes() -> None:
    def example(seed: int) -> TrainingExample:
        draws = np.random.default_rng(seed)
        wave, phase = draws.normal(size=2), draws.uniform(0, 6)
        mesh = random_mesh(draws, 2)
        problem = DiffusionProblem(mesh, {"boundary": lambda x: np.cos(x @ wave + phase)})
        return TrainingExample(problem, solve_diffusion(problem))

    train, held_out = [example(seed) for seed in range(16)], [example(seed) for seed in range(100, 112)]
    weights = PositiveEdgeWeights()
    with torch.no_grad():
        before = np.mean([float(each.loss(weights)) for each in held_out])
    losses = fit_weights(weights, train, updates=60)
    with torch.no_grad():
        after = np.mean([float(each.loss(weights)) for each in held_out])
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8]) and 0 < after < 0.8 * before
