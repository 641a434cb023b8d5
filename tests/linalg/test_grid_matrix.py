"""Matrices are recognised as grids where they are one, and refused by a sentence where they are not."""

from __future__ import annotations

import numpy as np
import pyamg
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import InputError, NotStructuredError
from sciml.linalg import VoxelPoisson


def same(problem: VoxelPoisson, matrix: sp.sparray) -> bool:
    """Whether the problem is the matrix, up to the rounding of row sums."""
    difference = problem.to_csr() - matrix
    return abs(difference).max() <= 1e-13 * abs(matrix).max()


def full_rows(problem: VoxelPoisson) -> sp.csr_array:
    """The matrix with one row per cell, zero off the fluid."""
    small, index = problem.to_csr().tocoo(), np.flatnonzero(problem.fluid)
    return sp.csr_array((small.data, (index[small.row], index[small.col])), shape=(problem.fluid.size,) * 2)


def test_a_matrix_with_eliminated_rows_comes_back_as_the_problem_it_was(any_problem):
    index = np.flatnonzero(any_problem.fluid)
    again = VoxelPoisson.from_matrix(any_problem.to_csr(), any_problem.shape, index)
    np.testing.assert_array_equal(again.fluid, any_problem.fluid)
    assert same(again, any_problem.to_csr())
    np.testing.assert_allclose(again.dirichlet, any_problem.dirichlet, atol=1e-9 * any_problem.diagonal.max())
    assert again.closed_components[1] == any_problem.closed_components[1]


def test_a_matrix_with_zero_rows_comes_back_without_an_index(any_problem):
    again = VoxelPoisson.from_matrix(full_rows(any_problem), any_problem.shape)
    np.testing.assert_array_equal(again.fluid, any_problem.diagonal > 0)
    x = np.random.default_rng(0).standard_normal(any_problem.shape)
    scale = any_problem.diagonal.max()
    np.testing.assert_allclose(again.matvec(x), any_problem.matvec(x), atol=1e-12 * scale)


def test_rows_in_any_order_are_put_in_place_by_their_index(make_random):
    problem = make_random((6, 7, 5), None, True, {"x-": "dirichlet"})
    order = np.random.default_rng(1).permutation(problem.unknowns)
    shuffled = problem.to_csr()[order][:, order]
    again = VoxelPoisson.from_matrix(shuffled, problem.shape, np.flatnonzero(problem.fluid)[order])
    assert same(again, problem.to_csr())


@given(shape=st.lists(st.integers(2, 7), min_size=2, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_shape_of_a_full_box_is_read_off_its_matrix(shape):
    problem = VoxelPoisson.from_matrix(pyamg.gallery.poisson(tuple(shape), format="csr"))
    assert problem.shape == tuple(shape)
    assert same(problem, pyamg.gallery.poisson(tuple(shape), format="csr"))


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array, sp.dia_array, sp.lil_array, sp.bsr_array])
def test_every_sparse_format_is_taken(kind):
    matrix = pyamg.gallery.poisson((4, 5), format="csr")
    assert same(VoxelPoisson.from_matrix(kind(matrix)), matrix)


def test_explicit_zeros_and_duplicates_do_not_matter():
    coo = pyamg.gallery.poisson((4, 5), format="coo")
    rows = np.concatenate([coo.row, coo.row, [0]])
    columns = np.concatenate([coo.col, coo.col, [13]])
    matrix = sp.coo_array((np.concatenate([coo.data / 2, coo.data / 2, [0.0]]), (rows, columns)), shape=coo.shape)
    assert same(VoxelPoisson.from_matrix(matrix), coo.tocsr())


def test_a_term_on_the_diagonal_counts_as_a_dirichlet_coupling():
    matrix = pyamg.gallery.poisson((4, 5, 6), format="csr") + 0.37 * sp.eye_array(120)
    problem = VoxelPoisson.from_matrix(matrix)
    assert same(problem, matrix)
    assert problem.dirichlet.min() == pytest.approx(0.37)


