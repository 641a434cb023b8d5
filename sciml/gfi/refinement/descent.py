"""Limited-memory BFGS within bounds, a step at a time, for a sum of terms whose weights may change between steps.

The memory holds the change of the gradient of each term by itself, so that a step with other weights, such as those of
a regularisation that falls with the misfit, still knows the curvature of the whole sum. The state is a handful of
arrays: a run that is interrupted goes on bit for bit.

References
----------
Liu, Nocedal, Mathematical Programming 45 (1989) 503 (the two loops); Bertsekas, SIAM Journal on Control and
Optimization 20 (1982) 221 (bounds: variables that are at one and would leave are held, steps are projected).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

SUFFICIENT = 1e-4  # share of the decrease that the slope promises
MOST_TRIALS = 6  # of a line search
MEMORY = 20  # steps that are remembered
FLAT = 1e-10  # cosine between a step and the change of the gradient below which their pair says nothing

Preconditioner = Callable[[np.ndarray], np.ndarray]
"""A symmetric positive definite map of gradients, which stands for the inverse of the Hessian at first."""


class Trial(NamedTuple):
    """The terms at a point, and their gradients once these are asked for.

    Attributes
    ----------
    values : (terms,)
    gradients : returns (terms, n)
    watched : a number that is not minimised
    """

    values: np.ndarray
    gradients: Callable[[], np.ndarray]
    watched: float = 0.0


Terms = Callable[[np.ndarray], Trial]


@dataclass(frozen=True)
class Position:
    """A point of the iteration, with the last steps that it remembers.

    Attributes
    ----------
    point : (n,)
    values : of the terms, (terms,)
    gradients : of the terms, (terms, n)
    steps : the last ones, (pairs, n), the newest last
    changes : of the gradients over these steps, (pairs, terms, n)
    watched : a number that is not minimised
    """

    point: np.ndarray
    values: np.ndarray
    gradients: np.ndarray
    steps: np.ndarray
    changes: np.ndarray
    watched: float = 0.0

    @classmethod
    def at(cls, point: np.ndarray, terms: Terms) -> Position:
        """Return the position at a point, without memory."""
        trial = terms(point)
        gradients = trial.gradients()
        memory = np.zeros((0, len(point))), np.zeros((0, *gradients.shape))
        return cls(point, trial.values, gradients, *memory, trial.watched)

    def forgetful(self) -> Position:
        """Return the same position without memory."""
        return replace(self, steps=self.steps[:0], changes=self.changes[:0])


@dataclass(frozen=True)
class Descent:
    """The rules of the steps.

    Parameters
    ----------
    lower, upper : bounds of all variables
    longest : change of a variable that a step may propose
    memory : number of pairs
    first : change of a variable that the first step proposes
    """

    lower: float
    upper: float
    longest: float = 300.0
    memory: int = MEMORY
    first: float = 30.0

    def step(
        self,
        position: Position,
        terms: Terms,
        weights: np.ndarray,
        precondition: Preconditioner,
        trials: int = MOST_TRIALS,
    ) -> Position:
        """Return the position after one step that decreases the weighted sum; the same object if none does.

        Parameters
        ----------
        position : present one
        terms : the terms of the sum
        weights : of the terms, (terms,), positive or zero
        precondition : see :data:`Preconditioner`
        trials : evaluations of the terms that it may take, at least one
        """
        left = trials

        def counted(point: np.ndarray) -> Trial:
            nonlocal left
            left -= 1
            return terms(point)

        found = self._search(position, counted, weights, self._direction(position, weights, precondition), left)
        if found is None and len(position.steps) and left > 0:
            position = position.forgetful()
            found = self._search(position, counted, weights, self._direction(position, weights, precondition), left)
        return position if found is None else self._remembered(position, *found)

    def _direction(self, position: Position, weights: np.ndarray, precondition: Preconditioner) -> np.ndarray:
        """Return the direction of the two loops, on the variables that are free to move."""
        x, slope = position.point, weights @ position.gradients
        free = ~(((x <= self.lower) & (slope > 0.0)) | ((x >= self.upper) & (slope < 0.0)))
        pairs = []
        for step, changes in zip(position.steps, position.changes, strict=True):
            s, y = step * free, (weights @ changes) * free
            curvature = s @ y
            if curvature > FLAT * np.sqrt((s @ s) * (y @ y)):
                pairs.append((s, y, curvature))
        q, shares = slope * free, []
        for s, y, curvature in reversed(pairs):
            share = (s @ q) / curvature
            q = q - share * y
            shares.append(share)
        q = free * precondition(q)
        if pairs:
            s, y, curvature = pairs[-1]
            q *= curvature / (y @ (free * precondition(y)))
        for (s, y, curvature), share in zip(pairs, reversed(shares), strict=True):
            q = q + (share - (y @ q) / curvature) * s
        largest = np.abs(q).max()
        if largest > 0.0:
            q = q * (min(1.0, self.longest / largest) if pairs else self.first / largest)
        return -q

    def _search(
        self, position: Position, terms: Terms, weights: np.ndarray, direction: np.ndarray, trials: int
    ) -> tuple[np.ndarray, Trial] | None:
        """Return the first point along the projected direction with a sufficient decrease, None without one."""
        value, slope, length = weights @ position.values, weights @ position.gradients, 1.0
        for _ in range(min(trials, MOST_TRIALS)):
            point = np.clip(position.point + length * direction, self.lower, self.upper)
            promised = slope @ (point - position.point)
            if not promised < 0.0:
                return None
            trial = terms(point)
            excess = weights @ trial.values - value
            if excess <= SUFFICIENT * promised:
                return point, trial
            quadratic = -0.5 * promised / (excess - promised) if np.isfinite(excess) else 0.1
            length *= min(max(quadratic, 0.1), 0.5)
        return None

    def _remembered(self, position: Position, point: np.ndarray, trial: Trial) -> Position:
        gradients = trial.gradients()
        steps = np.concatenate([position.steps, (point - position.point)[None]])[-self.memory :]
        changes = np.concatenate([position.changes, (gradients - position.gradients)[None]])[-self.memory :]
        return Position(point, trial.values, gradients, steps, changes, trial.watched)
