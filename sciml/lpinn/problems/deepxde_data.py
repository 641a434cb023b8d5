"""The data of a transport problem for DeepXDE: geometry, residual, conditions and collocation points."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice, whole_number
from sciml.deepxde_backend import DISTRIBUTIONS, Distribution, deepxde, double_precision, quiet
from sciml.domains import Box
from sciml.lpinn.problems.base import TransportProblem


@dataclass(frozen=True)
class Collocation:
    """The numbers of collocation points that DeepXDE draws, and their distribution.

    Parameters
    ----------
    domain : number of points in the interior of space-time
    boundary : on the faces
    initial : at time 0
    distribution : ``"pseudo"`` and ``"LHS"`` (a Latin hypercube) are random; ``"Halton"``, ``"Hammersley"`` and
        ``"Sobol"`` are the same points at every draw
    """

    domain: int = 2000
    boundary: int = 200
    initial: int = 200
    distribution: Distribution = "Sobol"

    def __post_init__(self) -> None:
        for name in ("domain", "boundary", "initial"):
            whole_number(f"the number of {name} points", getattr(self, name), at_least=int(name == "domain"))
        check_distribution(self.distribution)


def check_distribution(name: str) -> None:
    """Check that DeepXDE has a distribution of points."""
    choice("the distribution of points", name, DISTRIBUTIONS)


def geometry(domain: Box) -> Any:
    """Return the geometry of a domain in float64: that of a region, or an interval, rectangle or cuboid."""
    own = getattr(domain, "geometry", None)
    if own is not None:
        return own
    with double_precision() as dde:
        if domain.dim == 1:
            return dde.geometry.Interval(domain.lower[0], domain.upper[0])
        kinds = {2: dde.geometry.Rectangle, 3: dde.geometry.Cuboid}
        return kinds.get(domain.dim, dde.geometry.Hypercube)(list(domain.lower), list(domain.upper))


def space_time(problem: TransportProblem) -> Any:
    """Return the domain and all times from 0 to the duration as a ``GeometryXTime``."""
    dde = deepxde()
    times = dde.geometry.TimeDomain(0.0, float(problem.duration))
    return dde.geometry.GeometryXTime(geometry(problem.domain), times)


def equation(problem: TransportProblem) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the residual ``u_t + velocity . grad u - viscosity Laplace u - source`` as a function ``pde(inputs, u)``.

    The inputs are ``(n, dim + 1)`` with time last; derivatives are DeepXDE's.
    """
    gradients, dim = deepxde().grad, problem.domain.dim

    def residual(inputs: Tensor, u: Tensor) -> Tensor:
        points, times = inputs[:, :-1], inputs[:, -1:]
        slopes = gradients.jacobian(u, inputs, i=0)
        speed = problem.velocity(points, times, u)
        left = slopes[:, dim:] + (speed * slopes[:, :dim]).sum(1, keepdim=True)
        if problem.viscosity:
            spread = sum(gradients.hessian(u, inputs, i=axis, j=axis) for axis in range(dim))
            left = left - problem.viscosity * spread
        source = problem.source(points, times, u)
        return left if source is None else left - source

    return residual


def conditions(problem: TransportProblem, place: Any, *, initial: bool = True, periods: bool = True) -> list[Any]:
    """Return the conditions of a problem for DeepXDE: initial condition, periods axis by axis, boundary values.

    Parameters
    ----------
    problem : with these conditions
    place : its space-time geometry
    initial : whether to include ``IC``; not needed if the network satisfies it by construction
    periods : whether to include ``PeriodicBC`` of the value and, if there is viscosity, of the derivative
    """
    icbc = deepxde().icbc
    found = [icbc.IC(place, lambda at: problem.initial(_tensor(at)[:, :-1]), lambda at, on: on)] if initial else []
    for axis, periodic in enumerate(problem.domain.periodic):
        if periodic and periods:
            faces = _on_axis(problem.domain, axis)
            orders = (0, 1) if problem.viscosity else (0,)
            found += [icbc.PeriodicBC(place, axis, faces, derivative_order=order) for order in orders]
    if all(problem.domain.periodic) or _values(problem, problem.probes()[:1], 0.0) is None:
        return found
    return [*found, icbc.DirichletBC(place, lambda at: _inflow(problem, at), _enters(problem, place))]


def time_pde(
    problem: TransportProblem, points: Collocation | None = None, *, initial: bool = True, periods: bool = True
) -> Any:
    """Return equation, conditions and collocation points as a ``TimePDE`` of DeepXDE, in float64.

    Its points are drawn from the global random states; draw them inside of
    :func:`~sciml.deepxde_backend.seeded`, and use them inside of
    :func:`~sciml.deepxde_backend.double_precision`.

    Parameters
    ----------
    problem : in the Eulerian frame
    points : their numbers and distribution
    initial, periods : whether they are conditions, as in :func:`conditions`
    """
    problem.check()
    points = points or Collocation()
    with double_precision() as dde, quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The balance properties of Sobol")  # which matter for integrals
        place = space_time(problem)
        held = conditions(problem, place, initial=initial, periods=periods)
        faces = any(not isinstance(condition, dde.icbc.IC) for condition in held)
        return dde.data.TimePDE(
            place,
            equation(problem),
            held,
            num_domain=points.domain,
            num_boundary=points.boundary if faces else 0,
            num_initial=points.initial if initial else 0,
            train_distribution=points.distribution,
        )


def _tensor(at: np.ndarray) -> Tensor:
    return torch.as_tensor(at, dtype=torch.float64)


def _values(problem: TransportProblem, points: Tensor, time: float) -> Tensor | None:
    return problem.inflow(points, torch.full_like(points[:, :1], time))


def _inflow(problem: TransportProblem, at: np.ndarray) -> Tensor:
    inputs = _tensor(at)
    return problem.inflow(inputs[:, :-1], inputs[:, -1:])


def _on_axis(domain: Box, axis: int) -> Callable[[np.ndarray, bool], bool]:
    """Return a test whether a point of the boundary is on one of the two faces of an axis."""
    ends = np.array([domain.lower[axis], domain.upper[axis]])
    close = 1e-12 * (1 + np.abs(ends).max())
    return lambda at, on: bool(on and np.abs(at[axis] - ends).min() <= close)


def _enters(problem: TransportProblem, place: Any) -> Callable[[np.ndarray, bool], bool]:
    """Return a test whether a boundary point has a value: with viscosity all have, otherwise those at the inflow."""
    open_axes = [not periodic for periodic in problem.domain.periodic]

    def holds(at: np.ndarray, on: bool) -> bool:
        if not on:
            return False
        normal = place.boundary_normal(at[None])[0, :-1] * open_axes
        if problem.viscosity or not normal.any():
            return bool(normal.any())
        inputs = _tensor(at)[None]
        speed = problem.velocity(inputs[:, :-1], inputs[:, -1:], _inflow(problem, at[None]))
        return float((speed[0] * torch.as_tensor(normal)).sum()) < 0

    return holds
