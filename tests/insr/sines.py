"""A linear 'network' for tests of time steps: a series of sines, so that there is no error of space to speak of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sciml.numerics.derivatives import Jet, coordinates, linear, sine


class SineSeries(nn.Module):
    """``sum c_kl sin(k pi (x + 1) / 2) sin(l pi (y + 1) / 2)`` in [-1, 1]^2, k and l up to ``modes``."""

    inputs, outputs = 2, 1

    def __init__(self, modes: int) -> None:
        super().__init__()
        numbers = torch.arange(1, modes + 1, dtype=torch.float64) * math.pi / 2
        self.register_buffer("waves", torch.kron(torch.eye(2, dtype=torch.float64), numbers[:, None]))
        pairs = torch.cartesian_prod(torch.arange(modes), torch.arange(modes))
        self.register_buffer("first", pairs[:, 0])
        self.register_buffer("second", pairs[:, 1] + modes)
        squares = numbers[pairs].square().sum(1)
        self.register_buffer("scale", 1 / squares)  # weights of order one for vorticities of order one
        self.weight = nn.Parameter(torch.zeros(modes * modes, dtype=torch.float64))

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Value or jet."""
        waves = sine(linear(coordinates(points, order or 0, directions), self.waves, self.waves.sum(1)))
        product = Jet(waves.rows[..., self.first], waves.order) * Jet(waves.rows[..., self.second], waves.order)
        jet = linear(product, (self.scale * self.weight)[None])
        return jet.value if order is None else jet
