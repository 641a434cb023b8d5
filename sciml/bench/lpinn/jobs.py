"""The measurements of ``sciml bench lpinn`` on our networks: shipped configs, with or without changes."""

from __future__ import annotations

from typing import Any

import torch

from sciml.bench.measure import load_average
from sciml.bench.worker import Job
from sciml.errors import SciMLError
from sciml.lpinn.readout import errors
from sciml.lpinn.readout.least_action import field_of
from sciml.lpinn.task import SpaceTimeFitting
from sciml.training.config import load_config


def case(job: Job) -> dict[str, Any]:
    """Solve a config by our characteristics, with ``job["changes"]``, against the exact solution.

    Returns
    -------
    dict
        ``numbers`` and ``memory_bytes`` of the solution at all times; ``seconds`` of CPU time; ``solves``;
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


def build(config: str, seed: int, changes: tuple[str, ...] | list[str] = ()) -> SpaceTimeFitting:
    """Return the task of a shipped config, which holds all settings."""
    task = load_config(config, [f"seed={seed}", *changes]).build_task()
    task.solver.seed = seed
    return task
