"""A standard PINN by DeepXDE: one network of space and time in the Eulerian frame, Adam, then L-BFGS."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from sciml.checks import choice, number, positive, whole_number
from sciml.deepxde_backend import RANDOM, Distribution, deepxde, double_precision, forget_derivatives, seeded
from sciml.domains import Box
from sciml.errors import DivergenceError
from sciml.lpinn.baselines.contract import Baseline, Budget, BudgetTracker, Solution
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.problems.deepxde_data import Collocation, check_distribution, time_pde

LOOK = 10  # iterations of L-BFGS between two checks of the budget
HISTORY = 50  # pairs that L-BFGS keeps
ENDLESS = 10**9
DECAY_STEPS, DECAY = 1000, 0.8  # of Adam's rate
SETTINGS = {"display_every": ENDLESS, "verbose": 0}


@dataclass(frozen=True)
class DeepXdePinn(Baseline):
    """A PINN as a ``dde.Model`` with a tanh network, in float64.

    Parameters
    ----------
    conditions : ``"hard"``: the initial condition holds by the form u_0 + t N(x, t), periods by Fourier features of x;
        ``"soft"``: they are terms of the loss, as in most papers. Boundary values are terms of the loss in both
    width, layers : width and number of the hidden layers
    modes : Fourier modes of each periodic axis, if conditions are hard
    points : number in the interior of space-time; a quarter as many on its faces, and at time 0
    distribution : of the points, one of DeepXDE's
    resampled : updates of Adam after which points are drawn anew; ``"pseudo"`` and ``"LHS"`` only
    learning_rate : initial rate of Adam; it decreases by a fifth every thousand updates
    adam : share of the budget for Adam; L-BFGS has the rest
    weight : of the conditions, relative to the equation

    References
    ----------
    Lu et al., "DeepXDE: a deep learning library for solving differential equations", SIAM Review 63, 2021.
    """

    conditions: Literal["hard", "soft"] = "hard"
    width: int = 20
    layers: int = 4
    modes: int = 8
    points: int = 2000
    distribution: Distribution = "Sobol"
    resampled: int = 50
    learning_rate: float = 2e-3
    adam: float = 0.1
    weight: float = 10.0

    def __post_init__(self) -> None:
        choice("conditions", self.conditions, ("hard", "soft"))
        for name in ("width", "layers", "modes", "points", "resampled"):
            whole_number(name, getattr(self, name), at_least=1)
        for name in ("learning_rate", "weight"):
            positive(name, getattr(self, name))
        number("the share of Adam", self.adam, at_least=0, at_most=1)
        check_distribution(self.distribution)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve a problem within a budget; the import of DeepXDE does not count."""
        deepxde()
        tracker = budget.track()
        with double_precision() as dde, seeded(seed):
            model = self._model(dde, problem)
            weights = [1.0] + [self.weight] * len(model.data.bcs)
            again = self.resampled if self.distribution in RANDOM else None
            loss = train(model, tracker, rate=self.learning_rate, adam=self.adam, resampled=again, weights=weights)
        network = model.net.requires_grad_(False).eval()

        def evaluate(points: Tensor, time: float) -> Tensor:
            return network(torch.cat([points, points.new_full((len(points), 1), time)], 1))

        parameters = sum(weight.numel() for weight in network.parameters())
        return Solution(problem, evaluate, parameters, tracker.updates, tracker.seconds, loss)

    def _model(self, dde: Any, problem: TransportProblem) -> Any:
        hard = self.conditions == "hard"
        collocation = Collocation(self.points, self.points // 4, self.points // 4, self.distribution)
        data = time_pde(problem, collocation, initial=not hard, periods=not hard)
        shown = Features(problem.domain, problem.duration, self.modes if hard else 0)
        network = dde.nn.FNN([shown.count, *[self.width] * self.layers, 1], "tanh", "Glorot normal")
        network.apply_feature_transform(shown)
        if hard:
            network.apply_output_transform(with_initial(problem.initial))
        return dde.Model(data, network)


class Features:
    """The inputs of the network: Fourier features of periodic axes, and other coordinates and time scaled to [-1, 1].

    Parameters
    ----------
    domain : of space
    duration : final time
    modes : along each periodic axis, with amplitudes ``2 exp(-(k / decay)^2 / 2)``; 0 for no periodic features
    decay : of the amplitudes
    frequencies : number of sines and cosines of time, of 1 to ``frequencies`` half periods over the duration
    """

    def __init__(self, domain: Box, duration: float, modes: int, decay: float = 5.0, frequencies: int = 0) -> None:
        self.domain, self.duration = domain, duration
        numbers = torch.arange(1, modes + 1, dtype=torch.float64)
        self.numbers, self.amplitudes = numbers, 2 * torch.exp(-((numbers / decay) ** 2) / 2)
        self.frequencies = math.pi / duration * torch.arange(1, frequencies + 1, dtype=torch.float64)
        self.periodic = [bool(modes and periodic) for periodic in domain.periodic]
        self.count = sum(2 * modes if periodic else 1 for periodic in self.periodic) + 2 * frequencies + 1

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return features ``(n, count)`` of inputs ``(n, dim + 1)``, time last."""
        shown = []
        for axis, (lower, upper) in enumerate(zip(self.domain.lower, self.domain.upper, strict=True)):
            share = (inputs[:, axis : axis + 1] - lower) / (upper - lower)
            if self.periodic[axis]:
                phase = 2 * math.pi * share * self.numbers
                shown += [self.amplitudes * torch.sin(phase), self.amplitudes * torch.cos(phase)]
            else:
                shown.append(2 * share - 1)
        time = inputs[:, -1:]
        angle = time * self.frequencies
        return torch.cat([*shown, torch.sin(angle), torch.cos(angle), 2 * time / self.duration - 1], 1)


def with_initial(initial: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the output transform ``initial(x) + t N``."""
    return lambda inputs, outputs: initial(inputs[:, :-1]) + inputs[:, -1:] * outputs


def train(
    model: Any,
    tracker: BudgetTracker,
    *,
    rate: float,
    adam: float,
    resampled: int | None,
    weights: list[float] | None = None,
) -> float:
    """Train a ``dde.Model`` until the budget is used up, and return the loss at its last points.

    Parameters
    ----------
    model : data and network
    tracker : of the budget, of which Adam may use the share ``adam``, L-BFGS the rest
    rate : initial learning rate of Adam
    adam : 0 to 1
    resampled : updates of Adam between two draws of points, if there is more than one
    weights : of the terms of the loss

    Raises
    ------
    DivergenceError
        If the loss is not finite.
    """
    dde = deepxde()
    model.compile("adam", lr=rate, decay=("step", DECAY_STEPS, DECAY), loss_weights=weights, verbose=0)
    if adam and tracker.spend(adam):
        drawn = [dde.callbacks.PDEPointResampler(period=resampled)] if resampled else []
        model.train(iterations=ENDLESS, callbacks=[_spending(tracker, adam), *drawn], **SETTINGS)
    begun = False
    while tracker.spend():
        if begun:
            model.data.resample_train_points(bc_points=False)
        begun = True
        optimizer = torch.optim.LBFGS(
            model.net.parameters(),
            max_iter=LOOK,
            max_eval=25 * LOOK,  # a search of a step may take 25
            tolerance_grad=0.0,
            tolerance_change=0.0,
            history_size=HISTORY,
            line_search_fn="strong_wolfe",
        )
        model.compile(optimizer, loss_weights=weights, verbose=0)
        model.train(iterations=ENDLESS, callbacks=[_spending(tracker, 1.0, optimizer)], **SETTINGS)
    loss = float(model.outputs_losses_train(model.data.train_x, None, None)[1].detach().sum())
    forget_derivatives()
    if not loss < math.inf:
        raise DivergenceError(
            f"the loss of the PINN is {loss} after {tracker.updates} updates; use a smaller learning rate."
        )
    return loss


def _spending(tracker: BudgetTracker, until: float, optimizer: torch.optim.Optimizer | None = None) -> Any:
    """A callback that ends training at a share of the budget, or where L-BFGS finds no step any more."""

    class Spending(deepxde().callbacks.Callback):
        made = 0

        def on_epoch_begin(self) -> None:
            most = tracker.budget.updates
            if optimizer is not None and most is not None:
                optimizer.param_groups[0]["max_iter"] = min(LOOK, most - tracker.updates + 1)

        def on_epoch_end(self) -> None:
            stuck = False
            if optimizer is not None:
                state = next(iter(optimizer.state.values()))
                tracker.updates += state["n_iter"] - self.made - 1  # one was counted before it
                stuck = state["n_iter"] - self.made < optimizer.param_groups[0]["max_iter"]
                self.made = state["n_iter"]
            self.model.stop_training = stuck or not tracker.spend(until)

    return Spending()
