"""The measurements of ``sciml bench text2pde`` on what needs no network: persistence, analogs, linear-Gaussian laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.text2pde.autoencoders import principal
from sciml.bench.text2pde.simulations import MEMBERS, Simulations, Trajectories, simulations
from sciml.bench.worker import Job
from sciml.generative.classical import Analogs, LinearGaussian
from sciml.numerics.random import generator

DRAWS = 2  # stream of members

Members = Callable[[slice], Tensor]


def persistence(job: Job) -> dict[str, Any]:
    """Measure the first frame at all times."""

    def still(case: Simulations) -> Members:
        return lambda block: case.tests.fields[None, block, :, :1].expand(1, *case.tests.fields[block].shape)

    return _scored(job, still)


def analogs(job: Job) -> dict[str, Any]:
    """Measure the simulations of the training whose first frames and buoyancies are nearest."""

    def nearest(case: Simulations) -> Members:
        known, asked = _conditions(case, job)
        law = Analogs(known, case.training.fields)
        return lambda block: law.sample(asked[block], MEMBERS, generator(job["seed"], DRAWS))

    return _scored(job, nearest)


def linear_gaussian(job: Job) -> dict[str, Any]:
    """Measure a Gaussian law of ``job["modes"]`` proper orthogonal modes, with a mean linear in the condition.

    What the modes miss is zero, or, ``completed``, that of the nearest simulations.
    """

    def drawn(case: Simulations) -> Members:
        (known, asked), units = _conditions(case, job), case.units
        rows = (case.training.fields / units).flatten(1)
        mean, modes = principal(rows, job["modes"], job["seed"])
        latents = (rows - mean) @ modes
        del rows
        law, near = LinearGaussian(known, latents), Analogs(known, torch.arange(len(known)).float())

        def fields(coefficients: Tensor) -> Tensor:
            found = (coefficients @ modes.T + mean).unflatten(-1, case.training.fields.shape[1:])
            return found * units

        def members(block: slice) -> Tensor:
            draws = generator(job["seed"], DRAWS, block.start)
            found = fields(law.sample(asked[block], MEMBERS, draws))
            if not job["completed"]:
                return found
            numbers = near.sample(asked[block], MEMBERS, draws)
            missed = (case.training.fields[each] - fields(latents[each]) for each in numbers.long())
            return torch.stack([own + rest for own, rest in zip(found, missed, strict=True)])

        return members

    return _scored(job, drawn)


def _scored(job: Job, fitted: Callable[[Simulations], Members]) -> dict[str, Any]:
    """Return the scores of a law, with the CPU seconds of its fit."""

    def measure() -> dict[str, float]:
        case = simulations(job)
        ensemble, seconds = cpu_timed(lambda: fitted(case))
        return {**case.scores(ensemble), "seconds": seconds}

    return outcome(measure)


def _conditions(case: Simulations, job: Job) -> tuple[Tensor, Tensor]:
    """Return the conditions of the training and of the tests: modes of the first frame, and the buoyancy.

    Modes have coefficients of unit mean square together, and the buoyancy unit deviation.
    """
    units = case.units[:, 0]
    mean, modes = principal((case.training.first / units).flatten(1), job["frame_modes"], job["seed"])
    size = float((((case.training.first / units).flatten(1) - mean) @ modes).std())
    centre, width = case.training.buoyancy.mean(), case.training.buoyancy.std()

    def condition(given: Trajectories) -> Tensor:
        frames = ((given.first / units).flatten(1) - mean) @ modes / size
        return torch.cat([frames, (given.buoyancy - centre) / width], 1)

    return condition(case.training), condition(case.tests)
