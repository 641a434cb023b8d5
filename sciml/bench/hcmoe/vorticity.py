"""The measurements of ``sciml bench hcmoe`` on flows in a periodic square: operators that learn without solutions.

All operators have the same layers and the same CPU time. Soft ones return a field; those with a hard constraint return
a basis, and spend the first part of their time on the sum of its fields, which costs less. Errors are relative, of the
vorticity of one flow over all places and times after the start, and averaged over flows that nobody trains on.
"""

from __future__ import annotations

import math
import time
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.families.vorticity import VorticityFamily
from sciml.hcmoe.families.vorticity_cases import solutions, starts
from sciml.hcmoe.periodic_grid import resampled
from sciml.metrics import relative_l2
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import generator, seeded

CASES = 90  # seed of the flows of the test
RESOLUTION = 128  # values along each axis of their solutions
WARM_UP = 20  # updates in which the step size rises


def operator(job: Job) -> dict[str, Any]:
    """Train an operator, and test it.

    Parameters
    ----------
    job : ``shape`` of the grid, ``mode``: soft, hard or experts, ``functions`` of the basis,
        ``width`` and ``degree`` of the network, ``seconds`` of CPU time, or ``updates`` in their place, the ``shared``
        part of them for the sum of the fields, and the number of ``cases``

    Returns
    -------
    dict
        ``error``, ``error_last`` at the last time, ``residual`` relative to that of fields that stay as they start, all
        as means; ``updates`` and ``weights`` of the network; ``sum``, the error of the sum of the fields.
    """

    def measure() -> dict[str, float]:
        family = _family(job)
        with seeded(job["seed"]):
            width = job["width"]
            network = PolynomialsInTime(
                family.channels, job["functions"], [10, 10], [width] * 5, job["degree"], 2 * width
            )
        updates, seconds = cpu_timed(lambda: _train(network, family, job))
        instances, u = _cases(tuple(job["shape"]), job["cases"])
        fields = _tested(network, family, instances, job)
        weights = sum(each.numel() for each in network.parameters())
        summed = _errors(family, fields[1], u)["error"]
        return {**_errors(family, fields[0], u), "sum": summed, "updates": updates, "weights": weights,
                "seconds": seconds}  # fmt: skip

    return outcome(measure)


def spectral(job: Job) -> dict[str, Any]:
    """Solve by Fourier series of ``job["values"]`` along each axis, the places of the grid among them."""

    def measure() -> dict[str, float]:
        family = _family(job)
        instances, u = _cases(tuple(job["shape"]), job["cases"])
        start = resampled(instances["start"], job["values"])
        flow, seconds = cpu_timed(lambda: solutions(start, family.viscosity, family.grid.t))
        found = torch.cat([u[:, :1], resampled(flow[:, 1:], family.places)], 1)
        return {**_errors(family, found, u), "seconds": seconds / len(u)}

    return outcome(measure)


def floor(job: Job) -> dict[str, Any]:
    """Minimise the residual over all fields on the grid, from the solution: the error that the rows themselves have."""

    def measure() -> dict[str, float]:
        family = _family(job)
        _, u = _cases(tuple(job["shape"]), job["cases"])
        found = torch.cat([_least(family, u[i : i + 1], job["iterations"]) for i in range(len(u))])
        return _errors(family, found, u)

    return outcome(measure)


def _train(network: PolynomialsInTime, family: VorticityFamily, job: Job) -> int:
    """Train by Adam with a step that rises and then falls like a cosine, and return the number of updates."""
    draws, begin, update = generator(job["seed"], 1), time.process_time(), 0
    optimizer = torch.optim.Adam(network.parameters())
    objective = family.objective(experts=job["mode"] == "experts", training=True)
    guess = _ones(job, objective.fields[0])
    while True:
        done = update / job["updates"] if "updates" in job else (time.process_time() - begin) / job["seconds"]
        if done >= 1:
            return update
        sums = job["mode"] == "soft" or done < job["shared"]
        instances = family.sample(job["batch"] if sums else job["batch"] // 2, draws)
        seen = family.inputs(instances).float()
        if sums:
            terms = family.squares(family.unconstrained(network.total(seen), instances), instances)
        else:
            terms, _ = objective.squares(network(seen), instances, draws, guess)
        for group in optimizer.param_groups:
            group["lr"] = (
                job["step"] * min(1.0, (update + 1) / WARM_UP) * (0.01 + 0.495 * (1 + math.cos(math.pi * done)))
            )
        optimizer.zero_grad()
        terms["residual"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        update += 1


def _family(job: Job) -> VorticityFamily:
    return VorticityFamily(tuple(job["shape"]), training_times=job.get("times"))


def _ones(job: Job, experts: int) -> Tensor:
    """Return weights of 1, with which one expert returns the sum of the fields, and so do all of them together."""
    return torch.ones(1, experts, job["functions"], dtype=torch.float64)


def _tested(
    network: PolynomialsInTime, family: VorticityFamily, instances: dict[str, Tensor], job: Job
) -> list[Tensor]:
    """Return the fields of the operator, and the sums of its outputs."""
    with torch.no_grad():
        outputs = network(family.inputs(instances).float())
        sums = family.unconstrained(outputs, instances)
        if job["mode"] == "soft":
            return [sums, sums]
        objective, fields = family.objective(experts=job["mode"] == "experts"), []
        for number, start in enumerate(instances["start"]):  # one by one, for the memory
            own, guess = outputs[number : number + 1], _ones(job, objective.fields[0])
            fields.append(objective(own, {"start": start[None]}, generator(job["seed"]), guess).u)
    return [torch.cat(fields), sums]


@cache
def _cases(shape: tuple[int, int, int], count: int) -> tuple[dict[str, Tensor], Tensor]:
    """Return instances of the test, and their solutions."""
    family = VorticityFamily(shape)
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
