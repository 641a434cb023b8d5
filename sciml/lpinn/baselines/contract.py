"""The interface of baselines: from a problem and a budget to u at points and its cost."""

from __future__ import annotations

import time as clock
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from sciml.checks import positive, whole_number
from sciml.errors import InputError
from sciml.lpinn.problems import TransportProblem


@dataclass(frozen=True)
class Budget:
    """The budget of a baseline.

    Parameters
    ----------
    seconds : CPU time [s] of all threads together
    updates : largest number of updates of the weights; by default there is no limit
    """

    seconds: float = 60.0
    updates: int | None = None

    def __post_init__(self) -> None:
        positive("the budget of CPU time", self.seconds)
        if self.updates is not None:
            whole_number("the budget of updates", self.updates, at_least=1)

    def track(self) -> BudgetTracker:
        """Return a tracker that starts now."""
        return BudgetTracker(self, clock.process_time())


@dataclass
class BudgetTracker:
    """A tracker of the part of a budget that is used up; :meth:`spend` counts updates."""

    budget: Budget
    begin: float
    updates: int = 0

    @property
    def seconds(self) -> float:
        """The CPU time so far [s]."""
        return clock.process_time() - self.begin

    @property
    def share(self) -> float:
        """The share of the budget that is used up, from 0 to 1: that of CPU time or updates, whichever is larger."""
        by_updates = self.updates / self.budget.updates if self.budget.updates else 0.0
        return min(max(self.seconds / self.budget.seconds, by_updates), 1.0)

    def spend(self, until: float = 1.0) -> bool:
        """Return whether less than a share of the budget is used up; if so, count one more update."""
        if self.share >= until:
            return False
        self.updates += 1
        return True


@dataclass(frozen=True)
class Solution:
    """The solution of a baseline: ``solution(points, time)`` returns u, ``(n, 1)``, at points ``(n, dim)``.

    Attributes
    ----------
    problem : that was solved
    evaluate : returns u at points and a time
    parameters : number of parameters of the networks
    updates, seconds : number of updates, and CPU time [s]
    loss : of the last update
    """

    problem: TransportProblem
    evaluate: Callable[[Tensor, float], Tensor]
    parameters: int
    updates: int
    seconds: float
    loss: float

    def __call__(self, points: Tensor, time: float) -> Tensor:
        """Return u at points, which may be outside of the domain along periodic axes."""
        if not -1e-12 <= time / self.problem.duration <= 1 + 1e-12:
            raise InputError(f"the time is {time:g}, expected 0 to {self.problem.duration:g}.")
        return self.evaluate(self.problem.domain.wrap(points), time)


class Baseline(ABC):
    """A physics-informed network (PINN) in the Eulerian frame; its settings are the fields of the class."""

    @abstractmethod
    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve a problem within a budget.

        Raises
        ------
        InputError
            If the method does not apply to the problem.
        DivergenceError
            If the loss is no longer finite.
        """
