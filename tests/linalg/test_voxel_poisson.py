"""The voxel operator against its definition, against PyAMG's matrix and against calculus."""

from __future__ import annotations

import numpy as np
import pyamg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sciml.errors import InputError
from sciml.linalg import VoxelPoisson

SIDES = ("x-", "x+", "y-", "y+", "z-", "z+")


def by_definition(cells, coefficient, spacing, sides):
    """Dense matrix over the fluid, cell by cell and neighbour by neighbour."""
    number = np.cumsum(cells == 0).reshape(cells.shape) - 1
    matrix = np.zeros((number.max() + 1,) * 2)
    for cell in np.argwhere(cells == 0):
        cell, row = tuple(cell), number[tuple(cell)]
        for axis in range(cells.ndim):
            for end in (-1, 1):
                other = tuple(c + end * (a == axis) for a, c in enumerate(cell))
                outside = not 0 <= other[axis] < cells.shape[axis]
                k, h2 = coefficient[cell], spacing[axis] ** 2
                if outside:
                    open_side = sides.get("xyz"[axis] + ("-" if end < 0 else "+")) == "dirichlet"
                    matrix[row, row] += k / h2 if open_side else 0.0
                elif cells[other] != 2:
                    w = 2.0 * k * coefficient[other] / (k + coefficient[other]) / h2
                    matrix[row, row] += w
                    if cells[other] == 0:
                        matrix[row, number[other]] -= w
    return matrix


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_matrix_is_the_sum_over_neighbours_for_any_cells_coefficient_spacing_and_sides(data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    cells = rng.choice(np.array([0, 0, 1, 2], np.uint8), size=shape)
    cells.flat[rng.integers(cells.size)] = 0
    coefficient = 10.0 ** rng.uniform(-2, 2, shape) if data.draw(st.booleans()) else np.full(shape, 3.0)
    spacing = tuple(rng.uniform(0.1, 10.0, len(shape)))
    sides = {side: data.draw(st.sampled_from(["neumann", "dirichlet"])) for side in SIDES[: 2 * len(shape)]}
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, spacing=spacing, outside=sides)
    expected = by_definition(cells, coefficient, spacing, sides)
    np.testing.assert_allclose(problem.to_csr().toarray(), expected, rtol=1e-13, atol=1e-13 * np.abs(expected).max())


def test_matvec_is_the_matrix_and_ignores_what_is_off_the_fluid(any_problem):
    problem = any_problem
    x = np.random.default_rng(0).standard_normal(problem.shape)
    product = problem.matvec(x)
    expected = problem.to_csr() @ x[problem.fluid]
    scale = np.abs(problem.to_csr()) @ np.abs(x[problem.fluid]) + 1e-300
    assert (np.abs(product[problem.fluid] - expected) <= 1e-12 * scale).all()
    assert not product[~problem.fluid].any()
    x[~problem.fluid] = np.nan
    np.testing.assert_array_equal(problem.matvec(x), product)


def test_the_matrix_is_symmetric_and_diagonally_dominant_with_the_dirichlet_couplings_as_row_sums(any_problem):
    matrix = any_problem.to_csr()
    off = matrix.copy()
    off.setdiag(0.0)
    assert (matrix != matrix.T).nnz == 0
    assert (off.data <= 0).all()
    rows = np.asarray(matrix.sum(axis=1)).ravel()
    np.testing.assert_allclose(rows, any_problem.dirichlet[any_problem.fluid], atol=1e-12 * any_problem.diagonal.max())
    assert np.linalg.eigvalsh(matrix.toarray()).min() > -1e-12 * any_problem.diagonal.max()


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (5, 4, 6), (1, 7), (3, 1, 2)])
def test_a_dirichlet_box_is_the_matrix_of_pyamg(shape):
    problem = VoxelPoisson.from_cells(np.zeros(shape, np.uint8), outside="dirichlet")
    assert abs(problem.to_csr() - pyamg.gallery.poisson(shape, format="csr")).max() == 0.0


