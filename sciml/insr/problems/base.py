"""Problems in time: what is solved, where, from what start; nothing about networks or time steps.

An :class:`EvolutionProblem` is ``du/dt = rate(x, u, grad u, diag Hessian u)`` for one field; a user writes one as a
class of a few lines. A :class:`Problem` with several fields, such as a velocity and a pressure, names them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from sciml.domains import BoundaryPoints, Domain
from sciml.numerics.derivatives import Jet


class Fields(Protocol):
    """The fields of a problem at one time."""

    def __call__(
        self, name: str, points: Tensor, order: int | None = None, directions: Tensor | None = None
    ) -> Tensor | Jet:
        """Evaluate a field at points ``(n, dim)``: ``(n, channels)``, or its jet if an order is given."""


class Problem(ABC):
    """Some fields on a domain, and how each is seen by a fit.

    A fit never sees a network, only an *observation* of its jet: the value itself unless :meth:`observe` says
    otherwise, the vorticity of a stream function for example.

    Attributes
    ----------
    domain : where the points are drawn
    fields : number of channels by name of field; the first is the headline
    boundary_weight : of the mean square of the boundary residuals beside that of the equation
    """

    domain: Domain
    fields: Mapping[str, int] = {"u": 1}
    boundary_weight: float = 1.0

    @property
    def headline(self) -> str:
        """Which of the presented fields :meth:`exact` is about."""
        return next(iter(self.fields))

    @property
    def pictures(self) -> tuple[str, ...]:
        """Which of the presented fields are drawn, scalars; the first one as an animation too."""
        return (self.headline,) if self.fields[self.headline] == 1 else ()

    @property
    def obstacle(self) -> Any:
        """A ``Ball`` or ``Plane`` of :mod:`sciml.plots` that is drawn beside a body; None by default."""
        return None

    @abstractmethod
    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Observation of a field at the start, ``(n, m)``."""

    def propose(self, name: str, count: int, generator: torch.Generator) -> Tensor:
        """Points where the start of a field is worth fitting, ``(about count, dim)``; anywhere unless overridden."""
        return self.domain.interior(count, generator, kind="uniform")

    def observe(self, name: str, jet: Jet) -> Tensor:
        """What a fit compares, ``(n, m)``, from a jet of the order :meth:`observed_order`."""
        return jet.value

    def observed_order(self, name: str) -> int:
        """Highest derivative that :meth:`observe` needs."""
        return 0

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor | None:
        """Residual of the boundary condition, ``(n, m)``, from a jet of order 1; None where there is none."""
        return None

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """The exact field as :meth:`present` shows it, ``(n, channels)``, where it is known."""
        return None

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """What is written: fields by name, each ``(n, channels)``; the fields themselves unless overridden."""
        return {name: fields(name, points) for name in self.fields}

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Numbers to watch at a time: mass, energy, errors. What is conserved tells of errors without a reference."""
        return {}


class EvolutionProblem(Problem):
    """One field ``u`` with ``du/dt = rate``.

    Attributes
    ----------
    order : highest derivative in the rate, 0 to 2
    linear : whether the rate is linear in ``u``, which Padé steps need
    channels : of ``u``
    """

    order: int = 1
    linear: bool = False
    channels: int = 1

    @property
    def fields(self) -> Mapping[str, int]:
        """One field."""
        return {"u": self.channels}

    @abstractmethod
    def initial(self, points: Tensor) -> Tensor:
        """Return the initial condition, ``u`` at time 0, ``(n, channels)``."""

    @abstractmethod
    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        """``du/dt``, ``(n, channels)``, from the jet of ``u`` of the order :attr:`order`."""

    def rate_of_rate(self, points: Tensor, u: Jet) -> Tensor | None:
        """The rate applied twice, ``(n, channels)``, from a jet of order 2; None if that is not known."""
        return None

    def directions(self, points: Tensor) -> Tensor | None:
        """Directions of the jets, ``(k, dim)``; None for the axes."""
        return None

    def on_boundary(self, at: BoundaryPoints, u: Jet, time: float) -> Tensor | None:
        """Residual of the boundary condition, from a jet of order 1 along the axes; None where there is none."""
        return None

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """The exact ``u``, where it is known."""
        return None

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """``u`` at time 0."""
        return self.initial(points)

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor | None:
        """Residual of the boundary condition."""
        return self.on_boundary(at, jet, time)

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """Return the exact ``u``."""
        return self.exact(points, time)
