"""What constraints, nearest points, roots, stencils and chains refuse in a sentence: another kind, shape or size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError, SingularSystemError
from sciml.numerics.element_chain import ChainUnknowns
from sciml.numerics.finite_differences import FiniteDifference, stencil_weights
from sciml.numerics.nearest_point import nearest_point
from sciml.numerics.null_space import NullSpace
from sciml.numerics.pointwise_roots import differentiable_root
from sciml.numerics.projection import ImplicitConstraints, LinearConstraints

ONE = torch.ones(1, 1, dtype=torch.float64)
MEAN = LinearConstraints({"mean": [[0.5, 0.5]]})
FIELDS = torch.tensor([[1.0, 2.0]])


@pytest.mark.parametrize(
    "values", [None, [0.0], {"mean": None}, {"mean": "a"}, {"mean": 1j * ONE}, {"mean": [1j]}, {"mean": [float("nan")]}]
)
def test_values_of_constraints_are_finite_real_numbers_by_name(values: object) -> None:
    with pytest.raises(InputError, match="values of"):
        MEAN.project(FIELDS, values)
    assert MEAN.project(FIELDS, {"mean": [0]}).tolist() == [[-0.5, 0.5]]


def test_groups_of_constraints_have_names() -> None:
    for rows in (None, [[1.0, 2.0]]):
        with pytest.raises(InputError, match=r"the constraints is .*by the name of their group"):
            LinearConstraints(rows)


def test_values_of_constraints_without_a_matrix_expand_to_what_is_constrained() -> None:
    zero_mean = ImplicitConstraints(lambda u: u.mean(-1, keepdim=True), lambda y: y.expand(-1, 2) / 2, lambda r: 2 * r)
    assert zero_mean.project(FIELDS, torch.zeros(1)).tolist() == [[-0.5, 0.5]]
    for values in (torch.zeros(3, 3), torch.zeros(1, 1, 1), None):
        with pytest.raises(InputError, match="the values of the constraints"):
            zero_mean.project(FIELDS, values)


def test_nearest_points_refuse_constraints_and_settings_of_another_kind() -> None:
    for constraints in (lambda u: None, lambda u: (u * u).sum(-1), lambda u: 1.0):
        with pytest.raises(InputError, match="what the constraints return"):
            nearest_point(constraints, FIELDS)
    with pytest.raises(InputError, match="settings is 3, expected NearestPointSettings"):
        nearest_point(lambda u: u[:, :1], FIELDS, settings=3)


@pytest.mark.parametrize("matrix", [None, [1.0], torch.ones(3), torch.ones(2, 3), torch.full((1, 1, 3), torch.nan)])
def test_null_spaces_are_those_of_finite_matrices_by_item(matrix: object) -> None:
    with pytest.raises(InputError, match="the constraints"):
        NullSpace(matrix)


def test_a_root_that_its_equation_does_not_determine_has_no_derivative() -> None:
    inputs = torch.tensor([[4.0], [0.0]], dtype=torch.float64, requires_grad=True)
    root = torch.tensor([[2.0], [0.0]], dtype=torch.float64)  # the second one is double
    with pytest.raises(SingularSystemError, match="does not determine root 1"):
        differentiable_root(lambda y, x: y**2 - x, root, inputs).sum().backward()
    with pytest.raises(InputError, match="what the equation returns"):
        differentiable_root(lambda y, x: (y**2 - x)[:, 0], root, inputs).sum().backward()
    for constant in (lambda y, x: torch.zeros_like(y), lambda y, x: (y**2 - x).detach()):
        for again in (False, True):
            with pytest.raises(InputError, match="depends neither on the root nor on an input by torch operations"):
                torch.autograd.grad(differentiable_root(constant, root, inputs).sum(), inputs, create_graph=again)
    with pytest.raises(SingularSystemError, match="does not determine root 0"):
        differentiable_root(lambda y, x: x - 4, root, inputs).sum().backward()
    with pytest.raises(InputError, match=r"type of what the equation returns is numpy\.ndarray"):
        differentiable_root(lambda y, x: y.detach().numpy(), root, inputs).sum().backward()
    with pytest.raises(InputError, match="the roots"):
        differentiable_root(lambda y, x: y**2 - x, root[:, 0], inputs)


def test_stencils_refuse_spacings_whose_powers_are_no_numbers_and_axes_that_are_none() -> None:
    for spacing in (1e-100, 1e100, 0.0, float("nan"), None):
        with pytest.raises(InputError, match="spacing of finite differences"):
            FiniteDifference(9, spacing, 4)
    for axis in (None, "x", 0.5):
        with pytest.raises(InputError, match="axis of finite differences"):
            FiniteDifference(9, 0.1)(torch.ones(9), axis)
    with pytest.raises(InputError, match="offsets of a stencil"):
        stencil_weights(None, 0)


@pytest.mark.parametrize(
    "changes", [{"elements": 0}, {"elements": None}, {"interior": -1}, {"interior": 2.5}, {"first": None}]
)
def test_chains_have_elements_and_faces(changes: dict) -> None:
    ends: dict[str, Tensor] = {"first": torch.ones(1, 2, 1), "last": torch.ones(1, 2, 2)}
    with pytest.raises(InputError, match=r"of a chain|of an element"):
        ChainUnknowns(**{"elements": 3, "interior": 2, **ends, **changes})
