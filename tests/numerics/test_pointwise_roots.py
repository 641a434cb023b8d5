"""Derivatives of roots: those of the closed form, of any order, for systems and for several inputs."""

from __future__ import annotations

import torch
from torch.autograd import grad, gradcheck, gradgradcheck

from sciml.numerics.pointwise_roots import differentiable_root


def points(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (drawn + 0.5).requires_grad_()


def test_the_first_three_derivatives_of_a_cube_root_are_exact():
    x = points(5, 1)
    y = differentiable_root(lambda y, x: y**3 - x, x.detach() ** (1 / 3), x)
    for exact in (x ** (-2 / 3) / 3, -2 * x ** (-5 / 3) / 9, 10 * x ** (-8 / 3) / 27):
        (y,) = grad(y.sum(), x, create_graph=True)
        torch.testing.assert_close(y, exact, rtol=1e-12, atol=0)


def test_a_system_with_two_inputs_has_the_gradients_of_finite_differences():
    """y = x + t sin(reversed y), which has no closed form and couples both unknowns."""

    def equation(y: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return y - x - t * torch.sin(y.flip(1))

    def solved(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x
            for _ in range(200):
                y = x + t * torch.sin(y.flip(1))
        return differentiable_root(equation, y, x, t)

    x, t = points(3, 2), 0.3 * points(3, 1, seed=1)
    t = t.detach().requires_grad_()
    assert gradcheck(solved, (x, t))
    assert gradgradcheck(solved, (x, t))


def test_nothing_is_recorded_where_no_derivative_is_wanted():
    x = points(2, 1)
    root = x.detach().sqrt()
    assert differentiable_root(lambda y, x: y**2 - x, root, x.detach()) is root
    with torch.no_grad():
        assert differentiable_root(lambda y, x: y**2 - x, root, x) is root
