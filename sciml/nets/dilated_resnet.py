"""Dilated residual networks on images: convolutions that see far without a coarser grid.

>>> import torch
>>> network = DilatedResNet(3, 2, width=8, blocks=1)
>>> network(torch.zeros(1, 3, 20, 33)).shape
torch.Size([1, 2, 20, 33])
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu

from sciml.checks import shape
from sciml.nets.coordinate import check_counts

DILATIONS = (1, 2, 4, 8, 4, 2, 1)


class DilatedBlock(nn.Module):
    r"""A residual block of seven convolutions whose 3 x 3 values are 1, 2, 4, 8, 4, 2, 1 cells apart.

    .. math:: y = x + (g \circ C_1 \circ N) \cdots (g \circ C_1 \circ N)(x)

    with the Gaussian error linear unit g, and N the identity or a normalisation over all channels. Outside the image
    are zeros, by which the network tells the walls.

    Parameters
    ----------
    width : channels
    normalised : whether N normalises
    """

    def __init__(self, width: int, normalised: bool = False) -> None:
        super().__init__()
        check_counts(width=width)
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=apart, dilation=apart) for apart in DILATIONS)
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) if normalised else nn.Identity() for _ in DILATIONS)

    def forward(self, values: Tensor) -> Tensor:
        """Return the values of the block, of the shape of those given."""
        result = values
        for layer, norm in zip(self.layers, self.norms, strict=True):
            result = gelu(layer(norm(result)))
        return values + result


class DilatedResNet(nn.Module):
    """A network from images to images of the same size: blocks of dilated convolutions between two layers per cell.

    The defaults are PDEArena's ``DilResNet-128``, of 4.2 million weights, which sees 88 cells on each side. That pads
    the image by nine rows and columns of zeros before the blocks, at one end of each axis; here it is left as it is, so
    that the network prefers no corner.

    Parameters
    ----------
    inputs, outputs : channels
    width : channels in between
    blocks : how many, one after the other
    normalised : whether the blocks normalise

    References
    ----------
    Stachenfeld et al., "Learned coarse models for efficient turbulence simulation", ICLR 2022; Gupta and Brandstetter,
    "Towards multi-spatiotemporal-scale generalized PDE modeling", TMLR 2023, appendix C.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int = 128, blocks: int = 4, *, normalised: bool = False
    ) -> None:
        super().__init__()
        check_counts(inputs=inputs, outputs=outputs, width=width, blocks=blocks)
        self.inputs = inputs
        self.entry = nn.Sequential(nn.Conv2d(inputs, width, 1), nn.GELU(), nn.Conv2d(width, width, 1), nn.GELU())
        self.blocks = nn.Sequential(*(DilatedBlock(width, normalised) for _ in range(blocks)))
        self.exit = nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.Conv2d(width, outputs, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the images of the images, ``(batch, outputs, height, width)``.

        Parameters
        ----------
        images : ``(batch, inputs, height, width)``

        Raises
        ------
        InputError
            If the images are of another shape.
        """
        shape("the images", images, ("batch", self.inputs, "height", "width"))
        return self.exit(self.blocks(self.entry(images)))
