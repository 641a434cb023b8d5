"""The measurements of ``sciml bench generative`` on the exact flow of Gaussian data: orders and moments of samplers."""

from __future__ import annotations

import math
from typing import Any

import torch

from sciml.bench.generative.flows import FITTED, PATHS, SAMPLERS
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.generative import ExactGaussian, Sampler, sample
from sciml.metrics import convergence_order
from sciml.numerics.random import generator

MEAN, DEVIATION = 0.7, 0.4
STEPS = (32, 64, 128)  # of the order
EXACT = 1e-10  # largest error of a sampler that has no order


def orders(job: Job) -> dict[str, Any]:
    """Measure a sampler without noise from points whose ends are known.

    Returns
    -------
    dict
        ``order``, of all that are not exact; ``moments``, the larger error of mean and deviation of the data with
        ``at`` calls.
    """

    def measure() -> dict[str, float]:
        flow = ExactGaussian(PATHS[job["path"]](), MEAN, DEVIATION)
        sampler = _sampler(job)
        start = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
        exact = MEAN + DEVIATION * start
        errors = [float((sample(flow, start, steps, sampler) - exact).abs().max()) for steps in STEPS]
        ends = sample(
            flow, torch.tensor([[0.0], [1.0]], dtype=torch.float64), job["at"], sampler
        )  # mean, one deviation
        found = {"moments": max(abs(float(ends[0]) - MEAN), abs(float(ends[1] - ends[0]) - DEVIATION))}
        return found if max(errors) < EXACT else {**found, "order": -convergence_order(errors, STEPS)}

    return outcome(measure)


def noisy(job: Job) -> dict[str, Any]:
    """Measure a sampler with noise on ``job["draws"]`` points, with ``at`` calls.

    Returns
    -------
    dict
        ``errors``, the larger of the errors of mean and variance in their standard errors.
    """

    def measure() -> dict[str, float]:
        flow = ExactGaussian(PATHS[job["path"]](), MEAN, DEVIATION)
        count, draws = job["draws"], generator(job["seed"])
        start = flow.path.start(torch.zeros(count, 1, dtype=torch.float64), draws)
        found = sample(flow, start, job["at"], _sampler(job), generator=draws)
        mean = abs(float(found.mean()) - MEAN) / (DEVIATION / math.sqrt(count))
        variance = abs(float(found.var()) / DEVIATION**2 - 1) / math.sqrt(2 / (count - 1))
        return {"errors": max(mean, variance)}

    return outcome(measure)


def _sampler(job: Job) -> Sampler:
    name = job["sampler"]
    return SAMPLERS[name]() if name in SAMPLERS else FITTED[name](DEVIATION)
