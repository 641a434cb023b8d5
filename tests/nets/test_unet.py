"""U-Nets: shapes, how far a cell is seen, the alignment of what is joined, and the published sizes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.nets.unet import UNet
from sciml.numerics.random import generator, seeded


def network(channels: int = 2, depth: int = 2, **options: object) -> UNet:
    with seeded(0):
        return UNet(channels, depth, **options)


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 23), st.integers(4, 23), st.integers(1, 2), st.booleans())
def test_images_of_any_size_keep_it(height: int, width: int, repeats: int, skip: bool) -> None:
    images = torch.randn(1, 2, height, width, generator=generator(0))
    assert network(repeats=repeats, skip=skip)(images).shape == images.shape


def test_the_sizes_are_the_published_ones() -> None:
    with torch.device("meta"):
        counts = [sum(weight.numel() for weight in UNet(128, 2, repeats).parameters()) for repeats in (1, 2)]
    assert [round(count / 1e6, 2) for count in counts] == [17.86, 34.68]


def test_both_wirings_have_the_same_weights_and_the_legacy_one_wants_even_sides() -> None:
    legacy = network(legacy_wiring=True)
    assert {name: each.shape for name, each in legacy.state_dict().items()} == {
        name: each.shape for name, each in network().state_dict().items()
    }
    images = torch.randn(1, 2, 70, 70, generator=generator(0))
    assert legacy(images).shape == images.shape
    assert not torch.allclose(legacy(images), network()(images))
    with pytest.raises(InputError, match="even number"):
        legacy(torch.zeros(1, 2, 71, 70))
    with pytest.raises(InputError, match="at least 4"):
        network()(torch.zeros(1, 2, 3, 70))


class Passing(nn.Module):
    """Stands for a level: the mean of the channels, in as many of them as are wanted."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, values: Tensor) -> Tensor:
        return values.mean(1, keepdim=True).expand(-1, self.outputs, -1, -1)


def centre_of_a_spot(legacy_wiring: bool) -> tuple[float, float]:
    """Return where a spot appears that only the values from the bottom hold, in cells of the input."""
    unet = network(channels=1, depth=2, skip=False, legacy_wiring=legacy_wiring)
    for levels in (unet.encoder, unet.decoder):
        for number in range(len(levels)):
            levels[number] = nn.Sequential(Passing(2 ** (number + 1) if levels is unet.encoder else 2 - number))
    unet.bottleneck, unet.head = Passing(4), Passing(1)
    images = torch.zeros(1, 1, 64, 64)
    images[..., 12:20, 20:28] = 1.0
    found = unet(images)[0, 0]
    places = torch.arange(64) + 0.5
    return float((found.sum(1) * places).sum() / found.sum()), float((found.sum(0) * places).sum() / found.sum())


def test_what_the_bottom_knows_stays_in_its_place_but_for_the_legacy_wiring() -> None:
    assert centre_of_a_spot(legacy_wiring=False) == pytest.approx((16.0, 24.0), abs=1.0)
    # Enlarged twice around the centre and cut: (16 - 32) * 2 + 32 lies at the border, (24 - 32) * 2 + 32 = 16.
    assert centre_of_a_spot(legacy_wiring=True)[1] == pytest.approx(16.0, abs=2.0)
