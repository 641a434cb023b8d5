"""Small problems with known solutions that every baseline should solve in seconds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sciml.domains import Box
from sciml.lpinn import TransportProblem


class Channel(TransportProblem):
    """A wave enters on the left of [0, 1] and leaves on the right; it grows and spreads if told to.

    u = exp(growth t) sin(2 (x - t)), with the source that this needs.
    """

    passive = True

    def __init__(self, growth: float = 0.0, viscosity: float = 0.0, duration: float = 0.5) -> None:
        self.domain, self.duration = Box([0.0], [1.0]), duration
        self.growth, self.viscosity = growth, viscosity

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.ones_like(x)

    def wave(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.exp(self.growth * t) * torch.sin(2 * (x - t))

    def initial(self, x: Tensor) -> Tensor:
        return torch.sin(2 * x)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return self.wave(x, t)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        if not self.growth and not self.viscosity:
            return None
        return self.growth * u + 4 * self.viscosity * self.wave(x, t)

    def exact(self, x: Tensor, t: float) -> Tensor:
        return self.wave(x, torch.full_like(x, t))


class Torus(TransportProblem):
    """Two waves on a periodic square in an even wind."""

    passive = True

    def __init__(self, viscosity: float = 0.0) -> None:
        self.domain, self.duration = Box([0.0, 0.0], [2 * math.pi, 2 * math.pi], True), 0.5
        self.viscosity = viscosity

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(u), 0.5 * torch.ones_like(u)], 1)

    def initial(self, x: Tensor) -> Tensor:
        return torch.sin(x[:, :1]) + torch.cos(x[:, 1:])

    def exact(self, x: Tensor, t: float) -> Tensor:
        return math.exp(-self.viscosity * t) * self.initial(x - x.new_tensor([t, t / 2]))
