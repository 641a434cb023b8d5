"""Nonlinear least squares by the Levenberg-Marquardt method, with a dense Jacobian, for small networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from sciml.errors import InputError

ROWS_AT_ONCE = 256  # of the Jacobian; bounds the memory of the batched backward pass
SMALLEST_DAMPING, LARGEST_DAMPING = 1e-15, 1e15  # times the initial scale
TRIALS = 12  # dampings that one step tries before it gives up


class LevenbergMarquardt(torch.optim.Optimizer):
    """Minimise ``|r(w)|^2 / 2``: each step solves ``(J^T J + damping I) d = -J^T r`` and is taken only if it descends.

    The damping follows the ratio of actual to predicted decrease (Nielsen's rule). The linear algebra is in float64
    whatever the weights are, because the normal equations square the condition number.
    Equivalent to ``scipy.optimize.least_squares(method="lm")`` on small problems.

    Parameters
    ----------
    parameters : the weights, one group
    damping : initial damping as a fraction of the largest diagonal entry of ``J^T J``

    References
    ----------
    Madsen, Nielsen, Tingleff, "Methods for non-linear least squares problems", 2nd ed., 2004, algorithm 3.16.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], damping: float = 1e-3) -> None:
        if not damping > 0:
            raise InputError(f"the damping is {damping!r}, expected a number greater than 0.")
        super().__init__(parameters, {"damping": damping})
        if len(self.param_groups) != 1:
            raise InputError(f"there are {len(self.param_groups)} groups of parameters, expected one.")

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor], *, residuals: Callable[[], Tensor]) -> Tensor:
        """Take one step.

        Parameters
        ----------
        closure : evaluates the loss, which is only reported
        residuals : evaluates ``r`` at the present weights, any shape, differentiable

        Returns
        -------
        Tensor
            What the closure returned: the loss before the step.
        """
        with torch.enable_grad():
            loss = closure()
        weights = self.param_groups[0]["params"]
        residual, jacobian = self._linearise(residuals)
        gradient, normal = jacobian.T @ residual, jacobian.T @ jacobian
        state = self.state[weights[0]]
        scale = float(normal.diagonal().max())
        if not scale > 0 or not bool(torch.isfinite(gradient).all()):
            return loss
        damping = state.get("damping", self.param_groups[0]["damping"] * scale)
        growth = 2.0
        before = torch.cat([weight.flatten() for weight in weights])
        for _ in range(TRIALS):
            damping = min(max(damping, SMALLEST_DAMPING * scale), LARGEST_DAMPING * scale)
            change = _solve(normal, gradient, damping)
            predicted = float(change @ (damping * change - gradient)) / 2
            self._assign(before + change.to(before.dtype))
            decrease = float(residual.square().sum() - self._evaluate(residuals).square().sum()) / 2
            if decrease > 0 and predicted > 0:
                damping *= max(1 / 3, 1 - (2 * decrease / predicted - 1) ** 3)
                break
            damping, growth = damping * growth, growth * 2
        else:
            self._assign(before)
        state["damping"] = damping
        return loss

    def _evaluate(self, residuals: Callable[[], Tensor]) -> Tensor:
        with torch.enable_grad():  # residuals may contain derivatives
            return residuals().detach().flatten().double()

    def _linearise(self, residuals: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Residuals ``(n,)`` and Jacobian ``(n, weights)``, both in float64."""
        weights = self.param_groups[0]["params"]
        with torch.enable_grad():
            residual = residuals().flatten()
            rows = []
            for seeds in torch.eye(len(residual), dtype=residual.dtype, device=residual.device).split(ROWS_AT_ONCE):
                columns = torch.autograd.grad(
                    residual,
                    weights,
                    seeds,
                    retain_graph=True,
                    is_grads_batched=True,
                    allow_unused=True,
                    materialize_grads=True,
                )
                rows.append(torch.cat([column.flatten(1) for column in columns], 1).double())
        return residual.detach().double(), torch.cat(rows)

    def _assign(self, values: Tensor) -> None:
        start = 0
        for weight in self.param_groups[0]["params"]:
            weight.copy_(values[start : start + weight.numel()].view_as(weight))
            start += weight.numel()


def _solve(normal: Tensor, gradient: Tensor, damping: float) -> Tensor:
    """Return ``-(normal + damping I)^-1 gradient``; nan where the sum is not positive definite in floating point."""
    damped = normal.clone()
    damped.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(damped)
    if int(failed):
        return torch.full_like(gradient, torch.nan)
    return -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
