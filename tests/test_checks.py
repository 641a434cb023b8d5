import math
import re
from fractions import Fraction

import hypothesis.extra.numpy
import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from sciml import checks
from sciml.errors import ConfigError, InputError

NAN, INF = float("nan"), float("inf")


def refused(words: str):
    return pytest.raises(InputError, match=f"^{re.escape(words)}$")


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(1)])
def test_whole_numbers_of_python_and_numpy_come_back_as_int(value):
    found = checks.whole_number("n", value, at_least=1, at_most=1)
    assert found == 1 and type(found) is int


@pytest.mark.parametrize("value", [True, np.True_, 1.0, np.float64(1.0), "1", None, [1], torch.tensor(1)])
def test_what_only_looks_like_a_whole_number_is_refused(value):
    with pytest.raises(InputError, match="expected a whole number of at least 0"):
        checks.whole_number("n", value, at_least=0)


def test_the_bounds_of_whole_numbers_are_included_and_named():
    assert [checks.whole_number("n", n, at_least=2, at_most=3) for n in (2, 3)] == [2, 3]
    with refused("the degree is 4, expected a whole number from 2 to 3."):
        checks.whole_number("the degree", 4, at_least=2, at_most=3)
    with refused("the degree is 4, expected a whole number of at most 3."):
        checks.whole_number("the degree", np.int32(4), at_most=3)
    with refused("n is 0, expected a whole number of at least 1; draw a point."):
        checks.whole_number("n", 0, at_least=1, remedy="draw a point")
    with refused("n is 1.5, expected a whole number."):
        checks.whole_number("n", 1.5)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2.0), np.int64(2)])
def test_numbers_of_python_and_numpy_come_back_as_float(value):
    found = checks.positive("x", value)
    assert found == 2.0 and type(found) is float


@pytest.mark.parametrize("value", [0, -1.0, NAN, INF, -INF, True, "1", None, 1j, [1.0]])
def test_only_positive_finite_numbers_are_positive(value):
    with pytest.raises(InputError, match=r"^the time step is .*, expected a positive number\.$"):
        checks.positive("the time step", value)


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "words"),
    [
        ({}, [-1e300, 0], [NAN, INF], "a finite number"),
        ({"at_least": 0}, [0, 1], [-1e-300], "a number of at least 0"),
        ({"above": 1}, [1.5], [1], "a number greater than 1"),
        ({"at_least": 0, "at_most": 1}, [0, 1], [-1, 2], "a number from 0 to 1"),
        ({"above": 0, "below": 1}, [0.5], [0, 1], "a number greater than 0 and less than 1"),
        ({"above": 0, "at_most": 1}, [0.5, 1], [0, 1.5], "a positive number of at most 1"),
        ({"at_least": 0, "below": 1}, [0, 0.5], [1], "a number of at least 0 and less than 1"),
        ({"at_most": 1}, [-5], [2], "a finite number of at most 1"),
    ],
)
def test_the_bounds_of_numbers_are_kept_and_named(bounds, good, bad, words):
    for value in good:
        assert checks.number("x", value, **bounds) == value
    for value in bad:
        with refused(f"x is {value}, expected {words}."):
            checks.number("x", value, **bounds)


def test_a_choice_is_one_of_the_known_and_a_near_one_is_named():
    assert checks.choice("the side", "left", ("left", "right")) == "left"
    assert checks.choice("the degree", 2, range(1, 4)) == 2
    with refused("the side is 'rigt', expected one of left, right; did you mean 'right'?"):
        checks.choice("the side", "rigt", ("left", "right"))
    with refused("the side is 'up', expected one of left, right."):
        checks.choice("the side", "up", ("left", "right"))
    with refused("the side is 3, expected left."):
        checks.choice("the side", 3, ("left",))


def test_shapes_are_compared_axis_by_axis_and_a_word_stands_for_any_length():
    for points in (np.zeros((4, 2)), torch.zeros(4, 2), [[0.0, 1.0]]):
        assert checks.shape("the points", points, ("number of points", 2)) is points
    with refused("the shape of the points is (4, 3), expected (number of points, 2)."):
        checks.shape("the points", np.zeros((4, 3)), ("number of points", 2))
    for points in (np.zeros(2), np.zeros((3, 4, 2))):
        assert checks.shape("the points", points, (..., 2)) is points
    for points in (np.zeros(()), np.zeros((2, 3))):
        with refused(f"the shape of the points is {points.shape}, expected (..., 2)."):
            checks.shape("the points", points, (..., 2))
    with refused("the shape of the vector is (4, 3), expected (12,); flatten it."):
        checks.shape("the vector", torch.zeros(4, 3), (12,), remedy="flatten it")


