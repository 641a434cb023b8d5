"""Space and time cut into parts with a network each, all fitted together.

On interfaces of two parts both values equal their average, and the residuals of the equation are the same.

References
----------
Jagtap, Karniadakis, "Extended physics-informed neural networks (XPINNs): a generalized space-time domain decomposition
based deep learning framework for nonlinear partial differential equations", Commun. Comput. Phys. 28, 2020.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.pinn import SoftPinn, at_most, network_on, solves
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.problems import TransportProblem
from sciml.nets.coordinate import check_counts
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals
from sciml.numerics.random import generator
from sciml.pde.sampling import Box


class Parts:
    """A box of space and time cut into equal parts.

    Parameters
    ----------
    problem : whose labels and duration make the box
    cuts : number of parts along each axis of space, then of time
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
        """Part, next part along an axis, and the axis; across the period too."""
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
        """The part that each point and time ``(n, dim + 1)`` is in, ``(n,)``."""
        lower, upper = points.new_tensor(self.lower), points.new_tensor(self.upper)
        cuts = torch.tensor(self.cuts, device=points.device)
        at = ((points - lower) / (upper - lower) * cuts).long().clamp_min(0).minimum(cuts - 1)
        number = torch.zeros_like(at[:, 0])
        for axis, count in enumerate(self.cuts):
            number = number * count + at[:, axis]
        return number


@dataclass(frozen=True)
class Xpinn(Baseline):
    """A network for each part of space and time, with conditions on the interfaces.

    Parameters
    ----------
    times : parts of time
    parts : of each axis of space; one unless given
    width, layers, waves : of each network; waves along periodic axes that are not cut
    points, known, interface : for the equation in each part, for start and inflow, and on each interface
    weight : of start, inflow and average; the residuals of both sides have the weight 1
    fitting : of a round on the same points; a few solves of least squares unless given
    device : of the networks
    """

    times: int = 4
    parts: Sequence[int] | None = None
    width: int = 12
    layers: int = 2
    waves: int = 1
    points: int = 300
    known: int = 100
    interface: int = 50
    weight: float = 10.0
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = ("times", "width", "layers", "waves", "points", "known", "interface")
        check_counts(**{name: getattr(self, name) for name in names})
        check_counts(**{f"part {number}": count for number, count in enumerate(self.parts or ())})
        if not 0 < self.weight < math.inf:
            raise InputError(f"the weight of interfaces is {self.weight!r}, expected a number over 0.")

    def cut(self, problem: TransportProblem) -> Parts:
        """The parts of a problem.

        Raises
        ------
        InputError
            If ``parts`` has not one number for each axis of space.
        """
        parts = [1] * problem.domain.dim if self.parts is None else list(self.parts)
        if len(parts) != problem.domain.dim:
            raise InputError(f"parts is {self.parts!r}, expected a number for each of {problem.domain.dim} axes.")
        return Parts(problem, [*parts, self.times])

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Make rounds as long as the budget lasts."""
        purse, limit = budget.start(), budget.updates
        problem.check()
        cut = self.cut(problem)
        sides = [(box, seed + number) for number, box in enumerate(cut.boxes)]
        networks = [network_on(box, self.width, self.layers, self.waves, s, self.device) for box, s in sides]
        pieces = [SoftPinn(problem, FlatModule(network)) for network in networks]
        weights = torch.cat([piece.network.vector() for piece in pieces])
        damping, loss, number = 0.0, math.inf, 0
        while purse.share < 1 and loss > self.fitting.tolerance**2:
            draws = generator(seed, number, device=self.device)
            fitting = at_most(self.fitting, limit - purse.updates if limit else None)
            fitted = fitting.fit(self.groups(cut, pieces, draws), weights, damping, draws)
            weights, damping, loss, number = fitted.weights, fitted.damping, fitted.rms**2, number + 1
            purse.updates += fitted.solves

        def evaluate(points: Tensor, time: float) -> Tensor:
            at = torch.cat([points, torch.full_like(points[:, :1], time)], 1).to(weights)
            return read(cut, pieces, weights, at).to(points)

        return Solution(problem, evaluate, len(weights), purse.updates, purse.seconds, loss)

    def groups(self, cut: Parts, pieces: Sequence[SoftPinn], draws: torch.Generator) -> list[Residuals]:
        """Residuals of the vector of all weights, on new points."""
        count, size = len(pieces), pieces[0].network.count

        def own(weights: Tensor, number: int) -> Tensor:
            return weights[number * size : (number + 1) * size]

        groups = []
        for number, (box, piece) in enumerate(zip(cut.boxes, pieces, strict=True)):

            def equation(weights: Tensor, points: Tensor, number: int = number, piece: SoftPinn = piece) -> Tensor:
                return piece.equation(own(weights, number), points)[1]

            points = box.interior(self.points, draws, kind="shifted")
            groups.append(Residuals(f"equation {number}", equation, (points,), 1 / count))
        for name, data in (
            ("start", pieces[0].started(self.known, draws)),
            ("inflow", pieces[0].entered(self.known, draws)),
        ):
            if data is None:
                continue
            inside = cut.which(data[0])
            for number in inside.unique().tolist():

                def known(weights: Tensor, points: Tensor, values: Tensor, number: int = number) -> Tensor:
                    return pieces[number].known(own(weights, number), points, values)

                here = inside == number
                share = self.weight * float(here.double().mean())
                groups.append(Residuals(f"{name} {number}", known, tuple(x[here] for x in data), share))
        interfaces = cut.interfaces()
        for number, other, axis in interfaces:

            def across(
                weights: Tensor, first: Tensor, second: Tensor, number: int = number, other: int = other
            ) -> Tensor:
                u, left = pieces[number].equation(own(weights, number), first)
                v, right = pieces[other].equation(own(weights, other), second)
                average = (self.weight / 2) ** 0.5 * (u - v) / pieces[number].size
                return torch.cat([average, left - right], 1)

            first = cut.boxes[number].interior(self.interface, draws, kind="shifted")
            second = first.clone()
            first[:, axis], second[:, axis] = cut.boxes[number].upper[axis], cut.boxes[other].lower[axis]
            groups.append(Residuals(f"interface {number} {other} {axis}", across, (first, second), 1 / len(interfaces)))
        return groups


def read(cut: Parts, pieces: Sequence[SoftPinn], weights: Tensor, points: Tensor) -> Tensor:
    """u at points and times, of the network of the part that each is in."""
    inside, values = cut.which(points), torch.empty_like(points[:, :1])
    with torch.no_grad():
        for number, (piece, own) in enumerate(zip(pieces, weights.chunk(len(pieces)), strict=True)):
            here = inside == number
            values[here] = piece.jet(own, points[here], 0).value
    return values
