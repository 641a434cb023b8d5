"""The measurements of ``sciml bench hcmoe`` on flows in a periodic square: operators that learn without solutions.

Both operators have the same layers and about the same CPU time. The soft one returns a field, the other one a basis,
which is trained by the sum of its fields and tested with one expert and with several. Errors are relative, of the
vorticity of one flow over all places and times after the start, and averaged over flows that nobody trains on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.bench.hcmoe.operators import trained_task
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.families.vorticity import VorticityFamily
from sciml.hcmoe.families.vorticity_cases import solutions, starts
from sciml.hcmoe.operator_task import ConstrainedOperator
from sciml.hcmoe.periodic_grid import resampled
from sciml.metrics import relative_l2
from sciml.numerics.random import generator

CASES = 91  # seed of the flows of the test, which no setting was chosen on
RESOLUTION = 128  # values along each axis of their solutions


def operator(job: Job) -> dict[str, Any]:
    """Train a shipped config, and test it.

    Parameters
    ----------
    job : the ``config`` with ``changes``, and the number of ``cases`` of the test

    Returns
    -------
    dict
        ``error``, ``error_last`` at the last time, ``residual`` relative to that of fields that stay as they start, all
        as means; ``single``, the error with at most one expert, on the same outputs; ``sum``, that of the sum of the
        fields; ``independent``, that of several experts if each has the rows of its own box alone; the number of
        ``weights`` of the network.
    """

    def measure() -> dict[str, float]:
        task, seconds = trained_task(job)
        family = task.family
        instances, u = _cases(family, job["cases"])
        summed = _one_by_one(lambda own: family.unconstrained(_outputs(task, own), own), instances)
        found = {**_errors(family, _one_by_one(task, instances), u), "sum": _errors(family, summed, u)["error"]}
        found["single"] = found["error"]
        if task.mode == "experts":
            found["single"] = _combined(task, instances, u, experts=False)
            family.settings = replace(family.settings, coupling="independent")
            found["independent"] = _combined(task, instances, u, experts=True)
        weights = sum(each.numel() for each in task.network.parameters())
        return {**found, "weights": float(weights), "seconds": seconds}

    return outcome(measure)


def spectral(job: Job) -> dict[str, Any]:
    """Solve by Fourier series of ``job["values"]`` along each axis, the places of the grid among them."""

    def measure() -> dict[str, float]:
        family = _family(job)
        instances, u = _cases(family, job["cases"])
        start = resampled(instances["start"], job["values"])
        flow, seconds = cpu_timed(lambda: solutions(start, family.viscosity, family.grid.t))
        found = torch.cat([u[:, :1], resampled(flow[:, 1:], family.places)], 1)
        return {**_errors(family, found, u), "seconds": seconds / len(u)}

    return outcome(measure)


def floor(job: Job) -> dict[str, Any]:
    """Minimise the residual over all fields on the grid, from the solution: the error that the rows themselves have."""

    def measure() -> dict[str, float]:
        family = _family(job)
        _, u = _cases(family, job["cases"])
        found = torch.cat([_least(family, u[i : i + 1], job["iterations"]) for i in range(len(u))])
        return _errors(family, found, u)

    return outcome(measure)


def _family(job: Job) -> VorticityFamily:
    return VorticityFamily(tuple(job["shape"]))


def _one_by_one(operator: Callable[[dict[str, Tensor]], Tensor], instances: dict[str, Tensor]) -> Tensor:
    """Return the fields of an operator, without derivatives, for the memory."""
    with torch.no_grad():
        return torch.cat([operator({"start": start[None]}) for start in instances["start"]])


def _combined(task: ConstrainedOperator, instances: dict[str, Tensor], u: Tensor, *, experts: bool) -> float:
    """Return the mean error if the outputs of a trained network are combined by one expert or by several."""
    objective = task.family.objective(experts=experts)
    guess = task.guess.double() if experts else task.guess.double().mean(1, keepdim=True)
    fields = _one_by_one(lambda own: objective(_outputs(task, own), own, generator(0), guess).u, instances)
    return _errors(task.family, fields, u)["error"]


def _outputs(task: ConstrainedOperator, instances: dict[str, Tensor]) -> Tensor:
    return task.network(task._inputs(instances))


def _cases(family: VorticityFamily, count: int) -> tuple[dict[str, Tensor], Tensor]:
    """Return instances of the test, and their solutions."""
    fine = starts(RESOLUTION, count, family.length, generator(CASES))
    u = resampled(solutions(fine, family.viscosity, family.grid.t), family.places)
    return {"start": u[:, 0]}, u


def _errors(family: VorticityFamily, found: Tensor, u: Tensor) -> dict[str, float]:
    """Return means over flows of relative errors, and the residual relative to that of fields that stay."""
    errors = [relative_l2(one.numpy(), other.numpy()) for one, other in zip(found[:, 1:], u[:, 1:], strict=True)]
    last = [relative_l2(one.numpy(), other.numpy()) for one, other in zip(found[:, -1], u[:, -1], strict=True)]
    stays = family.squares(u[:, :1].expand_as(u), {})["residual"]
    residual = (family.squares(found, {})["residual"] / stays).sqrt()
    return {"error": float(np.mean(errors)), "error_last": float(np.mean(last)), "residual": float(residual)}


def _least(family: VorticityFamily, u: Tensor, iterations: int) -> Tensor:
    """Return the minimum of the residual near a solution, with time derivatives as unknowns for their conditioning."""
    grid = family.grid
    count = grid.shape[0]
    unit = torch.eye(count, dtype=torch.float64)[None, :, :, None]
    integral = torch.linalg.inv(grid.time_derivative(unit)[0, 1:, 1:, 0])
    slopes = grid.time_derivative(u - u[:, :1])[:, 1:].clone().requires_grad_()

    def field() -> Tensor:
        rise = (integral @ slopes.flatten(2)).view_as(slopes)
        return torch.cat([u[:, :1], u[:, :1] + rise], 1)

    optimizer = torch.optim.LBFGS(
        [slopes],
        max_iter=iterations,
        history_size=20,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = family.squares(field(), {})["residual"] * u[0].numel()
        loss.backward()
        return loss

    optimizer.step(closure)
    return field().detach()
