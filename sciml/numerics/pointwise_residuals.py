"""Residuals that are functions of a few linear terms at each point, and the least-squares problems made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import instance, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.numerics.batched_steps import DenseLinearisation, FactoredLinearisation
from sciml.numerics.null_space import NullSpace
from sciml.numerics.random import generator


class PointwiseResidual(ABC):
    """A function of the terms at one point; its derivatives are found by automatic differentiation unless overridden.

    Attributes
    ----------
    linear : whether it is affine in the terms; then one step solves the problem
    """

    linear: bool = False

    def __str__(self) -> str:
        return type(self).__name__

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
        with torch.inference_mode(False), torch.enable_grad():
            v, *coefficients = (_kept(each) for each in (v, *coefficients))
            leaf = v if v.requires_grad else v.detach().requires_grad_()
            value = self.value(leaf, *coefficients).sum()
            if not value.requires_grad:  # it does not depend on the terms
                return torch.zeros_like(v)
            return torch.autograd.grad(value, leaf, create_graph=again, materialize_grads=True)[0]

    def curvature(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        """Return the second derivatives in the terms, ``(items, P, P, m)``."""
        with torch.inference_mode(False), torch.enable_grad():
            v, *coefficients = (_kept(each) for each in (v, *coefficients))
            leaf = v.detach().requires_grad_()
            slopes = self.gradient(leaf, *coefficients)
            rows = [
                torch.autograd.grad(slope.sum(), leaf, retain_graph=True, allow_unused=True)[0]
                if slope.requires_grad
                else None
                for slope in slopes.unbind(1)
            ]
        return torch.stack([torch.zeros_like(v) if row is None else row for row in rows], 1)


def numbered(item: int) -> str:
    """Return the name of an item in sentences, by its number."""
    return f"item {item}"


@dataclass(frozen=True, eq=False)
class PointwiseProblem:
    """Problems of one shape: terms, residual, weighted rows and equality constraints, all in float64.

    Each item of the batch is one member, or a group of members that rows or constraints couple.

    Parameters
    ----------
    terms : T, ``(members, P, m, unknowns)``
    residual : function of the terms at a point
    coefficients : of the residual, each ``(members, 1)`` or ``(members, m)``
    weights : s of the points, such as those of a quadrature, ``(m,)`` or ``(members, m)``; 1 by default
    rows : A and b of rows that are linear, ``(members, q, unknowns)`` and ``(members, q)``, weighted already
    constraints : C and d of equations that hold exactly, ``(items, c, group * unknowns)`` and ``(items, c)``
    group : how many consecutive members make one item, whose unknowns are theirs, one member after the other; the cost
        of coupled items is cubic in it
    couplings : A and b of rows that couple the members of an item, ``(items, q, group * unknowns)`` and ``(items, q)``
    name : returns the name of an item in sentences about it

    Raises
    ------
    InputError
        If a shape or a type differs, a value is not finite (the sentence names the place), the residuals are fewer
        than the unknowns that the constraints leave, the residual at a point depends on other points, or constraints
        are dependent.
    """

    terms: Tensor
    residual: PointwiseResidual
    coefficients: Sequence[Tensor] = ()
    weights: Tensor | None = None
    rows: tuple[Tensor, Tensor] | None = None
    constraints: tuple[Tensor, Tensor] | None = None
    group: int = 1
    couplings: tuple[Tensor, Tensor] | None = None
    name: Callable[[int], str] = numbered
    null_space: NullSpace = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape("the terms", real_tensor("the terms", self.terms), ("members", "P", "m", "unknowns"))
        members, _, _, unknowns = self.terms.shape
        if not self.terms.numel():
            raise InputError(f"the terms have shape {tuple(self.terms.shape)}, expected at least one of each axis.")
        whole_number("the group of members", self.group, at_least=1)
        if members % self.group:
            raise InputError(
                f"there are {members} members in groups of {self.group}, expected a multiple of the group."
            )
        self._check_rows("rows", members, unknowns)
        for name in ("couplings", "constraints"):
            self._check_rows(name, self.items, self.unknowns)
        self._check_weights()
        self._check_coefficients()
        self._check_values()
        self._check_counts()
        self._check_residual()
        object.__setattr__(self, "null_space", NullSpace(self.constraints[0].detach()))

    def _check_rows(self, name: str, length: int, unknowns: int) -> None:
        """Check matrices and right-hand sides, and make empty ones where there are none."""
        given = getattr(self, name)
        if given is None:
            given = (self.terms.new_zeros(length, 0, unknowns), self.terms.new_zeros(length, 0))
            object.__setattr__(self, name, given)
        if len(instance(f"the {name}", given, tuple | list, "a matrix and a right-hand side")) != 2:
            raise InputError(f"the {name} are {len(given)} tensors, expected two, a matrix and a right-hand side.")
        matrix, right = (real_tensor(f"the {name}", each) for each in given)
        shape(f"the right-hand sides of the {name}", right, (length, "rows"))
        shape(f"the matrices of the {name}", matrix, (length, right.shape[1], unknowns))

    def _check_weights(self) -> None:
        """Check the weights of the points, and make them those of each member."""
        members, _, points, _ = self.terms.shape
        weights = self.terms.new_ones(points) if self.weights is None else self.weights
        real_tensor("the weights of the points", weights)
        if weights.ndim == 2:
            shape("the weights of the points", weights, (members, points))
        else:
            shape("the weights of the points", weights, (points,))
        if weights.dtype != torch.float64 or weights.requires_grad:
            raise InputError(
                f"the weights of the points are of type {weights.dtype}"
                f"{' and require gradients' * weights.requires_grad}, expected torch.float64 without gradients, for w "
                "is not differentiated in them; convert or detach them, or make them a coefficient of the residual."
            )
        if not bool(((weights >= 0) & weights.isfinite()).all()):
            raise InputError("weights of points are negative or not finite, expected finite ones of at least 0.")
        object.__setattr__(self, "weights", weights.detach().expand(members, points))

    def _check_coefficients(self) -> None:
        members, _, points, _ = self.terms.shape
        instance("the coefficients", self.coefficients, tuple | list, "a sequence of tensors")
        for position, each in enumerate(self.coefficients):
            real_tensor(f"coefficient {position}", each)
            if each.ndim != 2 or len(each) != members or each.shape[1] not in (1, points):
                raise InputError(
                    f"coefficient {position} has shape {tuple(each.shape)}, expected ({members}, 1) or ({members}, "
                    f"{points}): a value for each member, or for each point."
                )

    def _check_counts(self) -> None:
        points = self.terms.shape[2]
        count = self.group * (points + self.rows[0].shape[1]) + self.couplings[0].shape[1]
        free = self.unknowns - self.constraints[0].shape[1]
        if count < free:
            raise InputError(
                f"{count} residuals of each item, at {points} points and in rows, determine {free} unknowns, expected "
                "at least as many residuals as unknowns; take more points or fewer basis functions."
            )

    def _check_residual(self) -> None:
        """Refuse a residual that is no differentiable function of the terms at each point."""
        instance("the residual", self.residual, PointwiseResidual, "a PointwiseResidual")
        members, count, points, _ = self.terms.shape
        coefficients = [each.detach() for each in self.coefficients]
        name = f"the residual {self.residual}"
        with torch.no_grad():
            terms, changes = refuse_coupled_points(
                name, lambda v: self.residual.value(v, *coefficients), (members, count, points), self.terms.device
            )
        if changes and not self.residual.gradient(terms, *coefficients).any():
            raise InputError(
                f"{name} changes with its terms, and its gradient is 0, expected a differentiable function; compute it "
                "by torch operations, without detach."
            )

    def _check_values(self) -> None:
        named = [("terms", self.terms), *((f"coefficient {i}", each) for i, each in enumerate(self.coefficients))]
        named += [(name, each) for name in ("rows", "couplings", "constraints") for each in getattr(self, name)]
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
    def items(self) -> int:
        """The number of items, that is of groups of members that are solved together."""
        return len(self.terms) // self.group

    @property
    def unknowns(self) -> int:
        """The number of unknowns of an item."""
        return self.group * self.terms.shape[-1]

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """Everything that the solution is a differentiable function of."""
        return (self.terms, *self.rows, *self.couplings, *self.constraints, *self.coefficients)

    @cached_property
    def _compact_rows(self) -> tuple[Tensor, Tensor]:
        return _compact(*self.rows)

    @cached_property
    def _compact_couplings(self) -> tuple[Tensor, Tensor]:
        return _compact(*self.couplings)

    def linearise(self, w: Tensor, items: Tensor | slice) -> FactoredLinearisation:
        """Return the linearisation of some items.

        Parameters
        ----------
        w : ``(chosen, unknowns)``
        items : which, or ``slice(None)`` for all, which costs no copy of the terms
        """
        matrix, right = (each[items] for each in self._compact_couplings)
        here = self._members(w.reshape(-1, self.terms.shape[-1]), self.members_of(items))
        if self.group == 1 and not matrix.shape[1]:
            return here
        return here.joined(self.group, product(matrix, w) - right, matrix)

    def chosen(self, items: Tensor | slice) -> PointwiseProblem:
        """Return the problem of some items."""
        numbers = torch.arange(self.items, device=self.terms.device)[items]
        members = self.members_of(numbers)
        return PointwiseProblem(
            self.terms[members],
            self.residual,
            [each[members] for each in self.coefficients],
            self.weights[members],
            (self.rows[0][members], self.rows[1][members]),
            (self.constraints[0][items], self.constraints[1][items]),
            self.group,
            (self.couplings[0][items], self.couplings[1][items]),
            lambda item: self.name(int(numbers[item])),
        )

    def members_of(self, items: Tensor | slice) -> Tensor | slice:
        """Return the indices of the members of some items."""
        if isinstance(items, slice) or self.group == 1:
            return items
        return (self.group * items[:, None] + torch.arange(self.group, device=items.device)).flatten()

    def _members(self, w: Tensor, members: Tensor | slice) -> DenseLinearisation:
        terms, matrix, right = self.terms[members], *(each[members] for each in self._compact_rows)
        coefficients = [each[members] for each in self.coefficients]
        roots = self.weights[members].sqrt()
        v = fields(terms, w)

        def jacobian() -> Tensor:
            slopes = roots[:, None] * self.residual.gradient(v, *coefficients)
            points = slopes[:, 0, :, None] * terms[:, 0]
            for p in range(1, terms.shape[1]):
                points.addcmul_(slopes[:, p, :, None], terms[:, p])
            return torch.cat([points, matrix], 1)

        residual = [roots * self.residual.value(v, *coefficients), product(matrix, w) - right]
        return DenseLinearisation(torch.cat(residual, 1), jacobian)

    def squares(self, w: Tensor) -> dict[str, Tensor]:
        """Return the sums of squares that are minimised: of the residual, of rows and of couplings, ``(items,)`` each.

        At a minimum, their sum has the derivatives by all arguments that it has at fixed w: what w contributes vanishes
        with the gradient, where the constraints do not depend on the arguments. No adjoint has to be solved for.

        Parameters
        ----------
        w : ``(items, unknowns)``

        References
        ----------
        Golub, Pereyra, "Separable nonlinear least squares", Inverse Problems 19, 2003, on variable projection.
        """
        own = w.reshape(len(self.terms), -1)
        residual = self.weights.sqrt() * self.residual.value(fields(self.terms, own), *self.coefficients)
        rows = product(self.rows[0], own) - self.rows[1]
        found = {"residual": residual, "rows": rows, "couplings": product(self.couplings[0], w) - self.couplings[1]}
        return {name: each.reshape(self.items, -1).square().sum(1) for name, each in found.items()}

    def condition(self, x: Tensor, *arguments: Tensor) -> Tensor:
        """Return the gradient of the Lagrange function in unknowns and multipliers, which vanishes at the solution.

        Parameters
        ----------
        x : unknowns and multipliers, ``(items, unknowns + c)``
        arguments : :attr:`arguments`
        """
        terms, matrix, right, coupling, level, c, d, *coefficients = arguments
        w, multipliers = x[:, : self.unknowns], x[:, self.unknowns :]
        own = w.reshape(len(terms), -1)
        v = fields(terms, own)
        force = self.weights * self.residual.value(v, *coefficients)
        force = force[:, None] * self.residual.gradient(v, *coefficients)
        gradient = product(terms.flatten(1, 2).mT, force.flatten(1)) + product(matrix.mT, product(matrix, own) - right)
        gradient = gradient.view_as(w) + product(coupling.mT, product(coupling, w) - level)
        return torch.cat([gradient + product(c.mT, multipliers), product(c, w) - d], 1)


def refuse_coupled_points(
    name: str, value: Callable[[Tensor], object], shape: tuple[int, int, int], device: torch.device | str = "cpu"
) -> tuple[Tensor, bool]:
    """Refuse a residual of another shape or type, or one that depends on the terms at other points or of other members.

    Terms are drawn, and drawn again at every other point: the residuals at the rest have to stay.

    Parameters
    ----------
    name : of the residual in sentences
    value : returns the residual, ``(members, points)``, of terms ``(members, P, points)``
    shape : of the terms
    device : where they lie

    Returns
    -------
    terms : that were drawn
    changes : whether the residual changes with them
    """
    members, _, points = shape
    one, other = torch.rand(2, *shape, generator=generator(0), dtype=torch.float64).to(device)
    again = ((torch.arange(members)[:, None] + torch.arange(points)) % 2 == 1).to(device)
    before, after = (value(v) for v in (one, torch.where(again[:, None], other, one)))
    if not isinstance(before, Tensor) or before.shape != (members, points) or before.dtype != torch.float64:
        found = f"{tuple(before.shape)} of {before.dtype}" if isinstance(before, Tensor) else type(before).__name__
        raise InputError(
            f"{name} returned {found}, expected a tensor of the shape ({members}, {points}) of torch.float64, a number "
            "for each member at each point."
        )
    if not torch.allclose(before[~again], after[~again], rtol=1e-10, atol=0, equal_nan=True):
        raise InputError(
            f"{name} at a point changes with the terms at other points, expected a function of those at the point "
            "alone; make what depends on others, such as a mean, a coefficient."
        )
    return one, not torch.equal(before[again], after[again])


def _kept(tensor: Tensor) -> Tensor:
    """Return a tensor that autograd may keep, which it may not if inference mode has made it."""
    return tensor.clone() if tensor.is_inference() else tensor


def _compact(matrix: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Return at most one row more than there are unknowns with the same sums of squares, without a graph."""
    if matrix.shape[1] <= matrix.shape[2] + 1:
        return matrix.detach(), right.detach()
    factors = torch.linalg.qr(torch.cat([matrix, right[..., None]], 2).detach(), mode="r").R
    return factors[..., :-1], factors[..., -1]


def product(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Return the product of each matrix with its vector."""
    return (matrices @ vectors[..., None])[..., 0]


def fields(terms: Tensor, w: Tensor) -> Tensor:
    """Return the terms of the fields with coefficients w, ``(items, P, m)``."""
    return (terms.flatten(1, 2) @ w[..., None]).view(terms.shape[:3])
