r"""Least squares of residuals that are pointwise functions of a few linear terms: many at once, with gradients.

Fields that are combinations of a basis have derivatives that are linear in the coefficients w: at m points, the P terms
``v_p = T_p w`` (u, its derivatives) of a differential equation. Its residual is a function :math:`\rho(v)` at each
point, so that Jacobian and Hessian are products of the ``T_p``, without automatic differentiation:

.. math::

    \tfrac12 \sum_i s_i \rho(v_i)^2 + \tfrac12 |A w - b|^2 \to \min, \quad C w = d, \qquad
    J = \mathrm{diag}(\sqrt s)\, \textstyle\sum_p \mathrm{diag}(\partial_p \rho)\, T_p

>>> w, report = solve(PointwiseProblem(terms, Heat(), rows=(A, b)))                               # doctest: +SKIP
>>> w.sum().backward()                                                                            # doctest: +SKIP

References
----------
Golub, Pereyra, "Separable nonlinear least squares", Inverse Problems 19, 2003; Chalapathi, Du, Krishnapriyan, "Scaling
physics-informed hard constraints with mixture-of-experts", ICLR 2024, section 3, for the layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from sciml.checks import choice, instance, real_tensor, shape
from sciml.errors import InputError
from sciml.numerics.batched_least_squares import BatchedReport, BatchedSettings, minimise
from sciml.numerics.batched_steps import FactoredLinearisation
from sciml.numerics.implicit import ImplicitReport, root
from sciml.numerics.pointwise_hessian import PointwiseHessian, require_full_rank
from sciml.numerics.pointwise_residuals import PointwiseProblem, PointwiseResidual, product
from sciml.status import Status

__all__ = ["PointwiseProblem", "PointwiseReport", "PointwiseResidual", "minimum", "solve"]


ROUNDING = 1e-12  # relative increase of a cost that counts as none
CURVED = 1e-6  # relative difference from the cost that a linear residual would have


@dataclass(frozen=True, eq=False)
class PointwiseReport:
    """The report of :func:`solve` on how the unknowns were found, and how well.

    Attributes
    ----------
    minimum : statuses, iterations, costs and gradients of the items, the latter two after the Newton step
    gauss_newton : whether derivatives of an item take the Hessian of Gauss and Newton, ``(items,)``
    implicit : residuals of the condition and of adjoint solves
    """

    minimum: BatchedReport
    gauss_newton: Tensor
    implicit: ImplicitReport


def solve(
    problem: PointwiseProblem,
    start: Tensor | None = None,
    *,
    settings: BatchedSettings | None = None,
    hessian: Literal["exact", "gauss_newton"] = "exact",
) -> tuple[Tensor, PointwiseReport]:
    r"""Return the minima as differentiable functions of terms, rows, constraints and coefficients.

    The iteration is that of :func:`~sciml.numerics.batched_least_squares.minimise` on the null space of the
    constraints; a linear problem takes one step by QR. One Newton step follows, whose factors serve the derivatives,
    too. They cost one solve, however many iterations there were:

    .. math:: g = J^T r + A^T (A w - b) + C^T \lambda = 0, \quad C w = d

    Parameters
    ----------
    problem : what is to be solved
    start : ``(items, unknowns)``; zeros by default; its part that violates the constraints is removed
    settings : of dampings and ends
    hessian : ``"gauss_newton"`` leaves the second derivatives of the residual out of the derivatives of w, an error in
        proportion to the residual. Items whose exact Hessian is not positive definite do so anyway, with a warning.

    Returns
    -------
    w : ``(items, unknowns)``
    report : how it was found

    Raises
    ------
    InputError
        If a residual says that it is linear and is not.
    SingularSystemError
        If a linear problem, or a derivative that is asked for, has no unique solution; the sentence names the item.
    DivergenceError
        If residuals or derivatives are not finite at the start.
    """
    choice("hessian", hessian, ("exact", "gauss_newton"))
    items, unknowns = problem.items, problem.unknowns
    start = problem.terms.new_zeros(items, unknowns) if start is None else start
    shape("the start", real_tensor("the start", start), (items, unknowns))
    settings = instance("settings", settings or BatchedSettings(), BatchedSettings, "BatchedSettings")
    adjoint = PointwiseHessian(problem, exact=hessian == "exact")

    def solver(*_: Tensor) -> tuple[Tensor, BatchedReport]:
        found = minimum(problem, start, settings)
        return _polished(problem, adjoint, found.w, found, settings.stationarity)

    x, implicit = root(problem.condition, solver, *problem.arguments, adjoint=adjoint, batch=1)
    return x[:, :unknowns], PointwiseReport(implicit.info, adjoint.gauss_newton, implicit)


def minimum(problem: PointwiseProblem, start: Tensor, settings: BatchedSettings | None = None) -> BatchedReport:
    """Return the minima as plain numbers, without derivatives and without the Newton step that these are taken at.

    Parameters
    ----------
    problem, start, settings : as those of :func:`solve`

    Raises
    ------
    InputError, SingularSystemError, DivergenceError
        As :func:`solve` does.
    """
    w, found = (_one_step if problem.residual.linear else _iterate)(
        problem, start.detach(), settings or BatchedSettings()
    )
    return replace(found, w=w)


class _OnNullSpace:
    """The problem in the coordinates y of ``w = offset + Z y``."""

    def __init__(self, problem: PointwiseProblem) -> None:
        self.problem = problem
        self.offset = problem.null_space.particular(problem.constraints[1])

    def linearise(self, y: Tensor, items: Tensor) -> FactoredLinearisation:
        space, chosen = self.problem.null_space, slice(None) if len(items) == len(self.offset) else items
        here = self.problem.linearise(self.offset[chosen] + space.expand(y, chosen), chosen)
        return here if space.basis is None else here.along(space.basis[chosen])


def _iterate(problem: PointwiseProblem, start: Tensor, settings: BatchedSettings) -> tuple[Tensor, BatchedReport]:
    """Return the minima by the Levenberg-Marquardt method."""
    reduced = _OnNullSpace(problem)
    found = minimise(reduced, problem.null_space.coordinates(start), settings=settings)
    return reduced.offset + problem.null_space.expand(found.w), found


def _one_step(problem: PointwiseProblem, start: Tensor, _: BatchedSettings) -> tuple[Tensor, BatchedReport]:
    """Return the minima of linear problems, for which one step without damping suffices."""
    reduced, items = _OnNullSpace(problem), torch.arange(len(start), device=start.device)
    y = problem.null_space.coordinates(start)
    with torch.no_grad():
        here = reduced.linearise(y, items)
        require_full_rank(here.triangle, "the residuals of {} do not determine its unknowns", problem.name)
        step = here.step(torch.zeros_like(here.cost))
        y = y + step
        there = reduced.linearise(y, items)
        expected = 0.5 * (here.factors[:, :, -1] + product(here.triangle, step)).square().sum(1)
    curved = (there.cost - expected).abs() > CURVED * (here.cost + there.cost)
    if bool(curved.any()):
        item = int(curved.nonzero()[0])
        raise InputError(
            f"{problem.residual} says that it is linear, and a step changes the sum of squares of {problem.name(item)} "
            f"from {2 * float(here.cost[item]):.6g} to {2 * float(there.cost[item]):.6g}, expected "
            f"{2 * float(expected[item]):.6g}; set linear = False."
        )
    found = BatchedReport(
        y,
        (Status.CONVERGED,) * len(y),
        torch.ones_like(items),
        there.cost,
        here.gradient.norm(dim=1),
        torch.zeros_like(there.cost),
        torch.stack([here.cost, there.cost]),
    )
    return reduced.offset + problem.null_space.expand(y), found


def _polished(
    problem: PointwiseProblem, adjoint: PointwiseHessian, w: Tensor, found: BatchedReport, stationarity: float
) -> tuple[Tensor, BatchedReport]:
    """Return unknowns and multipliers after one Newton step of those items whose gradient it reduces, and the report.

    Where rounding of the cost has ended an iteration a little above the stationarity that was asked for, the step goes
    beyond it: those items have converged.
    """
    unknowns = w.shape[1]
    with torch.no_grad():
        adjoint.factorise(w)
        x = adjoint.with_multipliers(w)
        defect = problem.condition(x, *problem.arguments)
        candidate = x - adjoint.inverse(defect)
        then = problem.condition(candidate, *problem.arguments)
        before, after = (problem.linearise(each[:, :unknowns], slice(None)).cost for each in (x, candidate))
        better = (then.norm(dim=1) < defect.norm(dim=1)) & (after <= before * (1 + ROUNDING))
        x, defect = (torch.where(better[:, None], *pair) for pair in ((candidate, x), (then, defect)))
        cost = torch.where(better, after, before)
        gain = (defect * adjoint.inverse(defect))[:, :unknowns].sum(1)  # twice what another step would gain
        at_minimum = (gain >= 0) & (gain <= 2 * stationarity**2 * cost) & ~adjoint.gauss_newton
    pairs = zip(found.status, at_minimum.tolist(), strict=True)
    status = tuple(Status.CONVERGED if ended == Status.STALLED and there else ended for ended, there in pairs)
    gradient_norm = defect[:, :unknowns].norm(dim=1)
    return x, replace(found, w=x[:, :unknowns], status=status, cost=cost, gradient_norm=gradient_norm)
