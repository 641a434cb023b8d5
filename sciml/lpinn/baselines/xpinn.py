"""Extended PINNs: networks on sub-domains of space and time, all fitted together.

On interfaces of two sub-domains both values equal their average, and the residuals of the equation are equal.

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
    """An extended PINN (XPINN): a network on each sub-domain of space and time, with conditions on the interfaces.

    Parameters
    ----------
    times : number of sub-domains in time; by default as many as ``radians`` requires, at least 2
    radians : of the lowest Fourier mode that pass a point in a sub-domain, about
    parts : number of sub-domains along each axis of space; by default one
    width, layers, modes : of each network; Fourier modes along periodic axes that are not divided
    points, known, interface : number of points for the equation in each sub-domain, for initial and boundary values,
        and on each interface
    adaptive : share of the points of the equation that follows the size of the residual
    weight : of initial values, boundary values and averages; that of the residuals on both sides is 1
    fitting : of a round on the same points; a few least-squares solves by default
    device : of the networks
    """

    times: int | None = None
    radians: float = 8.0
    parts: Sequence[int] | None = None
    width: int = 14
    layers: int = 2
    modes: int = 1
    points: int = 400
    adaptive: float = 0.5
    known: int = 100
    interface: int = 50
    weight: float = 1.0
    fitting: Fitting = field(default_factory=solves)
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = ("width", "layers", "modes", "points", "known", "interface")
        check_counts(**{name: getattr(self, name) for name in names})
        check_counts(times=1 if self.times is None else self.times)
        check_counts(**{f"part {number}": count for number, count in enumerate(self.parts or ())})
        check_share(self.adaptive)
        positive("radians of a sub-domain", self.radians)
        positive("the weight of interfaces", self.weight)

    def cut(self, problem: TransportProblem) -> Subdomains:
        """Return the sub-domains of a problem.

        Raises
        ------
        InputError
            If ``parts`` does not have one number for each axis of space.
        """
        parts = [1] * problem.domain.dim if self.parts is None else list(self.parts)
        if len(parts) != problem.domain.dim:
            raise InputError(f"parts is {self.parts!r}, expected a number for each of {problem.domain.dim} axes.")
        times = max(2, math.ceil(pace(problem) / self.radians)) if self.times is None else self.times
        return Subdomains(problem, [*parts, times])

    def __call__(self, problem: TransportProblem, budget: Budget, seed: int = 0) -> Solution:
        """Make rounds until the budget is used up."""
        tracker, limit = budget.track(), budget.updates
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
                raise DivergenceError(
                    "the residuals of the sub-domains are no longer finite; use more points or sub-domains."
                )

        def evaluate(points: Tensor, time: float) -> Tensor:
            at = torch.cat([points, torch.full_like(points[:, :1], time)], 1).to(weights)
            return pieces.read(weights, at).to(points)

        return Solution(problem, evaluate, len(weights), tracker.updates, tracker.seconds, loss)

    def pieces(self, problem: TransportProblem, seed: int) -> SubdomainPinns:
        """Return networks on the sub-domains of a problem."""
        cut, size = self.cut(problem), (self.width, self.layers, self.modes)
        draws = torch.randint(1 << 30, (len(cut.boxes),), generator=generator(seed, 0)).tolist()
        networks = [network_on(box, *size, draw, self.device) for box, draw in zip(cut.boxes, draws, strict=True)]
        return SubdomainPinns(cut, [SoftPinn(problem, FlatModule(network)) for network in networks])

    def groups(self, pieces: SubdomainPinns, weights: Tensor, draws: torch.Generator) -> list[Residuals]:
        """Return the residuals as functions of all weights, at points adapted to the given ones."""
        cut, found = pieces.cut, []
        for number, box in enumerate(cut.boxes):
            equation = partial(pieces.equation, number)
            points = spread_points(box, self.points, self.adaptive, partial(equation, weights), draws)
            found.append(Residuals(f"equation {number}", equation, (points,), 1 / len(cut.boxes)))
        some = pieces.pinns[0]
        for name, data in (
            ("initial", some.initial_data(self.known, draws)),
            ("boundary", some.boundary_data(self.known, draws)),
        ):
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
