"""Sparse factors of a symmetric positive definite matrix, scaled by its diagonal and kept for many right-hand sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from sciml.errors import DivergenceError
from sciml.linalg.krylov import Callback, KrylovResult, norm
from sciml.status import Status

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU

    from sciml.linalg.systems import System

CORRECTIONS = 5  # at most; each solves for the true residual
REDUCTION = 0.5  # of the residual by a correction, or rounding has had the last word


def symmetric_factors(matrix: sp.csc_array | sp.csc_matrix) -> SuperLU | None:
    """Return L U = A of a symmetric matrix by SuperLU without pivoting, None if a pivot is 0 in rounding.

    Rows and columns are in the order of minimum degree. By Sylvester's law of inertia, A has as many positive
    eigenvalues as U has positive diagonal entries. Equivalent to ``scipy.sparse.linalg.splu`` in its symmetric mode.
    """
    try:
        return sp.linalg.splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError:
        return None


class SparseFactors:
    """L U = S A S with S = D^-1/2, by :func:`symmetric_factors`.

    Scaling makes the pivots of size 1, whatever the range of the matrix.

    Parameters
    ----------
    matrix : symmetric positive definite, with a positive diagonal

    Raises
    ------
    DivergenceError
        A pivot is lost to rounding.
    """

    def __init__(self, matrix: sp.csr_array) -> None:
        self.scale = 1.0 / np.sqrt(matrix.diagonal())
        scaled = matrix.tocsc(copy=True)
        columns = np.repeat(np.arange(scaled.shape[1]), np.diff(scaled.indptr))
        scaled.data *= self.scale[scaled.indices] * self.scale[columns]
        factors = symmetric_factors(scaled)
        if factors is None:
            raise DivergenceError(
                "the factors lost a pivot to rounding: the matrix is singular, or its entries differ by more than "
                "double precision resolves; narrow their range, or use method='amg'."
            )
        self._factors = factors

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return A^-1 b for b of shape (n,) or (n, several)."""
        scale = self.scale if right.ndim == 1 else self.scale[:, None]
        return scale * self._factors.solve(scale * right)


class FactoredSystem:
    """The factors of a system, with corrections for the true residual.

    A closed component, on which x is determined up to a constant, is factorised without its first unknown.

    Parameters
    ----------
    system : on its grid, or without one
    """

    def __init__(self, system: System) -> None:
        self.mask, self.csr = system.fluid, system.to_csr()
        labels, count = system.closed_components
        of_unknown = labels[self.mask]
        first = np.unique(of_unknown, return_index=True)[1][-count:] if count else []
        self.kept = np.setdiff1d(np.arange(of_unknown.size), first)
        whole = self.kept.size == of_unknown.size
        self.factors = SparseFactors(self.csr if whole else self.csr[self.kept][:, self.kept])

    def __call__(
        self, b: np.ndarray, x0: np.ndarray | None, tolerance: float, scale: float, callback: Callback | None
    ) -> tuple[np.ndarray, KrylovResult]:
        """Solve for one right-hand side, whatever the initial guess; ``scale`` is the norm of b."""
        right = b[self.mask]
        x, r, size = np.zeros(right.size), right, scale
        history = [1.0]
        for _ in range(CORRECTIONS):
            better = x.copy()
            better[self.kept] += self.factors.solve(r[self.kept])
            left = right - self.csr @ better
            before, after = size, norm(left)
            if not after < before:
                break
            x, r, size = better, left, after
            history.append(size / scale)
            if size <= tolerance or size > REDUCTION * before:
                break
        if callback is not None:
            callback(0, size / scale)
        status = Status.CONVERGED if size <= tolerance else Status.STAGNATED
        full = np.zeros(self.mask.shape)
        full[self.mask] = x
        return full, KrylovResult(status, 0, history, true_residual=size / scale)
