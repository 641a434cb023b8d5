"""Residuals that are functions of a few linear terms at each point, and the least-squares problems made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sciml.checks import shape
from sciml.errors import InputError
from sciml.numerics.batched_steps import DenseLinearisation
from sciml.numerics.null_space import NullSpace


class PointwiseResidual(ABC):
    """A function of the terms at one point; its derivatives are found by automatic differentiation unless overridden.

    Attributes
    ----------
    linear : whether it is affine in the terms; then one step solves the problem
    """

    linear: bool = False

    @abstractmethod
    def value(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        """Return the residual, ``(items, m)``.

        Parameters
        ----------
        v : the terms, ``(items, P, m)``
        coefficients : of the equation, ``(items, 1)`` or ``(items, m)`` each
        """

    def gradient(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        """Return the derivatives in the terms, ``(items, P, m)``; they may be differentiated in turn."""
        again = torch.is_grad_enabled() and any(each.requires_grad for each in (v, *coefficients))
        with torch.enable_grad():
            leaf = v if v.requires_grad else v.detach().requires_grad_()
            return torch.autograd.grad(self.value(leaf, *coefficients).sum(), leaf, create_graph=again)[0]

    def curvature(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        """Return the second derivatives in the terms, ``(items, P, P, m)``."""
        with torch.enable_grad():
            leaf = v.detach().requires_grad_()
            slopes = self.gradient(leaf, *coefficients)
            rows = [
                torch.autograd.grad(slope.sum(), leaf, retain_graph=True, allow_unused=True)[0]
                if slope.requires_grad
                else None
                for slope in slopes.unbind(1)
            ]
        return torch.stack([torch.zeros_like(v) if row is None else row for row in rows], 1)


@dataclass(frozen=True, eq=False)
class PointwiseProblem:
    """Problems of one shape: terms, residual, weighted rows and equality constraints, all in float64.

    Parameters
    ----------
    terms : T, ``(items, P, m, unknowns)``
    residual : function of the terms at a point
    coefficients : of the residual, each ``(items, 1)`` or ``(items, m)``
    weights : s of the points, such as those of a quadrature, ``(m,)`` or ``(items, m)``; 1 by default
    rows : A and b of rows that are linear, ``(items, q, unknowns)`` and ``(items, q)``, weighted already
    constraints : C and d of equations that hold exactly, ``(items, c, unknowns)`` and ``(items, c)``

    Raises
    ------
    InputError
        If a shape or a type differs, a value is not finite (the sentence names the item), the residuals are fewer than
        the unknowns that the constraints leave, or constraints are dependent.
    """

    terms: Tensor
    residual: PointwiseResidual
    coefficients: Sequence[Tensor] = ()
    weights: Tensor | None = None
    rows: tuple[Tensor, Tensor] | None = None
    constraints: tuple[Tensor, Tensor] | None = None
    null_space: NullSpace = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape("the terms", self.terms, ("items", "P", "m", "unknowns"))
        items, _, points, unknowns = self.terms.shape
        if not self.terms.numel():
            raise InputError(f"the terms have shape {tuple(self.terms.shape)}, expected at least one of each axis.")
        for name in ("rows", "constraints"):
            given = getattr(self, name)
            if given is None:
                empty = self.terms.new_zeros(items, 0)
                given = (empty[..., None].expand(items, 0, unknowns), empty)
                object.__setattr__(self, name, given)
            shape(f"the matrices of the {name}", given[0], (items, given[1].shape[-1], unknowns))
            shape(f"the right-hand sides of the {name}", given[1], (items, given[1].shape[-1]))
        weights = self.terms.new_ones(points) if self.weights is None else self.weights
        shape("the weights of the points", weights.expand(items, points), (items, points))
        if not bool((weights >= 0).all()):
            raise InputError("weights of points are negative or not a number, expected weights of at least 0.")
        object.__setattr__(self, "weights", weights.detach().expand(items, points))
        for position, each in enumerate(self.coefficients):
            if each.ndim != 2 or len(each) != items or each.shape[1] not in (1, points):
                raise InputError(
                    f"coefficient {position} has shape {tuple(each.shape)}, expected ({items}, 1) or ({items}, "
                    f"{points}): a value for each item, or for each point."
                )
        self._check_values()
        free = unknowns - self.constraints[0].shape[1]
        if points + self.rows[0].shape[1] < free:
            raise InputError(
                f"{points} points and {self.rows[0].shape[1]} rows an item determine {free} unknowns, expected at "
                "least as many residuals as unknowns; take more points or fewer basis functions."
            )
        object.__setattr__(self, "null_space", NullSpace(self.constraints[0].detach()))

    def _check_values(self) -> None:
        named = [("terms", self.terms), *((f"coefficient {i}", each) for i, each in enumerate(self.coefficients))]
        named += [("rows", each) for each in self.rows] + [("constraints", each) for each in self.constraints]
        for name, values in named:
            if values.dtype != torch.float64:
                raise InputError(f"the {name} are of type {values.dtype}, expected torch.float64; convert them first.")
            broken = ~values.detach().flatten(1).isfinite().all(1)
            if bool(broken.any()):
                raise InputError(
                    f"the {name} of {int(broken.sum())} of {len(broken)} items, the first of them item "
                    f"{int(broken.nonzero()[0])}, are not finite, expected finite numbers; check the basis and the "
                    "data of these items."
                )

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """Everything that the solution is a differentiable function of."""
        return (self.terms, *self.rows, *self.constraints, *self.coefficients)

    def linearise(self, w: Tensor, items: Tensor | slice) -> DenseLinearisation:
        """Return residuals and Jacobians of some items, points before rows.

        Parameters
        ----------
        w : ``(chosen, unknowns)``
        items : which; a slice costs no copy of the terms
        """
        terms, matrix, right = self.terms[items], self.rows[0][items], self.rows[1][items]
        coefficients = [each[items] for each in self.coefficients]
        roots = self.weights[items].sqrt()
        v = fields(terms, w)

        def jacobian() -> Tensor:
            slopes = roots[:, None] * self.residual.gradient(v, *coefficients)
            points = slopes[:, 0, :, None] * terms[:, 0]
            for p in range(1, terms.shape[1]):
                points.addcmul_(slopes[:, p, :, None], terms[:, p])
            return torch.cat([points, matrix], 1)

        residual = [roots * self.residual.value(v, *coefficients), (matrix @ w[..., None])[..., 0] - right]
        return DenseLinearisation(torch.cat(residual, 1), jacobian)

    def condition(
        self, x: Tensor, terms: Tensor, matrix: Tensor, right: Tensor, c: Tensor, d: Tensor, *coefficients: Tensor
    ) -> Tensor:
        """Return the gradient of the Lagrange function in unknowns and multipliers, which vanishes at the solution.

        Parameters
        ----------
        x : unknowns and multipliers, ``(items, unknowns + c)``
        terms, matrix, right, c, d, coefficients : :attr:`arguments`
        """
        w, multipliers = x[:, : terms.shape[-1]], x[:, terms.shape[-1] :]
        v = fields(terms, w)
        force = self.weights * self.residual.value(v, *coefficients)
        force = force[:, None] * self.residual.gradient(v, *coefficients)
        gradient = (terms.flatten(1, 2).mT @ force.flatten(1)[..., None])[..., 0]
        gradient = gradient + (matrix.mT @ (matrix @ w[..., None] - right[..., None]))[..., 0]
        gradient = gradient + (c.mT @ multipliers[..., None])[..., 0]
        return torch.cat([gradient, (c @ w[..., None])[..., 0] - d], 1)


def fields(terms: Tensor, w: Tensor) -> Tensor:
    """Return the terms of the fields with coefficients w, ``(items, P, m)``."""
    return (terms.flatten(1, 2) @ w[..., None]).view(terms.shape[:3])
