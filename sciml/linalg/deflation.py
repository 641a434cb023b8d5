"""Deflated conjugate gradients: the slowest directions are solved for exactly, the iteration sees the rest.

Reference: Saad, Yeung, Erhel and Guyomarc'h, A deflated version of the conjugate gradient algorithm, SIAM J. Sci.
Comput. 21 (2000) 1909-1926.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp

from sciml.errors import InputError
from sciml.linalg.krylov import Callback, KrylovResult, MatrixVectors, flexible_conjugate_gradients
from sciml.linalg.multigrid import MultigridPreconditioner
from sciml.linalg.voxel_poisson import VoxelPoisson
from sciml.status import Status

VECTORS = 16
# As good to the iteration as vectors that have converged: only the span matters, and it need not be exact.
EIGEN_ITERATIONS = 5


def lowest_ritz_vectors(
    problem: VoxelPoisson, count: int = VECTORS, *, iterations: int = EIGEN_ITERATIONS, seed: int = 0
) -> np.ndarray:
    """Return approximate eigenvectors of the ``count`` lowest eigenvalues, by LOBPCG with multigrid.

    A block method, for a Lanczos process from one vector finds only one vector of each multiple eigenvalue, and on a
    box most of them are multiple.

    Parameters
    ----------
    problem : not singular
    count : vectors; five times as many have to fit into the unknowns
    iterations : of LOBPCG
    seed : of the random start

    Returns
    -------
    array of shape (unknowns, count), orthonormal columns, the lowest Ritz value first
    """
    if not 1 <= count <= problem.unknowns // 5:
        raise InputError(
            f"deflation needs from 1 vector to a fifth of the unknowns, {problem.unknowns // 5}, got {count}."
        )
    matrix, fluid, multigrid = problem.to_csr(), problem.fluid, MultigridPreconditioner(problem)

    def cycles(block: np.ndarray) -> np.ndarray:
        result, grid = np.empty_like(block), np.zeros(problem.shape)
        for column in range(block.shape[1]):
            grid[fluid] = block[:, column]
            result[:, column] = multigrid(grid)[fluid]
        return result

    start = np.random.default_rng(seed).standard_normal((problem.unknowns, count))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that they are not converged; they need not be
        _, vectors = sp.linalg.lobpcg(matrix, start, M=cycles, maxiter=iterations, tol=0.0, largest=False)
    return vectors


class Deflation:
    """The projection that keeps conjugate gradients out of the span of W.

    With E = W^T A W, every residual stays orthogonal to W if the start is x0 = W E^-1 W^T b, and every direction is
    A-orthogonal to W if z = r - W E^-1 (A W)^T r takes the place of the residual in it.

    Parameters
    ----------
    matrix : symmetric positive definite, shape (n, n)
    vectors : W, shape (n, k), of full rank
    """

    def __init__(self, matrix: sp.sparray | sp.spmatrix, vectors: np.ndarray) -> None:
        if vectors.ndim != 2 or vectors.shape[0] != matrix.shape[0]:
            raise InputError(f"the vectors have shape {vectors.shape}, expected ({matrix.shape[0]}, k).")
        self.vectors = vectors
        self.images = matrix @ vectors
        small = vectors.T @ self.images
        if not (np.isfinite(small).all() and np.linalg.cond(small) < 1e12):
            raise InputError("W^T A W is singular: the vectors depend on each other, or A is singular; take fewer.")
        self.inverse = np.linalg.inv(small)

    def start(self, b: np.ndarray) -> np.ndarray:
        """Return x0 = W E^-1 W^T b, whose residual is orthogonal to W."""
        return self.vectors @ (self.inverse @ (self.vectors.T @ b))

    def __call__(self, r: np.ndarray) -> np.ndarray:
        """Return the projected residual r - W E^-1 (A W)^T r."""
        return r - self.vectors @ (self.inverse @ (self.images.T @ r))


def deflated_conjugate_gradients(
    matrix: sp.sparray | sp.spmatrix,
    b: np.ndarray,
    deflation: Deflation,
    *,
    rtol: float = 1e-6,
    maxiter: int = 10_000,
    callback: Callback | None = None,
) -> tuple[np.ndarray, KrylovResult]:
    """Solve A x = b to |b - A x| <= rtol |b|, with one product with A per iteration and two with W.

    The loop is that of :func:`sciml.linalg.krylov.flexible_conjugate_gradients` with the projection for a
    preconditioner: as W^T r = 0, z . r = |r|^2, and its recurrences are those of Saad et al.

    Parameters
    ----------
    matrix : symmetric positive definite, shape (n, n)
    b : right-hand side, shape (n,)
    deflation : of this matrix
    rtol : relative to |b|
    maxiter : the largest number of iterations
    callback : called as callback(iteration, |r| / |b|)

    Returns
    -------
    x and how it was found
    """
    scale = float(np.linalg.norm(b))
    if scale == 0.0:
        return np.zeros_like(b), KrylovResult(Status.CONVERGED, 0, [0.0], true_residual=0.0)
    vectors = MatrixVectors(matrix, matrix.diagonal(), b, deflation.start(b), deflation)
    options = {"maxiter": maxiter, "callback": callback, "guarded": False}
    result = flexible_conjugate_gradients(vectors, rtol * scale, scale, **options)
    return vectors.x, result
