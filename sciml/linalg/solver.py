"""`solve`: one verb for Poisson systems, which picks the fastest method that fits and says which."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from sciml.errors import IncompatibleRightHandSideError, InputError, NotStructuredError
from sciml.linalg.krylov import Callback, KrylovResult, MatrixVectors, flexible_conjugate_gradients, norm
from sciml.linalg.multigrid import MultigridPreconditioner, choose_backend
from sciml.linalg.validation import check_right_hand_side, check_spd_matrix
from sciml.linalg.voxel_poisson import VoxelPoisson
from sciml.status import Status

METHODS = ("auto", "fft", "multigrid", "amg", "cg")
COMPATIBILITY_TOLERANCE = 1e-10
Preconditioner = MultigridPreconditioner | Callable[[np.ndarray], np.ndarray]


@dataclass
class SolveResult:
    """Solution of a linear system and how it was found.

    Attributes
    ----------
    x : solution, in the shape of b; 0 off the fluid
    status : :class:`~sciml.status.Status`, which says what it means and what to do: ``"converged"``, ``"fallback"``
        (converged, but the preconditioner had to be dropped), ``"stagnated"`` or ``"maxiter"``
    method : the method used, by name
    iterations : of the Krylov method; 0 for a direct one. With several right-hand sides, the most that one took.
    history : |r| / |b| from the start to the end; with several right-hand sides, that of the slowest
    true_residual : |b - A x| / |b| recomputed from x; the largest with several right-hand sides
    unknowns : size of the system
    setup_seconds, solve_seconds : wall time before the iteration, checks of the input included, and in it
    """

    x: np.ndarray
    status: Status
    method: str
    iterations: int
    history: list[float]
    true_residual: float
    unknowns: int
    setup_seconds: float
    solve_seconds: float
    fallbacks: int = field(default=0, repr=False)

    @property
    def converged(self) -> bool:
        """Whether the tolerance was met."""
        return self.status.success

    def summary(self) -> dict[str, Any]:
        """Everything but the arrays, for JSON."""
        return {
            "status": self.status,
            "method": self.method,
            "iterations": self.iterations,
            "true_residual": self.true_residual,
            "setup_seconds": self.setup_seconds,
            "solve_seconds": self.solve_seconds,
            "unknowns": self.unknowns,
        }

    def __repr__(self) -> str:
        return "\n".join(f"{name:>15s}  {value}" for name, value in self.summary().items())


def solve(  # noqa: PLR0913 - one verb, whose options are keywords
    system: VoxelPoisson | sp.sparray | sp.spmatrix,
    b: np.ndarray,
    *,
    method: str = "auto",
    preconditioner: Preconditioner | None = None,
    rtol: float = 1e-6,
    atol: float = 0.0,
    maxiter: int = 10_000,
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
        ``"multigrid"`` on other grids and ``"amg"`` (PyAMG's smoothed aggregation) on other matrices; ``"cg"`` is plain
        conjugate gradients
    preconditioner : used instead of the method's own: a :class:`MultigridPreconditioner` to set up once and solve many
        times, or any function from a residual to M r; one that is useless is noticed and dropped
    rtol, atol : relative and absolute tolerance
    maxiter : most iterations
    x0 : starting point, 0 where not given; the transform method ignores it
    project : remove the part of b that makes a closed component unsolvable, instead of refusing b
    callback : called as callback(iteration, |r| / |b|)
    device : ``"cuda"`` runs multigrid there, through torch

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
    _check_options(method, rtol, atol, maxiter)
    if preconditioner is not None and method in ("fft", "amg", "cg"):
        raise InputError(f"method={method!r} takes no preconditioner; leave method at 'auto' to use yours.")
    if not isinstance(system, VoxelPoisson):
        system = _as_problem(system, method)
    values = _prepare(system, b, project)
    start = None if x0 is None else check_right_hand_side(*_on_grid(x0, _unknown_mask(system)))
    if start is not None and start.shape != values.shape:
        raise InputError(f"x0 has shape {start.shape}, expected that of b, {values.shape}.")
    if preconditioner is not None:
        preconditioner = _checked(preconditioner, system)
    runner = _Runner(system, method, preconditioner, device)
    runner.setup_seconds = time.perf_counter() - began
    result = runner.run(values, start, rtol, atol, maxiter, callback)
    result.x = result.x.reshape(np.shape(b))
    return result


def grid_system(
    system: VoxelPoisson | sp.sparray | sp.spmatrix, b: np.ndarray, *, project: bool = False
) -> tuple[VoxelPoisson, np.ndarray]:
    """Return the problem on its grid and b in its shape, checked as :func:`solve` does; for solvers that need a grid.

    Raises
    ------
    NotStructuredError
        The matrix is no grid.
    InputError
        As :func:`solve`.
    """
    problem = system if isinstance(system, VoxelPoisson) else VoxelPoisson.from_matrix(check_spd_matrix(system))
    return problem, _prepare(problem, b, project)


@dataclass(frozen=True)
class _Matrix:
    """A sparse matrix that is no grid, where a problem is expected: its rows that are not zero, and where they are."""

    csr: sp.csr_array
    rows: np.ndarray


class _Runner:
    """One method, set up once for any number of right-hand sides."""

    def __init__(
        self, system: VoxelPoisson | _Matrix, method: str, preconditioner: Preconditioner | None, device: str | None
    ) -> None:
        self.device, self.factor, self.setup_seconds = device, 1.0, 0.0
        if isinstance(system, VoxelPoisson):
            system, self.factor = system.normalised()
        self.system = system
        self.method = _choose(system, method, preconditioner)
        self.preconditioner = preconditioner
        if preconditioner is None and self.method == "multigrid":
            self.preconditioner = MultigridPreconditioner(system, device=device)
        elif preconditioner is None and self.method == "amg":
            self.preconditioner = _pyamg(_csr(system))
        if self.method == "fft":
            self.transform: Any = _box_transform(system)
        elif isinstance(system, VoxelPoisson) and self.method != "amg":
            self.operator: Any = self._grid_operator()

    def _on_torch(self) -> bool:
        if isinstance(self.preconditioner, MultigridPreconditioner):
            return self.preconditioner.backend == "torch"
        return choose_backend("auto", self.device) == "torch"

    def _grid_operator(self) -> Any:
        if self._on_torch():
            from sciml.linalg.kernels.torch_vectors import GridOperator

            return GridOperator(self.system, self.device or self.preconditioner.device)
        from sciml.linalg.kernels.numba_vectors import GridOperator

        return GridOperator(self.system)

    def run(
        self, b: np.ndarray, x0: np.ndarray | None, rtol: float, atol: float, maxiter: int, callback: Callback | None
    ) -> SolveResult:
        """Solve for one right-hand side, or one after the other for several."""
        start = time.perf_counter()
        mask = _unknown_mask(self.system)
        batch = b.reshape(-1, *mask.shape)
        x: np.ndarray | None = None
        worst: KrylovResult | None = None
        for index, right in enumerate(batch):
            first = None if x0 is None else x0.reshape(batch.shape)[index]
            solution, result = self._scaled(right, first, rtol, atol, maxiter, callback)
            if len(batch) == 1:
                x = solution[None]
            else:
                x = np.empty(batch.shape) if x is None else x
                x[index] = solution
            worst = _worse(worst, result)
        if isinstance(self.system, VoxelPoisson):
            remove_means(x, *self.system.closed_components)
        return SolveResult(
            x.reshape(b.shape),
            worst.status,
            self.method,
            worst.iterations,
            worst.history,
            worst.true_residual,
            int(np.count_nonzero(mask)),
            self.setup_seconds,
            time.perf_counter() - start,
            worst.fallbacks,
        )

    def _scaled(
        self, b: np.ndarray, x0: np.ndarray | None, rtol: float, atol: float, maxiter: int, callback: Callback | None
    ) -> tuple[np.ndarray, KrylovResult]:
        """x and how it was found, for any size of b."""
        size = float(max(b.max(), -b.min()))
        if size == 0.0:
            return np.zeros(b.shape), KrylovResult(Status.CONVERGED, 0, [0.0], true_residual=0.0)
        # Squares of b neither overflow nor underflow between these bounds.
        size = 1.0 if 1e-100 < size < 1e100 else size
        b = b if size == 1.0 else b / size
        scale = norm(b)
        x0 = None if x0 is None else x0 / (size * self.factor)
        x, result = self._one(b, x0, max(rtol * scale, atol / size), scale, maxiter, callback)
        if size * self.factor != 1.0:
            x *= size * self.factor
        return x, result

    def _one(
        self,
        b: np.ndarray,
        x0: np.ndarray | None,
        tolerance: float,
        scale: float,
        maxiter: int,
        callback: Callback | None,
    ) -> tuple[np.ndarray, KrylovResult]:
        if self.method == "fft":
            return self.transform.solve(b, tolerance, scale)
        options = {"maxiter": maxiter, "callback": callback, "guarded": self.preconditioner is not None}
        if isinstance(self.system, VoxelPoisson) and self.method != "amg":
            if self._on_torch():
                from sciml.linalg.kernels.torch_vectors import TorchVectors as GridVectors
            else:
                from sciml.linalg.kernels.numba_vectors import NumbaVectors as GridVectors
            vectors = GridVectors(self.operator, b, x0, self.preconditioner)
            result = flexible_conjugate_gradients(vectors, tolerance, scale, **options)
            return vectors.solution(), result
        mask, csr = _unknown_mask(self.system), _csr(self.system)
        x = np.zeros(csr.shape[0]) if x0 is None else x0[mask].copy()
        plain = MatrixVectors(csr, csr.diagonal(), b[mask], x, self.preconditioner)
        result = flexible_conjugate_gradients(plain, tolerance, scale, **options)
        full = np.zeros(mask.shape)
        full[mask] = plain.x
        return full, result


def _worse(first: KrylovResult | None, second: KrylovResult) -> KrylovResult:
    """The slower of two results, with the worse status and residual of both."""
    if first is None:
        return second
    slower = second if second.iterations > first.iterations else first
    slower.status = Status.worst((first.status, second.status))
    slower.true_residual = max(first.true_residual, second.true_residual)
    slower.fallbacks = max(first.fallbacks, second.fallbacks)
    return slower


def _check_options(method: str, rtol: float, atol: float, maxiter: int) -> None:
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    if not (math.isfinite(rtol) and math.isfinite(atol) and rtol >= 0 and atol >= 0 and rtol + atol > 0):
        raise InputError(f"rtol and atol must be finite, not negative and not both 0, got rtol={rtol} and atol={atol}.")
    if maxiter < 1:
        raise InputError(f"maxiter must be at least 1, got {maxiter}.")


def _as_problem(matrix: sp.sparray | sp.spmatrix, method: str) -> VoxelPoisson | _Matrix:
    csr = check_spd_matrix(matrix)
    rows = csr.diagonal() > 0  # a zero row stands for a cell that is no unknown
    if not rows.any():
        raise InputError("the matrix is zero, so there is no unknown to solve for.")
    plain = _Matrix(csr if rows.all() else csr[rows][:, rows], rows)
    if method in ("amg", "cg"):
        return plain
    try:
        return VoxelPoisson.from_matrix(csr)
    except NotStructuredError:
        if method == "auto":
            return plain
        raise


def _on_grid(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values per row of a matrix that was recognised as a grid, in the shape of the grid; and the mask."""
    values = np.asarray(values)
    if values.shape and mask.ndim > 1 and values.shape[-1] == mask.size and values.ndim <= 2:
        values = values.reshape(*values.shape[:-1], *mask.shape)
    return values, mask


