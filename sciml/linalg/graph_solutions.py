"""Solutions of the equations of a graph, with estimated errors: corrections by factors, and conjugate gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sciml.errors import DivergenceError
from sciml.linalg.error_estimates import remaining_steps
from sciml.linalg.graph_equations import UNIT, GraphEquations

Correction = Callable[[Tensor], Tensor]

SWEEPS = 6  # corrections by factors, or starts of conjugate gradients from the true residual
CONTRACTION = 0.5  # a correction by factors that shrinks less than this is rounding
SAFETY = 2.0  # on the estimate for conjugate gradients, half the true error to ten times it
FACTORED_SAFETY = 10.0  # on that for factors, of which two or three corrections tell less


@dataclass(frozen=True)
class GraphSolveInfo:
    """A report on a solve; the arrays have one entry for each graph, the largest of its heads.

    Attributes
    ----------
    method : its name
    iterations : of conjugate gradients, the largest number of all heads; for factors the corrections of x
    residual : the largest \\|r_i\\| / a_ii, relative to the largest \\|x\\|
    error_estimate : the estimated largest error of x, relative to the largest \\|x\\|, rounding included
    rounding : the part of it that no further iteration removes: a bound, from A^-1 >= 0
    """

    method: str
    iterations: int
    residual: np.ndarray
    error_estimate: np.ndarray
    rounding: np.ndarray


class Attempt(NamedTuple):
    """x, the iterations, and the estimated error without rounding, by graph and head."""

    x: Tensor
    iterations: int
    error: Tensor


class Prepared(ABC):
    """A method set up for the conductances of some equations, for any number of right-hand sides.

    Parameters
    ----------
    equations : what is to be solved
    correction : maps a residual, (n, H) and 0 at the pinned nodes, to A^-1 r or to an approximation of it
    """

    def __init__(self, equations: GraphEquations, correction: Correction) -> None:
        self.equations, self.correction = equations, correction

    @abstractmethod
    def attempt(self, x: Tensor, f: Tensor, rtol: float) -> Attempt:
        """Correct x, which is right at the pinned nodes, until the estimated error is below rtol max |x| or stalls."""

    def rounding_in_x(self, residual: Tensor) -> Tensor:
        """Return (an approximation of) A^-1 r for errors r >= 0 of the residual."""
        return self.correction(residual)


def solve_prepared(
    name: str, prepared: Prepared, values: Tensor, f: Tensor, rtol: float
) -> tuple[Tensor, GraphSolveInfo]:
    """Return x, (n, H), which is ``values`` at the pinned nodes, and how it was found.

    Raises
    ------
    DivergenceError
        The estimated error is above rtol, or x is not finite.
    """
    equations = prepared.equations
    start, f = torch.where(equations.pinned, values, 0.0), torch.where(equations.pinned, 0.0, f)
    x, iterations, error = prepared.attempt(start, f, rtol)
    rounding = prepared.rounding_in_x(equations.residual_rounding(x, f)).abs() + UNIT * x.abs()
    scale = equations.largest(x)
    scale = torch.where(scale > 0, scale, 1.0)
    forbidden = equations.largest(rounding) / scale
    residual = equations.largest(equations.residual(x, f) / equations.diagonal) / scale
    parts = [each.amax(1).cpu().numpy() for each in (residual, error / scale + forbidden, forbidden)]
    info = GraphSolveInfo(name, iterations, *parts)
    missed = ~(info.error_estimate <= rtol)
    if missed.any():
        raise DivergenceError(_missed(info, missed, rtol))
    return x, info


def _missed(info: GraphSolveInfo, missed: np.ndarray, rtol: float) -> str:
    worst = int(np.argmax(np.where(missed, np.nan_to_num(info.error_estimate, nan=np.inf, posinf=np.inf), -1.0)))
    where = f" of graph {worst}" if info.error_estimate.size > 1 else ""
    remedy = "raise rtol, or use another method"
    if info.rounding[worst] > rtol:
        remedy = f"with these conductances rounding alone makes {info.rounding[worst]:.2g}; raise rtol above it"
    return (
        f"the solution{where} by method={info.method!r} has the estimated relative error "
        f"{info.error_estimate[worst]:.2g} after {info.iterations} iterations, expected at most rtol={rtol:g}; "
        f"{remedy}."
    )


class Factored(Prepared):
    """Corrections by factors: the first is the solution but for rounding, the second shows what rounding did."""

    def attempt(self, x: Tensor, f: Tensor, rtol: float) -> Attempt:
        """Correct x until a correction is small or no longer shrinks."""
        equations = self.equations
        before = torch.full_like(equations.largest(x), torch.inf)
        for sweep in range(SWEEPS):
            step = self.correction(equations.residual(x, f))
            x, size = x + step, equations.largest(step)
            shrinks = size < CONTRACTION * before
            # The steps to come, if they shrink as the last one did.
            rate = size / before
            error = torch.where(shrinks, (FACTORED_SAFETY * size * rate / (1.0 - rate)).clamp(max=size), size)
            small = error <= 0.1 * rtol * equations.largest(x)
            if sweep and bool((small | ~shrinks).all()):
                break
            before = size
        return Attempt(x, sweep + 1, torch.where(size == 0.0, 0.0, error))


class Iterated(Prepared):
    """Conjugate gradients with a correction as preconditioner, for each graph and head by itself.

    Parameters
    ----------
    equations, correction : as for all; the correction may vary a little, as in single precision
    product : x to A x, both 0 at the pinned nodes
    maxiter : the largest number of iterations
    spectral : whether the correction is within a small factor of A^-1, so that it can tell what rounding does to x
    """

    def __init__(
        self,
        equations: GraphEquations,
        correction: Correction,
        product: Callable[[Tensor], Tensor],
        maxiter: int = 10_000,
        *,
        spectral: bool = True,
    ) -> None:
        super().__init__(equations, correction)
        self.product, self.maxiter, self.spectral = product, maxiter, spectral

    def attempt(self, x: Tensor, f: Tensor, rtol: float) -> Attempt:
        """Iterate, and start again from the true residual while the two residuals differ by too much."""
        equations, iterations = self.equations, 0
        for _ in range(SWEEPS):
            step, drift, count, error = self._iterate(x, equations.residual(x, f), rtol, self.maxiter - iterations)
            x, iterations = x + step, iterations + count
            lost = equations.residual(x, f) - drift
            error = error + equations.largest(self.rounding_in_x(lost.abs()))
            if iterations >= self.maxiter or bool((error <= rtol * equations.largest(x)).all()):
                break
        return Attempt(x, iterations, error)

    def rounding_in_x(self, residual: Tensor) -> Tensor:
        """Return the correction, or where that is too far from A^-1 r, the solution to a tenth."""
        if self.spectral:
            return self.correction(residual)
        return self._iterate(torch.zeros_like(residual), residual, 0.1, self.maxiter)[0]

    def _iterate(self, x: Tensor, r: Tensor, rtol: float, maxiter: int) -> tuple[Tensor, Tensor, int, Tensor]:
        """Return the correction of x for the residual r, the recursive residual, the iterations and the error."""
        equations = self.equations
        total, sizes, iterations = torch.zeros_like(r), [], 0
        z = self.correction(r)
        p, zr = z, equations.sums(z * r)
        error = equations.largest(z)
        while iterations < maxiter and bool((zr > 0).any()):
            q = self.product(p)
            alpha = _quotient(zr, equations.sums(p * q))
            step = equations.at_nodes(alpha) * p
            total = total + step
            r = r - equations.at_nodes(alpha) * q
            iterations += 1
            sizes.append(equations.largest(step).cpu().numpy())
            error, scale = self._error(sizes, x + total)
            if bool((error <= 0.5 * rtol * scale).all()):
                break
            z = self.correction(r)
            # Polak and Ribiere's beta, for corrections that vary: z.(r - r_old) = -alpha z.q
            beta = _quotient((-alpha * equations.sums(z * q)).clamp(min=0.0), zr)
            zr = equations.sums(z * r)
            p = z + equations.at_nodes(beta) * p
        else:
            # Where the residual has no component along its correction, the correction is blind for what is left.
            error = torch.where((zr <= 0) & (equations.largest(r) > 0), torch.inf, error)
        return total, r, iterations, error

    def _error(self, sizes: list[np.ndarray], x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the estimated error of x after steps of these sizes, and the largest |x|; they may be rounding."""
        scale, last = self.equations.largest(x), torch.from_numpy(sizes[-1]).to(x.device)
        estimate = torch.from_numpy(remaining_steps(sizes)).to(x.device)
        return SAFETY * torch.where(last <= 2 * UNIT * scale, last, estimate), scale


def _quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return a quotient of sums, 0 for the graphs that have converged altogether."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)
