"""Preconditioned conjugate gradients on a grid or on a matrix, set up once for any number of right-hand sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sciml.checks import real_array
from sciml.errors import InputError
from sciml.linalg.krylov import Callback, KrylovResult, MatrixVectors, flexible_conjugate_gradients
from sciml.linalg.multigrid import MultigridPreconditioner, choose_backend
from sciml.linalg.systems import SparseSystem, System
from sciml.linalg.voxel_poisson import VoxelPoisson

Preconditioner = MultigridPreconditioner | Callable[[np.ndarray], np.ndarray]


def iteration_on(
    system: System, preconditioner: Preconditioner | None, maxiter: int, device: str | None = None
) -> GridIteration | MatrixIteration:
    """Return conjugate gradients for a system, with vectors on its grid where it has one.

    Parameters
    ----------
    system : on its grid, or without one
    preconditioner : a function from r to M r in the shape of the system, checked; None for plain conjugate gradients
    maxiter : the largest number of iterations
    device : where the vectors of a grid live
    """
    if isinstance(system, SparseSystem):
        return MatrixIteration(system, preconditioner, maxiter)
    return GridIteration(system, preconditioner, maxiter, device)


class GridIteration:
    """Conjugate gradients whose operator and vectors are on a voxel grid."""

    def __init__(
        self, problem: VoxelPoisson, preconditioner: Preconditioner | None, maxiter: int, device: str | None
    ) -> None:
        self.preconditioner, self.maxiter = preconditioner, maxiter
        own = isinstance(preconditioner, MultigridPreconditioner)
        if (preconditioner.backend if own else choose_backend("auto", device)) == "torch":
            from sciml.linalg.kernels.torch_vectors import GridOperator, TorchVectors

            self.vectors, self.operator = TorchVectors, GridOperator(problem, device or preconditioner.device)
        else:
            from sciml.linalg.kernels.numba_vectors import GridOperator, NumbaVectors

            self.vectors, self.operator = NumbaVectors, GridOperator(problem)

    def __call__(
        self, b: np.ndarray, x0: np.ndarray | None, tolerance: float, scale: float, callback: Callback | None
    ) -> tuple[np.ndarray, KrylovResult]:
        """Solve for one right-hand side from an initial guess to a residual norm; ``scale`` is the norm of b."""
        vectors = self.vectors(self.operator, b, x0, self.preconditioner)
        guarded = self.preconditioner is not None
        result = flexible_conjugate_gradients(
            vectors, tolerance, scale, maxiter=self.maxiter, callback=callback, guarded=guarded
        )
        return vectors.solution(), result


class MatrixIteration:
    """Conjugate gradients on the sparse matrix of a system, whose preconditioner works on vectors of its unknowns."""

    def __init__(self, system: System, preconditioner: Callable[[np.ndarray], np.ndarray] | None, maxiter: int) -> None:
        self.mask, self.csr = system.fluid, system.to_csr()
        self.diagonal = self.csr.diagonal()
        self.preconditioner, self.maxiter = preconditioner, maxiter

    def __call__(
        self, b: np.ndarray, x0: np.ndarray | None, tolerance: float, scale: float, callback: Callback | None
    ) -> tuple[np.ndarray, KrylovResult]:
        """Solve for one right-hand side from an initial guess to a residual norm; ``scale`` is the norm of b."""
        x = np.zeros(self.csr.shape[0]) if x0 is None else x0[self.mask].copy()
        vectors = MatrixVectors(self.csr, self.diagonal, b[self.mask], x, self.preconditioner)
        guarded = self.preconditioner is not None
        result = flexible_conjugate_gradients(
            vectors, tolerance, scale, maxiter=self.maxiter, callback=callback, guarded=guarded
        )
        full = np.zeros(self.mask.shape)
        full[self.mask] = vectors.x
        return full, result


def checked_preconditioner(preconditioner: Preconditioner, system: System) -> Preconditioner:
    """Return a preconditioner that fits the system: a function gets a copy of r, and its result is cut to the fluid."""
    mask = system.fluid
    if isinstance(preconditioner, MultigridPreconditioner):
        if not np.array_equal(preconditioner.problem.fluid, mask):
            raise InputError(
                f"the preconditioner was set up for another geometry, {preconditioner.problem}; "
                "call its update(problem)."
            )
        return preconditioner
    on_grid = isinstance(system, VoxelPoisson)

    def apply(r: np.ndarray) -> np.ndarray:
        z = real_array("the preconditioned residual", preconditioner(r.copy()), shape=r.shape, finite=False)
        return np.where(mask, z, 0.0) if on_grid else z

    return apply
