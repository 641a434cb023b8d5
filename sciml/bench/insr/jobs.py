"""The measurements of ``sciml bench insr`` on the cases in 1-D. A job is a dict; so is its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from sciml.bench.insr.adam import TunedAdam, warm_up
from sciml.bench.insr.cases import build, solve, with_fitting
from sciml.bench.insr.grids import burgers_points, burgers_reference
from sciml.bench.worker import Job
from sciml.insr.integrators import NeuralFields
from sciml.metrics import relative_l2

TIMED_STEPS = 5  # of least squares, which set the CPU time of Adam
BEST_ADAM = (3e-3, "plateau")  # of all that the group ``adam`` tries


def case(job: Job) -> dict[str, Any]:
    """Solve a config by our network, with ``job["changes"]``, measured against the exact solution."""
    return solve(build(job["config"], job["seed"], job.get("changes", ()), steps=job.get("steps")))


def burgers(job: Job) -> dict[str, Any]:
    """Solve Burgers' equation by our network, measured against Fourier modes that resolve it."""
    made = build(job["config"], job["seed"], steps=job.get("steps"))
    reference = burgers_reference(job["config"], made.steps)
    points = torch.from_numpy(burgers_points())[:, None]

    def measure(fields: NeuralFields, time: float) -> Mapping[str, float]:
        step = round(time / made.task.time_step)
        exact = reference[step - 1] if step else made.task.problem.initial(points)[:, 0].numpy()
        return {"relative_l2": relative_l2(fields("u", points)[:, 0].numpy(), exact)}

    return solve(made, measure)


def adam(job: Job) -> dict[str, Any]:
    """Solve a config by Adam in place of least squares, in the CPU time of least squares, from the same state."""
    made = build(job["config"], job["seed"], steps=job.get("steps"))
    start, _ = made.stepper.initial()
    warm_up(made)
    some = build(job["config"], job["seed"], steps=TIMED_STEPS)
    timed = solve(some, start=start)
    rate, schedule = BEST_ADAM
    fitting = TunedAdam(rate, schedule, timed["seconds"] / max(1, timed["steps"]))
    return solve(with_fitting(made, fitting=fitting), start=start)