def _prepare(system: VoxelPoisson | _Matrix, b: np.ndarray, project: bool) -> np.ndarray:
    mask = _unknown_mask(system)
    values = check_right_hand_side(*_on_grid(b, mask))
    if values.size == 0:
        raise InputError("b holds no right-hand side; give at least one.")
    if isinstance(system, VoxelPoisson):
        labels, count = system.closed_components
        if count and not project:
            for right in values.reshape(-1, *mask.shape):
                _check_compatible(right, labels, count)
        remove_means(values, labels, count)
    return values


def _check_compatible(b: np.ndarray, labels: np.ndarray, count: int) -> None:
    sums = component_sums(b, labels, count)
    off = np.abs(sums) > COMPATIBILITY_TOLERANCE * component_sums(np.abs(b), labels, count)
    if off.any():
        worst = int(np.argmax(np.abs(sums) * off))
        cells = np.count_nonzero(labels == worst + 1)
        raise IncompatibleRightHandSideError(
            f"b sums to {sums[worst]:.3g} over a closed component (size {cells}), expected 0, "
            "for nothing can flow out of it; correct b, add a Dirichlet cell, or pass project=True."
        )


def component_sums(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Sums of ``values`` over the cells with the labels 1..count."""
    return np.bincount(labels.ravel(), weights=values.ravel(), minlength=count + 1)[1:]


def remove_means(batch: np.ndarray, labels: np.ndarray, count: int) -> None:
    """Subtract from each field of a batch, in place, its mean over the cells of each label 1..count."""
    if count == 0:
        return
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    for field_values in batch.reshape(-1, *labels.shape):
        means = component_sums(field_values, labels, count) / sizes
        field_values -= np.concatenate([[0.0], means])[labels]


def _checked(preconditioner: Preconditioner, system: VoxelPoisson | _Matrix) -> Preconditioner:
    """The preconditioner, if it fits: a function gets a copy of r, and what it returns off the fluid is cut."""
    mask = _unknown_mask(system)
    if isinstance(preconditioner, MultigridPreconditioner):
        if not np.array_equal(preconditioner.problem.fluid, mask):
            raise InputError(
                f"the preconditioner was set up for another geometry, {preconditioner.problem}; "
                "call its update(problem)."
            )
        return preconditioner
    if not callable(preconditioner):
        raise InputError(f"preconditioner must be a function from r to M r, got {type(preconditioner).__name__}.")
    on_grid = isinstance(system, VoxelPoisson)

    def apply(r: np.ndarray) -> np.ndarray:
        z = np.asarray(preconditioner(r.copy()))
        if z.shape != r.shape:
            raise InputError(f"the preconditioner returned an array of shape {z.shape}, expected that of r, {r.shape}.")
        return np.where(mask, z, 0.0) if on_grid else z

    return apply


def _choose(system: VoxelPoisson | _Matrix, method: str, preconditioner: Preconditioner | None) -> str:
    if isinstance(system, _Matrix):
        if method in ("fft", "multigrid"):
            raise NotStructuredError(f"method={method!r} needs a 5- or 7-point matrix on a grid; use method='amg'.")
        return "amg" if method == "auto" else method
    if method == "auto":
        return "fft" if preconditioner is None and _is_plain_box(system) else "multigrid"
    if method == "fft" and not _is_plain_box(system):
        raise NotStructuredError(
            "method='fft' needs a box without obstacles and a constant coefficient; use method='multigrid'."
        )
    return method


def _is_plain_box(problem: VoxelPoisson) -> bool:
    return problem.constant and problem.outside is not None and bool(problem.fluid.all())


def _box_transform(problem: VoxelPoisson) -> Any:
    from sciml.linalg.fast_transform import BoxTransform

    return BoxTransform(problem)


def _csr(system: VoxelPoisson | _Matrix) -> sp.csr_array:
    return system.csr if isinstance(system, _Matrix) else system.to_csr()


def _unknown_mask(system: VoxelPoisson | _Matrix) -> np.ndarray:
    return system.rows if isinstance(system, _Matrix) else system.fluid


def _pyamg(csr: sp.csr_array) -> Callable[[np.ndarray], np.ndarray]:
    import pyamg

    hierarchy = pyamg.smoothed_aggregation_solver(csr, max_coarse=500)
    operator = hierarchy.aspreconditioner(cycle="V")
    return operator.matvec
