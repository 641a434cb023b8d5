"""Diffusion of a solute that sorbs, the first problem of the paper, well posed at x = 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from sciml.checks import number
from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe.problems.base import EndCondition, Points, Reference, SpaceTimeProblem, instances_of
from sciml.reference.diffusion_sorption import LARGEST, SMALLEST, Sorption, cell_centres, extrapolated

REFERENCE_CELLS = 1024
REFERENCE_TIMES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the duration


class DiffusionSorption(SpaceTimeProblem):
    r"""Diffusion with sorption, ``R(u) u_t = D u_xx`` on [0, 1], see :mod:`sciml.reference.diffusion_sorption`.

    u starts constant, is ``left`` at x = 0, and leaves at x = 1 by ``u = -D u_x``. The front moves like the root of
    the time, and so the polynomials are those of this root.

    Parameters
    ----------
    start : value of u at time 0, at least 0; a list makes one instance of each
    equation : its parameters; those of PDEBench by default
    duration : final time in seconds

    Raises
    ------
    InputError
        If the right sign of the equation is 1, or a start is out of its range.
    """

    time_power = 2.0

    def __init__(
        self, start: float | list[float] = 0.1, equation: Sorption | None = None, duration: float = 500.0
    ) -> None:
        self.domain, self.duration, self.equation = Box([0.0], [1.0]), duration, equation or Sorption()
        self._coefficients = instances_of(start=start)
        for value in self._coefficients["start"].tolist():
            number("the start of sorption", value, at_least=0, at_most=LARGEST)
        if self.equation.right_sign > 0:
            raise InputError(
                "the right sign of sorption is 1, as printed in the paper, expected -1: with 1 a mode grows at the "
                "rate 1 / (R D), which experts resolve; sciml.reference.diffusion_sorption.growth_rate has the numbers."
            )

    @property
    def coefficients(self) -> Mapping[str, Tensor]:
        """The start of each instance."""
        return self._coefficients

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return ``R(u) u_t - D u_xx``."""
        u, u_t, _, u_xx = terms
        power = (u.clamp(min=0) + SMALLEST) ** (self.equation.exponent - 1)
        return (1 + self.equation.strength * power) * u_t - self.equation.diffusivity * u_xx

    def initial(self, at: Points) -> Tensor:
        """Return the constant start of each instance."""
        return at["start"]

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return ``u = left`` and ``u + D u_x = 0``."""
        return EndCondition(1.0, 0.0, self.equation.left), EndCondition(1.0, self.equation.diffusivity, 0.0)

    def reference(self) -> Reference:
        """Return extrapolated finite volumes of the first instance."""
        times = self.duration * np.array(REFERENCE_TIMES)
        values = extrapolated(float(self._coefficients["start"][0]), REFERENCE_CELLS, times, self.equation)
        return Reference(*(torch.from_numpy(part) for part in (cell_centres(REFERENCE_CELLS), times, values)))
