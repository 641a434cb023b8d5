"""The measurements of ``sciml bench text2pde`` on whether simulations obey the equations, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from sciml.bench.measure import medians_of_turns
from sciml.bench.outcome import outcome
from sciml.bench.text2pde.networks import shipped_task
from sciml.bench.text2pde.simulations import Trajectories, tests
from sciml.bench.worker import Job
from sciml.mesh import Grid
from sciml.numerics.random import generator
from sciml.reference.incompressible_smoke import FIELDS, SIDE, RisingSmoke
from sciml.text2pde import DivergenceFree

DRAWS = 2  # stream of members
COMPONENTS = slice(0, 2)  # of the velocity among the fields


def drawn(job: Job) -> dict[str, Any]:
    """Measure a member of the shipped weights for each test, its velocity ``projected`` or not; as :func:`solver`."""

    def generated(case: Trajectories) -> Tensor:
        return shipped_task().draw(case.first, case.buoyancy, generator(job["seed"], DRAWS), job["calls"])

    return _measured(job, generated)


def solver(job: Job) -> dict[str, Any]:
    """Measure the frames of the solver themselves.

    Returns
    -------
    dict
        ``divergence``, the largest one after the first frame, and ``velocity`` and ``smoke``, mean re-solve errors: how
        far the solver, going on from the first frame of a trajectory, is from the rest of it.
    """
    return _measured(job, lambda case: case.fields)


def persistence(job: Job) -> dict[str, Any]:
    """Measure the first frame at all times; as :func:`solver`."""
    return _measured(job, lambda case: case.fields[:, :, :1].expand_as(case.fields))


def costs(job: Job) -> dict[str, Any]:
    """Measure the CPU time of a simulation from a first frame, by the shipped weights and by the solver in turns.

    Returns
    -------
    dict
        CPU milliseconds of a simulation: ``member_N`` with N calls of the network, ``several``, with 4 calls, of 8 at
        once, and ``solver``.
    """

    def measure() -> dict[str, float]:
        task, case = shipped_task(), tests(job)
        frame, buoyancy, draws = case.first[:1], case.buoyancy[:1], generator(job["seed"], DRAWS)
        frames, buoyancies = frame.expand(8, -1, -1, -1), buoyancy.expand(8, -1)
        problem = _problem(case)
        start = problem.restart(dict(zip(FIELDS, frame[0].double().numpy(), strict=True)))
        functions: dict[str, Callable[[], Any]] = {
            **{f"member_{calls}": lambda calls=calls: task.draw(frame, buoyancy, draws, calls)
               for calls in job["calls"]},
            "several": lambda: task.draw(frames, buoyancies, draws, 4),
            "solver": lambda: problem.frames(start, float(buoyancy), case.fields.shape[2]),
        }  # fmt: skip
        for function in functions.values():
            function()  # which compiles
        found = {name: 1e3 * seconds for name, seconds in medians_of_turns(functions, job["turns"]).items()}
        found["several"] /= len(frames)
        return {**found, "seconds": found["member_4"] / 1e3}

    return outcome(measure)


def _measured(job: Job, made: Callable[[Trajectories], Tensor]) -> dict[str, Any]:
    def measure() -> dict[str, float]:
        case = tests(job)
        found = made(case).double().numpy()
        projection = DivergenceFree(Grid(found.shape[-2:], (0.0, 0.0), (SIDE, SIDE), centring="cell"))
        velocity = found[:, COMPONENTS].swapaxes(1, 2)
        if job.get("projected"):
            velocity = projection(velocity)
            found[:, COMPONENTS] = velocity.swapaxes(1, 2)
        errors = [
            _problem(case).resolve_errors(dict(zip(FIELDS, each, strict=True)), float(buoyancy))
            for each, buoyancy in zip(found, case.buoyancy, strict=True)
        ]
        means = {name: float(np.mean([each[name] for each in errors])) for name in ("velocity", "smoke")}
        return {**means, "divergence": float(np.abs(projection.divergence(velocity[:, 1:])).max())}

    return outcome(measure)


def _problem(case: Trajectories) -> RisingSmoke:
    return RisingSmoke(case.fields.shape[-1])