def test_a_layer_of_dirichlet_cells_is_a_dirichlet_side():
    cells = np.zeros((6, 5, 4), np.uint8)
    framed = np.pad(cells, 1, constant_values=1)
    inner = VoxelPoisson.from_cells(cells, outside="dirichlet").to_csr()
    assert abs(inner - VoxelPoisson.from_cells(framed).to_csr()).max() == 0.0


def test_a_layer_of_solid_cells_is_a_neumann_side():
    cells = np.zeros((6, 5, 4), np.uint8)
    framed = VoxelPoisson.from_cells(np.pad(cells, 1, constant_values=2), outside="dirichlet")
    assert abs(VoxelPoisson.from_cells(cells).to_csr() - framed.to_csr()).max() == 0.0


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_swapping_axes_permutes_the_operator(axes, make_random):
    rng = np.random.default_rng(5)
    problem = make_random((5, 6, 7), (1.0, 2.0, 3.0), True, {"x-": "dirichlet", "z+": "dirichlet"})
    cells, k = problem.cells, 10.0 ** rng.uniform(-1, 1, problem.shape)
    sides = {"x-": "dirichlet", "z+": "dirichlet"}
    straight = VoxelPoisson.from_cells(cells, coefficient=k, spacing=(1, 2, 3), outside=sides)
    turned = VoxelPoisson.from_cells(
        cells.transpose(axes),
        coefficient=k.transpose(axes),
        spacing=[(1, 2, 3)[a] for a in axes],
        outside={"xyz"[axes.index("xyz".index(side[0]))] + side[1]: kind for side, kind in sides.items()},
    )
    x = rng.standard_normal(problem.shape)
    np.testing.assert_allclose(turned.matvec(x.transpose(axes)), straight.matvec(x).transpose(axes), rtol=1e-12)


@pytest.mark.parametrize("coefficient", [1.0, 1000.0])
def test_a_constant_coefficient_scales_the_operator_and_stays_constant(coefficient):
    cells = np.zeros((4, 5), np.uint8)
    problem = VoxelPoisson.from_cells(cells, coefficient=np.full((4, 5), coefficient), outside="dirichlet")
    plain = VoxelPoisson.from_cells(cells, outside="dirichlet")
    assert problem.constant
    np.testing.assert_allclose(problem.to_csr().toarray(), coefficient * plain.to_csr().toarray(), rtol=1e-14)


def test_components_are_those_of_the_graph_of_the_matrix(any_problem):
    from scipy.sparse.csgraph import connected_components

    labels, count = any_problem.components()
    expected_count, expected = connected_components(any_problem.to_csr(), directed=False)
    assert count == expected_count
    assert not labels[~any_problem.fluid].any()
    assert len(set(zip(labels[any_problem.fluid].tolist(), expected.tolist(), strict=True))) == count


def test_closed_components_are_the_null_space(any_problem):
    labels, count = any_problem.closed_components
    matrix = any_problem.to_csr().toarray()
    tolerance = 1e-12 * max(any_problem.diagonal.max(), 1.0)
    assert count == np.count_nonzero(np.abs(np.linalg.eigvalsh(matrix)) < tolerance)
    for label in range(1, count + 1):
        assert np.abs(any_problem.matvec((labels == label) * 1.0)).max() <= tolerance


def test_a_wall_one_cell_thick_makes_two_components_and_a_hole_one():
    cells = np.zeros((9, 8, 7), np.uint8)
    cells[4] = 2
    assert VoxelPoisson.from_cells(cells).components()[1] == 2
    assert VoxelPoisson.from_cells(cells, outside={"x-": "dirichlet"}).closed_components[1] == 1
    cells[4, 3, 3] = 0
    assert VoxelPoisson.from_cells(cells).components()[1] == 1
    assert VoxelPoisson.from_cells(cells, outside={"x-": "dirichlet"}).closed_components[1] == 0


