"""The derivatives of a condition F(x, p) = 0 at its solution, as products: what an adjoint solve is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics.implicit.handed_over import check_alike

Condition = Callable[..., Tensor]


class Products:
    r"""Products with J = dF/dx and B = dF/dp at one point: J^T v and B^T v in reverse mode, J v and B t by two of them.

    :math:`J v = \partial_u \langle \partial_x \langle u, F\rangle, v\rangle` holds for any u, since
    :math:`\partial_x \langle u, F\rangle` is linear in u. F is evaluated once, however many products follow.

    Attributes
    ----------
    solution : x, ``(*batch, ...)``
    arguments : p
    batch : how many leading axes of x and of F count items; an item of F depends on that item of x alone
    """

    def __init__(self, condition: Condition, batch: int, solution: Tensor, arguments: Sequence[Tensor]) -> None:
        self.condition, self.batch = condition, batch
        self.solution = solution.detach().requires_grad_()
        self.arguments = [each.detach().requires_grad_() for each in arguments]

    @cached_property
    def residual(self) -> Tensor:
        """F(x, p), with its graph."""
        with torch.enable_grad():
            value = self.condition(self.solution, *self.arguments)
        if not value.requires_grad:
            raise InputError(
                "the condition returns a tensor without a graph, expected torch operations on the solution and on the "
                "arguments; remove detach() and torch.no_grad() from it."
            )
        return value

    def transposed(self, vector: Tensor) -> Tensor:
        """Return J^T v, the product with the transposed Jacobian."""
        return self._gradients([self.solution], vector)[0]

    def pull_back(self, vector: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return J^T v and B^T v, one tensor for each argument, in one reverse pass."""
        found = self._gradients([self.solution, *self.arguments], vector)
        return found[0], found[1:]

    def apply(self, vector: Tensor) -> Tensor:
        """Return J v, the product with the Jacobian."""
        u, forms = self._dual
        return derivative(forms[:1], u, [vector])

    def push_forward(self, tangents: Sequence[Tensor | None]) -> Tensor:
        """Return B t, where None is a tangent of zero."""
        u, forms = self._dual
        return derivative(forms[1:], u, tangents)

    @cached_property
    def _dual(self) -> tuple[Tensor, list[Tensor | None]]:
        """A vector u of zeros and the derivatives of <u, F> with their graphs."""
        u = torch.zeros_like(self.residual).requires_grad_()
        leaves = [self.solution, *self.arguments]
        with torch.enable_grad():
            forms = torch.autograd.grad(self.residual, leaves, u, create_graph=True, allow_unused=True)
        return u, list(forms)

    def _gradients(self, leaves: list[Tensor], vector: Tensor) -> list[Tensor]:
        found = torch.autograd.grad(self.residual, leaves, vector, retain_graph=True, allow_unused=True)
        return [torch.zeros_like(leaf) if each is None else each for each, leaf in zip(found, leaves, strict=True)]


class Linearisation(Products):
    """Products of a condition with as many equations as unknowns; J is square, and block diagonal over the items."""

    @cached_property
    def residual(self) -> Tensor:
        """F(x, p), with its graph."""
        value = super().residual
        check_residual(value, self.solution)
        return value

    @property
    def shape(self) -> torch.Size:
        """The shape of x and of all vectors."""
        return self.solution.shape

    @property
    def unknowns(self) -> int:
        """The number of unknowns of one item."""
        return math.prod(self.shape[self.batch :])

    def product(self, vector: Tensor, *, transposed: bool) -> Tensor:
        """Return J v or J^T v."""
        return self.transposed(vector) if transposed else self.apply(vector)

    def flat_product(self, *, transposed: bool) -> Callable[[Tensor], Tensor]:
        """Return the product with J or J^T on vectors ``(items, n)``."""
        return lambda flat: self.product(flat.reshape(self.shape), transposed=transposed).reshape(flat.shape)

    def matrices(self) -> Tensor:
        """Return J, ``(items, n, n)``, row by row for all items at once."""
        n = self.unknowns
        rows = torch.eye(n, dtype=self.solution.dtype, device=self.solution.device)
        found = [self.transposed(row.view(self.shape[self.batch :]).expand(self.shape)) for row in rows]
        return torch.stack(found, self.batch).reshape(-1, n, n)


class GaussNewton(Linearisation):
    """The products of least squares in which J^T J of the residuals stands for the Hessian; those with B stay exact."""

    def __init__(
        self,
        residuals: Condition,
        condition: Condition,
        batch: int,
        solution: Tensor,
        arguments: Sequence[Tensor],
    ) -> None:
        super().__init__(condition, batch, solution, arguments)
        self.fit = Products(residuals, batch, solution, arguments)

    def apply(self, vector: Tensor) -> Tensor:
        """Return J^T J v of the residuals."""
        return self.fit.transposed(self.fit.apply(vector))

    def transposed(self, vector: Tensor) -> Tensor:
        """Return J^T J v of the residuals, which is symmetric."""
        return self.apply(vector)

    def pull_back(self, vector: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return J^T J v of the residuals and the exact B^T v."""
        return self.apply(vector), super().pull_back(vector)[1]


def derivative(outputs: Sequence[Tensor | None], leaf: Tensor, weights: Sequence[Tensor | None]) -> Tensor:
    """Return the gradient of a sum of <weight, output> in a leaf; None is an output or a weight of zero."""
    pairs = [
        (output, weight)
        for output, weight in zip(outputs, weights, strict=True)
        if output is not None and output.requires_grad and weight is not None
    ]
    if not pairs:
        return torch.zeros_like(leaf)
    kept, cotangents = zip(*pairs, strict=True)
    found = torch.autograd.grad(kept, leaf, cotangents, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(leaf) if found is None else found


def check_residual(value: object, solution: Tensor) -> None:
    """Refuse what a condition returns unless it has shape, type and device of the solution."""
    check_alike("the condition returns", value, solution, "it is one equation for each unknown")


def item_norms(vectors: Tensor, batch: int) -> Tensor:
    """Return the Euclidean norm of each item, ``(*batch,)``."""
    return torch.linalg.vector_norm(vectors.detach()[..., None].flatten(batch), dim=-1)
