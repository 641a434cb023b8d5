"""Windows of periodic axes and of intervals: they sum to one, are smooth, and each belongs to its own interval."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.numerics.partition_of_unity import interval_windows, periodic_windows, product_windows
from sciml.numerics.random import generator


@given(count=st.integers(1, 12), points=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_windows_sum_to_one_wherever_the_points_are_and_none_is_negative(count: int, points: list[float]) -> None:
    windows = periodic_windows(torch.tensor(points, dtype=torch.float64), count)
    assert (windows.sum(0) - 1).abs().max() < 1e-13
    assert windows.min() > -1e-13


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_window_is_one_at_its_own_centre_and_zero_at_those_of_the_others(count: int) -> None:
    centres = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    assert torch.allclose(periodic_windows(centres, count), torch.eye(count, dtype=torch.float64), atol=1e-14)


def test_two_windows_are_squares_of_sine_and_cosine() -> None:
    x = torch.linspace(0, 1, 33, dtype=torch.float64)
    expected = torch.stack([torch.sin(torch.pi * (x + 0.25)), torch.cos(torch.pi * (x + 0.25))]).square()
    assert torch.allclose(periodic_windows(x, 2), expected, atol=1e-15)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_windows_are_trigonometric_polynomials_of_a_degree_below_their_number(count: int) -> None:
    x = torch.arange(32, dtype=torch.float64) / 32
    spectrum = torch.fft.rfft(periodic_windows(x, count)).abs()
    assert spectrum[:, count:].max() < 1e-13
    assert spectrum[:, :count].min() > 1e-2


def test_windows_are_those_of_the_closed_formula() -> None:
    x = torch.linspace(0.013, 0.987, 50, dtype=torch.float64)
    centre = 1.5 / 4
    expected = (torch.sin(4 * torch.pi * (x - centre)) / torch.sin(torch.pi * (x - centre)) / 4).square()
    assert torch.allclose(periodic_windows(x, 4)[1], expected, atol=1e-13)


def test_products_of_windows_are_in_the_order_of_rows_and_sum_to_one() -> None:
    x, y, z = (torch.arange(n, dtype=torch.float64) / n for n in (6, 4, 5))
    windows = product_windows((x, y, z), (3, 2, 1))
    assert windows.shape == (6, 6, 4, 5)
    assert (windows.sum(0) - 1).abs().max() < 1e-14
    expected = periodic_windows(x, 3)[2][:, None] * periodic_windows(y, 2)[1]
    assert torch.allclose(windows[2 * 2 + 1], expected[..., None].expand(6, 4, 5))


def test_windows_are_differentiable_functions_of_the_points() -> None:
    x = torch.linspace(0, 0.9, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda at: periodic_windows(at, 3), (x,))


def test_windows_without_number_and_axes_without_windows_are_refused() -> None:
    x = torch.zeros(3)
    with pytest.raises(InputError, match="the number of windows is 0"):
        periodic_windows(x, 0)
    with pytest.raises(InputError, match="2 axes and 1 numbers of windows"):
        product_windows((x, x), (1,))


FACES = torch.tensor([0.0, 0.2, 0.5, 1.0], dtype=torch.float64)


def test_windows_of_an_interval_sum_to_one_and_are_two_at_a_point():
    points = torch.linspace(0, 1, 501, dtype=torch.float64)
    value, slope, curvature = interval_windows(points, FACES, 2)
    torch.testing.assert_close(value.sum(0), torch.ones_like(points), rtol=0, atol=1e-15)
    assert float(value.min()) >= 0
    assert int((value > 1e-12).sum(0).max()) == 2
    for each in (slope, curvature):
        torch.testing.assert_close(each.sum(0), torch.zeros_like(points), rtol=0, atol=1e-10)
        assert float(each.abs().max()) > 1
    middles = (FACES[1:] + FACES[:-1]) / 2
    torch.testing.assert_close(interval_windows(middles, FACES)[0], torch.eye(3, dtype=torch.float64))


def test_derivatives_of_windows_of_an_interval_are_those_of_their_values():
    points = torch.rand(200, dtype=torch.float64, generator=generator(0)).requires_grad_()
    found = interval_windows(points, FACES, 2)
    for window in range(3):
        (slope,) = torch.autograd.grad(found[0, window].sum(), points, create_graph=True)
        torch.testing.assert_close(found[1, window], slope, rtol=1e-10, atol=1e-10)
        (curvature,) = torch.autograd.grad(slope.sum(), points, retain_graph=True)
        torch.testing.assert_close(found[2, window], curvature, rtol=1e-9, atol=1e-7)


def test_one_window_of_an_interval_is_one_and_faces_that_do_not_rise_are_refused():
    points = torch.linspace(-1, 2, 7, dtype=torch.float64)
    torch.testing.assert_close(interval_windows(points, FACES[[0, 3]], 1)[0], torch.ones(1, 7, dtype=torch.float64))
    with pytest.raises(InputError, match="expected two or more that rise"):
        interval_windows(points, FACES.flip(0))
