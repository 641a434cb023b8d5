r"""Incompressible flow by its velocity and pressure, and the operator splitting of the paper.

    u_t + (u . \nabla) u = -\nabla p,    \nabla . u = 0,    u . n = 0 on the walls.

:mod:`sciml.insr.fluids` is far more accurate in the plane: there divergence is zero by the form of the network, while
here three fits a step drive it to what they reach. This one is the published method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from sciml.domains import BoundaryPoints, Box
from sciml.domains.output_points import mean_points
from sciml.errors import InputError
from sciml.insr.fitting import Fit, Sample
from sciml.insr.fluids import WATCHED, largest_divergence
from sciml.insr.integrators import Fits, Integrator, NeuralFields, Step
from sciml.insr.problems import Fields, Problem
from sciml.insr.transport import BACK_TRACES, BackTrace, continuation, trace_back
from sciml.numerics.derivatives import Jet, laplacian
from sciml.numerics.least_squares import Residuals
from sciml.reference.incompressible_plane_flows import Flow, taylor_green, two_vortices


class IncompressibleFlow(Problem):
    """A plane flow without viscosity in [-1, 1]^2 with closed walls, from a given start.

    The fields are ``"velocity"`` and ``"pressure"``, which contains the density and the length of a time step as in the
    paper, and is known but for a constant.

    Parameters
    ----------
    start : flow at time 0
    boundary_weight : of the mean over all walls of ``(u . n)^2``, and of ``(dp/dn)^2``; 2 is one for each pair of
        opposite walls, as published
    """

    pictures = ("vorticity", "pressure")

    def __init__(self, start: Flow, boundary_weight: float = 2.0) -> None:
        if not 0 < boundary_weight < float("inf"):
            raise InputError(f"the weight of the boundary is {boundary_weight!r}, expected a number over 0.")
        self.start, self.boundary_weight = start, boundary_weight
        self.domain = Box([-1.0, -1.0], [1.0, 1.0])

    @property
    def fields(self) -> Mapping[str, int]:
        """Velocity and pressure."""
        return {"velocity": 2, "pressure": 1}

    def initial(self, name: str, points: Tensor) -> Tensor:
        """The velocity at the start; no pressure."""
        return self.start.velocity(points) if name == "velocity" else torch.zeros_like(points[:, :1])

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor:
        """Flow through the wall, or the derivative of the pressure across it."""
        across = jet.value if name == "velocity" else jet.first[..., 0].T
        return (across * at.normals).sum(1, keepdim=True)

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """Velocity, vorticity and pressure."""
        velocity = fields("velocity", points, 1)
        vorticity = velocity.first[0, :, 1:] - velocity.first[1, :, :1]
        return {"velocity": velocity.value, "vorticity": vorticity, "pressure": fields("pressure", points)}

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Energy, and how far divergence and the flow through the walls are from zero."""
        walls = self._walls
        return {
            "energy": float(fields("velocity", self._points).square().sum(1).mean()) * self.domain.measure / 2,
            "divergence": largest_divergence(lambda points: fields("velocity", points), self._points[::10]),
            "through_walls": float((fields("velocity", walls.points) * walls.normals).sum(1).abs().max()),
        }

    @cached_property
    def _points(self) -> Tensor:
        return mean_points(self.domain)

    @cached_property
    def _walls(self) -> BoundaryPoints:
        return self.domain.boundary(WATCHED, torch.Generator().manual_seed(0))


class TaylorGreenPrimitive(IncompressibleFlow):
    """The paper's four vortices, which stand still."""

    def __init__(self, boundary_weight: float = 2.0) -> None:
        super().__init__(taylor_green(), boundary_weight)

    def exact(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """The velocity of the start."""
        return self.start.velocity(points) if name == "velocity" else None


class TwoVorticesPrimitive(IncompressibleFlow):
    """The paper's two vortices of unlike size, smoothed as in
    :func:`~sciml.reference.incompressible_plane_flows.two_vortices`.

    Parameters
    ----------
    taper : half the thickness of the shear layers at the edge of the large cell
    boundary_weight : as in :class:`IncompressibleFlow`
    """

    def __init__(self, taper: float = 0.05, boundary_weight: float = 2.0) -> None:
        super().__init__(two_vortices(taper), boundary_weight)


@dataclass(frozen=True)
class ChorinSplitting(Integrator):
    r"""Advect, find the pressure, correct: three fits, all with the penalty of the walls.

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
        """Three fits."""
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
