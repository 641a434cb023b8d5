r"""Waves in space and time, and weights that follow causality.

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
from torch import Tensor, nn

from sciml.errors import DivergenceError, InputError
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.pinn import SoftPinn, largest_speed, space_time
from sciml.lpinn.problems import TransportProblem
from sciml.nets.coordinate import CoordinateNetwork, check_counts, draw_normal
from sciml.numerics.derivatives import Jet, concatenate, coordinates, linear, tanh
from sciml.numerics.flat import FlatModule
from sciml.numerics.optimizers import make_optimizer
from sciml.numerics.random import generator, seeded


class WaveNetwork(CoordinateNetwork):
    """Random waves in space and time, then a perceptron whose layers mix two encodings of them.

    Each layer's output g becomes ``g U + (1 - g) V`` with U and V layers of the features.

    Parameters
    ----------
    waves : wave vectors and frequencies ``(features, dim + 1)``
    origin : where all phases are 0, ``(dim + 1,)``
    width, layers : of the perceptron
    """

    def __init__(self, waves: Tensor, origin: Tensor, width: int, layers: int) -> None:
        features = 2 * len(waves)
        super().__init__(waves.shape[1], 1, features, width, layers)
        self.encodings = nn.ModuleList(nn.Linear(features, width) for _ in range(2))
        for part in (self.layers, self.encodings):
            draw_normal(part, 1.0)
        self.register_buffer("waves", waves)
        self.register_buffer("origin", origin)

    def encode(self, points: Jet) -> Jet:
        """Sines and cosines."""
        phase = linear(points.shifted(-self.origin), self.waves)
        sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
        return concatenate(phase.apply(sines, cosines, -sines), phase.apply(cosines, -sines, -cosines))

    def activate(self, jet: Jet) -> Jet:
        """``tanh``."""
        return tanh(jet)

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate at points ``(n, dim + 1)``, with derivatives up to ``order`` if one is given."""
        jet = self.encode(coordinates(points, order or 0, directions))
        one, other = (tanh(linear(jet, layer.weight, layer.bias)) for layer in self.encodings)
        between = Jet(one.rows - other.rows, one.order)
        for layer in self.layers[:-1]:
            jet = between * tanh(linear(jet, layer.weight, layer.bias)) + other
        jet = linear(jet, self.layers[-1].weight, self.layers[-1].bias)
        return jet.value if order is None else jet


def causal_weights(losses: Tensor, epsilon: float) -> Tensor:
    """``exp(-epsilon * sum of the losses before)`` for the losses of bins of time, ``(bins,)``."""
    return torch.exp(-epsilon * (torch.cumsum(losses, 0) - losses))


@dataclass(frozen=True)
class FourierCausal(Baseline):
    """The strongest usual PINN in the fixed frame: waves at the speed of the flow, causal weights, SOAP.

    Parameters
    ----------
    features : number of waves
    waves : largest number of them along an axis of the box
    spread : deviation of the frequencies, of the one with which the largest speed carries the longest wave
    width, layers : of the perceptron
    points, known : for the equation, and for the start and the inflow each; new ones in each update
    weight : of start and inflow
    epsilon, bins : of the causal weights
    optimizer : ``"soap"`` or ``"adam"``
    learning_rate, decay : of the first update, and its share that is left in the last one
    device : of the network
    """

    features: int = 32
    waves: int = 2
    spread: float = 1.0
    width: int = 32
    layers: int = 2
    points: int = 1024
    known: int = 64
    weight: float = 100.0
    epsilon: float = 1.0
    bins: int = 32
    optimizer: Literal["soap", "adam"] = "soap"
    learning_rate: float = 3e-3
    decay: float = 0.01
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = ("features", "waves", "width", "layers", "points", "known", "bins")
        check_counts(**{name: getattr(self, name) for name in names})
        if self.optimizer not in ("soap", "adam"):
            raise InputError(f"there is no optimizer {self.optimizer!r} here, expected soap or adam.")
        for name in ("spread", "weight", "epsilon", "learning_rate", "decay"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(f"{name} is {value!r}, expected a number over 0.")

    def network(self, problem: TransportProblem, seed: int) -> WaveNetwork:
        """Draw waves and weights; periods hold exactly."""
        box, draws = problem.labels, generator(seed, 0)
        lower, upper = torch.tensor([box.lower, box.upper], dtype=torch.float64)
        first = 2 * math.pi / (upper - lower)
        shape = (self.features, box.dim)
        numbers = torch.randint(-self.waves, self.waves + 1, shape, generator=draws).to(lower)
        free = ~torch.tensor(box.periodic)
        moved = torch.rand(shape, generator=draws, dtype=torch.float64) - 0.5
        numbers = numbers + moved * free  # where there is no period, any wave number will do
        carried = max(largest_speed(problem) * float(first.max()), 1 / problem.duration)
        frequencies = carried * self.spread * torch.randn(self.features, 1, generator=draws, dtype=torch.float64)
        origin = torch.tensor([*box.lower, 0.0], dtype=torch.float64)
        with seeded(seed):
            network = WaveNetwork(torch.cat([numbers * first, frequencies], 1), origin, self.width, self.layers)
        return network.double().to(self.device)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Make updates as long as the budget lasts."""
        purse = budget.start()
        problem.check()
        network = self.network(problem, seed)
        made, draws, loss = SoftPinn(problem, FlatModule(network)), generator(seed, 1, device=self.device), math.inf
        optimizer = make_optimizer(self.optimizer, network.parameters(), self.learning_rate)

        def closure() -> Tensor:
            nonlocal loss
            optimizer.zero_grad()
            total = self.loss(made, torch.cat([part.flatten() for part in network.parameters()]), draws)
            total.backward()
            loss = float(total.detach())
            return total

        while purse.spend():
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * self.decay**purse.share
            optimizer.step(closure)
            if not loss < math.inf:
                raise DivergenceError(f"the loss of {self.optimizer} is not finite; take a smaller learning rate.")

        weights = made.network.vector()

        def evaluate(points: Tensor, time: float) -> Tensor:
            with torch.no_grad():
                at = torch.cat([points, torch.full_like(points[:, :1], time)], 1).to(weights)
                return made.jet(weights, at, 0).value.to(points)

        return Solution(problem, evaluate, made.network.count, purse.updates, purse.seconds, loss)

    def loss(self, made: SoftPinn, weights: Tensor, draws: torch.Generator) -> Tensor:
        """The loss on new points."""
        problem, box = made.problem, made.problem.labels
        points = space_time(box, 0.0, problem.duration).interior(self.points, draws, kind="shifted")
        square = made.equation(weights, points)[1].square()[:, 0]
        bins = (points[:, -1] / problem.duration * self.bins).long().clamp(0, self.bins - 1)
        count = torch.bincount(bins, minlength=self.bins).clamp_min(1)
        losses = square.new_zeros(self.bins).index_add(0, bins, square) / count
        total = (causal_weights(losses.detach(), self.epsilon) * losses).mean()
        for data in (made.started(self.known, draws), made.entered(self.known, draws)):
            if data is not None:
                total = total + self.weight * made.known(weights, *data).square().mean()
        return total
