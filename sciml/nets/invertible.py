"""Invertible networks on images: additive couplings, and halvings and mixings by orthogonal matrices.

Each module has :meth:`forward` and :meth:`inverse`, exact inverses of one another up to rounding, whatever the weights.

>>> network = InvertibleUNet(8, couplings=(2, 2))
>>> images = torch.randn(1, 8, 6, 4)
>>> bool((network.inverse(network(images)) - images).abs().max() < 1e-5)
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from sciml.checks import shape
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts


class AdditiveCoupling(nn.Module):
    r"""An invertible layer on two halves of the channels.

    .. math:: (x_1, x_2) \mapsto (x_2, x_1 + F(x_2)), \qquad (y_1, y_2) \mapsto (y_2 - F(y_1), y_1)

    with F a convolution of 3 x 3 cells, a leaky rectifier and a normalisation over all channels, whose scale is 0 at
    first: F vanishes, so that the layer swaps the halves.

    Parameters
    ----------
    channels : an even number

    References
    ----------
    Dinh, Krueger and Bengio, "NICE: non-linear independent components estimation", ICLR 2015 workshop, section 3.2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = _half(channels)
        convolution = nn.Conv2d(half, half, 3, padding=1, bias=False)
        nn.init.kaiming_uniform_(convolution.weight, a=0.01, mode="fan_out", nonlinearity="leaky_relu")
        norm = nn.GroupNorm(1, half, eps=1e-3)
        nn.init.zeros_(norm.weight)
        self.function = nn.Sequential(convolution, nn.LeakyReLU(0.01), norm)

    def forward(self, images: Tensor) -> Tensor:
        """Return the layer's images, ``(batch, channels, height, width)``."""
        first, second = images.chunk(2, 1)
        return torch.cat([second, first + self.function(second)], 1)

    def inverse(self, images: Tensor) -> Tensor:
        """Return the images that :meth:`forward` takes to these."""
        first, second = images.chunk(2, 1)
        return torch.cat([second - self.function(first), first], 1)


