"""Values of fields between the points of their grids: linear interpolation, and a smooth correction that is learned."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn


def interpolated(fields: Tensor, places: Tensor) -> Tensor:
    """Return the values of fields at any places by linear interpolation along each axis, ``(batch, channels, places)``.

    Beyond the outermost points of the grid the nearest ones are taken.

    Parameters
    ----------
    fields : ``(batch, channels, *shape)``
    places : in units of the distance of two points from the first one, ``(places, axes)``

    Examples
    --------
    >>> interpolated(torch.tensor([[[0.0, 1.0, 4.0]]]), torch.tensor([[0.5], [1.75], [9.0]]))
    tensor([[[0.5000, 3.2500, 4.0000]]])
    """
    parts = [weight * fields[(slice(None), slice(None), *corner)] for corner, weight in _corners(fields, places)]
    return torch.stack(parts).sum(0)


class PointCorrection(nn.Module):
    r"""A function of the place that features on a grid determine, continuous, and zero before training.

    .. math:: u(x) = \sum_k w_k(x) \, f\big(\varphi_k, x - x_k\big)

    over the corners :math:`x_k` of the cell around x, with features :math:`\varphi_k`, the weights of linear
    interpolation, and two layers f: the local implicit image function of Chen, Liu and Wang (2021). At a face, the
    corners of the cell that is left have no weight, so that u is continuous.

    Parameters
    ----------
    features : channels of the grid
    width : of the hidden layers
    outputs : channels of u
    axes : of the grid
    """

    def __init__(self, features: int, width: int, outputs: int, axes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features + axes, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """Return the values of u at places, ``(batch, outputs, places)``.

        Parameters
        ----------
        features : ``(batch, channels, *grid)``
        places : in units of the distance of two points of the grid from the first one, ``(places, axes)``
        """
        total = 0
        for corner, weight in _corners(features, places):
            near = features[(slice(None), slice(None), *corner)].transpose(1, 2)
            offsets = (places - torch.stack(corner, -1)).expand(len(near), -1, -1)
            total = total + weight[:, None] * self.layers(torch.cat([near, offsets], -1))
        return total.transpose(1, 2)


def _corners(fields: Tensor, places: Tensor) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """Yield the corners of the cells around places, their indices along each axis, and their weights ``(places,)``."""
    ends = torch.tensor(fields.shape[2:], device=places.device) - 1
    inside = torch.minimum(places.clamp(min=0), ends.to(places))
    lower = torch.minimum(inside.floor().long(), (ends - 1).clamp(min=0))
    share = inside - lower
    for corner in product((0, 1), repeat=places.shape[1]):
        upper = torch.tensor(corner, device=places.device)
        indices = torch.minimum(lower + upper, ends)
        weight = torch.where(upper.bool(), share, 1 - share).prod(-1)
        yield tuple(indices.unbind(-1)), weight
