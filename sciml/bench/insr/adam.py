"""Tuned Adam for ``sciml bench insr``: the competitor of least squares at equal CPU time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import torch

from sciml.bench.insr.cases import Case, build, solve, with_fitting
from sciml.bench.worker import Job
from sciml.insr.fitting import Draw, Fit, Fitted, Fitting
from sciml.status import Status

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
SCHEDULES = ("constant", "plateau", "cosine")
LONGER = 10  # times the CPU time of least squares
PATIENCE, FACTOR = 20, 0.5  # of the plateaus; there is time for hundreds of iterations, not for thousands


@dataclass(frozen=True)
class TunedAdam(Fitting):
    """Adam with the advantages of least squares: one set of points for the fit, and the best parameters on the way.

    Parameters
    ----------
    rate : initial learning rate of each fit
    schedule : constant, smaller on plateaus, or falling to 0 by a cosine of the time that has passed
    seconds : CPU time for each fit
    fresh : new points in every iteration, as published, and the last parameters
    initial_tolerance : as for least squares
    clock : returns the CPU seconds since some moment
    """

    rate: float
    schedule: Literal["constant", "plateau", "cosine"]
    seconds: float
    fresh: bool = False
    initial_tolerance: float = 0.05
    clock: Callable[[], float] = time.process_time

    def fit(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit by Adam for as long as the time suffices."""
        begin = self.clock()
        weights = fit.start.clone().requires_grad_()
        optimizer = torch.optim.Adam([weights], self.rate, foreach=False)
        groups = fit.residuals(draw(0, fit.start))
        best, best_loss, since, iteration = fit.start, math.inf, 0, 0
        while (passed := (self.clock() - begin) / self.seconds) < 1:
            if self.schedule == "cosine":
                optimizer.param_groups[0]["lr"] = self.rate * (1 + math.cos(math.pi * passed)) / 2
            if self.fresh and iteration:
                groups = fit.residuals(draw(iteration, weights.detach()))
            optimizer.zero_grad()
            total = sum(group.loss(weights) for group in groups)
            total.backward()
            loss, since = float(total.detach()), since + 1
            if loss < best_loss:
                best, best_loss, since = weights.detach().clone(), loss, 0
            elif self.schedule == "plateau" and since > PATIENCE:
                optimizer.param_groups[0]["lr"] *= FACTOR
                since = 0
            optimizer.step()
            iteration += 1
        return Fitted(weights.detach() if self.fresh else best, best_loss**0.5, iteration, Status.LIMIT)

    def fit_initial(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit the initial condition in the same way."""
        return self.fit(fit, draw, generator)


def compare(job: Job) -> dict[str, Any]:
    """Compare least squares and Adam from the same state, on the same network and points, over ``job["steps"]`` steps.

    Every Adam has as much CPU time for each fit as least squares took on average; then the best ``job["longer"]`` of
    them have ten times as much.

    Returns
    -------
    dict
        ``least_squares`` and, by name, ``adam`` and ``longer``: ``relative_l2`` after the last step, ``seconds``,
        ``solves``.
    """
    case = build(job["config"], job["seed"], steps=job["steps"])
    start, _ = case.stepper.initial()
    warm_up(case)
    squares = solve(case, start=start)
    seconds = squares["seconds"] / squares["steps"]
    found = {}
    for rate, schedule, fresh in product(RATES, SCHEDULES, (False, True)):
        other = with_fitting(case, fitting=TunedAdam(rate, schedule, seconds, fresh))
        name = f"{rate:g}, {schedule}, {'new points' if fresh else 'fixed points'}"
        found[name] = _short(solve(other, start=start)) | {"settings": [rate, schedule, fresh]}
    longer = {}
    for name in sorted(found, key=lambda name: found[name]["relative_l2"])[: job["longer"]]:
        rate, schedule, fresh = found[name]["settings"]
        other = with_fitting(case, fitting=TunedAdam(rate, schedule, LONGER * seconds, fresh))
        longer[name] = _short(solve(other, start=start))
    return {"least_squares": _short(squares), "adam": found, "longer": longer, "load": squares["load"]}


def warm_up(case: Case) -> None:
    """Make one step, so that costs of the first one, such as compilation, are not measured."""
    state, _ = case.stepper.initial()
    case.stepper.advance(state)


def _short(result: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of a run, with an error of 1 if it ended early."""
    error = 1.0 if result["failed"] else result["last"]["relative_l2"]
    return {"relative_l2": error, "seconds": result["seconds"], "solves": result["solves"], "failed": result["failed"]}
