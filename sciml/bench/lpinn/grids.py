"""Classical methods on the problems of ``sciml bench lpinn``; ``job["number"]`` is the resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sciml.bench.lpinn.jobs import build
from sciml.bench.measure import cpu_timed, load_average
from sciml.bench.worker import Job
from sciml.domains.output_points import points_of
from sciml.lpinn import Convection, TransportProblem
from sciml.lpinn.readout.error_norms import EVALUATION
from sciml.metrics import relative_l2
from sciml.reference import advection_semi_lagrangian as paths
from sciml.reference import conservation_laws_fourier as fourier
from sciml.reference.advection_semi_lagrangian import Lattice
from sciml.reference.conservation_laws_entropy import BURGERS
from sciml.reference.conservation_laws_finite_volumes import cell_averages, centre_values, conservation, transport

COURANT = 4.0  # of semi-Lagrangian steps, which have no limit of stability


def finite_volumes(job: Job) -> dict[str, Any]:
    """Solve by finite volumes of fifth order; the error is that at the centres of cells.

    Returns
    -------
    dict
        As of :func:`sciml.bench.lpinn.jobs.case`; the memory is that of u at one time.
    """
    problem, cells = _problem(job), job["number"]
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    centres = torch.from_numpy(lower + (upper - lower) * (np.arange(cells) + 0.5) / cells)[:, None]
    averages, seconds = _timed(lambda times: _averages(problem, cells, times), problem)
    values = centre_values(averages)
    return _result(problem, centres, values * _speed(problem, centres) if problem.passive else values, seconds)


def spectral(job: Job) -> dict[str, Any]:
    """Solve by Fourier collocation, with errors at the nodes; the result is as of ``finite_volumes``."""
    problem, count = _problem(job), job["number"]
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper
    period, shift = upper - lower, torch.from_numpy(fourier.nodes(upper - lower, count))[:, None]
    start, viscosity = problem.initial(lower + shift)[:, 0].numpy(), problem.viscosity

    def solve(times: np.ndarray) -> np.ndarray:
        if problem.passive:
            return fourier.convection(start, period, _speed(problem, lower + shift), times, viscosity)
        return fourier.conservation(start, period, BURGERS, times, viscosity)

    return _result(problem, lower + shift, *_timed(solve, problem))


def semi_lagrangian(job: Job) -> dict[str, Any]:
    """Solve by paths traced backwards step by step and splines of degree 5 on a lattice; result as of the others.

    The lattice is on the box of the labels, and errors are at its nodes inside of the domain.
    """
    problem = _problem(job)
    lattice = Lattice(problem.labels.lower, problem.labels.upper, [job["number"]] * 2)
    points = torch.from_numpy(lattice.points.reshape(-1, 2))
    start, velocity, inside = _carried(problem), _velocity(problem), problem.domain.contains(points)
    fastest = float(np.linalg.norm(velocity(points.numpy(), 0.0), axis=1).max())
    step = COURANT * float(lattice.spacing.min()) / fastest

    def solve(times: np.ndarray) -> np.ndarray:
        first = start(points.numpy()).reshape(lattice.shape)
        found = paths.semi_lagrangian(first, lattice, velocity, times, step, problem.viscosity, degree=5)
        return found.reshape(len(times), -1)[:, inside.numpy()]

    return _result(problem, points[inside], *_timed(solve, problem)) | {
        "numbers": len(points),
        "memory_bytes": 8 * len(points),
    }


def traced(job: Job) -> dict[str, Any]:
    """Solve by paths traced back to time 0 with tolerance ``10^-number``; the result is as of ``finite_volumes``."""
    problem = _problem(job)
    count, _ = EVALUATION[problem.domain.dim]
    points = points_of(problem.domain.lattice(count))

    def solve(times: np.ndarray) -> np.ndarray:
        tolerance = 10.0 ** -job["number"]
        return paths.traced(_carried(problem), _velocity(problem), points.numpy(), times, tolerance)

    return _result(problem, points, *_timed(solve, problem)) | {"memory_bytes": 0, "numbers": 0}  # nothing is kept


def _carried(problem: TransportProblem) -> Callable[[np.ndarray], np.ndarray]:
    """Return the initial condition of a problem as a function of arrays."""
    return lambda points: problem.initial(torch.from_numpy(points))[:, 0].numpy()


def _velocity(problem: TransportProblem) -> Callable[[np.ndarray, float], np.ndarray]:
    """Return the velocity of a passive problem as a function of arrays."""

    def velocity(points: np.ndarray, time: float) -> np.ndarray:
        at = torch.from_numpy(np.ascontiguousarray(points))
        return problem.velocity(at, torch.full_like(at[:, :1], time), torch.zeros_like(at[:, :1])).numpy()

    return velocity


def _problem(job: Job) -> TransportProblem:
    return build(job["config"], 0, job["changes"]).solver.characteristics.problem


def _times(problem: TransportProblem) -> np.ndarray:
    return np.linspace(0.0, problem.duration, EVALUATION[problem.domain.dim][1])


def _timed(solve: Callable[[np.ndarray], np.ndarray], problem: TransportProblem) -> tuple[np.ndarray, float]:
    return cpu_timed(lambda: solve(_times(problem)))


def _result(problem: TransportProblem, points: torch.Tensor, values: np.ndarray, seconds: float) -> dict[str, Any]:
    """Return the errors of values ``(times, n)`` at points ``(n, dim)``."""
    exact = np.stack([problem.exact(points, float(time))[:, 0].numpy() for time in _times(problem)])
    mean = float(problem.initial(problem.probes()).mean())
    return {
        "numbers": len(points),
        "memory_bytes": 8 * len(points),
        "seconds": seconds,
        "last": {
            "relative_l2": relative_l2(values - mean, exact - mean),
            "relative_l2_at_end": relative_l2(values[-1] - mean, exact[-1] - mean),
        },
        "failed": None if np.isfinite(values).all() else "not finite",
        "load": load_average(),
    }


def _averages(problem: TransportProblem, cells: int, times: np.ndarray) -> np.ndarray:
    """Return cell averages at some times; for a passive u, u / a obeys a conservation law with the flux a u."""
    (lower,), (upper,) = problem.domain.lower, problem.domain.upper

    def carried(x: np.ndarray) -> np.ndarray:
        points = torch.from_numpy(lower + x)[:, None]
        start = problem.initial(points)[:, 0].numpy()
        return start / _speed(problem, points) if problem.passive else start

    start = cell_averages(carried, upper - lower, cells)
    if not problem.passive:
        return conservation(start, upper - lower, BURGERS, times, problem.viscosity)
    steady = isinstance(problem, Convection)
    speed = problem.speed if steady else lambda x: _speed(problem, torch.from_numpy(lower + x)[:, None])
    return transport(start, upper - lower, speed, times, problem.viscosity)


def _speed(problem: TransportProblem, points: torch.Tensor) -> np.ndarray:
    """Return the velocity of a passive problem in 1-D at time 0."""
    zero = torch.zeros_like(points)
    return problem.velocity(points, zero, zero)[:, 0].numpy()
