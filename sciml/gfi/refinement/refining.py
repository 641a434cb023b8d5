"""The iteration of a refinement: its state, one step of it, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from sciml.gfi.refinement.bands import Band, lifted_response
from sciml.gfi.refinement.descent import MEMORY, Descent, Position, Trial
from sciml.gfi.refinement.misfit import PROBES, Modelled, ShotProblem
from sciml.gfi.refinement.priors import Prior, Scene
from sciml.gfi.refinement.settings import Refinement
from sciml.reference.waves import WaveSolver
from sciml.reference.waves.velocities import check_range, check_velocities

DARK = 0.05  # added to the illumination, relative to that of the median cell, in what balances steps
PATIENCE, LITTLE = 20, 0.005  # steps of a stage in which the misfit falls by less than this share are its last ones
DEVIATIONS = 2.0  # above the expected misfit of noise, up to which a misfit may be that of noise


@dataclass(frozen=True, eq=False)
class State:
    """All that the next step depends on.

    Attributes
    ----------
    position : of the descent in the present stage
    stage : from 0; the number of stages once the refinement has ended
    solves : so far
    start : the map at which the refinement began, (nz, nx)
    start_misfit : its misfit in the last stage's band
    illumination : there, (nz, nx)
    recent : misfits of the last steps of this stage, at most :data:`PATIENCE` of them
    stalled : whether this stage found no step any more, or several that gained little; the last one once all are over
    reached : whether the misfit of the last stage that ended was that of the noise
    """

    position: Position
    stage: int
    solves: float
    start: np.ndarray
    start_misfit: float
    illumination: np.ndarray
    recent: np.ndarray
    stalled: bool = False
    reached: bool = False

    @property
    def velocity(self) -> np.ndarray:
        """The present map, (nz, nx)."""
        return self.position.point.reshape(self.start.shape)

    @staticmethod
    def packed_shapes(shape: tuple[int, int], terms: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays of :meth:`packed`, for a map of (nz, nx) cells and so many terms."""
        cells = prod(shape)
        return {
            "point": (cells,),
            "values": (terms,),
            "gradients": (terms, cells),
            "steps": (MEMORY, cells),
            "changes": (MEMORY, terms, cells),
            "start": shape,
            "illumination": shape,
            "numbers": (8,),
            "recent": (PATIENCE,),
        }

    def packed(self) -> dict[str, np.ndarray]:
        """Return it as float64 arrays of fixed shapes, from which :meth:`unpacked` makes the same bits."""
        held, kept = self.position, len(self.position.steps)
        unused = [(MEMORY - kept, 0)]
        counts = [kept, len(self.recent), self.stage]
        numbers = [*counts, self.solves, self.start_misfit, self.stalled, self.reached, held.watched]
        return {
            "point": held.point,
            "values": held.values,
            "gradients": held.gradients,
            "steps": np.pad(held.steps, [*unused, (0, 0)]),
            "changes": np.pad(held.changes, [*unused, (0, 0), (0, 0)]),
            "start": self.start,
            "illumination": self.illumination,
            "numbers": np.array(numbers, dtype=np.float64),
            "recent": np.pad(self.recent, (PATIENCE - len(self.recent), 0)),
        }

    @classmethod
    def unpacked(cls, arrays: Mapping[str, np.ndarray]) -> State:
        """Return the state that was packed."""
        kept, told, stage, solves, start_misfit, stalled, reached, watched = arrays["numbers"].tolist()
        first = MEMORY - int(kept)
        point, values, gradients = (arrays[name] for name in ("point", "values", "gradients"))
        memory = arrays["steps"][first:], arrays["changes"][first:]
        position = Position(point, values, gradients, *memory, watched)
        recent = arrays["recent"][PATIENCE - int(told) :]
        ends = (start_misfit, arrays["illumination"], recent, bool(stalled), bool(reached))
        return cls(position, int(stage), solves, arrays["start"], *ends)


