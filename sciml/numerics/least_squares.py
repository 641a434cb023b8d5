"""Nonlinear least squares for networks: the Levenberg-Marquardt method on groups of residuals.

>>> groups = [Residuals("fit", lambda w, x, y: w[0] * torch.exp(w[1] * x) - y, (x, y))]           # doctest: +SKIP
>>> result = LevenbergMarquardt(tolerance=1e-10).minimise(groups, start)                          # doctest: +SKIP

Problem (:class:`~sciml.numerics.linearisation.Residuals`), algorithm (:class:`LevenbergMarquardt`) and answer
(:class:`LeastSquaresResult`) are three things. :mod:`sciml.numerics.damped_steps` says how a step is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import whole_number
from sciml.errors import DivergenceError, InputError
from sciml.numerics.damped_steps import (
    BLOCK,
    DampedSteps,
    DualEquations,
    MatrixFree,
    Method,
    NormalEquations,
    RandomBlock,
    choose,
)
from sciml.numerics.linearisation import Residuals, ResidualSystem, System
from sciml.numerics.step_control import SMALL_GAIN, StepControl
from sciml.status import Status

__all__ = ["LeastSquaresResult", "LevenbergMarquardt", "Residuals"]

SMALLEST_TOLERANCE = {torch.float32: 1e-5, torch.float64: 0.0}
Callback = Callable[[int, float], None]


@dataclass(frozen=True)
class LeastSquaresResult:
    """The result of a minimisation: parameters, status, history of the loss and the last linearisation.

    Attributes
    ----------
    value : the parameters, ``(p,)``
    status : :class:`~sciml.status.Status`: ``"converged"`` (the root mean square is below the tolerance), ``"stalled"``
        (no step descends, or several gained little), ``"limit"`` (of the number of solves), or ``"diverged"``
        (derivatives that are not finite; at the start :meth:`LevenbergMarquardt.minimise` raises instead)
    history : the loss before the first solve and after each
    damping : the last one, as a multiple of the mean diagonal of ``J^T J``
    gradient_norm : ``|J^T r|`` at the last linearisation
    method : how the steps were computed
    residuals : their number
    """

    value: Tensor
    status: Status
    history: tuple[float, ...]
    damping: float
    gradient_norm: float
    method: str
    residuals: int
    _gram: Tensor | None = field(default=None, repr=False)

    @property
    def cost(self) -> float:
        """The loss at the end: the sum over the groups of the weighted mean square."""
        return self.history[-1]

    @property
    def rms(self) -> float:
        """Square root of the loss."""
        return self.cost**0.5

    @property
    def solves(self) -> int:
        """The number of linearisations, each with one solve."""
        return len(self.history) - 1

    @cached_property
    def rank(self) -> int | None:
        """Numerical rank of the last Jacobian: eigenvalues of ``J^T J`` above rounding; None if there is none."""
        if self._gram is None or not bool(self._gram.isfinite().all()):
            return None
        values = torch.linalg.eigvalsh(self._gram)
        return int((values > len(values) * torch.finfo(values.dtype).eps * values[-1]).sum())

    def __str__(self) -> str:
        return (
            f"{self.status} after {self.solves} solves ({self.method}): root mean square {self.rms:.3e}, gradient "
            f"{self.gradient_norm:.1e}, damping {self.damping:.0e}, {self.residuals} residuals of {len(self.value)} "
            "parameters"
        )


@dataclass(frozen=True)
class LevenbergMarquardt(StepControl):
    """Minimise a sum of squares: ``(J^T J + damping * scale * I) d = -J^T r``, taken if the sum falls.

    ``scale`` is the mean of the diagonal of ``J^T J``. :class:`~sciml.numerics.step_control.StepControl` has the rule
    of the damping, and says when it ends.
    Equivalent to ``scipy.optimize.least_squares(method="lm")`` on small problems.

    Parameters
    ----------
    tolerance, max_solves, damping, smallest_damping, largest_damping, decrease, increase, trials, patience : as those
        of ``StepControl``; the tolerance is of the root mean square, the square root of the loss
    method : ``"auto"`` or one of :mod:`sciml.numerics.damped_steps`
    memory : bytes that the Jacobian may take
    block : parameters that the method ``"block"`` moves at once
    """

    method: Method = "auto"
    memory: int = 1 << 30
    block: int = BLOCK

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("memory", "block"):
            whole_number(f"{name} of least squares", getattr(self, name), at_least=1)
        choose(self.method, 2, 2, self.memory)

    def minimise(
        self,
        groups: Sequence[Residuals],
        start: Tensor,
        *,
        generator: torch.Generator | None = None,
        callback: Callback | None = None,
    ) -> LeastSquaresResult:
        """Minimise the sum over the groups of ``weight * mean |residual|^2``.

        Parameters
        ----------
        groups : of residuals, at least one
        start : ``(p,)``; float64, because float32 resolves root mean squares of about 1e-5 only
        generator : of the random blocks of the method ``"block"``; a fixed seed by default
        callback : called with the number of the solve and the root mean square after each

        Raises
        ------
        InputError
            If a tolerance is below what the precision of ``start`` resolves.
        DivergenceError
            If a residual or a derivative at the start is not finite; the sentence names its group.
        """
        if start.ndim != 1 or not start.is_floating_point():
            raise InputError(
                f"the start has shape {tuple(start.shape)} and type {start.dtype}, expected a real vector."
            )
        if self.tolerance < SMALLEST_TOLERANCE.get(start.dtype, 1e-2):
            raise InputError(
                f"the tolerance {self.tolerance:g} is below what {str(start.dtype).removeprefix('torch.')} resolves, "
                f"about {SMALLEST_TOLERANCE.get(start.dtype, 1e-2):g}; compute in float64, or choose a larger one."
            )
        system = ResidualSystem(groups, len(start))
        result = self.minimise_system(system, start.detach(), generator=generator, callback=callback)
        if result.status == Status.DIVERGED and not result.solves:
            raise DivergenceError(_what_is_not_finite(system, start.detach()))
        return result

    def minimise_system(
        self,
        system: System,
        start: Tensor,
        *,
        generator: torch.Generator | None = None,
        callback: Callback | None = None,
    ) -> LeastSquaresResult:
        """Minimise the sum of squares of a system; if it is no longer finite, return the last finite value."""
        residual = system.residual(start).double()
        state = _State(start, residual, float(residual.square().sum()), self.damping)
        history, small, steps, status = [state.cost], 0, None, Status.LIMIT
        method = choose(self.method, len(residual), system.columns, self.memory, self.block)
        blocks = method == "block"
        # A random block may have nothing to gain where another has: there, patience counts rounds through all of them.
        patience = self.patience * (-(-system.columns // self.block) if blocks else 1)
        generator = generator or torch.Generator(device=start.device).manual_seed(0)
        for solve in range(self.max_solves):
            if state.cost**0.5 <= self.tolerance:
                status = Status.CONVERGED
                break
            if not state.cost < float("inf"):
                status = Status.DIVERGED
                break
            steps = self._linearise(method, system, state, generator)
            if not steps.scale < float("inf"):
                status = Status.DIVERGED
                break
            last, moved = state.cost, self._move(system, state, steps)
            history.append(last if moved is None else moved.cost)
            if moved is None and not blocks:
                status = Status.STALLED
                break
            state = moved or state
            if callback is not None:
                callback(solve + 1, state.cost**0.5)
            small = small + 1 if last - state.cost < SMALL_GAIN * last else 0
            if small >= patience and state.cost**0.5 > self.tolerance:
                status = Status.STALLED
                break
        else:
            status = Status.CONVERGED if state.cost**0.5 <= self.tolerance else Status.LIMIT
        gradient = float(steps.gradient.norm()) if steps is not None else 0.0
        gram = None if steps is None else steps.gram
        return LeastSquaresResult(
            state.parameters, status, tuple(history), state.damping, gradient, method, len(residual), gram
        )

    def _linearise(self, method: Method, system: System, state: _State, generator: torch.Generator) -> DampedSteps:
        arguments = (system, state.parameters, state.residual)
        if method == "normal":
            return NormalEquations(*arguments, self.memory)
        if method == "dual":
            return DualEquations(*arguments)
        if method == "block":
            return RandomBlock(*arguments, self.block, generator, self.memory)
        return MatrixFree(*arguments, iterations=200, rtol=1e-4)

    def _move(self, system: System, state: _State, steps: DampedSteps) -> _State | None:
        """Return the state after the first damping, from the last one upwards, that descends; None if none does."""
        damping = state.damping
        if not steps.scale > 0:
            return None
        for _ in range(self.trials):
            damping = min(max(damping, self.smallest_damping), self.largest_damping)
            step = steps.step(damping * steps.scale)
            if bool(step.isfinite().all()):
                parameters = state.parameters + step.to(state.parameters.dtype)
                residual = system.residual(parameters).double()
                cost = float(residual.square().sum())
                if cost < state.cost:
                    return _State(parameters, residual, cost, max(damping / self.decrease, self.smallest_damping))
            if damping >= self.largest_damping:
                break
            damping *= self.increase
        return None


def _what_is_not_finite(system: ResidualSystem, start: Tensor) -> str:
    broken = [name for name, loss in system.losses(start).items() if not loss < float("inf")]
    if broken:
        return f"the residuals {', '.join(broken)} are not finite at the start of least squares; check the data."
    for group in system.groups:
        chunks = ResidualSystem([group], system.columns).jacobian_chunks(start)
        if not all(bool(chunk.isfinite().all()) for chunk in chunks):
            broken.append(group.name)
    return (
        f"the derivatives of the residuals {', '.join(broken)} are not finite at the start of least squares; look for "
        "square roots and norms of 0, or start elsewhere."
    )


@dataclass(frozen=True)
class _State:
    """The state of the iteration between two linearisations."""

    parameters: Tensor
    residual: Tensor
    cost: float
    damping: float
