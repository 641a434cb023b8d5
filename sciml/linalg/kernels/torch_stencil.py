"""Stencils and shifts of cells as tensor expressions: the arithmetic that the torch back end is written in."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from sciml.linalg.kernels.stencil import Offset

HERE: Offset = (0, 0, 0)


def apply_stencil(stencil: torch.Tensor, offsets: tuple[Offset, ...], x: torch.Tensor) -> torch.Tensor:
    """Return A x without halo, for x with halo and any leading batch axes."""
    result = shifted(stencil[-1]) * shifted(x)
    for slot, offset in enumerate(offsets):
        back = (-offset[0], -offset[1], -offset[2])
        result = torch.addcmul(result, shifted(stencil[slot]), shifted(x, offset), value=-1)
        result = torch.addcmul(result, shifted(stencil[slot], back), shifted(x, back), value=-1)
    return result


def shifted(values: torch.Tensor, offset: Offset = HERE) -> torch.Tensor:
    """Return the cells of a tensor with halo, or the neighbour at an offset from each."""
    i, j, k = (slice(1 + o, n - 1 + o) for o, n in zip(offset, values.shape[-3:], strict=True))
    return values[..., i, j, k]


def with_halo(values: torch.Tensor) -> torch.Tensor:
    """Return a tensor of cells surrounded by a halo of one cell of zeros."""
    return pad(values, (1,) * 6)


def padded(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Return a tensor with one more cell of zeros at both ends of an axis, for terms of weight 0 beyond the halo."""
    widths = [0] * 6
    widths[4 - 2 * axis : 6 - 2 * axis] = 1, 1
    return pad(values, widths)


def at_even(values: torch.Tensor, shift: Offset, axis: int, count: int) -> torch.Tensor:
    """Return the value at a shift from each even cell along an axis of a tensor from :func:`padded`."""
    index = [slice(1 + o, n - 1 + o) for o, n in zip(shift, values.shape[-3:], strict=True)]
    index[axis] = slice(2 + shift[axis], 1 + shift[axis] + 2 * count, 2)
    i, j, k = index
    return values[..., i, j, k]


def unit(axis: int, length: int) -> Offset:
    """Return the offset of a given length along an axis."""
    return tuple(length if a == axis else 0 for a in range(3))  # type: ignore[return-value]


def add(a: Offset, b: Offset) -> Offset:
    """Return the sum of two offsets."""
    return tuple(x + y for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def reciprocal(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Return 1 / values where a mask holds, 0 elsewhere, with finite derivatives."""
    return torch.where(where, 1.0 / torch.where(where, values, 1.0), 0.0)
