"""The solver of transport problems: time slabs one after the other, each fitted in rounds on new points."""

from __future__ import annotations

import math
import sys
import time as clock
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sciml.checks import number, positive, whole_number
from sciml.domains import Box
from sciml.domains.adaptive import draw_where_large
from sciml.errors import DivergenceError, InputError
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.fitting import Fitted, Fitting, LeastSquaresRounds, refitted
from sciml.lpinn.networks import last_layers
from sciml.lpinn.problems import TransportProblem
from sciml.numerics.least_squares import Residuals
from sciml.numerics.random import generator
from sciml.status import Status
from sciml.tables import summary

CANDIDATES = 8  # drawn for each adaptive point
BINS = 16  # time bins of a slab, for causal weights


@dataclass(frozen=True)
class CollocationPoints:
    """Collocation points: labels and times of a slab at which residuals are evaluated.

    Parameters
    ----------
    count : number of points; for least squares at least twice the number of parameters, four times in long rounds
    adaptive : share of points that follows the size of the residual, 0 to 1; not in the first round of the first slab
    boundary : number of points on the faces of axes that are not periodic, if there are boundary values that are not
        satisfied by the form of the state
    causal : epsilon of the causal weights exp(-epsilon * sum of earlier losses), in time bins; by default no weights

    References
    ----------
    Wu et al., CMAME 403, 2023: adaptive points. Wang, Sankaran, Perdikaris, CMAME 421, 2024: causal weights.
    """

    count: int = 1200
    adaptive: float = 0.0
    boundary: int = 100
    causal: float | None = None

    def __post_init__(self) -> None:
        for name in ("count", "boundary"):
            whole_number(f"the {name} of points", getattr(self, name), at_least=1)
        number("the adaptive share of the points", self.adaptive, at_least=0, at_most=1)
        if self.causal is not None:
            positive("causal", self.causal)


@dataclass(frozen=True)
class SpaceTimeState:
    """The state of a run: completed rounds, weights of all slabs ``(slabs, p)``, damping, and residual of each slab."""

    round: int
    weights: Tensor
    damping: float
    rms: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class RoundReport:
    """The outcome of one round; one that is left out, since the residual is below the tolerance, has converged."""

    round: int
    slab: int
    rms: float
    solves: int
    seconds: float
    status: Status = Status.CONVERGED

    def __str__(self) -> str:
        """Return the round on one line."""
        return f"round {self.round}, slab {self.slab}: residual {self.rms:.2e} after {self.solves} solves"

    def __repr__(self) -> str:
        """Return the report as a table."""
        rows = {"time slab": self.slab, "residual norm (rms)": f"{self.rms:.2e}", "solves or updates": self.solves}
        return summary(f"Round {self.round}", {**rows, "status": self.status.value, "CPU time [s]": self.seconds})


