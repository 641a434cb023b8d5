"""The autoencoder of latent diffusion: residual convolutions on grids that are halved again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from sciml.errors import InputError
from sciml.nets.coordinate import check_counts
from sciml.text2pde.autoencoders import LARGEST, LEAST, Autoencoder, Posterior
from sciml.text2pde.patch_autoencoder import CONVOLUTIONS


class ConvolutionalAutoencoder(Autoencoder):
    """The autoencoder of Zhou et al. on grids: residual convolutions on levels that halve all axes, the time too.

    Parameters
    ----------
    shape : points of the fields along each of one to three axes, multiples of 2 to the power of the halvings
    channels : of the fields
    latent_channels : latents at each point of the coarse grid
    width : channels of the first level
    multiples : of the width, for each level; between two levels the grid is halved
    blocks : pairs of convolutions of a level
    variational : whether latents have a variance, as published

    References
    ----------
    Rombach et al., "High-resolution image synthesis with latent diffusion models", CVPR 2022; Zhou et al., "Text2PDE:
    latent diffusion models for accessible physics simulation", ICLR 2025.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: int,
        latent_channels: int,
        width: int = 64,
        multiples: Sequence[int] = (1, 2, 4, 4),
        blocks: int = 2,
        variational: bool = True,
    ) -> None:
        super().__init__(shape, channels, latent_channels, variational)
        check_counts(width=width, blocks=blocks, **{f"multiple {level}": each for level, each in enumerate(multiples)})
        halved = 2 ** (len(multiples) - 1)
        if not len(multiples) or any(points % halved for points in self.shape):
            raise InputError(
                f"fields of {list(self.shape)} points cannot be halved {len(multiples) - 1} times, expected multiples "
                f"of {halved} points; choose fewer multiples."
            )
        self.latent_shape = tuple(points // halved for points in self.shape)
        axes, widths = len(self.shape), [width * each for each in multiples]
        convolution, outputs = CONVOLUTIONS[axes], (1 + variational) * latent_channels
        levels: list[nn.Module] = [convolution(channels, widths[0], 3, padding=1)]
        for level, (inputs, own) in enumerate(pairwise([widths[0], *widths])):
            levels += _pairs(axes, inputs, own, blocks)
            if level < len(widths) - 1:
                levels.append(convolution(own, own, 3, 2, 1))
        self.encoder = nn.Sequential(*levels, *_middle(axes, widths[-1]), *_end(axes, widths[-1], outputs))
        levels = [convolution(latent_channels, widths[-1], 3, padding=1), *_middle(axes, widths[-1])]
        for level, (inputs, own) in enumerate(pairwise([widths[-1], *widths[::-1]])):
            levels += _pairs(axes, inputs, own, blocks + 1)
            if level < len(widths) - 1:
                levels += [_Doubling(), convolution(own, own, 3, padding=1)]
        self.decoder = nn.Sequential(*levels, *_end(axes, widths[0], channels))

    def posterior_of_normalised(self, fields: Tensor) -> Posterior:
        """Return mean and variance of the latents of fields."""
        found = self.encoder(fields)
        if not self.variational:
            return Posterior(found, None)
        mean, log_variance = found.chunk(2, 1)
        return Posterior(mean, log_variance.clamp(LEAST, LARGEST))

    def decode_normalised(self, latents: Tensor) -> Tensor:
        """Return fields of zero mean and unit deviation."""
        return self.decoder(latents)

    @property
    def last_layer(self) -> Tensor:
        """The weights of the last convolution of the decoder."""
        return self.decoder[-1].weight


class _Pair(nn.Module):
    """Two convolutions, each after a normalisation, added to their input, whose channels may change."""

    def __init__(self, axes: int, inputs: int, outputs: int) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[axes]
        self.layers = nn.Sequential(*_end(axes, inputs, outputs), *_end(axes, outputs, outputs))
        self.beside = nn.Identity() if inputs == outputs else convolution(inputs, outputs, 1)

    def forward(self, values: Tensor) -> Tensor:
        return self.beside(values) + self.layers(values)


class _Attention(nn.Module):
    """Attention of all points of a grid to one another, added to the values."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.inputs, self.out = _norm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        points = self.norm(values).flatten(2).transpose(1, 2)
        found = self.out(scaled_dot_product_attention(*self.inputs(points)[:, None].chunk(3, -1))[:, 0])
        return values + found.transpose(1, 2).reshape_as(values)


class _Doubling(nn.Module):
    """Every point becomes two along each axis."""

    def forward(self, values: Tensor) -> Tensor:
        return interpolate(values, scale_factor=2, mode="nearest")


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(16, width), width)


def _end(axes: int, inputs: int, outputs: int) -> list[nn.Module]:
    return [_norm(inputs), nn.SiLU(), CONVOLUTIONS[axes](inputs, outputs, 3, padding=1)]


def _pairs(axes: int, inputs: int, outputs: int, count: int) -> list[nn.Module]:
    return [_Pair(axes, inputs if number == 0 else outputs, outputs) for number in range(count)]


def _middle(axes: int, width: int) -> list[nn.Module]:
    return [_Pair(axes, width, width), _Attention(width), _Pair(axes, width, width)]
