"""Classical methods in 1-D for ``sciml bench insr``: grids, splines and Fourier modes on the cases of the networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from sciml.bench.insr.cases import Case, build, summary
from sciml.bench.measure import cpu_timed, load_average
from sciml.bench.worker import Job
from sciml.domains.output_points import evaluation_points
from sciml.insr import Advection, PeriodicBurgers
from sciml.metrics import relative_l2
from sciml.reference import periodic_fourier as periodic
from sciml.reference.advection_grids import advect_by_fourier_modes, advect_by_splines, advect_on_grid

CHUNK = 20  # steps of the case that are kept in memory at once
REFERENCE_NODES, REFERENCE_STEP = 512, 1e-3  # of Burgers' equation: errors below 1e-10
Evaluate = Callable[[np.ndarray], np.ndarray]


def advection(job: Job) -> dict[str, Any]:
    """Solve the pulse of a config by one classical method.

    ``job["space"]`` is a difference scheme, ``"splines"`` or ``"waves"`` (Fourier modes), ``job["time"]`` the
    time-stepping scheme, ``job["nodes"]`` the number of nodes. With ``job["seconds"]`` nodes and steps are doubled
    together for as long as the CPU time, estimated from the last run, stays below. ``job["at"]`` is ``"nodes"``, where
    the paper measures errors, or ``"points"``, those at which the networks are measured, by cubic splines.
    """
    case = build(job["config"], 0, steps=job.get("steps"))
    level, result = 0, _advect(job, case, 1)
    while job.get("seconds") and 4.5 * result["seconds"] < job["seconds"]:
        level += 1
        result = _advect(job, case, 2**level)
    return result | {"finer": 2**level, "load": load_average()}


def burgers(job: Job) -> dict[str, Any]:
    """Solve Burgers' equation by lines: ``job["space"]`` is ``"central2"``, ``"central4"`` or ``"waves"`` (Fourier).

    Differences are integrated in time by an implicit method of variable order to 1e-8, Fourier modes by Runge-Kutta.
    """
    case = build(job["config"], 0, steps=job.get("steps"))
    problem, nodes = case.task.problem, job["nodes"]
    times = case.task.time_step * np.arange(1, case.steps + 1)
    if job["space"] == "waves":
        states, seconds = cpu_timed(lambda: burgers_by_fourier_modes(problem, nodes, times, 1.0 / nodes))
    else:
        states, seconds = cpu_timed(lambda: _burgers_by_differences(problem, nodes, times, job["space"]))
    reference = burgers_reference(job["config"], case.steps)
    points = burgers_points()
    x = np.linspace(0.0, 2 * np.pi, nodes, endpoint=False)
    rows = []
    for time, state, exact in zip(times, states, reference, strict=True):
        spline = CubicSpline(np.append(x, 2 * np.pi), np.append(state, state[0]), bc_type="periodic")
        rows.append({"time": float(time), "relative_l2": relative_l2(spline(points), exact)})
    return _answer(nodes, seconds, rows) | {"load": load_average()}


def burgers_points() -> np.ndarray:
    """Return the points of the reference, ``(n,)``."""
    return np.linspace(0.0, 2 * np.pi, REFERENCE_NODES, endpoint=False)


@cache
def burgers_reference(config: str, steps: int) -> np.ndarray:
    """Return the solution at :func:`burgers_points` after each step, ``(steps, n)``."""
    task = build(config, 0).task
    times = task.time_step * np.arange(1, steps + 1)
    return burgers_by_fourier_modes(task.problem, REFERENCE_NODES, times, REFERENCE_STEP)


def burgers_by_fourier_modes(problem: PeriodicBurgers, nodes: int, times: np.ndarray, time_step: float) -> np.ndarray:
    """Solve by Fourier series; on the unit interval speeds are less by 2 pi, diffusivities by its square."""
    x = np.linspace(0.0, 2 * np.pi, nodes, endpoint=False)
    start = problem.initial(torch.from_numpy(x)[:, None])[:, 0].numpy() / (2 * np.pi)
    return 2 * np.pi * periodic.burgers(start, problem.viscosity / (2 * np.pi) ** 2, times, time_step)


def _burgers_by_differences(problem: PeriodicBurgers, nodes: int, times: np.ndarray, space: str) -> np.ndarray:
    from scipy.integrate import solve_ivp

    x = np.linspace(0.0, 2 * np.pi, nodes, endpoint=False)
    h = 2 * np.pi / nodes
    first, second = {
        "central2": ((0, 1 / 2), (-2, 1)),
        "central4": ((0, 2 / 3, -1 / 12), (-5 / 2, 4 / 3, -1 / 12)),
    }[space]

    def rate(_: float, u: np.ndarray) -> np.ndarray:
        flux, diffusion = np.zeros_like(u), second[0] * u
        for shift in range(1, len(first)):
            flux += first[shift] * (np.roll(u, -shift) ** 2 - np.roll(u, shift) ** 2) / 2
            diffusion = diffusion + second[shift] * (np.roll(u, -shift) + np.roll(u, shift))
        return problem.viscosity * diffusion / h**2 - flux / h

    start = problem.initial(torch.from_numpy(x)[:, None])[:, 0].numpy()
    solution = solve_ivp(rate, (0.0, times[-1]), start, "LSODA", times, rtol=1e-8, atol=1e-10)
    return solution.y.T


def _advect(job: Job, case: Case, finer: int) -> dict[str, Any]:
    """Return one run with ``finer`` times as many intervals and steps."""
    problem = case.task.problem
    nodes = finer * (job["nodes"] - 1) + 1 if job["space"] != "waves" else finer * job["nodes"]
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    x = np.linspace(lower, upper, nodes, endpoint=job["space"] != "waves")
    points = x if job.get("at") == "nodes" else evaluation_points(problem.domain)[:, 0].numpy()
    state, rows, seconds = _pulse(problem, x, 0.0), [], 0.0
    for first in range(0, case.steps, CHUNK):
        count = min(CHUNK, case.steps - first)
        steps = finer * count, case.task.time_step / finer
        states, more = cpu_timed(lambda start=state, steps=steps: _trajectory(job, case, x, start, steps))
        states, seconds = states[::finer], seconds + more
        state = states[-1]
        for number, values in enumerate(states[1:], start=first + 1):
            time = number * case.task.time_step
            exact = _pulse(problem, points, time)
            found = values if job.get("at") == "nodes" else _evaluate(job, x, values, upper - lower)(points)
            error = {"mean_absolute_error": float(np.abs(found - exact).mean())}
            rows.append({"time": time, **error, "relative_l2": relative_l2(found, exact)})
    return _answer(nodes, seconds, rows)


def _trajectory(job: Job, case: Case, x: np.ndarray, state: np.ndarray, steps: tuple[int, float]) -> np.ndarray:
    (speed,), (count, time_step) = case.task.problem.velocity, steps
    if job["space"] == "splines":
        return advect_by_splines(state, x, speed, time_step, count)
    if job["space"] == "waves":
        length = case.task.problem.domain.measure
        return advect_by_fourier_modes(state, length, speed, time_step, count, job["time"])
    return advect_on_grid(state, x, speed, time_step, count, job["space"], job["time"])


def _evaluate(job: Job, x: np.ndarray, values: np.ndarray, length: float) -> Evaluate:
    """Return the interpolant of nodal values: their Fourier modes, or the cubic spline through them."""
    if job["space"] != "waves":
        return CubicSpline(x, values)
    modes = np.fft.rfft(values) / len(values)
    weights = np.where(np.arange(len(modes)) == 0, 1.0, 2.0)
    frequencies = 2j * np.pi / length * np.arange(len(modes))
    return lambda points: (np.exp((points[:, None] - x[0]) * frequencies) @ (weights * modes)).real


def _pulse(problem: Advection, x: np.ndarray, time: float) -> np.ndarray:
    return problem.exact(torch.from_numpy(np.ascontiguousarray(x))[:, None], time)[:, 0].numpy()


def _answer(numbers: int, seconds: float, rows: list[dict[str, float]]) -> dict[str, Any]:
    return {"numbers": numbers, "memory_bytes": 8 * numbers, "seconds": seconds, **summary(rows)}
