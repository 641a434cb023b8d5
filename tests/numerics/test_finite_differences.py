"""Finite differences: exact on polynomials, of the order they have, linear operators with their adjoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.numerics.finite_differences import FiniteDifference, stencil_weights

SETTINGS = [(d, p) for d in (1, 2, 3, 4) for p in (2, 4, 6, 8)]


def test_weights_are_the_well_known_ones() -> None:
    assert np.allclose(12 * stencil_weights([-2, -1, 0, 1, 2], 1), [1, -8, 0, 8, -1], atol=1e-13)
    assert np.allclose(12 * stencil_weights([-2, -1, 0, 1, 2], 2), [-1, 16, -30, 16, -1], atol=1e-12)
    assert np.allclose(stencil_weights([0, 1, 2], 1), [-1.5, 2, -0.5], atol=1e-14)
    assert np.allclose(stencil_weights([0, 1, 2, 3], 2), [2, -5, 4, -1], atol=1e-13)


@pytest.mark.parametrize(("derivative", "order"), SETTINGS)
def test_polynomials_are_differentiated_exactly_at_every_point(derivative: int, order: int) -> None:
    count = derivative + order + 3
    x = np.linspace(-1.0, 1.0, count)
    difference = FiniteDifference(count, x[1] - x[0], derivative, order)
    for degree in range(derivative + order):
        polynomial = np.polynomial.Polynomial.basis(degree)
        exact = polynomial.deriv(derivative)(x)
        found = difference(torch.as_tensor(polynomial(x))).numpy()
        assert np.abs(found - exact).max() < 1e-11 * (2 / (x[1] - x[0])) ** derivative, degree


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("derivative", "order"), [(d, p) for d, p in SETTINGS if p < 8])
def test_the_error_has_the_order_that_is_asked_for(derivative: int, order: int, periodic: bool) -> None:
    errors, wave = [], 2 * np.pi
    for count in (32, 64):
        x = np.arange(count) / count
        found = FiniteDifference(count, 1 / count, derivative, order, periodic)(torch.as_tensor(np.sin(wave * x + 0.3)))
        exact = wave**derivative * np.sin(wave * x + 0.3 + derivative * np.pi / 2)
        errors.append(np.abs(found.numpy() - exact).max())
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.6, errors


def test_periodic_differences_of_a_wave_are_its_modified_wave_number() -> None:
    count, mode = 24, 3
    x = np.arange(count) / count
    wave = torch.as_tensor(np.cos(2 * np.pi * mode * x))
    step = 2 * np.pi * mode / count
    found = FiniteDifference(count, 1 / count, 2, periodic=True)(wave)
    assert torch.allclose(found, -((2 * np.sin(step / 2) * count) ** 2) * wave, atol=1e-10)
    assert abs(float(found.sum())) < 1e-9


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(SETTINGS), st.booleans(), st.integers(0, 8), st.integers(0, 2), st.sampled_from([1e-3, 0.2, 40.0])
)
def test_any_axis_of_any_tensor_is_differentiated_by_the_matrix_and_back_by_its_transpose(
    setting: tuple[int, int], periodic: bool, extra: int, axis: int, spacing: float
) -> None:
    difference = FiniteDifference(sum(setting) + 1 + extra, spacing, *setting, periodic)
    shape = [2, 3, 4]
    shape[axis] = difference.points
    draws = torch.Generator().manual_seed(extra)
    values = torch.randn(shape, generator=draws, dtype=torch.float64, requires_grad=True)
    cotangent = torch.randn(shape, generator=draws, dtype=torch.float64)
    matrix = torch.as_tensor(difference.matrix)
    found = difference(values, axis)
    scale = matrix.abs().sum(1).max() * 10
    assert (found - torch.einsum("ij,j...->i...", matrix, values.movedim(axis, 0)).movedim(0, axis)).abs().max() < (
        1e-14 * scale
    )
    (back,) = torch.autograd.grad(found, values, cotangent)
    transposed = torch.einsum("ij,i...->j...", matrix, cotangent.movedim(axis, 0)).movedim(0, axis)
    assert (back - transposed).abs().max() < 1e-14 * scale
    assert (difference(values, axis - 3) - found).abs().max() == 0.0


def test_differences_are_smallest_where_the_grid_just_holds_the_stencil() -> None:
    x = torch.linspace(0, 1, 4, dtype=torch.float64)
    assert torch.allclose(FiniteDifference(4, 1 / 3, 2)(x**3), 6 * x)
    assert torch.allclose(FiniteDifference(3, 0.5)(torch.tensor([0.0, 0.25, 1.0])), torch.tensor([0.0, 1.0, 2.0]))


def test_single_precision_stays_single() -> None:
    assert FiniteDifference(5, 1.0)(torch.zeros(2, 5)).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"points": 3, "derivative": 2}, "the number of points of finite differences is 3, expected .* at least 4"),
        ({"points": 2, "periodic": True}, "at least 3"),
        ({"spacing": 0.0}, "spacing"),
        ({"derivative": 0}, "from 1 to 4"),
        ({"order": 3}, "expected one of 2, 4, 6, 8"),
        ({"periodic": "yes"}, "True or False"),
    ],
)
def test_operators_without_sense_are_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        FiniteDifference(**{"points": 12, "spacing": 0.1, **options})


def test_values_and_stencils_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"along axis 1 of values of shape \(5, 4\), expected 5 points"):
        FiniteDifference(5, 1.0)(torch.zeros(5, 4), 1)
    with pytest.raises(InputError, match="axis 2"):
        FiniteDifference(5, 1.0)(torch.zeros(5, 5), 2)
    with pytest.raises(InputError, match=r"is torch.int64, expected a tensor of floating-point numbers"):
        FiniteDifference(5, 0.3)(torch.arange(5))  # weights would be truncated
    with pytest.raises(InputError, match=r"an offset of a stencil is 0.5"):
        stencil_weights([0.5, 1.5], 1)
    with pytest.raises(InputError, match="the derivative of a stencil is -1"):
        stencil_weights([0, 1], -1)
    with pytest.raises(InputError, match="more than 2 different"):
        stencil_weights([0, 1], 2)
    with pytest.raises(InputError, match="more than 1 different"):
        stencil_weights([0, 1, 1], 1)
