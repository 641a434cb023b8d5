"""Networks of coordinates: sizes, first weights, periodicity, and derivatives beside automatic differentiation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import hessian, jacfwd, vmap

from sciml.domains import Box
from sciml.errors import InputError
from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork
from sciml.numerics.derivatives import coordinates
from sciml.numerics.random import generator, seeded


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def make(kind: str, inputs: int, outputs: int) -> CoordinateNetwork:
    box = [[-1.0] * inputs, [2.0] * inputs]
    with seeded(1):
        return {
            "siren": lambda: Siren(inputs, outputs, width=5, frequency=3.0),
            "tanh": lambda: TanhNetwork(inputs, outputs, width=5, box=box, spread=2.0),
            "fourier": lambda: FourierNetwork(inputs, outputs, width=5, box=box, modes=3),
        }[kind]().double()


def test_the_sine_networks_have_as_many_weights_as_published() -> None:
    """Memory of the paper: 3.520 KB in one dimension, 25.887 KB for fluids, 56.32 KB for elastic bodies in 2-D."""
    advection = count(Siren(1, 1, width=20, hidden_layers=2))
    fluid = count(Siren(2, 2, width=32, hidden_layers=3)) + count(Siren(2, 1, width=32, hidden_layers=3))
    elastic = count(Siren(2, 2, width=68, hidden_layers=3))
    assert (advection, fluid, elastic) == (901, 6627, 14418)
    assert [round(4 * weights / 1024, 2) for weights in (advection, fluid, elastic)] == [3.52, 25.89, 56.32]


@pytest.mark.parametrize("frequency", [30.0, 5.0])
def test_the_first_weights_of_sine_networks_are_uniform_within_the_published_bounds(frequency: float) -> None:
    with seeded(0):
        net = Siren(2, 1, width=400, hidden_layers=1, frequency=frequency)
    bounds = [1 / 2, math.sqrt(6 / 400) / frequency, math.sqrt(6 / 400) / frequency]
    for layer, bound in zip(net.layers, bounds, strict=True):
        weight, bias = layer.weight.detach(), layer.bias.detach()
        assert 0.97 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6)
        assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.15)
        assert float(bias.abs().max()) <= 1 / math.sqrt(layer.in_features)


def test_sine_layers_keep_the_variance_of_one_half() -> None:
    """What the bounds are for: sines of normal arguments of variance 1, in every layer."""
    with seeded(3):
        net = Siren(2, 1, width=256, hidden_layers=4).double()
    values = 2 * torch.rand(500, 2, dtype=torch.float64, generator=generator(0)) - 1
    for layer in net.layers[:-1]:
        values = torch.sin(30 * (values @ layer.weight.T + layer.bias))
        assert float(values.detach().square().mean()) == pytest.approx(0.5, abs=0.08)


def test_a_sine_network_is_the_published_formula() -> None:
    net, points = make("siren", 2, 3), normal(6, 2)
    hidden = points
    for layer in net.layers[:-1]:
        hidden = torch.sin(3.0 * (hidden @ layer.weight.T + layer.bias))
    torch.testing.assert_close(net(points), hidden @ net.layers[-1].weight.T + net.layers[-1].bias)
    assert len(net.layers) == 4  # two layers from width to width make three of sines


@given(
    kind=st.sampled_from(["siren", "tanh", "fourier"]),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 2),
    along=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_derivatives_are_those_of_nested_automatic_differentiation(
    kind: str, inputs: int, outputs: int, along: bool
) -> None:
    net, points = make(kind, inputs, outputs), normal(5, inputs)
    directions = normal(2, inputs) if along else torch.eye(inputs, dtype=torch.float64)

    def value(x: Tensor) -> Tensor:
        return net(x[None])[0]

    jet = net(points, 2, directions if along else None)
    first = torch.einsum("ncd,kd->knc", vmap(jacfwd(value))(points), directions)
    second = torch.einsum("ncde,kd,ke->knc", vmap(hessian(value))(points), directions, directions)
    torch.testing.assert_close(jet.value, net(points))
    torch.testing.assert_close(jet.first, first, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(jet.second, second, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(net(points, 1).rows, net(points, 2).rows[: 1 + inputs])


@given(inputs=st.integers(1, 3), lower=st.floats(-5, 5), length=st.floats(0.1, 20), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_fourier_networks_are_periodic_with_all_derivatives(
    inputs: int, lower: float, length: float, seed: int
) -> None:
    net = FourierNetwork(inputs, 2, box=[[lower] * inputs, [lower + length] * inputs], modes=4).double()
    points = lower + length * torch.rand(6, inputs, dtype=torch.float64, generator=generator(seed))
    points[0] = lower  # the seam itself
    shift = length * torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)[:inputs]
    there, again = net(points, 2), net(points + shift, 2)
    rounding = 1e-11 * (1 + (abs(lower) + 10) / length)  # of the moved points, seen through the fastest wave
    for name in ("value", "first", "second"):
        one, other = getattr(there, name).detach(), getattr(again, name).detach()
        assert float((one - other).abs().max()) <= rounding * (1 + float(one.abs().max()))


def test_modes_have_the_amplitudes_and_the_origin_that_are_promised() -> None:
    net = FourierNetwork(1, box=[[1.0], [3.0]], modes=3, decay=2.0).double()
    points = torch.tensor([[1.0], [1.5], [2.2]], dtype=torch.float64)
    features = net.encode(coordinates(points)).value
    for k in range(1, 4):
        phase, height = 2 * math.pi * k * (points[:, 0] - 1) / 2, 2 * math.exp(-((k / 2) ** 2) / 2)
        torch.testing.assert_close(features[:, k - 1], height * torch.sin(phase), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(features[:, k + 2], height * torch.cos(phase), rtol=1e-12, atol=1e-12)


def test_tanh_networks_see_their_box_as_the_unit_cube() -> None:
    with seeded(2):
        wide = TanhNetwork(2, box=[[0.0, -10.0], [4.0, 10.0]]).double()
    with seeded(2):
        unit = TanhNetwork(2).double()
    points = 2 * torch.rand(9, 2, dtype=torch.float64, generator=generator(0)) - 1
    torch.testing.assert_close(wide(points * torch.tensor([2.0, 10.0]) + torch.tensor([2.0, 0.0])), unit(points))


def test_a_larger_spread_makes_finer_details() -> None:
    points = torch.linspace(-1, 1, 200, dtype=torch.float64)[:, None]
    slopes = []
    for spread in (1.0, 8.0):
        with seeded(4):
            slopes.append(float(TanhNetwork(1, spread=spread).double()(points, 1).first.detach().abs().max()))
    assert slopes[1] > 3 * slopes[0]


@pytest.mark.parametrize("kind", ["siren", "tanh", "fourier"])
def test_networks_work_in_single_precision_too(kind: str) -> None:
    net = make(kind, 2, 1)
    single = make(kind, 2, 1)
    for layer in single.layers:
        layer.float()
    points = normal(5, 2)
    jet = single(points.float(), 2)
    assert jet.rows.dtype == torch.float32
    torch.testing.assert_close(jet.value.double(), net(points), rtol=1e-4, atol=1e-4)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="the frequency of a sine network is 0, expected a positive number"):
        Siren(1, frequency=0)
    with pytest.raises(
        InputError, match="hidden_layers of a sine network is -1, expected a whole number of at least 0"
    ):
        Siren(1, hidden_layers=-1)
    with pytest.raises(InputError, match="width of a network is 0, expected a whole number of at least 1"):
        TanhNetwork(1, width=0)
    with pytest.raises(InputError, match=r"inputs of a network is 1\.5"):
        TanhNetwork(1.5)
    with pytest.raises(InputError, match="the spread of a network is -1, expected a positive number"):
        TanhNetwork(1, spread=-1)
    with pytest.raises(InputError, match="modes of a network is 0, expected a whole number of at least 1"):
        FourierNetwork(1, modes=0)
    with pytest.raises(InputError, match="the decay of a network's modes is 0, expected a positive number"):
        FourierNetwork(1, decay=0)
    for box in ([[0.0], [0.0]], [[1.0], [-1.0]], [[0.0], [math.inf]], [[math.nan], [1.0]]):
        with pytest.raises(InputError, match="expected every lower bound below its upper one"):
            FourierNetwork(1, box=box)
    with pytest.raises(InputError, match="expected a lower and an upper corner of 2 numbers"):
        TanhNetwork(2, box=[[0.0], [1.0]])


@pytest.mark.parametrize("kind", ["siren", "tanh", "fourier"])
def test_points_of_another_dimension_are_refused(kind: str) -> None:
    net = make(kind, 2, 1)
    for shape in [(5, 3), (2,), (5, 4, 2)]:
        with pytest.raises(InputError, match=r"the shape of the points is \(.*\), expected \(number of points, 2\)"):
            net(torch.zeros(shape, dtype=torch.float64))


def test_a_fourier_network_may_be_periodic_along_some_axes_only() -> None:
    box = [[0.0, 1.0], [2 * math.pi, 3.0]]
    with seeded(0):
        net = FourierNetwork(2, box=box, modes=2, periodic=[True, False]).double()
    assert net.layers[0].in_features == 2 * 2 + 1
    points = Box([0.0, 1.0], [6.0, 3.0]).interior(40, torch.Generator().manual_seed(0))
    jet, around = net(points, 2), net(points + points.new_tensor([2 * math.pi, 0.0]), 2)
    later = net(points + points.new_tensor([0.0, 2.0]), 2)
    assert torch.allclose(jet.rows, around.rows, atol=1e-12)
    assert not torch.allclose(jet.value, later.value, atol=1e-3)
    time = points.new_tensor([0.0, 1.0]).expand_as(points)
    along_time = torch.func.jvp(net, (points,), (time,))[1]
    assert torch.allclose(jet.first[1], along_time, atol=1e-12)
    with pytest.raises(InputError, match="at least once true"):
        FourierNetwork(2, periodic=[False, False])
