"""Curriculum learning: a PINN that solves the equation with slower velocities first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from torch import Tensor

from sciml.checks import number, positive
from sciml.domains import Box
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.standard import ROUNDS, eulerian, network_on, pace, read, solves, space_time, spend
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.solver import CollocationPoints, SpaceTimeSolver
from sciml.nets.coordinate import check_counts


class SlowerProblem(TransportProblem):
    """A problem with a share of the velocity of another one, and no known solution; all else is the same.

    Parameters
    ----------
    problem : any
    share : of its velocity, positive
    """

    def __init__(self, problem: TransportProblem, share: float) -> None:
        positive("the share of a velocity", share)
        self.problem, self.share = problem, share
        self.domain, self.duration, self.viscosity = problem.domain, problem.duration, problem.viscosity
        self.passive = problem.passive

    @property
    def labels(self) -> Box:
        """The box of labels of the problem."""
        return self.problem.labels

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Return a share of the velocity of the problem."""
        return self.share * self.problem.velocity(x, t, u)

    def initial(self, x: Tensor) -> Tensor:
        """Return that of the problem."""
        return self.problem.initial(x)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        """Return that of the problem."""
        return self.problem.source(x, t, u)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor | None:
        """Return that of the problem."""
        return self.problem.inflow(x, t)


@dataclass(frozen=True)
class Curriculum(Baseline):
    """Curriculum learning: one network, fitted to the problem with increasing shares of its velocity.

    Parameters
    ----------
    stages : number of stages, in which the share rises evenly from 1 / stages to 1; by default as many as ``radians``
        requires
    radians : of the lowest Fourier mode that pass a point more in each stage, about
    width, layers, modes : of the network; Fourier modes along periodic axes
    last : share of the budget for the last stage; the others have equal shares
    enough : root mean square residual, over the typical rate of change, at which all stages but the last end early
    causal : epsilon of causal weights, for residuals over the typical rate of change; None for no weights
    points : of a round
    fitting : of a round; a few least-squares solves by default
    device : of the network

    References
    ----------
    Krishnapriyan et al., "Characterizing possible failure modes in physics-informed neural networks", NeurIPS 2021,
    section 5.1.
    """

    stages: int | None = None
    radians: float = 1.5
    width: int = 22
    layers: int = 3
    modes: int = 1
    last: float = 0.5
    enough: float = 3e-2
    causal: float | None = None
    points: CollocationPoints = field(default_factory=lambda: CollocationPoints(900, adaptive=0.5))
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(
            stages=1 if self.stages is None else self.stages, width=self.width, layers=self.layers, modes=self.modes
        )
        positive("radians of a stage", self.radians)
        number("the share of the last stage", self.last, above=0, at_most=1)
        number("the residual that is enough", self.enough, at_least=0)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve one stage after the other, each from the weights of the last."""
        tracker = budget.track()
        problem.check()
        network = network_on(
            space_time(problem.labels, 0.0, 1.0), self.width, self.layers, self.modes, seed, self.device
        )
        state, stages = None, math.ceil(pace(problem) / self.radians) if self.stages is None else self.stages
        for stage in range(1, stages + 1):
            final = stage == stages
            made = eulerian(problem if final else SlowerProblem(problem, stage / stages), network)
            rate = pace(made.problem)
            points = replace(self.points, causal=self.causal / rate**2) if self.causal else self.points
            solver = SpaceTimeSolver(made, ROUNDS, self.fitting, points, seed)
            state = solver.initial() if state is None else replace(state, rms=(math.inf,))
            until = 1.0 if final else (1 - self.last) * stage / (stages - 1)
            state = spend(solver, state, tracker, until, 0.0 if final else self.enough * rate)
        return read(made, state, tracker)
