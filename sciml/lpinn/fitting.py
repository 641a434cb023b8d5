"""Methods for one round of a fit on given points: Levenberg-Marquardt, Adam, SOAP or L-BFGS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from sciml.checks import choice, positive, whole_number
from sciml.errors import DivergenceError
from sciml.numerics.damped_steps import NormalEquations
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.linearisation import ResidualSystem
from sciml.numerics.optimizers import OptimizerOption, make_optimizer
from sciml.status import Status

REFIT = 1e-12  # damping of the linear fit of last layers
MEMORY = 1 << 30  # bytes for its Jacobian matrix


@dataclass(frozen=True)
class Fitted:
    """The outcome of a round: weights, root mean square residual, solves or updates, next damping, and status."""

    weights: Tensor
    rms: float
    solves: int
    damping: float
    status: Status


class Fitting(ABC):
    """A method for rounds; a slab is finished when the root mean square residual is below ``tolerance``.

    Attributes
    ----------
    second_order : whether rounds solve least-squares problems, before which a fit of the last layers alone is worth it
    """

    second_order: ClassVar[bool] = False
    tolerance: float

    @abstractmethod
    def limited(self, updates: int) -> Fitting:
        """Return the same method with at most that many solves or updates in a round."""

    @abstractmethod
    def fit(self, groups: list[Residuals], start: Tensor, damping: float, generator: torch.Generator) -> Fitted:
        """Fit one round from given weights, with the damping of the round before (0 in the first)."""


@dataclass(frozen=True)
class LeastSquaresRounds(Fitting):
    """Rounds of the Levenberg-Marquardt method, each of at most ``method.max_solves`` linearisations.

    Parameters
    ----------
    method : its settings. By default, a rejected step raises the damping a little, and an accepted step lowers it a
        lot: steps stay almost as long as possible, and residuals of characteristics decrease much further

    References
    ----------
    Transtrum, Sethna, "Improvements to the Levenberg-Marquardt algorithm for nonlinear least-squares minimization",
    2012, arXiv:1201.5885, section 4 ("delayed gratification").
    """

    second_order: ClassVar[bool] = True
    method: LevenbergMarquardt = field(
        default_factory=lambda: LevenbergMarquardt(
            tolerance=1e-12, max_solves=30, damping=1e-3, smallest_damping=1e-12, increase=2.0, trials=40, patience=6
        )
    )

    @property
    def tolerance(self) -> float:
        """The tolerance of the method."""
        return self.method.tolerance

    def limited(self, updates: int) -> LeastSquaresRounds:
        """Return the same method with at most that many solves in a round."""
        return LeastSquaresRounds(replace(self.method, max_solves=min(updates, self.method.max_solves)))

    def fit(self, groups: list[Residuals], start: Tensor, damping: float, generator: torch.Generator) -> Fitted:
        """Fit the weights by some Levenberg-Marquardt solves."""
        method = replace(self.method, damping=damping) if damping else self.method
        result = method.minimise(groups, start, generator=generator)
        return Fitted(result.value, result.rms, result.solves, result.damping, result.status)


@dataclass(frozen=True)
class GradientRounds(Fitting):
    """Rounds of Adam, SOAP or L-BFGS, as in :mod:`sciml.numerics.optimizers`; each round starts a new optimiser.

    Parameters
    ----------
    optimizer : ``"adam"``, ``"soap"`` or ``"lbfgs"``
    learning_rate : positive
    updates : number in a round
    tolerance : root mean square residual at which a slab is finished
    options : further arguments of the optimiser
    """

    optimizer: Literal["adam", "soap", "lbfgs"] = "adam"
    learning_rate: float = 3e-3
    updates: int = 500
    tolerance: float = 0.0
    options: Mapping[str, OptimizerOption] | None = None

    def __post_init__(self) -> None:
        choice("the optimizer", self.optimizer, ("adam", "soap", "lbfgs"))
        positive("the learning rate", self.learning_rate)
        whole_number("the number of updates", self.updates, at_least=1)

    def limited(self, updates: int) -> GradientRounds:
        """Return the same method with at most that many updates in a round."""
        return replace(self, updates=min(updates, self.updates))

    def fit(self, groups: list[Residuals], start: Tensor, damping: float, generator: torch.Generator) -> Fitted:
        """Fit the weights by some updates of the optimiser."""
        weights = nn.Parameter(start.clone())
        optimizer = make_optimizer(self.optimizer, [weights], self.learning_rate, options=self.options)
        loss = torch.inf

        def closure() -> Tensor:
            nonlocal loss
            optimizer.zero_grad()
            total = sum(group.loss(weights) for group in groups)
            total.backward()
            loss = float(total.detach())
            return total

        for number in range(1, self.updates + 1):
            optimizer.step(closure)
            if not loss < torch.inf:
                raise DivergenceError(
                    f"the loss of {self.optimizer} is not finite in update {number}; take a smaller learning rate."
                )
        status = Status.CONVERGED if loss**0.5 <= self.tolerance else Status.LIMIT
        return Fitted(weights.detach(), loss**0.5, self.updates, 0.0, status)


def refitted(group: Residuals, start: Tensor, chosen: Tensor) -> Tensor:
    """Return weights after a Gauss-Newton step of some of them, which fits what depends on them linearly.

    Parameters
    ----------
    group : the residuals
    start : ``(p,)``
    chosen : indices of the weights that change, ``(k,)``; if there are none, the start is returned
    """
    if not len(chosen):
        return start
    system = ResidualSystem([group], len(start))
    steps = NormalEquations(system, start, system.residual(start), MEMORY, chosen)
    return start.index_add(0, chosen, steps.step(REFIT * steps.scale))
