"""Sequence-to-sequence learning: PINNs on time windows, one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from sciml.checks import positive
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.standard import ROUNDS, eulerian, network_on, pace, read, solves, space_time, spend
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.solver import CollocationPoints, SpaceTimeSolver
from sciml.nets.coordinate import check_counts


@dataclass(frozen=True)
class SequenceToSequence(Baseline):
    """Sequence-to-sequence learning: one network for each time window, whose initial condition is the end of the last.

    The initial condition of a window holds exactly; in the paper it is a term of the loss.

    Parameters
    ----------
    windows : number of equal windows; by default as many as ``radians`` requires
    radians : of the lowest Fourier mode that pass a point in a window, about
    width, layers, modes : of each network; Fourier modes along periodic axes
    points : of a round
    fitting : of a round; a few least-squares solves by default
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
    modes: int = 1
    points: CollocationPoints = field(default_factory=lambda: CollocationPoints(700, adaptive=0.5))
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(
            windows=1 if self.windows is None else self.windows, width=self.width, layers=self.layers, modes=self.modes
        )
        positive("radians of a window", self.radians)

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Solve one window after the other, each with the same share of the budget."""
        tracker = budget.track()
        problem.check()
        windows = math.ceil(pace(problem) / self.radians) if self.windows is None else self.windows
        network = network_on(
            space_time(problem.labels, 0.0, 1.0), self.width, self.layers, self.modes, seed, self.device
        )
        made = eulerian(problem, network, windows)
        solver = SpaceTimeSolver(made, ROUNDS, self.fitting, self.points, seed)
        state = solver.initial()
        for window in range(windows):
            state = replace(state, round=window * ROUNDS)
            state = spend(solver, state, tracker, (window + 1) / windows)
        return read(made, state, tracker)
