"""The base classes of problems in time: equation, domain, initial and boundary conditions; no networks, no time steps.

An :class:`EvolutionProblem` is ``du/dt = rate(x, u, grad u, diag Hessian u)`` for one field; a user writes one as a
class of a few lines. A :class:`Problem` with several fields, such as a velocity and a pressure, names them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from sciml.domains import BoundaryPoints, Domain
from sciml.numerics.answers import Answer, presented
from sciml.numerics.derivatives import Jet
from sciml.tables import summary


class Fields(Protocol):
    """Evaluates the fields of a problem at one time."""

    def __call__(
        self, name: str, points: Tensor, order: int | None = None, directions: Tensor | None = None
    ) -> Tensor | Jet:
        """Evaluate a field at points ``(n, dim)``: ``(n, channels)``, or its jet if an order is given."""


class Problem(ABC):
    """A problem in time for one or more fields on a domain.

    A fit never sees a network, only an *observation* of its jet: the value itself by default,
    the vorticity of a stream function for example.

    Attributes
    ----------
    domain : of the equations
    fields : number of channels of each field by name; the first is the headline
    boundary_weight : of the mean square of the boundary residuals relative to that of the equation
    """

    domain: Domain
    fields: Mapping[str, int] = {"u": 1}
    boundary_weight: float = 1.0

    @property
    def headline(self) -> str:
        """The name of the presented field that :meth:`exact_field` may know."""
        return next(iter(self.fields))

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of the presented scalar fields that are drawn; the first one is animated too."""
        return (self.headline,) if self.fields[self.headline] == 1 else ()

    @property
    def obstacle(self) -> Any:
        """A ``Ball`` or ``Plane`` of :mod:`sciml.plots` that is drawn beside a body; None by default."""
        return None

    @property
    def boundary_method(self) -> str:
        """The name of the method that states the boundary condition, for errors."""
        return "boundary"

    @abstractmethod
    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Return the observation of a field at time 0, ``(n, m)``."""

    def propose(self, name: str, count: int, generator: torch.Generator) -> Tensor:
        """Return points ``(about count, dim)`` where the initial condition varies; uniform ones by default."""
        return self.domain.interior(count, generator, kind="uniform")

    def observe(self, name: str, jet: Jet) -> Tensor:
        """Return the quantity that a fit compares, ``(n, m)``, from a jet of the order :meth:`observed_order`."""
        return jet.value

    def observed_order(self, name: str) -> int:
        """Return the order of the highest derivative that :meth:`observe` needs."""
        return 0

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor | None:
        """Return the residual of the boundary condition, ``(n, m)``, from a jet of order 1; None if there is none."""
        return None

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """Return the exact field as :meth:`present` shows it, ``(n, channels)``; None where it is not known."""
        return None

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """Return the fields to write by name, ``(n, channels)`` each; by default the fields of the problem."""
        return {name: fields(name, points) for name in self.fields}

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return quantities to monitor at a time, such as mass and energy; the drift of conserved ones is an error."""
        return {}

    def data_answers(self, points: Tensor, time: float) -> Iterator[Answer]:
        """Yield what the methods return that need no field: initial conditions, exact field, proposed points."""
        for name in self.fields:
            yield Answer(self, "initial_field", self.initial_field(name, points), points, (len(points), "m"))
            proposed = self.propose(name, len(points), torch.Generator(points.device).manual_seed(0))
            yield Answer(self, "propose", proposed, points, ("n", self.domain.dim))
            if name == self.headline and (exact := self.exact_field(name, points, time)) is not None:
                yield Answer(self, "exact_field", exact, points, (len(points), "channels"))

    def equation_answers(
        self, fields: Fields, points: Tensor, at: BoundaryPoints | None, time: float
    ) -> Iterator[Answer]:
        """Yield what the methods return that see the fields: observations, boundary conditions, fields to write.

        Parameters
        ----------
        fields : at the time
        points : ``(n, dim)``, in the interior
        at : points on the boundary; None if there is none
        time : in the unit of the problem
        """
        for name in self.fields:
            observed = self.observe(name, fields(name, points, self.observed_order(name)))
            shape = (len(points), self.initial_field(name, points).shape[1])
            yield Answer(self, "observe", observed, points, shape)
            if at is not None and (rest := self.boundary(name, at, fields(name, at.points, 1), time)) is not None:
                yield Answer(self, self.boundary_method, rest, at.points, (len(at.points), "m"))
        yield from presented(self, self.present(fields, points, time), points)

    def __repr__(self) -> str:
        """Return the domain, the fields and the parameters as a table."""
        fields = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in self.fields.items())
        public = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        plain = {name: value for name, value in public.items() if isinstance(value, int | float | str | tuple)}
        return summary(type(self).__name__, {"domain": self.domain, "fields": fields, **plain})


class EvolutionProblem(Problem):
    """A problem for one field, ``du/dt = rate(x, u, grad u, diag Hessian u)``.

    Attributes
    ----------
    order : highest derivative in the rate, 0 to 2
    linear : whether the rate is linear in ``u``, as Padé(2,2) requires
    channels : number of components of ``u``
    """

    order: int = 1
    linear: bool = False
    channels: int = 1

    @property
    def fields(self) -> Mapping[str, int]:
        """The channels of the one field, by its name ``u``."""
        return {"u": self.channels}

    @abstractmethod
    def initial(self, points: Tensor) -> Tensor:
        """Return the initial condition, ``u`` at time 0, ``(n, channels)``."""

    @abstractmethod
    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        """Return ``du/dt``, ``(n, channels)``, from the jet of ``u`` of the order :attr:`order`."""

    def rate_of_rate(self, points: Tensor, u: Jet) -> Tensor | None:
        """Return the rate applied twice, ``(n, channels)``, from a jet of order 2; None where it is not known."""
        return None

    def directions(self, points: Tensor) -> Tensor | None:
        """Return the directions of the derivatives, ``(k, dim)``; None for the axes."""
        return None

    def on_boundary(self, at: BoundaryPoints, u: Jet, time: float) -> Tensor | None:
        """Return the residual of the boundary condition from a jet of order 1 along the axes; None if there is none."""
        return None

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the exact solution, ``(n, channels)``; None where it is not known."""
        return None

    def data_answers(self, points: Tensor, time: float) -> Iterator[Answer]:
        """Yield what the methods return that need no field."""
        shape = (len(points), self.channels)
        yield Answer(self, "initial", self.initial(points), points, shape)
        if (exact := self.exact(points, time)) is not None:
            yield Answer(self, "exact", exact, points, shape)
        if (directions := self.directions(points)) is not None:
            yield Answer(self, "directions", directions, points, ("k", self.domain.dim))
        yield from super().data_answers(points, time)

    def equation_answers(
        self, fields: Fields, points: Tensor, at: BoundaryPoints | None, time: float
    ) -> Iterator[Answer]:
        """Yield what the methods return that see the field."""
        directions, shape = self.directions(points), (len(points), self.channels)
        rate = self.rate(points, fields("u", points, self.order, directions), time)
        yield Answer(self, "rate", rate, points, shape)
        if (twice := self.rate_of_rate(points, fields("u", points, 2, directions))) is not None:
            yield Answer(self, "rate_of_rate", twice, points, shape)
        yield from super().equation_answers(fields, points, at, time)

    @property
    def boundary_method(self) -> str:
        """The name of the method that states the boundary condition, for errors."""
        return "on_boundary"

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Return the initial condition of the field."""
        return self.initial(points)

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor | None:
        """Return the residual of the boundary condition."""
        return self.on_boundary(at, jet, time)

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """Return the exact solution where it is known."""
        return self.exact(points, time)
