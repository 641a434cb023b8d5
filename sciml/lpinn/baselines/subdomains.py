"""Decomposition of space and time into sub-domains, with a network on each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from sciml.domains import Box
from sciml.lpinn.baselines.standard import SoftPinn
from sciml.lpinn.problems import TransportProblem


class Subdomains:
    """A decomposition of a box of space and time into equal sub-domains.

    Parameters
    ----------
    problem : whose labels and duration make the box
    cuts : number of sub-domains along each axis of space, then of time
    """

    def __init__(self, problem: TransportProblem, cuts: Sequence[int]) -> None:
        box = problem.labels
        self.cuts, self.periodic = tuple(cuts), (*box.periodic, False)
        self.lower, self.upper = (*box.lower, 0.0), (*box.upper, problem.duration)
        self.places = list(itertools.product(*(range(count) for count in self.cuts)))
        self.boxes = [self._box(place) for place in self.places]

    def _box(self, place: tuple[int, ...]) -> Box:
        sides = list(zip(self.lower, self.upper, self.cuts, place, strict=True))
        lower, upper = ([a + (b - a) * (k + end) / count for a, b, count, k in sides] for end in (0, 1))
        whole = [flag and count == 1 for flag, count in zip(self.periodic, self.cuts, strict=True)]
        return Box(lower, upper, whole)

    def interfaces(self) -> list[tuple[int, int, int]]:
        """Return pairs of neighbouring sub-domains with the axis between them, also across periods."""
        found = []
        for number, place in enumerate(self.places):
            for axis, count in enumerate(self.cuts):
                following = place[axis] + 1
                if count == 1 or (following == count and not self.periodic[axis]):
                    continue
                other = (*place[:axis], following % count, *place[axis + 1 :])
                found.append((number, self.places.index(other), axis))
        return found

    def which(self, points: Tensor) -> Tensor:
        """Return the number of the sub-domain of each point and time ``(n, dim + 1)``, ``(n,)``."""
        lower, upper = points.new_tensor(self.lower), points.new_tensor(self.upper)
        cuts = torch.tensor(self.cuts, device=points.device)
        at = ((points - lower) / (upper - lower) * cuts).long().clamp_min(0).minimum(cuts - 1)
        number = torch.zeros_like(at[:, 0])
        for axis, count in enumerate(self.cuts):
            number = number * count + at[:, axis]
        return number


class SubdomainPinns:
    """A PINN on each sub-domain, with all weights in one vector.

    Parameters
    ----------
    cut : the sub-domains
    pinns : one on each, with the same number of weights
    """

    def __init__(self, cut: Subdomains, pinns: Sequence[SoftPinn]) -> None:
        self.cut, self.pinns = cut, tuple(pinns)
        self.size = pinns[0].network.count

    def vector(self) -> Tensor:
        """Return all weights as one vector."""
        return torch.cat([pinn.network.vector() for pinn in self.pinns])

    def own(self, weights: Tensor, number: int) -> Tensor:
        """Return the weights of a sub-domain."""
        return weights[number * self.size : (number + 1) * self.size]

    def equation(self, number: int, weights: Tensor, points: Tensor) -> Tensor:
        """Return the residual of the equation in a sub-domain."""
        return self.pinns[number].equation(self.own(weights, number), points)[1]

    def known(self, number: int, weights: Tensor, points: Tensor, values: Tensor) -> Tensor:
        """Return the difference of u and given values in a sub-domain."""
        return self.pinns[number].known(self.own(weights, number), points, values)

    def across(self, one: int, other: int, weight: float, weights: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return the differences of values and of residuals across an interface; across a period the points differ."""
        u, left = self.pinns[one].equation(self.own(weights, one), first)
        v, right = self.pinns[other].equation(self.own(weights, other), second)
        average = (weight / 2) ** 0.5 * (u - v) / self.pinns[one].size
        return torch.cat([average, left - right], 1)

    def read(self, weights: Tensor, points: Tensor) -> Tensor:
        """Return u at points and times, by the network of the sub-domain of each."""
        inside, values = self.cut.which(points), torch.empty_like(points[:, :1])
        with torch.no_grad():
            for number in inside.unique().tolist():
                here = inside == number
                values[here] = self.pinns[number].jet(self.own(weights, number), points[here], 0).value
        return values
