"""The measurements of ``sciml bench generative`` on whole simulations from few sensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sciml.bench.generative.ensembles import MEMBERS, Smoke, smoke
from sciml.bench.generative.flows import SAMPLERS, decoded, learned
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.generative import (
    Flow,
    GappyPOD,
    Observation,
    PosteriorFlow,
    flair,
    flow_chef,
    sample,
)
from sciml.numerics.random import generator

DRAWS, STARTS = 6, 7  # streams
SHRINKAGE = 0.1  # of the covariance of what latents miss of the values


class Sensors:
    """The values of the sensors in the tests of a job, and the linear function of latents that gives them.

    Values are multiplied by the inverse root of the covariance of what latents miss of them in the training, so that
    their errors are independent with variance 1.

    Attributes
    ----------
    case : the simulations
    rows : of the linear function, ``(count, latents)``
    values : ``(tests, count)``
    deviation : of the latents in the training
    """

    def __init__(self, job: Job) -> None:
        self.case = case = smoke(job)
        seen = case.conditions["sensors"] - case.modes.mean.flatten()[case.sensors].float()
        rows = (case.modes.modes.flatten(1)[:, case.sensors].T * case.size).float()
        missed = (seen - case.latents @ rows.T)[: case.train].double()
        covariance = missed.T @ missed / case.train
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * torch.diag(covariance.diagonal())
        root = torch.linalg.cholesky(covariance)
        self.rows, values = (torch.linalg.solve_triangular(root, each.double(), upper=False).float()
                             for each in (rows, seen[case.train :].T))  # fmt: skip
        self.values = values.T
        self.deviation = case.latents[: case.train].std(0)


def gappy(job: Job) -> dict[str, Any]:
    """Measure gappy modes, ``job["gappy_modes"]`` of them."""

    def drawn(case: Smoke, draws: torch.Generator) -> Tensor:
        law = GappyPOD(case.normal()[: case.train], case.sensors, min(job["gappy_modes"], case.train - 1))
        fields = law.sample(case.conditions["sensors"][case.train :], MEMBERS, draws) * case.scale + case.shift
        return case.completed(fields, "sensors") if job.get("completed") else fields

    return _classical(job, drawn)


def inverted(job: Job) -> dict[str, Any]:
    """Measure an unconditional flow that is led by the sensors, by the ``inversion`` of a job with ``at`` calls."""

    def measure() -> dict[str, float]:
        sensors, found = Sensors(job), learned(job)
        case, flow = sensors.case, found.flow
        means = torch.zeros(MEMBERS * case.tests, case.latents.shape[1])
        start = flow.path.start(means, generator(job["seed"], STARTS))
        with torch.no_grad():
            latents, seconds = cpu_timed(lambda: INVERSIONS[job["inversion"]](flow, sensors, start, job))
        return {
            **case.scores(decoded(case, latents.reshape(MEMBERS, case.tests, -1), job, "sensors")), **found.numbers,
            "draw": seconds / len(start) * 1e3,
            "seconds": found.milliseconds * job["updates"] / 1e3,
        }  # fmt: skip

    return outcome(measure)


def _chef(flow: Flow, sensors: Sensors, start: Tensor, job: Job) -> Tensor:
    return flow_chef(flow, _observation(sensors), start, job["at"], fits=job["fits"],
                     deviation=sensors.deviation, condition=_nothing(start))  # fmt: skip


def _flair(flow: Flow, sensors: Sensors, start: Tensor, job: Job) -> Tensor:
    return flair(flow, _observation(sensors), start, job["at"], deviation=sensors.deviation, fits=job["fits"],
                 trust=job["trust"], condition=_nothing(start))  # fmt: skip


def _posterior(flow: Flow, sensors: Sensors, start: Tensor, job: Job) -> Tensor:
    known = PosteriorFlow(flow, sensors.rows, sensors.values.repeat(MEMBERS, 1), 1.0, sensors.deviation)
    return sample(known, start, job["at"], SAMPLERS[job["sampler"]](), _nothing(start))


INVERSIONS: dict[str, Callable[[Flow, Sensors, Tensor, Job], Tensor]] = {
    "flow_chef": _chef,
    "flair": _flair,
    "posterior": _posterior,
}


def _observation(sensors: Sensors) -> Observation:
    return Observation(lambda z: z @ sensors.rows.T, sensors.values.repeat(MEMBERS, 1), 1.0)


def _nothing(start: Tensor) -> dict[str, Tensor]:
    return {"c": start.new_zeros(len(start), 1)}


def _classical(job: Job, drawn: Callable[[Smoke, torch.Generator], Tensor]) -> dict[str, Any]:
    def measure() -> dict[str, float]:
        case = smoke(job)
        fields, seconds = cpu_timed(lambda: drawn(case, generator(job["seed"], DRAWS)))
        return {**case.scores(fields), "seconds": seconds, "draw": seconds / (MEMBERS * case.tests) * 1e3}

    return outcome(measure)
