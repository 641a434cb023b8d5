r"""The Hessian of pointwise least squares under equality constraints, factorised once for Newton steps and derivatives.

.. math::

    \begin{pmatrix} H & C^T \\ C & 0 \end{pmatrix}, \qquad
    H = J^T J + A^T A + \sum_{pq} T_p^T\, \mathrm{diag}(s\, \rho\, \partial_{pq} \rho)\, T_q

It is solved on the null space of C, by Cholesky's factors of ``Z^T H Z``, or by the triangle of the Jacobian where that
is the Hessian of Gauss and Newton.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from sciml.errors import DivergenceError, SingularSystemError
from sciml.numerics.batched_steps import block_diagonal
from sciml.numerics.implicit.adjoints import LinearSolution
from sciml.numerics.implicit.linearisation import Linearisation
from sciml.numerics.pointwise_residuals import PointwiseProblem, fields, product

CORRECTIONS = 3  # of a solution by the factors from before the last Newton step, at most
ROUNDING = 1e-15  # relative residual that is not corrected
SETTLED = 1e-12  # relative residual above which factors are computed anew at the solution
WRONG = 1e-6  # relative residual that corrections cannot leave unless the second derivatives are wrong
ROOT_OF_ROUNDING = 1e-7  # sine below which a pivot of Cholesky's factors, a sum of squares, is rounding
LOST = 1e-13  # sine of the angle between a column and those before it that counts as dependent


class PointwiseHessian:
    """The factors of all items, and an :class:`~sciml.numerics.implicit.AdjointSolver` by them.

    Parameters
    ----------
    problem : whose Hessian it is
    exact : whether second derivatives of the residual count; items where the result is not positive definite do without

    Attributes
    ----------
    gauss_newton : whether an item does without, ``(items,)``
    """

    def __init__(self, problem: PointwiseProblem, *, exact: bool) -> None:
        self.problem, self._curved = problem, exact and not problem.residual.linear
        self._told = not exact
        self.gauss_newton = torch.full((problem.items,), not exact, device=problem.terms.device)

    def factorise(self, w: Tensor) -> None:
        """Compute the Hessian of half the sum of squares at some unknowns, and its Cholesky factors.

        Parameters
        ----------
        w : where, ``(items, unknowns)``
        """
        space, here = self.problem.null_space, self.problem.linearise(w, slice(None))
        self._full = here.triangle.mT @ here.triangle
        triangle = (here if space.basis is None else here.along(space.basis)).triangle
        self._lower = triangle[:, : triangle.shape[2]].mT
        if self._curved:
            self._full = self._full + self._second_order(w)
            lower, failed = torch.linalg.cholesky_ex(space.restrict(self._full))
            self.gauss_newton[:] = (failed > 0) | ~(_sines(lower.mT) > ROOT_OF_ROUNDING).all(1)
            self._lower = torch.where(self.gauss_newton[:, None, None], self._lower, lower)

    def _second_order(self, w: Tensor) -> Tensor:
        """Return the part of the Hessian with second derivatives of the residual, ``(items, unknowns, unknowns)``."""
        problem, terms = self.problem, self.problem.terms
        members, count, _, unknowns = terms.shape
        v = fields(terms, w.reshape(members, unknowns))
        weights = problem.weights * problem.residual.value(v, *problem.coefficients)
        curvature = weights[:, None, None] * problem.residual.curvature(v, *problem.coefficients)
        total = w.new_zeros(members, unknowns, unknowns)
        for p in range(count):
            active = [q for q in range(count) if bool(curvature[:, p, q].any())]
            if active:
                image = sum(curvature[:, p, q, :, None] * terms[:, q] for q in active)
                total = total.baddbmm(terms[:, p].mT, image)
        return total if problem.group == 1 else block_diagonal(total, problem.group)

    def with_multipliers(self, w: Tensor) -> Tensor:
        """Return unknowns and the multipliers that balance their gradient best, ``(items, unknowns + c)``."""
        problem = self.problem
        count = problem.constraints[0].shape[1]
        gradient = problem.condition(torch.cat([w, w.new_zeros(len(w), count)], 1), *problem.arguments)
        return torch.cat([w, -problem.null_space.multipliers(gradient[:, : w.shape[1]])], 1)

    def inverse(self, right: Tensor) -> Tensor:
        """Return the solution of the system with constraints by the factors, ``(items, unknowns + c)``."""
        space, unknowns = self.problem.null_space, self._full.shape[1]
        force, levels = right[:, :unknowns], right[:, unknowns:]
        w = space.particular(levels)
        rest = space.coordinates(force - product(self._full, w))
        w = w + space.expand(torch.cholesky_solve(rest[..., None], self._lower)[..., 0])
        return torch.cat([w, space.multipliers(force - product(self._full, w))], 1)

    def solve(self, jacobian: Linearisation, right: Tensor, *, transposed: bool) -> LinearSolution:
        """Return the solution for every item; the matrix is symmetric, so that ``transposed`` makes no difference.

        Corrections by the exact product make up for the Newton step after the factors; they would undo Gauss-Newton.
        """
        self._require_regular()
        solution, residual = self._corrected(jacobian, right)
        if bool((~self.gauss_newton & (residual > SETTLED)).any()):  # the last Newton step was a long one
            with torch.no_grad():
                self.factorise(jacobian.solution[:, : self.problem.unknowns])
            self._require_regular()
            solution, residual = self._corrected(jacobian, right)
        wrong = ~self.gauss_newton & ~(residual <= WRONG)
        if bool(wrong.any()):
            raise DivergenceError(
                f"the adjoint solve of {self.problem.name(int(wrong.nonzero()[0]))} leaves the relative residual "
                f"{float(residual[wrong].max()):.2g}, expected at most {WRONG:g}; correct gradient and curvature of "
                "the residual, which do not fit its value."
            )
        return LinearSolution(solution, torch.zeros(len(right), dtype=torch.long, device=right.device))

    def _corrected(self, jacobian: Linearisation, right: Tensor) -> tuple[Tensor, Tensor]:
        """Return the solution after corrections, and its relative residual, ``(items,)``."""
        solution = self.inverse(right)
        left = right - jacobian.transposed(solution)
        size = right.norm(dim=1) + self._full.flatten(1).norm(dim=1) * solution.norm(dim=1)
        exact = ~self.gauss_newton
        for _ in range(CORRECTIONS):
            if not bool((exact & (left.norm(dim=1) > ROUNDING * size)).any()):
                break
            solution = solution + torch.where(exact[:, None], self.inverse(left), 0.0)
            left = right - jacobian.transposed(solution)
        return solution, left.norm(dim=1) / torch.where(size > 0, size, 1.0)

    def _require_regular(self) -> None:
        require_full_rank(self._lower.mT, "the derivative of the solution of {} does not exist", self.problem.name)
        fallen = int(self.gauss_newton.sum())
        if fallen and not self._told:
            self._told = True
            warnings.warn(
                f"the exact Hessian of {fallen} of {len(self.gauss_newton)} items is not positive definite; their "
                "derivatives take that of Gauss and Newton.",
                UserWarning,
                stacklevel=2,
            )


REMEDY = "drop basis functions that depend on others, take more points, or add a ridge to the rows"


def require_full_rank(triangle: Tensor, what: str, name: Callable[[int], str], remedy: str = REMEDY) -> None:
    """Refuse triangles ``R = Q^T J`` of Jacobians with dependent columns, whatever the units of the columns are.

    Parameters
    ----------
    triangle : ``(items, unknowns, unknowns)``
    what : begins the sentence, with braces for the name of the item
    name : returns the name of an item
    remedy : what to do about it, the end of the sentence

    Raises
    ------
    SingularSystemError
        If a column is a combination of those before it.
    """
    sines = _sines(triangle)
    lost = ~(sines > LOST).all(1)
    if bool(lost.any()):
        item = int(lost.nonzero()[0])
        rank = int((sines[item] > LOST).sum())
        raise SingularSystemError(
            f"{what.format(name(item))}: {rank} of {triangle.shape[2]} columns of its Jacobian are independent, "
            f"expected all of them; {remedy}."
        )


def _sines(triangle: Tensor) -> Tensor:
    """Return the sines of the angles between columns of a Jacobian and those before them, from its triangle."""
    return triangle.diagonal(dim1=1, dim2=2).abs() / triangle.norm(dim=1)
