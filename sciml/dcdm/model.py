"""The convolutional networks of Kaneda et al., from a residual to a search direction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sciml.checks import whole_number
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import InputError

KERNEL = 3


class _Convolution3d(nn.Conv3d):
    """A 3-D convolution that avoids the loop of nn.Conv3d for single images, 18 times slower than oneDNN's."""

    def forward(self, image: Tensor) -> Tensor:
        plain = image.device.type == "cpu" and image.dtype == torch.float32
        if torch.is_grad_enabled() or not plain or not torch.backends.mkldnn.is_available():
            return super().forward(image)
        return torch.mkldnn_convolution(
            image, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )


class DirectionNet(nn.Module):
    """A convolutional network q = f(r) from residual images to search directions, about A^-1 r up to a factor.

    Convolutions of width 3 and zero padding with residual sums, at full resolution, then at half resolution and at full
    resolution again::

        x = conv(r);  pairs[0] times: t = relu conv(x), x = relu conv(t) (+ x but for the first and last convolution)
        y = average pool(x);  pairs[1] times: t = relu conv(y), y = relu conv(t) + y
        x = nearest upsampling(y) + x;  pairs[2] times the same at full resolution;  q = one weight per filter

    ``pairs=(2, 3, 2)`` is the published network for 64^3 (97,457 parameters in 3-D), ``(3, 5, 3)`` that for 128^3
    (152,881). Two things are added to it, both off the published path:

    - the unit residual is multiplied by n^(1/2), n the number of its unknowns, so that its entries are of size 1 at
      every resolution (``scaled``); without it the network hardly learns;
    - ``pooling_levels`` above 1 repeats the middle part on coarser and coarser images, which widens the field of view.

    Parameters
    ----------
    dimension : 2 or 3
    filters : channels of every hidden layer
    pairs : residual pairs of convolutions before the pooling, at each coarser level, and after it
    pooling_levels : number of times that the image is halved
    scaled : multiply the unit residual by the square root of the number of its unknowns

    References
    ----------
    Kaneda et al., A deep conjugate direction method for iteratively solving linear systems, ICML 2023.
    """

    def __init__(
        self,
        dimension: int = 3,
        filters: int = 16,
        pairs: Sequence[int] = (2, 3, 2),
        pooling_levels: int = 1,
        scaled: bool = True,
    ) -> None:
        super().__init__()
        if dimension not in (2, 3):
            raise InputError(f"dimension must be 2 or 3, got {dimension}.")
        if len(pairs) != 3:
            raise InputError(f"pairs is {tuple(pairs)}, expected three numbers of at least 1; (2, 3, 2) for example.")
        for count in pairs:
            whole_number("a number of pairs", count, at_least=1)
        whole_number("filters", filters, at_least=1)
        whole_number("pooling_levels", pooling_levels, at_least=1)
        whole_number("pooling_levels", pooling_levels, at_most=20)
        self.dimension, self.pooling_levels, self.scaled = dimension, pooling_levels, scaled
        self.pool = F.avg_pool2d if dimension == 2 else F.avg_pool3d
        convolution = nn.Conv2d if dimension == 2 else _Convolution3d

        def layers(count: int) -> nn.ModuleList:
            return nn.ModuleList(convolution(filters, filters, KERNEL, padding=1) for _ in range(2 * count))

        self.first = convolution(1, filters, KERNEL, padding=1)
        self.before = layers(pairs[0])
        self.coarse = nn.ModuleList(layers(pairs[1]) for _ in range(pooling_levels))
        self.after = layers(pairs[2])
        self.last = convolution(filters, 1, 1)
        for module in self.modules():
            if isinstance(module, convolution):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, residual: Tensor) -> Tensor:
        """Return directions for unit residuals.

        Parameters
        ----------
        residual : shape (batch, 1, *cells); images whose extents 2^pooling_levels does not divide are padded by 0

        Returns
        -------
        Tensor
            Shape of ``residual``; of no particular length.
        """
        cells = residual.shape[2:]
        missing = [-extent % 2**self.pooling_levels for extent in reversed(cells)]
        image = F.pad(residual, [pad for extent in missing for pad in (0, extent)])
        entry = F.relu(self.before[0](self.first(image)))
        x = F.relu(self.before[1](entry))
        for into, out in zip(self.before[2::2], self.before[3::2], strict=True):
            entry = F.relu(into(x)) + entry
            x = F.relu(out(entry))
        x = self._residual_pairs(self._coarser(x, 0), self.after)
        return self.last(x)[(..., *map(slice, cells))]

    def directions(self, residual: Tensor, operator: StencilOperator) -> Tensor:
        """Return directions for unit residuals of a problem: the network's images on its unknowns, 0 elsewhere.

        Parameters
        ----------
        residual : of norm 1 each, shape (batch, 1, *cells)
        operator : of the problem
        """
        image = residual * math.sqrt(operator.unknowns) if self.scaled else residual
        return operator.mask(self(image).to(residual.dtype))

    def coarse_directions(self, residual: Tensor, operator: StencilOperator, factor: int) -> Tensor:
        """Return directions from means of the residual over ``factor`` cells per axis, interpolated linearly.

        The stencil of the coarse cells is that of the fine ones up to a factor, which the line search finds, so the
        network knows it already.

        Parameters
        ----------
        residual : shape (batch, 1, *cells)
        operator : of the problem
        factor : cells per axis that become one; extents that it does not divide are continued by 0
        """
        cells = residual.shape[2:]
        missing = [pad for extent in reversed(cells) for pad in (0, -extent % factor)]
        means = self.pool(F.pad(residual, missing), factor)
        fluid = self.pool(F.pad(operator.fluid.to(residual.dtype)[None, None], missing), factor) > 0
        norm = torch.linalg.vector_norm(means.flatten(1), dim=1).clamp_min(torch.finfo(means.dtype).tiny)
        unit = means / norm.reshape(-1, *(1,) * (means.ndim - 1))
        image = unit * math.sqrt(int(fluid.sum())) if self.scaled else unit
        q = torch.where(fluid, self(image).to(residual.dtype), 0.0)
        fine = F.interpolate(q, scale_factor=factor, mode="bilinear" if self.dimension == 2 else "trilinear")
        return operator.mask(fine[(..., *map(slice, cells))])

    def _coarser(self, x: Tensor, level: int) -> Tensor:
        """Return x plus the output of the coarser levels for it."""
        y = self._residual_pairs(self.pool(x, 2), self.coarse[level])
        if level + 1 < self.pooling_levels:
            y = self._coarser(y, level + 1)
        return F.interpolate(y, scale_factor=2) + x

    @staticmethod
    def _residual_pairs(x: Tensor, convolutions: nn.ModuleList) -> Tensor:
        for into, out in zip(convolutions[::2], convolutions[1::2], strict=True):
            x = F.relu(out(F.relu(into(x)))) + x
        return x
