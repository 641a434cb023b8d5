"""The fit of one network: its residuals, its points, and the algorithms that minimise them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from sciml import checks
from sciml.domains import BoundaryPoints, Box, Domain
from sciml.domains.adaptive import draw_where_large
from sciml.errors import InputError
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.status import Status

CANDIDATES = 4  # drawn for each adaptive point
SEEN = 3.0  # a residual on new points of up to this multiple of that on the fitted ones was seen
Propose = Callable[[int, torch.Generator], Tensor]
Draw = Callable[[int, Tensor], "Sample"]


@dataclass(frozen=True)
class Sample:
    """The points of one fit: ``interior`` ``(n, dim)``, and ``boundary`` where the domain has one."""

    interior: Tensor
    boundary: BoundaryPoints | None = None

    def to(self, dtype: torch.dtype) -> Sample:
        """Return the points in another precision."""
        boundary = None if self.boundary is None else BoundaryPoints(*(part.to(dtype) for part in self.boundary))
        return Sample(self.interior.to(dtype), boundary)

    def joined(self, other: Sample) -> Sample:
        """Return the points of both samples together."""
        pairs = () if self.boundary is None else zip(self.boundary, other.boundary, strict=True)
        boundary = [torch.cat(pair) for pair in pairs]
        return Sample(torch.cat([self.interior, other.interior]), BoundaryPoints(*boundary) if boundary else None)


@dataclass(frozen=True)
class Fit:
    """A fit of one network: find the parameters whose observation meets a target.

    Attributes
    ----------
    field : whose network is fitted
    start : parameters from which the fit begins
    residuals : groups at given points; the first one is the equation, whose size guides adaptive points
    integral : whether the sum of squares is an integral such as an energy, which does not vanish where it is least:
        adaptive points would change the minimiser
    """

    field: str
    start: Tensor
    residuals: Callable[[Sample], list[Residuals]]
    integral: bool = False


@dataclass(frozen=True)
class Fitted:
    """The result of a fit: parameters, root mean square residual, number of solves or iterations, and status."""

    parameters: Tensor
    rms: float
    solves: int
    status: Status


@dataclass(frozen=True)
class FitPoints:
    """The points at which the residuals of a fit are evaluated.

    Parameters
    ----------
    count : in the interior; two to three times the number of weights are enough for least squares
    kind : ``"uniform"``, ``"stratified"`` or ``"shifted"``
    boundary : number of points on the boundary; one per cent of ``count``, at least ten, by default
    adaptive : share of the interior points that are drawn where the residual at the beginning of the fit is large, 0 to
        1; on the faces of a box, that share of points is added

    References
    ----------
    Wu et al., "A comprehensive study of non-adaptive and residual-based adaptive sampling for physics-informed neural
    networks", CMAME 403, 2023.
    """

    count: int = 1000
    kind: Literal["uniform", "stratified", "shifted"] = "stratified"
    boundary: int | None = None
    adaptive: float = 0.0

    def __post_init__(self) -> None:
        checks.whole_number("the count of points", self.count, at_least=1)
        checks.number("the adaptive share of the points", self.adaptive, at_least=0, at_most=1)

    def sample(
        self,
        domain: Domain,
        generator: torch.Generator,
        fit: Fit | None = None,
        proposals: Sequence[Propose] = (),
    ) -> Sample:
        """Draw the points of one fit.

        Parameters
        ----------
        domain : where
        generator : draws them
        fit : whose residuals at its beginning guide the adaptive points; without it none are adaptive
        proposals : draw points where something is to be found, in boxes so large that random points would miss it
        """
        moved = round(self.count * self.adaptive) if fit is not None else 0
        if moved and fit.integral:
            raise InputError(
                f"adaptive points would change the energy that is minimised; set adaptive to 0, got {self.adaptive:g}."
            )
        interior = [domain.interior(self.count - moved, generator, kind=self.kind)] if moved < self.count else []
        boundary = None
        if domain.has_boundary:
            boundary = domain.boundary(self.boundary or max(10, self.count // 100), generator)
        if not moved:
            return Sample(torch.cat(interior), boundary)
        candidates = domain.interior(CANDIDATES * moved, generator, kind="uniform")
        for propose in proposals:
            proposed = propose(CANDIDATES * moved, generator).to(candidates)
            candidates = torch.cat([candidates, domain.wrap(proposed)])
        on_faces = boundary is not None and isinstance(domain, Box)
        surface = domain.onto_faces(candidates) if on_faces else boundary
        equation, *conditions = fit.residuals(Sample(candidates, surface).to(fit.start.dtype))
        interior.append(_where_large(equation, fit.start, candidates, moved, generator))
        if on_faces and conditions:
            added = max(1, round(self.adaptive * len(boundary.points)))
            chosen = _where_large(conditions[0], fit.start, torch.cat(surface, 1), added, generator)
            boundary = BoundaryPoints(*map(torch.cat, zip(boundary, chosen.chunk(2, 1), strict=True)))
        return Sample(torch.cat(interior), boundary)


def _where_large(
    group: Residuals, weights: Tensor, candidates: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Return some of the candidates, more of them where the residual is large."""
    with torch.no_grad():
        size = group(weights).norm(dim=1)
    return draw_where_large(candidates, size, count, generator)


