"""The measurements of ``sciml bench generative`` on what needs no generative model: classical ensembles, regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sciml.bench.generative.ensembles import MEMBERS, Smoke, smoke
from sciml.bench.generative.networks import started, trained, weights
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.generative.classical import Analogs, LinearGaussian
from sciml.numerics.random import generator

DRAWS = 2  # stream of members


def persistence(job: Job) -> dict[str, Any]:
    """Measure the first frame at all times."""
    return outcome(
        lambda: _scored(smoke(job), lambda case: case.truth()[None, :, :, :1].expand(1, *case.truth().shape))
    )


def climatology(job: Job) -> dict[str, Any]:
    """Measure simulations of the training at random, whatever the condition."""

    def drawn(case: Smoke) -> Tensor:
        return case.fields[torch.randint(case.train, (MEMBERS, case.tests), generator=generator(job["seed"], DRAWS))]

    return outcome(lambda: _scored(smoke(job), drawn))


def analogs(job: Job) -> dict[str, Any]:
    """Measure the simulations of the training with the nearest conditions."""

    def nearest(case: Smoke) -> Tensor:
        known, asked = _conditions(case, job)
        return Analogs(known, case.fields[: case.train]).sample(asked, MEMBERS, generator(job["seed"], DRAWS))

    return outcome(lambda: _scored(smoke(job), nearest))


def linear_gaussian(job: Job) -> dict[str, Any]:
    """Measure a Gaussian law with a mean in features of ``job["degree"]`` of the condition."""

    def drawn(case: Smoke) -> Tensor:
        known, asked = _conditions(case, job)
        law = LinearGaussian(known, case.latents[: case.train], job["degree"])
        fields = case.decode(law.sample(asked, MEMBERS, generator(job["seed"], DRAWS)))
        return case.completed(fields, job["condition"]) if job.get("completed") else fields

    return outcome(lambda: _scored(smoke(job), drawn))


def regression(job: Job) -> dict[str, Any]:
    """Measure the same network as all others, trained on squares: the mean, without an ensemble."""

    def measure() -> dict[str, float]:
        case = smoke(job)
        known, asked = _conditions(case, job)

        def loss(network: nn.Module, batch: Tensor, draws: Generator) -> Tensor:
            return (_at_zero(network, known[batch], case) - case.latents[batch]).square().mean(1)

        start = started(case.latents.shape[1], known.shape[1], job["seed"])
        found = trained(start, loss, case.train, job["updates"], job["seed"])
        with torch.inference_mode():
            fields, seconds = cpu_timed(lambda: case.decode(_at_zero(found.network, asked, case))[None])
        return {
            **case.scores(fields), "update": found.milliseconds, "draw": seconds / case.tests * 1e3,
            "weights": weights(found.network), "seconds": found.milliseconds * job["updates"] / 1e3,
        }  # fmt: skip

    return outcome(measure)


def _at_zero(network: nn.Module, condition: Tensor, case: Smoke) -> Tensor:
    x = torch.zeros(len(condition), case.latents.shape[1])
    return network(x, x[:, 0], condition)


def _conditions(case: Smoke, job: Job) -> tuple[Tensor, Tensor]:
    """Return the conditions of the training and of the tests."""
    condition = case.conditions[job["condition"]]
    return condition[: case.train], condition[case.train :]


def _scored(case: Smoke, ensemble: Callable[[Smoke], Tensor]) -> dict[str, float]:
    """Return the scores of an ensemble, with the CPU seconds of its fit and draws, and the milliseconds of a member."""
    fields, seconds = cpu_timed(lambda: ensemble(case))
    return {**case.scores(fields), "seconds": seconds, "draw": seconds / (len(fields) * case.tests) * 1e3}
