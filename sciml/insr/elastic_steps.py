"""Steps of elastic bodies: one fit of the energy for equilibrium, one of the incremental potential for motion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.insr.elasticity import ElasticBody, ElasticProblem, deformation_gradient
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators import Fits, Integrator, Step
from sciml.insr.problems import Problem
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals


@dataclass(frozen=True)
class Equilibrium(Integrator):
    """Minimise the mean energy density, and the penalty of what is held: a step is a fit at new points.

    There is no time; the energy falls from step to step as far as fit and points allow.
    """

    order: int = field(default=1, init=False)

    def check(self, problem: Problem) -> None:
        """Refuse what has no elastic energy, and moving bodies."""
        if not isinstance(problem, ElasticProblem) or isinstance(problem, ElasticBody):
            raise InputError(
                f"equilibrium is for elastic bodies at rest such as Tension, got {type(problem).__name__}; use "
                "IncrementalPotential for bodies that move."
            )

    def advance(self, step: Step) -> Fits:
        """One fit."""
        problem, network = step.problem, step.networks["displacement"]

        def elastic(weights: Tensor, points: Tensor) -> Tensor:
            return problem.energy.residuals(deformation_gradient(network(weights, points, 1)))

        def residuals(sample: Sample) -> list[Residuals]:
            boundary = step.boundary("displacement", sample, step.time)
            return [Residuals("elastic", elastic, (sample.interior,)), *_held(step, network), *boundary]

        weights = yield Fit("displacement", step.now.weights["displacement"], residuals)
        return {"displacement": weights}


@dataclass(frozen=True)
class IncrementalPotential(Integrator):
    r"""Implicit Euler for rho u_tt = div P + rho g with contact: u^{n+1} is the least of a sum of squares.

    .. math:: \int \frac{\rho}{2 h^2} |u - 2 u^n + u^{n-1} - h^2 g|^2 + W(1 + \nabla u) \, dx
        + \int_{\partial\Omega} \frac{k}{2} \mathrm{depth}(x + u)^2 \, ds

    The square contains the work of gravity. It damps waves that the step does not resolve, and keeps momentum.

    References
    ----------
    Martin, Thomaszewski, Grinspun, Gross, Example-based elastic materials, ACM Trans. Graph. 30 (2011): the potential.
    """

    order: int = field(default=1, init=False)

    def check(self, problem: Problem) -> None:
        """Refuse what does not move."""
        if not isinstance(problem, ElasticBody):
            raise InputError(
                f"the incremental potential is for bodies that move, ElasticBody, got {type(problem).__name__}."
            )

    def advance(self, step: Step) -> Fits:
        """One fit."""
        problem, network, h = step.problem, step.networks["displacement"], step.length
        if not math.isclose(h, problem.motion.time_step, rel_tol=1e-9):
            raise InputError(
                f"the time step is {h:g}, that of the motion {problem.motion.time_step:g}; expected the same."
            )
        _check_alike(network, step.networks["previous"])
        scale = math.sqrt(problem.density / 2) / h

        def equation(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
            jet = network(weights, points, 1)
            inertia = scale * (jet.value - target)
            return torch.cat([inertia, problem.energy.residuals(deformation_gradient(jet))], -1)

        def contact(weights: Tensor, points: Tensor) -> Tensor:
            positions = points + network(weights, points)
            return torch.cat([obstacle.residuals(positions) for obstacle in problem.obstacles], -1)

        def residuals(sample: Sample) -> list[Residuals]:
            points = sample.interior
            target = 2 * step.now("displacement", points) - step.now("previous", points)
            target = target + h**2 * problem.motion.acceleration(points, step.time + h)
            groups = [Residuals("motion", equation, (points, target)), *_held(step, network)]
            if problem.obstacles and sample.boundary is not None:
                share = problem.boundary_measure / problem.domain.measure
                groups.append(Residuals("contact", contact, (sample.boundary.points,), share))
            return groups

        weights = yield Fit("displacement", step.now.weights["displacement"], residuals)
        return {"displacement": weights, "previous": step.now.weights["displacement"]}


def _held(step: Step, network: FlatModule) -> list[Residuals]:
    def distance(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
        return network(weights, points) - target

    like = step.now.weights["displacement"]
    groups = step.problem.held_groups()
    return [Residuals(name, distance, (points.to(like), target.to(like)), w) for name, points, target, w in groups]


def _check_alike(network: FlatModule, previous: FlatModule) -> None:
    shapes = [{n: tuple(v.shape) for n, v in flat.module.state_dict().items()} for flat in (network, previous)]
    if shapes[0] != shapes[1] or type(network.module) is not type(previous.module):
        raise InputError(
            f"the networks of displacement and previous are unlike, with {network.count} and {previous.count} weights; "
            "expected two of the same kind and size."
        )
