"""The couplings of the odd cells of a coarsening along one axis, as differentiable tensor expressions.

The operator-dependent weights of :mod:`sciml.linalg.kernels.stencil` know the couplings of one cell alone. A rule that
wants to know more starts here: it is a function of (stencil, offsets, axis, level) that returns other weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sciml.linalg.kernels.stencil import NEGLIGIBLE, Offset, couplings_in_plane, couplings_to_plane
from sciml.linalg.kernels.torch_setup import interpolation_weights
from sciml.linalg.kernels.torch_stencil import add, at_even, padded, reciprocal, shifted, unit, with_halo

Weights = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class OddCells:
    """The couplings of the odd cells along an axis; tensors of the shape of the coarse cells, without halo.

    Attributes
    ----------
    left, right : operator-dependent weights
    before, after : couplings to the even planes before and after, negative ones left out
    beside : (offset, coupling) of the neighbours in the plane of the cell that are unknowns
    own, even, beyond : diagonals of the cell, and of the even ones before and after it
    """

    left: torch.Tensor
    right: torch.Tensor
    before: torch.Tensor
    after: torch.Tensor
    beside: list[tuple[Offset, torch.Tensor]]
    own: torch.Tensor
    even: torch.Tensor
    beyond: torch.Tensor

    @classmethod
    def of(cls, stencil: torch.Tensor, offsets: tuple[Offset, ...], axis: int) -> OddCells:
        """Collect the couplings of every odd cell; the arguments are those of a coarsening."""
        count = (stencil.shape[1 + axis] - 1) // 2
        fine, odd = padded(stencil, axis), unit(axis, 1)
        own, even, beyond = (at_even(fine[-1], shift, axis, count) for shift in (odd, unit(axis, 0), add(odd, odd)))
        left, right = interpolation_weights(fine, offsets, axis, count)
        before, after = (
            torch.stack(
                [
                    at_even(fine[slot], add(odd, shift), axis, count)
                    for slot, shift in couplings_to_plane(offsets, axis, step)
                ]
            )
            .sum(dim=0)
            .clamp(min=0)
            for step in (-1, 1)
        )
        known = with_halo((own > 0).to(own))
        beside = [
            (offset, at_even(fine[slot], add(odd, shift), axis, count).clamp(min=0) * shifted(known, offset))
            for offset, slot, shift in couplings_in_plane(offsets, axis)
        ]
        return cls(left, right, before, after, beside, own, even, beyond)

    @property
    def inner(self) -> torch.Tensor:
        """Mask of the cells that interpolate from both sides."""
        return (self.left > NEGLIGIBLE) & (self.right > NEGLIGIBLE) & (self.even > 0)

    def relaxed(self, left: torch.Tensor, right: torch.Tensor) -> Weights:
        """Take one Jacobi step towards weights that are harmonic in the plane of the odd cells; their sum is kept.

        A cell that is strongly coupled within its plane then interpolates as its neighbours do: where they do not,
        the difference of their values costs an energy that no solution has.
        """
        low, high = with_halo(left), with_halo(right)
        near, far = self.before, self.after
        for offset, coupling in self.beside:
            near, far = near + coupling * shifted(low, offset), far + coupling * shifted(high, offset)
        share = reciprocal(near + far, self.inner & (near + far > 0)) * (left + right)
        return torch.where(self.inner, near * share, left), torch.where(self.inner, far * share, right)
