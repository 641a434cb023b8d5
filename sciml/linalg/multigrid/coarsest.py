"""The direct solver on the coarsest level: a dense inverse that leaves out null vectors."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from sciml.linalg.kernels.stencil import FORWARD

if TYPE_CHECKING:
    import torch

# Eigenvalues of the scaled coarsest operator below this are null vectors of closed fluid components.
NULL_TOLERANCE = 1e-5


def dense_inverse(stencil: np.ndarray | torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the inverse of a 27-point operator over its active cells, and their flat indices, halo counted.

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
