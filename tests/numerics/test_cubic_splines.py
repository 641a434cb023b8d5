"""Cubic splines in torch against SciPy's, on cubics, and by their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from sciml.errors import InputError
from sciml.numerics.cubic_splines import check_places, cubic_spline
from sciml.numerics.random import generator


@given(count=st.integers(2, 12), seed=st.integers(0, 1000))
def test_values_and_two_derivatives_are_those_of_scipy_between_and_beyond_the_places(count, seed):
    draws = generator(seed, count)
    x = torch.rand(count, generator=draws, dtype=torch.float64).add(0.1).cumsum(0)
    values = torch.randn(3, count, generator=draws, dtype=torch.float64)
    points = torch.linspace(float(x[0]) - 0.1, float(x[-1]) + 0.1, 23, dtype=torch.float64).reshape(23, 1)
    spline = CubicSpline(x.numpy(), values.numpy(), axis=1)

    def slope(function):
        return lambda points: torch.func.jvp(function, (points,), (torch.ones_like(points),))[1]

    found = lambda points: cubic_spline(values, x, points)  # noqa: E731 - a function that is differentiated twice
    for order in range(3):
        expected = spline(points.numpy(), order)
        np.testing.assert_allclose(found(points), expected, rtol=0, atol=1e-9 * np.abs(spline.c).max())
        found = slope(found)


def test_gradients_in_values_and_points_are_those_of_differences():
    draws = generator(3)
    x = torch.linspace(0, 1, 7, dtype=torch.float64) ** 2
    values = torch.randn(2, 7, generator=draws, dtype=torch.float64, requires_grad=True)
    points = torch.rand(5, generator=draws, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, p: cubic_spline(v, x, p), (values, points))


def test_the_error_is_of_fourth_order():
    points, errors = torch.linspace(0, 1, 301, dtype=torch.float64), []
    for count in (17, 33):
        x = torch.linspace(0, 1, count, dtype=torch.float64)
        errors.append(float((cubic_spline(torch.exp(2 * x), x, points) - torch.exp(2 * points)).abs().max()))
    assert 11 < errors[0] / errors[1] < 21


def test_places_that_make_no_spline_are_refused():
    for x, words in [
        (torch.zeros(3), "are 3, expected from two"),
        (torch.ones(1), "are 1"),
        (-torch.arange(3.0), "ris"),
    ]:
        with pytest.raises(InputError, match=words):
            check_places("the places", x)
