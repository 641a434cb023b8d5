"""The solvers of ``sciml bench dcdm``, each run once to the tightest tolerance and timed at every tolerance on the way.

The assembly of the matrix, for the solvers that need it, is not part of the measured time. All work in float64 and stop
on the same norm, |b - A x| <= rtol |b|; solvers without an iteration of their own share a conjugate gradient loop with
one product per iteration. The published comparison stops conjugate gradients at an absolute tolerance and multiplies by
A three times per iteration.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp

from sciml.bench.linear_systems import System, true_residual
from sciml.linalg.krylov import Callback
from sciml.status import Status

RTOLS = (1e-4, 1e-6)
MAXITER = 20_000
# The published iteration has no safeguard; the paper stops it after 100.
MAXITER_PUBLISHED = 300
# From a right-hand side over the grid and a callback to x, over the grid or over the unknowns, and the status.
Solve = Callable[[np.ndarray, Callback], tuple[np.ndarray, str]]


class TimeIsUpError(Exception):
    """Raised when a solve takes longer than its time limit."""


@dataclass
class Stopwatch:
    """A callback of a solver that notes when the residual reaches each tolerance, and raises when the time is up.

    Attributes
    ----------
    limit : seconds
    crossed : iterations and seconds at which |r| <= rtol |b| held first, by ``f"{rtol:g}"``
    iterations, residual : at the last call
    clock : returns the seconds since some moment
    """

    limit: float = math.inf
    crossed: dict[str, tuple[int, float]] = field(default_factory=dict)
    iterations: int = 0
    residual: float = 1.0
    clock: Callable[[], float] = time.perf_counter
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def seconds(self) -> float:
        """The time since the stopwatch was made."""
        return self.clock() - self.began

    def __call__(self, iteration: int, residual: float) -> None:
        """Note the residual norm of an iteration."""
        seconds = self.seconds
        self.iterations, self.residual = iteration, residual
        for rtol in RTOLS:
            if residual <= rtol:
                self.crossed.setdefault(f"{rtol:g}", (iteration, seconds))
        if seconds > self.limit:
            raise TimeIsUpError


@dataclass(frozen=True)
class Contender:
    """A solver that takes part in the comparison.

    Attributes
    ----------
    title : the name in tables
    setup : carries out the set-up and returns a :data:`Solve`
    needs : an optional module
    assembled : whether it needs the matrix
    """

    title: str
    setup: Callable[[System], Solve]
    needs: str | None = None
    assembled: bool = True

    @property
    def installed(self) -> bool:
        """True if the optional module is installed, or none is needed."""
        return self.needs is None or find_spec(self.needs) is not None


def contender(name: str) -> Contender:
    """Return one of :data:`CONTENDERS`, or a network, ``"dcdm:WEIGHTS"``.

    ``"published:WEIGHTS"`` is the same network in the iteration exactly as published, without safeguards.
    """
    kind, _, weights = name.partition(":")
    if not weights:
        return CONTENDERS[name]
    faithful = kind == "published"
    title = f"DCDM {weights}, as published" if faithful else f"DCDM {weights}"
    return Contender(title, partial(_network, weights=weights, faithful=faithful), assembled=False)


def timed_solve(solve: Solve, system: System, b: np.ndarray, limit: float) -> dict[str, Any]:
    """Solve once within ``limit`` seconds; return iterations and seconds to each tolerance, None where not reached.

    Returns
    -------
    dict
        ``iterations`` and ``seconds`` by tolerance; ``status``: ``"time"`` where the time was up; ``residual``:
        relative, recomputed from x where there is one; ``done``: iterations in all
    """
    watch = Stopwatch(limit)
    residual = None
    try:
        x, status = solve(b, watch)
        watch.crossed.setdefault(f"{RTOLS[-1]:g}", (watch.iterations, watch.seconds))
        residual = true_residual(system, x, b)
        if residual > 1.01 * RTOLS[-1]:
            watch.crossed.pop(f"{RTOLS[-1]:g}")
    except TimeIsUpError:
        status = Status.TIME
    keys = [f"{rtol:g}" for rtol in RTOLS]
    return {
        "iterations": {key: watch.crossed[key][0] if key in watch.crossed else None for key in keys},
        "seconds": {key: watch.crossed[key][1] if key in watch.crossed else None for key in keys},
        "status": status,
        "residual": watch.residual if residual is None else residual,
        "done": watch.iterations,
    }


# --------------------------------------------------------------------------------------------------------- the solvers


def _plain(system: System) -> Solve:
    from sciml.linalg import solve

    def run(b: np.ndarray, callback: Callback) -> tuple[np.ndarray, str]:
        result = solve(system.problem, b, method="cg", rtol=RTOLS[-1], maxiter=MAXITER, callback=callback)
        return result.x, result.status

    return run


def _deflated(system: System) -> Solve:
    from sciml.linalg.deflation import Deflation, deflated_conjugate_gradients, lowest_ritz_vectors

    deflation = Deflation(system.matrix, lowest_ritz_vectors(system.problem))

    def run(b: np.ndarray, callback: Callback) -> tuple[np.ndarray, str]:
        right = b[system.problem.fluid]
        options = {"rtol": RTOLS[-1], "maxiter": MAXITER, "callback": callback}
        x, result = deflated_conjugate_gradients(system.matrix, right, deflation, **options)
        return x, result.status

    return run


def _incomplete_cholesky(system: System) -> Solve:
    import ilupp

    return _preconditioned(system, ilupp.IChol0Preconditioner(sp.csr_matrix(system.matrix)).matvec)


def _smoothed_aggregation(system: System) -> Solve:
    import pyamg

    hierarchy = pyamg.smoothed_aggregation_solver(system.matrix, max_coarse=500)
    return _preconditioned(system, hierarchy.aspreconditioner(cycle="V").matvec)


def _ruge_stuben(system: System) -> Solve:
    import pyamg

    hierarchy = pyamg.ruge_stuben_solver(system.matrix, max_coarse=500)
    return _preconditioned(system, hierarchy.aspreconditioner(cycle="V").matvec)


def _preconditioned(system: System, preconditioner: Callable[[np.ndarray], np.ndarray]) -> Solve:
    """Return preconditioned conjugate gradients on the assembled matrix."""
    from sciml.linalg.krylov import MatrixVectors, flexible_conjugate_gradients

    matrix, diagonal = system.matrix, system.matrix.diagonal()

    def run(b: np.ndarray, callback: Callback) -> tuple[np.ndarray, str]:
        right = b[system.problem.fluid]
        scale = float(np.linalg.norm(right))
        vectors = MatrixVectors(matrix, diagonal, right, np.zeros_like(right), preconditioner)
        options = {"maxiter": MAXITER, "callback": callback, "guarded": False}
        result = flexible_conjugate_gradients(vectors, RTOLS[-1] * scale, scale, **options)
        return vectors.x, result.status

    return run


def _multigrid(system: System) -> Solve:
    from sciml.linalg import MultigridPreconditioner

    return _flexible(system, MultigridPreconditioner(system.problem))


def _learned(system: System) -> Solve:
    from sciml.dcdm import LearnedRules
    from sciml.linalg import MultigridPreconditioner

    return _flexible(system, MultigridPreconditioner(system.problem, rules=LearnedRules.from_weights()))


def _relaxed(system: System) -> Solve:
    from sciml.dcdm import LearnedRules
    from sciml.linalg import MultigridPreconditioner

    return _flexible(system, MultigridPreconditioner(system.problem, rules=LearnedRules(0, intervals=False)))


def _flexible(system: System, preconditioner: Any) -> Solve:
    """Return the guarded conjugate gradients of the package with a multigrid preconditioner."""
    from sciml.linalg import solve

    def run(b: np.ndarray, callback: Callback) -> tuple[np.ndarray, str]:
        options = {"rtol": RTOLS[-1], "maxiter": MAXITER, "callback": callback}
        result = solve(system.problem, b, preconditioner=preconditioner, **options)
        return result.x, result.status

    return run


def _network(system: System, *, weights: str, faithful: bool) -> Solve:
    from sciml.dcdm import DeepConjugateDirections
    from sciml.linalg import solve

    method = replace(DeepConjugateDirections.from_weights(weights), faithful=faithful)

    def run(b: np.ndarray, callback: Callback) -> tuple[np.ndarray, str]:
        most = MAXITER_PUBLISHED if faithful else MAXITER
        options = {"rtol": RTOLS[-1], "maxiter": most, "callback": callback}
        result = solve(system.problem, b, method=method, **options)
        return result.x, result.status

    return run


CONTENDERS = {
    "multigrid": Contender("**sciml multigrid**", _multigrid, assembled=False),
    "learned": Contender("**learned multigrid**", _learned, assembled=False),
    "relaxed": Contender(
        "multigrid, weights relaxed as in the learned one, nothing learned", _relaxed, assembled=False
    ),
    "cg": Contender("CG", _plain, assembled=False),
    "deflated": Contender("deflated CG, 16 vectors", _deflated),
    "ic0": Contender("IC(0) + CG", _incomplete_cholesky, "ilupp"),
    "sa": Contender("PyAMG SA + CG", _smoothed_aggregation),
    "rs": Contender("PyAMG RS + CG", _ruge_stuben),
}
