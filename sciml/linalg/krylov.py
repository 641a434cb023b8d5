"""Flexible conjugate gradients that a bad preconditioner cannot break.

One loop serves every operator and every device; what differs is hidden in a small set of vector operations, `Vectors`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import scipy.sparse as sp

Status = Literal["converged", "fallback", "maxiter", "stagnated"]
Callback = Callable[[int, float], None]

# The preconditioner is dropped after this many useless directions, or if this many iterations do not halve the residual.
MAX_FALLBACKS = 3
TRIAL_ITERATIONS = 10
TRIAL_REDUCTION = 0.5
# The recursive residual drifts from the true one; restart if the true one is above the tolerance by more than this.
DRIFT = 1.05
MAX_RESTARTS = 20


class Vectors(Protocol):
    """The vectors x, r, p and q = A p of one solve, z = M r, and the few operations on them that the loop needs."""

    def start(self, x0: Any | None) -> float:
        """Set x = x0 (or 0) and r = b - A x; return |r|."""

    def precondition(self, norm: float) -> None:
        """Set z = M r; ``norm`` is |r|."""

    def jacobi(self) -> None:
        """Set z = D^-1 r."""

    def products(self) -> tuple[float, float]:
        """Return z . r and z . q."""

    def direction(self, beta: float) -> float:
        """Set p = z + beta p and q = A p; return p . q."""

    def step(self, alpha: float) -> float:
        """Set x += alpha p and r -= alpha q; return |r|."""

    def true_residual(self) -> float:
        """Set r = b - A x; return |r|."""


@dataclass
class KrylovResult:
    """How a solve went; ``history`` holds |r| / |b|, the start included, true residuals where they were computed."""

    status: Status
    iterations: int
    history: list[float] = field(default_factory=list)
    fallbacks: int = 0
    true_residual: float = math.inf


def flexible_conjugate_gradients(
    vectors: Vectors, tolerance: float, scale: float, *, maxiter: int, preconditioned: bool = True,
    callback: Callback | None = None,
) -> KrylovResult:
    """Solve A x = b, A symmetric positive semi-definite, to a true residual |b - A x| <= ``tolerance``.

    Equivalent to ``scipy.sparse.linalg.cg``. It differs in that

    1. beta is Polak and Ribiere's, z . (r - r_old) / z_old . r_old (Notay 2000, SIAM J. Sci. Comput. 22: flexible), so that
       M may be nonlinear or rounded to float32;
    2. a direction that is not finite, or with z . r <= 0, is replaced by D^-1 r, and after three of them, or if ten
       iterations do not halve the residual, Jacobi takes over for good: ``status`` is then ``"fallback"``;
    3. convergence is decided by the true residual, recomputed when the recursive one has arrived; if it has not arrived
       itself the iteration restarts from it, and gives up as ``"stagnated"`` when rounding lets it sink no further.

    Parameters
    ----------
    vectors : started vectors, see :class:`Vectors`
    tolerance : bound on the true residual norm
    scale : |b|, by which ``history`` is divided
    maxiter : most iterations
    preconditioned : False gives plain conjugate gradients (z = r is then what ``vectors.precondition`` sets)
    callback : called as callback(iteration, |r| / |b|)
    """
    norm = vectors.true_residual()
    result = KrylovResult("maxiter", 0, [norm / scale])
    first, trusted, restarts, best = norm, preconditioned, 0, norm
    previous = 0.0  # z . r of the last iteration; 0 asks for a new start
    while norm > tolerance or not math.isfinite(norm):
        if result.iterations == maxiter:
            break
        trusted, zr, zq = _next_direction(vectors, norm, trusted, preconditioned, result)
        alpha_last = result.__dict__.pop("_alpha", 0.0)
        beta = max(0.0, -alpha_last * zq / previous) if previous > 0.0 else 0.0
        curvature = vectors.direction(beta)
        if not curvature > 0.0:
            if previous == 0.0:  # not even the fresh direction has positive curvature: r is a null vector of A
                result.status = "stagnated"
                break
            previous = 0.0
            continue
        raise RuntimeError
    return result
