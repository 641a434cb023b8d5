"""The measurements of ``sciml bench generative`` on guidance: by the condition, by smoke below 0, and constraints.

Linear properties that all simulations have, such as the sum of the smoke over time, members have without guidance: the
modes are combinations of simulations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sciml.bench.generative.ensembles import MEMBERS, Smoke, caption, smoke
from sciml.bench.generative.flows import SAMPLERS, learned, members, null_condition
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.generative import Adaptive, ClassifierFree, Constrained, Counted, Flow, ResidualGuidance
from sciml.numerics.projection import LinearConstraints

Guide = Callable[[Flow, Smoke, Job], Flow]


def guided(job: Job) -> dict[str, Any]:
    """Measure a flow under the ``guidance`` of a job, with ``at`` steps.

    Returns
    -------
    dict
        The scores of :meth:`~sciml.bench.generative.ensembles.Smoke.scores`; ``calls`` of the network for each member;
        ``caption``, the root mean square of what the first frames miss of mass and centre of the smoke; ``negative``,
        that of smoke below 0, over that of all smoke; ``update`` and ``draw``, CPU milliseconds of an update and of a
        member.
    """

    def measure() -> dict[str, float]:
        case, found = smoke(job), learned(job)
        counted = Counted(found.flow)
        moved = GUIDES[job["guidance"]](counted, case, job)
        sampler = SAMPLERS[job["sampler"]]()
        latents, seconds = cpu_timed(lambda: members(case, moved, sampler, job["at"], job))
        if isinstance(moved, Constrained):
            latents = moved.finish(latents.flatten(0, 1)).to(latents.dtype).reshape(latents.shape)
        fields = case.decode(latents)
        calls = moved.calls.double().mean() if isinstance(moved, Adaptive) else counted.calls
        return {
            **case.scores(fields), **_missed(case, fields), "calls": float(calls), **found.numbers,
            "draw": seconds / (MEMBERS * case.tests) * 1e3,
            "seconds": found.milliseconds * job["updates"] / 1e3,
        }  # fmt: skip

    return outcome(measure)


def _free(flow: Flow, case: Smoke, job: Job) -> Flow:
    return flow


def _classifier_free(flow: Flow, case: Smoke, job: Job) -> Flow:
    return ClassifierFree(flow, job["scale"], null_condition(case, job))


def _adaptive(flow: Flow, case: Smoke, job: Job) -> Flow:
    return Adaptive(flow, job["scale"], null_condition(case, job), job["threshold"])


def _positive(flow: Flow, case: Smoke, job: Job) -> Flow:
    rows, origin = smoke_rows(case)
    return ResidualGuidance(flow, lambda z: (z @ rows.T + origin).clamp(max=0.0), job["strength"])


def _constrained(flow: Flow, case: Smoke, job: Job) -> Flow:
    """Return the flow whose first frames have the mass and the centre of their condition."""
    rows, origin = caption_rows(case)
    spread = case.latents[: case.train].var(0)  # the nearest in units of their deviations
    asked = case.conditions["caption"][case.train :, :3]
    wanted = torch.cat([asked[:, :1], asked[:, 1:] * asked[:, :1]], 1)  # centres times mass are linear
    constraints = LinearConstraints({"caption": rows}, 1 / spread)
    return Constrained(flow, constraints, {"caption": (wanted - origin).repeat(MEMBERS, 1)})


GUIDES: dict[str, Guide] = {
    "none": _free,
    "classifier-free": _classifier_free,
    "adaptive": _adaptive,
    "positive": _positive,
    "constraints": _constrained,
}


def smoke_rows(case: Smoke) -> tuple[Tensor, Tensor]:
    """Return the smoke at all places and times as rows and origin of a linear function of latents."""
    return _linear(case, lambda fields: fields[:, 2].flatten(1))


def caption_rows(case: Smoke) -> tuple[Tensor, Tensor]:
    """Return mass, and centre times mass, of the smoke in the first frame, in the units of the condition."""
    mean = float(case.fields[: case.train, 2, 0].mean())

    def moments(fields: Tensor) -> Tensor:
        found = caption(fields, mean)
        return torch.cat([found[:, :1], found[:, 1:] * found[:, :1]], 1)

    return _linear(case, moments)


def _linear(case: Smoke, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Return rows and origin of an affine function of fields as one of latents."""
    count = case.latents.shape[1]
    values = function(case.decode(torch.cat([torch.zeros(1, count), torch.eye(count)]).double()))
    return (values[1:] - values[0]).T.float(), values[0].float()


def _missed(case: Smoke, fields: Tensor) -> dict[str, float]:
    """Return what members miss of the caption, and how much of their smoke is below 0."""
    mean = float(case.fields[: case.train, 2, 0].mean())
    asked = case.conditions["caption"][case.train :, :3].repeat(len(fields), 1)
    smoke = fields[:, :, 2]
    return {
        "caption": float((caption(fields.flatten(0, 1), mean) - asked).square().mean().sqrt()),
        "negative": float((smoke.clamp(max=0.0).square().mean() / smoke.square().mean()).sqrt()),
    }
