"""Restriction and prolongation between levels as tensor expressions."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sciml.linalg.kernels.torch_stencil import HERE, at_even, padded, shifted, unit, with_halo


@dataclass(frozen=True)
class Interpolation:
    """The interpolation of one coarsening along one axis; its weights have the shape of the coarse cells, with halo."""

    axis: int
    left: torch.Tensor
    right: torch.Tensor

    def restrict(self, fine: torch.Tensor) -> torch.Tensor:
        """Return P^T fine, both with halo."""
        odd, before = unit(self.axis, 1), unit(self.axis, -1)
        count = self.left.shape[self.axis] - 2
        fine = padded(fine, self.axis)
        own, after, back = (at_even(fine, shift, self.axis, count) for shift in (HERE, odd, before))
        return with_halo(own + shifted(self.left) * after + shifted(self.right, before) * back)

    def prolong(self, coarse: torch.Tensor, cells: int) -> torch.Tensor:
        """Return P coarse, both with halo; ``cells`` is the number of fine cells along the axis."""
        own, after = shifted(coarse), shifted(coarse, unit(self.axis, 1))
        odd = shifted(self.left) * own + shifted(self.right) * after
        axis = self.axis - 3
        both = torch.stack([own, odd], dim=axis).flatten(axis - 1, axis)
        return with_halo(both.narrow(axis, 0, cells))
