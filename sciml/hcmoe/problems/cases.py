"""Problems with known or independently computed solutions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sciml.domains import Box
from sciml.hcmoe.problems.base import EndCondition, Points, SpaceTimeProblem, instances_of
from sciml.hcmoe.problems.profiles import Coefficient
from sciml.reference.burgers_cole_hopf import least_nodes, standard_burgers

NODES = 4001  # of the quadrature of Cole and Hopf, or three times what it needs, which is exact to rounding
MOST_NODES = 50_000  # that it may need: viscosities down to 5e-9 at time 1
FIXED = EndCondition(1.0, 0.0, 0.0)  # u = 0
POSITIVE = {"viscosity": {"above": 0}, "diffusivity": {"above": 0}}


class BurgersEquation(SpaceTimeProblem):
    """Burgers' equation with u = 0 at both ends, whose start is left to the classes below."""

    ranges = POSITIVE
    _coefficients: dict[str, Coefficient]

    @property
    def coefficients(self) -> Mapping[str, Tensor]:
        """The viscosity of each instance, and what its start depends on."""
        return self._coefficients

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return ``u_t + u u_x - viscosity u_xx``."""
        u, u_t, u_x, u_xx = terms
        return u_t + u * u_x - at["viscosity"] * u_xx

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return u = 0 twice."""
        return FIXED, FIXED


class Burgers(BurgersEquation):
    r"""The standard case of Burgers' equation, ``u_t + u u_x = viscosity u_xx`` on [-1, 1], ``u_0 = -sin(\pi x)``.

    u is 0 at both ends; a front as wide as the viscosity forms at x = 0. The exact solution is that of Cole and Hopf.

    Parameters
    ----------
    viscosity : positive; 0.01 / pi by default. A list makes one instance of each
    duration : final time

    References
    ----------
    Basdevant et al., Comput. Fluids 14, 1986.
    """

    def __init__(self, viscosity: float | list[float] = 0.01 / math.pi, duration: float = 1.0) -> None:
        self.domain, self.duration = Box([-1.0], [1.0]), duration
        self._coefficients = instances_of(viscosity=viscosity)
        self.check_coefficients(self._coefficients)

    def initial(self, at: Points) -> Tensor:
        """Return the sine of the start."""
        return -torch.sin(torch.pi * at.x)

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the solution of Cole and Hopf; None at viscosities at which it takes minutes to compute."""
        viscosity = float(self.coefficients["viscosity"][0])
        if least_nodes(viscosity, self.duration, math.pi, 2.0) > MOST_NODES:
            return None
        nodes = max(NODES, 3 * math.ceil(least_nodes(viscosity, time, math.pi, 2.0)))
        return standard_burgers(points, points.new_tensor(time), viscosity, nodes=nodes)


class Heat(SpaceTimeProblem):
    r"""Heat in a rod, ``u_t = diffusivity u_xx`` on [0, 1], ``u_0 = \sin(\pi x) + \sin(3 \pi x)``, 0 at both ends.

    Parameters
    ----------
    diffusivity : positive; a list makes one instance of each
    duration : final time
    """

    linear = True
    ranges = POSITIVE

    def __init__(self, diffusivity: float | list[float] = 0.1, duration: float = 1.0) -> None:
        self.domain, self.duration = Box([0.0], [1.0]), duration
        self._coefficients = instances_of(diffusivity=diffusivity)
        self.check_coefficients(self._coefficients)

    @property
    def coefficients(self) -> Mapping[str, Tensor]:
        """The diffusivity of each instance."""
        return self._coefficients

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return ``u_t - diffusivity u_xx``."""
        _, u_t, _, u_xx = terms
        return u_t - at["diffusivity"] * u_xx

    def initial(self, at: Points) -> Tensor:
        """Return the two modes of the start."""
        return torch.sin(torch.pi * at.x) + torch.sin(3 * torch.pi * at.x)

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return u = 0 twice."""
        return FIXED, FIXED

    def exact(self, points: Tensor, time: float) -> Tensor:
        """Return the two modes, damped."""
        rate = torch.pi**2 * float(self.coefficients["diffusivity"][0]) * time
        modes = [math.exp(-(k**2) * rate) * torch.sin(k * torch.pi * points) for k in (1, 3)]
        return modes[0] + modes[1]
