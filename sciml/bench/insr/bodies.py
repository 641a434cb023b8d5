"""Elastic bodies for ``sciml bench insr``: tension beside finite elements, and a body that falls on an obstacle."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch

from sciml.bench.insr.cases import Case, build, solve
from sciml.bench.measure import cpu_timed, load_average
from sciml.bench.worker import Job
from sciml.domains.output_points import evaluation_points
from sciml.errors import DivergenceError, InputError
from sciml.insr import ElasticBody, Tension
from sciml.insr.integrators import NeuralFields
from sciml.metrics import relative_l2
from sciml.reference.hyperelasticity_finite_elements import FiniteElementDisplacement, square
from sciml.reference.hyperelasticity_finite_elements import tension as pull

GROWTH, MOST = 1.25, 64  # of the cells that are tried until the time is up
TOUCH = 1e-6  # penetration, relative to the height, from which a body is in contact


def tension(job: Job) -> dict[str, Any]:
    """Solve the tension test of a config by our network, against quadratic finite elements on a fine mesh.

    Returns
    -------
    dict
        As of ``solve``; ``last`` has ``relative_l2``, ``mean_absolute_error``, ``elastic_energy`` and
        ``smallest_volume_ratio``.
    """
    case = build(job["config"], job["seed"], job.get("changes", ()), steps=job.get("steps"))
    return solve(case) | {"reference_energy": _problem(case).reference.energy}


def tension_fem(job: Job) -> dict[str, Any]:
    """Solve the tension test by finite elements of ``job["degree"]`` on ``job["cells"]`` squares along each axis.

    The mesh is graded towards the corners by ``job["grading"]``, 1 by default. With ``job["seconds"]`` the cells are
    refined as long as that CPU time suffices.

    Returns
    -------
    dict
        ``numbers``, ``memory_bytes`` of the displacement and ``mesh_bytes`` of the mesh, which a network does not need;
        ``cells``, ``seconds``, ``last`` with ``relative_l2``, ``mean_absolute_error`` and ``elastic_energy``;
        ``reference_energy``, ``failed``, ``load``.
    """
    problem = _pulled(job["config"], tuple(job.get("changes", ())))
    cells, degree, grading = job["cells"], job.get("degree", 1), job.get("grading", 1.0)
    answer: dict[str, Any] = {"cells": cells, "failed": None, "load": load_average()}
    try:
        found, seconds = _solved(problem, cells, grading, degree)
        while job.get("seconds") is not None and cells < MOST:
            finer = max(cells + 1, round(GROWTH * cells))
            following, spent = _solved(problem, finer, grading, degree)
            if spent > job["seconds"]:
                break
            found, seconds, cells = following, spent, finer
    except DivergenceError as error:
        return answer | {"numbers": 0, "memory_bytes": 0, "seconds": 0.0, "last": {}, "failed": str(error)}
    points = evaluation_points(problem.domain)
    exact, values = problem.exact_field("displacement", points, 0.0).numpy(), found(points.numpy())
    errors = {
        "relative_l2": relative_l2(values, exact),
        "mean_absolute_error": float(np.abs(values - exact).mean()),
        "elastic_energy": found.energy,
    }
    return answer | {
        "cells": cells,
        "numbers": found.degrees_of_freedom,
        "memory_bytes": found.memory,
        "mesh_bytes": found.mesh_memory,
        "seconds": seconds,
        "last": errors,
        "reference_energy": problem.reference.energy,
    }


def drop(job: Job) -> dict[str, Any]:
    """Solve a config by our network in which a body falls on an obstacle and springs back.

    Returns
    -------
    dict
        As of ``solve``, with ``fall``: ``penetration``, the deepest, relative to the height of the body;
        ``free_fall_error``, the largest distance of the mean displacement from the parabola before contact, and
        ``free_steps``, how many those are; ``momentum_before``, the largest downwards, ``momentum_after``, the largest
        upwards that follows, and ``momentum_sideways``, the largest change along the other axes; and
        ``smallest_volume_ratio``, positive where no part is inverted.
    """
    case = build(job["config"], job["seed"], job.get("changes", ()), steps=job.get("steps"))
    rows: list[dict[str, float]] = []

    def measure(fields: NeuralFields, time: float) -> Mapping[str, float]:
        rows.append({"time": time, **case.task.problem.quantities(fields, time)})
        return {}

    result = solve(case, measure)
    return result | {"fall": fall(case.task.problem, rows) if rows else {}}


def fall(problem: ElasticBody, rows: list[dict[str, float]]) -> dict[str, float]:
    """Describe a fall by the quantities of the body in time; down is the direction of gravity, or of the velocity.

    Raises
    ------
    InputError
        The body has neither.
    """
    motion, dim = problem.motion, problem.domain.dim
    gravity = torch.tensor(motion.gravity or [0.0] * dim, dtype=torch.float64)
    velocity = torch.tensor(motion.velocity or [0.0] * dim, dtype=torch.float64)
    down = gravity if bool(gravity.any()) else velocity
    if not bool(down.any()):
        raise InputError("the body has neither gravity nor a velocity; a drop needs one of them.")
    down = down / down.norm()
    height = _extent(problem, down)
    free = next((k for k, row in enumerate(rows) if row["penetration"] > TOUCH * height), len(rows))
    momentum = torch.tensor([[row[f"momentum_{axis}"] for axis in "xyz"[:dim]] for row in rows], dtype=torch.float64)
    moved = torch.tensor([[row[f"mean_displacement_{a}"] for a in "xyz"[:dim]] for row in rows], dtype=torch.float64)
    times = torch.tensor([row["time"] for row in rows], dtype=torch.float64)[:, None]
    parabola = velocity * times + gravity * times**2 / 2
    along = momentum @ down
    lowest = int(along.argmax())
    sideways = momentum - along[:, None] * down
    return {
        "penetration": max(row["penetration"] for row in rows) / height,
        "free_fall_error": float((moved - parabola)[:free].norm(dim=1).max()),
        "free_steps": max(0, free - 1),
        "momentum_before": float(along[lowest]),
        "momentum_after": -float(along[lowest:].min()),
        "momentum_sideways": float((sideways - sideways[0]).norm(dim=1).max()),
        "smallest_volume_ratio": min(row["smallest_volume_ratio"] for row in rows),
    }


@cache
def _pulled(config: str, changes: tuple[str, ...]) -> Tension:
    """Return the problem of a config; it is kept, since its reference takes longer than what is compared with it."""
    return _problem(build(config, 0, changes))


def _problem(case: Case) -> Tension:
    problem = case.task.problem
    if (
        not isinstance(problem, Tension)
        or problem.exact_field(problem.headline, evaluation_points(problem.domain)[:1], 0.0) is None
    ):
        raise InputError(f"{type(problem).__name__} is not a tension test with a reference; set its reference_cells.")
    return problem


def _solved(problem: Tension, cells: int, grading: float, degree: int) -> tuple[FiniteElementDisplacement, float]:
    """Return the displacement, and the CPU time that it took, mesh included."""
    return cpu_timed(
        lambda: pull(square(cells, grading), problem.energy.material(), degree, extension=problem.extension)
    )


def _extent(problem: ElasticBody, direction: torch.Tensor) -> float:
    """Return the height of the undeformed body along a direction."""
    heights = problem.domain.boundary(4000, torch.Generator().manual_seed(0)).points @ direction
    if hasattr(problem.domain, "vertices"):
        heights = torch.cat([heights, problem.domain.vertices @ direction])
    return float(heights.max() - heights.min())
