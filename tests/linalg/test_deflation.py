"""Deflated conjugate gradients: exact in the span of W, conjugate to it, and as fast as theory says."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.errors import InputError
from sciml.linalg import solve
from sciml.linalg.deflation import Deflation, deflated_conjugate_gradients, lowest_ritz_vectors


def box_eigenvalues(size: int, dimension: int) -> np.ndarray:
    line = 2 - 2 * np.cos(np.pi * np.arange(1, size + 1) / (size + 1))
    return np.sort(sum(np.meshgrid(*[line] * dimension)).ravel())


def eigenpairs(size: int = 12) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """A line of distinct eigenvalues, all pairs of it."""
    matrix = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(size, size)).tocsr()
    return matrix, *np.linalg.eigh(matrix.toarray())


def saad(matrix, b, w, steps: int) -> list[float]:
    """Algorithm 3.5 of Saad et al., word by word, with dense solves; |r| after each step."""
    aw, e = matrix @ w, w.T @ (matrix @ w)
    x = w @ np.linalg.solve(e, w.T @ b)
    r = b - matrix @ x
    p = r - w @ np.linalg.solve(e, aw.T @ r)
    history = [np.linalg.norm(r)]
    for _ in range(steps):
        alpha = (r @ r) / (p @ (matrix @ p))
        x, new = x + alpha * p, r - alpha * (matrix @ p)
        p = (new @ new) / (r @ r) * p + new - w @ np.linalg.solve(e, aw.T @ new)
        r = new
        history.append(np.linalg.norm(r))
    return history


def test_the_ritz_vectors_are_the_lowest_of_the_box_with_their_multiples(make_case) -> None:
    problem = make_case("box", 16)
    vectors = lowest_ritz_vectors(problem, 8, iterations=15)
    values = np.diag(vectors.T @ (problem.to_csr() @ vectors))
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(8), atol=1e-10)
    np.testing.assert_allclose(values, box_eigenvalues(16, 3)[:8], rtol=1e-3)  # 1 + 3 + 3 + 1 of a kind


@pytest.mark.parametrize("name", ["box", "mixed", "jumps", "walls"])
def test_the_solution_is_that_of_a_direct_solver(make_case, noise, name: str) -> None:
    problem = make_case(name, 14)
    matrix, b = problem.to_csr(), noise(problem)[problem.fluid]
    deflation = Deflation(matrix, lowest_ritz_vectors(problem, 6))
    x, result = deflated_conjugate_gradients(matrix, b, deflation, rtol=1e-11)
    assert result.status == "converged"
    np.testing.assert_allclose(x, sp.linalg.spsolve(matrix.tocsc(), b), rtol=1e-7, atol=1e-8 * abs(x).max())


def test_it_is_the_algorithm_of_saad_with_one_product_per_iteration(make_case, noise) -> None:
    problem = make_case("mixed", 14, 3)
    csr, b = problem.to_csr(), noise(problem)[problem.fluid]
    w = np.random.default_rng(0).standard_normal((len(b), 5))  # any W will do
    deflation, count = Deflation(csr, w), 0

    class Counted:
        diagonal = staticmethod(csr.diagonal)

        def __matmul__(self, x: np.ndarray) -> np.ndarray:
            nonlocal count
            count += 1
            return csr @ x

    _, result = deflated_conjugate_gradients(Counted(), b, deflation, rtol=1e-6)
    expected = saad(csr, b, w, result.iterations)
    np.testing.assert_allclose(np.array(result.history)[:25] * np.linalg.norm(b), expected[:25], rtol=1e-8)
    assert count == result.iterations + 2  # the first residual, and the true one at the end


def test_residuals_are_orthogonal_to_w_and_directions_conjugate_to_it(make_case, noise) -> None:
    problem = make_case("smoke", 14)
    matrix, b = problem.to_csr(), noise(problem)[problem.fluid]
    w = lowest_ritz_vectors(problem, 4)
    deflation = Deflation(matrix, w)
    assert abs(w.T @ (b - matrix @ deflation.start(b))).max() < 1e-12 * np.linalg.norm(b)
    assert abs((matrix @ w).T @ deflation(b)).max() < 1e-12 * np.linalg.norm(b)
    x, _ = deflated_conjugate_gradients(matrix, b, deflation, maxiter=10)
    r = b - matrix @ x
    assert 1e-3 < np.linalg.norm(r) / np.linalg.norm(b) < 1  # on its way
    assert abs(w.T @ r).max() < 1e-12 * np.linalg.norm(b)


def test_deflated_eigenvectors_cost_no_iteration() -> None:
    matrix, _, vectors = eigenpairs()
    low, high = vectors[:, :4], vectors[:, 4:]
    deflation = Deflation(matrix, low)
    x, result = deflated_conjugate_gradients(matrix, matrix @ (low @ np.arange(1.0, 5.0)), deflation)
    assert result.iterations == 0
    np.testing.assert_allclose(x, low @ np.arange(1.0, 5.0), rtol=1e-12)
    x, result = deflated_conjugate_gradients(matrix, high @ np.ones(8), deflation, rtol=1e-12)
    assert result.iterations <= 8  # one per eigenvalue that is left
    assert result.true_residual <= 1e-12


def test_it_needs_fewer_iterations_than_conjugate_gradients(make_case, noise) -> None:
    problem = make_case("box", 24)
    b = noise(problem)
    matrix, deflation = problem.to_csr(), Deflation(problem.to_csr(), lowest_ritz_vectors(problem))
    plain = solve(problem, b, method="cg", rtol=1e-6)
    _, result = deflated_conjugate_gradients(matrix, b[problem.fluid], deflation, rtol=1e-6)
    eigenvalues = box_eigenvalues(24, 3)
    ratio = np.sqrt(eigenvalues[0] / eigenvalues[16])  # of the square roots of the condition numbers
    assert ratio < result.iterations / plain.iterations < 0.7


def test_a_zero_right_hand_side_and_the_limit_of_iterations(make_case, noise) -> None:
    problem = make_case("box", 12)
    matrix, deflation = problem.to_csr(), Deflation(problem.to_csr(), lowest_ritz_vectors(problem, 2))
    x, result = deflated_conjugate_gradients(matrix, np.zeros(problem.unknowns), deflation)
    assert not x.any() and result.status == "converged"
    seen: list[tuple[int, float]] = []
    b = noise(problem)[problem.fluid]
    _, result = deflated_conjugate_gradients(matrix, b, deflation, maxiter=3, callback=lambda *step: seen.append(step))
    assert result.status == "maxiter" and [step for step, _ in seen] == [1, 2, 3]
    assert seen[-1][1] == pytest.approx(result.true_residual, rel=1e-6)


def test_vectors_that_cannot_be_deflated_are_refused(make_case) -> None:
    problem = make_case("box", 12)
    with pytest.raises(InputError, match=r"expected \(1728, k\)"):
        Deflation(problem.to_csr(), np.ones((5, 2)))
    with pytest.raises(InputError, match="depend on each other"):
        Deflation(problem.to_csr(), np.ones((1728, 2)))
    with pytest.raises(InputError, match="a fifth of the unknowns, 345, got 400"):
        lowest_ritz_vectors(problem, 400)
