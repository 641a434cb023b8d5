"""Gauss points in a box: exact for polynomials, of high order for smooth functions, graded for singular ones."""

from __future__ import annotations

import math

import pytest

from sciml.domains import Box, CellPoints, GaussPoints, MeshDomain
from sciml.errors import InputError

BOX = Box([0.0, -1.0], [2.0, 3.0])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_polynomials_of_degree_two_order_minus_one_are_exact(order: int) -> None:
    points, weights = GaussPoints(3, order).on(BOX)
    degree = 2 * order - 1
    exact = 2 ** (degree + 1) / (degree + 1) * (3 ** (degree + 1) - 1) / (degree + 1)
    assert len(points) == (3 * order) ** 2
    assert math.isclose(float((points**degree).prod(1) @ weights), exact, rel_tol=1e-12)


def test_halving_the_cells_of_a_smooth_function_shows_the_order() -> None:
    errors = []
    for cells in (2, 4):
        points, weights = GaussPoints(cells, 2).on(BOX)
        exact = (math.e**2 - 1) * (math.e**3 - math.exp(-1))
        errors.append(abs(float(points.sum(1).exp() @ weights) - exact))
    assert 3.7 < math.log2(errors[0] / errors[1]) < 4.3


def test_grading_keeps_the_measure_and_helps_where_a_function_is_singular_at_the_faces() -> None:
    box, errors = Box([-1.0], [1.0]), {}
    for grading in (1.0, 2.0, 3.0):
        points, weights = GaussPoints(8, 3, grading).on(box)
        assert math.isclose(float(weights.sum()), 2.0, rel_tol=1e-12)
        assert bool((points.abs() < 1).all()) and bool((weights > 0).all())
        errors[grading] = abs(float((1 - points[:, 0].abs()) ** -0.4 @ weights) - 2 / 0.6)
    assert errors[3.0] < 0.1 * errors[2.0] < 0.1 * errors[1.0]


def test_three_dimensions_and_bad_numbers() -> None:
    points, weights = GaussPoints(2, 2, 2.0).on(Box([0, 0, 0], [1, 2, 3]))
    assert points.shape == (64, 3) and math.isclose(float(weights.sum()), 6.0, rel_tol=1e-12)
    with pytest.raises(InputError, match="cells of Gauss points is 0"):
        GaussPoints(0)
    with pytest.raises(InputError, match=r"grading of Gauss points is 0\.5"):
        GaussPoints(grading=0.5)


@pytest.mark.parametrize(("shape", "dim"), [("square", 2), ("cube", 3)])
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_points_in_cells_are_exact_up_to_their_degree(shape: str, dim: int, degree: int) -> None:
    domain = MeshDomain(shape, 1)
    points, weights = CellPoints(degree).on(domain)
    assert math.isclose(float(weights.sum()), 1.0, rel_tol=1e-12) and points.shape[1] == dim
    assert math.isclose(float(points[:, 0] ** degree @ weights), 1 / (degree + 1), rel_tol=1e-12)
    mixed = float((points[:, 0] ** (degree - 1) * points[:, 1]) @ weights)
    assert math.isclose(mixed, 1 / degree / 2, rel_tol=1e-12)


def test_a_rule_for_another_kind_of_domain_is_refused() -> None:
    with pytest.raises(InputError, match="use CellPoints"):
        GaussPoints().on(MeshDomain("disk", 1))
    with pytest.raises(InputError, match="got a box"):
        CellPoints().on(BOX)
    with pytest.raises(InputError, match="got a mesh of triangle in 3-D"):
        CellPoints().on(MeshDomain("sphere", 1))
    with pytest.raises(InputError, match="degree of cell points is 0"):
        CellPoints(0)
