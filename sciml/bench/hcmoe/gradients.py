"""The measurements of ``sciml bench hcmoe`` on gradients of constrained solves: exactness and memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sciml.bench.measure import kept_bytes
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.pointwise_least_squares import PointwiseProblem, PointwiseResidual, solve
from sciml.numerics.random import generator

ROWS = 8  # beside the equation
STEPS = 8  # of the unrolled iteration, from near the minimum, to rounding
NEAR = 0.01
STEEPEST = 2.0  # the growth of the last expert, whose equation is the least linear
LOOSE, TIGHT = BatchedSettings(tolerance=1e-3), BatchedSettings(tolerance=1e-12)


class Growth(PointwiseResidual):
    """Logistic growth, ``u_t - k u (1 - u)``."""

    def value(self, v: Tensor, k: Tensor) -> Tensor:
        """Return the residuals of logistic growth, ``u_t - k u (1 - u)``, from u and its rate."""
        return v[:, 1] - k * v[:, 0] * (1 - v[:, 0])


def unrolling(job: Job) -> dict[str, Any]:
    """Measure gradients in basis, rows and coefficients of ``job["experts"]`` experts with ``job["functions"]`` each.

    Returns
    -------
    dict
        ``gradient_error``, the largest relative difference from the gradients of an unrolled Newton iteration;
        ``iterations_least`` and ``iterations_most`` of the experts; ``memory_ratio``, bytes that autograd keeps for the
        unrolled iteration over those of the implicit solve; ``memory_growth``, bytes at a tolerance of 1e-12 over those
        at 1e-3; ``bytes`` of the implicit solve.
    """

    def measure() -> dict[str, float]:
        given = _drawn(job["experts"], job["points"], job["functions"], job["seed"])
        w, report = solve(_problem(*given), settings=TIGHT)
        start = w.detach() + NEAR
        cotangent = torch.randn(w.shape, dtype=w.dtype, generator=generator(job["seed"], 1))
        found = torch.autograd.grad(w, given, cotangent)
        expected = torch.autograd.grad(unrolled(start, *given), given, cotangent)
        pairs = zip(found, expected, strict=True)
        loose, tight = (kept_bytes(lambda each=each: solve(_problem(*given), settings=each)) for each in (LOOSE, TIGHT))
        return {
            "gradient_error": max(float((one - other).norm() / other.norm()) for one, other in pairs),
            "iterations_least": int(report.minimum.iterations.min()),
            "iterations_most": int(report.minimum.iterations.max()),
            "memory_ratio": kept_bytes(lambda: unrolled(start, *given)) / tight,
            "memory_growth": tight / loose,
            "bytes": tight,
        }

    return outcome(measure)


def unrolled(w: Tensor, terms: Tensor, a: Tensor, b: Tensor, k: Tensor) -> Tensor:
    """Return the minima by Newton's method with its exact Hessian, differentiable through all of its steps."""
    for _ in range(STEPS):
        u, u_t = (terms @ w[:, None, :, None])[..., 0].unbind(1)
        residual, slope = u_t - k * u * (1 - u), -k * (1 - 2 * u)
        jacobian = slope[..., None] * terms[:, 0] + terms[:, 1]
        bend = terms[:, 0].mT @ ((2 * k * residual)[..., None] * terms[:, 0])
        gradient = jacobian.mT @ residual[..., None] + a.mT @ (a @ w[..., None] - b[..., None])
        w = w - torch.linalg.solve(jacobian.mT @ jacobian + bend + a.mT @ a, gradient)[..., 0]
    return w


def _problem(terms: Tensor, a: Tensor, b: Tensor, k: Tensor) -> PointwiseProblem:
    return PointwiseProblem(terms, Growth(), (k,), rows=(a, b))


def _drawn(experts: int, points: int, functions: int, seed: int) -> list[Tensor]:
    """Return terms, rows, their right-hand sides, and growths that need unlike numbers of iterations."""
    draws = generator(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draws, dtype=torch.float64)

    growths = torch.linspace(0.1, STEEPEST, experts, dtype=torch.float64)[:, None]
    right = 0.5 + 0.3 * normal(experts, ROWS)
    tensors = normal(experts, 2, points, functions), normal(experts, ROWS, functions), right, growths
    return [each.requires_grad_() for each in tensors]
