"""Checks of the answers of a problem's methods, tried at a few points before anything is solved."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.problems.base import EndCondition, Points, SpaceTimeProblem
from sciml.numerics.pointwise_residuals import refuse_coupled_points
from sciml.tables import counted
from sciml.user_modules import place

PLACES, TIMES = 5, 3
PARTS = {"value": "factor of u", "slope": "factor of u_x", "target": "target"}


def check_answers(problem: SpaceTimeProblem) -> None:
    """Refuse a problem whose start, conditions at the ends or residual cannot be used.

    Parameters
    ----------
    problem : with an interval, a duration and coefficients that are checked already

    Raises
    ------
    InputError
        If a method returns something of another kind or shape, a start or a condition is not finite, the factors of a
        condition change in time, or the residual at a point depends on other points.
    """
    with torch.no_grad():
        (lower,), (upper,) = problem.domain.lower, problem.domain.upper
        x = torch.linspace(lower, upper, PLACES, dtype=torch.float64)
        times = torch.linspace(0, problem.duration, TIMES, dtype=torch.float64)
        along = problem.chosen(slice(None), 1)
        initial = problem.initial(Points(x, times[:1], along))
        start = _broadcast(_name(problem, "initial"), initial, (problem.instances, PLACES))
        _check_ends(_name(problem, "ends"), problem.ends(Points(x[[0, -1]], times, along)), (problem.instances, TIMES))
        terms = torch.stack([start * (tuple(order) == (0, 0)) for order in problem.orders])[..., None].repeat(
            1, 1, 1, TIMES
        )
        at = Points(x[:, None], times, problem.chosen(slice(None), 2))
        name = _name(problem, "residual")
        _check_residual(name, problem.residual(tuple(terms), at), tuple(terms.shape[1:]))
        refuse_coupled_points(
            name,
            lambda v: problem.residual(v.unflatten(2, (PLACES, TIMES)).unbind(1), at).flatten(1),
            (problem.instances, len(problem.orders), PLACES * TIMES),
        )


def _check_ends(name: str, ends: Any, shape: tuple[int, int]) -> None:
    expected = "expected two, EndCondition(value, slope, target) of the lower end and of the upper end"
    if isinstance(ends, EndCondition) or not isinstance(ends, tuple | list) or len(ends) != 2:
        raise InputError(f"{name} returned {_kind(ends)}, {expected}.")
    for side, end in zip(("lower", "upper"), ends, strict=True):
        if not isinstance(end, EndCondition):
            raise InputError(f"{name} returned {_kind(end)} for the {side} end, {expected}.")
        for part, given in end._asdict().items():
            what = f"{name}, {PARTS[part]} at the {side} end"
            values = _broadcast(what, given, shape)
            if part != "target" and bool((values != values[:, :1]).any()):
                raise InputError(
                    f"{what}: it changes in time, expected one that does not; divide the condition by it, so that its "
                    "target alone changes."
                )


def _check_residual(name: str, answer: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(answer, Tensor) or tuple(answer.shape) != shape:
        found = f"the shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else _kind(answer)
        raise InputError(
            f"{name} returned {found} for terms of the shape {shape}, expected a tensor of the same shape; compute it "
            "pointwise from the terms."
        )


def _broadcast(name: str, given: Any, shape: tuple[int, int]) -> Tensor:
    """Return finite numbers in a shape, ``(instances, places or times)``."""
    if isinstance(given, bool) or not isinstance(given, int | float | Tensor):
        raise InputError(f"{name}: got {_kind(given)}, expected a tensor or a number.")
    values = torch.as_tensor(given, dtype=torch.float64)
    try:
        values = values.expand(shape)
    except RuntimeError:
        raise InputError(
            f"{name}: got the shape {tuple(values.shape)}, expected one that broadcasts with {shape}, instances and "
            "points."
        ) from None
    if not bool(values.isfinite().all()):
        raise InputError(f"{name}: some values are not finite, expected finite numbers.")
    return values


def _name(problem: SpaceTimeProblem, method: str) -> str:
    """Return the name of a method, with its file and line where it is a user's own."""
    found = place(inspect.unwrap(getattr(problem, method)))
    return f"{type(problem).__name__}.{method}" + (f" ({found})" if found else "")


def _kind(value: object) -> str:
    if isinstance(value, tuple | list) and not isinstance(value, EndCondition):
        return counted(len(value), "value")
    return "None" if value is None else f"a value of type {type(value).__name__}"
