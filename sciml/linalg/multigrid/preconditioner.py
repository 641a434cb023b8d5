"""`MultigridPreconditioner`: the hierarchy of levels and the cycle through them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sciml.checks import choice, instance, real_array, sentence, whole_number
from sciml.errors import InputError
from sciml.linalg.kernels.stencil import Offset
from sciml.linalg.multigrid.coarsest import dense_inverse
from sciml.linalg.multigrid.smoother import SMOOTHING_INTERVAL, Factors, chebyshev_factors, smooth, smooth_from_zero

if TYPE_CHECKING:
    import torch
    from scipy.sparse.linalg import LinearOperator

    from sciml.linalg.voxel_poisson import VoxelPoisson

# Cells of the coarsest level, which is inverted as a dense matrix: 8^3 and a little more.
COARSEST_CELLS = 700
BACKENDS = ("auto", "numba", "torch")


class Rules(Protocol):
    """Interpolation weights and smoothing polynomials other than the classical ones; the cycle stays symmetric.

    Both methods make the same weights of the odd cells along an axis; see :mod:`sciml.linalg.kernels.interpolation`.
    ``stencil`` holds the couplings of the ``offsets`` and the diagonal, with halo, of grid number ``level``.
    """

    def smoothing(self, *, tensors: bool) -> list[list[Factors]]:
        """Return the factors of the smoothing steps (:func:`chebyshev_factors`) on the finest and the other levels.

        They are numbers, or where ``tensors`` is set they may be tensors.
        """

    def interpolation(
        self, stencil: torch.Tensor, offsets: tuple[Offset, ...], axis: int, level: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weights left and right without halo, differentiably: for the torch back end."""

    def interpolate(
        self, stencil: np.ndarray, offsets: tuple[Offset, ...], axis: int, level: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights left and right with halo: for the numba back end."""


class MultigridPreconditioner:
    """A multigrid cycle M close to A^-1, symmetric positive definite, for flexible or plain conjugate gradients.

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
        check_cycle(degree, visits)
        self.dtype = check_dtype(dtype)
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
            from sciml.linalg.kernels import torch_backend, torch_setup

            self.levels, stencil = torch_backend.build(problem, self.dtype, COARSEST_CELLS, self.device, rule)
        if self.backend == "torch" and stencil.requires_grad:
            self._coarsest = torch_setup.regular_inverse(stencil)
        else:
            self._coarsest = self.levels[-1].prepare_direct(*dense_inverse(stencil))
        self.setup_seconds = time.perf_counter() - start

    def cycle(self) -> None:
        """Run one cycle on ``levels[0].b``, leaving the result in ``levels[0].x``."""
        self._cycle(0)

    def __call__(self, residual: np.ndarray) -> np.ndarray:
        """Return M r for a residual of shape ``problem.shape``; 0 off the fluid.

        The cycle works on r / max |r|, so that float32 neither overflows nor loses small residuals.
        """
        residual = real_array("the residual", residual, shape=self.problem.shape, finite=False)
        residual = np.where(self.problem.fluid, residual, 0.0)
        size = float(np.abs(residual).max())
        if size == 0.0 or not np.isfinite(size):
            return residual * 0.0
        finest = self.levels[0]
        finest.load(residual / size)
        self.cycle()
        return finest.unload(self.problem.shape) * (size * self._factor)

    def as_linear_operator(self) -> LinearOperator:
        """Return M over the unknowns in the order of ``problem.to_csr()``, for ``M=`` of ``scipy.sparse.linalg.cg``."""
        from scipy.sparse.linalg import LinearOperator

        fluid = self.problem.fluid

        def apply(values: np.ndarray) -> np.ndarray:
            grid = np.zeros(fluid.shape)
            grid[fluid] = real_array("the residual", values, finite=False).ravel()
            return self(grid)[fluid]

        n = self.problem.unknowns
        return LinearOperator((n, n), matvec=apply, rmatvec=apply, dtype=np.float64)

    @property
    def operator_complexity(self) -> float:
        """Nonzero entries of the matrices of all levels, relative to those of the finest one."""
        return sum(level.entries() for level in self.levels) / max(self.levels[0].entries(), 1)

    @property
    def grid_complexity(self) -> float:
        """Unknowns of all levels, relative to those of the finest one."""
        return sum(level.unknowns() for level in self.levels) / max(self.levels[0].unknowns(), 1)

    def report(self) -> dict[str, Any]:
        """Return the hierarchy as data: cells, unknowns, nonzero entries and bytes of each level, and the totals."""
        levels = [
            {
                "shape": tuple(int(n) for n in level.shape),
                "unknowns": level.unknowns(),
                "entries": level.entries(),
                "bytes": int(sum(array.nbytes for array in level.arrays())),
            }
            for level in self.levels
        ]
        return {
            "backend": self.backend,
            "dtype": str(self.dtype),
            "levels": levels,
            "operator_complexity": self.operator_complexity,
            "grid_complexity": self.grid_complexity,
            "setup_seconds": self.setup_seconds,
        }

    def __repr__(self) -> str:
        report = self.report()
        levels = report["levels"]
        stored, memory = (sum(level[key] for level in levels) for key in ("entries", "bytes"))
        lines = [
            f"MultigridPreconditioner ({self.backend}, {self.dtype})",
            f"  Number of levels:    {len(levels)}",
            f"  Operator complexity: {self.operator_complexity:.3f}",
            f"  Grid complexity:     {self.grid_complexity:.3f}",
            f"  Memory:              {memory / 2**20:.1f} MiB",
            f"  Set-up time:         {self.setup_seconds:.3f} s",
            "  level           cells     unknowns         nonzeros",
        ]
        for number, level in enumerate(levels):
            size, share = " x ".join(map(str, level["shape"])), level["entries"] / max(stored, 1)
            lines.append(f"  {number:5d} {size:>15s} {level['unknowns']:12d} {level['entries']:12d} [{share:6.2%}]")
        return "\n".join(lines)

    def _cycle(self, index: int) -> None:
        level = self.levels[index]
        if index == len(self.levels) - 1:
            level.solve_directly(self._coarsest)
            return
        factors = self._factors[min(index, 1)]
        coarse = self.levels[index + 1]
        smooth_from_zero(level, factors)
        direct = index + 2 == len(self.levels)
        for visit in range(1 if index == 0 or direct else self.visits):
            if visit > 0:
                smooth(level, factors)
            level.correct_islands()
            level.restrict_residual(coarse)
            self._cycle(index + 1)
            level.add_correction(coarse)
            level.correct_islands()
        smooth(level, factors)


def check_cycle(degree: tuple[int, int], visits: int) -> None:
    """Refuse degrees of the smoother, two of them, and numbers of visits that are not positive."""
    if not isinstance(degree, tuple | list) or len(degree) != 2:
        raise InputError(sentence("degree", degree, "two numbers: for the finest and for the other levels"))
    for each in degree:
        whole_number("the degree of the smoother", each, at_least=1)
    whole_number("visits", visits, at_least=1)


def check_dtype(dtype: np.typing.DTypeLike) -> np.dtype:
    """Return the precision of the cycle: single or double."""
    expected = "float32 or float64"
    instance("dtype", dtype, (str, type, np.dtype), expected)
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # of names that NumPy cannot parse
        raise InputError(sentence("dtype", dtype, expected)) from None
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype is {found}, expected {expected}.")
    return found


def choose_backend(backend: str, device: str | None) -> str:
    """Return the back end by name; ``"auto"`` is ``"numba"`` on the CPU and ``"torch"`` on other devices."""
    if choice("backend", backend, BACKENDS) == "auto":
        return "numba" if device in (None, "cpu") else "torch"
    if backend == "numba" and device not in (None, "cpu"):
        raise InputError(f"the numba back end runs on the CPU, got device={device!r}; choose backend='torch'.")
    return backend
