"""Bases of polynomials against NumPy, and what makes elements of them smooth."""

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev as reference

from sciml.errors import InputError
from sciml.numerics.polynomials import chebyshev, from_zero, gauss_legendre, smooth_element

POINTS = torch.linspace(-1, 1, 23, dtype=torch.float64)
ENDS = torch.tensor([-1.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 18])
def test_chebyshev_polynomials_and_their_derivatives_are_those_of_numpy(degree):
    table = chebyshev(POINTS, degree, 3)
    for order in range(4):
        for k in range(degree + 1):
            unit = np.eye(degree + 1)[k]
            exact = reference.chebval(POINTS.numpy(), reference.chebder(unit, order) if order else unit)
            assert table[order, :, k].numpy() == pytest.approx(exact, rel=1e-11, abs=1e-9)


def test_values_and_slopes_at_the_ends_of_an_element_are_its_last_four_coefficients():
    table = smooth_element(ENDS, 9, 1)  # (derivative, end, function)
    found = table.transpose(0, 1).reshape(4, 10)  # value and slope on the left, then on the right
    assert torch.allclose(found, torch.eye(4, 10, dtype=torch.float64).roll(6, 1), atol=1e-12)


@pytest.mark.parametrize("degree", [3, 4, 7, 14])
def test_a_smooth_element_spans_all_polynomials_of_its_degree(degree):
    basis = smooth_element(POINTS, degree)[0]
    monomials = POINTS[:, None] ** torch.arange(degree + 1)
    rest = monomials - basis @ torch.linalg.lstsq(basis, monomials, driver="gelsd").solution
    assert rest.abs().max() < 1e-12
    assert torch.linalg.matrix_rank(basis) == degree + 1


def test_polynomials_from_zero_vanish_at_the_start_and_span_all_that_do():
    assert from_zero(ENDS[:1], 6)[0].abs().max() == 0
    basis = from_zero(POINTS, 6)[0]
    targets = (POINTS[:, None] + 1) * POINTS[:, None] ** torch.arange(6)
    rest = targets - basis @ torch.linalg.lstsq(basis, targets, driver="gelsd").solution
    assert rest.abs().max() < 1e-13


@pytest.mark.parametrize("basis", [chebyshev, smooth_element, from_zero])
def test_derivatives_of_the_tables_are_those_of_automatic_differentiation(basis):
    points = POINTS[3:9].clone().requires_grad_()
    table = basis(points, 5, 2)
    for order in range(2):
        for column in range(table.shape[2]):
            (slope,) = torch.autograd.grad(table[order, :, column].sum(), points, retain_graph=True, allow_unused=True)
            expected = table[order + 1, :, column]
            assert torch.allclose(torch.zeros_like(points) if slope is None else slope, expected, atol=1e-10)


def test_gauss_points_integrate_polynomials_of_almost_twice_their_number_exactly():
    nodes, weights = gauss_legendre(5)
    for degree in range(10):
        assert float((weights * nodes**degree).sum()) == pytest.approx((1 + (-1) ** degree) / (degree + 1), abs=1e-14)
    assert float((weights * nodes**10).sum()) != pytest.approx(2 / 11, abs=1e-6)


@pytest.mark.parametrize(("basis", "degree"), [(smooth_element, 2), (from_zero, 0), (chebyshev, -1)])
def test_degrees_that_are_too_small_are_refused(basis, degree):
    with pytest.raises(InputError, match=f"{degree}, expected .*at least"):
        basis(POINTS, degree)


@pytest.mark.parametrize("basis", [smooth_element, from_zero, chebyshev])
def test_points_that_would_truncate_the_functions_are_refused(basis):
    with pytest.raises(InputError, match=r"is torch.int64, expected a tensor of floating-point numbers"):
        basis(torch.tensor([-1, 0, 1]), 4)
    with pytest.raises(InputError, match="the shape of the points"):
        basis(torch.zeros(2, 2), 4)
