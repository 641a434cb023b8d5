"""Operators that are polynomials in time: of the right degree, at any times, and equivariant in space."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import generator, seeded


def operator(degree: int = 3) -> PolynomialsInTime:
    with seeded(0):
        return PolynomialsInTime(3, 2, modes=[3, 3], widths=[6, 6], degree=degree, head=8).double()


def fields(times: Tensor) -> Tensor:
    start = torch.randn(2, 1, 8, 8, 2, dtype=torch.float64, generator=generator(1)).expand(-1, len(times), -1, -1, -1)
    return torch.cat([times[None, :, None, None, None].expand(2, -1, 8, 8, 1), start], -1)


def test_outputs_are_polynomials_in_time_of_the_degree() -> None:
    with torch.no_grad():
        values = operator(3)(fields(torch.linspace(0, 1, 7, dtype=torch.float64)))
    assert values.shape == (2, 7, 8, 8, 2)
    differences = values.diff(n=3, dim=1)  # the third one of a cubic is constant and not zero
    assert differences.diff(dim=1).abs().max() < 1e-12
    assert differences.abs().max() > 1e-4


def test_the_same_evolution_is_read_at_other_times() -> None:
    own = operator()
    with torch.no_grad():
        coarse = own(fields(torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)))
        fine = own(fields(torch.tensor([0.0, 0.1, 0.3, 0.7, 1.0], dtype=torch.float64)))
    assert torch.allclose(coarse, fine[:, [0, 2, 4]], atol=1e-13)


def test_a_translated_start_has_a_translated_evolution() -> None:
    own, given = operator(), fields(torch.linspace(0, 1, 4, dtype=torch.float64))
    with torch.no_grad():
        moved, values = own(given.roll((3, 1), (2, 3))), own(given)
    assert torch.allclose(moved, values.roll((3, 1), (2, 3)), atol=1e-12)
    assert not torch.allclose(moved, values, atol=1e-3)


def test_the_total_is_the_sum_of_the_outputs_and_has_its_gradients() -> None:
    own, given = operator(), fields(torch.linspace(0, 1, 4, dtype=torch.float64))
    totals = own.total(given), own(given).sum(-1, keepdim=True)
    assert torch.allclose(*totals, atol=1e-13)
    first, second = (torch.autograd.grad(each.square().sum(), list(own.parameters())) for each in totals)
    assert all(torch.allclose(*pair, rtol=1e-9, atol=1e-12) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize("times", [(-1.0, 1.0), (0.0, 500.0), (0.0, float("nan"))])
def test_times_that_are_not_from_0_to_1_are_refused(times: tuple[float, float]) -> None:
    given = fields(torch.tensor(times, dtype=torch.float64))
    for function in (operator(), operator().total):
        with pytest.raises(InputError, match="1 of 2 values of the first input, the time of polynomials, are outside"):
            function(given)


def test_fields_without_time_or_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="the inputs of polynomials in time is 1"):
        PolynomialsInTime(1, 2, modes=[3, 3])
    with pytest.raises(InputError, match="the fields"):
        operator()(torch.zeros(2, 8, 8, 3))
