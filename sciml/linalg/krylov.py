"""Flexible conjugate gradients with a safeguard against preconditioners that are not positive or not useful.

One loop serves every operator and every device; what differs is hidden in a small set of vector operations, `Vectors`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from sciml.errors import DivergenceError
from sciml.status import Status

Callback = Callable[[int, float], None]

# The preconditioner is dropped for good after this many useless directions.
MAX_FALLBACKS = 3
# After this many iterations, and after 2, 4, 8, ... times as many, a residual above this share of the last one looked
# at puts the preconditioner on trial. The residual alone does not decide: in mazes it stays high while the error falls.
TRIAL_ITERATIONS = 10
TRIAL_REDUCTION = 0.5
# One iteration has to lower the energy of the error this many times as much as one step along D^-1 r does.
TRIAL_GAIN = 4.0
# A restart from the true residual has to lower it at least to this share, or rounding has had the last word.
RESTART_REDUCTION = 0.5


class Vectors(Protocol):
    """The vectors x, r, p and q = A p of one solve, z = M r, and the few operations on them that the loop needs."""

    def residual(self) -> float:
        """Set r = b - A x; return |r|."""

    def precondition(self, norm: float) -> None:
        """Set z = M r, up to a positive factor; ``norm`` is |r|."""

    def jacobi(self) -> None:
        """Set z = D^-1 r."""

    def products(self) -> tuple[float, float]:
        """Return z . r and z . q."""

    def direction(self, beta: float) -> float:
        """Set p = z + beta p (p = z for beta = 0) and q = A p; return p . q."""

    def step(self, alpha: float) -> float:
        """Set x += alpha p and r -= alpha q; return |r|."""


@dataclass
class KrylovResult:
    """The outcome of a solve; ``history`` holds |r| / |b|, the initial one included.

    ``dropped`` is the number of iterations after which the preconditioner or the network was given up, None where it
    was not.
    """

    status: Status
    iterations: int
    history: list[float] = field(default_factory=list)
    fallbacks: int = 0
    true_residual: float = math.inf
    dropped: int | None = None


@dataclass
class _Trial:
    """A watch on whether the preconditioner is worth its cost; ``gain`` is the energy that it took off the error."""

    norm: float
    next: int = TRIAL_ITERATIONS
    start: int = 0
    gain: float = 0.0

    def due(self, iterations: int, norm: float) -> bool:
        """Return whether the residual has stalled for long enough to compare with a Jacobi step."""
        if iterations < self.next:
            return False
        stalled = norm > TRIAL_REDUCTION * self.norm
        if not stalled:
            self._restart(iterations, norm)
        return stalled

    def passed(self, iterations: int, norm: float, jacobi_gain: float) -> bool:
        """Return whether the iterations since the last look took more energy off the error than a Jacobi step does."""
        mean = self.gain / (iterations - self.start)
        self._restart(iterations, norm)
        return mean > TRIAL_GAIN * jacobi_gain

    def _restart(self, iterations: int, norm: float) -> None:
        self.norm, self.start, self.next, self.gain = norm, iterations, 2 * iterations, 0.0


def flexible_conjugate_gradients(
    vectors: Vectors,
    tolerance: float,
    scale: float,
    *,
    maxiter: int,
    callback: Callback | None = None,
    guarded: bool = True,
) -> KrylovResult:
    """Solve A x = b, A symmetric positive semi-definite, to a true residual |b - A x| <= ``tolerance``.

    Equivalent to ``scipy.sparse.linalg.cg``. It differs in that

    1. beta = z . (r - r_old) / (z_old . r_old), Polak and Ribiere's, cut off at 0, so that M may be rounded to float32
       or be nonlinear (Notay 2000, SIAM J. Sci. Comput. 22, "Flexible conjugate gradients");
    2. a direction z that is not finite, has z . r <= 0 or no finite curvature, is replaced by D^-1 r; after three of
       them, or when the residual stalls and D^-1 r is the better direction, Jacobi takes over for good and ``status``
       is ``"fallback"``;
    3. the true residual decides: when the recursive one has arrived it is recomputed, and if it has not arrived itself
       the iteration restarts from it, until rounding errors keep it from decreasing any further: ``status`` is then
       ``"stagnated"``.

    Parameters
    ----------
    vectors : x holds the initial guess
    tolerance : bound on the true residual norm
    scale : |b|, by which ``history`` is divided
    maxiter : the largest number of iterations
    callback : called as callback(iteration, |r| / |b|)
    guarded : False for plain conjugate gradients, where there is no preconditioner to distrust

    Raises
    ------
    DivergenceError
        The residual became infinite or not a number.
    """
    norm = best = vectors.residual()
    result = KrylovResult(Status.MAXITER, 0, [norm / scale], true_residual=norm / scale)
    trial = _Trial(norm)
    trusted = fresh = own_old = True
    alpha = zr_old = 0.0
    while True:
        if norm <= tolerance:
            norm = vectors.residual()
            if norm <= tolerance:
                result.status = Status.CONVERGED if trusted else Status.FALLBACK
                break
            if norm > RESTART_REDUCTION * best:
                result.status = Status.STAGNATED
                break
            best, fresh = norm, True
        if result.iterations == maxiter:
            norm = vectors.residual()
            break
        on_trial = guarded and trusted and trial.due(result.iterations, norm)
        zr, zq, own = _precondition(vectors, norm, trusted and not on_trial, result)
        # Conjugacy to a direction of the other preconditioner would spoil all that follow.
        beta = 0.0 if fresh or own != own_old else max(0.0, -alpha * zq / zr_old)
        curvature = vectors.direction(beta)
        if guarded and own and not 0.0 < curvature < math.inf:
            own, zr, curvature = False, *_jacobi_direction(vectors, result)
        if on_trial and curvature > 0.0:
            trusted = trial.passed(result.iterations, norm, zr * (zr / curvature))
        trusted = trusted and result.fallbacks < MAX_FALLBACKS
        if not trusted and result.dropped is None:
            result.dropped = result.iterations
        if not curvature > 0.0:
            # The fresh direction has no curvature either: r lies in the null space of A, as far as rounding can tell.
            result.status = Status.STAGNATED
            break
        alpha, zr_old, own_old, fresh = zr / curvature, zr, own, False
        norm = vectors.step(alpha)
        if not math.isfinite(norm):
            raise DivergenceError(f"the residual became {norm} in iteration {result.iterations + 1}; scale the system.")
        trial.gain += alpha * zr
        result.iterations += 1
        result.history.append(norm / scale)
        if callback is not None:
            callback(result.iterations, norm / scale)
    result.true_residual = norm / scale
    return result


def _precondition(vectors: Vectors, norm: float, trusted: bool, result: KrylovResult) -> tuple[float, float, bool]:
    """Set z; return z . r, z . q and whether z is M r rather than D^-1 r."""
    if trusted:
        vectors.precondition(norm)
        zr, zq = vectors.products()
        if math.isfinite(zr) and math.isfinite(zq) and zr > 0.0:
            return zr, zq, True
        result.fallbacks += 1
    vectors.jacobi()
    return *vectors.products(), False


def _jacobi_direction(vectors: Vectors, result: KrylovResult) -> tuple[float, float]:
    """Set p = D^-1 r instead of a direction without finite curvature; return z . r and p . A p."""
    result.fallbacks += 1
    vectors.jacobi()
    zr, _ = vectors.products()
    return zr, vectors.direction(0.0)


def norm(values: np.ndarray) -> float:
    """Return the Euclidean norm without the threads of a BLAS, which on a busy machine cost more than the sum."""
    flat = values.reshape(-1)
    return math.sqrt(np.einsum("i,i", flat, flat))


class MatrixVectors:
    """Vector operations for a SciPy sparse matrix, or any operator with ``@`` and a diagonal.

    Parameters
    ----------
    matrix : symmetric positive semi-definite, shape (n, n)
    diagonal : its diagonal, shape (n,); zeros are left alone by Jacobi
    b, x : right-hand side and initial guess, shape (n,); x is updated in place
    preconditioner : M as a function of r; None for plain conjugate gradients
    """

    def __init__(
        self,
        matrix: sp.sparray | sp.linalg.LinearOperator,
        diagonal: np.ndarray,
        b: np.ndarray,
        x: np.ndarray,
        preconditioner: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.matrix, self.b, self.x = matrix, b, x
        self.preconditioner = preconditioner
        self.inverse_diagonal = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        self.r, self.z, self.p, self.q = (np.zeros_like(b) for _ in range(4))

    def residual(self) -> float:
        """Set r = b - A x; return |r|."""
        self.r = self.b - self.matrix @ self.x
        return float(np.linalg.norm(self.r))

    def precondition(self, norm: float) -> None:
        """Set z = M r."""
        self.z = self.r if self.preconditioner is None else np.asarray(self.preconditioner(self.r), dtype=np.float64)

    def jacobi(self) -> None:
        """Set z = D^-1 r."""
        self.z = self.inverse_diagonal * self.r

    def products(self) -> tuple[float, float]:
        """Return z . r and z . q; not finite where z is not."""
        with np.errstate(invalid="ignore", over="ignore"):
            return float(np.vdot(self.z, self.r)), float(np.vdot(self.z, self.q))

    def direction(self, beta: float) -> float:
        """Set p = z + beta p and q = A p."""
        self.p = self.z + beta * self.p if beta else self.z.copy()
        self.q = self.matrix @ self.p
        return float(np.vdot(self.p, self.q))

    def step(self, alpha: float) -> float:
        """Set x += alpha p and r -= alpha q."""
        self.x += alpha * self.p
        self.r = self.r - alpha * self.q
        return float(np.linalg.norm(self.r))
