"""Space and time cut into parts with a network each, all fitted together.

On interfaces of two parts both values equal their average, and the residuals of the equation are the same.

References
----------
Jagtap, Karniadakis, "Extended physics-informed neural networks (XPINNs): a generalized space-time domain decomposition
based deep learning framework for nonlinear partial differential equations", Commun. Comput. Phys. 28, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from sciml.checks import positive
from sciml.errors import DivergenceError, InputError
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.standard import SoftPinn, at_most, check_share, network_on, pace, solves, spread_points
from sciml.lpinn.baselines.subdomains import SubdomainPinns, Subdomains
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.problems import TransportProblem
from sciml.nets.coordinate import check_counts
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals
from sciml.numerics.random import generator


@dataclass(frozen=True)
class Xpinn(Baseline):
    """A network for each part of space and time, with conditions on the interfaces.

    Parameters
    ----------
    times : parts of time; as many as ``radians`` asks for unless given, at least 2
    radians : of the longest wave of the box that the largest speed carries past a point in a part, about
    parts : of each axis of space; one unless given
    width, layers, waves : of each network; waves along periodic axes that are not cut
    points, known, interface : for the equation in each part, for start and inflow, and on each interface
    adaptive : share of the points of the equation that goes where the residual is large
    weight : of start, inflow and average; the residuals of both sides have the weight 1
    fitting : of a round on the same points; a few solves of least squares unless given
    device : of the networks
    """

    times: int | None = None
    radians: float = 8.0
    parts: Sequence[int] | None = None
    width: int = 14
    layers: int = 2
    waves: int = 1
    points: int = 400
    adaptive: float = 0.5
    known: int = 100
    interface: int = 50
    weight: float = 1.0
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = ("width", "layers", "waves", "points", "known", "interface")
        check_counts(**{name: getattr(self, name) for name in names})
        check_counts(times=1 if self.times is None else self.times)
        check_counts(**{f"part {number}": count for number, count in enumerate(self.parts or ())})
        check_share(self.adaptive)
        positive("radians of a sub-domain", self.radians)
        positive("the weight of interfaces", self.weight)

    def cut(self, problem: TransportProblem) -> Subdomains:
        """The parts of a problem.

        Raises
        ------
        InputError
            If ``parts`` has not one number for each axis of space.
        """
        parts = [1] * problem.domain.dim if self.parts is None else list(self.parts)
        if len(parts) != problem.domain.dim:
            raise InputError(f"parts is {self.parts!r}, expected a number for each of {problem.domain.dim} axes.")
        times = max(2, math.ceil(pace(problem) / self.radians)) if self.times is None else self.times
        return Subdomains(problem, [*parts, times])

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Make rounds as long as the budget lasts."""
        tracker, limit = budget.start(), budget.updates
        problem.check()
        pieces = self.pieces(problem, seed)
        weights, damping, loss, number = pieces.vector(), 0.0, math.inf, 0
        while tracker.share < 1 and loss > self.fitting.tolerance**2:
            draws = generator(seed, 1, number, device=self.device)
            fitting = at_most(self.fitting, limit - tracker.updates if limit else None)
            fitted = fitting.fit(self.groups(pieces, weights, draws), weights, damping, draws)
            weights, damping, loss, number = fitted.weights, fitted.damping, fitted.rms**2, number + 1
            tracker.updates += max(fitted.solves, 1)
            if not loss < math.inf:
                raise DivergenceError("the residuals of the parts are not finite any more; take more points or parts.")

        def evaluate(points: Tensor, time: float) -> Tensor:
            at = torch.cat([points, torch.full_like(points[:, :1], time)], 1).to(weights)
            return pieces.read(weights, at).to(points)

        return Solution(problem, evaluate, len(weights), tracker.updates, tracker.seconds, loss)

    def pieces(self, problem: TransportProblem, seed: int) -> SubdomainPinns:
        """Networks on the parts of a problem."""
        cut, size = self.cut(problem), (self.width, self.layers, self.waves)
        draws = torch.randint(1 << 30, (len(cut.boxes),), generator=generator(seed, 0)).tolist()
        networks = [network_on(box, *size, draw, self.device) for box, draw in zip(cut.boxes, draws, strict=True)]
        return SubdomainPinns(cut, [SoftPinn(problem, FlatModule(network)) for network in networks])

    def groups(self, pieces: SubdomainPinns, weights: Tensor, draws: torch.Generator) -> list[Residuals]:
        """Residuals of the vector of all weights, on points for the given ones."""
        cut, found = pieces.cut, []
        for number, box in enumerate(cut.boxes):
            equation = partial(pieces.equation, number)
            points = spread_points(box, self.points, self.adaptive, partial(equation, weights), draws)
            found.append(Residuals(f"equation {number}", equation, (points,), 1 / len(cut.boxes)))
        some = pieces.pinns[0]
        for name, data in (("start", some.started(self.known, draws)), ("inflow", some.entered(self.known, draws))):
            inside = cut.which(data[0]) if data is not None else torch.zeros(0)
            for number in inside.unique().tolist():
                here = inside == number
                weight, rows = self.weight * float(here.double().mean()), tuple(values[here] for values in data)
                found.append(Residuals(f"{name} {number}", partial(pieces.known, number), rows, weight))
        interfaces = cut.interfaces()
        for one, other, axis in interfaces:
            first = cut.boxes[one].interior(self.interface, draws, kind="shifted")
            second = first.clone()
            first[:, axis], second[:, axis] = cut.boxes[one].upper[axis], cut.boxes[other].lower[axis]
            across = partial(pieces.across, one, other, self.weight)
            name = f"interface {one} {other} {axis}"
            found.append(Residuals(name, across, (first, second), 1 / len(interfaces)))
        return found
