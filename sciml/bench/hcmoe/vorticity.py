"""The measurements of ``sciml bench hcmoe`` on flows in a periodic square: operators that learn without solutions.

All operators have the same layers and the same CPU time. Soft ones return a field; those with a hard constraint return
a basis, and spend the first part of their time on the sum of its fields, which costs less. Errors are relative, of the
vorticity of one flow over all places and times after the start, and averaged over flows that nobody trains on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.families.vorticity import COURANT, Vorticity
from sciml.hcmoe.periodic import PeriodicSettings
from sciml.metrics import relative_l2
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import generator, seeded
from sciml.reference.vorticity import velocity, vorticity_flow

CASES = 90  # seed of the flows of the test
WARM_UP = 20  # updates in which the step size rises
Field = Callable[[Tensor, dict[str, Tensor]], Tensor]


def operator(job: Job) -> dict[str, Any]:
    """Train an operator, and test it.

    Parameters
    ----------
    job : ``shape`` of the grid, ``functions`` of the basis, ``experts`` along x and y or None for a soft constraint,
        ``width`` and ``degree`` of the network, ``seconds`` of CPU time, or ``updates`` in their place, the ``shared``
        part of them for the sum of the fields, and the number of ``cases``

    Returns
    -------
    dict
        ``error``, ``error_last`` at the last time, ``residual`` relative to that of fields that stay as they start, all
        as means; ``updates`` and ``weights`` of the network; ``sum``, the error of the sum of the fields.
    """

    def measure() -> dict[str, float]:
        family, seed = Vorticity(job["shape"]), job["seed"]
        with seeded(seed):
            width = job["width"]
            network = PolynomialsInTime(
                family.channels, job["functions"], [10, 10], [width] * 5, job["degree"], 2 * width
            )
        updates, seconds = cpu_timed(lambda: _train(network, family, job))
        instances, u = _cases(tuple(job["shape"]), job["cases"])
        hard = _constrained(family, job["experts"], None, None) if job["experts"] else family.unconstrained
        with torch.no_grad():
            outputs = network(family.inputs(instances).float())
            fields = [torch.cat([one(outputs[i : i + 1], _one(instances, i)) for i in range(len(u))])
                      for one in (hard, family.unconstrained)]  # fmt: skip
        weights = sum(each.numel() for each in network.parameters())
        summed = _errors(family, fields[1], u)["error"]
        return {**_errors(family, fields[0], u), "sum": summed, "updates": updates, "weights": weights,
                "seconds": seconds}  # fmt: skip

    return outcome(measure)


def spectral(job: Job) -> dict[str, Any]:
    """Solve by Fourier series of ``job["values"]`` along each axis, the places of the grid among them."""

    def measure() -> dict[str, float]:
        family = Vorticity(job["shape"])
        instances, u = _cases(tuple(job["shape"]), job["cases"])
        start = _resampled(instances["start"], job["values"]).numpy()
        longest = COURANT / (job["values"] * float(np.abs(velocity(start)).max()))
        times = family.grid.t[1:].tolist()
        flow, seconds = cpu_timed(lambda: vorticity_flow(start, family.viscosity, times, longest))
        places = job["shape"][1]
        fine = _resampled(torch.from_numpy(flow).transpose(0, 1), math.lcm(job["values"], places))
        every = fine.shape[-1] // places
        found = torch.cat([u[:, :1], fine[..., ::every, ::every]], 1)
        return {**_errors(family, found, u), "seconds": seconds / len(u)}

    return outcome(measure)


def floor(job: Job) -> dict[str, Any]:
    """Minimise the residual over all fields on the grid, from the solution: the error that the rows themselves have."""

    def measure() -> dict[str, float]:
        family = Vorticity(job["shape"])
        _, u = _cases(tuple(job["shape"]), job["cases"])
        found = torch.cat([_least(family, u[i : i + 1], job["iterations"]) for i in range(len(u))])
        return _errors(family, found, u)

    return outcome(measure)


def _train(network: nn.Module, family: Vorticity, job: Job) -> int:
    """Train by Adam with a step that rises and then falls like a cosine, and return the number of updates."""
    draws, begin, update = generator(job["seed"], 1), time.process_time(), 0
    optimizer = torch.optim.Adam(network.parameters())
    settings = PeriodicSettings(times=job["times"], gradient="fixed", ridge=job["ridge"], first=1.0)
    hard = _constrained(family, job["experts"] or [1, 1], settings, draws)
    while True:
        done = update / job["updates"] if "updates" in job else (time.process_time() - begin) / job["seconds"]
        if done >= 1:
            return update
        sums = job["experts"] is None or done < job["shared"]
        instances = family.sample(job["batch"] if sums else job["batch"] // 2, draws)
        outputs = network(family.inputs(instances).float())
        loss = family.terms((family.unconstrained if sums else hard)(outputs, instances), instances)["residual"]
        for group in optimizer.param_groups:
            group["lr"] = (
                job["step"] * min(1.0, (update + 1) / WARM_UP) * (0.01 + 0.495 * (1 + math.cos(math.pi * done)))
            )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        update += 1


def _constrained(
    family: Vorticity, experts: list[int], settings: PeriodicSettings | None, draws: torch.Generator | None
) -> Field:
    settings = settings or PeriodicSettings(first=1.0, ridge=1e-4)
    return lambda outputs, instances: family.constrained(outputs, instances, tuple(experts), settings, draws)


def _one(instances: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    return {name: values[number : number + 1] for name, values in instances.items()}


@cache
def _cases(shape: tuple[int, int, int], count: int) -> tuple[dict[str, Tensor], Tensor]:
    return Vorticity(list(shape)).cases(count, generator(CASES))


def _errors(family: Vorticity, found: Tensor, u: Tensor) -> dict[str, float]:
    """Return means over flows of relative errors, and the residual relative to that of fields that stay."""
    errors = [relative_l2(one.numpy(), other.numpy()) for one, other in zip(found[:, 1:], u[:, 1:], strict=True)]
    last = [relative_l2(one.numpy(), other.numpy()) for one, other in zip(found[:, -1], u[:, -1], strict=True)]
    stays = family.terms(u[:, :1].expand_as(u), {})["residual"]
    residual = (family.terms(found, {})["residual"] / stays).sqrt()
    return {"error": float(np.mean(errors)), "error_last": float(np.mean(last)), "residual": float(residual)}


def _resampled(fields: Tensor, values: int) -> Tensor:
    """Return the values of the Fourier series of fields ``(..., n, n)`` on another grid, ``(..., values, values)``."""
    old, kept = fields.shape[-1], (min(fields.shape[-1], values) - 1) // 2
    spectrum = torch.fft.fft2(fields)
    waves = torch.cat([torch.arange(kept + 1), torch.arange(-kept, 0)])
    new = spectrum.new_zeros(*fields.shape[:-2], values, values)
    new[..., (waves % values)[:, None], waves % values] = spectrum[..., (waves % old)[:, None], waves % old]
    return torch.fft.ifft2(new).real * (values / old) ** 2


def _least(family: Vorticity, u: Tensor, iterations: int) -> Tensor:
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
        loss = family.terms(field(), {})["residual"] * u[0].numel()
        loss.backward()
        return loss

    optimizer.step(closure)
    return field().detach()
