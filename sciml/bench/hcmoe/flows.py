"""The measurements of ``sciml bench hcmoe`` on Darcy flow through log-normal media, which the seed draws.

Errors are relative, at the centres of 64 x 64 cells, against experts of higher degree on smaller elements, with which
Galerkin's method agrees as far as it gets. CPU times are those of the solution alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.elements import Elements
from sciml.hcmoe.plane import PlaneExperts
from sciml.hcmoe.problems import RandomDarcy
from sciml.metrics import relative_l2
from sciml.reference.darcy import solve_darcy
from sciml.reference.darcy_finite_volumes import finite_volumes

PLACES = 64  # along each axis
FINEST = Elements(12, 16, towards=[0.0, 1.0], smallest=0.006)


def experts(job: Job) -> dict[str, Any]:
    """Solve the config ``job["config"]`` with ``job["changes"]`` on the medium of the seed.

    Returns
    -------
    dict
        ``error``, ``unknowns``, ``seconds``.
    """
    from sciml.training.config import load_config

    def measure() -> dict[str, float]:
        medium = f"task.init_args.problem.init_args.seed={job['seed']}"
        solver = load_config(job["config"], [medium, *job.get("changes", ())]).build_task().experts
        flow, seconds = cpu_timed(solver.solve)
        found = solver.pressure(flow, _places()).numpy()
        return {"error": _error(job, found), "unknowns": solver.unknowns, "seconds": seconds}

    return outcome(measure)


def galerkin(job: Job) -> dict[str, Any]:
    """Solve by Galerkin's method with one polynomial of ``job["degree"]`` on the whole square; see :func:`experts`."""

    def measure() -> dict[str, float]:
        medium = _numeric(RandomDarcy(job["seed"]).permeability)
        pressure, seconds = cpu_timed(lambda: solve_darcy(medium, 1.0, job["degree"]))
        found = pressure(_places().numpy())
        return {"error": _error(job, found), "unknowns": pressure.coefficients.size, "seconds": seconds}

    return outcome(measure)


def volumes(job: Job) -> dict[str, Any]:
    """Solve by finite volumes with ``job["cells"]`` along each axis, an odd multiple of 64; see :func:`experts`."""

    def measure() -> dict[str, float]:
        problem, cells = RandomDarcy(job["seed"]), job["cells"]
        given = [_numeric(each) for each in (problem.permeability, problem.source, problem.boundary)]
        (_, found), seconds = cpu_timed(lambda: finite_volumes(*given, (0.0, 0.0), (1.0, 1.0), cells))
        ratio = cells // PLACES
        middle = found[ratio // 2 :: ratio, ratio // 2 :: ratio]
        return {"error": _error(job, middle.ravel()), "unknowns": cells**2, "seconds": seconds}

    return outcome(measure)


def _places() -> Tensor:
    """Return the centres of the cells, ``(n, 2)``."""
    along = (torch.arange(PLACES, dtype=torch.float64) + 0.5) / PLACES
    return torch.cartesian_prod(along, along)


def _error(job: Job, found: np.ndarray) -> float:
    """Return the relative L2 error of a pressure at the places."""
    finest = PlaneExperts(RandomDarcy(job["seed"]), FINEST)
    return relative_l2(found, finest.pressure(finest.solve(), _places()).numpy())


def _numeric(function: Callable[[Tensor], Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of torch points ``(n, 2)`` as one of NumPy points ``(..., 2)``."""
    return lambda points: function(torch.from_numpy(points.reshape(-1, 2))).numpy().reshape(points.shape[:-1])
