"""Transport problems with known solutions on an interval, with boundary values at the inflow or at both ends."""

from __future__ import annotations

import cmath
import math

import torch
from torch import Tensor

from sciml.checks import number, positive
from sciml.domains import Box
from sciml.lpinn.problems.base import TransportProblem


class Channel(TransportProblem):
    """Inflow of a signal, ``u_t + (speed + growth x) u_x = 0`` on [0, 1]: a sine in time enters and is stretched.

    The initial condition, a cosine, does not match the signal, so that a jump moves through the interval.

    Parameters
    ----------
    speed : at the left end, positive
    growth : of the speed up to the right end, where it must be positive, too
    frequency : of the sine, in periods per unit of time
    inside : amplitude of the cosine, which is the jump
    duration : final time
    """

    passive = True

    def __init__(
        self,
        speed: float = 1.0,
        growth: float = 1.0,
        frequency: float = 3.0,
        inside: float = 1.0,
        duration: float = 1.0,
    ) -> None:
        positive("the speed", speed, remedy="the flow is to the right at both ends")
        number("the growth of the speed", growth, above=-speed, remedy="the flow is to the right at both ends")
        self.domain, self.duration = Box([0.0], [1.0]), duration
        self.speed, self.growth, self.frequency, self.inside = speed, growth, frequency, inside

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the speed, which grows along the interval."""
        return self.speed + self.growth * x

    def initial(self, x: Tensor) -> Tensor:
        """Return half a period of a cosine."""
        return self.inside * torch.cos(math.pi * x)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the sine in time; nothing enters at the other end."""
        return torch.sin(2 * math.pi * self.frequency * t) + 0 * x

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the initial condition, or the sine at the time of entry."""
        if not self.growth:
            since, home = x / self.speed, x - self.speed * t
        else:
            since = torch.log1p(self.growth / self.speed * x) / self.growth
            home = self.speed / self.growth * torch.expm1(self.growth * (since - t))
        return torch.where(since >= t, self.initial(home), self.inflow(x, t - since))


class BoundaryLayer(TransportProblem):
    r"""A boundary layer, ``u_t + speed u_x = viscosity u_xx`` on [0, 1]: a signal enters at x = 0, and u = 0 at x = 1.

    The signal is 1 + amplitude sin(2 \pi frequency t), and the thickness of the layer is viscosity / speed. The
    solution is the time-periodic one, of frequencies \omega with the roots r of viscosity r^2 = speed r + i
    \omega: (e^{r_- x} - e^{r_- + r_+ (x - 1)}) / (1 - e^{r_- - r_+}) e^{i \omega t}.

    Parameters
    ----------
    speed, viscosity : positive
    amplitude : of the oscillation; 0 for a steady state
    frequency : in periods per unit of time
    duration : final time
    """

    passive = True

    def __init__(
        self,
        speed: float = 1.0,
        viscosity: float = 0.05,
        amplitude: float = 0.5,
        frequency: float = 1.0,
        duration: float = 1.0,
    ) -> None:
        positive("the speed in a layer", speed)
        positive("the viscosity of a layer", viscosity)
        self.domain, self.duration = Box([0.0], [1.0]), duration
        self.speed, self.viscosity, self.amplitude, self.frequency = speed, viscosity, amplitude, frequency

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return the speed, the same everywhere."""
        return torch.full_like(x, self.speed)

    def initial(self, x: Tensor) -> Tensor:
        """Return the time-periodic solution at time 0."""
        return self.exact(x, 0.0)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the signal on the left, and 0 on the right."""
        signal = 1 + self.amplitude * torch.sin(2 * math.pi * self.frequency * t)
        return torch.where(x < 0.5, signal, 0.0)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """Return the sum of the steady part and the oscillation."""
        return self._mode(x, 0.0, 0.5 * math.pi, t) + self.amplitude * self._mode(x, self.frequency, 0.0, t)

    def _mode(self, x: Tensor, frequency: float, phase: float, t: float) -> Tensor:
        """Return the imaginary part of the solution of one frequency, in real arithmetic."""
        omega = 2 * math.pi * frequency
        root = cmath.sqrt(self.speed**2 + 4j * omega * self.viscosity)
        slow, fast = ((self.speed + sign * root) / (2 * self.viscosity) for sign in (-1, 1))
        factor = 1 / (1 - cmath.exp(slow - fast))

        def part(rate: complex, at: Tensor, size: complex) -> Tensor:
            angle = rate.imag * at + (omega * t + phase + cmath.phase(size))
            return abs(size) * torch.exp(rate.real * at) * torch.sin(angle)

        return part(slow, x, factor) - part(fast, x - 1, factor * cmath.exp(slow))
