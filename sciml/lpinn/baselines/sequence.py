"""Windows of time, one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from sciml.checks import positive
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.standard import ROUNDS, at_rest, network_on, pace, read, solves, space_time, spend
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.solver import CollocationPoints, SpaceTimeSolver
from sciml.nets.coordinate import check_counts


@dataclass(frozen=True)
class SequenceToSequence(Baseline):
    """A network for each window of time, which starts from what the window before ended with.

    The start of a window holds exactly, where the paper has a term of the loss.

    Parameters
    ----------
    windows : of equal length; as many as ``radians`` asks for unless given
    radians : of the longest wave of the box that the largest speed carries past a point in a window, about
    width, layers, waves : of each network; waves along periodic axes
    points : of a round
    fitting : of a round; a few solves of least squares unless given
    device : of the networks

    References
    ----------
    Krishnapriyan et al., "Characterizing possible failure modes in physics-informed neural networks", NeurIPS 2021,
    section 5.2.
    """

    windows: int | None = None
    radians: float = 2.5
    width: int = 16
    layers: int = 3
    waves: int = 1
    points: CollocationPoints = field(default_factory=lambda: CollocationPoints(700, adaptive=0.5))
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(
            windows=1 if self.windows is None else self.windows, width=self.width, layers=self.layers, waves=self.waves
        )
        positive("radians of a window", self.radians)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve window after window, each with the same share of the budget."""
        tracker = budget.start()
        problem.check()
        windows = math.ceil(pace(problem) / self.radians) if self.windows is None else self.windows
        network = network_on(
            space_time(problem.labels, 0.0, 1.0), self.width, self.layers, self.waves, seed, self.device
        )
        made = at_rest(problem, network, windows)
        solver = SpaceTimeSolver(made, ROUNDS, self.fitting, self.points, seed)
        state = solver.initial()
        for window in range(windows):
            state = replace(state, round=window * ROUNDS)
            state = spend(solver, state, tracker, (window + 1) / windows)
        return read(made, state, tracker)
