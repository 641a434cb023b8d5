"""Transport problems on an interval, with known solutions: values enter at one end, or are given at both."""

from __future__ import annotations

import cmath
import math

import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn.problems.base import TransportProblem


class Channel(TransportProblem):
    """``u_t + (speed + growth x) u_x = 0`` on [0, 1]: a sine in time enters on the left and is drawn out or squeezed.

    Where the start, a cosine, does not meet the sine, a jump moves through the interval.

    Parameters
    ----------
    speed : at the left end, over 0
    growth : of the speed up to the right end, where it is over 0 as well
    beats : periods of the sine per unit of time
    inside : amplitude of the cosine, and the jump
    duration : of the run
    """

    passive = True

    def __init__(
        self, speed: float = 1.0, growth: float = 1.0, beats: float = 3.0, inside: float = 1.0, duration: float = 1.0
    ) -> None:
        if not (0 < speed < math.inf and -speed < growth < math.inf):
            raise InputError(
                f"the speed is {speed!r} and its growth {growth!r}, expected a flow to the right at both ends: speed "
                "over 0, and growth over minus the speed."
            )
        self.domain, self.duration = Box([0.0], [1.0]), duration
        self.speed, self.growth, self.beats, self.inside = speed, growth, beats, inside

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Grows along the interval."""
        return self.speed + self.growth * x

    def initial(self, x: Tensor) -> Tensor:
        """Half a period of a cosine."""
        return self.inside * torch.cos(math.pi * x)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        """The sine; nothing enters at the other end."""
        return torch.sin(2 * math.pi * self.beats * t) + 0 * x

    def exact(self, x: Tensor, t: float) -> Tensor:
        """The start, or the sine when the point was at the entrance."""
        if not self.growth:
            since, home = x / self.speed, x - self.speed * t
        else:
            since = torch.log1p(self.growth / self.speed * x) / self.growth
            home = self.speed / self.growth * torch.expm1(self.growth * (since - t))
        return torch.where(since >= t, self.initial(home), self.inflow(x, t - since))


class BoundaryLayer(TransportProblem):
    r"""``u_t + speed u_x = viscosity u_xx`` on [0, 1]: a signal enters on the left and must be 0 on the right.

    With u = 1 + amplitude sin(2 \pi beats t) at x = 0, in a layer of thickness viscosity / speed at x = 1. The solution
    is the one that the signal has made for long, of frequencies \omega with the roots r of viscosity r^2 = speed r + i
    \omega: (e^{r_- x} - e^{r_- + r_+ (x - 1)}) / (1 - e^{r_- - r_+}) e^{i \omega t}.

    Parameters
    ----------
    speed, viscosity : over 0
    amplitude : of the oscillation; 0 for a steady state
    beats : oscillations per unit of time
    duration : of the run
    """

    passive = True

    def __init__(
        self,
        speed: float = 1.0,
        viscosity: float = 0.05,
        amplitude: float = 0.5,
        beats: float = 1.0,
        duration: float = 1.0,
    ) -> None:
        if not (0 < speed < math.inf and 0 < viscosity < math.inf):
            raise InputError(
                f"the speed is {speed!r} and the viscosity {viscosity!r}, expected numbers over 0 for a layer."
            )
        self.domain, self.duration = Box([0.0], [1.0]), duration
        self.speed, self.viscosity, self.amplitude, self.beats = speed, viscosity, amplitude, beats

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """The speed, the same everywhere."""
        return torch.full_like(x, self.speed)

    def initial(self, x: Tensor) -> Tensor:
        """What the signal has made so far."""
        return self.exact(x, 0.0)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        """The signal on the left, 0 on the right."""
        signal = 1 + self.amplitude * torch.sin(2 * math.pi * self.beats * t)
        return torch.where(x < 0.5, signal, 0.0)

    def exact(self, x: Tensor, t: float) -> Tensor:
        """The steady part and the oscillation."""
        return self._mode(x, 0.0, 0.5 * math.pi, t) + self.amplitude * self._mode(x, self.beats, 0.0, t)

    def _mode(self, x: Tensor, beats: float, phase: float, t: float) -> Tensor:
        """Imaginary part of the solution of one frequency, in real numbers."""
        omega = 2 * math.pi * beats
        root = cmath.sqrt(self.speed**2 + 4j * omega * self.viscosity)
        slow, fast = ((self.speed + sign * root) / (2 * self.viscosity) for sign in (-1, 1))
        factor = 1 / (1 - cmath.exp(slow - fast))

        def part(rate: complex, at: Tensor, size: complex) -> Tensor:
            angle = rate.imag * at + (omega * t + phase + cmath.phase(size))
            return abs(size) * torch.exp(rate.real * at) * torch.sin(angle)

        return part(slow, x, factor) - part(fast, x - 1, factor * cmath.exp(slow))
