"""Plane flows in a box for ``sciml bench insr``: stream functions as networks beside grids and sine series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from sciml.bench.insr.cases import Case, build, solve, summary
from sciml.bench.measure import cpu_timed, load_average
from sciml.bench.worker import Job
from sciml.insr.integrators import NeuralFields
from sciml.metrics import relative_l2
from sciml.reference.incompressible_spectral import BoxFlow, flow_in_box
from sciml.reference.incompressible_stable_fluids import StableFluids

PER_AXIS = 64  # points of the errors: middles of cells, where sums are integrals of the first 64 sines
COURANT = 1.0  # speed times step times cells of the sine series, stable below about 1.5
Velocity = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Reference:
    """The reference of a flow: a sine series that resolves it.

    Attributes
    ----------
    velocities : (steps + 1, n, 2) at :func:`points`
    energy : (steps + 1,)
    tail : share of the enstrophy in its finest modes at the end: how well it resolves the flow
    """

    velocities: np.ndarray
    energy: np.ndarray
    tail: float


def flow(job: Job) -> dict[str, Any]:
    """Solve a config by our stream function; ``job["cells"]`` are those of the reference."""
    case = build(job["config"], job["seed"], steps=job.get("steps"))
    reference = reference_of(job["config"], job["cells"], case.steps)
    problem, places = case.task.problem, torch.from_numpy(points())

    def measure(fields: NeuralFields, time: float) -> Mapping[str, float]:
        velocity = problem.present(fields, places, time)["velocity"].numpy()
        return _errors(velocity, reference, round(time / case.task.time_step))

    result = solve(case, measure)
    return _with_energy(result, result["history"].get("energy", ()), reference)


def stable_fluids(job: Job) -> dict[str, Any]:
    """Solve by stable fluids with ``job["nodes"]`` cells per axis and the arguments ``job["scheme"]``.

    Without ``nodes`` it has as many as take no more memory than the network.
    """
    case = build(job["config"], 0, steps=job.get("steps"))
    cells = job["nodes"] or int((math.sqrt(1 + 2 * case.numbers) - 1) / 2)  # 2 n (n + 1) velocities
    method = StableFluids(cells, **job["scheme"], viscosity=case.task.problem.viscosity)
    reference = reference_of(job["config"], job["cells"], case.steps)
    state, seconds = cpu_timed(lambda: method.start(case.task.problem.initial.velocity))
    rows = []
    for step in range(1, case.steps + 1):
        state, more = cpu_timed(lambda old=state: method.step(old, case.task.time_step))
        seconds += more
        rows.append(_row(case, step, method.velocity(state, points()), reference))
    numbers = state.along.size + state.across.size
    return _answer(numbers, seconds, rows, reference)


def sines(job: Job) -> dict[str, Any]:
    """Solve by a sine series on ``job["nodes"]`` cells per axis, with two thirds as many modes.

    Without ``nodes`` it has as many modes as take no more memory than the network.
    """
    case = build(job["config"], 0, steps=job.get("steps"))
    cells = job["nodes"] or math.ceil((3 * math.isqrt(case.numbers) + 1) / 2)
    reference = reference_of(job["config"], job["cells"], case.steps)
    found, seconds = cpu_timed(lambda: _series(case, cells, case.steps))
    rows = [_row(case, step, found.velocity(step, points()), reference) for step in range(1, case.steps + 1)]
    return _answer(found.vorticity_modes[0].size, seconds, rows, reference)


@cache
def reference_of(config: str, cells: int, steps: int) -> Reference:
    """Return the flow of a config by a sine series on ``cells`` cells per axis."""
    found = _series(build(config, 0), cells, steps)
    velocities = np.stack([found.velocity(step, points()) for step in range(steps + 1)])
    return Reference(velocities, found.energy, float(found.tail[-1]))


@cache
def points() -> np.ndarray:
    """Return the points at which velocities are compared, ``(n, 2)``."""
    middles = (np.arange(PER_AXIS) + 0.5) * (2.0 / PER_AXIS) - 1.0
    return np.stack(np.meshgrid(middles, middles, indexing="ij"), -1).reshape(-1, 2)


def _series(case: Case, cells: int, steps: int) -> BoxFlow:
    problem = case.task.problem
    speed = float(np.abs(problem.initial.velocity(points())).max())
    times = case.task.time_step * np.arange(steps + 1)
    return flow_in_box(problem.initial.vorticity, cells, times, COURANT / (speed * cells), problem.viscosity)


def _errors(velocity: np.ndarray, reference: Reference, step: int) -> dict[str, float]:
    exact = reference.velocities[step]
    return {
        "mean_square_error": float(np.square(velocity - exact).mean()),
        "relative_l2": relative_l2(velocity, exact),
    }


def _row(case: Case, step: int, velocity: np.ndarray, reference: Reference) -> dict[str, float]:
    energy = float(np.square(velocity).sum(1).mean()) * case.task.problem.domain.measure / 2
    return {"time": step * case.task.time_step, "energy": energy, **_errors(velocity, reference, step)}


def _answer(numbers: int, seconds: float, rows: list[dict[str, float]], reference: Reference) -> dict[str, Any]:
    found = {"numbers": numbers, "memory_bytes": 8 * numbers, "seconds": seconds, **summary(rows)}
    return _with_energy(found, (reference.energy[0], rows[-1]["energy"]), reference) | {"load": load_average()}


def _with_energy(result: dict[str, Any], energy: Sequence[float], reference: Reference) -> dict[str, Any]:
    """Add the relative change of the energy and the exact one, which is 0 without viscosity."""
    change = energy[-1] / energy[0] - 1 if len(energy) else math.inf
    exact = float(reference.energy[-1] / reference.energy[0] - 1)
    return result | {"energy_change": change, "exact_energy_change": exact, "tail": reference.tail}
