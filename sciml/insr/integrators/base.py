"""The base class of integrators: a time step as a sequence of fits.

An integrator is a generator: it yields a :class:`~sciml.insr.fitting.Fit`, is sent the fitted weights, and at last
returns the weights of all fields at the new time. It knows neither how points are drawn nor how fits are made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.insr.fitting import Fit, Sample
from sciml.insr.problems.base import Problem
from sciml.numerics.derivatives import Jet
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals

Weights = dict[str, Tensor]
Fits = Generator[Fit, Tensor, Weights]


@dataclass(frozen=True)
class NeuralFields:
    """The fields of a problem at one time, as networks and their parameters; differentiable by the points alone."""

    networks: Mapping[str, FlatModule]
    weights: Mapping[str, Tensor]

    def __call__(
        self, name: str, points: Tensor, order: int | None = None, directions: Tensor | None = None
    ) -> Tensor | Jet:
        """Evaluate a field at points, or its jet if an order is given."""
        weights = self.weights[name].detach()
        return self.networks[name](weights, points.to(weights), order, directions)

    def observe(self, problem: Problem, name: str, points: Tensor) -> Tensor:
        """Return the observation of a field, which a fit compares, ``(n, m)``."""
        return problem.observe(name, self(name, points, problem.observed_order(name)))


@dataclass(frozen=True)
class Step:
    """The data of one time step: fields now and one step before, the time, and the length of the step."""

    problem: Problem
    now: NeuralFields
    before: NeuralFields | None
    time: float
    length: float

    @property
    def networks(self) -> Mapping[str, FlatModule]:
        """The networks by name of field."""
        return self.now.networks

    def boundary(self, name: str, sample: Sample, time: float) -> list[Residuals]:
        """Return the residuals of the boundary condition as a list of one group, empty if there is none."""
        return boundary_residuals(self.problem, self.networks[name], name, sample, time)


def boundary_residuals(
    problem: Problem, network: FlatModule, name: str, sample: Sample, time: float
) -> list[Residuals]:
    """Return the residuals of the boundary condition of one field as a list of one group, empty if there is none."""
    at = sample.boundary
    if at is None:
        return []

    def residual(weights: Tensor, points: Tensor, normals: Tensor) -> Tensor | None:
        return problem.boundary(name, type(at)(points, normals), network(weights, points, 1), time)

    with torch.no_grad():
        missing = residual(network.vector().to(at.points), at.points[:1], at.normals[:1]) is None
    return [] if missing else [Residuals("boundary", residual, (at.points, at.normals), problem.boundary_weight)]


class Integrator(ABC):
    """A time-stepping scheme; ``order`` is its order of accuracy."""

    order: int

    @abstractmethod
    def check(self, problem: Problem) -> None:
        """Refuse a problem to which the scheme does not apply."""

    @abstractmethod
    def advance(self, step: Step) -> Fits:
        """Yield the fits of one step; return the parameters of all fields after it."""
