"""The measurements of ``sciml bench hcmoe`` on one gradient in many coefficients of a start, beside differences.

Burgers' equation starts from waves of random sizes; what is differentiated by these sizes is the mean square of u at
the end. Times are medians of turns in one process.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed, medians_of_turns
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.problems import BurgersWaves
from sciml.hcmoe.unknowns import Unknowns
from sciml.numerics.random import generator

VISCOSITY = 0.02
ELEMENTS, SLABS = Elements(16, 12), Slabs(6, 6)
PLACES = 201
STEP = 1e-7  # of one-sided differences
CENTRAL_STEP = 1e-4  # of those that gradients are held against
DIRECTIONS = 4  # of these


class Waves:
    """The mean square of u at the end as a function of the sizes of the waves at the start, as drawn for a job."""

    def __init__(self, job: Job) -> None:
        draws = generator(job["seed"])
        decay = torch.arange(1, job["waves"] + 1, dtype=torch.float64) ** -2
        self.sizes = decay * torch.randn(job["waves"], generator=draws, dtype=torch.float64)
        self.directions = decay * torch.randn(DIRECTIONS, job["waves"], generator=draws, dtype=torch.float64)
        kinds = {f"wave_{k}": "real" for k in range(1, job["waves"] + 1)}
        self._unknowns = Unknowns(BurgersWaves(VISCOSITY, self.sizes.tolist()), kinds)

    def __call__(self, sizes: Tensor) -> Tensor:
        """Return the mean square for sizes ``(waves,)``."""
        experts = self._unknowns.experts(ELEMENTS, SLABS)(sizes)
        *_, (state, _) = experts.run()
        x = torch.linspace(0, 1, PLACES, dtype=torch.float64)
        return experts.values(state, x, experts.problem.duration).square().mean()

    @torch.no_grad()
    def error(self, gradient: Tensor) -> float:
        """Return the relative error of a gradient along the directions, by central differences."""
        steps = CENTRAL_STEP * self.directions
        exact = torch.stack([self(self.sizes + step) - self(self.sizes - step) for step in steps]) / (2 * CENTRAL_STEP)
        return float((self.directions @ gradient - exact).norm() / exact.norm())


def adjoint(job: Job) -> dict[str, Any]:
    """Measure the gradient by adjoint solves in the sizes of ``job["waves"]`` waves, in ``job["turns"]`` turns.

    Returns
    -------
    dict
        ``forward``, seconds of the solution alone; ``seconds``, of solution and gradient; ``ratio`` of both;
        ``backward_ratio``, seconds of the adjoint pass over those of the solution; ``error`` of the gradient, relative.
    """

    def measure() -> dict[str, float]:
        waves, backward = Waves(job), []

        def gradient() -> Tensor:
            sizes = waves.sizes.clone().requires_grad_()
            value = waves(sizes)
            (found,), seconds = cpu_timed(lambda: torch.autograd.grad(value, sizes))
            backward.append(seconds)
            return found

        error = waves.error(gradient())  # warms up, too
        measured = _measured(waves, gradient, job["turns"])
        return {**measured, "backward_ratio": median(backward[1:]) / measured["forward"], "error": error}

    return outcome(measure)


def differences(job: Job) -> dict[str, Any]:
    """Measure the gradient by differences of one solution more than there are waves, as :func:`adjoint` does."""

    def measure() -> dict[str, float]:
        waves, found = Waves(job), []

        @torch.no_grad()
        def gradient() -> None:
            units = torch.eye(job["waves"], dtype=torch.float64)
            moved = torch.stack([waves(waves.sizes + STEP * unit) for unit in units])
            found.append((moved - waves(waves.sizes)) / STEP)

        with torch.no_grad():
            waves(waves.sizes)  # warms up
        return {**_measured(waves, gradient, job["turns"]), "error": waves.error(found[0])}

    return outcome(measure)


def _measured(waves: Waves, gradient: Callable[[], object], turns: int) -> dict[str, float]:
    """Return the seconds of the solution alone, those of the gradient with its solution, and their ratio."""
    plain = torch.no_grad()(lambda: waves(waves.sizes))
    found = medians_of_turns({"forward": plain, "gradient": gradient}, turns)
    ratio = found["gradient"] / found["forward"]
    return {"forward": found["forward"], "seconds": found["gradient"], "ratio": ratio}
