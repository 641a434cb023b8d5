"""The cases of ``sciml bench insr``: shipped configs, solved step by step, without the time for the errors."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from sciml.bench.measure import load_average
from sciml.errors import DivergenceError
from sciml.insr import TimeStepper, TimeStepping
from sciml.insr.integrators import NeuralFields
from sciml.insr.solver import StepReport, TimeStepState
from sciml.training.config import load_config

KEPT = 24  # times of the history that are written
Measure = Callable[[NeuralFields, float], Mapping[str, float]]


@dataclass(frozen=True)
class Case:
    """A shipped config with its task and its time stepper.

    Attributes
    ----------
    task : with the problem, the settings and the networks
    stepper : of the task, with points of the same seed
    steps : that are made
    """

    task: TimeStepping
    stepper: TimeStepper
    steps: int

    @property
    def numbers(self) -> int:
        """The number of parameters that represent the fields at one time."""
        return sum(network.count for network in self.stepper.networks.values())

    @property
    def memory(self) -> int:
        """The memory of the parameters in bytes."""
        return sum(weight.numel() * weight.element_size() for weight in self.task.networks.parameters())


def build(config: str, seed: int, changes: Sequence[str] = (), steps: int | None = None) -> Case:
    """Return the case of a shipped config.

    Parameters
    ----------
    config : name of a shipped config, the only place of all settings
    seed : of the initial weights and of the points
    changes : ``key=value`` for what a comparison varies
    steps : at most so many, for quick runs
    """
    loaded = load_config(config, [f"seed={seed}", *changes])
    task = loaded.build_task()
    dtype = torch.float32 if loaded.trainer["precision"] == "32-true" else torch.float64
    task.networks.to(dtype)
    stepper = TimeStepper(
        task.problem,
        task.networks,
        task.integrator,
        task.time_step,
        fitting=task.fitting,
        points=task.points,
        seed=seed,
    )
    return Case(task, stepper, task.steps if steps is None else min(steps, task.steps))


def with_fitting(case: Case, **changes: Any) -> Case:
    """Return the case with another ``fitting`` or ``integrator`` instead of those of the config."""
    old = case.stepper
    settings = {"integrator": old.integrator, "fitting": old.fitting} | changes
    stepper = TimeStepper(
        old.problem,
        case.task.networks,
        settings["integrator"],
        old.time_step,
        fitting=settings["fitting"],
        points=old.points,
        seed=old.seed,
    )
    return replace(case, stepper=stepper)


def solve(case: Case, measure: Measure | None = None, start: TimeStepState | None = None) -> dict[str, Any]:
    """Solve a case; a failure on the way is part of the result.

    Parameters
    ----------
    case : to solve
    measure : returns errors by name at each time, without being timed; by default against the exact solution
    start : the fitted initial condition, fitted here by default

    Returns
    -------
    dict
        ``numbers`` and ``memory_bytes`` of the representation; ``seconds`` of CPU time, of which
        ``start_seconds`` for the fit of the initial condition; ``solves``; ``steps`` made; ``last``, everything
        measured at the end; ``mean``, averages over the steps; ``history``, columns at some times; ``failed``, a
        sentence or None.
    """
    rows: list[dict[str, float]] = []
    measure = measure or case.task.errors_of
    seconds, solves, failed = 0.0, 0, None
    try:
        for state, report in case.stepper.run(case.steps, start):
            seconds, solves = seconds + report.seconds, solves + report.solves
            rows.append(_row(case, state, report, measure) | {"seconds": seconds, "solves": solves})
    except DivergenceError as error:
        failed = str(error)
    fit = [row["seconds"] for row in rows if not row["time"]]
    return {
        "numbers": case.numbers,
        "memory_bytes": case.memory,
        "seconds": seconds,
        "start_seconds": sum(fit),
        "solves": solves,
        "steps": len(rows) - len(fit),
        **summary(rows),
        "failed": failed,
        "load": load_average(),
    }


def summary(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return ``last``, ``mean`` over the times after the initial one, and ``history`` of what was measured in time."""
    if not rows:
        return {"last": {}, "mean": {}, "history": {}}
    every = max(1, len(rows) // KEPT)
    kept = [row for number, row in enumerate(rows) if number % every == 0 or number == len(rows) - 1]
    later = [row for row in rows if row["time"]]
    names = [name for name in rows[0] if name not in ("time", "seconds", "solves")] if later else []
    return {
        "last": dict(rows[-1]),
        "mean": {name: statistics.fmean(row[name] for row in later) for name in names},
        "history": {name: [row[name] for row in kept] for name in rows[0]},
    }


def _row(case: Case, state: TimeStepState, report: StepReport, measure: Measure) -> dict[str, float]:
    with torch.no_grad():
        errors = measure(case.stepper.fields(state.weights), state.time)
    return {"time": state.time, "rms": report.rms, **report.quantities, **errors}
