"""The measurements of ``sciml bench generative`` on flows: every option of paths, objectives, couplings and samplers.

A job names its options, each of which has a default. Jobs that differ in sampler or guidance alone have one network,
which is trained once in a process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from sciml.bench.generative.ensembles import MEMBERS, Smoke, smoke
from sciml.bench.generative.networks import Trained, started, trained, weights
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.errors import InputError
from sciml.generative import (
    DDIM,
    DDPM,
    AdamsBashforth2,
    ConsistencyObjective,
    ConsistencySteps,
    CosinePath,
    Coupling,
    EnergyScoreObjective,
    Euler,
    Flow,
    GaussianSteps,
    HeavyBall,
    Heun,
    Interpolant,
    LinearPath,
    MeanFlowObjective,
    MinibatchTransport,
    NearestNoise,
    Objective,
    Path,
    PathObjective,
    Sampler,
    StochasticEuler,
    StochasticGaussian,
    StochasticHeun,
    TrigonometricPath,
    VariancePreservingPath,
    reflow_pairs,
    sample,
)
from sciml.numerics.random import generator

CALLS = (1, 2, 4, 8, 50)
STARTS, SAMPLER, PAIRS = 3, 4, 8  # streams of sources, of samplers that draw, of reflowed sources
PAIR_CALLS, PAIRS_EACH = 8, 4  # of reflow: calls of the teacher, and sources for each simulation of the training
PATHS: dict[str, Callable[[], Path]] = {
    "linear": LinearPath,
    "trigonometric": TrigonometricPath,
    "variance-preserving": VariancePreservingPath,
    "cosine": CosinePath,
}
SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "euler": Euler,
    "heun": Heun,
    "ab2": AdamsBashforth2,
    **{f"heavy-ball-{order}": partial(HeavyBall, order) for order in (1, 2, 3, 4)},
    "ddim": DDIM,
    "ddim-leading": partial(DDIM, "leading"),
    "ddpm": DDPM,
    "stochastic-euler": StochasticEuler,
    "stochastic-heun": StochasticHeun,
    "consistency": ConsistencySteps,
}
FITTED: dict[str, Callable[[Tensor | float], Sampler]] = {  # to the deviation of the data under their condition
    "gaussian": GaussianSteps,
    "stochastic-gaussian": StochasticGaussian,
}
COUPLINGS: dict[str, Callable[[], Coupling]] = {"nearest": NearestNoise, "transport": MinibatchTransport}
DEFAULTS: dict[str, Any] = {
    "objective": "path", "path": "linear", "source": "noise", "source_noise": 0.5, "prediction": "velocity",
    "residual": "squared", "times": "uniform", "coupling": "independent", "dropped": 0.0, "score_members": 2,
}  # fmt: skip
SIZES = ("seed", "train", "tests", "modes", "condition", "updates")
SLOW = {"times": 2, "frequency": 30.0}  # of a network with two times, which is differentiated by one of them


@dataclass(frozen=True)
class Learned:
    """A trained network with its flow, and the CPU milliseconds of an update of its training."""

    network: nn.Module
    flow: Flow
    milliseconds: float

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers of its table: weights, and the CPU milliseconds of an update."""
        return {"weights": weights(self.network), "update": self.milliseconds}


def flow(job: Job) -> dict[str, Any]:
    """Measure the flow of a network with 1, 2, 4, 8 and 50 calls.

    Parameters
    ----------
    job : sizes, options (see ``DEFAULTS``), the ``sampler``, and the number of calls ``at`` which all scores are taken

    Returns
    -------
    dict
        The scores of :meth:`~sciml.bench.generative.ensembles.Smoke.scores`; ``energy_N`` and ``sample_N`` with N
        calls, if the sampler can have so many; ``update`` and ``draw``, CPU milliseconds of an update and of a member.
    """

    def measure() -> dict[str, float]:
        case, found = smoke(job), learned(job)
        sampler = sampler_of(case, job)
        scores = dict(found.numbers)
        for calls in job.get("calls", CALLS):
            if not possible(sampler, calls):
                continue
            latents, seconds = cpu_timed(lambda: members(case, found.flow, sampler, calls, job))  # noqa: B023
            scored = case.scores(decoded(case, latents, job, job["condition"]))
            scores |= {f"energy_{calls}": scored["energy"], f"sample_{calls}": scored["sample"]}
            if calls == job["at"]:
                scores |= {**scored, "draw": seconds / (MEMBERS * case.tests) * 1e3}
        return {**scores, "seconds": found.milliseconds * job["updates"] / 1e3}

    return outcome(measure)


