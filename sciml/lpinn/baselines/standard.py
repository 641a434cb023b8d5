"""Standard PINNs in the Eulerian frame: networks of space and time, their losses and fits, as all baselines share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from sciml.checks import number
from sciml.domains import Box
from sciml.domains.adaptive import draw_where_large
from sciml.lpinn.baselines.contract import BudgetTracker, Solution
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.fitting import Fitting, LeastSquaresRounds
from sciml.lpinn.frames import Eulerian
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout import SpaceTimeField
from sciml.lpinn.solver import SpaceTimeSolver, SpaceTimeState
from sciml.nets import FourierNetwork, TanhNetwork
from sciml.nets.coordinate import CoordinateNetwork
from sciml.numerics.derivatives import Jet
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import seeded

CANDIDATES = 4  # drawn for each adaptive point
ROUNDS = 1_000_000  # more than any budget allows


def solves(count: int = 5) -> LeastSquaresRounds:
    """Return short rounds of the default least-squares fit, so that budgets are kept."""
    return LeastSquaresRounds(replace(LeastSquaresRounds().method, max_solves=count))


def network_on(
    box: Box, width: int, layers: int, modes: int, seed: int, device: torch.device | str = "cpu"
) -> CoordinateNetwork:
    """Return a network on a box of space and time that is zero initially, and exactly periodic where the box is."""
    corners, size = [box.lower, box.upper], {"width": width, "layers": layers}
    with seeded(seed):
        if any(box.periodic):
            network = FourierNetwork(box.dim, box=corners, modes=modes, periodic=box.periodic, **size)
        else:
            network = TanhNetwork(box.dim, box=corners, **size)
    network = network.double().to(device)
    start_at_zero(network)
    return network


def space_time(box: Box, begin: float, end: float) -> Box:
    """Return the box of space and time."""
    return box.during(begin, end)


def spread_points(
    box: Box, count: int, adaptive: float, residual: Callable[[Tensor], Tensor], draws: torch.Generator
) -> Tensor:
    """Return points of a box, an adaptive share of which follows the size of a residual ``(n, 1)``."""
    moved = round(count * adaptive)
    points = box.interior(count - moved, draws, kind="shifted") if moved < count else None
    if not moved:
        return points
    candidates = box.interior(CANDIDATES * moved, draws, kind="shifted")
    with torch.no_grad():
        size = residual(candidates).abs()[:, 0]
    chosen = draw_where_large(candidates, size, moved, draws)
    return chosen if points is None else torch.cat([points, chosen])


def check_share(adaptive: float) -> None:
    """Check that an adaptive share is between 0 and 1."""
    number("the adaptive share of the points", adaptive, at_least=0, at_most=1)


def eulerian(problem: TransportProblem, network: nn.Module, slabs: int = 1) -> Characteristics:
    """Return a standard PINN: in each time slab, u is the initial value plus the elapsed time times the network."""
    return Characteristics(problem, Eulerian(), FlatModule(network), slabs)


def spend(
    solver: SpaceTimeSolver, state: SpaceTimeState, tracker: BudgetTracker, until: float, enough: float = 0.0
) -> SpaceTimeState:
    """Make rounds in the slab of a state until a share of the budget is used up, or its residual is small."""
    slab, limit, fitting = state.round // solver.rounds, tracker.budget.updates, solver.fitting
    enough = max(enough, fitting.tolerance)
    while tracker.share < until and state.rms[slab] > enough and state.round // solver.rounds == slab:
        left = math.ceil(limit * until) - tracker.updates if limit else None
        if left is not None and left < 1:
            break
        solver.fitting = at_most(fitting, left)
        state, report = solver.advance(state)
        tracker.updates += report.solves
    solver.fitting = fitting
    return state


def at_most(fitting: Fitting, left: int | None) -> Fitting:
    """Return the same method with no more updates than are left."""
    return fitting if left is None else fitting.limited(left)


def read(made: Characteristics, state: SpaceTimeState, tracker: BudgetTracker) -> Solution:
    """Return the result of a solver in the Eulerian frame as a solution."""
    field = SpaceTimeField(made, state.weights)

    def evaluate(points: Tensor, time: float) -> Tensor:
        return field(points, time).to(points)

    loss = max(state.rms) ** 2
    return Solution(made.problem, evaluate, state.weights.numel(), tracker.updates, tracker.seconds, loss)


@dataclass(frozen=True)
class SoftPinn:
    """A PINN with soft conditions, u = mean + size N(x, t): all of them but the periods are terms of the loss.

    Parameters
    ----------
    problem : to be solved
    network : N, of points and times
    """

    problem: TransportProblem
    network: FlatModule

    @cached_property
    def mean(self) -> float:
        """The middle of the range of the initial condition."""
        start = self.problem.initial(self.problem.probes())
        return float(start.max() + start.min()) / 2

    @cached_property
    def size(self) -> float:
        """Half the range of the initial condition, or the change by sources if that is larger; 1 if both are 0."""
        problem, points = self.problem, self.problem.probes()
        start = problem.initial(points)
        added = problem.source(points, torch.zeros_like(start), start)
        by_source = 0.0 if added is None else problem.duration * float(added.abs().max())
        return max(float(start.max() - start.min()) / 2, by_source) or 1.0

    @cached_property
    def rate(self) -> float:
        """The typical rate of change of u."""
        return self.size / self.problem.duration * pace(self.problem)

    def jet(self, weights: Tensor, points: Tensor, order: int) -> Jet:
        """Return u with derivatives along the axes and time, at points and times ``(n, dim + 1)``."""
        jet = self.network(weights, points, order)
        return Jet(self.size * jet.rows, order).shifted(points.new_tensor(self.mean))

    def equation(self, weights: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return u and the residual of the equation over :attr:`rate`, both ``(n, 1)``."""
        problem, (x, t) = self.problem, (points[:, :-1], points[:, -1:])
        jet = self.jet(weights, points, 2 if problem.viscosity else 1)
        u, slopes = jet.value, jet.first[..., 0].T
        left = slopes[:, -1:] + (problem.velocity(x, t, u) * slopes[:, :-1]).sum(1, keepdim=True)
        source = problem.source(x, t, u)
        if source is not None:
            left = left - source
        if problem.viscosity:
            left = left - problem.viscosity * jet.second[:-1].sum(0)
        return u, left / self.rate

    def known(self, weights: Tensor, points: Tensor, values: Tensor) -> Tensor:
        """Return the difference of u and given values at points and times, over :attr:`size`, ``(n, 1)``."""
        return (self.jet(weights, points, 0).value - values) / self.size

    def initial_data(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return points at time 0, and u there."""
        x = self.problem.labels.interior(count, draws, kind="shifted")
        return torch.cat([x, torch.zeros_like(x[:, :1])], 1), self.problem.initial(x)

    def boundary_data(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor] | None:
        """Return points and times on the faces where u is given, and u there; None if there are none."""
        problem = self.problem
        if all(problem.domain.periodic):
            return None
        x, normals = problem.domain.boundary(count, draws)
        t = problem.duration * torch.rand(len(x), 1, generator=draws, device=x.device, dtype=x.dtype)
        values = problem.inflow(x, t)
        if values is None:
            return None
        points = torch.cat([x, t], 1)
        if not problem.viscosity:  # at the outflow, the value comes from inside
            inwards = (problem.velocity(x, t, values) * normals).sum(1) < 0
            points, values = points[inwards], values[inwards]
        return (points, values) if len(points) else None


def largest_speed(problem: TransportProblem) -> float:
    """Return the largest initial speed over the domain."""
    points = problem.probes()
    start = problem.initial(points)
    return float(problem.velocity(points, torch.zeros_like(start), start).norm(dim=1).max())


def pace(problem: TransportProblem) -> float:
    """Return the radians of the lowest Fourier mode that pass a point in the duration, at least 1."""
    box = problem.domain
    shortest = min(upper - lower for lower, upper in zip(box.lower, box.upper, strict=True))
    return max(1.0, 2 * math.pi * largest_speed(problem) * problem.duration / shortest)
