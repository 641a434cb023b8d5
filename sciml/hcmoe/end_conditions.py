"""Conditions at the ends of the interval in terms of the coefficients there, and starts that meet them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.elements import ElementBasis
from sciml.hcmoe.problems.base import EndCondition, Points, SpaceTimeProblem
from sciml.hcmoe.problems.profiles import Coefficients
from sciml.numerics.polynomials import ENDS, gauss_legendre


@dataclass(frozen=True, eq=False)
class NormalCondition:
    """The condition ``normal . c = target`` on the coefficients c of value and slope at an end.

    Attributes
    ----------
    normal : of length 1, ``(instances, 2)``
    target : ``(instances, times)``
    """

    normal: Tensor
    target: Tensor

    @property
    def tangent(self) -> Tensor:
        """The direction in which the coefficients may move, ``(instances, 2)``."""
        return torch.stack([-self.normal[:, 1], self.normal[:, 0]], 1)


def conditions_of(problem: SpaceTimeProblem, basis: ElementBasis, times: Tensor) -> list[NormalCondition]:
    """Return the conditions at the lower and the upper end at times ``(times,)``.

    Raises
    ------
    InputError
        If a condition has no factor other than 0, or is not finite.
    """
    at = Points(basis.face_points[[0, -1]], times, problem.chosen(slice(None), 1))
    found = []
    for name, condition, length in zip(("lower", "upper"), problem.ends(at), basis.lengths[[0, -1]], strict=True):
        value, slope, target = _tensors(condition, (problem.instances, len(times)))
        factors = torch.stack([value[:, 0], slope[:, 0] / length], 1)  # the coefficient of the slope is length * u_x
        size = factors.norm(dim=1, keepdim=True)
        if not bool(((size > 0) & size.isfinite() & target.isfinite()).all()):
            raise InputError(
                f"the condition at the {name} end of {type(problem).__name__} is {condition}, expected finite numbers "
                "and a factor of u or u_x that is not 0."
            )
        found.append(NormalCondition(factors / size, target / size))
    return found


def start_of(problem: SpaceTimeProblem, basis: ElementBasis) -> Tensor:
    """Return the coefficients of the initial condition, ``(instances, K, size)``.

    Values and slopes at faces are exact, the rest is the best fit in each element. Where the condition at an end is not
    met by the start, the condition holds, and a cubic over the element there leads from one to the other.
    """
    coefficients = problem.chosen(slice(None), 1)  # taken here, for they are checked, which no transform allows

    def initial(x: Tensor) -> Tensor:
        return _initial(problem, coefficients, x) + 0 * x  # a constant has a slope too

    inside, ends = fitted(initial, basis)
    met = list(ends.unbind(1))  # not in place, because conditions may require gradients
    zero = torch.zeros(1, dtype=torch.float64)
    for side, condition in zip((0, -1), conditions_of(problem, basis, zero), strict=True):
        miss = condition.target - (condition.normal * met[side]).sum(1, keepdim=True)
        met[side] = met[side] + miss * condition.normal
    ends = torch.stack(met, 1)
    return torch.cat([inside, ends[:, :-1], ends[:, 1:]], 2)


def start_error(problem: SpaceTimeProblem, basis: ElementBasis, start: Tensor) -> float:
    """Return the mean difference over the interval between start and initial condition, over the largest u of both.

    It is that of the worst instance, and large where the initial condition contradicts a condition at an end of large
    elements, or is too steep for them.
    """
    nodes, weights = gauss_legendre(2 * basis.size)
    found = (basis.tables(nodes, 0)[0] @ start[..., None])[..., 0].flatten(1)
    wanted = _initial(problem, problem.chosen(slice(None), 1), basis.points(nodes).flatten())
    shares = ((basis.half / (2 * basis.half.sum()))[:, None] * weights).flatten()
    largest = torch.maximum(found.abs(), wanted.abs()).amax(1)
    return float(((found - wanted).abs() @ shares / largest.clamp_min(torch.finfo(torch.float64).tiny)).max())


def _initial(problem: SpaceTimeProblem, coefficients: Coefficients, x: Tensor) -> Tensor:
    """Return u at time 0 at places ``(n,)``, ``(instances, n)``."""
    at = Points(x, torch.zeros(1, dtype=torch.float64), coefficients)
    return problem.initial_values(at).expand(problem.instances, len(x))


def fitted(function: Callable[[Tensor], Tensor], basis: ElementBasis) -> tuple[Tensor, Tensor]:
    """Return the coefficients of a function: values and slopes at faces exact, the rest the best fit in each element.

    Parameters
    ----------
    function : maps points ``(n,)`` to values ``(items, n)``; differentiable
    basis : of the interval

    Returns
    -------
    inside, ends : of the bubbles, ``(items, K, size - 4)``; values and slopes at faces, ``(items, K + 1, 2)``
    """
    value, slope = torch.func.jvp(function, (basis.face_points,), (torch.ones_like(basis.face_points),))
    ends = torch.stack([value, slope * basis.lengths], 2)
    nodes, weights = gauss_legendre(oversampled(basis.size))
    bubbles, cubics = basis.tables(nodes, 0)[0].split([basis.size - ENDS, ENDS], -1)
    values = function(basis.points(nodes).flatten()).unflatten(1, (len(basis), -1))
    rest = values[..., None] - cubics @ torch.cat([ends[:, :-1], ends[:, 1:]], 2)[..., None]
    root = weights.sqrt()[:, None]
    orthonormal, triangle = torch.linalg.qr(root * bubbles)
    inside = torch.linalg.solve_triangular(triangle, orthonormal.mT @ (root * rest), upper=True)[..., 0]
    return inside, ends


def oversampled(functions: int) -> int:
    """Return the number of Gauss points on which so many functions are fitted, half as many again."""
    return functions + (functions + 1) // 2


def _tensors(condition: EndCondition, shape: tuple[int, int]) -> list[Tensor]:
    return [torch.as_tensor(part, dtype=torch.float64).expand(shape) for part in condition]
