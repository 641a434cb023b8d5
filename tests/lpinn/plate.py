"""A region with a hole, and what flows through it."""

from __future__ import annotations

import torch
from torch import Tensor

from sciml.domains import Disc, Polygon
from sciml.lpinn import TransportProblem


class AroundTheHole(TransportProblem):
    """What flows through a plate with a hole, and out of it and into it there: a known u."""

    passive, duration = True, 0.5

    def __init__(self, viscosity: float = 0.0) -> None:
        square = Polygon([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        self.domain, self.viscosity = square - Disc([0.2, 0.1], 0.4), viscosity

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(t), 0.5 * x[:, :1]], 1)

    def wave(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(2 * (x[:, :1] - t)) + 0.5 * x[:, 1:]

    def initial(self, x: Tensor) -> Tensor:
        return self.wave(x, torch.zeros_like(x[:, :1]))

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return self.wave(x, t)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return 0.25 * x[:, :1] + 4 * self.viscosity * torch.sin(2 * (x[:, :1] - t))

    def exact(self, x: Tensor, t: float) -> Tensor:
        return self.wave(x, torch.full_like(x[:, :1], t))
