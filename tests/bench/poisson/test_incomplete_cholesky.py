"""The incomplete Cholesky factors of the benchmarks are those of zero fill, as the textbook defines them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.bench.dcdm.solvers import contender
from sciml.bench.linear_systems import System
from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import poisson_case

ilupp = pytest.importorskip("ilupp", reason="ilupp is an optional peer: pip install 'sciml[peers]'")


def factor(matrix: sp.csr_array) -> sp.csr_array:
    (lower,) = ilupp.IChol0Preconditioner(sp.csr_matrix(matrix)).factors()
    return sp.csr_array(lower)


def system(name: str, size: int, seed: int = 100) -> System:
    case = poisson_case(name, size, seed)
    problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
    return System(problem, problem.to_csr(), case.right_hand_side("white", 1000 + seed))


@pytest.mark.parametrize("name", ["box", "mixed", "walls", "jumps"])
def test_the_factor_has_the_pattern_of_a_and_its_product_agrees_with_a_there(name: str) -> None:
    matrix = system(name, 16).matrix
    lower = factor(matrix)
    pattern = sp.tril(matrix).tocsr()
    assert lower.nnz == pattern.nnz
    assert (lower != 0).astype(int).toarray().tolist() == (pattern != 0).astype(int).toarray().tolist()
    entries = sp.coo_array(matrix)
    product = (lower @ lower.T).tocsr()[entries.row, entries.col]
    np.testing.assert_allclose(np.asarray(product).ravel(), entries.data, rtol=1e-12)
    assert lower.diagonal().min() > 0


def test_of_a_tridiagonal_matrix_it_is_the_cholesky_factor() -> None:
    matrix = sp.diags_array([-1.0, 2.5, -1.0], offsets=[-1, 0, 1], shape=(30, 30)).tocsr()
    np.testing.assert_allclose(factor(matrix).toarray(), np.linalg.cholesky(matrix.toarray()), rtol=1e-13)


def test_it_is_applied_as_a_symmetric_positive_inverse() -> None:
    one = system("mixed", 14)
    apply, lower = ilupp.IChol0Preconditioner(sp.csr_matrix(one.matrix)), factor(one.matrix).toarray()
    r = np.random.default_rng(0).standard_normal(len(lower))
    np.testing.assert_allclose(apply @ r, np.linalg.solve(lower @ lower.T, r), rtol=1e-9, atol=1e-12)


def test_conjugate_gradients_with_it_need_a_third_of_the_iterations() -> None:
    """At 64^3 they were found to need 118 where conjugate gradients need 358."""
    one = system("mixed", 32)
    counts = {}
    for name in ("ic0", "cg"):
        steps: list[int] = []
        x, status = contender(name).setup(one)(one.b, lambda step, _, steps=steps: steps.append(step))
        assert status == "converged" and len(x)
        counts[name] = steps[-1]
    assert 0.25 < counts["ic0"] / counts["cg"] < 0.45