class Refiner:
    """A refinement of one problem, which :meth:`begin` starts and :meth:`advance` carries on from any state.

    Parameters
    ----------
    problem : observed records and acquisition
    settings : the algorithm
    engine : of the :class:`~sciml.reference.waves.WaveSolver`
    """

    def __init__(self, problem: ShotProblem, settings: Refinement, engine: str = "numba") -> None:
        acquisition = problem.acquisition
        self.problem, self.settings, self.solver = problem, settings, WaveSolver(acquisition, engine)
        time = acquisition.time_step, acquisition.steps
        weights = None if settings.noise is None else problem.signal(settings.noise)
        if settings.noise is None and settings.lift:
            weights = lifted_response(acquisition.steps, acquisition.time_step, acquisition.frequency, settings.lift)
        self.bands = [
            Band(*time, *settings.ends_of_band(stage, acquisition.frequency), stage.gain, weights)
            for stage in settings.stages
        ]
        self.expected, self.floors = zip(*(self._of_noise(band) for band in self.bands), strict=True)
        check_range("the range from slowest to fastest", settings.slowest, settings.fastest, acquisition)
        self.descent = Descent(settings.slowest, settings.fastest)
        self.ends = settings.ends()

    def begin(self, start: np.ndarray) -> State:
        """Return the state at a start (nz, nx), which is brought within the bounds and into the priors' subspaces."""
        check_velocities(torch.from_numpy(start)[None], self.problem.acquisition)
        start = self._projected(np.clip(start, self.settings.slowest, self.settings.fastest))
        before = self.solver.count
        modelled = Modelled.of(start, self.solver)
        if not self.problem.unknown_wavelet:
            self.problem.check_size(modelled.records)
        misfit, _ = modelled.misfit(self.problem, self.bands[-1])
        illumination = modelled.illumination(self.problem, self.bands[-1])
        terms = self._terms(0, _scene(start, illumination), modelled)
        position = Position.at(start.ravel(), terms)
        return State(position, 0, self.solver.count - before, start, misfit, illumination, position.values[:1])

    def advance(self, state: State) -> State:
        """Return the state after one step, or after the change to the next stage; the same one at the end."""
        if self.has_ended(state):
            return state
        before, scene = self.solver.count, _scene(state.start, state.illumination)
        reached, trials = self._reached(state), self._trials(state)
        is_over = reached or self._is_ready(state) or state.solves >= self.ends[state.stage] or trials < 1
        if is_over or state.stalled:
            return self._next_stage(replace(state, reached=reached, stalled=not is_over), scene)
        terms, weights = self._terms(state.stage, scene), self.weights(state)
        precondition = self._preconditioner(state.stage, state.illumination)
        position = self.descent.step(state.position, terms, weights, precondition, trials)
        state = replace(state, solves=state.solves + self.solver.count - before)
        misfits = np.append(state.recent, position.values[0])
        excess = misfits - self.expected[state.stage]
        gained_little = len(misfits) > PATIENCE and excess[-1] > (1.0 - LITTLE) * excess[0]
        stalled = position is state.position or bool(gained_little)
        return replace(state, position=position, recent=misfits[-PATIENCE:], stalled=stalled)

    def modelled(self, velocity: np.ndarray) -> torch.Tensor:
        """Return the records (shots, steps, receivers) of a map (nz, nx), with the wavelet that is compared."""
        with torch.no_grad():
            records = self.solver(torch.from_numpy(velocity)[None])[0]
            return self.problem.shaped(records) if self.problem.unknown_wavelet else records

    def first_misfit(self, velocity: np.ndarray) -> float:
        """Return the misfit of a map (nz, nx) in the band of the first stage."""
        with torch.no_grad():
            return float(self.problem.misfit(self.solver(torch.from_numpy(velocity)[None])[0], self.bands[0]))

    def has_ended(self, state: State) -> bool:
        """Return whether all stages are over."""
        return state.stage == len(self.bands)

    def weights(self, state: State) -> np.ndarray:
        """Return the weights of misfit and priors at the present map, (1 + priors,): by the misfit beyond the noise."""
        misfit, *penalties = state.position.values
        beyond = max(float(misfit) - self.expected[min(state.stage, len(self.bands) - 1)], 0.0)
        pairs = zip(self.settings.priors, penalties, strict=True)
        return np.array([1.0, *(prior.weight(beyond, penalty) for prior, penalty in pairs)])

    def _reached(self, state: State) -> bool:
        return bool(state.position.values[0] <= self.floors[state.stage])

    def _trials(self, state: State) -> int:
        """Return how many trials the next step may take: half a solve each, and half a one for the gradient.

        The last stage has to be begun, and its result assessed: records and illumination.
        """
        kept = 0.5 * (1 + PROBES) + (state.stage < len(self.bands) - 1)
        return int(2.0 * (self.settings.solves - state.solves - kept) - 1.0)

    def _of_noise(self, band: Band) -> tuple[float, float]:
        """Return the misfit in a band that noise is expected to cause, and the most that it may; 0 without noise."""
        noise = self.settings.noise
        if noise is None:
            return 0.0, 0.0
        expected = self.problem.noise_floor(noise, band)
        return expected, expected * (1.0 + DEVIATIONS * self.problem.noise_deviation(band))

    def _is_ready(self, state: State) -> bool:
        """Return whether the records in the band of the next stage agree but for noise and a small misfit."""
        following = state.stage + 1
        return following < len(self.bands) and state.position.watched - self.expected[following] <= self.settings.ready

    def _next_stage(self, state: State, scene: Scene) -> State:
        """Return the state at the beginning of the next stage, which evaluates its misfit at the present map.

        Where the solves that are left do not suffice for a step in it, it is the last one, whose misfit decides.
        """
        stage = state.stage + 1
        if stage == len(self.bands):
            return replace(state, stage=stage)
        if self._trials(state) < 1:
            stage = len(self.bands) - 1
        before = self.solver.count
        position = Position.at(state.position.point, self._terms(stage, scene))
        solves = state.solves + self.solver.count - before
        recent = position.values[:1]
        return replace(state, position=position, stage=stage, solves=solves, recent=recent, stalled=False)

    def _terms(self, stage: int, scene: Scene, modelled: Modelled | None = None) -> Callable[[np.ndarray], Trial]:
        """Return the misfit of a stage and the penalties of the priors as functions of the flattened map."""
        priors, shape = self.settings.priors, self.problem.acquisition.shape
        following = min(stage + 1, len(self.bands) - 1)

        def evaluate(point: np.ndarray) -> Trial:
            velocity = point.reshape(shape)
            found = Modelled.of(velocity, self.solver) if modelled is None else modelled
            misfit, slope = found.misfit(self.problem, self.bands[stage])
            penalties = [_penalty(prior, velocity, scene) for prior in priors]

            def gradients() -> np.ndarray:
                fields = [slope(), *(by_cell for _, by_cell in penalties)]
                return np.stack([self._projected(each).ravel() for each in fields])

            values = np.array([misfit, *(value for value, _ in penalties)])
            watched = misfit if following == stage else found.misfit(self.problem, self.bands[following])[0]
            return Trial(values, gradients, watched)

        return evaluate

    def _preconditioner(self, stage: int, illumination: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return the map of gradients that smooths them, and balances cells that the records see well and hardly."""
        width, shape = self.settings.stages[stage].smoothing, self.problem.acquisition.shape
        scale = (illumination + DARK) ** -self.settings.balance

        def precondition(gradient: np.ndarray) -> np.ndarray:
            field = scale * gradient.reshape(shape)
            smoothed = gaussian_filter(field, width, mode="reflect") if width else field
            return self._projected(scale * smoothed).ravel()

        return precondition

    def _projected(self, values: np.ndarray) -> np.ndarray:
        for prior in self.settings.priors:
            values = prior.project(values)
        return values


def _scene(start: np.ndarray, illumination: np.ndarray) -> Scene:
    return Scene(torch.from_numpy(start), torch.from_numpy(illumination))


def _penalty(prior: Prior, velocity: np.ndarray, scene: Scene) -> tuple[float, np.ndarray]:
    """Return the penalty of a prior and its derivative (nz, nx)."""
    with torch.enable_grad():
        leaf = torch.from_numpy(velocity.copy()).requires_grad_()
        value = prior.penalty(leaf, scene)
        (by_cell,) = torch.autograd.grad(value, leaf)
    return float(value.detach()), by_cell.numpy()