def path(job: Job) -> Path:
    """Return the path of a job, from noise or from a guess with noise."""
    plain = PATHS[option(job, "path")]()
    return plain if option(job, "source") == "noise" else Interpolant(plain, option(job, "source_noise"))


def option(job: Job, name: str) -> Any:
    """Return an option of a job."""
    return job.get(name, DEFAULTS[name])


def sampler_of(case: Smoke, job: Job) -> Sampler:
    """Return the sampler of a job."""
    if job["sampler"] in SAMPLERS:
        return SAMPLERS[job["sampler"]]()
    missed = (case.latents - case.linear_mean(job["condition"]))[: case.train]  # left one out
    return FITTED[job["sampler"]](missed.square().mean(0).sqrt())


def possible(sampler: Sampler, calls: int) -> bool:
    """Return whether a sampler can have so many calls."""
    try:
        sampler.calls(calls)
    except InputError:
        return False
    return True


def source_means(case: Smoke, job: Job) -> Tensor:
    """Return the means of the source for all simulations: zeros, or a guess."""
    source = option(job, "source")
    if source == "linear":
        return case.linear_mean(job["condition"])
    return case.persisted if source == "persistence" else torch.zeros_like(case.latents)


def decoded(case: Smoke, latents: Tensor, job: Job, condition: str) -> Tensor:
    """Return the fields of members; of a ``completed`` job with what the modes miss of those with near conditions."""
    fields = case.decode(latents)
    return case.completed(fields, condition) if job.get("completed") else fields


@torch.inference_mode()
def members(case: Smoke, moved: Flow, sampler: Sampler, calls: int, job: Job) -> Tensor:
    """Return latents of members for the tests, ``(members, tests, count)``."""
    means = source_means(case, job)[case.train :].repeat(MEMBERS, 1)
    condition = {"c": conditions(case, job)[case.train :].repeat(MEMBERS, 1)}
    start = moved.path.start(means, generator(job["seed"], STARTS))
    draws = generator(job["seed"], SAMPLER)
    return sample(moved, start, calls, sampler, condition, draws, means).reshape(MEMBERS, case.tests, -1)


def conditions(case: Smoke, job: Job) -> Tensor:
    """Return the conditions of all simulations, with a mark for dropped ones if some are dropped in the training."""
    given = case.conditions[job["condition"]]
    return pad(given, (0, 1)) if option(job, "dropped") else given


def null_condition(case: Smoke, job: Job) -> dict[str, Tensor] | None:
    """Return what stands for a dropped condition: zeros and the mark, whose weights make a learned token."""
    if not option(job, "dropped"):
        return None
    return {"c": pad(torch.zeros(1, case.conditions[job["condition"]].shape[1]), (0, 1), value=1.0)}


def groups(case: Smoke, job: Job) -> Tensor:
    """Return whole numbers of all simulations that are equal for those with alike conditions: quarters of them."""
    if job["condition"] == "none":
        return torch.zeros(len(case.latents), dtype=torch.long)
    first, *_, last = case.conditions[job["condition"]].T
    return 2 * (first > first.median()).long() + (last > last.median()).long()


def learned(job: Job) -> Learned:
    """Return the trained network of a job."""
    return _learned(json.dumps({name: job.get(name) for name in (*SIZES, *DEFAULTS)}, sort_keys=True))


@lru_cache(maxsize=64)
def _learned(described: str) -> Learned:
    job = {name: value for name, value in json.loads(described).items() if value is not None}
    return STUDENTS.get(option(job, "objective"), _from_data)(job)


