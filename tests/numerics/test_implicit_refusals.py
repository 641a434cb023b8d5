"""Implicit derivatives of conditions that break their promises are refused; single precision and no unknowns work."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import grad

from sciml.errors import DivergenceError, InputError
from sciml.numerics.implicit import GMRES, ConjugateGradients, Dense, Given, fixed_point, linear_system, root

ADJOINTS = [Dense(), GMRES(), ConjugateGradients()]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(items=st.integers(2, 5), n=st.integers(1, 3), size=st.integers(-7, 0), seed=st.integers(0, 99))
def test_items_that_depend_on_one_another_are_refused_in_both_modes(items, n, size, seed):
    """x - M x - p = 0 with a matrix M over the items; as one item, it has the gradient of the dense solve."""
    coupling = 10.0**size * 0.3 * draw(items, items, seed=seed) / items
    matrix = torch.eye(items, dtype=torch.float64) - coupling
    p, cotangent = draw(items, n, seed=seed + 1).requires_grad_(), draw(items, n, seed=seed + 2)

    def solution(p, batch):
        return root(lambda x, p: x - coupling @ x - p, lambda p: torch.linalg.solve(matrix, p), p, batch=batch)[0]

    with pytest.raises(InputError, match="depend on another item"):
        grad(solution(p, 1), p, cotangent)
    with pytest.raises(InputError, match="depend on another item"):
        torch.func.jvp(lambda p: solution(p, 1), (p.detach(),), (cotangent,))
    torch.testing.assert_close(grad(solution(p, 0), p, cotangent)[0], torch.linalg.solve(matrix.T, cotangent))


@pytest.mark.parametrize("seed", range(5))
def test_coupled_items_never_yield_a_wrong_gradient_without_a_matrix(seed):
    coupling, p = 0.3 * draw(3, 3, seed=seed), draw(3, 2, seed=seed + 1).requires_grad_()
    matrix = torch.eye(3) - coupling
    x, _ = root(lambda x, p: x - coupling @ x - p, lambda p: torch.linalg.solve(matrix, p), p, adjoint=GMRES(), batch=1)
    try:
        found = grad(x.sum(), p)[0]
    except DivergenceError:
        return
    torch.testing.assert_close(found, torch.linalg.solve(matrix.T, torch.ones_like(p)), rtol=1e-8, atol=1e-8)


def test_a_forgotten_transpose_is_refused_unless_a_residual_is_right():
    matrix, b = torch.tensor([[2.0, 1.0], [0.0, 2.0]], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    b.requires_grad_()

    def solve(right):
        return torch.linalg.solve(matrix, right)

    for adjoint, fails in ((Given(solve), True), (Given(solve, rtol=None), False)):
        x, report = linear_system(lambda x: matrix @ x, solve, b, adjoint=adjoint)
        if fails:
            with pytest.raises(DivergenceError, match="transposed Jacobian leaves the relative residual"):
                grad(x.sum(), b)
        else:
            grad(x.sum(), b)
            assert report.adjoint.residual > 0.3 * report.adjoint.scale
    x, _ = linear_system(
        lambda x: matrix @ x, solve, b, adjoint=Given(solve, lambda right: torch.linalg.solve(matrix.T, right))
    )
    torch.testing.assert_close(grad(x.sum(), b)[0], torch.linalg.solve(matrix.T, torch.ones(2, dtype=torch.float64)))


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda each: type(each).__name__)
def test_single_precision_has_the_derivatives_of_double_precision_by_default(adjoint):
    """A symmetric definite matrix of condition about 60 with a nonlinearity, in batches."""
    factor = draw(3, 20, 20) / 20**0.5

    def gradients(dtype):
        m, b = (2 * factor @ factor.mT).to(dtype).requires_grad_(), draw(3, 20, seed=1).to(dtype).requires_grad_()

        def operator(x, m):
            return 0.1 * x + (m @ x[..., None])[..., 0]

        def solver(b, m):
            return torch.linalg.solve(m + 0.1 * torch.eye(20, dtype=m.dtype), b)

        x, report = linear_system(operator, solver, b, m, adjoint=adjoint, batch=1)
        found = grad(x, (b, m), draw(3, 20, seed=2).to(dtype))
        assert all(each.dtype == dtype for each in found)
        assert (report.adjoint.residual <= 1.2e-4 * report.adjoint.scale).all()
        return found

    for single, double in zip(gradients(torch.float32), gradients(torch.float64), strict=True):
        assert (single.double() - double).norm() <= 1e-3 * double.norm()


def test_types_without_linear_solves_are_refused():
    for dtype in (torch.float16, torch.bfloat16):
        p = torch.ones(3, dtype=dtype, requires_grad=True)
        with pytest.raises(InputError, match=r"expected torch\.float32 or torch\.float64"):
            root(lambda x, p: x - p, lambda p: p, p)
        x, _ = root(lambda x, p: x - p, lambda p: p.double(), p)
        assert grad(x.sum(), p)[0].tolist() == [1.0] * 3


@pytest.mark.parametrize("adjoint", [*ADJOINTS, Given(lambda right: right)], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(("shape", "batch"), [((2, 0), 1), ((0, 3), 1), ((0,), 0), ((0,), 1), ((2, 0, 3), 2)])
def test_no_unknowns_and_no_items_have_empty_derivatives_and_shared_ones_of_zero(adjoint, shape, batch):
    p, a = torch.zeros(shape, dtype=torch.float64, requires_grad=True), torch.ones((), dtype=torch.float64)
    a.requires_grad_()
    x, report = fixed_point(lambda x, p, a: 0 * x + a * p, lambda p, a: a * p, p, a, adjoint=adjoint, batch=batch)
    x.sum().backward()
    assert p.grad.shape == shape and a.grad == 0
    assert report.residual.shape == report.adjoint.residual.shape == report.solution_bound().shape == shape[:batch]
    assert report.gradient_bound() == report.gradient_bound(1.0) == 0
    assert "in 0 iterations" in repr(report)
    tangent = torch.func.jvp(
        lambda p: root(lambda x, p: x - p, lambda p: p, p, adjoint=adjoint, batch=batch)[0],
        (p.detach(),),
        (p.detach(),),
    )[1]
    assert tangent.shape == shape


def test_a_single_number_has_its_bounds():
    p = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    x, report = root(lambda x, p: x**3 - p, lambda p: p ** (1 / 3) + 1e-7, p)
    error = (grad(x, p)[0] - 1 / (3 * p ** (2 / 3))).abs()
    assert 0 < error <= report.gradient_bound() <= 100 * error
    assert 0.99e-7 <= report.solution_bound() <= 3e-7
