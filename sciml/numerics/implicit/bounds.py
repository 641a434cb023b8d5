r"""Bounds of the error of an implicit gradient, from the residuals of the forward and of the adjoint solve.

With the residuals f = |F(x, p)| and a = |c - J^T y| of what was found, s >= |J^{-1}|, B = dF/dp, and the derivatives
H = d(J^T y)/dx, K = d(B^T y)/dx with y held fixed:

.. math::

    |x - x^*| \le s f =: e, \qquad |y - y^*| \le s\,(a + |H| e) =: d, \qquad
    |\bar p - \bar p^*| \le |B|\, d + |K|\, e\, (1 + d / |y|).

The cotangent c counts as given. This is Theorem 1 of Blondel et al. 2022 with its constants taken at the solution, and
with the error of the adjoint solve.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sciml.numerics.implicit.adjoints import AdjointSolver
from sciml.numerics.implicit.linearisation import Linearisation, derivative, item_norms
from sciml.numerics.random import generator

FAILURE = 1e-6  # probability that a norm exceeds what is taken for it
POWER = 32
POWER_OF_INVERSE = 16  # each costs a linear solve


class ErrorBound:
    """Norms and error bounds at one point; all are one number for each item, or one in all.

    Parameters
    ----------
    linearisation : of the condition at the solution, the exact one
    adjoint : y
    cotangent : c
    items : number of leading axes with numbers of their own; 0 if the items share an argument
    """

    def __init__(self, linearisation: Linearisation, adjoint: Tensor, cotangent: Tensor, items: int) -> None:
        self.point, self.adjoint, self.items = linearisation, adjoint, items
        self.residual = item_norms(linearisation.residual, items)
        self.adjoint_residual = item_norms(cotangent - linearisation.transposed(adjoint), items)

    def of_solution(self, inverse_norm: Tensor) -> Tensor:
        """Return e, that of the solution."""
        return inverse_norm * self.residual

    def of_gradient(self, inverse_norm: Tensor) -> Tensor:
        """Return the bound of the gradient in all arguments together."""
        by_solution, by_arguments, mixed = self._norms()
        e = self.of_solution(inverse_norm)
        d = inverse_norm * (self.adjoint_residual + by_solution * e)
        size = item_norms(self.adjoint, self.items)
        return by_arguments * d + mixed * e * (1 + d / torch.where(size > 0, size, 1.0))

    def inverse_norm(self, solver: AdjointSolver) -> Tensor:
        """Return a bound of |J^{-1}| from solves with J and its transpose."""

        def product(vector: Tensor) -> Tensor:
            half = solver.solve(self.point, vector, transposed=True).value
            return solver.solve(self.point, half, transposed=False).value

        return norm_bound(product, self.adjoint, self.items, POWER_OF_INVERSE)

    def _norms(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the norms of H, B and K."""
        point = self.point
        with torch.enable_grad():
            leaves = [point.solution, *point.arguments]
            in_x, *in_p = torch.autograd.grad(
                point.residual, leaves, self.adjoint, create_graph=True, allow_unused=True
            )

        def of_solution(vector: Tensor) -> Tensor:
            return derivative([in_x], point.solution, [derivative([in_x], point.solution, [vector])])

        def of_arguments(vector: Tensor) -> Tensor:
            return point.push_forward(point.pull_back(vector)[1])

        def mixed(vector: Tensor) -> Tensor:
            return derivative(in_p, point.solution, [derivative([in_x], each, [vector]) for each in point.arguments])

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
    drawn = torch.randn(like.shape, generator=generator(0), dtype=torch.float64).to(like)
    vector, growth = drawn, like.new_zeros(like.shape[:items])
    for step in range(power // 2 + 1):
        length = item_norms(vector, items)
        growth = growth + (length.log() if step else 0.0)  # of 0 it is -infinity, and the norm is 0
        safe = torch.where(length > 0, length, 1.0)
        vector = vector / safe.reshape(*safe.shape, *[1] * (vector.dim() - items))
        if step < power // 2:
            vector = product(vector)
    unknowns = like.numel() / max(1, math.prod(like.shape[:items]))
    return (0.8 * math.sqrt(unknowns) / FAILURE) ** (1 / power) * torch.exp(growth / power)
