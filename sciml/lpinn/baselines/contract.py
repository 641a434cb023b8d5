"""What every baseline takes and gives: a problem and a budget in, u at points and what it cost out."""

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
    """What a baseline may spend.

    Parameters
    ----------
    seconds : of processor time, on all threads together
    updates : of the weights, at most; no limit unless given
    """

    seconds: float = 60.0
    updates: int | None = None

    def __post_init__(self) -> None:
        positive("the budget of CPU time", self.seconds)
        if self.updates is not None:
            whole_number("the budget of updates", self.updates, at_least=1)

    def start(self) -> BudgetTracker:
        """Begin to spend it."""
        return BudgetTracker(self, clock.process_time())


@dataclass
class BudgetTracker:
    """A budget that is being spent; ``spend`` says whether another update may be made, and counts it."""

    budget: Budget
    begin: float
    updates: int = 0

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return clock.process_time() - self.begin

    @property
    def share(self) -> float:
        """Spent of the budget, from 0 to 1: of the seconds or the updates, whichever is more."""
        by_updates = self.updates / self.budget.updates if self.budget.updates else 0.0
        return min(max(self.seconds / self.budget.seconds, by_updates), 1.0)

    def spend(self, until: float = 1.0) -> bool:
        """Whether less than a share of the budget is spent; if so, one more update is."""
        if self.share >= until:
            return False
        self.updates += 1
        return True


@dataclass(frozen=True)
class Solution:
    """``solution(points, time)`` is u, ``(n, 1)`` at points ``(n, dim)``, as of :class:`~sciml.lpinn.SpaceTimeField`.

    Attributes
    ----------
    problem : what was solved
    evaluate : u at points and a time
    numbers : how many weights it has
    updates, seconds : that were made and taken
    loss : at the end
    """

    problem: TransportProblem
    evaluate: Callable[[Tensor, float], Tensor]
    numbers: int
    updates: int
    seconds: float
    loss: float

    def __call__(self, points: Tensor, time: float) -> Tensor:
        """Evaluate u; points of periodic axes may be outside of the domain."""
        if not -1e-12 <= time / self.problem.duration <= 1 + 1e-12:
            raise InputError(f"the time is {time:g}, expected 0 to {self.problem.duration:g}.")
        return self.evaluate(self.problem.domain.wrap(points), time)


class Baseline(ABC):
    """A usual way to solve a transport problem by networks in a frame at rest; its settings are its fields."""

    @abstractmethod
    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve a problem within a budget.

        Raises
        ------
        InputError
            If the method does not apply to the problem.
        DivergenceError
            If its loss is not finite any more.
        """
