"""What the jobs of ``sciml bench lpinn`` measure: shipped configs, and finite volumes on the same problems."""

from __future__ import annotations

import math
import time as clock
from typing import Any

import numpy as np
import torch

from sciml.bench.measure import load_average
from sciml.bench.worker import Job
from sciml.errors import SciMLError
from sciml.lpinn import Burgers, Convection, StandardBurgers, TransportProblem, VariableConvection
from sciml.lpinn.least_action import field_of
from sciml.lpinn.output import errors
from sciml.lpinn.task import SpaceTimeFitting
from sciml.metrics import relative_l2
from sciml.pde.conservation import BURGERS
from sciml.pde.finite_volumes import cell_averages, centre_values, conservation, transport
from sciml.training.config import load_config

TIMES = 101  # at which finite volumes are compared


def case(job: Job) -> dict[str, Any]:
    """Our characteristics by the config, with ``job["changes"]``, against the exact solution.

    Returns
    -------
    dict
        ``numbers`` and ``memory_bytes`` of the solution at all times; ``seconds`` of processor time; ``solves``;
        ``residual``; ``last`` with ``relative_l2`` over the run and ``relative_l2_at_end``; ``failed``; ``load``.
    """
    task = build(job["config"], job["seed"], job.get("changes", ()))
    solver, seconds, solves, failed, found = task.solver, 0.0, 0, None, {}
    state = solver.initial()
    try:
        for number, (reached, report) in enumerate(solver.run(), start=1):
            state = reached
            seconds, solves = seconds + report.seconds, solves + report.solves
            if number == job.get("rounds"):
                break
        with torch.no_grad():
            found = errors(field_of(solver.characteristics, state.weights))
    except SciMLError as error:
        failed = str(error)
    return {
        "numbers": state.weights.numel(),
        "memory_bytes": state.weights.numel() * state.weights.element_size(),
        "seconds": seconds,
        "solves": solves,
        "residual": max(state.rms),
        "last": found,
        "failed": failed,
        "load": load_average(),
    }


def finite_volumes(job: Job) -> dict[str, Any]:
    """Finite volumes of fifth order with ``job["cells"]`` cells on the problem of a config; result as of ``case``.

    Memory is that of u at one time; the error is at the centres of cells.
    """
    problem = build(job["config"], 0, job.get("changes", ())).solver.characteristics.problem
    cells, times = job["cells"], np.linspace(0.0, problem.duration, TIMES)
    begin = clock.process_time()
    found = _averages(problem, cells, times)
    seconds = clock.process_time() - begin
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    centres = torch.from_numpy(lower + (upper - lower) * (np.arange(cells) + 0.5) / cells)[:, None]
    exact = np.stack([problem.exact(centres, float(time))[:, 0].numpy() for time in times])
    mean = float(problem.initial(problem.probes()).mean())
    values = np.stack([_point_values(problem, row, centres) for row in found])
    return {
        "numbers": cells,
        "memory_bytes": 8 * cells,
        "seconds": seconds,
        "last": {
            "relative_l2": relative_l2(values - mean, exact - mean),
            "relative_l2_at_end": relative_l2(values[-1] - mean, exact[-1] - mean),
        },
        "failed": None if math.isfinite(float(np.abs(values).max())) else "not finite",
        "load": load_average(),
    }


def build(config: str, seed: int, changes: tuple[str, ...] | list[str] = ()) -> SpaceTimeFitting:
    """Return the task of a shipped config, the only place of all settings."""
    task = load_config(config, [f"seed={seed}", *changes]).build_task()
    task.solver.seed = seed
    return task


def _averages(problem: TransportProblem, cells: int, times: np.ndarray) -> np.ndarray:
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    period = upper - lower

    def start(x: np.ndarray) -> np.ndarray:
        points = torch.from_numpy(np.ascontiguousarray(x).reshape(-1, 1) + lower)
        carried = problem.initial(points)[:, 0].numpy().reshape(x.shape)
        return carried / _speed(problem, x + lower) if isinstance(problem, VariableConvection) else carried

    first = cell_averages(start, period, cells)
    if isinstance(problem, Convection):
        return transport(first, period, problem.speed, times, problem.viscosity)
    if isinstance(problem, VariableConvection):
        # u / a obeys the conservation law of the flux a u: it is carried in place of u.
        return transport(first, period, lambda x: _speed(problem, x + lower), times)
    if isinstance(problem, Burgers | StandardBurgers):
        return conservation(first, period, BURGERS, times, problem.viscosity)
    raise SciMLError(f"there are no finite volumes for {type(problem).__name__}.")


def _point_values(problem: TransportProblem, averages: np.ndarray, centres: torch.Tensor) -> np.ndarray:
    values = centre_values(averages)
    return values * _speed(problem, centres[:, 0].numpy()) if isinstance(problem, VariableConvection) else values


def _speed(problem: VariableConvection, x: np.ndarray) -> np.ndarray:
    return problem.flow.velocity(np.asarray(x)[..., None], 0.0)[..., 0]