class SpaceTimeSolver:
    """Fit characteristics to their equations, one time slab after the other.

    Parameters
    ----------
    characteristics : problem, frame, network and slabs
    rounds : largest number of each slab
    fitting : method of a round; least squares by default
    points : of a round
    seed : of all points

    Warns
    -----
    UserWarning
        If characteristics will cross, or diffusion is by label where that changes the equation.
    """

    def __init__(
        self,
        characteristics: Characteristics,
        rounds: int = 10,
        fitting: Fitting | None = None,
        points: CollocationPoints | None = None,
        seed: int = 0,
    ) -> None:
        whole_number("the number of rounds", rounds, at_least=1)
        _warn(characteristics.frame.cautions(characteristics.problem))
        self.characteristics, self.rounds, self.seed = characteristics, rounds, seed
        self.fitting, self.points = fitting or LeastSquaresRounds(), points or CollocationPoints()

    def __repr__(self) -> str:
        """Return the problem, the frame and the settings as a table."""
        characteristics = self.characteristics
        rows = {
            "problem": characteristics.shown_problem,
            "frame": characteristics.frame,
            "time slabs": characteristics.slabs,
            "parameters of each": characteristics.network.count,
            "rounds of each": self.rounds,
            "fitting": type(self.fitting).__name__,
            "points of a round": self.points.count,
        }
        return summary("SpaceTimeSolver", rows)

    @property
    def labelled_problem(self) -> TransportProblem:
        """The problem as it is solved on the labels of the frame; see :class:`Characteristics`."""
        return self.characteristics.labelled_problem

    def initial(self) -> SpaceTimeState:
        """Return the state before the first round: every slab has the weights of the network."""
        slabs = self.characteristics.slabs
        return SpaceTimeState(0, self.characteristics.network.vector().repeat(slabs, 1), 0.0, (math.inf,) * slabs)

    def run(self, state: SpaceTimeState | None = None) -> Iterator[tuple[SpaceTimeState, RoundReport]]:
        """Yield state and report after every round, up to the last one of the last slab."""
        state = state or self.initial()
        while state.round < self.rounds * self.characteristics.slabs:
            state, report = self.advance(state)
            yield state, report

    def advance(self, state: SpaceTimeState) -> tuple[SpaceTimeState, RoundReport]:
        """Make one round; a slab whose residual is below the tolerance is left as it is.

        Raises
        ------
        DivergenceError
            If residuals are not finite; the given ``state`` is the last valid one.
        InputError
            If the state belongs to other slabs or another network.
        """
        begin = clock.process_time()
        self.characteristics.check_weights(state.weights)
        slab, number = divmod(state.round, self.rounds)
        weights, rms, solves, damping = state.weights[slab], state.rms[slab], 0, state.damping
        status = Status.CONVERGED
        if number == 0:
            damping = 0.0
        if not (number and rms <= self.fitting.tolerance):
            draws = generator(self.seed, slab, number, device=weights.device)
            try:
                fitted = self._fit(state, slab, number, draws, damping)
            except DivergenceError as error:
                raise DivergenceError(f"round {number + 1} of slab {slab}: {error}") from error
            weights, rms, solves, damping = fitted.weights, fitted.rms, fitted.solves, fitted.damping
            status = fitted.status
        if not rms < math.inf:
            raise DivergenceError(
                f"round {number + 1} of slab {slab}: the residuals are no longer finite; use more points or slabs."
            )
        every = state.weights.clone()
        every[slab] = weights
        reached = (*state.rms[:slab], rms, *state.rms[slab + 1 :])
        after = SpaceTimeState(state.round + 1, every, damping, reached)
        return after, RoundReport(after.round, slab, rms, solves, clock.process_time() - begin, status)

    def groups(self, state: SpaceTimeState, slab: int, draws: torch.Generator) -> list[Residuals]:
        """Return the residuals of a round, for diagnostics: the equations of a slab at evenly spread points, and faces.

        Raises
        ------
        InputError
            If there is no such slab, or the state belongs to other slabs or another network.
        """
        self.characteristics.check_weights(state.weights)
        if not 0 <= slab < self.characteristics.slabs:
            raise InputError(f"the slab is {slab!r}, expected 0 to {self.characteristics.slabs - 1}.")
        points = self._space_time(slab).interior(self.points.count, draws, kind="shifted")
        return [self._group(state, slab, points), *self._boundary(state, slab, draws)]

    def _fit(self, state: SpaceTimeState, slab: int, number: int, draws: torch.Generator, damping: float) -> Fitted:
        if slab and not number:
            state, damping = self._begin(state, slab)
        points = self._draw(state, slab, number, draws)
        groups = [self._group(state, slab, points, self._causal(state, slab, points))]
        groups += self._boundary(state, slab, draws)
        return self.fitting.fit(groups, state.weights[slab], damping, draws)

    def _begin(self, state: SpaceTimeState, slab: int) -> tuple[SpaceTimeState, float]:
        """Return the best initial guess of a slab: its own weights, or those of the slab before with its damping.

        Where the flow has changed direction or speed, the hidden layers of the slab before still fit, so that the last
        layers alone are fitted anew.
        """
        draws = generator(self.seed, slab, self.rounds, device=state.weights.device)  # used by no other round
        points = self._space_time(slab).interior(self.points.count, draws, kind="shifted")
        group, last = self._group(state, slab, points), state.weights[slab - 1]
        candidates = [state.weights[slab], last]
        if self.characteristics.frame.moves and self.fitting.second_order:
            candidates.append(refitted(group, last, last_layers(self.characteristics.network.module)))
        with torch.no_grad():
            losses = [float(group.loss(candidate)) for candidate in candidates]
        best = min(range(len(losses)), key=lambda number: (not losses[number] < math.inf, losses[number]))
        if not best:
            return state, 0.0
        weights = state.weights.clone()
        weights[slab] = candidates[best]
        return replace(state, weights=weights), state.damping

    def _space_time(self, slab: int) -> Box:
        length = self.characteristics.length
        return self.labelled_problem.labels.during(slab * length, (slab + 1) * length)

    def _draw(self, state: SpaceTimeState, slab: int, number: int, draws: torch.Generator) -> Tensor:
        box = self._space_time(slab)
        moved = round(self.points.count * self.points.adaptive) if number or slab else 0
        points = box.interior(self.points.count - moved, draws, kind="shifted") if moved < self.points.count else None
        if not moved:
            return points
        candidates = box.interior(CANDIDATES * moved, draws, kind="shifted")
        with torch.no_grad():
            size = self._group(state, slab, candidates)(state.weights[slab]).norm(dim=1)
        chosen = draw_where_large(candidates, size, moved, draws)
        return chosen if points is None else torch.cat([points, chosen])

    def _group(self, state: SpaceTimeState, slab: int, points: Tensor, scale: Tensor | None = None) -> Residuals:
        """Return the residuals of the equations at points, each row scaled."""
        characteristics, problem = self.characteristics, self.labelled_problem
        order = 2 if problem.viscosity and characteristics.has_state else 1
        with torch.no_grad():
            initial = characteristics.initial(state.weights, slab, points[:, :-1], order)
            start = characteristics.in_time(slab, points, initial)
        scale = torch.ones_like(points[:, :1]) if scale is None else scale

        def residual(weights: Tensor, at: Tensor, scale: Tensor, *rows: Tensor) -> Tensor:
            jets = tuple(replace(jet, rows=row.transpose(0, 1)) for jet, row in zip(start, rows, strict=True))
            return scale * characteristics.residuals(weights, slab, at, jets)

        return Residuals("equations", residual, (points, scale, *(jet.rows.transpose(0, 1) for jet in start)))

    def _causal(self, state: SpaceTimeState, slab: int, points: Tensor) -> Tensor | None:
        """Return the square roots of the causal weights of points."""
        if self.points.causal is None:
            return None
        length = self.characteristics.length
        with torch.no_grad():
            loss = self._group(state, slab, points)(state.weights[slab]).square().sum(1)
        bins = ((points[:, -1] / length - slab) * BINS).long().clamp(0, BINS - 1)
        count = torch.bincount(bins, minlength=BINS).clamp_min(1)
        means = torch.bincount(bins, loss, minlength=BINS) / count
        earlier = torch.cumsum(means, 0) - means
        return torch.exp(-self.points.causal / 2 * earlier)[bins][:, None]

    def _boundary(self, state: SpaceTimeState, slab: int, draws: torch.Generator) -> list[Residuals]:
        """Return the residuals of boundary values that are not satisfied by the form; labels are positions there."""
        characteristics, problem = self.characteristics, self.labelled_problem
        if all(problem.domain.periodic) or characteristics.holds:
            return []
        at, normals = problem.domain.boundary(self.points.boundary, draws)
        shares = torch.rand(len(at), 1, generator=draws, device=at.device, dtype=at.dtype)
        times = (slab + shares) * characteristics.length
        values = problem.inflow(at, times)
        if values is None:
            return []
        if not problem.viscosity:  # at the outflow, the value comes from inside
            enters = (problem.velocity(at, times, values) * normals).sum(1) < 0
            at, times, values = at[enters], times[enters], values[enters]
            if not len(at):
                return []
        with torch.no_grad():
            start = characteristics.initial(state.weights, slab, at, 0)

        def residual(weights: Tensor, points: Tensor, values: Tensor, *rows: Tensor) -> Tensor:
            jets = tuple(replace(jet, rows=row.transpose(0, 1)) for jet, row in zip(start, rows, strict=True))
            return (characteristics.motion(weights, slab, points, jets).state.value - values) / characteristics.size

        data = (torch.cat([at, times], 1), values, *(jet.rows.transpose(0, 1) for jet in start))
        return [Residuals("boundary", residual, data, weight=10.0)]


def _warn(sentences: list[str]) -> None:
    """Warn in the name of the first caller outside of the package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(__name__.split(".")[0]):
        frame, level = frame.f_back, level + 1
    for sentence in sentences:
        warnings.warn(sentence, UserWarning, stacklevel=level)
