"""The base class of equations for one field u(x, t) on an interval, which know nothing about experts or bases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from sciml.checks import instance, number, positive, real_array, real_tensor, sentence, shape, shape_of, shown
from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe.problems.profiles import Coefficient, Coefficients, Profile, numbers_of, spread
from sciml.tables import counted, summary


@dataclass(frozen=True, eq=False)
class Points:
    """The points at which an equation is evaluated, and the coefficients there.

    Attributes
    ----------
    x, t : positions and times, of shapes that broadcast
    coefficients : of the problem by name, one for each instance along the first axis, of shapes that broadcast, or
        profiles over the interval
    """

    x: Tensor
    t: Tensor
    coefficients: Coefficients

    def __getitem__(self, name: str) -> Tensor:
        """Return a coefficient at these points, instances along its first axis."""
        found = self.coefficients[name]
        return found(self.x) if isinstance(found, Profile) else found


class EndCondition(NamedTuple):
    """The condition ``value * u + slope * u_x = target`` at an end of the interval.

    The factors do not change in time, the target may. Each is a number or a tensor ``(instances, times)``.
    """

    value: Tensor | float
    slope: Tensor | float
    target: Tensor | float


class Reference(NamedTuple):
    """An independently computed solution: positions ``(n,)``, times ``(k,)``, and u there, ``(k, n)``."""

    x: Tensor
    t: Tensor
    u: Tensor


class SpaceTimeProblem(ABC):
    """An equation for u(x, t) on an interval: a residual of u and its derivatives, a start, a condition at each end.

    One object may hold several instances of the problem, which are solved together: the coefficients, tensors with one
    number for each instance or a :class:`~sciml.hcmoe.problems.profiles.Profile` over the interval, are all that they
    differ in. If they require gradients, the solution has derivatives by them.

    Attributes
    ----------
    domain : an interval, ``Box([lower], [upper])``
    duration : final time; the initial time is 0
    orders : the derivatives of u in the residual as pairs, by t and by x; at most one by t and two by x
    linear : whether the residual is affine in u and its derivatives, so that one step solves a problem
    time_power : p of ``t = tau^p``, where the solution is smooth in tau; 2 for fronts that start like ``sqrt(t)``
    well_posed : whether solutions depend continuously on their data, without which only a given grid has an answer
    ranges : of coefficients by name, as keywords of :func:`sciml.checks.number`; none by default
    """

    domain: Box
    duration: float = 1.0
    orders: Sequence[tuple[int, int]] = ((0, 0), (1, 0), (0, 1), (0, 2))
    linear: bool = False
    time_power: float = 1.0
    well_posed: bool = True
    ranges: Mapping[str, Mapping[str, float]] = MappingProxyType({})

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients of the instances by name, ``(instances,)`` in float64, or profiles; none by default."""
        return {}

    @abstractmethod
    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return the residual of the equation, of the shape of each term, pointwise in all of them.

        Parameters
        ----------
        terms : the derivatives of u of :attr:`orders`; by default u, u_t, u_x, u_xx
        at : where
        """

    @abstractmethod
    def initial(self, at: Points) -> Tensor | float:
        """Return u at time 0, of a shape that broadcasts with ``at.x``; a torch function of the points, or a number."""

    @abstractmethod
    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return the conditions at the lower and at the upper end, at the times ``at.t``, ``(times,)``.

        ``at.x`` are the two ends, so that a profile among the coefficients has two values for each instance.
        """

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the exact u of the first instance at points ``(n, 1)``, ``(n, 1)``; None where it is not known."""
        return None

    def reference(self) -> Reference | None:
        """Return a computed solution of the first instance, against which errors are measured where none is exact."""
        return None

    def initial_values(self, at: Points) -> Tensor:
        """Return :meth:`initial` as a tensor."""
        return torch.as_tensor(self.initial(at), dtype=torch.float64, device=at.x.device)

    @cached_property
    def instances(self) -> int:
        """The number of instances, at least 1."""
        return max((len(values) for values in self.coefficients.values()), default=1)

    def chosen(self, items: Tensor | slice, axes: int) -> dict[str, Coefficient]:
        """Return the coefficients of some instances with a number of further axes of length 1 behind the first."""
        return spread({name: values[items] for name, values in self.coefficients.items()}, axes)

    def coefficients_at(self, at: Points) -> dict[str, Tensor]:
        """Return all coefficients by name at points, of shapes that broadcast with ``(instances, *at.x.shape)``."""
        return {name: at[name] for name in at.coefficients}

    def derivatives(self, terms: Tensor, at: Points) -> tuple[Tensor, Tensor]:
        """Return the residual, and its derivatives by the terms in the shape of these, ``(terms, ...)``."""
        with torch.enable_grad():
            terms = terms.detach().requires_grad_()
            residual = self.residual(tuple(terms), at)
            if residual.shape != terms.shape[1:]:
                raise InputError(
                    f"{type(self).__name__}.residual returned the shape {tuple(residual.shape)} for terms of the shape "
                    f"{tuple(terms.shape[1:])}, expected the same; compute it pointwise from the terms."
                )
            if not residual.requires_grad:
                raise InputError(
                    f"{type(self).__name__}.residual does not depend on its terms by torch operations, expected a "
                    "differentiable function of them; compute it without detach."
                )
            (slopes,) = torch.autograd.grad(residual.sum(), terms)  # exact, because the residual is pointwise
        return residual.detach(), slopes

    def check(self) -> None:
        """Check domain, duration, orders and coefficients, and what the methods return at a few points.

        Raises
        ------
        InputError
            If one of them is not as expected.
        """
        from sciml.hcmoe.problems.answers import check_answers  # which imports this module

        name, interval = type(self).__name__, "an interval that is not periodic, such as Box([0.0], [1.0])"
        domain = instance(f"the domain of {name}", getattr(self, "domain", None), Box, interval)
        if domain.dim != 1 or any(domain.periodic):
            raise InputError(f"the domain of {name} is {domain}, expected {interval}.")
        positive(f"the duration of {name}", self.duration)
        number(f"the time_power of {name}", self.time_power, at_least=0.1, at_most=10)
        for flag in ("linear", "well_posed"):
            instance(f"{flag} of {name}", getattr(self, flag), bool, "True or False")
        orders = instance(f"the orders of {name}", self.orders, tuple | list, "a sequence of pairs")
        if not all(map(_is_order, orders)) or len(set(orders)) < len(orders) or (1, 0) not in orders:
            raise InputError(
                f"the orders of {name} are {shown(orders)}, expected different pairs (by t, by x) of at most (1, 2), "
                "(1, 0) among them."
            )
        instance(f"the coefficients of {name}", self.coefficients, Mapping, "tensors by name")
        self.check_coefficients(self.coefficients)
        for key, values in self.coefficients.items():
            numbers = numbers_of(values)
            if len(values) != self.instances or numbers.dtype != torch.float64 or not bool(numbers.isfinite().all()):
                raise InputError(
                    f"the coefficient {key!r} of {name} has the shape {tuple(numbers.shape)} and the type "
                    f"{numbers.dtype}, expected {counted(self.instances, 'finite number')} in float64."
                )
        check_answers(self)

    def check_coefficients(self, given: Coefficients) -> None:
        """Check that coefficients have the names of the problem's and lie in their ranges, and that profiles cover it.

        Raises
        ------
        InputError
            If they do not.
        """
        name = type(self).__name__
        instance(f"the coefficients of {name}", given, Mapping, "tensors by name")
        if set(given) != set(self.coefficients):
            raise InputError(
                f"the coefficients of {name} are named {sorted(given)}, expected {sorted(self.coefficients)}."
            )
        for key, values in given.items():
            if isinstance(values, Profile):
                values.require_covers(f"the coefficient {key!r} of {name}", self.domain.lower[0], self.domain.upper[0])
            else:
                what = f"the coefficient {key!r} of {name}"
                shape(what, real_tensor(what, values), ("instances",))
            numbers = numbers_of(values).detach()
            for value in numbers.aminmax() if numbers.numel() else ():
                number(f"the {key} of {name}", float(value), **self.ranges.get(key, {}))

    def __repr__(self) -> str:
        """Return the domain, the times and the coefficients as a table."""
        values = {key: _shown(each) for key, each in self.coefficients.items()}
        rows = {"domain": self.domain, "times": f"0 to {self.duration:g}", "instances": self.instances, **values}
        return summary(f"Problem {type(self).__name__}", rows)


def _is_order(pair: object) -> bool:
    """Return whether a pair is the order of a derivative by t and x that residuals may have."""
    return pair in ((0, 0), (1, 0), (0, 1), (0, 2), (1, 1), (1, 2)) and all(type(each) is int for each in pair)


def instances_of(**values: float | Sequence[float] | Profile) -> dict[str, Coefficient]:
    """Return coefficients of one number of instances: numbers and single profiles are repeated for all of them.

    Raises
    ------
    InputError
        If a coefficient is neither a finite number nor a sequence of them, or sequences differ in length or are empty.
    """
    each = {
        name: value if isinstance(value, Profile) else _numbers(f"the {name}", value) for name, value in values.items()
    }
    lengths = {name: len(value) for name, value in each.items() if len(value) != 1}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        counts = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise InputError(f"the coefficients have different numbers of values ({counts}), expected one or equally many.")
    count = max(lengths.values(), default=1)
    return {name: value.expand(count) for name, value in each.items()}


def _shown(values: Coefficient) -> str:
    if isinstance(values, Profile):
        return str(values)
    return ", ".join(f"{value:g}" for value in values[:4]) + ", ..." * (len(values) > 4)


def _numbers(name: str, value: object) -> Tensor:
    """Return one number, or a sequence of them, as a tensor ``(n,)`` in float64; that of a tensor has its gradient."""
    array = real_array(name, value)
    if array.ndim > 1:
        raise InputError(sentence(f"the shape of {name}", shape_of(array), "a number, or one for each instance"))
    found = value.double() if isinstance(value, Tensor) else torch.from_numpy(array.copy())
    return torch.atleast_1d(found)
