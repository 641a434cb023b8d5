"""Sparse factors of symmetric matrices: their inertia is that of the eigenvalues, and solutions are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.errors import DivergenceError
from sciml.linalg.sparse_factors import SparseFactors, symmetric_factors


def random_symmetric(seed: int, n: int = 30) -> sp.csc_array:
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n, n)) < 0.1, rng.standard_normal((n, n)), 0.0)
    return sp.csc_array(dense + dense.T + np.diag(rng.uniform(-3, 4, n)))


@pytest.mark.parametrize("seed", range(10))
def test_factors_have_the_inertia_of_the_matrix_and_its_solutions(seed):
    matrix, right = random_symmetric(seed), np.random.default_rng(seed).standard_normal((30, 2))
    factors = symmetric_factors(matrix)
    positive = int((factors.U.diagonal() > 0).sum())
    assert 0 < positive < 30 and positive == int((np.linalg.eigvalsh(matrix.toarray()) > 0).sum())
    np.testing.assert_allclose(factors.solve(right), np.linalg.solve(matrix.toarray(), right), rtol=1e-6, atol=1e-6)


def test_scaled_factors_solve_over_any_range():
    path = sp.diags_array([-np.ones(9), 2 * np.ones(10), -np.ones(9)], offsets=[-1, 0, 1])
    scale = 10.0 ** np.linspace(-80, 80, 10)
    matrix = sp.csr_array(path * scale[:, None] * scale)
    x = SparseFactors(matrix).solve(matrix @ (1 / scale))
    np.testing.assert_allclose(x * scale, 1.0, rtol=1e-12)


def test_a_singular_matrix_has_no_factors():
    singular = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert symmetric_factors(sp.csc_array(singular)) is None
    with pytest.raises(DivergenceError, match="lost a pivot to rounding"):
        SparseFactors(sp.csr_array(singular))
