"""The solvers that are compared, each with the settings that its authors recommend for Poisson problems.

The problem and the assembled matrix, for the solvers that need it, are not part of the measured time.

References: Bell, Olson, Schroder and Southworth, PyAMG: algebraic multigrid solvers in Python, J. Open Source Softw. 8
(2023) 5495; ilupp, incomplete factorisations.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp

from sciml.bench.linear_systems import System, true_residual
from sciml.bench.measure import timed

MAXITER = 20_000
Solve = Callable[[np.ndarray, float], tuple[np.ndarray, int]]


@dataclass(frozen=True)
class Peer:
    """A solver of linear systems, with its settings.

    Attributes
    ----------
    title : the name in tables
    prepare : carries out the set-up and returns ``solve(b, rtol) -> (x, iterations)``
    flat : b and x are over the unknowns, not over the grid, and the matrix is needed
    package : an optional package that the solver needs
    """

    title: str
    prepare: Callable[[System], Solve]
    flat: bool = True
    package: str | None = None

    @property
    def installed(self) -> bool:
        """True if the package is installed, or none is needed."""
        return self.package is None or find_spec(self.package) is not None


def run_peer(
    peer: Peer, system: System, rtol: float, again: np.ndarray | None = None, *, busy: bool = False
) -> dict[str, Any]:
    """Set a solver up and solve once; then, with the same set-up, a second time for the right-hand side ``again``.

    ``busy`` runs it once before without timing, so that the second core of a machine is awake when the clock starts.

    Returns
    -------
    dict
        ``setup_seconds, setup_cpu_seconds, solve_seconds, solve_cpu_seconds, iterations, true_residual`` (relative,
        recomputed here), ``again_seconds`` and ``again_iterations`` of the second solve, if any.
    """
    b = system.b[system.problem.fluid] if peer.flat else system.b
    gc.collect()
    if busy:
        peer.prepare(system)(b, rtol)
    solve, setup, setup_cpu = timed(lambda: peer.prepare(system))
    (x, iterations), seconds, cpu = timed(lambda: solve(b, rtol))
    result = {
        "setup_seconds": setup,
        "setup_cpu_seconds": setup_cpu,
        "solve_seconds": seconds,
        "solve_cpu_seconds": cpu,
        "iterations": iterations,
        "true_residual": true_residual(system, x),
    }
    if again is not None:
        right = again[system.problem.fluid] if peer.flat else again
        (_, count), seconds, _ = timed(lambda: solve(right, rtol))
        result |= {"again_seconds": seconds, "again_iterations": count}
    return result


def conjugate_gradients(
    matrix: sp.csr_array, b: np.ndarray, rtol: float, preconditioner: sp.linalg.LinearOperator | None
) -> tuple[np.ndarray, int]:
    """Solve by SciPy's conjugate gradients; return x and the number of iterations."""
    iterations = 0

    def count(_: np.ndarray) -> None:
        nonlocal iterations
        iterations += 1

    x, _ = sp.linalg.cg(matrix, b, rtol=rtol, maxiter=MAXITER, M=preconditioner, callback=count)
    return x, iterations


def _multigrid(system: System) -> Solve:
    from sciml.linalg import MultigridPreconditioner, solve

    preconditioner = MultigridPreconditioner(system.problem)

    def run(b: np.ndarray, rtol: float) -> tuple[np.ndarray, int]:
        result = solve(system.problem, b, preconditioner=preconditioner, rtol=rtol)
        return result.x, result.iterations

    return run


def _transform(system: System) -> Solve:
    from sciml.linalg import solve

    def run(b: np.ndarray, rtol: float) -> tuple[np.ndarray, int]:
        result = solve(system.problem, b, method="fft", rtol=rtol)
        return result.x, result.iterations

    return run


def _smoothed_aggregation(system: System) -> Solve:
    import pyamg

    hierarchy = pyamg.smoothed_aggregation_solver(system.matrix, max_coarse=500)
    preconditioner = hierarchy.aspreconditioner(cycle="V")
    return lambda b, rtol: conjugate_gradients(system.matrix, b, rtol, preconditioner)


def _ruge_stuben(system: System) -> Solve:
    import pyamg

    hierarchy = pyamg.ruge_stuben_solver(system.matrix, max_coarse=500)
    preconditioner = hierarchy.aspreconditioner(cycle="V")
    return lambda b, rtol: conjugate_gradients(system.matrix, b, rtol, preconditioner)


def _incomplete_cholesky(system: System) -> Solve:
    import ilupp

    preconditioner = ilupp.IChol0Preconditioner(sp.csr_matrix(system.matrix))
    return lambda b, rtol: conjugate_gradients(system.matrix, b, rtol, preconditioner)


def _plain(system: System) -> Solve:
    return lambda b, rtol: conjugate_gradients(system.matrix, b, rtol, None)


PEERS = {
    "multigrid": Peer("**sciml multigrid**", _multigrid, flat=False),
    "transform": Peer("sciml fast transform", _transform, flat=False),
    "sa": Peer("PyAMG SA + CG", _smoothed_aggregation),
    "rs": Peer("PyAMG RS + CG", _ruge_stuben),
    "ic0": Peer("IC(0) + CG (ilupp)", _incomplete_cholesky, package="ilupp"),
    "cg": Peer("plain CG", _plain),
}
PYAMG = ("sa", "rs")
