"""Dilated residual networks: how far a cell is seen, what they start as, and the published size."""

from __future__ import annotations

import pytest
import torch

from sciml.errors import InputError
from sciml.nets.dilated_resnet import DilatedBlock, DilatedResNet
from sciml.numerics.random import generator, seeded


def test_the_size_is_the_published_one() -> None:
    """PDEArena's DilResNet-128 for three fields of four frames: 4.2 million weights."""
    with torch.device("meta"):
        count = sum(weight.numel() for weight in DilatedResNet(12, 3).parameters())
    convolutions = 4 * 7 * (9 * 128 + 1) * 128
    assert count == convolutions + (12 + 1 + 128 + 1 + 128 + 1) * 128 + (128 + 1) * 3
    assert round(count / 1e6, 1) == 4.2


def test_a_block_sees_22_cells_and_no_further() -> None:
    with seeded(0):
        block = DilatedBlock(3).double()
    images = torch.zeros(1, 3, 61, 61, dtype=torch.float64)
    spot = images.clone()
    spot[0, :, 30, 30] = 1.0
    with torch.no_grad():
        seen = (block(spot) - block(images))[0].abs().amax(0) > 0
    rows, columns = torch.nonzero(seen, as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 52, 8, 52)


@pytest.mark.parametrize("normalised", [False, True])
def test_a_block_without_weights_passes_its_input_on(normalised) -> None:
    block = DilatedBlock(4, normalised)
    for layer in block.layers:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    images = torch.randn(2, 4, 9, 7, generator=generator(0))
    assert torch.equal(block(images), images)


def test_away_from_the_walls_a_shifted_image_gives_the_shifted_image() -> None:
    with seeded(0):
        network = DilatedResNet(2, 1, width=4, blocks=1).double()
    images = torch.randn(1, 2, 60, 60, dtype=torch.float64, generator=generator(1))
    with torch.no_grad():
        whole, cut = network(images), network(images[..., 3:, 5:])
    inner = whole[..., 28:-25, 30:-25] - cut[..., 25:-25, 25:-25]
    assert inner.abs().max() < 1e-14 < whole.abs().max()


def test_gradients_reach_every_weight_and_wrong_images_are_refused() -> None:
    with seeded(0):
        network = DilatedResNet(3, 2, width=4, blocks=2, normalised=True)
    network(torch.randn(2, 3, 12, 10, generator=generator(2))).square().sum().backward()
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters())
    with pytest.raises(InputError, match="images"):
        network(torch.zeros(2, 2, 12, 10))
    with pytest.raises(InputError, match="width"):
        DilatedResNet(3, 2, width=0)
