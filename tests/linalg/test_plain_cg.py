"""Plain conjugate gradients are what the textbook says, without a guard that changes them on the way."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.linalg import VoxelPoisson, solve


@pytest.mark.parametrize("as_matrix", [False, True])
def test_plain_conjugate_gradients_take_the_steps_of_scipy(as_matrix):
    problem = VoxelPoisson.from_cells(np.zeros((40, 40), np.uint8), outside={"x-": "dirichlet"})
    matrix = problem.to_csr()
    b = np.zeros(problem.shape)
    b[20, 20] = 1.0  # the residual of a point source does not halve in the first ten iterations
    steps = []
    _, info = sp.linalg.cg(matrix, b.ravel(), rtol=1e-8, callback=lambda x: steps.append(x.copy()))
    expected = [np.linalg.norm(b.ravel() - matrix @ x) for x in steps]
    result = solve(matrix if as_matrix else problem, b.ravel() if as_matrix else b, method="cg", rtol=1e-8)
    assert info == 0
    assert result.status == "converged"
    assert abs(result.iterations - len(steps)) <= 1
    early = np.array(result.history[1:101])
    assert np.abs(early / expected[:100] - 1.0).max() < 1e-6
