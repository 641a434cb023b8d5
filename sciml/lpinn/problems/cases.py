"""Transport problems with known solutions, on the circle and in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sciml.checks import choice, number, positive
from sciml.domains import Box
from sciml.lpinn.problems.base import TransportProblem
from sciml.reference.advection_flow_maps import FlowMap, Rotation, SineSpeed, Swirl
from sciml.reference.arrays import array_module
from sciml.reference.burgers_cole_hopf import periodic_burgers, standard_burgers
from sciml.reference.conservation_laws_entropy import BURGERS, ConservationLaw, Flux
from sciml.reference.trigonometric_series import TrigonometricSeries

CIRCLE = 2 * math.pi
FLUXES = {
    "square": BURGERS,
    "fourth": Flux(lambda u: u**4 / 4, lambda u: u**3, lambda u: 3 * u**2),
    "exponential": Flux(*(lambda u: array_module(u).exp(u),) * 3),
}


class Convection(TransportProblem):
    """``u_t + speed u_x = viscosity u_xx`` on the circle [0, 2 pi), from a sine: the case on which PINNs fail.

    Parameters
    ----------
    speed : any; PINNs fail from about 20
    viscosity : at least 0
    waves : periods of the sine
    duration : of the run
    """

    passive = True

    def __init__(self, speed: float = 50.0, viscosity: float = 0.0, waves: int = 1, duration: float = 1.0) -> None:
        number("the speed", speed)
        self.domain = Box([0.0], [CIRCLE], True)
        self.speed, self.viscosity, self.waves, self.duration = speed, viscosity, waves, duration

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """The speed, the same everywhere."""
        return torch.full_like(x, self.speed)

    def initial(self, x: Tensor) -> Tensor:
        """A sine."""
        return torch.sin(self.waves * x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """The sine, moved and decayed."""
        return math.exp(-self.viscosity * self.waves**2 * t) * self.initial(x - self.speed * t)


class PassiveTransport(TransportProblem):
    """``u_t + v(x, t) . grad u = 0`` for a velocity whose flow map is known.

    Parameters
    ----------
    flow : velocity and map
    domain : where u is asked for
    duration : of the run
    """

    passive = True

    def __init__(self, flow: FlowMap, domain: Box, duration: float) -> None:
        self.flow, self.domain, self.duration = flow, domain, duration

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """That of the flow."""
        return self.flow.velocity(x, t[:, 0])

    def exact(self, x: Tensor, t: float) -> Tensor:
        """The start where the points come from."""
        return self.initial(self.flow.map(x, t, 0.0))


class VariableConvection(PassiveTransport):
    """``u_t + (mean + amplitude sin x) u_x = 0`` on the circle, from a sine.

    Parameters
    ----------
    mean, amplitude : of the speed, which keeps its sign
    duration : of the run
    """

    def __init__(self, mean: float = 1.0, amplitude: float = 0.5, duration: float = CIRCLE) -> None:
        super().__init__(SineSpeed(mean, amplitude), Box([0.0], [CIRCLE], True), duration)

    def initial(self, x: Tensor) -> Tensor:
        """A sine."""
        return torch.sin(x)


class SolidBodyRotation(PassiveTransport):
    """A bump turns around the origin, and spreads if there is viscosity; the plane beyond the box does not matter.

    Parameters
    ----------
    viscosity : at least 0
    centre, width : of the bump exp(-|x - centre|^2 / (2 width^2))
    duration : of the run; 1 is a revolution
    domain : where u is asked for; [-1, 1] x [-1, 1] unless given. If it is given, only what is in it turns, which is
        all of it on discs around the origin
    """

    def __init__(
        self,
        viscosity: float = 0.0,
        centre: Sequence[float] = (0.4, 0.0),
        width: float = 0.15,
        duration: float = 1.0,
        domain: Box | None = None,
    ) -> None:
        super().__init__(Rotation(), domain or Box([-1.0, -1.0], [1.0, 1.0]), duration)
        self._labels = domain or Box([-1.45, -1.45], [1.45, 1.45])
        self.viscosity, self.centre, self.width = viscosity, tuple(centre), _checked_width(width)

    @property
    def labels(self) -> Box:
        """A box that contains all that turns through the domain, or the domain that was given."""
        return self._labels

    def initial(self, x: Tensor) -> Tensor:
        """The bump."""
        return self._bump(x, self.width**2)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """The bump, turned, its variance grown by ``2 viscosity t``."""
        return self._bump(self.flow.map(x, t, 0.0), self.width**2 + 2 * self.viscosity * t)

    def _bump(self, x: Tensor, variance: float) -> Tensor:
        square = (x - x.new_tensor(self.centre)).square().sum(1, keepdim=True)
        return self.width**2 / variance * torch.exp(-square / (2 * variance))


class DeformationalSwirl(PassiveTransport):
    """LeVeque's swirl on the unit square draws a bump into a spiral, and back to its place at the time ``period``.

    Parameters
    ----------
    period : of the flow
    centre, width : of the bump
    duration : of the run; half a period is the largest deformation
    """

    def __init__(
        self,
        period: float = 1.5,
        centre: Sequence[float] = (0.5, 0.75),
        width: float = 0.07,
        duration: float | None = None,
    ) -> None:
        super().__init__(Swirl(period), Box([0.0, 0.0], [1.0, 1.0]), period if duration is None else duration)
        self.centre, self.width = tuple(centre), _checked_width(width)

    def initial(self, x: Tensor) -> Tensor:
        """The bump."""
        square = (x - x.new_tensor(self.centre)).square().sum(1, keepdim=True)
        return torch.exp(-square / (2 * self.width**2))


class ConvexLaw(TransportProblem):
    """``u_t + f(u)_x = 0`` on the circle, from ``mean + sin x`` or another series; the entropy solution, which jumps.

    Parameters
    ----------
    flux : f, ``"square"`` (u^2 / 2), ``"fourth"`` (u^4 / 4) or ``"exponential"``
    mean, cosines, sines : of the start
    duration : of the run
    """

    convex = True

    def __init__(
        self,
        flux: Literal["square", "fourth", "exponential"] = "square",
        mean: float = 0.0,
        cosines: Sequence[float] = (),
        sines: Sequence[float] = (1.0,),
        duration: float = 1.0,
    ) -> None:
        choice("the flux", flux, FLUXES)
        self.domain, self.duration = Box([0.0], [CIRCLE], True), duration
        self.law = ConservationLaw(TrigonometricSeries(mean, tuple(cosines), tuple(sines)), FLUXES[flux])

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """``f'(u)``."""
        return self.law.flux.slope(u).expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        """The series."""
        return self.law.start(x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """By least action."""
        found = self.law.solution(x[:, 0].detach().cpu().numpy(), t)
        return torch.from_numpy(found).to(x)[:, None]


class ViscousBurgers(TransportProblem):
    """``u_t + u u_x = viscosity u_xx`` on the circle, from ``mean + sin x`` or another series.

    Parameters
    ----------
    mean : conserved; the front travels with it
    viscosity : at least 0; at 0 the entropy solution, which jumps
    cosines, sines : of the start
    duration : of the run
    """

    convex = True

    def __init__(
        self,
        mean: float = 0.0,
        viscosity: float = 0.01,
        cosines: Sequence[float] = (),
        sines: Sequence[float] = (1.0,),
        duration: float = 1.0,
    ) -> None:
        self.domain = Box([0.0], [CIRCLE], True)
        self.viscosity, self.duration = viscosity, duration
        self.start = TrigonometricSeries(mean, tuple(cosines), tuple(sines))

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """u itself."""
        return u.expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        """The series."""
        return self.start(x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """By the quadrature of Cole and Hopf, or by least action."""
        if self.viscosity:
            return periodic_burgers(x, torch.full_like(x, t), self.viscosity, self.start)
        found = ConservationLaw(self.start, BURGERS).solution(x[:, 0].detach().cpu().numpy(), t)
        return torch.from_numpy(found).to(x)[:, None]


class StandardBurgers(TransportProblem):
    """``u_t + u u_x = viscosity u_xx`` on [-1, 1] from ``-sin(pi x)``: everybody's benchmark.

    Odd and 0 at both ends, so that it is periodic too.

    Parameters
    ----------
    viscosity : over 0
    """

    def __init__(self, viscosity: float = 0.01 / math.pi) -> None:
        self.domain, self.viscosity = Box([-1.0], [1.0], True), viscosity

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """u itself."""
        return u.expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        """Minus a sine."""
        return -torch.sin(math.pi * x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """By the quadrature of Cole and Hopf."""
        return standard_burgers(x, torch.full_like(x, t), self.viscosity)


def _checked_width(width: float) -> float:
    return positive("the width of the bump", width)
