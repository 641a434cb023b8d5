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
from sciml.numerics.implicit.handed_over import check_alike, check_function, described, is_plain
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
        """Return the solution of J v = right, or of J^T v = right, for each item; there is at least one unknown."""


@dataclass(frozen=True)
class Given:
    """A solve that exists already, such as one with the factors or the hierarchy of the forward solve.

    Parameters
    ----------
    solution : maps a right-hand side in the shape of x to the solution of J v = right, and raises if it fails; None if
        forward mode is not needed
    transposed : the same for J^T; None if J is symmetric
    rtol : relative residual of an item above which the result is refused, as that of a wrong transpose is; None to
        refuse none, for a pseudo-inverse, which rightly leaves a residual, or a solve that judges itself: no residual
        tells these from a wrong one, so that only the report has it, and the bound of the gradient counts it
    """

    solution: Callable[[Tensor], Tensor] | None
    transposed: Callable[[Tensor], Tensor] | None = None
    rtol: float | None = 1e-3

    def __post_init__(self) -> None:
        _check_rtol(self.rtol)
        for name, each in (("the solve given", self.solution), ("the transposed solve given", self.transposed)):
            if each is not None:
                check_function(name, each)

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return what the given function returns, or raise if it does not solve the system."""
        chosen = self.transposed if transposed and self.transposed is not None else self.solution
        if chosen is None:
            raise InputError(
                "the adjoint solver has no solve with the Jacobian itself, expected one for derivatives in forward "
                "mode and for the norm of the inverse; pass it as the first argument of Given."
            )
        value = chosen(right.clone())  # which it may change
        if not is_plain(value) or value.shape != right.shape or not value.is_floating_point():
            raise InputError(
                f"the solve that is given for the {_matrix(transposed)} returns {described(value)}, expected a dense "
                f"floating-point tensor in the shape of its right-hand side, {tuple(right.shape)}."
            )
        value = value.detach().to(right)
        if self.rtol is not None:
            residual = item_norms(right - jacobian.product(value, transposed=transposed), jacobian.batch).flatten()
            scale = item_norms(right, jacobian.batch).flatten()
            failed = ~(residual <= self.rtol * scale)
            if bool(failed.any()):
                raise DivergenceError(
                    f"the solve that is given for the {_matrix(transposed)} leaves the relative residual "
                    f"{_worst(residual, scale, failed):.2g} in {int(failed.sum())} of {len(failed)} items, "
                    f"expected at most rtol={self.rtol:g}; correct it, pass the solve with the transpose as the second "
                    "argument of Given unless the Jacobian is symmetric, or rtol=None if a residual is right."
                )
        return LinearSolution(value, _none(right, jacobian.batch))


@dataclass(frozen=True)
class Dense:
    """Gaussian elimination of the Jacobians, which are formed row by row; for up to some hundred unknowns an item.

    Equivalent to ``torch.linalg.solve``. Rows, then columns are scaled to a largest entry of 1 before; a pivot that is
    lost in rounding is a :class:`~sciml.errors.SingularSystemError`. A solution that leaves more than rounding of its
    right-hand side, since items depend on one another, is an :class:`~sciml.errors.InputError`.
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
        scaled = torch.linalg.lu_solve(factors, pivots, columns)
        value = (scaled / by_column.mT).reshape(right.shape)
        image = jacobian.product(value, transposed=transposed).reshape(columns.shape) / by_row
        size = (matrices / by_row / by_column).abs() @ scaled.abs() + columns.abs()
        wrong = ~(item_norms(columns - image, 1) <= tolerance(right.dtype) * item_norms(size, 1))
        if bool(wrong.any()):
            raise InputError(
                f"the condition makes item {int(wrong.nonzero()[0])} of {len(wrong)} depend on another item of x, "
                "expected items of their own; lower batch until they are, or count all unknowns as one item: batch=0."
            )
        return LinearSolution(value, _none(right, jacobian.batch))


