"""The error norms, the order of convergence and the summaries against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.mesh import Grid
from sciml.metrics import (
    convergence_order,
    max_error,
    mean_absolute_error,
    median_and_range,
    relative_l2,
    structural_similarity,
)

RNG = np.random.default_rng(0)


def test_relative_l2_of_a_multiple_is_the_distance_of_the_factor_from_one():
    reference = RNG.standard_normal((5, 7))
    for factor in (0.0, 0.9, 1.0, -3.0):
        assert relative_l2(factor * reference, reference) == pytest.approx(abs(factor - 1.0), rel=1e-14)


def test_relative_l2_is_invariant_under_a_common_scale_even_where_squares_leave_the_range_of_floats():
    values, reference = RNG.standard_normal((2, 50))
    expected = relative_l2(values, reference)
    for scale in (1e-200, 1e200):
        assert relative_l2(scale * values, scale * reference) == pytest.approx(expected, rel=1e-13)


def test_weighted_relative_l2_converges_to_the_integral_on_an_uneven_mesh():
    # ||x - 0|| / ||1|| over [0, 1] is 1 / sqrt(3), whatever the spacing of the points.
    edges = np.linspace(0.0, 1.0, 4001) ** 3
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    assert relative_l2(1.0 + middle, np.ones_like(middle), width) == pytest.approx(1 / math.sqrt(3), rel=1e-6)
    assert relative_l2(1.0 + middle, np.ones_like(middle)) != pytest.approx(1 / math.sqrt(3), rel=0.1)


def test_the_volumes_of_a_grid_serve_as_weights():
    grid = Grid((65, 33))
    x, y = np.moveaxis(grid.coordinates(), -1, 0)
    value = relative_l2(1.0 + np.sin(np.pi * x) * np.sin(np.pi * y), np.ones(grid.shape), grid.volumes())
    assert value == pytest.approx(0.5, rel=1e-12)  # the trapezoidal rule is exact for this trigonometric polynomial


def test_places_of_weight_zero_do_not_count():
    assert relative_l2([1.0, 99.0], [2.0, 1e9], [1.0, 0.0]) == pytest.approx(0.5)


def test_max_error_is_the_largest_difference_and_keeps_nan():
    assert max_error([1.0, 5.0, -2.0], [1.5, 2.0, -2.0]) == 3.0
    assert math.isnan(max_error([1.0, math.nan], [1.0, 1.0]))


@given(order=st.floats(-4, 4), constant=st.floats(1e-6, 1e6))
def test_the_order_of_a_power_law_is_its_exponent(order, constant):
    sizes = np.array([0.5, 0.25, 0.1, 0.04])
    assert convergence_order(constant * sizes**order, sizes) == pytest.approx(order, abs=1e-10)


def test_median_and_range_ignore_the_order_of_the_measurements():
    assert median_and_range([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert median_and_range([4.0, 1.0]) == (2.5, 1.0, 4.0)
    assert str(median_and_range([1.25, 1.5, 3.0])) == "1.5 (1.25 to 3)"


@pytest.mark.parametrize(
    "call",
    [
        lambda: relative_l2([1.0], [1.0, 2.0]),
        lambda: relative_l2([1.0], [0.0]),
        lambda: relative_l2([1.0], [1.0], [-1.0]),
        lambda: relative_l2([1.0, 2.0], [1.0, 2.0], [1.0, 1.0, 1.0]),
        lambda: relative_l2([], []),
        lambda: max_error(np.ones(3), np.ones((3, 1))),
        lambda: convergence_order([1.0], [1.0]),
        lambda: convergence_order([1.0, 0.0], [1.0, 0.5]),
        lambda: convergence_order([1.0, 0.5], [1.0, 1.0]),
        lambda: median_and_range([]),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(call):
    with pytest.raises(InputError, match=r"(got|must|undefined).*[.;]"):
        call()


def written_out_similarity(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The similarity around each cell of two images by its definition, cell by cell, with zeros outside."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    u, v = np.pad(u, 5), np.pad(v, 5)
    found = np.empty((u.shape[0] - 10, u.shape[1] - 10))
    for row, column in np.ndindex(found.shape):
        a, b = u[row : row + 11, column : column + 11], v[row : row + 11, column : column + 11]
        means = (weights * a).sum(), (weights * b).sum()
        variances = (weights * a * a).sum() - means[0] ** 2, (weights * b * b).sum() - means[1] ** 2
        covariance = (weights * a * b).sum() - means[0] * means[1]
        above = (2 * means[0] * means[1] + 1e-4) * (2 * covariance + 9e-4)
        found[row, column] = above / ((means[0] ** 2 + means[1] ** 2 + 1e-4) * (sum(variances) + 9e-4))
    return found


def test_the_similarity_is_that_of_its_definition_with_and_without_padding():
    u, v = RNG.random((2, 2, 14, 17))
    maps = np.stack([written_out_similarity(*pair) for pair in zip(u, v, strict=True)])
    assert structural_similarity(u, v, legacy=True) == pytest.approx(maps.mean(), rel=1e-10)
    assert structural_similarity(u, v) == pytest.approx(maps[:, 5:-5, 5:-5].mean(), rel=1e-10)
    assert structural_similarity(7 * u, 7 * v, data_range=7.0) == pytest.approx(structural_similarity(u, v), rel=1e-10)
    with pytest.raises(InputError, match="11 x 11"):
        structural_similarity(u[..., :10], v[..., :10])


def test_equal_images_have_similarity_one_and_a_negative_has_less_than_none():
    image = RNG.random((20, 20))
    for legacy in (False, True):
        assert structural_similarity(image, image, legacy=legacy) == pytest.approx(1.0)
        assert structural_similarity(image, 1 - image, legacy=legacy) < 0.0


def test_the_mean_absolute_error_of_a_shift_is_the_shift():
    values = RNG.standard_normal((4, 5))
    assert mean_absolute_error(values - 0.25, values) == pytest.approx(0.25)
