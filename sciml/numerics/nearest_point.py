r"""The nearest point of nonlinear equality constraints, by Gauss-Newton and Newton steps, with implicit gradients.

.. math:: \min_u (u - v)^T W (u - v) \text{ with } c(u, p) = 0

A step goes to the nearest point of the constraints linearised at the present one,

.. math:: T(u) = v - W^{-1} J^T (J W^{-1} J^T)^{-1} \big(c(u) + J (v - u)\big), \qquad J = \partial c / \partial u,

The solution is a fixed point of T. Steps of Newton's method on u = T(u) find it, and where they do not come nearer,
those of T itself, shortened until an exact penalty function descends. It is differentiated as a fixed point, too.

>>> circle = lambda u: (u * u).sum(-1, keepdim=True) - 1
>>> nearest_point(circle, torch.tensor([[3.0, 4.0]]))[0]
tensor([[0.6000, 0.8000]], dtype=torch.float64)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sciml.checks import finite, instance, number, real_array, real_tensor, shape, whole_number
from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.numerics.implicit import GMRES, ImplicitReport, fixed_point
from sciml.numerics.implicit.krylov import gmres
from sciml.numerics.implicit.linearisation import Condition, Linearisation

INDEPENDENT = 1e-14  # the least squared pivot of unit gradients, below which one depends on the others, or rounding
DESCENT = 1e-4  # the share of the predicted decrease that a step has to attain
PENALTY = 2.0  # weight of a constraint in the penalty function, in multiples of its largest multiplier
MOST_HALVINGS = 30
FORCING = 1e-3  # relative residual of the linear system of a step of Newton's method
MOST_PRODUCTS = 20  # for it


@dataclass(frozen=True)
class NearestPointSettings:
    """When the steps towards the nearest point end.

    Parameters
    ----------
    tol : the step, and each constraint over the norm of its gradient, relative to the norm of v, all weighted by W
    maxiter : the most steps
    """

    tol: float = 1e-12
    maxiter: int = 100

    def __post_init__(self) -> None:
        number("tol", self.tol, above=0, below=1)
        whole_number("maxiter", self.maxiter, at_least=1)


SETTINGS = NearestPointSettings()


def nearest_point(
    constraints: Condition,
    fields: Tensor,
    *arguments: Tensor,
    weights: Any = None,
    settings: NearestPointSettings = SETTINGS,
) -> tuple[Tensor, ImplicitReport]:
    """Return the nearest fields with c(u, p) = 0, in double precision, differentiable once in v and p.

    Parameters
    ----------
    constraints : c, maps fields ``(batch, n)`` and the arguments to ``(batch, q)`` by torch operations, item by item
    fields : v, ``(batch, n)``
    arguments : p, floating-point tensors in which the solution is differentiated
    weights : diagonal of W, ``(n,)`` positive numbers, such as those of a quadrature; None for ones
    settings : when the steps end

    Returns
    -------
    u : ``(batch, n)``; a stationary point of the distance, the nearest one if v is near enough
    report : on the solution and its derivatives; ``report.info`` has the number of steps of each item, ``(batch,)``

    Raises
    ------
    DivergenceError
        The steps of an item do not end, as where the constraints contradict one another.
    SingularSystemError
        The gradients of the constraints of an item depend on one another.

    References
    ----------
    Nocedal and Wright, "Numerical optimization", 2006, sections 18.1 and 18.3. Utkarsh et al.,
    "Physics-constrained flow matching", 2025, and Lastrucci et al., "ENFORCE", 2025, take such steps after a network.
    """
    shape("the fields", finite("the fields", real_tensor("the fields", fields)), ("batch", "unknowns"))
    unknowns = fields.shape[1]
    spread = torch.ones(unknowns, dtype=torch.float64)
    if weights is not None:
        spread = torch.from_numpy(real_array("the weights", weights, shape=(unknowns,)).copy())
        if not bool((spread > 0).all()):
            raise InputError(f"the least of the weights is {float(spread.min()):g}, expected positive ones.")
    instance("settings", settings, NearestPointSettings, "NearestPointSettings")
    steps = _Steps(constraints, spread.to(fields.device), settings)
    return fixed_point(steps.mapping, steps.solve, fields.double(), *arguments, adjoint=GMRES(), batch=1)


class _Step(NamedTuple):
    """Where the constraints linearised at u have their nearest point, and what is known there."""

    target: Tensor  # T(u), (batch, n)
    multipliers: Tensor  # (batch, q)
    values: Tensor  # c(u), (batch, q)
    size: Tensor  # of T(u) - u and of c(u) over the norms of its gradients, the larger one, (batch,)
    dependent: Tensor  # whether the gradients of c depend on one another, (batch,)


class _Steps:
    """The map T of one problem, and the iteration to its fixed point."""

    def __init__(self, constraints: Condition, weights: Tensor, settings: NearestPointSettings) -> None:
        self.constraints, self.weights, self.settings = constraints, weights, settings

    def mapping(self, u: Tensor, fields: Tensor, *arguments: Tensor) -> Tensor:
        """Return T(u)."""
        return self._step(u, fields, *arguments).target

    def solve(self, fields: Tensor, *arguments: Tensor) -> tuple[Tensor, Tensor]:
        """Return the solution and the number of steps of each item."""
        allowed = self.settings.tol * self._norm(fields).clamp_min(torch.finfo(fields.dtype).tiny)
        u, step = fields, self._step(fields, fields, *arguments)
        steps, penalty = torch.zeros(len(u), dtype=torch.long, device=u.device), torch.zeros_like(step.multipliers)
        while True:
            _refuse_dependent(step.dependent)
            active = ~(step.size <= allowed)
            if not bool(active.any()):
                return step.target, steps
            if int(steps.max()) == self.settings.maxiter:
                self._refuse_unsolved(active, step.values)
            steps += active
            penalty = torch.maximum(penalty, PENALTY * step.multipliers.abs())
            u, step = self._advance(u, step, penalty, active, (fields, *arguments))

    def _advance(
        self, u: Tensor, step: _Step, penalty: Tensor, active: Tensor, arguments: tuple[Tensor, ...]
    ) -> tuple[Tensor, _Step]:
        """Return the next u: by Newton's method on u = T(u) where this halves the step, else by a shortened step."""
        found = torch.where(active[:, None], u + self._newton(u, step, arguments), u)
        after = self._step(found, *arguments)
        rejected = active & ~((after.size <= step.size / 2) & ~after.dependent)
        if not bool(rejected.any()):
            return found, after
        length = self._length(u, step, penalty, arguments)
        found = torch.where(rejected[:, None], u + length[:, None] * (step.target - u), found)
        return found, self._step(found, *arguments)

    def _newton(self, u: Tensor, step: _Step, arguments: tuple[Tensor, ...]) -> Tensor:
        """Return the step of Newton's method, by a Krylov method, which needs few products where T contracts well."""
        point = Linearisation(lambda x, *p: x - self.mapping(x, *p), 1, u, arguments)
        value, *_ = gmres(point.flat_product(transposed=False), step.target - u, FORCING, MOST_PRODUCTS, MOST_PRODUCTS)
        return value

    def _step(self, u: Tensor, fields: Tensor, *arguments: Tensor) -> _Step:
        answer = "what the constraints return"
        values, pull_back = torch.func.vjp(lambda u: real_tensor(answer, self.constraints(u, *arguments)), u)
        if not shape(answer, values, (len(u), "constraints")).shape[1]:
            raise InputError("the constraints return no values, expected at least one for each item.")
        units = torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
        gradients = torch.func.vmap(lambda unit: pull_back(unit.expand(values.shape))[0], out_dims=1)(units)
        norms = (gradients.square() / self.weights).sum(-1).sqrt()
        unit = gradients / norms[..., None]
        gram = (unit / self.weights) @ unit.mT
        factor, failed = torch.linalg.cholesky_ex(gram.detach())
        least = factor.diagonal(dim1=-2, dim2=-1).square().amin(-1)
        right = values / norms + torch.einsum("bqn,bn->bq", unit, fields - u)
        multipliers = torch.linalg.solve_ex(gram, right)[0]
        target = fields - torch.einsum("bqn,bq->bn", unit, multipliers) / self.weights
        size = torch.maximum(self._norm(target - u), (values.abs() / norms).amax(1))
        rounding = sum(unit.shape[1:]) * torch.finfo(unit.dtype).eps  # of the sums in a pivot
        dependent = (failed > 0) | ~(least > max(INDEPENDENT, rounding))
        return _Step(target, multipliers / norms, values, size.detach(), dependent)

    def _length(self, u: Tensor, step: _Step, penalty: Tensor, arguments: tuple[Tensor, ...]) -> Tensor:
        """Return the share of a step of each item, the first of 1, 1/2, ... by which the penalty function descends."""
        fields, *others = arguments

        def merit(u: Tensor) -> Tensor:
            return 0.5 * self._norm(u - fields) ** 2 + (penalty * self.constraints(u, *others).abs()).sum(1)

        ahead, now = step.target - u, merit(u)
        slope = ((u - fields) * self.weights * ahead).sum(1) - (penalty * step.values.abs()).sum(1)
        length = torch.ones_like(now)
        for _ in range(MOST_HALVINGS):
            high = ~(merit(u + length[:, None] * ahead) <= now + DESCENT * length * slope)
            if not bool(high.any()):
                break
            length = torch.where(high, length / 2, length)
        return length

    def _norm(self, u: Tensor) -> Tensor:
        return (self.weights * u.square()).sum(1).sqrt()

    def _refuse_unsolved(self, active: Tensor, values: Tensor) -> None:
        raise DivergenceError(
            f"the nearest point of the constraints was not found in {int(active.sum())} of {len(active)} items in "
            f"{self.settings.maxiter} steps, which leave a violation of {float(values[active].abs().max()):.2g}, "
            f"expected relative steps below {self.settings.tol:g}; check that the constraints can hold together, start "
            "from fields that are nearer to them, or raise maxiter."
        )


def _refuse_dependent(dependent: Tensor) -> None:
    if bool(dependent.any()):
        raise SingularSystemError(
            f"the gradients of the constraints are zero or depend on one another in item "
            f"{int(dependent.nonzero()[0])} of {len(dependent)}, expected independent ones; leave a constraint out "
            "that follows from others."
        )
