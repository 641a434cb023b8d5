"""`solve`: one verb for Poisson systems, which chooses the fastest method that fits and reports which one it was."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from sciml.linalg.kernels.compile_time import compile_time
from sciml.linalg.krylov import Callback, KrylovResult, norm
from sciml.linalg.method import LinearMethod
from sciml.linalg.preconditioned import Preconditioner
from sciml.linalg.registry import as_method
from sciml.linalg.results import SolveResult, slower
from sciml.linalg.systems import Matrix, remove_means, right_hand_side, starting_point
from sciml.linalg.voxel_poisson import VoxelPoisson
from sciml.status import Status

if TYPE_CHECKING:
    from sciml.linalg.method import Prepared


def solve(  # noqa: PLR0913 - one verb, whose options are keywords
    system: VoxelPoisson | Matrix,
    b: np.ndarray,
    *,
    method: str | LinearMethod = "auto",
    preconditioner: Preconditioner | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    x0: np.ndarray | None = None,
    project: bool = False,
    callback: Callback | None = None,
    device: str | None = None,
) -> SolveResult:
    """Solve A x = b to |b - A x| <= max(rtol |b|, atol), checked on the true residual.

    Parameters
    ----------
    system : a voxel Poisson problem, or a sparse symmetric positive (semi-)definite matrix; a matrix that is a 5- or
        7-point stencil on a grid is recognised and solved as such
    b : right-hand side of shape ``system.shape`` (values off the fluid are ignored), or (rows,) for a matrix; a leading
        axis solves for several right-hand sides with one set-up
    method : ``"auto"`` takes ``"fft"`` (fast sine and cosine transforms) on a box of constant coefficient,
        ``"multigrid"`` on other grids and ``"amg"`` (PyAMG) on other matrices; ``"direct"`` keeps sparse factors,
        ``"cg"`` is plain conjugate gradients. Any name of ``sciml list methods``, or an object with options, such as
        ``Multigrid(visits=1)``, see :mod:`sciml.linalg.linear_methods`
    preconditioner : used instead of the method's own: a :class:`MultigridPreconditioner` to set up once and solve many
        times (``"auto"``, ``"multigrid"``, ``"cg"``), or any function from a residual to M r (``"auto"``, ``"cg"``; the
        result reports ``"cg"``); one that is useless is noticed and dropped
    rtol, atol, maxiter : relative and absolute tolerance and the largest number of iterations; the defaults are those
        of the method, 1e-6, 0 and 10 000
    x0 : initial guess, 0 by default; a direct method ignores it
    project : remove the part of b that makes a closed component unsolvable, instead of refusing b
    callback : called as callback(iteration, |r| / |b|)
    device : ``"cuda"`` runs multigrid and conjugate gradients there, through torch; an option of ``"auto"``,
        ``"multigrid"``, ``"cg"`` and ``"learned"``, which the other methods refuse

    Returns
    -------
    SolveResult
        On a closed component (no Dirichlet cell), where x is determined up to a constant, x has zero mean.

    Raises
    ------
    IncompatibleRightHandSideError
        b does not sum to zero on a closed component.
    InputError
        Shapes, values or options are wrong.
    """
    began = time.perf_counter()
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "preconditioner": preconditioner, "device": device}
    given = {name: value for name, value in options.items() if value is not None}
    chosen = as_method(method).with_options(**given)
    if not isinstance(system, VoxelPoisson):
        system = chosen.system_of(system)
    values = right_hand_side(system, b, project)
    start = starting_point(system, x0, values.shape)
    normalised, factor = system.normalised()
    chosen = chosen.chosen_for(normalised)
    compiles = chosen.compiles and isinstance(system, VoxelPoisson)
    with compile_time() if compiles else nullcontext(lambda: 0.0) as compiled:
        prepared = _Prepared(chosen, chosen.prepare(normalised), factor, callback)
        started, in_setup = time.perf_counter(), compiled()
        x, found = _solve_all(prepared, values.reshape(-1, *system.shape), start)
        remove_means(x, *system.closed_components)
        ended, in_all = time.perf_counter(), compiled()
    return SolveResult(
        x.reshape(np.shape(b)),
        found.status,
        chosen.label,
        found.iterations,
        found.history,
        found.true_residual,
        system.unknowns,
        started - began - in_setup,
        ended - started - (in_all - in_setup),
        found.fallbacks,
        found.dropped,
        in_all,
    )


def _solve_all(prepared: _Prepared, batch: np.ndarray, start: np.ndarray | None) -> tuple[np.ndarray, KrylovResult]:
    """Solve for the right-hand sides one after another; return all solutions and the result of the slowest."""
    worst: KrylovResult | None = None
    x: np.ndarray | None = None
    for index, right in enumerate(batch):
        first = None if start is None else start.reshape(batch.shape)[index]
        solution, result = prepared.scaled(right, first)
        if len(batch) == 1:
            x = solution[None]
        else:
            x = np.empty(batch.shape) if x is None else x
            x[index] = solution
        worst = slower(worst, result)
    return x, worst


class _Prepared:
    """A method set up for a system that was multiplied by ``factor``."""

    def __init__(self, method: LinearMethod, solve: Prepared, factor: float, callback: Callback | None) -> None:
        self.method, self.solve, self.factor, self.callback = method, solve, factor, callback

    def scaled(self, b: np.ndarray, x0: np.ndarray | None) -> tuple[np.ndarray, KrylovResult]:
        """Return x and how it was found, for a right-hand side of any magnitude."""
        size = float(max(b.max(), -b.min()))
        if size == 0.0:
            return np.zeros(b.shape), KrylovResult(Status.CONVERGED, 0, [0.0], true_residual=0.0)
        # Squares of b neither overflow nor underflow between these bounds.
        size = 1.0 if 1e-100 < size < 1e100 else size
        b = b if size == 1.0 else b / size
        scale = norm(b)
        x0 = None if x0 is None else x0 / (size * self.factor)
        tolerance = max(self.method.rtol * scale, self.method.atol / size)
        x, result = self.solve(b, x0, tolerance, scale, self.callback)
        if size * self.factor != 1.0:
            x *= size * self.factor
        return x, result