RAGGED = [[1.0, 2.0], [3.0]]


def test_rows_of_unequal_length_are_refused_in_a_sentence():
    with pytest.raises(
        InputError, match=r"the points is \[\[1.0, 2.0\], \[3.0\]\], expected an array of shape \(n, 2\)"
    ):
        checks.shape("the points", RAGGED, ("n", 2))
    with pytest.raises(InputError, match=r"^the values of the times are complex, expected real ones"):
        checks.rising("the times", [1j])
    for values in (RAGGED, ["a"], ["1.5"], [10**400], np.array(["2026-01-01"], "M8[D]"), object()):
        with pytest.raises(InputError, match=r"^the values of the times are .*, expected real ones"):
            checks.rising("the times", values)
        with pytest.raises(InputError, match=r"the values are .*, expected an array of finite numbers\."):
            checks.finite("the values", values)


def test_values_that_are_not_finite_are_counted():
    for values in (np.ones(3), torch.ones(3), [1.0, 2.0], 0.0):
        assert checks.finite("u", values) is values
    for values in (np.array([1.0, NAN, INF]), torch.tensor([1.0, NAN, INF]), [1.0, NAN, INF]):
        with refused("2 of 3 values of u are not finite, expected finite numbers; take a smaller step."):
            checks.finite("u", values, remedy="take a smaller step")


@pytest.mark.parametrize("values", [[], [1.0, 0.5], [-1.0, 0.0], [0.0, NAN], [0.0, INF], [[0.0, 1.0]], 1.0])
def test_only_one_axis_of_finite_numbers_that_never_fall_rises(values):
    with pytest.raises(InputError, match=r"^the times are .*, expected rising finite numbers of at least 0\.$"):
        checks.rising("the times", values, at_least=0)
    assert checks.rising("x", [-1, 0, 0, 2.5]).tolist() == [-1.0, 0.0, 0.0, 2.5]


def test_the_class_of_the_error_can_be_chosen():
    for check, value in ((checks.whole_number, 0.5), (checks.positive, 0), (checks.number, "a")):
        with pytest.raises(ConfigError):
            check("x", value, error=ConfigError)


def test_a_long_value_is_cut_short():
    with pytest.raises(InputError, match=r"^x is \[0, 1, .* \.\.\., expected a finite number\.$") as caught:
        checks.number("x", list(range(1000)))
    assert len(str(caught.value)) < 200


def test_a_number_that_no_float_holds_is_not_finite():
    for value in (10**400, -(10**400), Fraction(10**400), 10**5000):
        for check in (checks.number, checks.positive):
            with pytest.raises(InputError, match=r"^x is .*, expected a (finite|positive) number"):
                check("x", value)
    assert checks.whole_number("n", 10**400) == 10**400
    with pytest.raises(InputError, match=r"^n is an integer of thousands of digits, expected"):
        checks.whole_number("n", 10**5000, at_most=1)


class Rude:
    """A value that answers nothing."""

    __hash__ = None

    def __eq__(self, other):
        raise ValueError("no comparison")


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.integers(10**308, 10**310) | st.floats() | st.text()
    | st.complex_numbers() | st.fractions() | st.decimals() | st.binary() | st.dates() | st.just(Rude())
    | st.sampled_from([np.float32("nan"), np.int8(-1), np.bool_(True), np.array([]), np.zeros((2, 2)), np.array("a")])
    | st.sampled_from([np.array([1, "a"], object), np.datetime64("nat"), torch.tensor(1.5), torch.zeros(2), object()])
)  # fmt: skip
ANYTHING = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner))
CHECKS = {
    "whole number": lambda value: checks.whole_number("it", value, at_least=-5, at_most=10**9),
    "number": lambda value: checks.number("it", value, at_least=-5, below=1e300),
    "positive": lambda value: checks.positive("it", value),
    "choice of names": lambda value: checks.choice("it", value, ("left", "right")),
    "choice of numbers": lambda value: checks.choice("it", value, (1, 2.5)),
    "instance": lambda value: checks.instance("it", value, (bool, str), "text or a truth value"),
    "shape": lambda value: checks.shape("it", value, ("n", 2)),
    "finite": lambda value: checks.finite("it", value),
    "rising": lambda value: checks.rising("it", value, at_least=0),
    "real array": lambda value: checks.real_array("it", value, shape=("n", 2)),
    "whole array": lambda value: checks.whole_array("it", value, at_least=0),
    "known names": lambda value: checks.known_names("it", [value], ("left", "right")),
}


