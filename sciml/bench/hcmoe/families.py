"""The measurements of ``sciml bench hcmoe`` on the published family of sorption: many starts, all times.

The starts are draws of seeds of their own, as PDEBench makes them. Errors are relative, of one start over all places
and times. The reference is :func:`~sciml.reference.diffusion_sorption.extrapolated` with as many cells as places.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.coupled import CoupledExperts
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.problems import DiffusionSorption
from sciml.metrics import relative_l2
from sciml.reference.diffusion_sorption import cell_centres, extrapolated, finite_volumes
from sciml.reference.diffusion_sorption_families import published_case, snapshot_spline

FIRST_SEED = 9000  # of the starts
TIMES = np.linspace(0.0, 500.0, 101)
FINER = 3  # of the cells against which the reference is held, with a centre wherever its cells have one


def coupled(job: Job) -> dict[str, Any]:
    """Solve for ``job["count"]`` starts together by ``job["elements"]`` and ``job["slabs"]``, two dicts.

    Returns
    -------
    dict
        ``error``, the mean over the starts, and ``error_most``; ``unknowns`` of one start; ``seconds``, values at
        ``job["cells"]`` places and all times included.
    """

    def measure() -> dict[str, float]:
        x = torch.from_numpy(cell_centres(job["cells"]))

        def solved() -> tuple[CoupledExperts, np.ndarray]:
            experts = CoupledExperts(
                DiffusionSorption(starts(job["count"])), Elements(**job["elements"]), Slabs(**job["slabs"])
            )
            numbers = [experts.slab_at(time) for time in TIMES]
            states = [state for state, _ in experts.run()]
            found = [experts.values(states[k - 1], x, time) for k, time in zip(numbers, TIMES, strict=True)]
            return experts, torch.stack(found, 1).numpy()

        (experts, u), seconds = cpu_timed(solved)
        return {**_errors(u, _reference(job)[0]), "unknowns": experts.unknowns, "seconds": seconds}

    return outcome(measure)


def spline(job: Job) -> dict[str, Any]:
    """Evaluate a cubic spline through ``job["snapshots"]`` solutions of the family, see :func:`snapshot_spline`.

    Returns
    -------
    dict
        ``error`` and ``error_most``; ``setup``, CPU seconds of the solutions; ``seconds``, of these and all values.
    """

    def measure() -> dict[str, float]:
        surrogate, setup = cpu_timed(
            lambda: snapshot_spline(lambda start: extrapolated(start, job["cells"], TIMES), job["snapshots"])
        )
        u, seconds = cpu_timed(lambda: surrogate(np.array(starts(job["count"]))))
        return {**_errors(u, _reference(job)[0]), "setup": setup, "seconds": setup + seconds}

    return outcome(measure)


def volumes(job: Job) -> dict[str, Any]:
    """Solve for one start after the other by finite volumes."""

    def measure() -> dict[str, float]:
        u, seconds = cpu_timed(
            lambda: np.stack([finite_volumes(start, job["cells"], TIMES) for start in starts(job["count"])])
        )
        return {**_errors(u, _reference(job)[0]), "seconds": seconds}

    return outcome(measure)


def reference(job: Job) -> dict[str, Any]:
    """Assess the reference itself at the least, the middle and the largest start, by that of 3 times the cells."""

    def measure() -> dict[str, float]:
        u, seconds = _reference(job)
        ordered = np.argsort(starts(job["count"]))
        some = ordered[[0, len(ordered) // 2, -1]]
        finer = [extrapolated(starts(job["count"])[k], FINER * job["cells"], TIMES) for k in some]
        return {**_errors(u[some], np.stack(finer)[..., FINER // 2 :: FINER]), "seconds": seconds}

    return outcome(measure)


def starts(count: int) -> list[float]:
    """Return the starts of so many seeds."""
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    return [float(published_case(np.random.RandomState(seed))[0]) for seed in seeds]


def _reference(job: Job) -> tuple[np.ndarray, float]:
    return _extrapolated(job["count"], job["cells"])


@cache
def _extrapolated(count: int, cells: int) -> tuple[np.ndarray, float]:
    """Return the reference, ``(starts, times, places)``, and its CPU seconds."""
    return cpu_timed(lambda: np.stack([extrapolated(start, cells, TIMES) for start in starts(count)]))


def _errors(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Return the mean and the largest of the relative errors of the starts."""
    errors = [relative_l2(one, other) for one, other in zip(found, expected, strict=True)]
    return {"error": float(np.mean(errors)), "error_most": float(np.max(errors))}
