"""Semi-Lagrangian time steps: the new value at a point is the old one at the foot of the path that ends there."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sciml.checks import whole_number
from sciml.domains.walls import continuation
from sciml.errors import InputError
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators.base import Fits, Integrator, NeuralFields, Step
from sciml.insr.integrators.paths import BACK_TRACES, BackTrace, Velocity, random_feet, trace_back
from sciml.insr.problems.base import Problem
from sciml.insr.problems.transport import Transport
from sciml.numerics.least_squares import Residuals


@dataclass(frozen=True)
class SemiLagrangian(Integrator):
    """The semi-Lagrangian scheme: fit each carried field to its old values at the feet of the paths.

    There is no limit on the step from stability, and no splitting: a vorticity is carried by the flow that it makes.
    The velocity during a step is extrapolated from the last two times, ``(1 + s) v_n - s v_(n-1)`` at the fraction
    ``s``; each correction fits again with the velocity interpolated between the old time and the new one.
    Where a field diffuses, paths are random (:func:`~sciml.insr.integrators.paths.random_feet`): explicit, stable for
    any step, second order.

    Parameters
    ----------
    back_trace : ``"euler"``, ``"rk2"`` or ``"rk4"``; the first is of order 1 and what the paper publishes
    corrections : fits of the step again, at least 0. One makes the first step as good as the others, which else has no
        earlier velocity, and the constant of the error smaller; for fields that make no velocity there is nothing to
        correct

    References
    ----------
    Staniforth, Côté, "Semi-Lagrangian integration schemes for atmospheric models: a review", Mon. Weather Rev. 119,
    1991.
    """

    back_trace: BackTrace = "rk4"
    corrections: int = 0
    order: int = field(default=2, init=False)

    def __post_init__(self) -> None:
        if self.back_trace not in BACK_TRACES:
            raise InputError(f"there is no back-trace {self.back_trace!r}, expected one of {', '.join(BACK_TRACES)}.")
        whole_number("corrections", self.corrections, at_least=0)
        object.__setattr__(self, "order", 1 if self.back_trace == "euler" else 2)

    def check(self, problem: Problem) -> None:
        """Refuse problems without a velocity, and domains other than boxes."""
        if not isinstance(problem, Transport) or not (problem.active or problem.passive):
            raise InputError(
                f"semi-Lagrangian steps need a problem whose fields are carried by a velocity, which "
                f"{type(problem).__name__} is not; derive it from Transport, or use the integrator that it names."
            )
        continuation(problem.domain, problem.walls)

    def advance(self, step: Step) -> Fits:
        """Yield the fits of the active fields, once and for every correction, then those of the passive ones."""
        problem, weights = step.problem, {}
        velocity = _extrapolated(step)
        for _ in range(1 + self.corrections if problem.active else 0):
            for name in problem.active:
                start = weights.get(name, step.now.weights[name])
                weights[name] = yield self._fit(step, name, start, velocity)
            after = NeuralFields(step.networks, {**step.now.weights, **weights})
            velocity = _interpolated(step, after)
        for name in problem.passive:
            weights[name] = yield self._fit(step, name, step.now.weights[name], velocity)
        return weights

    def _fit(self, step: Step, name: str, start: Tensor, velocity: Velocity) -> Fit:
        problem, network, order = step.problem, step.networks[name], step.problem.observed_order(name)

        def left(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
            return problem.observe(name, network(weights, points, order)) - target

        def residuals(sample: Sample) -> list[Residuals]:
            target = self._carried(step, name, sample.interior, velocity)
            boundary = step.boundary(name, sample, step.time + step.length)
            return [Residuals("transport", left, (sample.interior, target)), *boundary]

        return Fit(name, start, residuals)

    def _carried(self, step: Step, name: str, points: Tensor, velocity: Velocity) -> Tensor:
        """Return the field one step later, ``(n, m)``."""
        problem, diffusivity = step.problem, step.problem.diffusivity(name)
        inside = continuation(problem.domain, problem.walls)

        def observed(feet: Tensor) -> Tensor:
            folded, signs = inside(feet)
            values = step.now.observe(problem, name, folded)
            return signs.prod(1, keepdim=True) * values if problem.is_odd(name) else values

        if not diffusivity:
            return observed(trace_back(velocity, points, step.length, self.back_trace, inside))
        feet, weights = random_feet(velocity, points, step.length, diffusivity, inside, self.back_trace)
        values = observed(feet.flatten(0, 1))
        return torch.einsum("k,knm->nm", weights, values.reshape(len(weights), len(points), -1))


def _extrapolated(step: Step) -> Velocity:
    """Return the velocity during a step, extrapolated from its beginning."""

    def velocity(points: Tensor, fraction: float) -> Tensor:
        if not step.problem.active:
            return step.problem.velocity_at(step.now, points, step.time + fraction * step.length)
        now = step.problem.velocity_at(step.now, points, step.time)
        if step.before is None or not fraction:
            return now
        before = step.problem.velocity_at(step.before, points, step.time - step.length)
        return (1 + fraction) * now - fraction * before

    return velocity


def _interpolated(step: Step, after: NeuralFields) -> Velocity:
    """Return the velocity during a step, interpolated between both ends."""

    def velocity(points: Tensor, fraction: float) -> Tensor:
        ends = ((1 - fraction, step.now, step.time), (fraction, after, step.time + step.length))
        return sum(share * step.problem.velocity_at(at, points, time) for share, at, time in ends if share)

    return velocity
