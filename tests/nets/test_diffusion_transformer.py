"""Diffusion transformers: published sizes, the start at zero, masks, conditions, and patches that can be undone."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.nets.diffusion_transformer import DiffusionTransformer, from_patches, to_patches
from sciml.numerics.random import generator, seeded

SHAPES = {1: ((12,), (3,)), 2: ((6, 4), (2, 2)), 3: ((2, 4, 4), (1, 2, 2)), 4: ((2, 4, 2, 2), (2, 2, 1, 1))}


def network(axes: int = 3, *, trained: bool = True, **options: int) -> DiffusionTransformer:
    """Return a small network whose zero layers have been filled, as training fills them."""
    shape, patch = SHAPES[axes]
    with seeded(0):
        made = DiffusionTransformer(shape, patch, channels=2, width=24, depth=2, heads=3, **options)
        if trained:
            for weight in made.parameters():
                torch.nn.init.normal_(weight, std=0.3)
    return made


def field(axes: int = 3, count: int = 4, channels: int = 2) -> torch.Tensor:
    return torch.randn(count, channels, *SHAPES[axes][0], generator=generator(axes))


@pytest.mark.parametrize(
    ("size", "condition", "millions"),
    [("S", 512, 139.9), ("S", 768, 146.3), ("M", 512, 621.1), ("M", 768, 636.0), ("L", 768, 1396.6),
     ("L-text", 768, 2496.0)],
)  # fmt: skip
def test_the_sizes_for_smoke_have_the_published_numbers_of_weights(size: str, condition: int, millions: float) -> None:
    with torch.device("meta"):
        made = DiffusionTransformer.of_size(size, (6, 16, 16), (1, 2, 2), 16, condition)
    assert sum(weight.numel() for weight in made.parameters()) / 1e6 == pytest.approx(millions, rel=5e-3)


@pytest.mark.parametrize(
    ("size", "shape", "patch", "channels", "condition", "millions"),
    [
        ("S", (16, 16, 16), (2, 2, 2), 16, 128, 130.4),
        ("S", (16, 16, 16), (2, 2, 2), 16, 768, 146.5),
        ("M", (16, 16, 16), (2, 2, 2), 16, 128, 598.9),
        ("M", (16, 16, 16), (2, 2, 2), 16, 768, 636.3),
        ("H", (6, 12, 3, 3), (2, 2, 1, 1), 32, 768, 2452.0),
    ],
)
def test_the_sizes_for_cylinders_and_turbulence_have_the_published_numbers_of_weights(
    size: str, shape: tuple[int, ...], patch: tuple[int, ...], channels: int, condition: int, millions: float
) -> None:
    with torch.device("meta"):
        made = DiffusionTransformer.of_size(size, shape, patch, channels, condition)
    assert sum(weight.numel() for weight in made.parameters()) / 1e6 == pytest.approx(millions, rel=5e-3)


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_it_starts_at_zero_and_does_not_stay_there(axes: int) -> None:
    start = network(axes, trained=False)
    x, t = field(axes), torch.rand(4, generator=generator(1))
    assert not start(x, t).any()
    assert start(x, t).shape == x.shape
    (start(x, t) - x).square().mean().backward()
    with torch.no_grad():
        for weight in start.parameters():
            weight -= 0.1 * weight.grad
    assert (start(x, t) - x).norm() < x.norm()


def test_masked_tokens_change_nothing() -> None:
    made, x, t = network(condition_width=5), field(), torch.rand(4, generator=generator(1))
    tokens = torch.randn(4, 6, 5, generator=generator(2))
    mask = torch.arange(6) < torch.tensor([1, 3, 5, 6])[:, None]
    found = made(x, t, tokens, mask)
    other = torch.where(mask[..., None], tokens, torch.full_like(tokens, math.nan))
    assert torch.equal(made(x, t, other, mask), found)
    for sample, count in enumerate((1, 3, 5, 6)):  # as if they had never been there
        one = slice(sample, sample + 1)
        torch.testing.assert_close(made(x[one], t[one], tokens[one, :count]), found[one], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(made(x, t, tokens), found)


def test_the_order_of_the_tokens_of_a_condition_does_not_matter() -> None:
    made, x, t = network(condition_width=5), field(), torch.rand(4, generator=generator(1))
    tokens = torch.randn(4, 6, 5, generator=generator(2))
    order = torch.randperm(6, generator=generator(3))
    torch.testing.assert_close(made(x, t, tokens[:, order]), made(x, t, tokens), rtol=1e-4, atol=1e-4)


def test_each_sample_sees_its_own_time_and_conditions_alone() -> None:
    made, x, t = network(condition_width=5, condition_channels=1), field(), torch.rand(4, generator=generator(1))
    tokens, channels = torch.randn(4, 6, 5, generator=generator(2)), field(channels=1)
    found = made(x, t, tokens, channels=channels)
    for sample in range(4):
        one = slice(sample, sample + 1)
        alone = made(x[one], t[one], tokens[one], channels=channels[one])
        torch.testing.assert_close(alone, found[one], rtol=1e-4, atol=1e-4)
    for other in (
        made(x, t.flip(0), tokens, channels=channels),
        made(x, t, tokens.flip(0), channels=channels),
        made(x, t, tokens, channels=channels.flip(0)),
    ):
        assert (other - found).norm() > 1e-3 * found.norm()


@pytest.mark.parametrize(("two_times", "fastest"), [(True, 30), (False, 1000)])
def test_the_time_of_a_network_that_is_differentiated_by_it_turns_slowly(two_times, fastest) -> None:
    made, seen, step = network(1, two_times=two_times).double(), [], 1e-6
    made.of_time.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for shift in (0.0, step):
        t = torch.linspace(0.1, 0.9, 4, dtype=torch.float64) + shift
        made(field(1).double(), t, **({"until": t} if two_times else {}))
    slopes = (seen[1] - seen[0]) / step
    assert 0.5 * fastest < float(slopes.abs().max()) <= fastest


def test_a_network_of_two_times_sees_the_later_one_and_has_derivatives_in_forward_mode() -> None:
    made, x, t = network(1, two_times=True).double(), field(1).double(), torch.full((4,), 0.3, dtype=torch.float64)
    found = made(x, t, until=t)
    assert (made(x, t, until=2 * t) - found).norm() > 1e-3 * found.norm()
    with torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        _, slope = torch.func.jvp(lambda later: made(x, t, until=later), (2 * t,), (torch.ones_like(t),))
        step = 1e-8
        expected = (made(x, t, until=2 * t + step) - made(x, t, until=2 * t - step)) / (2 * step)
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-3)
    for call in (lambda: made(x, t), lambda: network(1)(field(1), t, until=t)):
        with pytest.raises(InputError, match="set two_times"):
            call()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4), st.integers(1, 3))
def test_patches_hold_neighbouring_points_and_can_be_undone(sides: list[tuple[int, int]], channels: int) -> None:
    grid, patch = [count for count, _ in sides], [size for _, size in sides]
    shape = [count * size for count, size in sides]
    fields = torch.randn(2, channels, *shape, generator=generator(0))
    patches = to_patches(fields, patch)
    assert torch.equal(from_patches(patches, patch, grid), fields)
    first = fields[(slice(None), slice(None), *(slice(size) for size in patch))]
    assert torch.equal(patches[:, 0], first.reshape(2, -1))


def test_positions_differ_between_all_tokens() -> None:
    positions = network(4, trained=False).positions.detach()
    distances = torch.cdist(positions, positions) + torch.eye(len(positions))
    assert distances.min() > 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": (5, 4)}, "no whole number of patches of"),
        ({"patch": (2,)}, "a number for each of one to 4 axes"),
        ({"heads": 5}, "an even multiple of the heads"),
        ({"depth": 0}, "depth of a network is 0"),
        ({"condition_width": -1}, "condition_width is -1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, object], words: str) -> None:
    sizes = {"shape": (6, 4), "patch": (2, 2), "channels": 2, "width": 24, "depth": 2, "heads": 3}
    with pytest.raises(InputError, match=words):
        DiffusionTransformer(**{**sizes, **options})


def test_conditions_that_do_not_fit_are_refused() -> None:
    plain, conditional = network(), network(condition_width=5, condition_channels=1)
    x, t, tokens, channels = field(), torch.rand(4), torch.zeros(4, 3, 5), field(channels=1)
    for call, words in (
        (lambda: plain(x[:, :1], t), "the shape of the field is"),
        (lambda: plain(x, t[:2]), "the shape of the time is"),
        (lambda: plain(x, t, tokens), "set condition_width"),
        (lambda: plain(x, t, channels=channels), "set condition_channels"),
        (lambda: conditional(x, t, channels=channels), "needs the tokens of a condition, of width 5"),
        (lambda: conditional(x, t, tokens), "needs 1 channels of a condition"),
        (lambda: conditional(x, t, tokens[..., :4], channels=channels), "the shape of the tokens is"),
        (lambda: conditional(x, t, tokens, torch.zeros(4, 3), channels), "all tokens of sample 0 are masked"),
    ):
        with pytest.raises(InputError, match=words):
            call()
    with pytest.raises(InputError, match="the size is 'XL'"):
        DiffusionTransformer.of_size("XL", (4,), (2,), 1)
