"""Transfers between the levels of the multigrid cycle on the CPU, and the direct solve on the coarsest one."""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import njit, prange
from sciml.linalg.kernels.layout import Array, Triple
from sciml.linalg.kernels.sums import OPTIONS, dot


@kernel(parallel=True, **OPTIONS)
def restrict(fine: Array, steps: Triple, left: Array, right: Array, out: Array) -> None:
    """Set out = P^T fine along the axis whose entry of ``steps`` is 2."""
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    for i in prange(1, n0 + 1):
        for j in range(1, n1 + 1):
            i0, j0 = steps[0] * (i - 1) + 1, steps[1] * (j - 1) + 1
            result, own, low = out[i, j], fine[i0, j0], left[i, j]
            if steps[2] == 2:
                high = right[i, j]
                for k in range(n2):
                    result[k + 1] = own[2 * k + 1] + low[k + 1] * own[2 * k + 2] + high[k] * own[2 * k]
            else:
                d0, d1 = steps[0] - 1, steps[1] - 1
                after, before, high = fine[i0 + d0, j0 + d1], fine[i0 - d0, j0 - d1], right[i - d0, j - d1]
                for k in range(n2 + 2):
                    result[k] = own[k] + low[k] * after[k] + high[k] * before[k]


@kernel(parallel=True, **OPTIONS)
def prolong(coarse: Array, steps: Triple, left: Array, right: Array, out: Array) -> None:
    """Set out = P coarse along the axis whose entry of ``steps`` is 2."""
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    m0, m1, m2 = out.shape[0] - 2, out.shape[1] - 2, out.shape[2] - 2
    for i in prange(1, n0 + 1):
        for j in range(1, n1 + 1):
            i0, j0 = steps[0] * (i - 1) + 1, steps[1] * (j - 1) + 1
            own, low, high = coarse[i, j], left[i, j], right[i, j]
            even = out[i0, j0]
            if steps[2] == 2:
                for k in range(m2 // 2):
                    even[2 * k + 1] = own[k + 1]
                    even[2 * k + 2] = low[k + 1] * own[k + 1] + high[k + 1] * own[k + 2]
                if m2 % 2 == 1:
                    even[m2] = own[n2]
            else:
                for k in range(n2 + 2):
                    even[k] = own[k]
                d0, d1 = steps[0] - 1, steps[1] - 1
                if i0 + d0 <= m0 and j0 + d1 <= m1:
                    odd, after = out[i0 + d0, j0 + d1], coarse[i + d0, j + d1]
                    for k in range(n2 + 2):
                        odd[k] = low[k] * own[k] + high[k] * after[k]


@njit(inline="always")
def _add_where(target: Array, values: Array, scale: Array) -> None:
    for k in range(target.size):
        target[k] += values[k] if scale[k] > 0 else 0


@kernel(parallel=True, **OPTIONS)
def prolong_and_add(coarse: Array, steps: Triple, left: Array, right: Array, inverse: Array, x: Array) -> None:
    """Add P coarse along the axis whose entry of ``steps`` is 2 to x, on the unknowns: P also fills other cells."""
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    m0, m1, m2 = x.shape[0] - 2, x.shape[1] - 2, x.shape[2] - 2
    for i in prange(1, n0 + 1):
        row = np.zeros(m2 + 2, x.dtype)
        for j in range(1, n1 + 1):
            i0, j0 = steps[0] * (i - 1) + 1, steps[1] * (j - 1) + 1
            own, low, high = coarse[i, j], left[i, j], right[i, j]
            if steps[2] == 2:
                for k in range(m2 // 2):
                    row[2 * k + 1] = own[k + 1]
                    row[2 * k + 2] = low[k + 1] * own[k + 1] + high[k + 1] * own[k + 2]
                if m2 % 2 == 1:
                    row[m2] = own[n2]
                _add_where(x[i0, j0], row, inverse[i0, j0])
            else:
                _add_where(x[i0, j0], own, inverse[i0, j0])
                d0, d1 = steps[0] - 1, steps[1] - 1
                if i0 + d0 <= m0 and j0 + d1 <= m1:
                    after = coarse[i + d0, j + d1]
                    for k in range(n2 + 2):
                        row[k] = low[k] * own[k] + high[k] * after[k]
                    _add_where(x[i0 + d0, j0 + d1], row, inverse[i0 + d0, j0 + d1])


@kernel(**OPTIONS)
def solve_dense(inverse: Array, active: Array, b: Array, x: Array) -> None:
    """Set x = inverse b on the active cells. Too small for threads, those of a BLAS included."""
    b, x = b.reshape(-1), x.reshape(-1)
    values = b[active]
    for i in range(active.size):
        x[active[i]] = dot(inverse[i, : active.size], values)
