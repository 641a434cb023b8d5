"""Implicit derivatives of stationary points and of least squares: the exact Hessian, and that of Gauss and Newton."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import grad, gradcheck

from sciml.errors import InputError
from sciml.numerics.implicit import GMRES, ConjugateGradients, Dense, least_squares, stationary_point

SOLVERS = [
    pytest.param(Dense(), id="dense"),
    pytest.param(ConjugateGradients(rtol=1e-13), id="cg"),
    pytest.param(GMRES(rtol=1e-13), id="gmres"),
]
EXPERTS, ROWS, UNKNOWNS = 2, 5, 2


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (drawn - 0.5).requires_grad_()


def newton(objective, start):
    """Return a stationary point of each item by Newton's method on dense Hessians, to rounding."""
    x = start.detach()
    for _ in range(8):
        hessian = torch.func.jacrev(torch.func.grad(lambda x: objective(x).sum()))(x)
        items = len(x)
        blocks = hessian[torch.arange(items), :, torch.arange(items)]
        x = x - torch.linalg.solve(blocks, torch.func.grad(lambda x: objective(x).sum())(x)[..., None])[..., 0]
    return x


def energy(x, p, stiffness):
    """A convex energy with a term of fourth order; the stiffness is shared by all items."""
    return (0.5 * stiffness * x**2 + 0.25 * x**4 - p * x).sum(-1) + 0.1 * (x[..., 1:] * x[..., :-1]).sum(-1)


@pytest.mark.parametrize("adjoint", SOLVERS)
def test_a_minimum_has_the_derivatives_of_finite_differences(adjoint):
    def minimum(p, stiffness):
        def solver(p, stiffness):
            return newton(lambda x: energy(x, p, stiffness), torch.zeros_like(p))

        return stationary_point(energy, solver, p, stiffness, adjoint=adjoint, batch=1)[0]

    p, stiffness = draw(EXPERTS, UNKNOWNS), (draw(UNKNOWNS, seed=1).detach() + 1.5).requires_grad_()
    assert gradcheck(minimum, (p, stiffness), check_forward_ad=True)


# The rows of one expert: u = tanh(basis w) is fitted to values that no w attains.
def misfit(w, basis, values):
    return torch.tanh(basis @ w[..., None])[..., 0] - values


def fitted(basis, values):
    def objective(w):
        return 0.5 * (misfit(w, basis, values) ** 2).sum(-1)

    return newton(objective, torch.zeros(*basis.shape[:-2], basis.shape[-1], dtype=basis.dtype))


@pytest.mark.parametrize("adjoint", SOLVERS)
def test_a_fit_that_leaves_a_residual_has_the_derivatives_of_finite_differences(adjoint):
    def fit(basis, values):
        return least_squares(misfit, fitted, basis, values, adjoint=adjoint, batch=1)[0]

    inputs = draw(EXPERTS, ROWS, UNKNOWNS), draw(EXPERTS, ROWS, seed=1)
    assert gradcheck(fit, inputs, check_forward_ad=True)


def gradients(basis, values, **options):
    w, report = least_squares(misfit, fitted, basis, values, batch=1, **options)
    found = grad((w * draw(EXPERTS, UNKNOWNS, seed=5).detach()).sum(), (basis, values))
    return found, report


@pytest.mark.parametrize("adjoint", SOLVERS)
def test_gauss_newton_is_exact_only_where_the_residual_vanishes(adjoint):
    """At a residual that is not 0 it differs, and the bound of the gradient's error knows."""
    basis, values = draw(EXPERTS, ROWS, UNKNOWNS), draw(EXPERTS, ROWS, seed=1)
    attained = torch.tanh(basis @ draw(EXPERTS, UNKNOWNS, 1, seed=2))[..., 0].detach().requires_grad_()
    for right, least, most in ((values, 1e-3, 1.0), (attained, 0.0, 1e-9)):
        exact, _ = gradients(basis, right)
        approximate, report = gradients(basis, right, hessian="gauss_newton", adjoint=adjoint)
        error = torch.stack([(a - e).flatten(1).norm(dim=1) for a, e in zip(approximate, exact, strict=True)]).norm(
            dim=0
        )
        assert (error >= least).all() and (error <= most).all()
        assert (error <= report.gradient_bound() + 1e-12).all()
        assert (report.adjoint.residual <= 1e-12).all()


def test_linear_least_squares_have_the_gradients_of_the_normal_equations():
    basis, values = draw(EXPERTS, ROWS, UNKNOWNS), draw(EXPERTS, ROWS, seed=1)

    def rows(w, basis, values):
        return (basis @ w[..., None])[..., 0] - values

    def solver(basis, values):
        return torch.linalg.lstsq(basis, values[..., None]).solution[..., 0]

    w, report = least_squares(rows, solver, basis, values, batch=1)
    exact = torch.linalg.solve(basis.mT @ basis, basis.mT @ values[..., None])[..., 0]
    cotangent = draw(EXPERTS, UNKNOWNS, seed=2).detach()
    for found, expected in zip(
        grad(w, (basis, values), cotangent), grad(exact, (basis, values), cotangent), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert report.residual.shape == (EXPERTS,) and report.residual.max() < 1e-13


def test_bad_objectives_are_refused_with_a_sentence():
    p = draw(EXPERTS, UNKNOWNS)
    with pytest.raises(InputError, match=r"returns shape \(\), expected one number for each item, shape \(2,\)"):
        stationary_point(lambda x, p: ((x - p) ** 2).sum(), lambda p: p, p, batch=1)
    with pytest.raises(InputError, match="none of the arguments"):
        stationary_point(lambda x, q: ((x - p) ** 2).sum(), lambda q: q, p.detach())
    with pytest.raises(InputError, match=r"hessian is 'newton', expected one of exact, gauss_newton"):
        least_squares(lambda x, p: x - p, lambda p: p, p, hessian="newton")