def _from_data(job: Job) -> Learned:
    """Return a network trained on the simulations."""
    case, along = smoke(job), path(job)
    objective = OBJECTIVES[option(job, "objective")](job, along)
    means, condition = source_means(case, job), conditions(case, job)
    null, dropped = null_condition(case, job), option(job, "dropped")
    coupled, alike = COUPLINGS.get(option(job, "coupling")), groups(case, job)

    def loss(network: nn.Module, batch: Tensor, draws: Generator) -> Tensor:
        data, known = case.latents[batch], condition[batch]
        if null:
            known = torch.where(torch.rand(len(batch), 1, generator=draws) < dropped, null["c"], known)
        if coupled is None:
            start = objective.draw(means[batch], draws)
        else:
            normal = (data - means[batch]) / along.noise
            start = means[batch] + along.noise * coupled().draw(normal, draws, alike[batch])
        return objective.loss(network, data, start, {"c": known}, draws)

    settings = SLOW if option(job, "objective") == "mean-flow" else {}
    begin = started(case.latents.shape[1], condition.shape[1], job["seed"], settings)
    return _finished(trained(begin, loss, case.train, job["updates"], job["seed"]), objective)


def _distilled(job: Job) -> Learned:
    """Return a consistency model: half of the updates train a flow, the others its distillation."""
    teacher, half = _taught(job)
    case, along = smoke(job), path(job)
    objective = ConsistencyObjective(along, teacher=teacher.flow)
    means, condition = source_means(case, job), conditions(case, job)

    def loss(network: nn.Module, batch: Tensor, draws: Generator) -> Tensor:
        start = objective.draw(means[batch], draws)
        return objective.loss(network, case.latents[batch], start, {"c": condition[batch]}, draws)

    return _finished(trained(teacher.network, loss, case.train, half, job["seed"]), objective, teacher)


def _reflowed(job: Job) -> Learned:
    """Return a reflowed network: half of the updates train a flow, the others one on its pairs."""
    teacher, half = _taught(job)
    case, along = smoke(job), path(job)
    objective = PathObjective(along)
    condition = conditions(case, job)[: case.train].repeat(PAIRS_EACH, 1)
    means = source_means(case, job)[: case.train].repeat(PAIRS_EACH, 1)
    start = along.start(means, generator(job["seed"], PAIRS))
    pair, seconds = cpu_timed(lambda: reflow_pairs(teacher.flow, start, PAIR_CALLS, Heun(), {"c": condition}, means))

    def loss(network: nn.Module, batch: Tensor, draws: Generator) -> Tensor:
        return objective.loss(network, pair.data[batch], pair.source[batch], {"c": condition[batch]}, draws)

    found = trained(teacher.network, loss, len(start), half, job["seed"])
    return _finished(replace(found, milliseconds=found.milliseconds + seconds / half * 1e3), objective, teacher)


STUDENTS: dict[str, Callable[[Job], Learned]] = {"distilled": _distilled, "reflow": _reflowed}


def _taught(job: Job) -> tuple[Learned, int]:
    """Return a flow trained with half of the updates, and the number of those that are left."""
    half = job["updates"] // 2
    return _from_data({**job, "objective": "path", "updates": job["updates"] - half}), half


def _finished(found: Trained, objective: Objective, teacher: Learned | None = None) -> Learned:
    """Return a network with its flow; an update costs the mean of those of both halves of the training."""
    each = [found.milliseconds, *([teacher.milliseconds] if teacher else [])]
    network = found.network.requires_grad_(False)
    return Learned(network, objective.flow(network), sum(each) / len(each))


def _on_path(job: Job, along: Path) -> Objective:
    return PathObjective(along, *(option(job, each) for each in ("prediction", "residual", "times")))


OBJECTIVES: dict[str, Callable[[Job, Path], Objective]] = {
    "path": _on_path,
    "energy-score": lambda job, along: EnergyScoreObjective(along, option(job, "score_members")),
    "mean-flow": lambda _, along: MeanFlowObjective(along),
    "consistency": lambda _, along: ConsistencyObjective(along),
}
