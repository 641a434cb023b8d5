"""Interpolation by polynomials through the nearest points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import KroghInterpolator

from sciml.errors import InputError
from sciml.numerics.local_interpolation import interpolate


def grid(points: int, seed: int) -> torch.Tensor:
    steps = np.random.default_rng(seed).uniform(0.5, 1.5, points)
    return torch.from_numpy(steps.cumsum() / steps.sum())


@given(points=st.integers(1, 6), seed=st.integers(0, 1000))
def test_polynomials_of_the_degree_are_exact_inside_and_beyond_the_grid(points, seed):
    x = grid(9, seed)
    wanted = torch.linspace(float(x[0]) - 0.1, 1.1, 23, dtype=torch.float64)
    coefficients = np.random.default_rng(seed).standard_normal(points)
    values = torch.from_numpy(np.polyval(coefficients, x.numpy()))
    expected = torch.from_numpy(np.polyval(coefficients, wanted.numpy()))
    torch.testing.assert_close(interpolate(values, x, wanted, points), expected, rtol=1e-9, atol=1e-9)


def test_all_points_together_are_scipys_interpolator():
    x, wanted = grid(7, 3), torch.linspace(0.0, 1.2, 11, dtype=torch.float64)
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 7, 3)))
    expected = KroghInterpolator(x.numpy(), values.movedim(1, 0).numpy())(wanted.numpy())
    found = interpolate(values, x, wanted, 7, axis=1)
    torch.testing.assert_close(found, torch.from_numpy(expected).movedim(0, 1), rtol=1e-8, atol=1e-8)


def test_points_of_the_grid_have_their_values_and_the_error_is_of_the_order():
    x = torch.linspace(0, 1, 9, dtype=torch.float64)
    assert torch.equal(interpolate(x.sin(), x, x), x.sin())
    errors = []
    for count in (17, 33):
        x = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        wanted = torch.linspace(0, 1, 101, dtype=torch.float64)
        errors.append(float((interpolate((5 * x).sin(), x, wanted, 4) - (5 * wanted).sin()).abs().max()))
    assert 3.5 < np.log2(errors[0] / errors[1]) < 4.5


def test_gradients_are_those_of_a_linear_map():
    x = grid(6, 1)
    values = torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    wanted = torch.tensor([0.3, 1.05], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: interpolate(v, x, wanted, 4, 0), values)


def test_coordinates_that_do_not_rise_are_refused():
    with pytest.raises(InputError, match="the coordinates of the grid"):
        interpolate(torch.zeros(3), torch.tensor([0.0, 1.0, 0.5]), torch.zeros(1))
