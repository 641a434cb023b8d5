"""Time steps of elastic bodies: a fit of the energy for equilibrium, of the incremental potential for motion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sciml.domains.quadrature import Quadrature
from sciml.errors import InputError
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators.base import Fits, Integrator, Step
from sciml.insr.problems.base import Problem
from sciml.insr.problems.elasticity import ElasticBody, ElasticProblem, deformation_gradient
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals


@dataclass(frozen=True)
class Equilibrium(Integrator):
    """Equilibrium of an elastic body: each step is a further minimisation of the energy and the penalties.

    There is no time; the energy falls from step to step as far as fit and points allow. Random points let it fall by
    deforming the body between them, and the least energy at new points is another one; fixed ones do not.

    Parameters
    ----------
    quadrature : of the energy, in place of random points
    """

    quadrature: Quadrature | None = None
    order: int = field(default=1, init=False)

    def check(self, problem: Problem) -> None:
        """Refuse problems without an elastic energy, and moving bodies."""
        if not isinstance(problem, ElasticProblem) or isinstance(problem, ElasticBody):
            raise InputError(
                f"equilibrium is for elastic bodies at rest such as Tension, got {type(problem).__name__}; use "
                "IncrementalPotential for bodies that move."
            )
        if self.quadrature is not None:
            self.quadrature.on(problem.domain)  # refuses another kind of domain

    def advance(self, step: Step) -> Fits:
        """Yield the one fit of the step."""
        problem, network = step.problem, step.networks["displacement"]
        start = step.now.weights["displacement"]
        integral = _integral(self.quadrature, problem, network, start)

        def elastic(weights: Tensor, points: Tensor, root: Tensor) -> Tensor:
            return root * problem.energy.residuals(deformation_gradient(network(weights, points, 1)))

        def residuals(sample: Sample) -> list[Residuals]:
            boundary = step.boundary("displacement", sample, step.time)
            return [Residuals("elastic", elastic, integral(sample)), *_held(step, network), *boundary]

        weights = yield Fit("displacement", start, residuals, integral=True)
        return {"displacement": weights}


@dataclass(frozen=True)
class IncrementalPotential(Integrator):
    r"""Implicit Euler for rho u_tt = div P + rho g with contact: u^{n+1} minimises a sum of squares.

    .. math:: \int \frac{\rho}{2 h^2} |u - 2 u^n + u^{n-1} - h^2 g|^2 + W(1 + \nabla u) \, dx
        + \int_{\partial\Omega} \frac{k}{2} \mathrm{depth}(x + u)^2 \, ds

    The square contains the work of gravity. The scheme damps oscillations that the step does not resolve, and conserves
    momentum.

    Parameters
    ----------
    quadrature : of the first integral, in place of random points: momentum is then kept as far as the fits converge

    References
    ----------
    Martin, Thomaszewski, Grinspun, Gross, Example-based elastic materials, ACM Trans. Graph. 30 (2011): the potential.
    """

    quadrature: Quadrature | None = None
    order: int = field(default=1, init=False)

    def check(self, problem: Problem) -> None:
        """Refuse problems that are no moving body."""
        if not isinstance(problem, ElasticBody):
            raise InputError(
                f"the incremental potential is for bodies that move, ElasticBody, got {type(problem).__name__}."
            )
        if self.quadrature is not None:
            self.quadrature.on(problem.domain)  # refuses another kind of domain

    def advance(self, step: Step) -> Fits:
        """Yield the one fit of the step."""
        problem, network, h = step.problem, step.networks["displacement"], step.length
        if not math.isclose(h, problem.motion.time_step, rel_tol=1e-9):
            raise InputError(
                f"the time step is {h:g}, that of the motion {problem.motion.time_step:g}; expected the same."
            )
        _check_alike(network, step.networks["previous"])
        scale, start = math.sqrt(problem.density / 2) / h, step.now.weights["displacement"]
        integral = _integral(self.quadrature, problem, network, start)

        def equation(weights: Tensor, points: Tensor, root: Tensor, target: Tensor) -> Tensor:
            jet = network(weights, points, 1)
            inertia = scale * (jet.value - target)
            return root * torch.cat([inertia, problem.energy.residuals(deformation_gradient(jet))], -1)

        def contact(weights: Tensor, points: Tensor) -> Tensor:
            positions = points + network(weights, points)
            return torch.cat([obstacle.residuals(positions) for obstacle in problem.obstacles], -1)

        def residuals(sample: Sample) -> list[Residuals]:
            points, root = integral(sample)
            target = 2 * step.now("displacement", points) - step.now("previous", points)
            target = target + h**2 * problem.motion.acceleration(points, step.time + h)
            groups = [Residuals("motion", equation, (points, root, target)), *_held(step, network)]
            if problem.obstacles and sample.boundary is not None:
                share = problem.domain.boundary_measure / problem.domain.measure
                groups.append(Residuals("contact", contact, (sample.boundary.points,), share))
            return groups

        weights = yield Fit("displacement", start, residuals, integral=True)
        return {"displacement": weights, "previous": start}


def _integral(
    quadrature: Quadrature | None, problem: ElasticProblem, network: FlatModule, like: Tensor
) -> Callable[[Sample], tuple[Tensor, Tensor]]:
    """Return the points of a fit, and factors (n, 1) of its rows that make their mean square a mean over the body."""
    if quadrature is None:
        return lambda sample: (sample.interior, torch.ones_like(sample.interior[:, :1]))
    points, weights = quadrature.on(problem.domain)
    if problem.domain.dim**2 * len(points) < network.count:
        raise InputError(
            f"there are {len(points)} points of quadrature for {network.count} parameters; the energy would be minimal "
            f"at these points only. Take at least {-(-network.count // problem.domain.dim**2)}."
        )
    points, weights = points.to(like), weights.to(like)
    root = (weights * len(points) / weights.sum()).sqrt()[:, None]
    return lambda _: (points, root)


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
            f"the networks of displacement and previous differ, with {network.count} and {previous.count} parameters; "
            "expected two of the same kind and size."
        )
