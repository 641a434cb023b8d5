"""The base class of transport problems, which know nothing about frames or networks."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sciml.checks import number, positive
from sciml.domains import Box
from sciml.errors import InputError
from sciml.numerics.answers import Answer
from sciml.numerics.derivatives import jet_of
from sciml.tables import summary

PROBES = 4096  # points at which velocities and the initial condition are sampled


class TransportProblem(ABC):
    """A scalar transport problem: ``u_t + velocity(x, t, u) . grad u = viscosity * Laplace u + source(x, t, u)``.

    Attributes
    ----------
    domain : a box, periodic along each axis or not
    duration : final time; the initial time is 0
    viscosity : at least 0
    passive : whether the velocity is independent of ``u``
    convex : whether the velocity is ``f'(u)`` of a convex flux, so that shocks follow from least action
    """

    domain: Box
    duration: float = 1.0
    viscosity: float = 0.0
    passive: bool = False
    convex: bool = False

    @property
    def labels(self) -> Box:
        """The box of the labels: the domain, unless what flows through it comes from outside of it."""
        return self.domain

    @abstractmethod
    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the velocity ``(n, dim)`` at points ``(n, dim)``, times ``(n, 1)`` and values ``(n, 1)`` of u."""

    @abstractmethod
    def initial(self, x: Tensor) -> Tensor:
        """Return ``u`` at time 0, ``(n, 1)``; twice differentiable if there is viscosity."""

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        """Return the source term, ``(n, 1)``; None if there is none."""
        return None

    def inflow(self, x: Tensor, t: Tensor) -> Tensor | None:
        """Return ``u`` on the faces of axes that are not periodic, ``(n, 1)``; None without boundary conditions.

        Without viscosity the condition holds only where the flow enters; values are needed on all faces.
        """
        return None

    @property
    def has_boundary_values(self) -> bool:
        """True if there are boundary values: some axes are not periodic, and :meth:`inflow` returns values."""
        if all(self.domain.periodic):
            return False
        return self.inflow(self.probes()[:1], torch.zeros(1, 1, dtype=torch.float64)) is not None

    def exact(self, x: Tensor, t: float) -> Tensor | None:
        """Return the exact ``u``, ``(n, 1)``; None if it is not known."""
        return None

    def drift(self) -> Tensor:
        """Return the mean initial velocity over the domain, ``(dim,)``; a conservation law conserves it."""
        points = self.probes()
        return self.velocity(points, points.new_zeros(len(points), 1), self.initial(points)).mean(0)

    def probes(self, box: Box | None = None) -> Tensor:
        """Return evenly spread points of a box, by default the domain, always the same, ``(about PROBES, dim)``."""
        box, draws = box or self.domain, torch.Generator().manual_seed(0)
        count = round(PROBES ** (1 / box.dim)) ** box.dim
        return box.interior(count, draws, kind="shifted")

    def check(self) -> None:
        """Check shapes, viscosity, duration, and the periodicity of the initial condition.

        Raises
        ------
        InputError
            If one of them is not as expected.
        """
        number("the viscosity", self.viscosity, at_least=0)
        positive("the duration", self.duration)
        points, dim = self.probes(), self.domain.dim
        initial = self._checked("initial", self.initial(points), (len(points), 1))
        times = torch.zeros_like(initial)
        speed = self._checked("velocity", self.velocity(points, times, initial), (len(points), dim))
        source = self.source(points, times, initial)
        if source is not None:
            self._checked("source", source, (len(points), 1))
        self._check_optional(points, times)
        if self.passive and not torch.equal(speed, self.velocity(points, times, initial + 1)):
            raise InputError(f"{type(self).__name__} is passive, but its velocity depends on u; set passive to False.")
        self._check_period(points[:32], float(initial.max() - initial.min()))

    def __repr__(self) -> str:
        """Return the equation, the domain and the settings as a table."""
        return summary(f"Problem {type(self).__name__}", self.rows())

    def rows(self) -> dict[str, object]:
        """Return names and values of what is printed about the problem: its equation, domain and settings."""
        point = self.probes()[:1]
        zero = point.new_zeros(1, 1)
        sourced = self.source(point, zero, self.initial(point)) is not None
        right = ["viscosity Laplace u"] * bool(self.viscosity) + ["source(x, t, u)"] * sourced
        settings = [name for name in inspect.signature(type(self)).parameters if name not in ("viscosity", "duration")]
        numbers = {name: getattr(self, name, None) for name in settings}
        return {
            "equation": f"u_t + velocity(x, t{'' if self.passive else ', u'}) . grad u = {' + '.join(right) or '0'}",
            "domain": self.domain,
            "labels": None if self.labels is self.domain else self.labels,
            "times": f"0 to {self.duration:g}",
            "viscosity": float(self.viscosity) if self.viscosity else None,
            "boundary values": self.has_boundary_values,
            "exact solution": "known" if self.exact(point, 0.0) is not None else "not known",
            **{name: value for name, value in numbers.items() if isinstance(value, int | float | str | tuple)},
        }

    def _check_optional(self, points: Tensor, times: Tensor) -> None:
        """Check the shapes of the exact solution and of the boundary values, where there are some."""
        exact = self.exact(points, 0.0)
        if exact is not None:
            Answer(self, "exact", exact, points, (len(points), 1)).check()
        if self.has_boundary_values:
            Answer(self, "inflow", self.inflow(points, times), points, (len(points), 1)).check()

    def _checked(self, name: str, values: Tensor, shape: tuple[int, int]) -> Tensor:
        answer = Answer(self, name, values, self.probes(), shape)
        answer.check()
        if (found := answer.not_finite(0.0)) is not None:
            raise InputError(f"{found}; correct it there.")
        return values

    def _check_period(self, points: Tensor, size: float) -> None:
        """Refuse an initial condition that is not periodic: it would make a front at the faces of a periodic domain."""
        sides = zip(self.domain.lower, self.domain.upper, self.domain.periodic, strict=True)
        for axis, (lower, upper, periodic) in enumerate(sides):
            if not periodic:
                continue
            across = torch.eye(self.domain.dim, dtype=points.dtype)[axis : axis + 1]
            ends = torch.cat([points, points])
            ends[: len(points), axis], ends[len(points) :, axis] = lower, upper
            jet = jet_of(self.initial, ends, 1, across)
            for what, values, scale in (
                ("initial condition", jet.value, size),
                ("slope of the initial condition", jet.first[0], size / (upper - lower)),
            ):
                first, last = values.chunk(2)
                gap = float((first - last).abs().max())
                if gap > 1e-6 * scale + 1e-12:
                    raise InputError(
                        f"the domain is periodic along axis {axis}, but the {what} differs by {gap:.2g} between "
                        f"{lower:g} and {upper:g}; choose another initial condition, or a box that is not periodic."
                    )
