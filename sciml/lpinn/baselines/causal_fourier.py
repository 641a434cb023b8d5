r"""Waves of space and time, and weights that follow causality.

Features sin and cos of k . x - \omega t, with random wave numbers k that fit periods and random frequencies \omega,
enter a modified multilayer perceptron. With L_i the mean square residual in bin i of time, the loss is

    sum_i w_i L_i / bins + weight * (start, inflow),    w_i = exp(-epsilon sum_{j < i} L_j).

References
----------
Wang, Sankaran, Wang, Perdikaris, "An expert's guide to training physics-informed neural networks", 2023,
arXiv:2308.08468. Wang, Sankaran, Perdikaris, "Respecting causality for training physics-informed neural networks",
CMAME 421, 2024. Tancik et al., "Fourier features let networks learn high frequency functions in low dimensional
domains", NeurIPS 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sciml.checks import choice, positive
from sciml.errors import DivergenceError
from sciml.lpinn.baselines.contract import Baseline, Budget, BudgetTracker, Solution
from sciml.lpinn.baselines.random_fourier import RandomFourierNetwork, random_fourier_network
from sciml.lpinn.baselines.standard import SoftPinn, at_most, check_share, solves, space_time, spread_points
from sciml.lpinn.problems import TransportProblem
from sciml.nets.coordinate import check_counts
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals
from sciml.numerics.optimizers import make_optimizer
from sciml.numerics.random import generator

OPTIMIZERS = ("least_squares", "soap", "adam")


def causal_weights(losses: Tensor, epsilon: float) -> Tensor:
    """``exp(-epsilon * sum of the losses before)`` for the losses of bins of time, ``(bins,)``."""
    return torch.exp(-epsilon * (torch.cumsum(losses, 0) - losses))


@dataclass(frozen=True)
class FourierCausal(Baseline):
    """A PINN in the fixed frame with waves as fast as the flow, and causal weights.

    Parameters
    ----------
    features : number of waves
    waves : largest number of them along an axis of the box
    spread : deviation of the frequencies, of the one with which the largest speed carries the longest wave
    width, layers : of the perceptron
    points, known : for the equation, and for the start and the inflow each; new ones in each update or round
    adaptive : share of the points of the equation that goes where the residual is large
    weight : of start and inflow
    epsilon, bins : of the causal weights, of residuals over the usual rate of change
    optimizer : ``"least_squares"``, in rounds of 5 solves, or ``"soap"`` or ``"adam"``, as published
    learning_rate, decay : of SOAP or Adam: the first one, and its share that is left in the end
    device : of the network
    """

    features: int = 20
    waves: int = 2
    spread: float = 1.0
    width: int = 12
    layers: int = 2
    points: int = 1000
    adaptive: float = 0.5
    known: int = 64
    weight: float = 10.0
    epsilon: float = 10.0
    bins: int = 32
    optimizer: Literal["least_squares", "soap", "adam"] = "least_squares"
    learning_rate: float = 1e-2
    decay: float = 0.01
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = ("features", "waves", "width", "layers", "points", "known", "bins")
        check_counts(**{name: getattr(self, name) for name in names})
        check_share(self.adaptive)
        choice("the optimizer", self.optimizer, OPTIMIZERS)
        for name in ("spread", "weight", "epsilon", "learning_rate", "decay"):
            positive(name, getattr(self, name))

    def network(self, problem: TransportProblem, seed: int) -> RandomFourierNetwork:
        """Waves and weights for a problem."""
        sizes = (self.features, self.waves, self.spread, self.width, self.layers)
        return random_fourier_network(problem, *sizes, seed).to(self.device)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Make updates as long as the budget lasts."""
        tracker = budget.start()
        problem.check()
        made = SoftPinn(problem, FlatModule(self.network(problem, seed)))
        fit = self._in_rounds if self.optimizer == "least_squares" else self._in_updates
        loss = fit(made, tracker, seed)
        weights = made.network.vector()

        def evaluate(points: Tensor, time: float) -> Tensor:
            at = torch.cat([points, torch.full_like(points[:, :1], time)], 1).to(weights)
            with torch.no_grad():
                return made.jet(weights, at, 0).value.to(points)

        return Solution(problem, evaluate, made.network.count, tracker.updates, tracker.seconds, loss)

    def groups(self, made: SoftPinn, weights: Tensor, draws: torch.Generator) -> list[Residuals]:
        """Residuals on new points, with the causal weights that the given weights of the network have there."""
        problem = made.problem
        box = space_time(problem.labels, 0.0, problem.duration)
        points = spread_points(box, self.points, self.adaptive, lambda at: made.equation(weights, at)[1], draws)
        with torch.no_grad():
            square = made.equation(weights, points)[1].square()[:, 0]
        bins = (points[:, -1] / problem.duration * self.bins).long().clamp(0, self.bins - 1)
        count = torch.bincount(bins, minlength=self.bins).clamp_min(1)
        losses = square.new_zeros(self.bins).index_add(0, bins, square) / count
        scale = causal_weights(losses, self.epsilon)[bins].sqrt()[:, None]

        def equation(weights: Tensor, points: Tensor, scale: Tensor) -> Tensor:
            return scale * made.equation(weights, points)[1]

        found = [Residuals("equation", equation, (points, scale))]
        conditions = (("start", made.started(self.known, draws)), ("inflow", made.entered(self.known, draws)))
        return found + [Residuals(name, made.known, data, self.weight) for name, data in conditions if data is not None]

    def _in_rounds(self, made: SoftPinn, tracker: BudgetTracker, seed: int) -> float:
        weights, damping, loss, limit = made.network.vector(), 0.0, math.inf, tracker.budget.updates
        while tracker.share < 1 and loss > 0:
            draws = generator(seed, 1, tracker.updates, device=self.device)
            fitting = at_most(solves(), limit - tracker.updates if limit else None)
            fitted = fitting.fit(self.groups(made, weights, draws), weights, damping, draws)
            weights, damping, loss = fitted.weights, fitted.damping, fitted.rms**2
            tracker.updates += max(fitted.solves, 1)
            if not loss < math.inf:
                raise DivergenceError("the residuals on waves are not finite any more; take more points.")
        made.network.assign(weights)
        return loss

    def _in_updates(self, made: SoftPinn, tracker: BudgetTracker, seed: int) -> float:
        network, draws, loss = made.network.module, generator(seed, 1, device=self.device), math.inf
        optimizer = make_optimizer(self.optimizer, network.parameters(), self.learning_rate)

        def closure() -> Tensor:
            nonlocal loss
            optimizer.zero_grad()
            weights = torch.cat([part.flatten() for part in network.parameters()])
            total = sum(group.loss(weights) for group in self.groups(made, weights, draws))
            total.backward()
            loss = float(total.detach())
            return total

        while tracker.spend():
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * self.decay**tracker.share
            optimizer.step(closure)
            if not loss < math.inf:
                raise DivergenceError(f"the loss of {self.optimizer} is not finite; take a smaller learning rate.")
        return loss
