r"""Bounds of the error of an implicit gradient, from the residuals of the forward and of the adjoint solve.

With the residuals f = |F(x, p)| and a = |c - J^T y| of what was found, s >= |J^{-1}|, B = dF/dp, and the derivatives
H = d(J^T y)/dx, K = d(B^T y)/dx with y held fixed:

.. math::

    |x - x^*| \le s f =: e, \qquad |y - y^*| \le s\,(a + |H| e) =: d, \qquad
    |\bar p - \bar p^*| \le |B|\, d + |K|\, e\, (1 + d / |y|).

The cotangent c counts as given. The residuals count as they are evaluated, in the precision of the solution; rounding
in that evaluation comes on top. This is Theorem 1 of Blondel et al. 2022 with its constants taken at the solution, and
with the error of the adjoint solve.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sciml.numerics.implicit.adjoints import AdjointSolver, solve_linear
from sciml.numerics.implicit.linearisation import Linearisation, derivative, item_norms
from sciml.numerics.random import generator

FAILURE = 1e-6  # probability that a norm exceeds what is taken for it
POWER = 32
POWER_OF_INVERSE = 16  # each costs a linear solve


def inverse_norm_bound(point: Linearisation, solver: AdjointSolver) -> Tensor:
    """Return a bound of |J^{-1}| of each item from solves with J and its transpose.

    Parameters
    ----------
    point : the condition at the solution
    solver : of linear systems with J
    """

    def product(vector: Tensor) -> Tensor:
        half = solve_linear(solver, point, vector, transposed=True).value
        return solve_linear(solver, point, half, transposed=False).value

    return norm_bound(product, point.solution, point.batch, POWER_OF_INVERSE)


class GradientBound:
    """The bound of a gradient at one point: a number for each item, or one in all if items share an argument.

    Parameters
    ----------
    point : the condition at the solution, with its exact derivatives
    adjoint : y
    cotangent : c
    """

    def __init__(self, point: Linearisation, adjoint: Tensor, cotangent: Tensor) -> None:
        self.point, self.adjoint = point, adjoint
        with torch.enable_grad():
            leaves = [point.solution, *point.arguments]
            self.in_x, *self.in_p = torch.autograd.grad(
                point.residual, leaves, adjoint, create_graph=True, allow_unused=True
            )
        self.adjoint_residual = cotangent - point.transposed(adjoint)
        self.items = 0 if self._share() else point.batch

    def of(self, inverse_norm: Tensor) -> Tensor:
        """Return the bound of the gradient in all arguments together.

        Parameters
        ----------
        inverse_norm : s of each item, ``(*batch,)``
        """
        by_solution, by_arguments, mixed = self._norms()
        if self.items == self.point.batch:
            s = inverse_norm
        else:
            s = inverse_norm.amax() if inverse_norm.numel() else inverse_norm.new_zeros(())
        e = s * item_norms(self.point.residual, self.items)
        d = s * (item_norms(self.adjoint_residual, self.items) + by_solution * e)
        size = item_norms(self.adjoint, self.items)
        return by_arguments * d + mixed * e * (1 + d / torch.where(size > 0, size, 1.0))

    def _share(self) -> bool:
        """Return whether items share an argument, found by whether B^T and K^T keep to the items.

        Factors of the items that are powers of two commute with them exactly, bit by bit, if they do.
        """
        point, batch = self.point, self.point.batch
        shape = point.shape[:batch]
        if any(each.shape[:batch] != shape for each in point.arguments):
            return True
        vector = _drawn(point.solution)
        weights = [_drawn(each) for each in point.arguments]
        before = [*point.pull_back(vector)[1], self._mixed(weights)]
        for factors in _powers_of_two(shape, point.solution):
            after = [*point.pull_back(_times(factors, vector))[1], self._mixed([_times(factors, w) for w in weights])]
            if any(not torch.equal(_times(factors, one), two) for one, two in zip(before, after, strict=True)):
                return True
        return False

    def _mixed(self, weights: list[Tensor]) -> Tensor:
        """Return K^T w."""
        return derivative(self.in_p, self.point.solution, weights)

    def _norms(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the norms of H, B and K."""
        point, in_x = self.point, self.in_x

        def of_solution(vector: Tensor) -> Tensor:
            return derivative([in_x], point.solution, [derivative([in_x], point.solution, [vector])])

        def of_arguments(vector: Tensor) -> Tensor:
            return point.push_forward(point.pull_back(vector)[1])

        def mixed(vector: Tensor) -> Tensor:
            return self._mixed([derivative([in_x], each, [vector]) for each in point.arguments])

        return tuple(
            norm_bound(product, self.adjoint, self.items, POWER) for product in (of_solution, of_arguments, mixed)
        )


def norm_bound(product: Callable[[Tensor], Tensor], like: Tensor, items: int, power: int) -> Tensor:
    r"""Return a number that the norm of M exceeds with a probability of at most 1e-6, from products with M M^T.

    .. math:: |M|^2 \le \theta\, (v^T (M M^T)^k v)^{1/k}, \qquad 0.8\, \theta^{-k/2} \sqrt n = 10^{-6}

    for v drawn from the unit sphere. It is at most :math:`\sqrt\theta` too large, 1.8 for k = 32 and 10^5 unknowns.

    Parameters
    ----------
    product : maps v to M M^T v
    like : a tensor of the shape, type and device of v
    items : number of leading axes that count matrices
    power : k, even; there are k/2 products

    References
    ----------
    Dixon, "Estimating extremal eigenvalues and condition numbers of matrices", SIAM J. Numer. Anal. 20, 1983.
    """
    vector, growth = _drawn(like), like.new_zeros(like.shape[:items])
    for step in range(power // 2 + 1):
        length = item_norms(vector, items)
        growth = growth + (length.log() if step else 0.0)  # of 0 it is -infinity, and the norm is 0
        safe = torch.where(length > 0, length, 1.0)
        vector = vector / safe.reshape((*safe.shape, *[1] * (vector.dim() - items)))
        if step < power // 2:
            vector = product(vector)
    unknowns = like.numel() / max(1, math.prod(like.shape[:items]))
    return (0.8 * math.sqrt(unknowns) / FAILURE) ** (1 / power) * torch.exp(growth / power)


def _drawn(like: Tensor) -> Tensor:
    """Return a generic tensor, always the same, of the shape, type and device of another."""
    return torch.randn(like.shape, generator=generator(0), dtype=torch.float64).to(like)


def _powers_of_two(shape: torch.Size, like: Tensor) -> list[Tensor]:
    """Return factors of items, ``shape`` each, such that any two items differ in one of them."""
    numbers, rounds = torch.arange(math.prod(shape), device=like.device), []
    for _ in range(math.ceil(math.log(max(2, len(numbers)), 32))):
        rounds.append(torch.exp2((numbers % 32 - 16).to(like)).reshape(shape))
        numbers = numbers // 32
    return rounds


def _times(factors: Tensor, values: Tensor) -> Tensor:
    """Return values with each item multiplied by its factor."""
    return values * factors.reshape((*factors.shape, *[1] * (values.dim() - factors.dim())))
