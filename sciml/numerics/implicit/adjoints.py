"""Solvers of the one linear system that a derivative needs: J^T y = c in reverse mode, J v = r in forward mode.

They are small frozen objects, a part that a caller chooses beside the solver of the problem itself. Each solves every
item of a batch to its own tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from sciml.checks import number, whole_number
from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.numerics.implicit.krylov import conjugate_gradients, gmres
from sciml.numerics.implicit.linearisation import Linearisation, item_norms

LARGEST_DENSE = 2**32  # bytes of the Jacobians of all items


class LinearSolution(NamedTuple):
    """A solution in the shape of the right-hand side, and the iterations of each item, ``(*batch,)``; 0 if direct."""

    value: Tensor
    iterations: Tensor


class AdjointSolver(Protocol):
    """A solver of linear systems with the Jacobian of a condition and with its transpose."""

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution of J v = right, or of J^T v = right, for each item."""


@dataclass(frozen=True)
class Given:
    """A solve that exists already, such as one with the factors or the hierarchy of the forward solve.

    Parameters
    ----------
    solution : maps a right-hand side in the shape of x to the solution of J v = right, and raises if it fails; None if
        forward mode is not needed
    transposed : the same for J^T; None if J is symmetric

    Notes
    -----
    What it returns is taken as it is, since the pseudo-inverse of a singular system rightly leaves a residual; the
    report has the residual.
    """

    solution: Callable[[Tensor], Tensor] | None
    transposed: Callable[[Tensor], Tensor] | None = None

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return what the given function returns."""
        chosen = self.transposed if transposed and self.transposed is not None else self.solution
        if chosen is None:
            raise InputError(
                "the adjoint solver has no solve with the Jacobian itself, expected one for derivatives in forward "
                "mode and for the norm of the inverse; pass it as the first argument of Given."
            )
        return LinearSolution(chosen(right).to(right), _none(right, jacobian.batch))


@dataclass(frozen=True)
class Dense:
    """Gaussian elimination of the Jacobians, which are formed row by row; for up to some hundred unknowns an item.

    Equivalent to ``torch.linalg.solve``. Rows, then columns are scaled to a largest entry of 1 before; a pivot that is
    lost in rounding is a :class:`~sciml.errors.SingularSystemError`.
    """

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution of every item by its factors."""
        size = right.numel() * jacobian.unknowns * right.element_size()
        if size > LARGEST_DENSE:
            raise InputError(
                f"the dense Jacobians of {jacobian.unknowns} unknowns an item take {size / 2**30:.1f} GiB, expected at "
                f"most {LARGEST_DENSE / 2**30:.0f}; pass adjoint=GMRES() or the solve of the problem itself."
            )
        matrices = jacobian.matrices()
        if transposed:
            matrices = matrices.mT
        by_row = _largest(matrices, -1)
        by_column = _largest(matrices / by_row, -2)
        factors, pivots, _ = torch.linalg.lu_factor_ex(matrices / by_row / by_column)
        diagonal = factors.diagonal(dim1=-2, dim2=-1).abs()
        lost = ~(diagonal.amin(-1) > jacobian.unknowns * torch.finfo(right.dtype).eps * diagonal.amax(-1))
        if bool(lost.any()):
            raise SingularSystemError(
                f"the Jacobian of the condition is singular for item {int(lost.nonzero()[0])} of {len(lost)}, expected "
                "a regular one; the solution is not a differentiable function of the arguments there."
            )
        columns = right.reshape(-1, jacobian.unknowns, 1) / by_row
        value = torch.linalg.lu_solve(factors, pivots, columns) / by_column.mT
        return LinearSolution(value.reshape(right.shape), _none(right, jacobian.batch))


@dataclass(frozen=True)
class ConjugateGradients:
    """Conjugate gradients, matrix-free, for symmetric definite Jacobians: linear systems and strict extrema.

    Parameters
    ----------
    rtol : relative tolerance of each item's residual
    maxiter : the most iterations
    """

    rtol: float = 1e-10
    maxiter: int = 10_000

    def __post_init__(self) -> None:
        number("rtol", self.rtol, above=0, below=1)
        whole_number("maxiter", self.maxiter, at_least=1)

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution of every item, or raise if one is not found."""
        product, flat = jacobian.flat_product(transposed=transposed), right.reshape(-1, jacobian.unknowns)
        found = conjugate_gradients(product, flat, self.rtol, self.maxiter)
        return _converged(self, found, right, jacobian.batch)


@dataclass(frozen=True)
class GMRES:
    """Restarted generalised minimal residuals, matrix-free, for any regular Jacobian.

    Parameters
    ----------
    rtol : relative tolerance of each item's residual
    restart : vectors that are kept, each of the size of the solution
    maxiter : the most iterations, those of all cycles
    """

    rtol: float = 1e-10
    restart: int = 30
    maxiter: int = 3000

    def __post_init__(self) -> None:
        number("rtol", self.rtol, above=0, below=1)
        whole_number("restart", self.restart, at_least=1)
        whole_number("maxiter", self.maxiter, at_least=1)

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution of every item, or raise if one is not found."""
        product, flat = jacobian.flat_product(transposed=transposed), right.reshape(-1, jacobian.unknowns)
        found = gmres(product, flat, self.rtol, self.restart, self.maxiter)
        return _converged(self, found, right, jacobian.batch)


def _converged(
    solver: ConjugateGradients | GMRES, found: tuple[Tensor, Tensor, Tensor], right: Tensor, batch: int
) -> LinearSolution:
    """Return what an iteration has found, or raise if an item has missed its tolerance."""
    value, iterations, residual = found
    scale = item_norms(right, batch).flatten()
    failed = ~(residual <= solver.rtol * scale)
    if bool(failed.any()):
        worst = float((residual / scale)[failed].max())
        raise DivergenceError(
            f"the linear solve of the derivative by {type(solver).__name__} ended with the relative residual "
            f"{worst:.2g} in {int(failed.sum())} of {len(failed)} items after {int(iterations.max())} iterations, "
            f"expected at most rtol={solver.rtol:g}; raise rtol or maxiter, or pass adjoint=Dense()."
        )
    return LinearSolution(value.reshape(right.shape), iterations.reshape(right.shape[:batch]))


def _none(right: Tensor, batch: int) -> Tensor:
    """Return the iterations of a direct solve."""
    return torch.zeros(right.shape[:batch], dtype=torch.long, device=right.device)


def _largest(matrices: Tensor, axis: int) -> Tensor:
    """Return the largest entries of rows or columns, with 1 for 0."""
    largest = matrices.abs().amax(axis, keepdim=True)
    return torch.where(largest == 0, 1.0, largest)
