"""Random tensors beside others: drawn where their generator is, then moved, so that a seed says what is drawn."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def normal_like(tensor: Tensor, generator: Generator) -> Tensor:
    """Return independent standard normal numbers in the shape, type and place of a tensor."""
    drawn = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype, device=generator.device)
    return drawn.to(tensor.device)


def uniform_times(data: Tensor, generator: Generator) -> Tensor:
    """Return a time for each item of a batch, uniform in [0, 1), ``(batch,)``."""
    drawn = torch.rand(len(data), generator=generator, dtype=data.dtype, device=generator.device)
    return drawn.to(data.device)


def logit_normal_times(data: Tensor, generator: Generator, location: float = 0.0) -> Tensor:
    """Return a time for each item whose logit is normal with variance 1, which prefers the middle, ``(batch,)``."""
    drawn = torch.randn(len(data), generator=generator, dtype=data.dtype, device=generator.device)
    return torch.sigmoid(drawn + location).to(data.device)
