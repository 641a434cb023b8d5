"""The transforms invert the operator of a box exactly, for every mixture of sides, and calculus to second order."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from sciml.errors import NotStructuredError
from sciml.linalg import VoxelPoisson, solve

KINDS = ("neumann", "dirichlet")


def box(shape, kinds, spacing=None, coefficient=None):
    names = [axis + end for axis in "xyz"[: len(shape)] for end in "-+"]
    return VoxelPoisson.from_cells(
        np.zeros(shape, np.uint8),
        outside=dict(zip(names, kinds, strict=True)),
        spacing=spacing,
        coefficient=coefficient,
    )


def compatible_noise(problem, seed=0):
    b = np.random.default_rng(seed).standard_normal(problem.shape)
    return b - b.mean() if problem.closed_components[1] else b


@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=4)))
@pytest.mark.parametrize("shape", [(7, 12), (1, 6), (2, 1)])
def test_every_mixture_of_sides_is_inverted_to_rounding_2d(shape, kinds):
    problem = box(shape, kinds, spacing=(0.3, 2.0), coefficient=np.full(shape, 7.0))
    b = compatible_noise(problem)
    result = solve(problem, b, method="fft", rtol=1e-12)
    assert result.status == "converged" and result.iterations == 0
    expected = (np.linalg.pinv(problem.to_csr().toarray(), rcond=1e-12) @ b.ravel()).reshape(shape)
    np.testing.assert_allclose(result.x, expected, atol=1e-11 * max(np.abs(expected).max(), 1e-3))


@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=6)))
def test_transforms_and_multigrid_give_the_same_solution_3d(kinds):
    problem = box((12, 9, 14), kinds, spacing=(1.0, 1.3, 0.8))
    b = compatible_noise(problem)
    direct, iterated = solve(problem, b, rtol=1e-11), solve(problem, b, method="multigrid", rtol=1e-10)
    assert (direct.method, iterated.method) == ("fft", "multigrid")
    assert direct.true_residual < 1e-11
    assert np.linalg.norm(direct.x - iterated.x) <= 1e-8 * np.linalg.norm(direct.x)


def manufactured(n, kinds, method):
    """Largest error for p = product of cos and sin that vanishes, or has no slope, where the sides say so."""
    dimension = len(kinds) // 2
    spacing, coordinates, waves = [], [], []
    for low, high in zip(kinds[::2], kinds[1::2], strict=True):
        # The ghost cells' centres lie half a cell outside of the box: there p = 0. A closed side is the face itself.
        start, stop = (1.0 if low == "dirichlet" else 0.5), (1.0 if high == "dirichlet" else 0.5)
        h = 1.0 / (n - 1 + start + stop)
        spacing.append(h)
        coordinates.append((np.arange(n) + start) * h)
        waves.append((2.0 if low == high else 1.5) * np.pi)
    p = np.ones((n,) * dimension)
    for axis, (x, k, low) in enumerate(zip(coordinates, waves, kinds[::2], strict=True)):
        factor = np.sin(k * x) if low == "dirichlet" else np.cos(k * x)
        p = p * factor.reshape([-1 if a == axis else 1 for a in range(dimension)])
    problem = box((n,) * dimension, kinds, spacing)
    b = p * sum(k**2 for k in waves)
    result = solve(problem, b, method=method, rtol=1e-10, project=True)
    assert result.converged
    return np.abs(result.x - p).max()


@pytest.mark.parametrize("method", ["fft", "multigrid"])
@pytest.mark.parametrize(
    "kinds",
    [
        ("dirichlet",) * 6,
        ("neumann",) * 6,
        ("dirichlet", "neumann", "neumann", "neumann", "neumann", "neumann"),
        ("neumann", "neumann", "neumann", "dirichlet", "dirichlet", "dirichlet"),
        ("dirichlet", "dirichlet", "neumann", "neumann", "neumann", "dirichlet"),
        ("neumann", "dirichlet", "dirichlet", "neumann"),
    ],
)
def test_manufactured_solutions_converge_with_second_order(kinds, method):
    errors = [manufactured(n, kinds, method) for n in (16, 32, 64)]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert ((orders > 1.85) & (orders < 2.15)).all(), (errors, orders)
    assert 1.9 < orders[-1] < 2.1


@pytest.mark.parametrize("change", ["obstacle", "coefficient", "matrix"])
def test_the_transforms_refuse_what_is_no_box_of_constant_coefficient(change):
    cells, coefficient = np.zeros((6, 6), np.uint8), None
    if change == "obstacle":
        cells[3, 3] = 2
    if change == "coefficient":
        coefficient = np.linspace(1.0, 2.0, 36).reshape(6, 6)
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, outside="dirichlet")
    system, b = (problem.to_csr(), np.ones(36)) if change == "matrix" else (problem, np.ones((6, 6)))
    with pytest.raises(NotStructuredError, match="use method='multigrid'"):
        solve(system, b, method="fft")
