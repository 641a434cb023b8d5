"""Sparse factors of a symmetric positive definite matrix, scaled by its diagonal and kept for many right-hand sides."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from sciml.errors import DivergenceError


class SparseFactors:
    """L U = S A S with S = D^-1/2, by SuperLU without pivoting, in the order of minimum degree.

    Scaling makes the pivots of size 1, whatever the range of the matrix. Equivalent to ``scipy.sparse.linalg.splu`` of
    the scaled matrix.

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
        try:
            self._factors = sp.linalg.splu(
                scaled, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:
            raise DivergenceError(
                "the factors lost a pivot to rounding: the matrix is singular, or its entries differ by more than "
                "double precision resolves; narrow their range, or use method='amg'."
            ) from None

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return A^-1 b for b of shape (n,) or (n, several)."""
        scale = self.scale if right.ndim == 1 else self.scale[:, None]
        return scale * self._factors.solve(scale * right)