@pytest.mark.parametrize("name", CHECKS)
@given(value=ANYTHING)
def test_anything_is_taken_or_refused_in_a_short_sentence(name, value):
    try:
        found = CHECKS[name](value)
    except InputError as error:
        sentence = str(error)
    else:
        sentence = "it is taken, expected."
        if name in ("whole number", "number", "positive"):
            assert type(found) is (int if name == "whole number" else float)
            assert math.isfinite(found) and -5 <= found <= 10**309
            assert found == (float(value) if isinstance(value, Fraction) else value)
    assert "expected" in sentence and len(sentence) < 300


KINDS_OF_NUMBERS = [
    np.dtype(kind) for kind in ("?", "i1", "u1", "i2", "u4", ">i4", "i8", "u8", "f2", "f4", ">f4", "f8", ">f8", "g")
]
OTHER_KINDS = [
    *(np.dtype(kind) for kind in ("c8", "c16", "G", "U3", "S3", "M8[s]", "m8[D]", "O", "f8,i4", "V4")),
]


def shapes():
    return hypothesis.extra.numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@given(st.sampled_from(KINDS_OF_NUMBERS), shapes(), st.booleans(), st.data())
def test_real_arrays_of_any_type_shape_and_order_come_back_with_their_values_as_doubles(
    kind, shape, reversed_axes, data
):
    size = int(np.prod(shape))
    values = (
        np.array(data.draw(st.lists(st.integers(0, 100), min_size=size, max_size=size))).reshape(shape).astype(kind)
    )
    given_values = values.T if reversed_axes else values
    before = given_values.copy()
    found = checks.real_array("b", given_values, shape=given_values.shape)
    assert found.dtype == np.float64 and found.dtype.isnative and found.flags.c_contiguous
    assert found.shape == given_values.shape and (found == given_values).all()
    assert (given_values == before).all() and given_values.dtype == kind


@given(st.sampled_from(OTHER_KINDS), shapes())
def test_arrays_of_any_other_type_are_refused_whatever_they_hold(kind, shape):
    for check in (checks.real_array, checks.whole_array):
        with pytest.raises(InputError, match=r"^the values of b are .*, expected (real|whole) ones"):
            check("b", np.zeros(shape, kind))


@given(shapes(), st.data())
def test_one_value_that_is_not_finite_is_found_wherever_it_is(shape, data):
    values = np.ones(shape)
    if not values.size:
        assert checks.real_array("b", values).shape == shape
        return
    index = np.unravel_index(data.draw(st.integers(0, values.size - 1)), shape)
    values[index] = data.draw(st.sampled_from([NAN, INF, -INF]))
    with pytest.raises(InputError, match=f"1 of {values.size} values of b are not finite"):
        checks.real_array("b", values)
    np.testing.assert_array_equal(checks.real_array("b", values, finite=False), values)


def test_masked_values_are_not_used_and_an_empty_mask_does_not_matter():
    values = np.ma.masked_invalid([1.0, NAN, 3.0])
    with refused("1 of 3 values of b are masked, expected real numbers; fill them in."):
        checks.real_array("b", values)
    found = checks.real_array("b", np.ma.array([1.0, 2.0]))
    assert type(found) is np.ndarray and found.tolist() == [1.0, 2.0]


def test_numbers_beyond_double_precision_are_not_finite_and_tiny_and_huge_ones_pass():
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        with pytest.raises(InputError, match=r"1 of 1 values of b are not finite \(inf at index 0\)"):
            checks.real_array("b", [np.longdouble("1e400")])
    assert checks.real_array("b", [5e-324, 1.7e308]).tolist() == [5e-324, 1.7e308]
    assert checks.real_array("b", np.array([2**64 - 1], np.uint64))[0] == 2.0**64


