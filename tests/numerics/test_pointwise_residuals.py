"""What is no problem of pointwise least squares: residuals of another kind, shape or type, tensors that do not fit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics.pointwise_least_squares import PointwiseProblem, PointwiseResidual, solve
from sciml.numerics.random import generator

MEMBERS, TERMS, POINTS, UNKNOWNS = 2, 2, 9, 3


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(0, *shape))


def problem(value: Callable[..., object], linear: bool = False) -> PointwiseProblem:
    class Residual(PointwiseResidual):
        def value(self, v: Tensor, *coefficients: Tensor) -> object:
            return value(v, *coefficients)

    Residual.linear = linear
    return PointwiseProblem(normal(MEMBERS, TERMS, POINTS, UNKNOWNS), Residual())


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        lambda v: v[:, 1].flatten(),
        lambda v: v[:, 1].sum(),
        lambda v: v[:, 1].mean(1, keepdim=True),
        lambda v: v[:1, 1],
        lambda v: v[:, 1].T,
        lambda v: v,
        lambda v: v[:, 1].float(),
        lambda v: v[:, 1] > 0,
        lambda v: v[:, 1] + 1j,
        lambda v: v[:, 1].detach().numpy(),
        lambda v: 0.0,
        lambda v: None,
    ],
)
def test_residuals_of_another_shape_or_type_are_refused(value: Callable[..., object], linear: bool) -> None:
    with pytest.raises(InputError, match=r"the residual Residual returned .*expected a tensor of the shape \(2, 9\)"):
        problem(value, linear)


powers = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(any)


@given(own=powers, other=powers, shift=st.integers(1, POINTS - 1), size=st.floats(1e-6, 1e3))
@settings(deadline=None)
def test_residuals_that_depend_on_other_points_or_members_are_refused(
    own: tuple[int, int], other: tuple[int, int], shift: int, size: float
) -> None:
    def monomial(v: Tensor, exponents: tuple[int, int]) -> Tensor:
        return v[:, 0] ** exponents[0] * v[:, 1] ** exponents[1]

    problem(lambda v: monomial(v, own) - size * monomial(v, other) * v[:, 0])  # has only its own point
    for couple in (
        lambda each: each.roll(shift, 1),
        lambda each: each.mean(1, keepdim=True),
        lambda each: each.flip(0),
    ):
        with pytest.raises(InputError, match="changes with the terms at other points"):
            problem(lambda v, couple=couple: monomial(v, own) - size * couple(monomial(v, other)))


def test_residuals_without_a_derivative_are_refused_and_constant_ones_are_not() -> None:
    for value in (lambda v: v[:, 1].detach() - 1, lambda v: v[:, 1].sign() + v[:, 0].round()):
        with pytest.raises(InputError, match="changes with its terms, and its gradient is 0"):
            problem(value)
    w, _ = solve(problem(lambda v: torch.zeros_like(v[:, 1])))
    assert not w.any()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"terms": [1.0]}, "the type of the terms is builtins.list"),
        ({"terms": None}, "the type of the terms"),
        ({"residual": None}, "the residual is None, expected a PointwiseResidual"),
        ({"residual": lambda v: v}, "the residual is .*expected a PointwiseResidual"),
        ({"coefficients": None}, "the coefficients is None"),
        ({"coefficients": [1.0]}, "the type of coefficient 0 is builtins.float"),
        ({"rows": (None, None)}, "the type of the rows"),
        ({"rows": normal(MEMBERS, 2, UNKNOWNS)}, "the rows is tensor.*expected a matrix and a right-hand side"),
        ({"rows": (normal(MEMBERS, 2, UNKNOWNS),) * 3}, "the rows are 3 tensors"),
        ({"constraints": ([[1.0]], [1.0])}, "the type of the constraints"),
    ],
)
def test_what_is_no_tensor_is_refused(changes: dict, says: str) -> None:
    class Residual(PointwiseResidual):
        def value(self, v: Tensor, *coefficients: Tensor) -> Tensor:
            return v[:, 0] - 1

    with pytest.raises(InputError, match=says):
        PointwiseProblem(**{"terms": normal(MEMBERS, TERMS, POINTS, UNKNOWNS), "residual": Residual(), **changes})


@pytest.mark.parametrize("given", [{"settings": 3}, {"start": "zero"}, {"start": [0.0]}])
def test_starts_and_settings_of_another_kind_are_refused(given: dict) -> None:
    with pytest.raises(InputError, match=r"the start|settings"):
        solve(problem(lambda v: v[:, 0] - 1), **given)
