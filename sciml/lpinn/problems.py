"""Transport problems: what is carried where, from what start; nothing about frames or networks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.pde.sampling import Box

PROBES = 4096  # points at which speeds and sizes of the start are measured


class TransportProblem(ABC):
    """``u_t + velocity(x, t, u) . grad u = viscosity * Laplace u + source(x, t, u)`` for one scalar ``u``.

    Attributes
    ----------
    domain : a box, periodic along each axis or not
    duration : times run from 0 to it
    viscosity : at least 0
    passive : whether the velocity does not depend on ``u``
    """

    domain: Box
    duration: float = 1.0
    viscosity: float = 0.0
    passive: bool = False

    @property
    def labels(self) -> Box:
        """Where labels are drawn: the domain, unless what flows through it comes from further away."""
        return self.domain

    @abstractmethod
    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Velocity ``(n, dim)`` at points ``(n, dim)``, times ``(n, 1)`` and values ``(n, 1)``."""

    @abstractmethod
    def initial(self, x: Tensor) -> Tensor:
        """``u`` at time 0, ``(n, 1)``; twice differentiable if there is viscosity."""

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        """What is added per unit of time, ``(n, 1)``; None where nothing is."""
        return None

    def inflow(self, x: Tensor, t: Tensor) -> Tensor | None:
        """``u`` on the faces of axes that are not periodic, ``(n, 1)``; None for no condition."""
        return None

    def exact(self, x: Tensor, t: float) -> Tensor | None:
        """The exact ``u``, ``(n, 1)``, where it is known."""
        return None

    def drift(self) -> Tensor:
        """Mean velocity of the start over the domain, ``(dim,)``: of a conservation law, it is conserved."""
        points = self.probes()
        return self.velocity(points, points.new_zeros(len(points), 1), self.initial(points)).mean(0)

    def probes(self) -> Tensor:
        """Evenly spread points of the domain, always the same ones, ``(about PROBES, dim)``."""
        draws = torch.Generator().manual_seed(0)
        count = round(PROBES ** (1 / self.domain.dim)) ** self.domain.dim
        return self.domain.interior(count, draws, kind="shifted")

    def check(self) -> None:
        """Refuse shapes, viscosities and starts that do not go together.

        Raises
        ------
        InputError
            With what was got and expected.
        """
        if not 0 <= self.viscosity < float("inf"):
            raise InputError(f"the viscosity is {self.viscosity!r}, expected a number of at least 0.")
        if not 0 < self.duration < float("inf"):
            raise InputError(f"the duration is {self.duration!r}, expected a number over 0.")
        points, dim = self.probes()[:32], self.domain.dim
        start = self.initial(points)
        if start.shape != (len(points), 1):
            raise InputError(f"initial returned the shape {tuple(start.shape)}, expected {(len(points), 1)}.")
        speed = self.velocity(points, torch.zeros_like(start), start)
        if speed.shape != (len(points), dim):
            raise InputError(f"velocity returned the shape {tuple(speed.shape)}, expected {(len(points), dim)}.")
        self._check_period(points)

    def _check_period(self, points: Tensor) -> None:
        """A start that is not periodic would make a shock at the faces of a periodic domain."""
        sides = zip(self.domain.lower, self.domain.upper, self.domain.periodic, strict=True)
        for axis, (lower, upper, periodic) in enumerate(sides):
            if not periodic:
                continue
            ends = torch.cat([points.clone(), points.clone()])
            ends[: len(points), axis], ends[len(points) :, axis] = lower, upper
            first, last = self.initial(ends).chunk(2)
            size = float(first.abs().max()) + 1e-300
            if float((first - last).abs().max()) > 1e-6 * max(size, 1e-6):
                raise InputError(
                    f"the domain is periodic along axis {axis}, but the start differs by "
                    f"{float((first - last).abs().max()):.2g} between {lower:g} and {upper:g}; choose another start or "
                    "a box that is not periodic."
                )
