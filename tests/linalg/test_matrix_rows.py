"""Solving with the rows of a matrix: zero rows, and the shape of what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.linalg import VoxelPoisson, solve
from sciml.linalg.systems import as_matrix


@pytest.fixture(scope="module")
def obstacle():
    """A problem and its matrix with one row per cell, zero where the cell is no unknown."""
    cells = np.zeros((9, 8, 7), np.uint8)
    cells[3:6, 3:6, 3:6], cells[:, :, 6] = 2, 1
    problem = VoxelPoisson.from_cells(cells)
    small, index = problem.to_csr().tocoo(), np.flatnonzero(problem.fluid)
    return problem, sp.csr_array((small.data, (index[small.row], index[small.col])), shape=(cells.size,) * 2)


@pytest.mark.parametrize("method", ["auto", "multigrid", "amg", "cg"])
def test_values_of_b_on_zero_rows_are_ignored(obstacle, method):
    problem, matrix = obstacle
    b = np.random.default_rng(0).standard_normal(matrix.shape[0])
    result = solve(matrix, b, method=method, rtol=1e-11)
    fluid = problem.fluid.ravel()
    expected = sp.linalg.spsolve(problem.to_csr().tocsc(), b[fluid])
    assert result.status == "converged"
    assert result.unknowns == problem.unknowns
    assert np.linalg.norm(result.x[fluid] - expected) < 1e-9 * np.linalg.norm(expected)
    assert not result.x[~fluid].any()


@pytest.mark.parametrize("method", ["auto", "amg"])
def test_x_has_the_shape_of_b_and_x0_is_given_in_it(obstacle, method):
    _, matrix = obstacle
    b = np.random.default_rng(1).standard_normal((2, matrix.shape[0]))
    first = solve(matrix, b, method=method, rtol=1e-9)
    assert first.x.shape == b.shape
    assert solve(matrix, b, method=method, rtol=1e-8, x0=first.x).iterations == 0


def test_a_zero_matrix_is_refused():
    with pytest.raises(InputError, match="no unknown"):
        solve(sp.csr_array((4, 4)), np.ones(4))


def laplacian_of_a_path(couplings: np.ndarray) -> sp.csr_array:
    diagonal = np.append(couplings, 0.0) + np.append(0.0, couplings)
    return sp.diags_array([diagonal, -couplings, -couplings], offsets=[0, 1, -1]).tocsr()


@pytest.mark.parametrize("method", ["auto", "cg", "amg"])
@pytest.mark.parametrize("shift", [1e-11, 1e-9, 1.0])
def test_a_small_term_on_the_diagonal_makes_a_matrix_regular(method, shift):
    matrix = (laplacian_of_a_path(np.ones(49)) + shift * sp.eye_array(50)).tocsr()
    result = solve(matrix, np.ones(50), method=method)
    assert result.converged
    np.testing.assert_allclose(result.x * shift, 1.0, rtol=4e-16 / shift * 10)


@given(decades=st.floats(0.0, 8.0), factor=st.floats(1e-5, 1e5), seed=st.integers(0, 999))
def test_rows_that_rounding_keeps_from_summing_to_zero_are_singular_and_others_are_not(decades, factor, seed):
    rng = np.random.default_rng(seed)
    matrix = laplacian_of_a_path(factor * 10.0 ** rng.uniform(-decades, decades, 60))
    assert as_matrix(matrix).closed_components[1] == 1
    matrix[7, 7] *= 1.0 + 1e-13
    assert as_matrix(matrix).closed_components[1] == 0


def test_a_weak_dirichlet_face_of_a_grid_is_seen_in_its_matrix():
    cells = np.zeros((6, 7), np.uint8)
    cells[0, 0] = 1
    coefficient = np.ones((6, 7))
    coefficient[0, 0] = 1e-12
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient)
    again = VoxelPoisson.from_matrix(problem.to_csr(), shape=(6, 7), fluid_index=np.flatnonzero(problem.fluid))
    assert (problem.closed_components[1], again.closed_components[1]) == (0, 0)
