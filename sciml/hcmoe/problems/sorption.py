"""Diffusion of a solute that sorbs, the first problem of the paper, and the wide family of starts and coefficients."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sciml.checks import instance
from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe.problems.base import EndCondition, Points, Reference, SpaceTimeProblem, instances_of
from sciml.hcmoe.problems.profiles import Coefficient, Coefficients, Profile
from sciml.reference.diffusion_sorption import (
    LARGEST,
    LARGEST_DIFFUSIVITY,
    Sorption,
    Start,
    cell_centres,
    extrapolated,
    retardation,
)

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
    faithful : whether the right sign of the equation may be 1, as printed in the paper. That problem is not well posed;
        a layer on a grid that is given takes it, to repeat what was published, and coupled experts refuse it

    Raises
    ------
    InputError
        If the right sign of the equation is 1 without ``faithful``, or a start is out of its range.
    """

    time_power = 2.0
    ranges: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "start": {"at_least": 0, "at_most": LARGEST},
        "diffusivity": {"above": 0, "at_most": LARGEST_DIFFUSIVITY},
        "coefficient": {"at_least": 0},
        "exponent": {"above": 0, "below": 1},
        "left": {"at_least": 0, "at_most": LARGEST},
    }

    def __init__(
        self,
        start: float | list[float] = 0.1,
        equation: Sorption | None = None,
        duration: float = 500.0,
        faithful: bool = False,
    ) -> None:
        equation = instance("the equation", equation or Sorption(), Sorption, "a Sorption")
        self._set(equation, duration, instances_of(start=start))
        if self.equation.right_sign > 0 and not faithful:
            raise InputError(
                "the right sign of sorption is 1, as printed in the paper, expected -1: with 1 a mode grows at the "
                "rate 1 / (R D), which experts resolve (sciml.reference.diffusion_sorption.growth_rate); "
                "faithful: true, or faithful=True in Python, repeats what was published, by a layer on its grid."
            )
        self.well_posed = self.equation.right_sign < 0
        if not self.well_posed:
            warnings.warn(
                "sorption with the right sign 1 is not well posed: the finer the grid, the faster errors grow, so that "
                "results are those of one grid alone.",
                UserWarning,
                stacklevel=2,
            )

    def _set(self, equation: Sorption, duration: float, coefficients: dict[str, Coefficient]) -> None:
        self.domain, self.duration, self.equation = Box([0.0], [1.0]), duration, equation
        self._coefficients = coefficients
        self.check_coefficients(coefficients)

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients of each instance."""
        return self._coefficients

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return ``R(u) u_t - D u_xx``."""
        u, u_t, _, u_xx = terms
        return self.equation.retardation(u) * u_t - self.equation.diffusivity * u_xx

    def initial(self, at: Points) -> Tensor:
        """Return the start of each instance."""
        return at["start"]

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return ``u = left`` and ``u + D u_x = 0``, or ``u - D u_x = 0`` for the right sign 1."""
        slope = -self.equation.right_sign * self.equation.diffusivity
        return EndCondition(1.0, 0.0, self.equation.left), EndCondition(1.0, slope, 0.0)

    def reference(self) -> Reference:
        """Return extrapolated finite volumes of the first instance."""
        return self._reference(self.duration)

    def _reference(self, seconds: float) -> Reference:
        """Return extrapolated finite volumes of the first instance until some time, at times in seconds."""
        times, start = seconds * np.array(REFERENCE_TIMES), self._coefficients["start"][:1]
        values = extrapolated(_start_of(start), REFERENCE_CELLS, times, self.equations()[0])
        return Reference(*(torch.from_numpy(part) for part in (cell_centres(REFERENCE_CELLS), times, values)))

    def equations(self) -> list[Sorption]:
        """Return the equation of each instance."""
        return [self.equation] * self.instances


class VariedSorption(DiffusionSorption):
    r"""Diffusion with sorption whose coefficients and left value differ among the instances, from any start.

    The instances of ``sciml data generate diffusion_sorption family=wide`` are of this problem.

    Parameters
    ----------
    start : u at time 0, at least 0: a number, one for each instance, or a field
    diffusivity : D in m^2/s, positive: a number, or one for each instance, as the next three
    coefficient : k of Freundlich's isotherm, at least 0
    exponent : n of the isotherm, between 0 and 1
    left : value of u at x = 0
    porosity : phi, between 0 and 1
    duration : final time in seconds

    Raises
    ------
    InputError
        If a value is out of its range, or lists differ in length.

    Examples
    --------
    >>> x = torch.linspace(0, 1, 65, dtype=torch.float64)
    >>> problem = VariedSorption(Profile(0.1 * (1 + x[None]), x), diffusivity=[2e-4, 1e-3], left=[0.5, 1.0])
    >>> problem.instances
    2
    """

    def __init__(
        self,
        start: float | list[float] | Profile = 0.1,
        diffusivity: float | list[float] = Sorption.diffusivity,
        coefficient: float | list[float] = Sorption.coefficient,
        exponent: float | list[float] = Sorption.exponent,
        left: float | list[float] = Sorption.left,
        porosity: float = Sorption.porosity,
        duration: float = 500.0,
    ) -> None:
        numbers = {"diffusivity": diffusivity, "coefficient": coefficient, "exponent": exponent, "left": left}
        self._set(Sorption(porosity=porosity), duration, instances_of(start=start, **numbers))

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return ``R(u) u_t - D u_xx`` with the coefficients of each instance."""
        u, u_t, _, u_xx = terms
        return self.retardation(u, at) * u_t - at["diffusivity"] * u_xx

    def retardation(self, u: Tensor, at: Points) -> Tensor:
        """Return R(u) with the coefficients of each instance, in the shape of u."""
        return retardation(u, self.equation.grains * at["coefficient"] * at["exponent"], at["exponent"])

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return ``u = left`` and ``u + D u_x = 0``."""
        return EndCondition(1.0, 0.0, at["left"]), EndCondition(1.0, at["diffusivity"], 0.0)

    def equations(self) -> list[Sorption]:
        """Return the equation of each instance."""
        numbers = {name: each.tolist() for name, each in self._coefficients.items() if not isinstance(each, Profile)}
        numbers.pop("start", None)
        rows = (dict(zip(numbers, values, strict=True)) for values in zip(*numbers.values(), strict=True))
        return [Sorption(porosity=self.equation.porosity, **row) for row in rows]


def _start_of(start: Coefficient) -> Start:
    """Return the start of one instance as the finite volumes take it."""
    if isinstance(start, Profile):
        return lambda x: start(torch.from_numpy(x))[0].detach().numpy()
    return float(start[0])
