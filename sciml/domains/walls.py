"""Continuation of a box beyond its faces: periodic axes wrap, the others clamp or reflect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from sciml.domains.box import Box
from sciml.domains.output_points import Domain
from sciml.errors import InputError

Walls = Literal["clamp", "reflect"]
Continue = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points ``(n, dim)`` to points inside and, per axis, -1 where a point was reflected and 1 elsewhere."""


def continuation(domain: Domain, walls: Walls) -> Continue:
    """Return how a box continues beyond its faces: periodic axes wrap, others clamp or reflect."""
    if not isinstance(domain, Box):
        raise InputError(f"paths need a box to stay in, got a {type(domain).__name__}; use a Box as domain.")
    if walls == "clamp":
        return lambda points: (domain.wrap(points), torch.ones_like(points))

    def reflect(points: Tensor) -> tuple[Tensor, Tensor]:
        lower, upper = points.new_tensor(domain.lower), points.new_tensor(domain.upper)
        closed = ~torch.tensor(domain.periodic, device=points.device)
        # the box and its reflection, side by side, continue periodically
        depth = torch.remainder(points - lower, 2 * (upper - lower)) - (upper - lower)
        outside = closed & ((points < lower) | (points > upper))
        reflected = outside & (depth > 0)
        folded = torch.where(outside, upper - depth.abs(), points)
        return domain.wrap(folded), torch.where(reflected, -1.0, 1.0).to(points)

    return reflect
