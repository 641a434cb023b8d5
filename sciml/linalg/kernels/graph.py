"""The kernel of graph Laplacians: the product by differences along the edges."""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel


@kernel()
def multiply_by_differences(
    indptr: np.ndarray, indices: np.ndarray, entries: np.ndarray, surplus: np.ndarray, x: np.ndarray, y: np.ndarray
) -> None:
    """Set y_i = surplus_i x_i + sum_j |a_ij| (x_i - x_j), for a matrix in rows whose sums are ``surplus``.

    The diagonal entry of a row meets the difference 0. Rounding is relative to the fluxes |a_ij| |x_i - x_j|.
    """
    for row in range(surplus.shape[0]):
        own = x[row]
        total = surplus[row] * own
        for k in range(indptr[row], indptr[row + 1]):
            total -= entries[k] * (own - x[indices[k]])
        y[row] = total
