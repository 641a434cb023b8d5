"""Fourier neural operators: their sums written out, exact solutions, other grids, translations, published sizes."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sciml.errors import InputError
from sciml.nets.fno import FourierNeuralOperator, SpectralConvolution
from sciml.numerics.random import generator, seeded

GRIDS = [((9,), (3,)), ((8,), (3,)), ((6, 9), (2, 4)), ((5, 4, 6), (2, 1, 3))]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def convolution(inputs: int, outputs: int, modes: tuple[int, ...]) -> SpectralConvolution:
    with seeded(0):
        return SpectralConvolution(inputs, outputs, modes).double()


def operator(**options) -> FourierNeuralOperator:
    with seeded(0):
        return FourierNeuralOperator(2, 3, **{"modes": [2, 3], "widths": [4, 5, 4], "head": 6, **options}).double()


def points(*grid: int) -> Tensor:
    """Return the points of a periodic grid on the unit box, ``(*grid, axes)``."""
    axes = (torch.arange(count, dtype=torch.float64) / count for count in grid)
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def smooth(*grid: int) -> Tensor:
    """Return a field of two channels with frequencies up to 2, ``(1, *grid, 2)``."""
    angle = 2 * math.pi * points(*grid)
    one = torch.sin(angle[..., 0]) * torch.cos(2 * angle[..., -1]) + 0.3
    return torch.stack([one, torch.cos(angle[..., 0] - angle[..., -1])], -1)[None]


@pytest.mark.parametrize(("grid", "modes"), GRIDS)
def test_a_spectral_convolution_is_the_sum_over_its_frequencies(grid, modes):
    layer, fields = convolution(2, 3, modes), normal(2, *grid, 2)
    places, expected = points(*grid), torch.zeros(2, *grid, 3, dtype=torch.float64)
    weights = torch.view_as_complex(layer.weight.detach())
    signed = [[k for k in range(-m, m) if 2 * abs(k) < n] for m, n in zip(modes[:-1], grid, strict=False)]
    for k in product(*signed, [k for k in range(modes[-1]) if 2 * k < grid[-1]]):
        wave = torch.exp(2j * math.pi * (places @ torch.tensor(k, dtype=torch.float64)))
        coefficient = (fields * wave.conj()[None, ..., None]).flatten(1, -2).mean(1)  # of the discrete transform
        image = (coefficient @ weights[k])[(slice(None), *[None] * len(grid))] * wave[None, ..., None]
        expected += (2 if k[-1] else 1) * image.real
    torch.testing.assert_close(layer(fields).detach(), expected, rtol=1e-12, atol=1e-12)


def test_a_spectral_convolution_solves_the_heat_equation_exactly():
    layer, decay = convolution(1, 1, (3, 3)), 0.01 * 4 * math.pi**2
    with torch.no_grad():
        layer.weight.zero_()
        for k in product(range(-3, 3), range(3)):
            layer.weight[(*k, 0, 0, 0)] = math.exp(-decay * (k[0] ** 2 + k[1] ** 2))
    angle = 2 * math.pi * points(12, 15)
    terms = [torch.cos(a * angle[..., 0] + b * angle[..., 1] + a) for a, b in [(0, 0), (1, 0), (-2, 1), (2, 2), (0, 2)]]
    later = [math.exp(-decay * s) * term for s, term in zip([0, 1, 5, 8, 4], terms, strict=True)]
    torch.testing.assert_close(layer(sum(terms)[None, ..., None])[0, ..., 0], sum(later), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("coarse", "fine", "modes"), [((5,), (12,), (3,)), ((6, 5), (17, 8), (2, 3)), ((5, 8, 5), (6, 9, 12), (3, 2, 2))]
)
def test_a_spectral_convolution_has_one_image_of_a_field_on_all_grids_that_resolve_it(coarse, fine, modes):
    layer = convolution(2, 2, modes)
    waves = torch.randint(-2, 3, (len(modes), 9), generator=generator(1)).double()

    def field(*grid: int) -> Tensor:
        return torch.cos(2 * math.pi * (points(*grid) @ waves) + normal(9)).matmul(normal(9, 2))[None]

    def series(image: Tensor) -> Tensor:
        """Return the coefficients of the Fourier series up to frequency 2."""
        spectrum = torch.fft.fftn(image, dim=tuple(range(1, len(modes) + 1)), norm="forward")
        return torch.stack([spectrum[(0, *k)] for k in product(*[range(-2, 3)] * len(modes))])

    torch.testing.assert_close(series(field(*fine)), series(field(*coarse)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(series(layer(field(*fine))), series(layer(field(*coarse))), rtol=1e-12, atol=1e-12)


def test_an_operator_has_nearly_one_image_of_a_smooth_field_on_all_fine_grids():
    net = operator(modes=[3, 3])
    finest = net(smooth(96, 96)).detach()
    difference = [
        float((net(smooth(n, n)).detach() - finest[:, :: 96 // n, :: 96 // n]).abs().max() / finest.abs().max())
        for n in (12, 24, 48)
    ]
    assert difference[0] < 0.1
    assert (
        difference[1] < difference[0] / 10 and difference[2] < difference[1] / 10
    )  # spectral, from the aliases of GELU


@given(shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)), grid=st.sampled_from([(9, 10), (4, 5), (1, 6), (8, 2)]))
@settings(max_examples=25, deadline=None)
def test_a_translation_of_the_input_translates_the_output(shift, grid):
    net, fields = operator(activates_output=True), normal(2, *grid, 2)
    moved = net(torch.roll(fields, shift, (1, 2)))
    torch.testing.assert_close(moved, torch.roll(net(fields), shift, (1, 2)), rtol=1e-12, atol=1e-12)


def test_fields_of_a_batch_are_mapped_one_by_one():
    net, fields = operator(), normal(5, 6, 7, 2)
    singly = torch.cat([net(each[None]) for each in fields])
    torch.testing.assert_close(net(fields), singly, rtol=1e-13, atol=1e-13)


def test_an_operator_does_what_its_equations_say():
    net, fields = operator(activates_last=False, activates_output=True), normal(1, 6, 7, 2)
    gelu = torch.nn.functional.gelu
    first, second = zip(net.convolutions, net.pointwise, strict=True)
    hidden = net.lift(fields)
    hidden = gelu(first[0](hidden) + first[1](hidden))
    hidden = second[0](hidden) + second[1](hidden)
    torch.testing.assert_close(net(fields), gelu(net.head[2](gelu(net.head[0](hidden)))))
    plain = operator(activates_last=True)
    assert float(plain(fields).detach().min()) < -0.17 < float(net(fields).detach().min())  # the least value of GELU


def test_gradients_are_those_of_finite_differences_on_a_grid_that_does_not_resolve_all_modes():
    net, fields = operator(modes=[2, 3], widths=[2, 2]), normal(1, 3, 4, 2).requires_grad_()
    weights = [weight.detach().requires_grad_() for weight in net.parameters()]
    names = [name for name, _ in net.named_parameters()]

    def image(fields: Tensor, *weights: Tensor) -> Tensor:
        return torch.func.functional_call(net, dict(zip(names, weights, strict=True)), fields)

    assert torch.autograd.gradcheck(image, (fields, *weights))
    used = torch.autograd.grad(net(fields).square().sum(), net.convolutions[0].weight)[0].abs().sum((2, 3, 4)) > 0
    # Three points carry the frequencies 0, 1, -1 of 0, 1, -2, -1, and four carry 0, 1 of 0, 1, 2.
    assert used.tolist() == [[True, True, False], [True, True, False], [False] * 3, [True, True, False]]


def test_the_published_networks_have_their_numbers_of_weights():
    with torch.device("meta"):
        sorption = FourierNeuralOperator(3, 16, [8, 8], [32, 64, 64, 64, 64, 64], activates_output=True)
        vorticity = FourierNeuralOperator(4, 64, [8, 8, 8], [64] * 9, 256, activates_last=False, activates_output=True)
    for net, complex_weights, rest in [(sorption, 2_359_296, 29_264), (vorticity, 67_108_864, 66_688)]:
        spectral = sum(layer.weight.numel() for layer in net.convolutions)
        assert spectral == 2 * complex_weights
        assert sum(weight.numel() for weight in net.parameters()) == spectral + rest


def test_weights_are_real_single_precision_and_a_function_of_the_seed():
    with seeded(3):
        one = FourierNeuralOperator(2, 1, [4], [3, 3])
    with seeded(3):
        other = FourierNeuralOperator(2, 1, [4], [3, 3])
    assert all(value.dtype == torch.float32 for value in one.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with seeded(0):
        wide = SpectralConvolution(30, 50, [8, 8])
    assert float(wide.weight.detach().var()) == pytest.approx(2 / 80, rel=0.02)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"modes": []}, r"the modes are \[\], expected a number for each axis"),
        ({"modes": [1, 1, 1, 1]}, "expected a number for each axis"),
        ({"modes": [4, 0]}, "modes 1 of a network is 0, expected a whole number of at least 1"),
        ({"widths": [4]}, "layers of a network is 0"),
        ({"widths": [4, 2.5]}, "widths 1 of a network is 2.5"),
        ({"head": 0}, "head of a network is 0"),
    ],
)
def test_wrong_sizes_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        operator(**options)


@pytest.mark.parametrize("wrong", [(1, 6, 7, 3), (6, 7, 2), (1, 6, 7, 8, 2)])
def test_fields_of_another_shape_are_refused(wrong):
    with pytest.raises(InputError, match=r"the shape of the fields is .*, expected \(batch, axis 0, axis 1, 2\)"):
        operator()(torch.zeros(wrong))


def test_an_empty_batch_has_an_empty_image():
    assert operator()(torch.zeros(0, 6, 7, 2, dtype=torch.float64)).shape == (0, 6, 7, 3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (torch.zeros(1, 6, 7, 2), "of type torch.float32 and the weights of torch.float64, expected"),
        (torch.zeros(1, 6, 7, 2, dtype=torch.complex128), "the type of the fields is torch.complex128"),
        (torch.zeros(1, 0, 7, 2, dtype=torch.float64), r"the grid has \(0, 7\) points"),
    ],
)
def test_fields_that_no_transform_takes_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        operator()(fields)
    with pytest.raises(InputError, match=r"torch.float16, expected torch.float32 or torch.float64"):
        operator().half()(torch.zeros(1, 6, 7, 2, dtype=torch.float16))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_operator_gives_the_same_on_a_gpu():
    net, fields = operator(), normal(2, 6, 7, 2)
    torch.testing.assert_close(net.cuda()(fields.cuda()).cpu(), operator()(fields), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("points", "grid"), [((6, 9), (15, 8)), ((15, 8), (6, 9)), ((7,), (12,))])
def test_the_image_on_another_grid_is_the_same_function(points: tuple[int, ...], grid: tuple[int, ...]) -> None:
    modes = (2,) * len(points)
    layer = convolution(1, 2, modes)
    fine = normal(1, *(40,) * len(points), 1)
    smooth = convolution(1, 1, modes)  # a function of few frequencies, which all grids resolve
    coarse = smooth(fine, points)
    assert torch.allclose(layer(coarse, grid), layer(smooth(fine, grid)), atol=1e-10)
    assert float(layer(coarse, grid).abs().max()) > 1e-3
    assert layer(coarse[:0], grid).shape == (0, *grid, 2)