def test_tensors_are_taken_from_any_graph_and_sparse_matrices_and_ragged_rows_are_not_taken():
    weight = torch.ones(2, requires_grad=True) * 3
    assert checks.real_array("b", weight).tolist() == [3.0, 3.0]
    for values, words in (
        (RAGGED, "rows are of unequal length"),
        (torch.zeros(2, dtype=torch.bfloat16), "no array"),
        (scipy.sparse.eye_array(2), "are Python objects"),
        ([1, None], "are Python objects"),
        (None, "are Python objects"),
        ([2**70], "are Python objects"),
        ("b", "are texts"),
    ):
        with pytest.raises(InputError, match=f"^the values of b .*{words}"):
            checks.real_array("b", values)


@given(st.sampled_from([kind for kind in KINDS_OF_NUMBERS if kind.kind in "iu"]), st.data())
def test_whole_numbers_are_compared_with_their_bounds_before_they_are_converted(kind, data):
    info = np.iinfo(kind)
    values = data.draw(st.lists(st.integers(info.min, info.max), min_size=1, max_size=5))
    low, high = sorted(data.draw(st.tuples(st.integers(-300, 2**64), st.integers(-300, 2**64))))
    if all(low <= value < high and value < 2**63 for value in values):
        found = checks.whole_array("n", np.array(values, kind), at_least=low, below=high)
        assert found.dtype == np.int64 and found.tolist() == values
    else:
        with pytest.raises(InputError, match=r"^a value of n is .*, expected whole numbers"):
            checks.whole_array("n", np.array(values, kind), at_least=low, below=min(high, 2**63))


def test_whole_arrays_take_neither_booleans_nor_floats_with_integral_values():
    for values in ([True], [1.0], np.zeros((1, 0), complex)):
        with pytest.raises(InputError, match=r"the values of n are .*, expected whole ones"):
            checks.whole_array("n", values)
    assert checks.whole_array("n", []).dtype == np.int64


def test_names_that_nothing_reads_are_refused_with_the_nearest_that_something_reads():
    checks.known_names("the name of an array", ["b"], ("b", "cells"))
    for name, near in (("B", "b"), ("Cells", "cells"), ("celsl", "cells"), ("vx", "Vx")):
        with pytest.raises(InputError, match=f"'{name}', expected one of b, cells, Vx; did you mean '{near}'"):
            checks.known_names("the name of an array", ["b", name], ("b", "cells", "Vx"))
    with refused("the name of an array is 'k', expected one of b, cells."):
        checks.known_names("the name of an array", ["k"], ("b", "cells"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_may_miss_their_bounds_by_the_rounding_of_their_type_and_no_more(dtype):
    tiny = torch.finfo(dtype).eps
    inside = torch.tensor([-0.1, 0.3, 0.1 * 3], dtype=dtype) * torch.tensor([1 + tiny, 1, 1 + tiny], dtype=dtype)
    assert checks.within("the points", inside, -0.1, 0.3) is inside
    for outside in (-0.1 - 10 * tiny, 0.3 + 10 * tiny, NAN, INF):
        with pytest.raises(InputError, match=r"^1 of 2 values of the points are outside, the first of them"):
            checks.within("the points", torch.tensor([0.0, outside], dtype=dtype), -0.1, 0.3)


def test_numbers_are_held_against_their_bounds_under_nested_transforms():
    points = torch.tensor([[0.1, 0.2], [0.3, 4.0]])

    def checked(point: torch.Tensor) -> torch.Tensor:
        return checks.within("the points", point, 0, 1, remedy="stay inside").square().sum()

    transformed = torch.func.vmap(torch.func.hessian(checked))
    assert torch.equal(transformed(points[:1]), 2 * torch.eye(2)[None])
    with refused(
        "1 of 4 values of the points are outside, the first of them 4, expected numbers from 0 to 1; stay inside."
    ):
        transformed(points)


def test_values_of_many_lines_are_shown_on_one():
    assert checks.shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    assert checks.shown("two\nlines") == repr("two\nlines")
    assert checks.shown(type("Thing", (), {})()) == "a Thing"  # and no address
    assert "\n" not in checks.shown(torch.zeros(9, 9))
    assert checks.shown(torch.nn.Sequential(torch.nn.Linear(2, 2))) == "a Sequential"  # not its layers
