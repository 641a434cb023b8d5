"""Burgers' equation from a start of sine waves, whose sizes and the viscosity are coefficients that may be unknown."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sciml.checks import instance, number, positive, whole_number
from sciml.domains import Box
from sciml.hcmoe.problems.base import Points, instances_of
from sciml.hcmoe.problems.cases import MOST_NODES, NODES, BurgersEquation
from sciml.reference.burgers_cole_hopf import least_nodes, periodic_burgers
from sciml.reference.trigonometric_series import TrigonometricSeries

MOST_WAVES = 64


class BurgersWaves(BurgersEquation):
    r"""Burgers' equation on [0, 1] with u = 0 at both ends, from the sum of waves ``wave_k \sin(k \pi x)``, k = 1, 2...

    The coefficients are ``viscosity``, ``wave_1``, ``wave_2`` and so on. The exact solution is that of Cole and Hopf.

    Parameters
    ----------
    viscosity : positive
    waves : sizes of the waves of the start, at least one
    duration : final time

    Examples
    --------
    >>> list(BurgersWaves(0.02, [1.0, -0.5]).coefficients)
    ['viscosity', 'wave_1', 'wave_2']
    """

    def __init__(self, viscosity: float, waves: list[float], duration: float = 0.5) -> None:
        self.domain, self.duration = Box([0.0], [1.0]), duration
        instance("waves", waves, list | tuple, "a list of numbers")
        whole_number("the number of waves", len(waves), at_least=1, at_most=MOST_WAVES)
        sizes = {f"wave_{k}": number(f"the size of wave {k}", size) for k, size in enumerate(waves, start=1)}
        self._coefficients = instances_of(viscosity=positive("the viscosity", viscosity), **sizes)

    def initial(self, at: Points) -> Tensor:
        """Return the sum of the waves."""
        waves = range(1, len(self._coefficients))
        return sum(at[f"wave_{k}"] * torch.sin(k * torch.pi * at.x) for k in waves)

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the solution of Cole and Hopf; None at viscosities at which it takes minutes to compute."""
        viscosity, *waves = (float(values[0]) for values in self._coefficients.values())
        steepest = math.pi * sum(k * abs(size) for k, size in enumerate(waves, start=1))
        spread = 2 * sum(map(abs, waves))
        if least_nodes(viscosity, self.duration, steepest, spread) > MOST_NODES:
            return None
        nodes = max(NODES, 3 * math.ceil(least_nodes(viscosity, time, steepest, spread)))
        start = TrigonometricSeries(sines=waves, period=2.0)
        return periodic_burgers(points, points.new_tensor(time), viscosity, start, nodes)
