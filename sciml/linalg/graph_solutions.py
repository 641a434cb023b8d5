"""Solutions of the equations of a graph with bounds on their errors: corrections by factors, conjugate gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sciml.errors import DivergenceError
from sciml.linalg.error_bounds import CONTRACTION, Majorant, majorant, sharpened
from sciml.linalg.graph_equations import UNIT, GraphEquations, Sum, binary_scale

Correction = Callable[[Tensor], Tensor]
Reached = Callable[[Tensor, Tensor], Tensor]  # of the step and of what is left of the residual, by graph and head

SWEEPS = 6  # corrections by factors, or starts of conjugate gradients from the true residual; see CONTRACTION
RECURSIVE, TRUE, ROUNDING = 0.4, 0.5, 0.4  # shares of the tolerance that the parts of a bound may take up


@dataclass(frozen=True)
class GraphSolveInfo:
    """A report on a solve; the arrays have one entry for each graph, the largest of its heads.

    Attributes
    ----------
    method : its name
    iterations : of conjugate gradients, the largest number of all heads; for factors the corrections of x
    residual : the largest \\|r_i\\| / a_ii, relative to the largest \\|x\\|
    error_bound : a proven bound on the errors of x, relative to the largest \\|x\\|, rounding included
    rounding : the part of this bound that is due to rounding, of the residual and of x
    """

    method: str
    iterations: int
    residual: np.ndarray
    error_bound: np.ndarray
    rounding: np.ndarray

    def __repr__(self) -> str:
        rows = [("method", self.method), ("iterations", f"{self.iterations:,}"), ("graphs", f"{self.residual.size:,}")]
        for name in ("residual", "error_bound", "rounding"):
            rows.append((name.replace("_", " "), f"{getattr(self, name).max(initial=0.0):.2e}"))
        return "\n".join(["GraphSolveInfo, largest of all graphs", *(f"  {key:<16s}{text:>12s}" for key, text in rows)])


class Attempt(NamedTuple):
    """x and the number of iterations."""

    x: Sum
    iterations: int


class Prepared(ABC):
    """A method set up for the conductances of some equations, for any number of right-hand sides.

    Parameters
    ----------
    equations : what is to be solved
    correction : maps a residual, (n, H) and 0 at the pinned nodes, to A^-1 r or to an approximation of it
    """

    def __init__(self, equations: GraphEquations, correction: Correction) -> None:
        self.equations, self.correction = equations, correction

    @cached_property
    def majorant(self) -> Majorant:
        """The vector that bounds the errors of all solutions with these conductances."""
        return majorant(self.equations, self.nearly_inverse)

    @abstractmethod
    def attempt(self, x: Tensor, f: Tensor, rtol: float) -> Attempt:
        """Correct x, which is right at the pinned nodes, until its error is below rtol max |x| or stalls."""

    @abstractmethod
    def nearly_inverse(self, right: Tensor, left: Tensor) -> Tensor:
        """Return an approximation of A^-1 b, the residual of which is to be below ``left``, (n, H), at every node."""

    @abstractmethod
    def inverse_bound(self, right: Tensor, enough: Tensor) -> Tensor:
        """Return a bound on the entries of A^-1 b for b >= 0, sharper where it is not below ``enough`` at once."""


def solve_prepared(
    name: str, prepared: Prepared, values: Tensor, f: Tensor, rtol: float
) -> tuple[Tensor, GraphSolveInfo]:
    """Return x, (n, H), which is ``values`` at the pinned nodes, and how it was found.

    Raises
    ------
    DivergenceError
        The bound on the error is above rtol, or x is not finite.
    """
    equations = prepared.equations
    start, f = torch.where(equations.pinned, values, 0.0), torch.where(equations.pinned, 0.0, f)
    # A solution is linear in the two: scaled to size 1, so that no sum of squares over- or underflows.
    size = equations.at_nodes(binary_scale(equations.largest(torch.maximum(start.abs(), f.abs() / equations.diagonal))))
    start, f = start / size, f / size
    x, iterations = prepared.attempt(start, f, rtol)
    scale = equations.largest(x.high)
    scale = torch.where(scale > 0, scale, 1.0)
    residual = equations.residual(x, f).abs()
    rounding = prepared.inverse_bound(equations.residual_rounding(x, f), ROUNDING * rtol * scale)
    error = prepared.inverse_bound(residual, TRUE * rtol * scale) + rounding + equations.largest(x.low)
    rounding = rounding + UNIT * scale
    parts = (equations.largest(residual / equations.diagonal), error, rounding)
    info = GraphSolveInfo(name, iterations, *((part / scale).amax(1).cpu().numpy() for part in parts))
    missed = ~(info.error_bound <= rtol)
    if missed.any():
        raise DivergenceError(_missed(info, missed, rtol))
    return x.high * size, info


def _missed(info: GraphSolveInfo, missed: np.ndarray, rtol: float) -> str:
    worst = int(np.argmax(np.where(missed, np.nan_to_num(info.error_bound, nan=np.inf, posinf=np.inf), -1.0)))
    where = f" of graph {worst}" if info.error_bound.size > 1 else ""
    remedy = "raise rtol, or use another method"
    if info.rounding[worst] > ROUNDING * rtol:
        remedy = f"with these conductances rounding alone makes {info.rounding[worst]:.2g}; raise rtol above it"
    return (
        f"the relative error of the solution{where} by method={info.method!r} could only be bounded by "
        f"{info.error_bound[worst]:.2g} after {info.iterations} iterations, expected at most rtol={rtol:g}; "
        f"{remedy}."
    )


class Factored(Prepared):
    """Corrections by factors: the first is the solution but for rounding, the others mend what rounding did."""

    def attempt(self, x: Tensor, f: Tensor, rtol: float) -> Attempt:
        """Correct x until a correction is below the last digit or no longer shrinks."""
        equations, total = self.equations, Sum(x, torch.zeros_like(x))
        before = torch.full_like(equations.largest(x), torch.inf)
        for sweep in range(SWEEPS):
            step = self.correction(equations.residual(total, f))
            size = equations.largest(step)
            shrinks = size < CONTRACTION * before
            total = total.plus(torch.where(equations.at_nodes(shrinks), step, 0.0))
            if sweep and bool(((size <= UNIT * equations.largest(total.high)) | ~shrinks).all()):
                break
            before = torch.where(shrinks, size, 0.0)
        return Attempt(total, sweep + 1)

    def nearly_inverse(self, right: Tensor, left: Tensor) -> Tensor:
        """Return what the factors make of b."""
        return self.correction(right)

    def inverse_bound(self, right: Tensor, enough: Tensor) -> Tensor:
        """Return the bound about the solution by factors."""
        return sharpened(self.equations, self.majorant, right, self.correction(right))


class Iterated(Prepared):
    """Conjugate gradients with a correction as preconditioner, for each graph and head by itself.

    Parameters
    ----------
    equations, correction : as for all; the correction may vary a little, as in single precision
    product : x to A x, both 0 at the pinned nodes
    maxiter : the largest number of iterations of a solve
    """

    def __init__(
        self,
        equations: GraphEquations,
        correction: Correction,
        product: Callable[[Tensor], Tensor],
        maxiter: int = 10_000,
    ) -> None:
        super().__init__(equations, correction)
        self.product, self.maxiter = product, maxiter

    def attempt(self, x: Tensor, f: Tensor, rtol: float) -> Attempt:
        """Iterate until the bound holds, and start again from the true residual while that brings it down."""
        equations, known, total = self.equations, self.majorant, Sum(x, torch.zeros_like(x))
        iterations, before = 0, torch.inf
        for _ in range(SWEEPS):
            here = total.high

            def reached(step: Tensor, left: Tensor, here: Tensor = here) -> Tensor:
                return known.of(equations, left.abs()) <= RECURSIVE * rtol * equations.largest(here + step)

            step, count = self._iterate(equations.residual(total, f), reached, self.maxiter - iterations)
            total, iterations = total.plus(step), iterations + count
            bound = known.of(equations, equations.residual(total, f).abs())
            missed = bound > TRUE * rtol * equations.largest(total.high)
            if iterations >= self.maxiter or not bool((missed & (bound < CONTRACTION * before)).any()):
                break
            before = bound
        return Attempt(total, iterations)

    def nearly_inverse(self, right: Tensor, left: Tensor) -> Tensor:
        """Return the solution that conjugate gradients find."""
        equations = self.equations
        return self._iterate(right, lambda _, r: equations.largest(r / left) <= 1.0, self.maxiter)[0]

    def inverse_bound(self, right: Tensor, enough: Tensor) -> Tensor:
        """Return the bound by the majorant, or where that is too coarse, the bound about an approximate solution."""
        equations, known = self.equations, self.majorant
        plain = known.of(equations, right)
        if bool((plain <= enough).all()):
            return plain

        def reached(step: Tensor, left: Tensor) -> Tensor:
            return known.of(equations, left.abs()) <= 0.5 * equations.largest(step)

        return sharpened(equations, known, right, self._iterate(right, reached, self.maxiter)[0])

    def _iterate(self, r: Tensor, reached: Reached, maxiter: int) -> tuple[Tensor, int]:
        """Return an approximation of A^-1 r and the iterations; what has reached its goal is left as it is."""
        equations = self.equations
        total, iterations = torch.zeros_like(r), 0
        z = self.correction(r)
        p, zr = z, equations.sums(z * r)
        active = (zr > 0) & ~reached(total, r)
        while iterations < maxiter and bool(active.any()):
            q = self.product(p)
            alpha = _quotient(torch.where(active, zr, 0.0), equations.sums(p * q))
            each = equations.at_nodes(alpha)
            total, r = total + each * p, r - each * q
            iterations += 1
            active = active & (alpha > 0) & ~reached(total, r)
            if not bool(active.any()):
                break
            z = self.correction(torch.where(equations.at_nodes(active), r, 0.0))
            # Polak and Ribiere's beta, for corrections that vary: z.(r - r_old) = -alpha z.q
            beta = _quotient((-alpha * equations.sums(z * q)).clamp(min=0.0), zr)
            zr = equations.sums(z * r)
            active = active & (zr > 0)
            p = z + equations.at_nodes(beta) * p
        return total, iterations


def _quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return a quotient of sums, 0 for the graphs that have converged altogether."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)