@dataclass(frozen=True)
class ConjugateGradients:
    """Conjugate gradients, matrix-free, for symmetric definite Jacobians: linear systems and strict extrema.

    Parameters
    ----------
    rtol : relative tolerance of each item's residual; None for :func:`tolerance`
    maxiter : the most iterations
    """

    rtol: float | None = None
    maxiter: int = 10_000

    def __post_init__(self) -> None:
        _check_rtol(self.rtol)
        whole_number("maxiter", self.maxiter, at_least=1)

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution of every item, or raise if one is not found."""
        product, flat = jacobian.flat_product(transposed=transposed), right.reshape(-1, jacobian.unknowns)
        rtol = tolerance(right.dtype) if self.rtol is None else self.rtol
        found = conjugate_gradients(product, flat, rtol, self.maxiter)
        return _converged(type(self).__name__, rtol, found, right, jacobian.batch)


@dataclass(frozen=True)
class GMRES:
    """Restarted generalised minimal residuals, matrix-free, for any regular Jacobian.

    Parameters
    ----------
    rtol : relative tolerance of each item's residual; None for :func:`tolerance`
    restart : vectors that are kept, each of the size of the solution
    maxiter : the most iterations, those of all cycles
    """

    rtol: float | None = None
    restart: int = 30
    maxiter: int = 3000

    def __post_init__(self) -> None:
        _check_rtol(self.rtol)
        whole_number("restart", self.restart, at_least=1)
        whole_number("maxiter", self.maxiter, at_least=1)

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution of every item, or raise if one is not found."""
        product, flat = jacobian.flat_product(transposed=transposed), right.reshape(-1, jacobian.unknowns)
        rtol = tolerance(right.dtype) if self.rtol is None else self.rtol
        found = gmres(product, flat, rtol, self.restart, self.maxiter)
        return _converged(type(self).__name__, rtol, found, right, jacobian.batch)


def tolerance(dtype: torch.dtype) -> float:
    """Return the relative residual that is asked of a linear solve by default: 1e-10, or 1000 units of rounding.

    Parameters
    ----------
    dtype : of the solution; 1.2e-4 for single precision
    """
    return max(1e-10, 1000 * torch.finfo(dtype).eps)


def solve_linear(solver: AdjointSolver, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
    """Return the solution of J v = right, or of J^T v = right; without unknowns or items there is nothing to solve.

    Parameters
    ----------
    solver : finds it
    jacobian : J
    right : in the shape of x
    transposed : whether the system is that of J^T
    """
    if right.numel() == 0:
        return LinearSolution(right, _none(right, jacobian.batch))
    found = solver.solve(jacobian, right, transposed=transposed)
    if not isinstance(found, LinearSolution):
        raise InputError(
            f"{type(solver).__name__}.solve returns {described(found)}, expected a LinearSolution: a tensor like the "
            "right-hand side, and the iterations of each item."
        )
    check_alike(f"{type(solver).__name__}.solve returns", found.value, right, "it is a solution for a right-hand side")
    return found


def _matrix(transposed: bool) -> str:
    return "transposed Jacobian" if transposed else "Jacobian"


def _check_rtol(rtol: float | None) -> None:
    if rtol is not None:
        number("rtol", rtol, above=0, below=1)


def _worst(residual: Tensor, scale: Tensor, failed: Tensor) -> float:
    return float((residual / scale)[failed].max())


def _converged(
    name: str, rtol: float, found: tuple[Tensor, Tensor, Tensor], right: Tensor, batch: int
) -> LinearSolution:
    """Return what an iteration has found, or raise if an item has missed its tolerance."""
    value, iterations, residual = found
    scale = item_norms(right, batch).flatten()
    failed = ~(residual <= rtol * scale)
    if bool(failed.any()):
        raise DivergenceError(
            f"the linear solve of the derivative by {name} ended with the relative residual "
            f"{_worst(residual, scale, failed):.2g} in {int(failed.sum())} of {len(failed)} items after "
            f"{int(iterations.max())} iterations, expected at most rtol={rtol:g}; raise rtol or maxiter, or pass "
            "adjoint=Dense(), which tells whether the Jacobian is singular."
        )
    return LinearSolution(value.reshape(right.shape), iterations.reshape(right.shape[:batch]))


def _none(right: Tensor, batch: int) -> Tensor:
    """Return the iterations of a direct solve."""
    return torch.zeros(right.shape[:batch], dtype=torch.long, device=right.device)


def _largest(matrices: Tensor, axis: int) -> Tensor:
    """Return the largest entries of rows or columns, with 1 for 0."""
    largest = matrices.abs().amax(axis, keepdim=True)
    return torch.where(largest == 0, 1.0, largest)