class ChannelMixing(nn.Module):
    """An orthogonal matrix on the channels of each cell, learned, the identity at first.

    Parameters
    ----------
    channels : its order

    Attributes
    ----------
    weight : W, ``(channels, channels)``, of which the matrix is :func:`cayley`
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels))

    def forward(self, images: Tensor) -> Tensor:
        """Return the mixed channels, ``(batch, channels, height, width)``."""
        return conv2d(images, cayley(self.weight)[..., None, None])

    def inverse(self, images: Tensor) -> Tensor:
        """Return the channels that :meth:`forward` takes to these."""
        return conv2d(images, cayley(self.weight).mT[..., None, None])


class OrthogonalHalving(nn.Module):
    """Halving of the grid by an orthogonal matrix for each channel, learned, the Haar transform at first.

    The four values of a channel in 2 x 2 cells become four channels of one cell.

    Parameters
    ----------
    channels : of the fine grid

    Attributes
    ----------
    weight : ``(channels, 4, 4)``, of which the matrices are :func:`cayley`
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        haar = torch.zeros(4, 4)
        haar[0, 2:], haar[1, 2:] = 0.5, -0.5
        self.weight = nn.Parameter(haar.repeat(channels, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(batch, 4 channels, height / 2, width / 2)`` for images ``(batch, channels, height, width)``."""
        return conv2d(images, self._kernel(), stride=2, groups=self.channels)

    def inverse(self, images: Tensor) -> Tensor:
        """Return the images of twice the size that :meth:`forward` takes to these."""
        return conv_transpose2d(images, self._kernel(), stride=2, groups=self.channels)

    def _kernel(self) -> Tensor:
        return cayley(self.weight).reshape(-1, 1, 2, 2)


class InvertibleUNet(nn.Module):
    """A bijection of images that works on halved grids, too: the identity at first.

    At each level but the last, couplings and a mixing of the channels are followed by a split: one half of the channels
    is kept for the way back, the other half is halved in size, which makes twice the channels of the level. The way
    back has layers of its own.

    Parameters
    ----------
    channels : an even number
    couplings : additive couplings of each level, as many on the way down as on the way up

    References
    ----------
    Etmann, Ke and Schönlieb, "iUNets: learnable invertible up- and downsampling for large-scale inverse problems", IEEE
    MLSP 2020; the layers are those of their package iunets 0.1.
    """

    def __init__(self, channels: int, couplings: Sequence[int] = (4, 4, 4, 4)) -> None:
        super().__init__()
        _half(channels)
        check_counts(levels=len(couplings), **{f"couplings {level}": count for level, count in enumerate(couplings)})
        self.channels, last = channels, len(couplings) - 1
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.halvings, self.doublings = nn.ModuleList(), nn.ModuleList()
        for level, count in enumerate(couplings):
            width = channels * 2**level
            mixed = level < last
            ways = [[AdditiveCoupling(width) for _ in range(count)] for _ in range(2)]
            # Before the split on the way down; on the way up after the first coupling, as in iunets.
            self.down.append(nn.ModuleList([*ways[0], *([ChannelMixing(width)] if mixed else [])]))
            self.up.append(nn.ModuleList([ways[1][0], *([ChannelMixing(width)] if mixed else []), *ways[1][1:]]))
            if mixed:
                self.halvings.append(OrthogonalHalving(width // 2))
                self.doublings.append(OrthogonalHalving(width // 2))

    def forward(self, images: Tensor) -> Tensor:
        """Return the bijection's images, ``(batch, channels, height, width)``.

        Raises
        ------
        InputError
            If the images are of another shape, or their sides cannot be halved so often without rest.
        """
        self._check(images)
        return _through(images, _applied, (self.down, self.halvings), (self.up, self.doublings))

    def inverse(self, images: Tensor) -> Tensor:
        """Return the images that :meth:`forward` takes to these."""
        self._check(images)
        return _through(images, _undone, (self.up, self.doublings), (self.down, self.halvings))

    def _check(self, images: Tensor) -> None:
        shape("the images", images, ("batch", self.channels, "height", "width"))
        factor = 2 ** len(self.halvings)
        if any(side % factor for side in images.shape[-2:]):
            raise InputError(
                f"the images have {tuple(images.shape[-2:])} cells, expected multiples of {factor}; pad them and keep "
                "the padding, as what is cut away cannot be inverted."
            )


def _through(
    values: Tensor,
    passed: Callable[[nn.ModuleList, Tensor], Tensor],
    coarser: tuple[nn.ModuleList, nn.ModuleList],
    finer: tuple[nn.ModuleList, nn.ModuleList],
) -> Tensor:
    """Return the values behind all levels, on the way to coarser grids and back; each way has layers and halvings."""
    (layers, halvings), kept = coarser, []
    for level, halving in enumerate(halvings):
        half, values = passed(layers[level], values).chunk(2, 1)
        kept.append(half)
        values = halving(values)
    values = passed(finer[0][-1], passed(layers[-1], values))
    for level in range(len(halvings) - 1, -1, -1):
        values = torch.cat([kept[level], finer[1][level].inverse(values)], 1)
        values = passed(finer[0][level], values)
    return values


def _applied(modules: nn.ModuleList, values: Tensor) -> Tensor:
    for module in modules:
        values = module(values)
    return values


def _undone(modules: nn.ModuleList, values: Tensor) -> Tensor:
    for module in reversed(modules):
        values = module.inverse(values)
    return values


def cayley(weight: Tensor) -> Tensor:
    """Return the orthogonal matrices ``(I + A)^-1 (I - A)`` of ``A = W - W^T``.

    Parameters
    ----------
    weight : W, ``(..., n, n)``
    """
    skew = weight - weight.mT
    identity = torch.eye(weight.shape[-1], dtype=weight.dtype, device=weight.device)
    return torch.linalg.solve(identity + skew, identity - skew)


def _half(channels: int) -> int:
    check_counts(channels=channels)
    if channels % 2:
        raise InputError(f"channels is {channels}, expected an even number: couplings split them into halves.")
    return channels // 2
