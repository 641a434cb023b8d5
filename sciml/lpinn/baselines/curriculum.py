"""The same equation with slower velocities first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from torch import Tensor

from sciml.checks import number, positive
from sciml.domains import Box
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.standard import ROUNDS, at_rest, network_on, pace, read, solves, space_time, spend
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.solver import CollocationPoints, SpaceTimeSolver
from sciml.nets.coordinate import check_counts


class SlowerProblem(TransportProblem):
    """Another problem with a share of its velocity; all else is the same, and nobody knows the solution.

    Parameters
    ----------
    problem : any
    share : of its velocity, over 0
    """

    def __init__(self, problem: TransportProblem, share: float) -> None:
        positive("the share of a velocity", share)
        self.problem, self.share = problem, share
        self.domain, self.duration, self.viscosity = problem.domain, problem.duration, problem.viscosity
        self.passive = problem.passive

    @property
    def labels(self) -> Box:
        """Those of the problem."""
        return self.problem.labels

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """A share of that of the problem."""
        return self.share * self.problem.velocity(x, t, u)

    def initial(self, x: Tensor) -> Tensor:
        """That of the problem."""
        return self.problem.initial(x)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor | None:
        """That of the problem."""
        return self.problem.source(x, t, u)

    def inflow(self, x: Tensor, t: Tensor) -> Tensor | None:
        """That of the problem."""
        return self.problem.inflow(x, t)


@dataclass(frozen=True)
class Curriculum(Baseline):
    """One network, fitted to the problem with ever larger shares of its velocity, each from the weights of the last.

    Parameters
    ----------
    stages : of the share, which rises evenly from 1 / stages to 1; as many as ``radians`` asks for unless given
    radians : of the longest wave of the box, about, by which more is carried past a point in each stage
    width, layers, waves : of the network; waves along periodic axes
    last : share of the budget for the last stage; the others have the same each
    enough : root mean square residual, of the usual rate of change, at which a stage ends early, but the last
    causal : epsilon of causal weights, of residuals over the usual rate of change; none if None
    points : of a round
    fitting : of a round; a few solves of least squares unless given
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
    waves: int = 1
    last: float = 0.5
    enough: float = 3e-2
    causal: float | None = None
    points: CollocationPoints = field(default_factory=lambda: CollocationPoints(900, adaptive=0.5))
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(
            stages=1 if self.stages is None else self.stages, width=self.width, layers=self.layers, waves=self.waves
        )
        positive("radians of a stage", self.radians)
        number("the share of the last stage", self.last, above=0, at_most=1)
        number("the residual that is enough", self.enough, at_least=0)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve stage after stage."""
        tracker = budget.start()
        problem.check()
        network = network_on(
            space_time(problem.labels, 0.0, 1.0), self.width, self.layers, self.waves, seed, self.device
        )
        state, stages = None, math.ceil(pace(problem) / self.radians) if self.stages is None else self.stages
        for stage in range(1, stages + 1):
            final = stage == stages
            made = at_rest(problem if final else SlowerProblem(problem, stage / stages), network)
            rate = pace(made.problem)
            points = replace(self.points, causal=self.causal / rate**2) if self.causal else self.points
            solver = SpaceTimeSolver(made, ROUNDS, self.fitting, points, seed)
            state = solver.initial() if state is None else replace(state, rms=(math.inf,))
            until = 1.0 if final else (1 - self.last) * stage / (stages - 1)
            state = spend(solver, state, tracker, until, 0.0 if final else self.enough * rate)
        return read(made, state, tracker)
