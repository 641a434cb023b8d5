r"""The operator splitting of the paper for incompressible flow by its velocity and pressure.

u_t + (u . \nabla) u = -\nabla p,    \nabla . u = 0,    u . n = 0 on the walls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from sciml.domains.walls import continuation
from sciml.errors import InputError
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators.base import Fits, Integrator, NeuralFields, Step
from sciml.insr.integrators.paths import BACK_TRACES, BackTrace, trace_back
from sciml.insr.problems.base import Problem
from sciml.numerics.derivatives import laplacian
from sciml.numerics.least_squares import Residuals


@dataclass(frozen=True)
class ChorinSplitting(Integrator):
    r"""The operator splitting of Chorin: advection, pressure and correction, three fits with a penalty at the walls.

    u*(x) = u^n(X(x)),    \Delta p = \nabla . u*  with  dp/dn = 0,    u^{n+1} = u* - \nabla p.

    Parameters
    ----------
    back_trace : ``"euler"`` as published, ``"rk2"`` or ``"rk4"``; the splitting is of first order with all of them

    References
    ----------
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023, section 5.2.
    Chorin, "Numerical solution of the Navier-Stokes equations", Math. Comp. 22, 1968.
    """

    back_trace: BackTrace = "euler"
    order: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        if self.back_trace not in BACK_TRACES:
            raise InputError(f"there is no back-trace {self.back_trace!r}, expected one of {', '.join(BACK_TRACES)}.")

    def check(self, problem: Problem) -> None:
        """Refuse problems without a velocity and a pressure."""
        names, dim = problem.fields, problem.domain.dim
        if dict(names) != {"velocity": dim, "pressure": 1}:
            raise InputError(
                f"the splitting needs the fields velocity, of {dim} channels, and pressure, of 1; "
                f"{type(problem).__name__} has {dict(names)}."
            )
        continuation(problem.domain, "clamp")

    def advance(self, step: Step) -> Fits:
        """Yield the fits of advection, pressure and correction."""
        weights = dict(step.now.weights)
        weights["velocity"] = yield self._advection(step)
        weights["pressure"] = yield self._poisson(step, NeuralFields(step.networks, dict(weights)))
        weights["velocity"] = yield self._correction(step, NeuralFields(step.networks, dict(weights)))
        return weights

    def _advection(self, step: Step) -> Fit:
        inside = continuation(step.problem.domain, "clamp")

        def target(points: Tensor) -> Tensor:
            feet = trace_back(lambda at, _: step.now("velocity", at), points, step.length, self.back_trace, inside)
            return step.now("velocity", inside(feet)[0])

        return _velocity_fit(step, step.now.weights["velocity"], target)

    def _correction(self, step: Step, advected: NeuralFields) -> Fit:
        def target(points: Tensor) -> Tensor:
            return advected("velocity", points) - advected("pressure", points, 1).first[..., 0].T

        return _velocity_fit(step, advected.weights["velocity"], target)

    def _poisson(self, step: Step, advected: NeuralFields) -> Fit:
        network = step.networks["pressure"]

        def left(weights: Tensor, points: Tensor, divergence: Tensor) -> Tensor:
            return divergence - laplacian(network(weights, points, 2))

        def residuals(sample: Sample) -> list[Residuals]:
            slopes = advected("velocity", sample.interior, 1).first
            divergence = slopes.diagonal(dim1=0, dim2=2).sum(1, keepdim=True)
            boundary = step.boundary("pressure", sample, step.time + step.length)
            return [Residuals("pressure", left, (sample.interior, divergence)), *boundary]

        return Fit("pressure", step.now.weights["pressure"], residuals)


def _velocity_fit(step: Step, start: Tensor, target: Callable[[Tensor], Tensor]) -> Fit:
    network = step.networks["velocity"]

    def left(weights: Tensor, points: Tensor, values: Tensor) -> Tensor:
        return network(weights, points) - values

    def residuals(sample: Sample) -> list[Residuals]:
        points = sample.interior
        boundary = step.boundary("velocity", sample, step.time + step.length)
        return [Residuals("velocity", left, (points, target(points))), *boundary]

    return Fit("velocity", start, residuals)