def gradient(problem, p, spacing):
    """Face differences of p with p = 0 in Dirichlet cells and sides; closed faces are left as they fall."""
    p = np.where(problem.fluid, p, 0.0)
    return [np.diff(np.pad(p, [(int(a == axis),) * 2 for a in range(p.ndim)]), axis=axis) / spacing[axis]
            for axis in range(p.ndim)]  # fmt: skip


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.0)])
def test_minus_the_divergence_of_a_gradient_is_the_operator(spacing):
    cells = np.random.default_rng(3).choice(np.array([0, 0, 0, 1, 2], np.uint8), size=(7, 6, 8))
    sides = {"x-": "dirichlet", "y+": "dirichlet"}
    problem = VoxelPoisson.from_cells(cells, spacing=spacing, outside=sides)
    p = np.random.default_rng(4).standard_normal(cells.shape)
    b = problem.divergence(*gradient(problem, p, spacing), spacing=spacing)
    np.testing.assert_allclose(b, problem.matvec(p), atol=1e-11)


def test_the_divergence_of_any_velocity_is_compatible_with_closed_rooms(make_case):
    problem = make_case("closed", 14)
    rng = np.random.default_rng(0)
    velocity = [rng.standard_normal([n + (a == axis) for a, n in enumerate(problem.shape)]) for axis in range(3)]
    b = problem.divergence(*velocity)
    labels, count = problem.closed_components
    assert count >= 2
    assert np.abs(ndimage.sum_labels(b, labels, range(1, count + 1))).max() < 1e-10


def test_a_velocity_of_the_wrong_shape_is_refused():
    problem = VoxelPoisson.from_cells(np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match="one velocity per axis, 2 in all, got 1"):
        problem.divergence(np.zeros((5, 5)))
    with pytest.raises(InputError, match=r"axis 1 is \(4, 5\), expected \(4, 6\)"):
        problem.divergence(np.zeros((5, 5)), np.zeros((4, 5)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"cells": np.full((3, 3), 3)}, "holds the code 3"),
        ({"cells": np.full((3, 3), 1)}, "no fluid cell"),
        ({"coefficient": np.zeros((3, 3))}, r"got 0 at index \(0, 0\)"),
        ({"coefficient": np.full((3, 3), np.nan)}, "got nan"),
        ({"coefficient": np.full((3, 3), -1.0)}, "got -1"),
        ({"coefficient": np.ones((3, 4))}, r"shape \(3, 4\), expected \(3, 3\)"),
        ({"spacing": (1.0, 2.0, 3.0)}, "one per axis, 2 in all"),
        ({"spacing": 0.0}, "finite and > 0"),
        ({"spacing": 1e-200}, "beyond floating point numbers"),
        ({"spacing": 1e200}, "beyond floating point numbers"),
        ({"coefficient": np.diag([1e305] * 3) + 1e300, "spacing": 1e-10}, "beyond floating point numbers"),
        ({"outside": "open"}, "'open', expected one of neumann, dirichlet"),
        ({"outside": {"z-": "dirichlet"}}, "that outside names is 'z-'"),
    ],
)
def test_bad_input_is_refused_by_a_sentence(arguments, sentence):
    arguments = {"cells": np.zeros((3, 3), int)} | arguments
    with np.errstate(over="ignore"), pytest.raises(InputError, match=sentence):
        VoxelPoisson.from_cells(**arguments)


@pytest.mark.parametrize("scale", [1e-290, 1e-30, 1.0, 1e30, 1e290])
def test_normalising_multiplies_every_coupling_by_one_power_of_two(scale, make_random):
    problem = make_random((5, 6), None, True, {"x-": "dirichlet"})
    weights = [w * scale for w in problem.face_weights]
    huge = VoxelPoisson(problem.fluid, weights, problem.dirichlet * scale, problem.diagonal * scale)
    normal, factor = huge.normalised()
    assert np.frexp(factor)[0] == 0.5
    assert 2.0**-61 < normal.diagonal.max() < 2.0**61
    np.testing.assert_array_equal(normal.to_csr().toarray(), factor * huge.to_csr().toarray())


def test_a_surface_becomes_a_solid_obstacle_of_its_volume():
    from sciml.mesh import Mesh

    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    surface = Mesh(corners, {"triangle": np.array(faces)})
    problem = VoxelPoisson.from_surface(surface, (40, 40, 40), fill=0.5, outside="dirichlet")
    solid = 1.0 - problem.unknowns / 40**3
    assert solid == pytest.approx(0.5**3 / 6.0, rel=0.1)  # an octahedron fills a sixth of its box
