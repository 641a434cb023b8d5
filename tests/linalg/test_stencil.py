"""The transfers and Galerkin operators of the hierarchy satisfy their algebra exactly, level by level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sciml.linalg import MultigridPreconditioner, VoxelPoisson
from sciml.linalg.kernels.stencil import FORWARD, SEVEN_POINT, axes_to_coarsen, coarse_offsets, coarse_shape
from sciml.linalg.multigrid.coarsest import dense_inverse
from sciml.linalg.multigrid.smoother import chebyshev_factors

DOUBLE = np.dtype(np.float64)


def hierarchy(problem, coarsest=30):
    """Levels in float64, down to few cells, so that a small problem has several."""
    from sciml.linalg.kernels.numba_backend import build

    levels, stencil = build(problem, DOUBLE, coarsest)
    return levels, stencil


def inside(array):
    return array[1:-1, 1:-1, 1:-1]


def random_field(level, rng, *, unknowns=True):
    """Random values on the cells of a level, or on its unknowns alone, with a halo of zeros."""
    field = np.zeros_like(level.inverse)
    inside(field)[...] = rng.standard_normal(level.shape)
    return field * (level.inverse > 0) if unknowns else field


def prolong(fine, coarse, values):
    coarse.x[...], fine.x[...] = values, 0.0
    fine.add_correction(coarse)
    return fine.x.copy()


def restrict(fine, coarse, values):
    fine.x[...], fine.b[...], coarse.b[...] = 0.0, values, 0.0
    fine.restrict_residual(coarse)
    return coarse.b.copy()


def apply(level, values):
    """A x by one smoothing step with b = 0: it leaves -D^-1 A x."""
    level.x[...], level.old[...], level.b[...] = values, 0.0, 0.0
    level.smooth((0.0, 1.0, 0.0))
    unknown = level.inverse > 0
    return np.where(unknown, -level.x / np.where(unknown, level.inverse, 1.0), 0.0)


@pytest.fixture
def pairs(any_problem):
    """Each level of a problem with the next coarser one."""
    levels, _ = hierarchy(any_problem)
    return list(pairwise(levels))


def test_restriction_is_the_transpose_of_prolongation(pairs):
    rng = np.random.default_rng(0)
    for fine, coarse in pairs:
        x, y = random_field(coarse, rng), random_field(fine, rng)
        up, down = np.vdot(prolong(fine, coarse, x), y), np.vdot(x, restrict(fine, coarse, y))
        assert abs(up - down) <= 1e-12 * np.linalg.norm(x) * np.linalg.norm(y)


def test_every_coarse_operator_is_the_galerkin_product(pairs):
    rng = np.random.default_rng(1)
    for fine, coarse in pairs:
        x = random_field(coarse, rng)
        product = restrict(fine, coarse, apply(fine, prolong(fine, coarse, x)))
        direct = apply(coarse, x)
        unknown = coarse.inverse > 0
        scale = (1.0 / coarse.inverse[unknown]).max(initial=0.0) * np.abs(x).max()
        assert np.abs(product - direct)[unknown].max(initial=0.0) <= 1e-12 * scale


def test_every_level_is_symmetric_and_its_scaled_spectrum_lies_between_0_and_2(pairs):
    rng = np.random.default_rng(2)
    for _, level in pairs:
        x, y = random_field(level, rng), random_field(level, rng)
        ax, ay = apply(level, x), apply(level, y)
        assert abs(np.vdot(ax, y) - np.vdot(x, ay)) <= 1e-12 * np.linalg.norm(ax) * np.linalg.norm(y)
        for _ in range(60):  # power iteration on D^-1 A
            x = level.inverse * apply(level, x)
            size = np.linalg.norm(x) or 1.0
            x /= size
        assert size <= 2.0 + 1e-12


def test_the_first_level_is_the_problem(any_problem):
    level = hierarchy(any_problem)[0][0]
    rng = np.random.default_rng(3)
    x = np.where(any_problem.diagonal > 0, rng.standard_normal(any_problem.shape), 0.0)
    values = np.zeros_like(level.inverse)
    inside(values)[...] = x.reshape(level.shape)
    expected = any_problem.matvec(x).reshape(level.shape)
    tolerance = 1e-13 * max(any_problem.diagonal.max(), 1e-300) * 10
    assert np.abs(inside(apply(level, values)) - expected).max() <= tolerance


@pytest.mark.parametrize("spacing", [None, (1.0, 4.0, 0.5)])
@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 15, 10), (33, 1, 9), (40, 37), (5, 3, 64)])
def test_constants_are_interpolated_exactly_in_a_closed_room(shape, spacing):
    rng = np.random.default_rng(4)
    cells = rng.choice(np.array([0, 0, 0, 2], np.uint8), size=shape)
    problem = VoxelPoisson.from_cells(
        cells, coefficient=10.0 ** rng.uniform(-1, 1, shape), spacing=spacing and spacing[: len(shape)]
    )
    levels, _ = hierarchy(problem)
    for fine, coarse in pairwise(levels):
        ones = np.zeros_like(coarse.inverse)
        inside(ones)[...] = 1.0
        np.testing.assert_allclose(prolong(fine, coarse, ones)[fine.inverse > 0], 1.0, atol=1e-9)


def test_constants_are_interpolated_exactly_away_from_the_dirichlet_boundary():
    problem = VoxelPoisson.from_cells(np.zeros((32, 32, 32), np.uint8), outside="dirichlet")
    fine, coarse = hierarchy(problem)[0][:2]
    ones = np.zeros_like(coarse.inverse)
    inside(ones)[...] = 1.0
    values = inside(prolong(fine, coarse, ones))
    np.testing.assert_allclose(values[1:-1, 1:-1, 1:-1], 1.0, rtol=1e-14)
    assert (values > 0).all() and values.max() <= 1.0 + 1e-14 and values[31, 16, 16] < 0.9


@pytest.mark.parametrize("place", range(9, 17))
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_nothing_passes_through_a_wall_one_cell_thick(axis, place):
    cells = np.zeros((25, 25, 25), np.uint8)
    np.moveaxis(cells, axis, 0)[place] = 2
    problem = VoxelPoisson.from_cells(cells, outside="dirichlet")
    residual = np.zeros(problem.shape)
    np.moveaxis(residual, axis, 0)[:place] = np.random.default_rng(0).standard_normal((place, 25, 25))
    correction = np.moveaxis(MultigridPreconditioner(problem, dtype=DOUBLE)(residual), axis, 0)
    assert np.abs(correction[:place]).max() > 0.1
    assert np.abs(correction[place:]).max() < 1e-14


@pytest.mark.parametrize("offsets", [SEVEN_POINT, FORWARD])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_galerkin_product_widens_a_stencil_along_the_other_axes_it_already_couples(offsets, axis):
    wide = coarse_offsets(offsets, axis)
    assert set(offsets) <= set(wide) <= set(FORWARD)
    assert set(coarse_offsets(wide, axis)) == set(wide)


@pytest.mark.parametrize(("n", "coarse"), [(1, 1), (2, 1), (3, 2), (8, 4), (9, 5)])
def test_coarsening_keeps_the_even_cells(n, coarse):
    assert coarse_shape((n, 5, 6), 0) == (coarse, 5, 6)


def test_only_strong_axes_are_coarsened():
    assert axes_to_coarsen((64, 64, 64), (1.0, 1.0, 1.0)) == [0, 1, 2]
    assert axes_to_coarsen((64, 64, 64), (1.0, 1e4, 1.0)) == [1]
    assert axes_to_coarsen((64, 2, 64), (1.0, 1e4, 1.0)) == [0, 2]


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_the_smoother_is_the_chebyshev_polynomial_of_its_interval(degree):
    low, high = 0.3, 2.0
    grid = np.linspace(0.0, 2.5, 101)
    x, old = np.zeros_like(grid), np.zeros_like(grid)
    for a, s, g in chebyshev_factors(degree, low, high):  # for A = grid, D = 1, b = 1
        x, old = a * x + s * (1.0 - grid * x) - g * old, x

    def polynomial(t):
        return np.polynomial.chebyshev.Chebyshev.basis(degree)((high + low - 2.0 * t) / (high - low))

    np.testing.assert_allclose(1.0 - grid * x, polynomial(grid) / polynomial(0.0), atol=1e-13)


def test_the_coarsest_level_is_solved_exactly_up_to_closed_rooms(any_problem):
    if any_problem.unknowns > 800:
        pytest.skip("larger than a coarsest level ever is")
    levels, stencil = hierarchy(any_problem, coarsest=10**6)
    inverse, active = dense_inverse(stencil)
    assert len(levels) == 1
    matrix = any_problem.to_csr().toarray()
    coupled = matrix.diagonal() > 0
    matrix = matrix[coupled][:, coupled]
    np.testing.assert_allclose(matrix @ inverse @ matrix, matrix, atol=1e-8 * np.abs(matrix).max(initial=1e-300))
    assert active.size == coupled.sum()
