"""The Levenberg-Marquardt method for a batch of problems, each with a damping, an acceptance and an end of its own.

>>> report = minimise(problem, start, settings=BatchedSettings(tolerance=1e-10))                  # doctest: +SKIP
>>> report.w[3], report.status[3], report.iterations[3]                                           # doctest: +SKIP

Items are independent of one another: an expert on a subdomain, or a whole chain of coupled experts. Those that have
ended leave the batch, so that its cost is that of the items still at work. A batch of one takes the steps of
:class:`~sciml.numerics.least_squares.LevenbergMarquardt`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sciml.checks import instance, number, real_tensor
from sciml.errors import DivergenceError, InputError
from sciml.numerics.step_control import SMALL_GAIN, StepControl
from sciml.status import Status

__all__ = ["BatchedLinearisation", "BatchedProblem", "BatchedReport", "BatchedSettings", "minimise"]


class BatchedLinearisation(Protocol):
    """Residuals r and their Jacobian J at one point, for some of the items.

    The cost is asked for at every step that is tried, the rest only where a step was accepted; compute it then.
    """

    @property
    def cost(self) -> Tensor:
        """Half the sum of squares, ``(items,)``."""

    @property
    def gradient(self) -> Tensor:
        """The gradient of half the sum of squares, ``J^T r``, of shape ``(items, unknowns)``."""

    @property
    def scale(self) -> Tensor:
        """The mean of the diagonal of ``J^T J``, ``(items,)``; dampings are multiples of it."""

    def step(self, damping: Tensor) -> Tensor:
        """Return the minima of ``|r + J d|^2 + damping |d|^2``, ``(items, unknowns)``.

        Parameters
        ----------
        damping : absolute, ``(items,)``
        """


class BatchedProblem(Protocol):
    """Nonlinear least-squares problems of one shape."""

    def linearise(self, w: Tensor, items: Tensor) -> BatchedLinearisation:
        """Return the linearisation of some items.

        Parameters
        ----------
        w : where, ``(chosen, unknowns)``
        items : which, ``(chosen,)``, in ascending order
        """


@dataclass(frozen=True)
class BatchedSettings(StepControl):
    """The settings of :class:`~sciml.numerics.step_control.StepControl`, and one for minima with a residual.

    Parameters
    ----------
    stationarity : cosine of the angle between the residuals and the span of the Jacobian at which an item has
        converged, ``|P r| / |r|`` with the projection ``P`` on that span; it does not depend on any scaling. Cosines
        below 1e-8 are lost in the rounding of the cost. 0 to leave the tolerance the only criterion
    """

    max_solves: int = 50
    patience: int = 20
    stationarity: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        number("stationarity of least squares", self.stationarity, at_least=0, below=1)


@dataclass(frozen=True, eq=False)
class BatchedReport:
    """The result of a minimisation, item by item.

    Attributes
    ----------
    w : the unknowns, ``(items, unknowns)``
    status : of each item, a :class:`~sciml.status.Status`: ``"converged"`` (tolerance or stationarity), ``"stalled"``,
        ``"limit"``, or ``"diverged"`` (derivatives that are not finite; the unknowns are the last before)
    iterations : linearisations of each item, each with one accepted step or a last one without, ``(items,)``
    cost : half the sum of squares, ``(items,)``
    gradient_norm : ``|J^T r|`` at the last linearisation, ``(items,)``
    damping : the last one, as a multiple of the mean diagonal of ``J^T J``, ``(items,)``
    history : the cost before the first solve and after each, ``(solves + 1, items)``
    """

    w: Tensor
    status: tuple[Status, ...]
    iterations: Tensor
    cost: Tensor
    gradient_norm: Tensor
    damping: Tensor
    history: Tensor

    @property
    def worst(self) -> Status:
        """The worst outcome of all items."""
        return Status.worst(self.status)

    def __str__(self) -> str:
        counts = Counter(self.status)
        outcomes = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
        return (
            f"{len(self.status)} items of {self.w.shape[1]} unknowns: {outcomes}; at most {int(self.iterations.max())} "
            f"solves, sums of squares at most {2 * float(self.cost.max()):.3e}, gradients at most "
            f"{float(self.gradient_norm.max()):.1e}"
        )


def minimise(
    problem: BatchedProblem, start: Tensor, *, settings: BatchedSettings | None = None, damping: Tensor | None = None
) -> BatchedReport:
    """Minimise the sum of squares of every item.

    Parameters
    ----------
    problem : residuals and their linearisations
    start : ``(items, unknowns)``, at least one of each, in float64: float32 resolves costs to 1e-7 only
    settings : of dampings and ends
    damping : the first one of each item, ``(items,)``, where an earlier iteration goes on with its ``report.damping``;
        that of the settings by default

    Raises
    ------
    InputError
        If the start is of another shape or type.
    DivergenceError
        If the residuals or the derivatives of items are not finite at the start; the sentence names them.
    """
    real_tensor("the start", start)
    settings = instance("settings", settings or BatchedSettings(), BatchedSettings, "BatchedSettings")
    if start.ndim != 2 or start.dtype != torch.float64 or not start.numel():
        raise InputError(
            f"the start has shape {tuple(start.shape)} and type {start.dtype}, expected one float64 vector for each "
            "item, (items, unknowns)."
        )
    with torch.no_grad():
        iteration = _Iteration(problem, start.detach(), settings or BatchedSettings())
        if damping is not None:
            iteration.damping.copy_(damping)
        return iteration.run()


class _Iteration:
    """The state of all items, and the indices of those still at work."""

    def __init__(self, problem: BatchedProblem, start: Tensor, settings: BatchedSettings) -> None:
        self.problem, self.settings = problem, settings
        items = len(start)
        self.w = start.clone()
        self.status = [Status.LIMIT] * items
        self.iterations = torch.zeros(items, dtype=torch.long, device=start.device)
        self.damping = start.new_full((items,), settings.damping)
        self.gradient_norm = start.new_zeros(items)
        self.small = torch.zeros_like(self.iterations)
        self.active = torch.arange(items, device=start.device)
        self.point: BatchedLinearisation | None = problem.linearise(self.w, self.active)
        self.cost = self.point.cost.clone()
        _refuse_infinite(self.cost, self.active, "residuals")
        self.history = [self.cost.clone()]

    def run(self) -> BatchedReport:
        """Iterate until no item is left, or the number of solves is reached."""
        self._leave(self._within_tolerance(), Status.CONVERGED)
        for solve in range(self.settings.max_solves):
            if not len(self.active):
                break
            scale = self.point.scale
            if not solve:
                _refuse_infinite(scale, self.active, "derivatives")
            if not bool(scale.isfinite().all()):
                self._leave(~scale.isfinite(), Status.DIVERGED)
                continue
            self._solve()
            self.history.append(self.cost.clone())
        return BatchedReport(
            self.w,
            tuple(self.status),
            self.iterations,
            self.cost,
            self.gradient_norm,
            self.damping,
            torch.stack(self.history),
        )

    def _solve(self) -> None:
        """Take one step of every item at work, and send away those that have ended."""
        active, last = self.active, self.cost[self.active]
        self.iterations[active] += 1
        self.gradient_norm[active] = self.point.gradient.norm(dim=1)
        stationary, moved = self._move()
        small = last - self.cost[active] < SMALL_GAIN * last
        self.small[active] = torch.where(small, self.small[active] + 1, 0)
        converged = stationary | self._within_tolerance()
        stalled = ~converged & (~moved | (self.small[active] >= self.settings.patience))
        for index in active[stalled].tolist():
            self.status[index] = Status.STALLED
        self._leave(converged, Status.CONVERGED, also=stalled)

    def _move(self) -> tuple[Tensor, Tensor]:
        """Take the first damping of each item, from its last one upwards, that descends.

        Returns
        -------
        stationary, moved : booleans, one for each item that was at work; the former have not moved
        """
        settings, active = self.settings, self.active
        stationary = torch.zeros_like(active, dtype=torch.bool)
        moved = torch.zeros_like(stationary)
        pending, here = torch.arange(len(active), device=active.device), self.point
        damping = self.damping[active]
        for trial in range(settings.trials):
            damping = damping.clamp(settings.smallest_damping, settings.largest_damping)
            step = here.step(damping * here.scale)
            items = active[pending]
            if not trial:
                stationary = self._is_stationary(step, damping)
            candidate = self.w[items] + step
            there = self.problem.linearise(candidate, items)
            better = (there.cost < self.cost[items]) & (here.scale > 0) & ~stationary[pending]
            self._accept(items[better], candidate[better], there.cost[better], damping[better])
            moved[pending[better]] = True
            if len(pending) == len(active) and bool(better.all()):
                self.point = there  # the common case: the next linearisation has been begun already
                return stationary, moved
            left = ~better & ~stationary[pending] & (damping < settings.largest_damping) & (here.scale > 0)
            if not bool(left.any()):
                break
            pending, damping = pending[left], damping[left] * settings.increase
            if not bool(left.all()):
                here = self.problem.linearise(self.w[active[pending]], active[pending])
        self.point = None
        return stationary, moved

    def _is_stationary(self, step: Tensor, damping: Tensor) -> Tensor:
        """Whether a step, hardly damped, shows that the residuals have no part in the span of the Jacobian."""
        gain = -(self.point.gradient * step).sum(1)  # |P r|^2, less what the damping takes
        reachable = gain <= 2 * self.settings.stationarity**2 * self.cost[self.active]
        return reachable & (damping <= self.settings.damping)

    def _accept(self, items: Tensor, w: Tensor, cost: Tensor, damping: Tensor) -> None:
        self.w[items], self.cost[items] = w, cost
        self.damping[items] = (damping / self.settings.decrease).clamp(min=self.settings.smallest_damping)

    def _within_tolerance(self) -> Tensor:
        return (2 * self.cost[self.active]).sqrt() <= self.settings.tolerance

    def _leave(self, done: Tensor, status: Status, also: Tensor | None = None) -> None:
        """Give those that are done their status, and go on with the others; ``also`` have theirs already."""
        for index in self.active[done].tolist():
            self.status[index] = status
        gone = done if also is None else done | also
        if bool(gone.any()):
            self.active, self.point = self.active[~gone], None
        if self.point is None and len(self.active):
            self.point = self.problem.linearise(self.w[self.active], self.active)


def _refuse_infinite(values: Tensor, items: Tensor, name: str) -> None:
    broken = items[~values.isfinite()].tolist()
    if broken:
        raise DivergenceError(
            f"the {name} of {len(broken)} of {len(items)} items, the first of them item {broken[0]}, are not finite "
            "at the start of least squares; check the data of these items."
        )
