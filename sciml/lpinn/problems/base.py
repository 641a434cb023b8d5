"""Transport problems: what is carried where, from what start; nothing about frames or networks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sciml.checks import number, positive
from sciml.domains import Box
from sciml.errors import InputError
from sciml.numerics.derivatives import jet_of

PROBES = 4096  # points at which speeds and sizes of the start are measured


class TransportProblem(ABC):
    """``u_t + velocity(x, t, u) . grad u = viscosity * Laplace u + source(x, t, u)`` for one scalar ``u``.

    Attributes
    ----------
    domain : a box, periodic along each axis or not
    duration : times run from 0 to it
    viscosity : at least 0
    passive : whether the velocity does not depend on ``u``
    convex : whether it is ``f'(u)`` of a convex flux and nothing else, so that shocks are those of least action
    """

    domain: Box
    duration: float = 1.0
    viscosity: float = 0.0
    passive: bool = False
    convex: bool = False

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
        """``u`` on the faces of axes that are not periodic, ``(n, 1)``; None for no condition.

        Without viscosity it holds only where the flow enters; a value is needed for all.
        """
        return None

    @property
    def has_boundary_values(self) -> bool:
        """Whether there are boundary values: some axes are not periodic, and :meth:`inflow` returns values."""
        if all(self.domain.periodic):
            return False
        return self.inflow(self.probes()[:1], torch.zeros(1, 1, dtype=torch.float64)) is not None

    def exact(self, x: Tensor, t: float) -> Tensor | None:
        """The exact ``u``, ``(n, 1)``, where it is known."""
        return None

    def drift(self) -> Tensor:
        """Mean velocity of the start over the domain, ``(dim,)``: of a conservation law, it is conserved."""
        points = self.probes()
        return self.velocity(points, points.new_zeros(len(points), 1), self.initial(points)).mean(0)

    def probes(self, box: Box | None = None) -> Tensor:
        """Evenly spread points of a box, the domain unless given, always the same, ``(about PROBES, dim)``."""
        box, draws = box or self.domain, torch.Generator().manual_seed(0)
        count = round(PROBES ** (1 / box.dim)) ** box.dim
        return box.interior(count, draws, kind="shifted")

    def check(self) -> None:
        """Refuse shapes, viscosities and starts that do not go together.

        Raises
        ------
        InputError
            With what was got and expected.
        """
        number("the viscosity", self.viscosity, at_least=0)
        positive("the duration", self.duration)
        points, dim = self.probes(), self.domain.dim
        start = self._checked("initial", self.initial(points), (len(points), 1))
        times = torch.zeros_like(start)
        speed = self._checked("velocity", self.velocity(points, times, start), (len(points), dim))
        source = self.source(points, times, start)
        if source is not None:
            self._checked("source", source, (len(points), 1))
        if self.passive and not torch.equal(speed, self.velocity(points, times, start + 1)):
            raise InputError(f"{type(self).__name__} is passive, but its velocity depends on u; set passive to False.")
        self._check_period(points[:32], float(start.max() - start.min()))

    def _checked(self, name: str, values: Tensor, shape: tuple[int, int]) -> Tensor:
        if not isinstance(values, Tensor) or values.shape != shape or values.dtype != torch.float64:
            got = f"{values.dtype} of shape {tuple(values.shape)}" if isinstance(values, Tensor) else repr(values)
            raise InputError(f"{name} returned {got}, expected torch.float64 of shape {shape}.")
        if not bool(values.isfinite().all()):
            raise InputError(f"{name} returned values that are not finite; check it at {shape[0]} points of the box.")
        return values

    def _check_period(self, points: Tensor, size: float) -> None:
        """A start that is not periodic, or its slope, would make a front at the faces of a periodic domain."""
        sides = zip(self.domain.lower, self.domain.upper, self.domain.periodic, strict=True)
        for axis, (lower, upper, periodic) in enumerate(sides):
            if not periodic:
                continue
            across = torch.eye(self.domain.dim, dtype=points.dtype)[axis : axis + 1]
            ends = torch.cat([points, points])
            ends[: len(points), axis], ends[len(points) :, axis] = lower, upper
            jet = jet_of(self.initial, ends, 1, across)
            for what, values, scale in (
                ("start", jet.value, size),
                ("slope of the start", jet.first[0], size / (upper - lower)),
            ):
                first, last = values.chunk(2)
                gap = float((first - last).abs().max())
                if gap > 1e-6 * scale + 1e-12:
                    raise InputError(
                        f"the domain is periodic along axis {axis}, but the {what} differs by {gap:.2g} between "
                        f"{lower:g} and {upper:g}; choose another start or a box that is not periodic."
                    )