class Fitting(ABC):
    """An algorithm for fits; ``initial_tolerance`` bounds the relative residual of the initial condition."""

    initial_tolerance: float

    @abstractmethod
    def fit(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit one step; ``draw(k, weights)`` returns the ``k``-th set of points, adapted to weights, reproducibly."""

    @abstractmethod
    def fit_initial(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit the initial condition, beginning from random parameters."""


@dataclass(frozen=True)
class LeastSquaresFit(Fitting):
    """Fits by the Levenberg-Marquardt method, each on one set of points.

    Parameters
    ----------
    step : settings for time steps, which begin near the solution, so that the damping is small at first
    initial : settings for the initial condition
    rounds : number of successive sets of points for the initial condition
    checks : times that a step is checked on new points, adapted to its new weights, which are added if the residual is
        much larger there; adaptive points need one or two, or else a part of a network may grow where none were
    initial_tolerance : largest root mean square residual of the initial condition, relative to its root mean square
    """

    step: LevenbergMarquardt = field(
        default_factory=lambda: LevenbergMarquardt(tolerance=1e-8, max_solves=8, damping=1e-8)
    )
    initial: LevenbergMarquardt = field(
        default_factory=lambda: LevenbergMarquardt(tolerance=1e-8, max_solves=150, damping=1e-2, patience=10)
    )
    rounds: int = 3
    checks: int = 0
    initial_tolerance: float = 0.05

    def fit(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit one time step, and check it on new points if asked."""
        sample = draw(0, fit.start)
        result = self.step.minimise(fit.residuals(sample), fit.start, generator=generator)
        solves = result.solves
        for number in range(1, self.checks + 1):
            unseen = draw(number, result.value)
            loss = sum(float(group.loss(result.value)) for group in fit.residuals(unseen))
            if loss**0.5 <= max(SEEN * result.rms, self.step.tolerance):
                break
            sample = sample.joined(unseen)
            result = self.step.minimise(fit.residuals(sample), result.value, generator=generator)
            solves += result.solves
        return Fitted(result.value, result.rms, solves, result.status)

    def fit_initial(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit the initial condition on one set of points after the other, until it holds on new ones."""
        weights, solves = fit.start, 0
        for number in range(self.rounds):
            result = self.initial.minimise(fit.residuals(draw(number, weights)), weights, generator=generator)
            weights, solves = result.value, solves + result.solves
            if not result.solves:
                break
        return Fitted(weights, result.rms, solves, result.status)


@dataclass(frozen=True)
class AdamFit(Fitting):
    """Fits as published: a new Adam for every fit, new points in every iteration, a learning rate reduced on plateaus.

    It ends after ``iterations``, or once the rate has fallen to its lowest value.

    Parameters
    ----------
    rate : learning rate at the beginning of each fit
    iterations : at most
    factor, patience, smallest_rate : of ``torch.optim.lr_scheduler.ReduceLROnPlateau``
    seconds : limit on the CPU time [s] of each fit, for comparisons at equal time
    initial_tolerance : as for :class:`LeastSquaresFit`

    References
    ----------
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023, algorithm 1.
    """

    rate: float = 1e-4
    iterations: int = 20_000
    factor: float = 0.1
    patience: int = 500
    smallest_rate: float = 1e-8
    seconds: float | None = None
    initial_tolerance: float = 0.05

    def __post_init__(self) -> None:
        checks.positive("the learning rate of Adam", self.rate)
        checks.number("the factor of the learning rate", self.factor, above=0, below=1)
        checks.whole_number("the number of iterations of Adam", self.iterations, at_least=1)
        checks.whole_number("the patience of Adam", self.patience, at_least=1)

    def fit(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit by Adam until the learning rate has fallen or a limit is reached."""
        weights = fit.start.clone().requires_grad_()
        optimizer = torch.optim.Adam([weights], self.rate)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=self.factor, patience=self.patience, min_lr=self.smallest_rate
        )
        begin, loss, status = time.process_time(), torch.inf, Status.LIMIT
        iteration = 0
        for iteration in range(1, self.iterations + 1):
            optimizer.zero_grad()
            total = sum(group.loss(weights) for group in fit.residuals(draw(iteration - 1, weights.detach())))
            total.backward()
            optimizer.step()
            loss = float(total.detach())
            schedule.step(loss)
            if not loss < torch.inf:
                status = Status.DIVERGED
                break
            if optimizer.param_groups[0]["lr"] <= 1.1 * self.smallest_rate:
                status = Status.CONVERGED
                break
            if self.seconds is not None and time.process_time() - begin > self.seconds:
                break
        return Fitted(weights.detach(), loss**0.5, iteration, status)

    def fit_initial(self, fit: Fit, draw: Draw, generator: torch.Generator) -> Fitted:
        """Fit the initial condition in the same way as a step."""
        return self.fit(fit, draw, generator)
