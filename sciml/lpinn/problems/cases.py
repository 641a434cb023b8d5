"""Transport problems with known solutions, on periodic intervals and in the plane."""

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
    """Convection of a sine, ``u_t + speed u_x = viscosity u_xx`` on [0, 2 pi), periodic: the case on which PINNs fail.

    Parameters
    ----------
    speed : any; standard PINNs fail from about 20
    viscosity : at least 0
    wave_number : of the sine
    duration : final time
    """

    passive = True

    def __init__(
        self, speed: float = 50.0, viscosity: float = 0.0, wave_number: int = 1, duration: float = 1.0
    ) -> None:
        number("the speed", speed)
        self.domain = Box([0.0], [CIRCLE], True)
        self.speed, self.viscosity, self.wave_number, self.duration = speed, viscosity, wave_number, duration

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the speed, the same everywhere."""
        return torch.full_like(x, self.speed)

    def initial(self, x: Tensor) -> Tensor:
        """Return one period of a sine."""
        return torch.sin(self.wave_number * x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the sine, shifted and damped."""
        return math.exp(-self.viscosity * self.wave_number**2 * t) * self.initial(x - self.speed * t)


class PassiveTransport(TransportProblem):
    """Passive transport, ``u_t + v(x, t) . grad u = 0``, by a velocity whose flow map is known.

    Parameters
    ----------
    flow : velocity and flow map
    domain : where u is evaluated
    duration : final time
    """

    passive = True

    def __init__(self, flow: FlowMap, domain: Box, duration: float) -> None:
        self.flow, self.domain, self.duration = flow, domain, duration

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the velocity of the flow."""
        return self.flow.velocity(x, t[:, 0])

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the initial condition at the points from which the flow comes."""
        return self.initial(self.flow.map(x, t, 0.0))


class VariableConvection(PassiveTransport):
    """Convection of a sine with variable speed, ``u_t + (mean + amplitude sin x) u_x = 0`` on [0, 2 pi), periodic.

    Parameters
    ----------
    mean, amplitude : of the speed, which must not change its sign
    duration : final time
    """

    def __init__(self, mean: float = 1.0, amplitude: float = 0.5, duration: float = CIRCLE) -> None:
        super().__init__(SineSpeed(mean, amplitude), Box([0.0], [CIRCLE], True), duration)

    def initial(self, x: Tensor) -> Tensor:
        """Return one period of a sine."""
        return torch.sin(x)


class SolidBodyRotation(PassiveTransport):
    """Solid-body rotation of a Gaussian bump around the origin, which spreads if there is viscosity.

    Parameters
    ----------
    viscosity : at least 0
    centre, width : of the bump exp(-|x - centre|^2 / (2 width^2))
    duration : final time; 1 is a revolution
    domain : where u is evaluated; by default [-1, 1] x [-1, 1], with labels in a larger box that contains all that
        rotates through it. A given domain is the box of the labels, too: it should be a disc around the origin
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
        """A box that contains all that rotates through the domain, or the domain that was given."""
        return self._labels

    def initial(self, x: Tensor) -> Tensor:
        """Return the bump at its initial position."""
        return self._bump(x, self.width**2)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the bump, rotated, with its variance increased by ``2 viscosity t``."""
        return self._bump(self.flow.map(x, t, 0.0), self.width**2 + 2 * self.viscosity * t)

    def _bump(self, x: Tensor, variance: float) -> Tensor:
        square = (x - x.new_tensor(self.centre)).square().sum(1, keepdim=True)
        return self.width**2 / variance * torch.exp(-square / (2 * variance))


class DeformationalSwirl(PassiveTransport):
    """LeVeque's swirling flow on the unit square: a bump becomes a spiral and is itself again at the time ``period``.

    Parameters
    ----------
    period : of the flow in time
    centre, width : of the bump
    duration : final time; by default the period. The deformation is largest after half a period
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
        """Return the bump at its initial position."""
        square = (x - x.new_tensor(self.centre)).square().sum(1, keepdim=True)
        return torch.exp(-square / (2 * self.width**2))


class ConvexLaw(TransportProblem):
    """The entropy solution of a convex conservation law, ``u_t + f(u)_x = 0`` on [0, 2 pi), periodic, with its shocks.

    Parameters
    ----------
    flux : f, ``"square"`` (u^2 / 2), ``"fourth"`` (u^4 / 4) or ``"exponential"``
    mean, cosines, sines : Fourier coefficients of the initial condition, by default those of sin x
    duration : final time
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
        """Return the characteristic speed ``f'(u)``."""
        return self.law.flux.slope(u).expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        """Return the Fourier series of the initial condition."""
        return self.law.initial(x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the entropy solution, by the principle of least action."""
        found = self.law.solution(x[:, 0].detach().cpu().numpy(), t)
        return torch.from_numpy(found).to(x)[:, None]


class ViscousBurgers(TransportProblem):
    """Burgers' equation, ``u_t + u u_x = viscosity u_xx`` on [0, 2 pi), periodic, for a Fourier series.

    Parameters
    ----------
    mean : of u, which is conserved; the front travels at this speed
    viscosity : at least 0; without it, the entropy solution with its shocks
    cosines, sines : Fourier coefficients of the initial condition, by default those of sin x
    duration : final time
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
        self.initial_series = TrigonometricSeries(mean, tuple(cosines), tuple(sines))

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the state ``u`` as the velocity."""
        return u.expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        """Return the Fourier series of the initial condition."""
        return self.initial_series(x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the Cole-Hopf solution, or without viscosity that of least action."""
        if self.viscosity:
            return periodic_burgers(x, torch.full_like(x, t), self.viscosity, self.initial_series)
        found = ConservationLaw(self.initial_series, BURGERS).solution(x[:, 0].detach().cpu().numpy(), t)
        return torch.from_numpy(found).to(x)[:, None]


class StandardBurgers(TransportProblem):
    """The standard benchmark of PINNs: ``u_t + u u_x = viscosity u_xx`` on [-1, 1] with ``u = -sin(pi x)`` at t = 0.

    The solution is odd and vanishes at both ends, so that it is periodic, too.

    Parameters
    ----------
    viscosity : positive
    """

    def __init__(self, viscosity: float = 0.01 / math.pi) -> None:
        self.domain, self.viscosity = Box([-1.0], [1.0], True), viscosity

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the state ``u`` as the velocity."""
        return u.expand_as(x)

    def initial(self, x: Tensor) -> Tensor:
        """Return minus one period of a sine."""
        return -torch.sin(math.pi * x)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the exact solution by the Cole-Hopf transform."""
        return standard_burgers(x, torch.full_like(x, t), self.viscosity)


def _checked_width(width: float) -> float:
    return positive("the width of the bump", width)