def test_row_sums_of_rounding_size_leave_a_room_closed(make_random):
    rng = np.random.default_rng(2)
    problem = VoxelPoisson.from_cells(np.zeros((9, 8), np.uint8), coefficient=10.0 ** rng.uniform(-3, 3, (9, 8)))
    again = VoxelPoisson.from_matrix(problem.to_csr())
    assert again.closed_components[1] == 1
    assert not again.dirichlet.any()


nine_point = pyamg.gallery.stencil_grid(
    np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], float), (5, 6), format="csr"
)
anisotropic = pyamg.gallery.stencil_grid(np.array([[1, -4, 1], [-4, 12, -4], [1, -4, 1]], float), (5, 6), format="csr")
path = sp.diags_array([-np.ones(11), np.full(12, 2.0), -np.ones(11)], offsets=[-1, 0, 1], format="csr")
periodic = path.tolil()
periodic[0, 11] = periodic[11, 0] = -1.0


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (nine_point, "not a 5- or 7-point stencil"),
        (anisotropic, "positive off-diagonal value, 1,"),
        (path, "distances 1, which is not a 5- or 7-point stencil"),
        (periodic.tocsr(), "not a 5- or 7-point stencil|not its neighbour"),
        (sp.eye_array(9, format="csr"), "diagonal and does not determine a grid"),
        (path - 1.5 * sp.eye_array(12), "expected >= 0"),
        (pyamg.gallery.load_example("unit_cube")["A"], "stencil|off-diagonal|sums to"),
        (pyamg.gallery.load_example("airfoil")["A"], "stencil|off-diagonal|sums to"),
    ],
)
def test_a_matrix_that_is_no_grid_is_refused_and_told_the_way_out(matrix, sentence):
    with pytest.raises(NotStructuredError, match=sentence) as caught:
        VoxelPoisson.from_matrix(matrix)
    assert "method='amg'" in str(caught.value) or "method='cg'" in str(caught.value)


box = pyamg.gallery.poisson((4, 5), format="csr")
wrapped = box.tolil()
wrapped[4, 5] = wrapped[5, 4] = -1.0
wrapped[4, 4] = wrapped[5, 5] = 5.0


@pytest.mark.parametrize(
    ("matrix", "arguments", "sentence"),
    [
        (box, {"shape": (5, 4)}, "not its neighbour on the grid"),
        (wrapped.tocsr(), {}, "cell 4 is coupled to a cell that is not its neighbour"),
        (box, {"shape": (5, 5)}, "20 rows but the grid .* 25 cells"),
        (box, {"shape": (20,)}, "2 or 3 axes"),
        (box, {"fluid_index": np.arange(20)}, "needs the shape"),
        (box, {"shape": (5, 5), "fluid_index": np.arange(19)}, "20 different cell indices"),
        (box, {"shape": (5, 5), "fluid_index": np.zeros(20, int)}, "20 different cell indices"),
        (
            box,
            {"shape": (5, 5), "fluid_index": np.arange(20) + 6},
            r"fluid_index is 25 \(at index 19\)",
        ),
        (box, {"shape": (5, 5), "fluid_index": np.arange(20) - 1}, r"fluid_index is -1 \(at index 0\)"),
        (
            box,
            {"shape": (5, 5), "fluid_index": np.arange(20.0)},
            "fluid_index are floating-point numbers",
        ),
        (box, {"shape": (0, 5)}, "shape"),
        (box, {"shape": (-4, -5)}, "shape"),
        (box, {"shape": (4.5, 5)}, "shape"),
        (box[:4], {}, "must be square"),
        (box * np.nan, {}, "must be finite"),
        (sp.triu(box, format="csr"), {}, "not symmetric"),
        (-box, {}, "diagonal is -4"),
        (1j * box, {}, "the matrix are complex"),
        (0 * box, {"shape": (4, 5)}, "no unknown"),
    ],
)
def test_bad_arguments_are_refused_by_a_sentence(matrix, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        VoxelPoisson.from_matrix(matrix, **arguments)
