"""The adversarial part of the loss of an autoencoder: a network that tells decoded fields from those of the data."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sciml.checks import choice
from sciml.errors import ConfigError
from sciml.nets.coordinate import check_counts
from sciml.text2pde.patch_autoencoder import CONVOLUTIONS

_LARGEST_RATIO = 1e4


class PatchDiscriminator(nn.Module):
    """Convolutions that say for each part of a field how likely it is one of the data.

    Parameters
    ----------
    axes : of the fields, 1 to 3
    channels : of the fields
    width : channels of the first convolution, doubled by each further one
    layers : convolutions that halve the grid

    References
    ----------
    Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017.
    """

    def __init__(self, axes: int, channels: int, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        choice("the number of axes of a discriminator", axes, CONVOLUTIONS, error=ConfigError)
        check_counts(channels=channels, width=width, layers=layers)
        self.channels = channels
        convolution, widths = CONVOLUTIONS[axes], [channels, *(width * 2**level for level in range(layers))]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(convolution(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2))
                for inputs, outputs in pairwise(widths)
            ),
            convolution(widths[-1], 1, 3, padding=1),
        )

    def forward(self, fields: Tensor) -> Tensor:
        r"""Return numbers that are larger for fields of the data, ``(batch, 1, \*coarse grid)``."""
        return self.layers(fields)


def adversarial_terms(
    discriminator: PatchDiscriminator, fields: Tensor, decoded: Tensor, reconstruction: Tensor, last_layer: Tensor
) -> dict[str, Tensor]:
    r"""Return ``adversarial``, a loss of the autoencoder alone, and ``discriminator``, one of the discriminator alone.

    .. math::
        -\lambda\, \overline{D(\hat x)}, \qquad
        \tfrac12 \overline{\max(0, 1 - D(x))} + \tfrac12 \overline{\max(0, 1 + D(\hat x))}

    The factor :math:`\lambda`, the ratio of the gradients of reconstruction and of :math:`D(\hat x)` with respect to
    the last layer, brings both to one scale. Each term is constant with respect to the weights of the other network, so
    that one optimiser trains both.

    Parameters
    ----------
    discriminator : D
    fields, decoded : x of the data, and what the autoencoder makes of them
    reconstruction : the loss of the decoded fields
    last_layer : weights of the decoder's last layer

    References
    ----------
    Esser, Rombach and Ommer, "Taming transformers for high-resolution image synthesis", CVPR 2021, Eq. 6-7.
    """
    frozen = {name: weight.detach() for name, weight in discriminator.named_parameters()}
    likeness = -functional_call(discriminator, frozen, (decoded,)).mean()
    factor = 0.0
    if torch.is_grad_enabled() and likeness.requires_grad:
        ours, other = (
            torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm() for loss in (reconstruction, likeness)
        )
        factor = (ours / (other + 1e-4)).clamp(max=_LARGEST_RATIO)
    real, fake = discriminator(fields), discriminator(decoded.detach())
    return {
        "adversarial": factor * likeness,
        "discriminator": ((1 - real).relu().mean() + (1 + fake).relu().mean()) / 2,
    }
