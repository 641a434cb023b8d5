"""``refine``: velocity maps that fit observed records, from one start or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from sciml.checks import instance, real_array
from sciml.errors import InputError
from sciml.gfi.refinement.misfit import Modelled, ShotProblem
from sciml.gfi.refinement.refining import Refiner, State
from sciml.gfi.refinement.settings import Refinement
from sciml.reference.waves import Acquisition
from sciml.status import Status

SEEN = 0.1  # illumination, relative to that of the median cell, below which the records hardly change with a cell

Progress = Callable[[float, str], None]
"""Takes the share of the solves that are done, from 0 to 1, and a few words about where the refinement is."""


class Row(NamedTuple):
    """A step in the history of a refinement.

    Attributes
    ----------
    stage : from 0
    solves : so far
    misfit : |B (p - d)|^2 / |B d|^2 of records p and observed d in the band B of the stage
    weights : of the priors
    """

    stage: int
    solves: float
    misfit: float
    weights: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Refined:
    """A velocity map that fits observed records, and how far it may be trusted.

    A small misfit is no proof: where the illumination is low, or refinements from several starts differ, the map is
    what the start and the priors say.

    Attributes
    ----------
    map : (nz, nx) in m/s; the start, where the misfit was not decreased
    history : a row for each step from the start that led to the map
    solves : of the wave equation, for all starts together
    start_misfit, misfit : in the band of the last stage
    illumination : how much the records change with each cell of the map, relative to the median cell, (nz, nx)
    maps : from each start, (starts, nz, nx)
    misfits : of these, (starts,)
    wavelet : (steps,), with which the records of the map were compared
    status : ``converged`` if the misfit is down to that of the noise, ``finished`` if no noise was stated and all
        stages are over, ``limit`` if the solves were used up before, ``stalled`` if the misfit hardly fell any further
    """

    map: np.ndarray
    history: list[Row]
    solves: float
    start_misfit: float
    misfit: float
    illumination: np.ndarray
    maps: np.ndarray
    misfits: np.ndarray
    wavelet: np.ndarray
    status: Status

    @property
    def spread(self) -> np.ndarray | None:
        """Standard deviation of the maps from all starts, (nz, nx); None for a single one."""
        return self.maps.std(0, ddof=1) if len(self.maps) > 1 else None

    @property
    def unseen(self) -> float:
        """Share of the cells with which the records hardly change."""
        return float(np.mean(self.illumination < SEEN))


def refine(
    start: ArrayLike,
    observed: ArrayLike,
    acquisition: Acquisition,
    settings: Refinement | None = None,
    *,
    engine: Literal["numba", "deepwave"] = "numba",
    progress: Progress | None = None,
) -> Refined:
    """Refine a velocity map, such as that of a network, until its records fit the observed ones.

    Parameters
    ----------
    start : (nz, nx) in m/s, or several, (starts, nz, nx), whose refinements tell how far the map is determined
    observed : (shots, steps, receivers); traces that the acquisition's mask leaves out may hold anything
    acquisition : what was shot and recorded
    settings : the algorithm
    engine : of the :class:`~sciml.reference.waves.WaveSolver`
    progress : called after each step

    Raises
    ------
    InputError
        If shapes differ, values are not finite or in km/s, or the acquisition cannot carry the bounds of the velocity.

    References
    ----------
    Tarantola, Geophysics 49 (1984) 1259; Bunks et al., Geophysics 60 (1995) 1457 (from low frequencies to high ones);
    Pratt, Geophysics 64 (1999) 888, Eq. 17 (the wavelet in closed form).
    """
    instance("the acquisition", acquisition, Acquisition, "an Acquisition")
    settings = settings or Refinement()
    observed = torch.from_numpy(np.array(real_array("the observed records", observed, finite=False)))
    refiner = Refiner(ShotProblem(observed, acquisition, settings.unknown_wavelet), settings, engine)
    starts = checked_starts(start, acquisition)
    ends = []
    for number, each in enumerate(starts):
        state, rows = refiner.begin(each), []
        while not refiner.has_ended(state):
            rows.append(row_of(refiner, state))
            if progress is not None:
                done = (number + min(state.solves / settings.solves, 1.0)) / len(starts)
                progress(done, f"misfit {rows[-1].misfit:.2e} in stage {state.stage + 1}")
            state = refiner.advance(state)
        ends.append((state, rows))
    return assemble(refiner, ends)


def checked_starts(start: ArrayLike, acquisition: Acquisition) -> np.ndarray:
    """Return starts as (starts, nz, nx) of the acquisition's shape, in m/s.

    Raises
    ------
    InputError
        If they are not.
    """
    starts = real_array("the start of a refinement", start)
    starts = starts[None] if starts.ndim == 2 else starts
    if starts.ndim != 3 or starts.shape[1:] != acquisition.shape or not len(starts):
        raise InputError(
            f"the shape of the start is {starts.shape}, expected {acquisition.shape} or (starts, "
            f"{', '.join(map(str, acquisition.shape))}), depth first."
        )
    return starts


def row_of(refiner: Refiner, state: State) -> Row:
    """Return the row of the history for a state."""
    return Row(state.stage, state.solves, float(state.position.values[0]), tuple(refiner.weights(state)[1:].tolist()))


def assemble(refiner: Refiner, ends: list[tuple[State, list[Row]]]) -> Refined:
    """Return what refinements from several starts come to: the map of the least misfit, and all maps.

    Parameters
    ----------
    refiner : who made them
    ends : last state and history of each
    """
    before = refiner.solver.count
    maps, misfits = zip(*(_kept(refiner, state) for state, _ in ends), strict=True)
    best = int(np.argmin(misfits))
    state, rows = ends[best]
    modelled = Modelled.of(maps[best], refiner.solver)
    problem, band = refiner.problem, refiner.bands[-1]
    with torch.no_grad():
        records = modelled.records.detach()
        known = torch.from_numpy(np.array(problem.acquisition.wavelet))
        wavelet = problem.wavelet(records) if problem.unknown_wavelet else known
    illumination = modelled.illumination(problem, band)
    return Refined(
        map=maps[best],
        history=rows,
        solves=sum(each.solves for each, _ in ends) + refiner.solver.count - before,
        start_misfit=state.start_misfit,
        misfit=misfits[best],
        illumination=illumination,
        maps=np.stack(maps),
        misfits=np.array(misfits),
        wavelet=wavelet.numpy(),
        status=status_of(refiner, state),
    )


def status_of(refiner: Refiner, state: State) -> Status:
    """Return how a refinement ended."""
    if state.reached:
        return Status.CONVERGED
    if state.stalled or not state.position.values[0] < state.start_misfit:
        return Status.STALLED
    return Status.FINISHED if refiner.settings.noise is None else Status.LIMIT


def _kept(refiner: Refiner, state: State) -> tuple[np.ndarray, float]:
    """Return the map of a refinement and its misfit, the start where that has no larger one."""
    misfit = float(state.position.values[0])
    return (state.velocity, misfit) if misfit < state.start_misfit else (state.start, state.start_misfit)
