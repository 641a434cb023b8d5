"""Reports on a solution and its derivatives: residuals, iterations, and bounds of the errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics.implicit.bounds import GradientBound, inverse_norm_bound
from sciml.numerics.implicit.handed_over import versions
from sciml.numerics.implicit.linearisation import Linearisation

if TYPE_CHECKING:
    from sciml.numerics.implicit.differentiation import Problem


@dataclass(frozen=True, eq=False)
class DerivativeReport:
    """Residuals of the linear system of a derivative: J^T y = c in reverse mode, J v = r in forward mode.

    Attributes
    ----------
    residual : Euclidean norm of what is left of the right-hand side, ``(*batch,)``
    scale : that of the right-hand side
    iterations : of each item, 0 if the solve is direct
    """

    residual: Tensor
    scale: Tensor
    iterations: Tensor


class ImplicitReport:
    """A report on a solution, to which the passes that compute derivatives add theirs.

    It refers to the solution, the arguments and the last adjoint solution, for the bounds; keep its numbers rather
    than the report itself.

    Attributes
    ----------
    residual : Euclidean norm of the condition F(x, p) at the solution, ``(*batch,)``
    info : what the solver returned beside the solution, if anything
    adjoint : of the last reverse pass, None before
    tangent : of the last forward-mode pass, None before
    """

    residual: Tensor
    info: object = None
    adjoint: DerivativeReport | None = None
    tangent: DerivativeReport | None = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._point: tuple[Tensor, ...] = ()
        self._versions: tuple[int | None, ...] = ()
        self._pair: tuple[Tensor, Tensor] | None = None

    def __repr__(self) -> str:
        rows = [f"residual of the condition at most {_largest(self.residual):.2g}"]
        for name, each in (("adjoint", self.adjoint), ("tangent", self.tangent)):
            if each is not None:
                rows.append(f"of the {name} solve {_largest(each.residual):.2g} of {_largest(each.scale):.2g}")
                rows.append(f"in {int(_largest(each.iterations))} iterations")
        return f"ImplicitReport({', '.join(rows)})"

    def solution_bound(self, inverse_norm: float | Tensor | None = None) -> Tensor:
        """Return a bound of the error of each item of the solution, s |F(x, p)|, ``(*batch,)``, in the Euclidean norm.

        It needs no derivative before, and is the bound or estimate that :meth:`gradient_bound` is.

        Parameters
        ----------
        inverse_norm : as in :meth:`gradient_bound`
        """
        point = self._linearisation()
        return self._inverse_norm(inverse_norm, point) * self.residual

    def gradient_bound(self, inverse_norm: float | Tensor | None = None) -> Tensor:
        r"""Return a bound of the error of the last gradient, in all arguments together, in the Euclidean norm.

        It is the error for the cotangent that was given. It counts both residuals, and the Hessian if ``least_squares``
        was told to take that of Gauss and Newton; see :mod:`sciml.numerics.implicit.bounds` for the formula.

        Parameters
        ----------
        inverse_norm : s, at least the Euclidean norm of the inverse of dF/dx, a number or ``(*batch,)``:
            :math:`1 / (1 - \gamma)` for a fixed point of a map with the Lipschitz constant :math:`\gamma`,
            :math:`1 / \lambda_{min}` for a symmetric definite system. None to find it by 8 solves with the Jacobian and
            with its transpose at the solution.

        Returns
        -------
        Tensor
            ``(*batch,)`` if each item has its own slice of every argument, and a scalar, for the gradient in all, if
            the items share an argument; the derivatives of F tell, whatever the shapes.

            For a condition that is affine in x it is a bound, up to terms of second order in the two errors; one
            without any reserve if the adjoint solve is exact. For others s and the derivatives of F
            hold at the solution that was found, and the bound is an estimate, which is right in the limit of small
            residuals. Norms that are not given are exceeded with a probability of at most 1e-6 each. Rounding in the
            evaluation of F comes on top: a residual of 0 leaves an error of the order of s times the unit of rounding.

        Raises
        ------
        InputError
            There was no reverse pass yet, or an argument was changed in place since.
        """
        if self._pair is None:
            raise InputError("no gradient has been computed yet, expected a reverse pass before; call backward().")
        point = self._linearisation()
        return GradientBound(point, *self._pair).of(self._inverse_norm(inverse_norm, point))

    def record_solution(self, residual: Tensor, *point: Tensor) -> None:
        """Keep a solution with its arguments, and the residual norms of its items."""
        self.residual, self._point = residual, point
        self._versions = versions(point)

    def record_adjoint(self, report: DerivativeReport, adjoint: Tensor, cotangent: Tensor) -> None:
        """Keep the solution of an adjoint system and its right-hand side."""
        self.adjoint, self._pair = report, (adjoint, cotangent)

    def _linearisation(self) -> Linearisation:
        """Return the condition at the solution, with its exact derivatives."""
        if None in self._versions:
            raise InputError(
                "the solution was found in inference mode, which keeps no derivatives, expected another mode for the "
                "bounds of its errors; use torch.no_grad()."
            )
        if self._versions != versions(self._point):
            raise InputError(
                "an argument or the solution was changed in place after the solve, so that its errors are unknown; ask "
                "before a step of an optimizer."
            )
        solution, *arguments = self._point
        return Linearisation(self._problem.condition, self._problem.batch, solution, arguments)

    def _inverse_norm(self, inverse_norm: float | Tensor | None, point: Linearisation) -> Tensor:
        """Return s of each item, found or as given."""
        if inverse_norm is None:
            return inverse_norm_bound(point, self._problem.adjoint)
        given = torch.as_tensor(inverse_norm).to(point.solution)
        fits = given.dim() == 0 or given.shape == self.residual.shape
        if not fits or not bool((torch.isfinite(given) & (given > 0)).all()):
            raise InputError(
                f"inverse_norm is {inverse_norm}, expected a positive number, or one for each item, such as "
                "1 / (1 - gamma) for a contraction."
            )
        return given.expand(self.residual.shape)


def _largest(values: Tensor) -> float:
    return float(values.max()) if values.numel() else 0.0
