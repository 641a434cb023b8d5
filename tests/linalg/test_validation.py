"""The checks of sciml.linalg.validation name what is wrong and pass on what is right unchanged in value."""

import numpy as np
import pyamg
import pytest
import scipy.sparse as sp

from sciml.errors import InputError
from sciml.linalg import validation

CELLS = np.zeros((3, 4), np.uint8)


def path_laplacian(n: int) -> sp.csr_array:
    """Positive second difference with Dirichlet ends."""
    return sp.csr_array(sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n)))


def test_cells_of_any_integer_type_become_the_same_uint8_codes():
    codes = np.array([[0, 1, 2], [2, 1, 0]], np.int64).T
    checked = validation.check_cells(codes)
    assert checked.dtype == np.uint8 and checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, codes)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (np.array([[0, 7], [7, 1]]), r"code 7 \(2 cells\)"),
        (np.array([[0, -1], [2, 1]]), r"code -1 \(1 cell\)"),
        (np.arange(20).reshape(4, 5), "and 14 other codes"),
        (np.full((2, 2), 2), "no fluid cell"),
        (np.zeros((2, 2)), "floating-point numbers, expected whole ones; give integer codes"),
        (np.zeros((2, 2), bool), "booleans, expected whole ones; give integer codes"),
        (np.zeros(4, int), r"got \(4,\)"),
        (np.zeros((0, 3), int), "at least one cell"),
    ],
)
def test_wrong_cells_are_refused_by_a_sentence_that_names_the_code_and_its_count(cells, sentence):
    with pytest.raises(InputError, match=sentence):
        validation.check_cells(cells)


@pytest.mark.parametrize("bad", [0.0, -2.5, np.nan, np.inf])
def test_a_coefficient_that_is_not_positive_and_finite_is_named_with_its_index(bad):
    coefficient = np.ones((3, 4))
    coefficient[1, 2] = bad
    with pytest.raises(InputError, match=rf"got {bad:g} at index \(1, 2\) \(1 cell in all\)"):
        validation.check_coefficient(coefficient, (3, 4))


def test_a_coefficient_of_another_shape_or_kind_is_refused():
    with pytest.raises(InputError, match=r"shape \(4, 3\), expected \(3, 4\)"):
        validation.check_coefficient(np.ones((4, 3)), (3, 4))
    with pytest.raises(InputError, match="coefficient are complex"):
        validation.check_coefficient(np.ones((3, 4), complex), (3, 4))
    with pytest.raises(InputError, match="rows are of unequal length"):
        validation.check_coefficient([[1.0], [1.0, 2.0]], (3, 4))


def test_one_spacing_stands_for_all_axes_and_bad_ones_are_refused():
    assert validation.check_spacing(0.5, 3) == (0.5, 0.5, 0.5)
    assert validation.check_spacing([1, 2], 2) == (1.0, 2.0)
    for bad in ([1.0, 2.0], [1.0, 0.0, 1.0], [1.0, np.nan, 1.0], "small"):
        with pytest.raises(InputError, match="spacing"):
            validation.check_spacing(bad, 3)


def test_outside_is_completed_with_neumann_in_the_fixed_order_of_sides():
    full = validation.check_outside({"y+": "dirichlet"}, 2)
    assert list(full.items()) == [("x-", "neumann"), ("x+", "neumann"), ("y-", "neumann"), ("y+", "dirichlet")]
    assert set(validation.check_outside("dirichlet", 3).values()) == {"dirichlet"}
    with pytest.raises(InputError, match="'z-'"):
        validation.check_outside({"z-": "dirichlet"}, 2)
    with pytest.raises(InputError, match="the side x- is 'periodic'"):
        validation.check_outside("periodic", 2)


def test_the_right_hand_side_is_copied_and_zero_off_the_fluid():
    fluid = CELLS == 0
    fluid[0, 0] = False
    b = np.ones((3, 4), np.float32)
    checked = validation.check_right_hand_side(b, fluid)
    assert checked.dtype == np.float64 and checked[0, 0] == 0.0 and checked.sum() == 11.0
    assert b[0, 0] == 1.0
    assert validation.check_right_hand_side(np.ones((5, 3, 4)), fluid).sum() == 55.0


def test_a_right_hand_side_with_nan_or_of_another_shape_is_refused():
    b = np.ones((3, 4))
    b[2, 1] = np.nan
    with pytest.raises(InputError, match=r"1 of 12 values of b are not finite \(nan at index \(2, 1\)\)"):
        validation.check_right_hand_side(b, CELLS == 0)
    for shape in ((4, 3), (12,), (2, 5, 3, 4), ()):
        with pytest.raises(InputError, match=r"expected \(3, 4\)"):
            validation.check_right_hand_side(np.ones(shape), CELLS == 0)


def test_a_symmetric_positive_matrix_passes_in_every_sparse_format_without_being_changed():
    expected = pyamg.gallery.poisson((4, 5)).toarray()
    for kind in ("csr", "csc", "coo", "dia", "bsr", "lil"):
        given = sp.csr_matrix(expected).asformat(kind)
        checked = validation.check_spd_matrix(given)
        assert isinstance(checked, sp.csr_array) and checked.has_canonical_format
        np.testing.assert_array_equal(checked.toarray(), expected)
    duplicated = sp.csr_array((np.ones(4), np.array([0, 0, 1, 1]), np.array([0, 2, 4])), shape=(2, 2))
    np.testing.assert_array_equal(validation.check_spd_matrix(duplicated).toarray(), 2 * np.eye(2))
    assert duplicated.nnz == 4


def test_rows_of_zeros_for_cells_that_are_not_unknowns_are_allowed():
    matrix = sp.block_diag([path_laplacian(3), sp.csr_array((2, 2))])
    assert validation.check_spd_matrix(matrix).shape == (5, 5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a[:3], r"square .* got shape \(3, 4\)"),
        (lambda a: -a, r"diagonal is -2 in row 0; solve \(-A\) x = -b"),
        (lambda a: a * np.nan, "finite, got nan in row 0, column 0"),
        (lambda a: a * 1j, "the values of the matrix are complex, expected real"),
        (lambda a: a + sp.csr_array(([0.5], ([0], [3])), shape=(4, 4)), r"A\[(0, 3|3, 0)\].*symmetric positive"),
        (lambda a: a - 2 * sp.eye_array(4), "zero diagonal beside other values"),
        (lambda a: a[:0, :0], "at least one row"),
    ],
)
def test_a_matrix_that_cannot_be_positive_definite_is_refused(change, sentence):
    with pytest.raises(InputError, match=sentence):
        validation.check_spd_matrix(change(path_laplacian(4)))


def test_the_symmetry_check_forgives_rounding_and_nothing_more():
    def perturbed(size):
        return 1e6 * path_laplacian(6) + sp.csr_array(([size], ([0], [1])), shape=(6, 6))

    assert validation.check_spd_matrix(perturbed(1e-5)).shape == (6, 6)
    with pytest.raises(InputError, match="not symmetric"):
        validation.check_spd_matrix(perturbed(1e-3))
