r"""PINNs with random Fourier features of space and time, and causal weights.

Features sin and cos of k . x - \omega t, with random wave vectors k that match the periods and random frequencies
\omega, are the inputs of a modified multilayer perceptron. With L_i the mean square residual in time bin i, the loss is

    sum_i w_i L_i / bins + weight * (initial, boundary),    w_i = exp(-epsilon sum_{j < i} L_j).

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
    """Return ``exp(-epsilon * sum of earlier losses)`` for the losses of time bins, ``(bins,)``."""
    return torch.exp(-epsilon * (torch.cumsum(losses, 0) - losses))


@dataclass(frozen=True)
class FourierCausal(Baseline):
    """A PINN in the Eulerian frame with random Fourier features as fast as the flow, and causal weights.

    Parameters
    ----------
    features : number of random features
    modes : largest mode number along an axis of the box
    spread : standard deviation of the frequencies, relative to the frequency of the lowest mode at the largest speed
    width, layers : of the perceptron
    points, known : number of points for the equation, and for initial and boundary values each; drawn anew in each
        update or round
    adaptive : share of the points of the equation that follows the size of the residual
    weight : of initial and boundary values
    epsilon, bins : of the causal weights, for residuals over the typical rate of change
    optimizer : ``"least_squares"``, in rounds of 5 solves, or ``"soap"`` or ``"adam"``, as published
    learning_rate, decay : of SOAP or Adam: the initial rate, and the factor by which it has decayed at the end
    device : of the network
    """

    features: int = 20
    modes: int = 2
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
        names = ("features", "modes", "width", "layers", "points", "known", "bins")
        check_counts(**{name: getattr(self, name) for name in names})
        check_share(self.adaptive)
        choice("the optimizer", self.optimizer, OPTIMIZERS)
        for name in ("spread", "weight", "epsilon", "learning_rate", "decay"):
            positive(name, getattr(self, name))

    def network(self, problem: TransportProblem, seed: int) -> RandomFourierNetwork:
        """Return a network with features and weights for a problem."""
        sizes = (self.features, self.modes, self.spread, self.width, self.layers)
        return random_fourier_network(problem, *sizes, seed).to(self.device)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Make updates until the budget is used up."""
        tracker = budget.track()
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
        """Return residuals at new points, with the causal weights of the given network weights."""
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
        conditions = (
            ("initial", made.initial_data(self.known, draws)),
            ("boundary", made.boundary_data(self.known, draws)),
        )
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
                raise DivergenceError("the residuals of the Fourier features are no longer finite; use more points.")
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
