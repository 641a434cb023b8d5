r"""Flows past an obstacle in a plane channel as a caption describes them.

The inflow is parabolic, so that its mean is two thirds of its peak, and the Reynolds number is that of the mean
velocity and of the extent D of the obstacle across the channel, which for a circle is its diameter:

.. math:: \mathrm{Re} = \tfrac23\, U_{\mathrm{peak}}\, D / \nu.

>>> circle = CircleOutline(x=0.31, y=0.18, radius=0.045)
>>> flow = ChannelFlow(circle, peak_velocity=1.2)
>>> flow.reynolds(), flow.expected_regime()
(72.0, 'shedding')
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from sciml.text2pde.captions.outlines import CircleOutline, Outline, exact

Regime = Literal["steady", "shedding"]
HEIGHT, LENGTH = 0.41, 1.6  # of the channel [m]
VISCOSITY = 1e-3  # kinematic, where a caption does not say it [m^2/s]
MEAN_OVER_PEAK = Fraction(2, 3)  # of a parabolic profile
STEADY_BELOW, SHEDDING_ABOVE = 45.0, 60.0  # Reynolds numbers of a circle in the channel; in between blockage decides


@dataclass(frozen=True)
class ChannelFlow:
    """The statements of a caption about a flow in a channel, each of which may be left out.

    Parameters
    ----------
    outline : of the obstacle; None where no shape is named
    peak_velocity : of the inflow [m/s]
    mean_velocity : of the inflow [m/s]
    reynolds_number : of the mean velocity and of the extent of the obstacle across the channel
    viscosity : kinematic [m^2/s]
    regime : ``steady``, or ``shedding`` of vortices
    """

    outline: Outline | None = None
    peak_velocity: float | None = None
    mean_velocity: float | None = None
    reynolds_number: float | None = None
    viscosity: float | None = None
    regime: Regime | None = None

    def mirrored(self, height: float = HEIGHT) -> ChannelFlow:
        """Return the flow in the channel that is turned upside down, y to height - y.

        Parameters
        ----------
        height : of the channel [m]
        """
        return replace(self, outline=None if self.outline is None else self.outline.mirrored(height))

    def velocities(self, viscosity: float = VISCOSITY) -> dict[str, float]:
        """Return the peak velocity of the inflow [m/s] by each statement that it follows from, by their names.

        Parameters
        ----------
        viscosity : where the caption does not say it [m^2/s]
        """
        found = {"peak_velocity": self.peak_velocity}
        if self.mean_velocity is not None:
            found["mean_velocity"] = float(Fraction(exact(self.mean_velocity)) / MEAN_OVER_PEAK)
        scale = self._scale(viscosity)
        if self.reynolds_number is not None and scale is not None:
            found["reynolds_number"] = float(Fraction(exact(self.reynolds_number)) / scale)
        return {name: value for name, value in found.items() if value is not None}

    def velocity(self, viscosity: float = VISCOSITY) -> float | None:
        """Return the peak velocity of the inflow [m/s]; None if it follows from nothing.

        Parameters
        ----------
        viscosity : where the caption does not say it [m^2/s]
        """
        return next(iter(self.velocities(viscosity).values()), None)

    def reynolds(self, viscosity: float = VISCOSITY) -> float | None:
        """Return the Reynolds number; None if it follows from nothing.

        Parameters
        ----------
        viscosity : where the caption does not say it [m^2/s]
        """
        velocity, scale = self.velocity(viscosity), self._scale(viscosity)
        if self.reynolds_number is not None or velocity is None or scale is None:
            return self.reynolds_number
        return float(Fraction(exact(velocity)) * scale)

    def expected_regime(self, viscosity: float = VISCOSITY) -> Regime | None:
        """Return the regime of a circle by its Reynolds number; None between 45 and 60, and for other shapes.

        In this channel the shedding of vortices began at Reynolds numbers from 48 to 54, by blockage and position.

        Parameters
        ----------
        viscosity : where the caption does not say it [m^2/s]
        """
        reynolds = self.reynolds(viscosity) if isinstance(self.outline, CircleOutline) else None
        if reynolds is None or STEADY_BELOW <= reynolds <= SHEDDING_ABOVE:
            return None
        return "steady" if reynolds < STEADY_BELOW else "shedding"

    def numbers(self, viscosity: float = VISCOSITY) -> dict[str, float]:
        """Return all numbers that are stated or follow, by name, in SI units and degrees.

        Parameters
        ----------
        viscosity : where the caption does not say it [m^2/s]
        """
        found = {} if self.outline is None else self.outline.numbers()
        more = {
            "peak_velocity": self.velocity(viscosity),
            "reynolds_number": self.reynolds(viscosity),
            "viscosity": self.viscosity,
        }
        return {**found, **{name: value for name, value in more.items() if value is not None}}

    def _scale(self, viscosity: float) -> Fraction | None:
        """Return the Reynolds number over the peak velocity; None if the height of the obstacle is not known."""
        height = None if self.outline is None else self.outline.height()
        if height is None:
            return None
        nu = viscosity if self.viscosity is None else self.viscosity
        return MEAN_OVER_PEAK * Fraction(exact(height)) / Fraction(exact(nu))
