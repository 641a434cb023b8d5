"""The unknown coefficients of a problem as a vector, those that are positive by their logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sciml.checks import choice, instance, known_names, positive
from sciml.errors import DivergenceError, InputError
from sciml.hcmoe.coupled import CoupledExperts
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.problems.base import EndCondition, Points, SpaceTimeProblem
from sciml.hcmoe.problems.profiles import Coefficients, Profile

Kind = Literal["positive", "real"]
POSITIVE, REAL = "positive", "real"


class WithCoefficients(SpaceTimeProblem):
    """A problem with other values of some of its coefficients, and no exact solution.

    Parameters
    ----------
    problem : the equation, which takes its coefficients from the points at which it is evaluated
    values : by name, each ``(instances,)``; torch functions of what the solution is to be differentiated by
    """

    def __init__(self, problem: SpaceTimeProblem, values: Mapping[str, Tensor]) -> None:
        self.problem, self.domain, self.duration = problem, problem.domain, problem.duration
        self.orders, self.linear, self.time_power = problem.orders, problem.linear, problem.time_power
        self.well_posed = problem.well_posed
        self._coefficients = {**problem.coefficients, **values}

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients, with the other values."""
        return self._coefficients

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return the residual of the problem."""
        return self.problem.residual(terms, at)

    def initial(self, at: Points) -> Tensor:
        """Return the start of the problem."""
        return self.problem.initial(at)

    def ends(self, at: Points) -> tuple[EndCondition, EndCondition]:
        """Return the conditions of the problem."""
        return self.problem.ends(at)


@dataclass(frozen=True, eq=False)
class Unknowns:
    """Coefficients of a problem that are to be found, as a vector w that may be any: logarithms of positive ones.

    Parameters
    ----------
    problem : one instance, whose own coefficients are where the search begins
    kinds : of the unknown coefficients by name, ``"positive"`` or ``"real"``

    Raises
    ------
    InputError
        If the problem has no coefficient of a name, or one of 0 or less that is to be positive.

    Examples
    --------
    >>> from sciml.hcmoe import BurgersWaves
    >>> unknowns = Unknowns(BurgersWaves(viscosity=0.02, waves=[1.0]), {"viscosity": "positive", "wave_1": "real"})
    >>> [f"{value:.3f}" for value in unknowns.start.tolist()]
    ['-3.912', '1.000']
    """

    problem: SpaceTimeProblem
    kinds: Mapping[str, Kind]

    def __post_init__(self) -> None:
        instance("the problem", self.problem, SpaceTimeProblem, "a SpaceTimeProblem").check()
        instance("the kinds of unknown coefficients", self.kinds, Mapping, "kinds by the name of the coefficient")
        name, known = type(self.problem).__name__, self.problem.coefficients
        if self.problem.instances != 1:
            raise InputError(f"the problem has {self.problem.instances} instances, expected one.")
        if not self.kinds:
            raise InputError(f"no coefficient of {name} is unknown, expected at least one of {', '.join(known)}.")
        known_names(f"an unknown coefficient of {name}", self.kinds, known)
        for each, kind in self.kinds.items():
            choice(f"the kind of {each}", kind, (POSITIVE, REAL))
        self.vector(self.problem)

    @property
    def start(self) -> Tensor:
        """The vector of the problem's own coefficients, ``(m,)``."""
        return self.vector(self.problem)

    def vector(self, problem: SpaceTimeProblem) -> Tensor:
        """Return the vector of the coefficients of another problem with the same names, ``(m,)``.

        Raises
        ------
        InputError
            If it has no coefficient of a name, a field in its place, or one of 0 or less that is to be positive.
        """
        owner = type(problem).__name__
        known_names(f"an unknown coefficient of {owner}", self.kinds, problem.coefficients)
        values = []
        for name, kind in self.kinds.items():
            given = problem.coefficients[name]
            if isinstance(given, Profile):
                raise InputError(f"the {name} of {owner} is a field, expected a number as unknown coefficient.")
            value = float(given[0])
            if kind == POSITIVE:
                value = math.log(positive(f"the {name} of {owner}, a positive unknown,", value))
            values.append(value)
        return torch.tensor(values, dtype=torch.float64)

    def values(self, w: Tensor) -> Tensor:
        """Return the coefficients that a vector stands for, ``(m,)``."""
        safe = torch.where(self._logarithmic, w, 0.0)  # an exponential that overflows would spoil the derivatives
        return torch.where(self._logarithmic, safe.exp(), w)

    def deviations(self, w: Tensor, of_vector: Tensor) -> Tensor:
        """Return the standard deviations of the coefficients for those of the vector, both ``(m,)``."""
        return torch.where(self._logarithmic, self.values(w), 1.0) * of_vector

    def problem_at(self, w: Tensor) -> SpaceTimeProblem:
        """Return the problem with the coefficients of a vector, as functions of it.

        Raises
        ------
        DivergenceError
            If one of them is not finite.
        """
        values = self.values(w)
        if not bool(values.isfinite().all()):
            raise DivergenceError("an unknown coefficient is not finite any more; begin the search elsewhere.")
        return WithCoefficients(self.problem, dict(zip(self.kinds, values[:, None], strict=True)))

    def experts(self, elements: Elements, slabs: Slabs) -> Callable[[Tensor], CoupledExperts]:
        """Return what makes the experts for a vector, as :func:`~sciml.hcmoe.inverse.identify` takes it."""
        return lambda w: CoupledExperts(self.problem_at(w), elements, slabs)

    @property
    def _logarithmic(self) -> Tensor:
        return torch.tensor([kind == POSITIVE for kind in self.kinds.values()])
