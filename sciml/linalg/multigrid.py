"""`MultigridPreconditioner`: a matrix-free Galerkin multigrid cycle for voxel Poisson problems.

Every level is coarsened along its strongly coupled axes in turn with operator-dependent interpolation, which follows
the flow around obstacles and through jumps of the coefficient, and carries the Galerkin operator (27 points) of that
interpolation. Chebyshev polynomials of the scaled operator smooth before and after with equal strength, so the cycle is
symmetric, and positive definite because the spectrum of D^-1 A lies in [0, 2] by construction.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sciml.errors import InputError
from sciml.linalg.kernels.stencil import FORWARD, Offset

if TYPE_CHECKING:
    import torch
    from scipy.sparse.linalg import LinearOperator

    from sciml.linalg.voxel_poisson import VoxelPoisson

# The part of the spectrum of D^-1 A in [0, 2] that smoothing damps evenly; below it the coarse grid takes over.
SMOOTHING_INTERVAL = (0.3, 2.0)
# Cells of the coarsest level, which is inverted as a dense matrix: 8^3 and a little more.
COARSEST_CELLS = 700
# Eigenvalues of the scaled coarsest operator below this are null vectors of closed fluid components.
NULL_TOLERANCE = 1e-5

Factors = tuple[float, float, float]


class Rules(Protocol):
    """What may differ from the classical multigrid; the cycle stays symmetric whatever they are.

    Both methods make the same weights of the odd cells along an axis; see :mod:`sciml.linalg.kernels.interpolation`.
    ``stencil`` holds the couplings of the ``offsets`` and the diagonal, with halo, of grid number ``level``.
    """

    def smoothing(self, *, tensors: bool) -> list[list[Factors]]:
        """Factors of the smoothing steps, as of :func:`chebyshev_factors`, on the finest and on the other levels.

        They are numbers, or where ``tensors`` is set they may be tensors.
        """

    def interpolation(
        self, stencil: torch.Tensor, offsets: tuple[Offset, ...], axis: int, level: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights left and right without halo, differentiable: for the torch back end."""

    def interpolate(
        self, stencil: np.ndarray, offsets: tuple[Offset, ...], axis: int, level: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights left and right with halo: for the numba back end."""


class MultigridPreconditioner:
    """M close to A^-1, symmetric positive definite, for flexible or plain conjugate gradients.

    Parameters
    ----------
    problem : the voxel Poisson problem
    degree : Chebyshev degree of the smoother on the finest and on the other levels
    visits : coarse corrections per cycle below the finest level: 1 is a V-cycle, 2 a W-cycle, whose quality does not
        degrade with the number of levels and whose extra work is all on small grids
    dtype : precision of the cycle; float32 halves the time, and the conjugate gradients around it are float64
    backend : ``"numba"`` (CPU, threaded), ``"torch"``, or ``"auto"``
    device : of the torch back end, such as ``"cuda"``
    rules : other interpolation weights and smoothing polynomials than the classical ones, such as learned ones;
        ``degree`` is then without effect. A problem of constant coefficient keeps the classical weights

    Notes
    -----
    Calling it applies M to a residual of shape ``problem.shape``. ``repr`` is the table of the hierarchy.

    Examples
    --------
    >>> M = MultigridPreconditioner(problem)                                          # doctest: +SKIP
    >>> x, info = scipy.sparse.linalg.cg(problem.to_csr(), b, M=M.as_linear_operator())   # doctest: +SKIP
    """

    def __init__(
        self,
        problem: VoxelPoisson,
        *,
        degree: tuple[int, int] = (3, 2),
        visits: int = 2,
        dtype: np.typing.DTypeLike = np.float32,
        backend: str = "auto",
        device: str | None = None,
        rules: Rules | None = None,
    ) -> None:
        if min(degree) < 1 or visits < 1:
            raise InputError(f"degree and visits must be at least 1, got degree={degree} and visits={visits}.")
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise InputError(f"dtype must be float32 or float64, got {self.dtype}.")
        self.backend = choose_backend(backend, device)
        self.device = device
        self.visits = visits
        self._degree, self._rules = degree, rules
        self.update(problem)

    def update(self, problem: VoxelPoisson) -> None:
        """Set up again for a new geometry or coefficient."""
        start = time.perf_counter()
        self.problem = problem
        problem, self._factor = problem.normalised()
        rule = None
        self._factors = [chebyshev_factors(d, *SMOOTHING_INTERVAL) for d in self._degree]
        if self._rules is not None and not problem.constant:
            self._factors = self._rules.smoothing(tensors=self.backend == "torch")
            rule = self._rules.interpolate if self.backend == "numba" else self._rules.interpolation
        if self.backend == "numba":
            from sciml.linalg.kernels import numba_backend

            self.levels, stencil = numba_backend.build(problem, self.dtype, COARSEST_CELLS, rule)
        else:
            from sciml.linalg.kernels import torch_backend

            self.levels, stencil = torch_backend.build(problem, self.dtype, COARSEST_CELLS, self.device, rule)
        if self.backend == "torch" and stencil.requires_grad:
            self._coarsest = torch_backend.regular_inverse(stencil)
        else:
            self._coarsest = self.levels[-1].prepare_direct(*dense_inverse(stencil))
        self.setup_seconds = time.perf_counter() - start

    def cycle(self) -> None:
        """Run one cycle on ``levels[0].b``, leaving the result in ``levels[0].x``."""
        self._cycle(0)

    def __call__(self, residual: np.ndarray) -> np.ndarray:
        """M r for a residual of shape ``problem.shape``; 0 off the fluid.

        The cycle works on r / max |r|, so that float32 neither overflows nor loses small residuals.
        """
        residual = np.asarray(residual, dtype=np.float64)
        if residual.shape != self.problem.shape:
            raise InputError(f"the residual has shape {residual.shape}, expected {self.problem.shape}.")
        residual = np.where(self.problem.fluid, residual, 0.0)
        size = float(np.abs(residual).max())
        if size == 0.0 or not np.isfinite(size):
            return residual * 0.0
        finest = self.levels[0]
        finest.load(residual / size)
        self.cycle()
        return finest.unload(self.problem.shape) * (size * self._factor)

    def as_linear_operator(self) -> LinearOperator:
        """M over the unknowns, in the order of ``problem.to_csr()``, for ``scipy.sparse.linalg.cg(A, b, M=M)``."""
        from scipy.sparse.linalg import LinearOperator

        fluid = self.problem.fluid

        def apply(values: np.ndarray) -> np.ndarray:
            grid = np.zeros(fluid.shape)
            grid[fluid] = values.ravel()
            return self(grid)[fluid]

        n = self.problem.unknowns
        return LinearOperator((n, n), matvec=apply, rmatvec=apply, dtype=np.float64)

    def report(self) -> dict[str, Any]:
        """The hierarchy as data: per level its cells, unknowns and bytes, and the set-up seconds."""
        levels = [
            {
                "shape": tuple(int(n) for n in level.shape),
                "unknowns": int(level.unknowns()),
                "bytes": int(sum(array.nbytes for array in level.arrays())),
            }
            for level in self.levels
        ]
        return {
            "backend": self.backend,
            "dtype": str(self.dtype),
            "levels": levels,
            "setup_seconds": self.setup_seconds,
        }

    def __repr__(self) -> str:
        report = self.report()
        total = sum(level["bytes"] for level in report["levels"])
        lines = [
            f"MultigridPreconditioner: {self.backend} {self.dtype}, {len(self.levels)} levels, {total / 2**20:.1f} MiB",
            f"  set up in {self.setup_seconds:.3f} s",
            "  level           cells     unknowns        MiB",
        ]
        for number, level in enumerate(report["levels"]):
            size = " x ".join(map(str, level["shape"]))
            lines.append(f"  {number:5d} {size:>15s} {level['unknowns']:12d} {level['bytes'] / 2**20:10.2f}")
        return "\n".join(lines)

    def _cycle(self, index: int) -> None:
        level = self.levels[index]
        if index == len(self.levels) - 1:
            level.solve_directly(self._coarsest)
            return
        factors = self._factors[min(index, 1)]
        coarse = self.levels[index + 1]
        level.start(factors[0][1])
        for each in factors[1:2]:
            level.smooth((each[0], each[1], 0.0))
        for each in factors[2:]:
            level.smooth(each)
        direct = index + 2 == len(self.levels)
        for visit in range(1 if index == 0 or direct else self.visits):
            if visit > 0:
                self._smooth(level, factors)
            level.correct_islands()
            level.restrict_residual(coarse)
            self._cycle(index + 1)
            level.add_correction(coarse)
            level.correct_islands()
        self._smooth(level, factors)

    @staticmethod
    def _smooth(level: Any, factors: list[Factors]) -> None:
        for each in factors:
            level.smooth(each)


def choose_backend(backend: str, device: str | None) -> str:
    """``"numba"`` on the CPU and ``"torch"`` on other devices, unless one is named."""
    if backend == "auto":
        return "numba" if device in (None, "cpu") else "torch"
    if backend not in ("numba", "torch"):
        raise InputError(f"backend must be 'auto', 'numba' or 'torch', got {backend!r}.")
    if backend == "numba" and device not in (None, "cpu"):
        raise InputError(f"the numba back end runs on the CPU, got device={device!r}; choose backend='torch'.")
    return backend


def chebyshev_factors(degree: int, low: float, high: float) -> list[Factors]:
    """Factors (a, s, g) of the steps x_new = a x + s D^-1 (b - A x) - g x_old of Chebyshev's iteration on [low, high].

    Reference: Golub and Van Loan, Matrix Computations, section 11.2.8.
    """
    centre, half = (high + low) / 2, (high - low) / 2
    rho = half / centre
    factors = [(1.0, 1.0 / centre, 0.0)]
    for _ in range(degree - 1):
        new = 1.0 / (2.0 * centre / half - rho)
        factors.append((1.0 + new * rho, 2.0 * new / half, new * rho))
        rho = new
    return factors


def dense_inverse(stencil: np.ndarray | torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of a 27-point operator over its active cells, and their flat indices among the cells with halo.

    Null vectors (closed components) are left out of the inverse; smoothing and the Krylov method take care of them.
    """
    stencil = stencil if isinstance(stencil, np.ndarray) else stencil.cpu().numpy()
    shape = stencil.shape[1:]
    diagonal = stencil[-1].astype(np.float64).ravel()
    active = np.flatnonzero(diagonal > 0)
    number = np.full(diagonal.size, -1)
    number[active] = np.arange(active.size)
    scale = 1.0 / np.sqrt(diagonal[active])
    matrix = np.eye(active.size)
    for slot, offset in enumerate(FORWARD):
        other = number[active + np.ravel_multi_index(np.add(offset, 1), shape) - np.ravel_multi_index((1, 1, 1), shape)]
        rows = np.flatnonzero(other >= 0)
        columns = other[rows]
        values = -stencil[slot].ravel()[active[rows]] * scale[rows] * scale[columns]
        matrix[rows, columns] += values
        matrix[columns, rows] += values
    return _invert(matrix) * np.outer(scale, scale), active


def _invert(matrix: np.ndarray) -> np.ndarray:
    from scipy import linalg
    from threadpoolctl import threadpool_limits

    # For a few hundred rows the threads of a BLAS cost more than they bring, most of all beside ours.
    with threadpool_limits(1, user_api="blas"):
        return _invert_serially(matrix, linalg)


def _invert_serially(matrix: np.ndarray, linalg: ModuleType) -> np.ndarray:
    try:
        factor = linalg.cholesky(matrix, lower=True)
        if factor.size == 0 or factor.diagonal().min() ** 2 > NULL_TOLERANCE:
            inverse, _ = linalg.lapack.dpotri(factor, lower=True)
            return inverse + np.tril(inverse, -1).T
    except linalg.LinAlgError:
        pass  # not positive definite: a closed component, or rounding in one that is nearly closed
    values, vectors = linalg.eigh(matrix)
    kept = values > NULL_TOLERANCE
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
