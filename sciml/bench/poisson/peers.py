"""The solvers that are compared, each with the settings its authors recommend for Poisson problems.

What is given to all of them outside the clock: the problem and, to those that need it, the assembled matrix.

References: Bell, Olson, Schroder and Southworth, PyAMG: algebraic multigrid solvers in Python, J. Open Source Softw. 8
(2023) 5495; ilupp, incomplete factorisations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from sciml.linalg import VoxelPoisson

MAXITER = 20_000
Solve = Callable[[np.ndarray, float], tuple[np.ndarray, int]]


@dataclass(frozen=True)
class System:
    """One system: the problem, its matrix over the fluid cells (None if nobody needs it), b over the whole grid."""

    problem: VoxelPoisson
    matrix: sp.csr_array | None
    b: np.ndarray


@dataclass(frozen=True)
class Peer:
    """A solver.

    Attributes
    ----------
    title : its name in tables
    prepare : does the set-up and returns ``solve(b, rtol) -> (x, iterations)``
    flat : b and x are over the unknowns, not over the grid, and the matrix is needed
    package : that has to be installed, if it is not a dependency of sciml
    """

    title: str
    prepare: Callable[[System], Solve]
    flat: bool = True
    package: str | None = None

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return self.package is None or find_spec(self.package) is not None


def conjugate_gradients(
    matrix: sp.csr_array, b: np.ndarray, rtol: float, preconditioner: sp.linalg.LinearOperator | None
) -> tuple[np.ndarray, int]:
    """SciPy's conjugate gradients; returns x and the number of iterations."""
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
