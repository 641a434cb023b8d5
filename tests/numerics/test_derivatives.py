"""Jets beside nested automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from sciml.errors import InputError
from sciml.numerics.derivatives import (
    Jet,
    concatenate,
    coordinates,
    exponential,
    jet_of,
    laplacian,
    linear,
    sine,
    tanh,
)
from sciml.numerics.random import generator

WIDTH = 4


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


class Case:
    """A function in two forms: by operations on jets, and in plain torch for one point."""

    def __init__(self, dim: int, seed: int) -> None:
        self.first, self.bias = normal(WIDTH, dim, seed=seed), normal(WIDTH, seed=seed)
        self.last = normal(2, WIDTH, seed=seed + 1)

    def affine(self, x: Jet) -> Jet:
        return linear(x, self.first, self.bias)

    def plain_affine(self, x: Tensor) -> Tensor:
        return self.first @ x + self.bias


def waves(case: Case, x: Jet) -> Jet:
    phase = case.affine(x)
    sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
    both = concatenate(phase.apply(sines, cosines, -sines), phase.apply(cosines, -sines, -cosines))
    return tanh(linear(both, torch.cat([case.last, case.last.flip(0)], 1)))


def plain_waves(case: Case, x: Tensor) -> Tensor:
    phase = case.plain_affine(x)
    both = torch.cat([torch.sin(phase), torch.cos(phase)])
    return torch.tanh(torch.cat([case.last, case.last.flip(0)], 1) @ both)


def bumps(case: Case, x: Jet) -> Jet:
    offset = case.affine(x)
    squares = offset * offset
    return linear(exponential(Jet(-squares.rows / 2, squares.order)), case.last)


def mixture(case: Case, x: Jet) -> Jet:
    wave, ramp = sine(case.affine(x), 1.7), tanh(case.affine(x))
    return (wave * ramp + ramp.channel(1) * wave).shifted(case.bias)


def plain_mixture(case: Case, x: Tensor) -> Tensor:
    wave, ramp = torch.sin(1.7 * case.plain_affine(x)), torch.tanh(case.plain_affine(x))
    return wave * ramp + ramp[1] * wave + case.bias


FORMS: dict[str, tuple[Callable[[Case, Jet], Jet], Callable[[Case, Tensor], Tensor]]] = {
    "sine": (
        lambda case, x: linear(sine(sine(case.affine(x), 3.0), case.bias), case.last),
        lambda case, x: case.last @ torch.sin(case.bias * torch.sin(3.0 * case.plain_affine(x))),
    ),
    "tanh": (
        lambda case, x: linear(tanh(case.affine(x)), case.last),
        lambda case, x: case.last @ torch.tanh(case.plain_affine(x)),
    ),
    "exponential": (
        lambda case, x: linear(exponential(sine(case.affine(x))), case.last),
        lambda case, x: case.last @ torch.exp(torch.sin(case.plain_affine(x))),
    ),
    "gaussian": (bumps, lambda case, x: case.last @ torch.exp(-case.plain_affine(x).square() / 2)),
    "fourier": (waves, plain_waves),
    "products and sums": (mixture, plain_mixture),
}


@given(
    form=st.sampled_from(sorted(FORMS)),
    dim=st.integers(1, 4),
    count=st.integers(1, 6),
    order=st.integers(0, 2),
    given_directions=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_jets_are_the_derivatives_of_nested_automatic_differentiation(
    form: str, dim: int, count: int, order: int, given_directions: int, seed: int
) -> None:
    case, points = Case(dim, seed), normal(count, dim, seed=seed + 2)
    directions = normal(given_directions, dim, seed=seed + 3) if given_directions else None
    by_jets, plain = FORMS[form]
    jet = by_jets(case, coordinates(points, order, directions))
    along = torch.eye(dim, dtype=torch.float64) if directions is None else directions

    def function(x: Tensor) -> Tensor:
        return plain(case, x)

    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(jet.value, vmap(function)(points), **close)
    assert jet.count == (len(along) if order else 0)
    if order >= 1:
        first = torch.einsum("ncd,kd->knc", vmap(jacfwd(function))(points), along)
        torch.testing.assert_close(jet.first, first, **close)
    if order == 2:
        second = torch.einsum("ncde,kd,ke->knc", vmap(hessian(function))(points), along, along)
        torch.testing.assert_close(jet.second, second, **close)
        if directions is None:
            torch.testing.assert_close(laplacian(jet), second.sum(0), **close)
    else:
        with pytest.raises(InputError, match=f"order is {order}, u.second needs order = 2"):
            _ = jet.second


@pytest.mark.parametrize("form", sorted(FORMS))
def test_gradients_of_the_weights_flow_through_all_derivatives(form: str) -> None:
    points = normal(3, 2, seed=5)

    def rows(first: Tensor, bias: Tensor, last: Tensor) -> Tensor:
        case = Case(2, 0)
        case.first, case.bias, case.last = first, bias, last
        return FORMS[form][0](case, coordinates(points, 2)).rows

    case = Case(2, 0)
    weights = [weight.clone().requires_grad_() for weight in (case.first, case.bias, case.last)]
    assert torch.autograd.gradcheck(rows, weights, atol=1e-6)


@given(
    form=st.sampled_from(sorted(FORMS)),
    dim=st.integers(1, 3),
    order=st.integers(0, 2),
    given_directions=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_jets_of_any_function_are_those_of_its_operations(
    form: str, dim: int, order: int, given_directions: int, seed: int
) -> None:
    case, points = Case(dim, seed), normal(4, dim, seed=seed + 2)
    directions = normal(given_directions, dim, seed=seed + 3) if given_directions else None
    by_jets, plain = FORMS[form]
    found = jet_of(vmap(lambda x: plain(case, x)), points, order, directions)
    expected = by_jets(case, coordinates(points, order, directions))
    assert (found.order, found.count) == (expected.order, expected.count)
    torch.testing.assert_close(found.rows, expected.rows, rtol=1e-10, atol=1e-10)


def test_jets_of_a_constant_and_of_a_straight_line_have_no_further_derivatives() -> None:
    points = normal(5, 2)
    still = jet_of(lambda x: torch.ones_like(x[:, :1]), points, 2)
    assert torch.equal(still.value, torch.ones(5, 1).double())
    assert not still.first.any() and not still.second.any()
    line = jet_of(lambda x: x[:, :1] - 2 * x[:, 1:], points, 2)
    assert line.first[:, 0, 0].tolist() == [1.0, -2.0]
    assert not line.second.any()


def test_jets_of_a_function_have_gradients_by_what_it_contains() -> None:
    points, factor = normal(5, 2), torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    jet_of(lambda x: factor * torch.sin(x), points, 2).second.sum().backward()
    torch.testing.assert_close(factor.grad, -torch.sin(points).sum())


def test_jets_of_a_function_refuse_what_coordinates_refuse() -> None:
    with pytest.raises(InputError, match="the shape of the directions is"):
        jet_of(torch.sin, normal(5, 2), 1, normal(1, 3))
    with pytest.raises(InputError, match="the order of a jet is -1, expected a whole number from 0 to 2"):
        jet_of(torch.sin, normal(5, 2), -1)
    with pytest.raises(InputError, match="the order of a jet is 3, expected a whole number from 0 to 2"):
        jet_of(torch.sin, normal(5, 2), 3)


def test_a_layer_without_bias_and_a_linear_function_have_the_derivatives_they_must() -> None:
    weight = normal(3, 2)
    jet = linear(coordinates(normal(5, 2), 2), weight)
    assert torch.equal(jet.first, weight.T[:, None, :].expand(2, 5, 3))
    assert not jet.second.any()


def test_jets_keep_the_precision_of_the_points() -> None:
    assert sine(coordinates(normal(4, 2).float(), 2)).rows.dtype == torch.float32


def test_orders_and_shapes_that_make_no_sense_are_refused() -> None:
    points = normal(5, 2)
    with pytest.raises(InputError, match="the order of a jet is 3, expected a whole number from 0 to 2"):
        coordinates(points, 3)
    with pytest.raises(
        InputError, match=r"the shape of the points is \(5,\), expected \(number of points, dimension\)"
    ):
        coordinates(points[:, 0])
    with pytest.raises(
        InputError, match=r"the shape of the directions is \(1, 3\), expected \(number of directions, 2\)"
    ):
        coordinates(points, 1, normal(1, 3))


def test_jets_with_different_derivatives_do_not_mix() -> None:
    points = normal(5, 2)
    one, two = coordinates(points, 1), coordinates(points, 2)
    along = coordinates(points, 1, normal(1, 2))
    for pair in ((one, two), (two, one), (one, along), (along, one)):
        with pytest.raises(InputError, match=r"a jet of order \d along \d directions meets one of order"):
            pair[0] * pair[1]
        with pytest.raises(InputError, match="expected the same"):
            pair[0] + pair[1]
        with pytest.raises(InputError, match="expected the same"):
            concatenate(*pair)
