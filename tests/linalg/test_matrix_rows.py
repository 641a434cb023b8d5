"""Solving with the rows of a matrix: zero rows, and the shape of what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.errors import InputError
from sciml.linalg import VoxelPoisson, solve


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
