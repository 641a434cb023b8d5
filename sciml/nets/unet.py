"""U-Nets on images: convolutions on halved and halved again grids, and back, with the finer values beside.

>>> network = UNet(8, depth=2)
>>> network(torch.zeros(1, 8, 35, 70)).shape
torch.Size([1, 8, 35, 70])
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad

from sciml.checks import shape
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts


class DoubleConvolution(nn.Sequential):
    """Two convolutions of 3 x 3 cells, each followed by a normalisation over all channels and a leaky rectifier.

    Parameters
    ----------
    inputs, outputs : channels
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(*_convolution(inputs, outputs), *_convolution(outputs, outputs))


class UNet(nn.Module):
    """A network from images to images of the same size and as many channels, over ``depth`` halvings of the grid.

    Each level doubles the channels by a :class:`DoubleConvolution` and halves the grid by the maxima of 2 x 2 cells. On
    the way back the values are interpolated to the size they had at this level, before they were halved, and join those
    beside them.

    Parameters
    ----------
    channels : of the input and of the output
    depth : halvings; the image has at least two to this power cells along each axis
    repeats : double convolutions of each level, twice as many at the bottom
    skip : whether the values of the way down join those of the way up
    legacy_wiring : join them as the code of Gupta et al. does: the values of a level are those *after* the halving, so
        that what comes from the bottom is interpolated to twice its size and then cut to its centre, out of place by up
        to a quarter of the image. The weights are the same ones. For their published weights

    References
    ----------
    Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015.
    Gupta et al., "A unified framework for forward and inverse problems in subsurface imaging using latent space
    translations", ICLR 2025.
    """

    def __init__(
        self, channels: int, depth: int = 2, repeats: int = 1, *, skip: bool = True, legacy_wiring: bool = False
    ) -> None:
        super().__init__()
        check_counts(channels=channels, depth=depth, repeats=repeats)
        self.channels, self.depth, self.skip, self.legacy_wiring = channels, depth, skip, legacy_wiring
        widths = [channels * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(_repeated(inputs, outputs, repeats) for inputs, outputs in pairwise(widths))
        self.bottleneck = _repeated(widths[-1], widths[-1], 2 * repeats)
        joined = 2 if skip else 1
        self.decoder = nn.ModuleList(
            _repeated(joined * widths[level], widths[level - 1], repeats) for level in range(depth, 0, -1)
        )
        self.head = DoubleConvolution(channels, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return the images of the images, ``(batch, channels, height, width)``.

        Raises
        ------
        InputError
            If the images are of another shape, or too small to be halved so often.
        """
        shape("the images", images, ("batch", self.channels, "height", "width"))
        sides, least = tuple(images.shape[-2:]), 2**self.depth
        if min(sides) < least or (self.legacy_wiring and any(side % 2 for side in sides)):
            even = " and an even number, as the legacy wiring doubles what it has halved" if self.legacy_wiring else ""
            raise InputError(f"the images have {sides} cells, expected at least {least} along each axis{even}.")
        return self._legacy(images) if self.legacy_wiring else self._aligned(images)

    def _aligned(self, values: Tensor) -> Tensor:
        beside = []
        for first, *others in self.encoder:
            beside.append(first(values))
            values = max_pool2d(beside[-1], 2)
            for block in others:
                values = block(values)
        values = self.bottleneck(values)
        for level, fine in zip(self.decoder, reversed(beside), strict=True):
            values = interpolate(values, fine.shape[-2:], mode="bilinear", align_corners=True)
            values = level(self._joined(fine, values))
        return self.head(values)

    def _legacy(self, values: Tensor) -> Tensor:
        beside = []
        for first, *others in self.encoder:
            values = max_pool2d(first(values), 2)
            for block in others:
                values = block(values)
            beside.append(values)
        values = self.bottleneck(values)
        for level, fine in zip(self.decoder, reversed(beside), strict=True):
            values = _doubled(values)
            height, width = (wanted - had for wanted, had in zip(fine.shape[-2:], values.shape[-2:], strict=True))
            values = pad(values, [width // 2, width - width // 2, height // 2, height - height // 2])
            values = level(self._joined(fine, values))
        return self.head(_doubled(values))

    def _joined(self, fine: Tensor, values: Tensor) -> Tensor:
        return torch.cat([fine, values], 1) if self.skip else values


def _convolution(inputs: int, outputs: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(inputs, outputs, 3, padding=1)
    yield nn.GroupNorm(1, outputs, eps=1e-3)
    yield nn.LeakyReLU(0.01)


def _repeated(inputs: int, outputs: int, repeats: int) -> nn.Sequential:
    others = (DoubleConvolution(outputs, outputs) for _ in range(repeats - 1))
    return nn.Sequential(DoubleConvolution(inputs, outputs), *others)


def _doubled(values: Tensor) -> Tensor:
    return interpolate(values, scale_factor=2, mode="bilinear", align_corners=True)
