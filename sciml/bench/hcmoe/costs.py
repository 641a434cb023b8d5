"""The measurements of ``sciml bench hcmoe`` on costs by number of experts, as ratios of turns in one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sciml.bench.measure import medians_of_turns
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.bases import GridBasis
from sciml.hcmoe.coupled import CoupledExperts
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.layer import ConstraintSettings, ExpertConstraint
from sciml.hcmoe.problems import Burgers
from sciml.numerics.random import generator

DEGREES = (12, 8)  # of coupled experts, in space and time
SLABS = 40  # of which the first few are solved, before the front forms
VISCOSITY = 0.1
WAVES = 6  # of the fields of a basis along each axis, at least


def coupled(job: Job) -> dict[str, Any]:
    """Measure the first ``job["slabs"]`` slabs of Burgers' equation by numbers of coupled experts of one size.

    Returns
    -------
    dict
        ``seconds_16`` and so on, for each of ``job["experts"]``, and ``ratio``, of the last to the first.
    """

    def measure() -> dict[str, float]:
        def solved(count: int) -> None:
            experts = CoupledExperts(Burgers(), Elements(count, DEGREES[0]), Slabs(SLABS, DEGREES[1]))
            state = experts.start
            for number in range(job["slabs"]):
                state = experts.advance(number, state)[0].end

        runs = {f"seconds_{count}": lambda count=count: solved(count) for count in job["experts"]}
        solved(job["experts"][0])  # warms up
        found = medians_of_turns(runs, job["turns"])
        first, *_, last = found.values()
        return {**found, "ratio": last / first}

    return outcome(measure)


def divided(job: Job) -> dict[str, Any]:
    """Measure forward and backward passes of 1, 4 and 16 independent experts on ``job["grid"]``, times by places.

    The unknowns are ``job["unknowns"]`` in all, or as many of each expert where ``job["each"]``.

    Returns
    -------
    dict
        ``seconds_1`` and so on; ``speedup_4`` and ``speedup_16``, the time of one expert over that of several;
        ``iterations_1`` and so on, the most of all experts.
    """

    def measure() -> dict[str, float]:
        passes = {side**2: _pass(job, side) for side in (1, 2, 4)}
        iterations = {f"iterations_{count}": run() for count, run in passes.items()}  # warms up, too
        found = medians_of_turns({f"seconds_{count}": run for count, run in passes.items()}, job["turns"])
        speedups = {f"speedup_{count}": found["seconds_1"] / found[f"seconds_{count}"] for count in (4, 16)}
        return {**found, **speedups, **iterations}

    return outcome(measure)


def _pass(job: Job, side: int) -> Callable[[], int]:
    """Return a function that goes forward and backward through the layer, and returns its iterations."""
    count = job["unknowns"] if job["each"] else job["unknowns"] // side**2
    times, x = (
        torch.linspace(*ends, dtype=torch.float64) for ends in ((0, 1, job["grid"][0]), (-1, 1, job["grid"][1]))
    )
    values = _fields(times, x, count, job["seed"]).requires_grad_()
    settings = ConstraintSettings(coupling="independent")
    layer = ExpertConstraint(Burgers(VISCOSITY), times, x, (side, side), settings)

    def run() -> int:
        output = layer(GridBasis(values, times, x))
        torch.autograd.grad(output.u.square().mean(), values)
        return int(output.report.minimum.iterations.max())

    return run


def _fields(times: Tensor, x: Tensor, count: int, seed: int) -> Tensor:
    """Return sums of products of waves with random factors, ``(1, times, places, count)``."""
    waves = torch.arange(max(WAVES, round((2 * count) ** 0.5)), dtype=torch.float64)
    in_time, in_space = (torch.cos(torch.pi * waves * each[:, None]) for each in (times, (x + 1) / 2))
    factors = torch.randn(len(waves), len(waves), count, generator=generator(seed), dtype=torch.float64)
    factors = factors / (1 + waves[:, None, None] + waves[:, None])
    return torch.einsum("ti,xj,ijn->txn", in_time, in_space, factors)[None]
