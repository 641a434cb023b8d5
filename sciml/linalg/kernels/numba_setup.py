"""Set-up kernels on the CPU: interpolation weights and Galerkin products, row by row so that the compiler vectorises.

All arrays carry a halo of one cell of zeros on each side, so that no loop asks whether a neighbour exists. Loops are cut
into short ones over few arrays because the vectoriser gives up on loops with many possibly overlapping arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from sciml.linalg.kernels.stencil import LEFT, NEGLIGIBLE, ONE

_OPTIONS = {"fastmath": True, "nogil": True, "cache": True}


@njit(inline="always")
def _add_strided(target, source, start, stride, n):  # noqa: ANN001, ANN202
    if stride == 1:
        for k in range(n):
            target[k] += source[start + k]
    else:
        for k in range(n):
            target[k] += source[start + 2 * k]


@njit(inline="always")
def _add_product(target, p, p0, source, start, stride, q, q0, n):  # noqa: ANN001, ANN202
    if stride == 1:
        for k in range(n):
            target[k] += p[p0 + k] * source[start + k] * q[q0 + k]
    else:
        for k in range(n):
            target[k] += p[p0 + k] * source[start + 2 * k] * q[q0 + k]


@njit(parallel=True, **_OPTIONS)
def seven_point(diagonal, weights, out):  # noqa: ANN001, ANN201
    """Fill the stencil (z, y, x couplings, diagonal) of equal couplings between neighbours of positive diagonal."""
    n0, n1, n2 = diagonal.shape
    for i in prange(n0):
        for j in range(n1):
            row = diagonal[i, j]
            own, z, y, x = out[3, i + 1, j + 1], out[0, i + 1, j + 1], out[1, i + 1, j + 1], out[2, i + 1, j + 1]
            for k in range(n2):
                own[k + 1] = row[k]
            for k in range(n2 - 1):
                z[k + 1] = weights[2] if row[k] > 0 and row[k + 1] > 0 else 0
            if j + 1 < n1:
                other = diagonal[i, j + 1]
                for k in range(n2):
                    y[k + 1] = weights[1] if row[k] > 0 and other[k] > 0 else 0
            if i + 1 < n0:
                other = diagonal[i + 1, j]
                for k in range(n2):
                    x[k + 1] = weights[0] if row[k] > 0 and other[k] > 0 else 0


@njit(parallel=True, **_OPTIONS)
def interpolation_weights(stencil, steps, groups, left, right):  # noqa: ANN001, ANN201
    """Weights l, r of the odd cells along the axis whose entry of ``steps`` is 2.

    ``groups`` has rows (plane, slot, shift): the couplings of a cell to the plane before (0), after (1) and its own (2).
    One-sided cells lose weight to the Dirichlet boundary beside them; cells coupled to neither plane copy the even cell.
    """
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    diagonal = stencil[-1]
    h, s = steps[2], 2 if steps[2] == 2 else 1
    o0, o1, o2 = steps[0] - 1, steps[1] - 1, steps[2] - 1
    tiny = stencil.dtype.type(NEGLIGIBLE)
    for i in prange(n0):
        sums = np.zeros((3, n2), stencil.dtype)
        for j in range(n1):
            i0, j0 = steps[0] * i + 1, steps[1] * j + 1
            sums[:] = 0
            for g in range(groups.shape[0]):
                row = stencil[groups[g, 1], i0 + o0 + groups[g, 2], j0 + o1 + groups[g, 3]]
                _add_strided(sums[groups[g, 0]], row, 1 + o2 + groups[g, 4], s, n2)
            before, after, beside = sums[0], sums[1], sums[2]
            own, even = diagonal[i0 + o0, j0 + o1], diagonal[i0, j0]
            out_left, out_right = left[i + 1, j + 1], right[i + 1, j + 1]
            for k in range(n2):
                d = own[1 + o2 + h * k]
                floor = tiny * d
                low, high = max(before[k], 0), max(after[k], 0)
                lost = d - before[k] - after[k] - beside[k]
                if (low > floor and high > floor) or lost < 10 * floor:
                    lost = 0
                if d <= 0:
                    out_left[k + 1], out_right[k + 1] = 0, 0
                elif low + high <= floor or even[1 + h * k] <= 0:
                    out_left[k + 1], out_right[k + 1] = 1, 0
                else:
                    total = low + high + lost
                    out_left[k + 1], out_right[k + 1] = low / total, high / total


@njit(inline="always")
def _drop_isolated(result, diagonal, steps, left, right, place, n):  # noqa: ANN001, ANN202
    """Clear coarse diagonals that are rounding errors: of cells that stand for a closed component, or for no cell."""
    i, j = place
    d0, d1, d2, h = steps[0] - 1, steps[1] - 1, steps[2] - 1, steps[2]
    i0, j0 = steps[0] * i + 1, steps[1] * j + 1
    own, after, before = diagonal[i0, j0], diagonal[i0 + d0, j0 + d1], diagonal[i0 - d0, j0 - d1]
    low, high = left[i + 1, j + 1], right[i + 1 - d0, j + 1 - d1]
    floor = result.dtype.type(10 * NEGLIGIBLE)
    for k in range(n):
        e, a, b = own[1 + h * k], after[1 + h * k + d2], before[1 + h * k - d2]
        size = e + low[1 + k] ** 2 * a + high[1 + k - d2] ** 2 * b
        if result[1 + k] < floor * size or size < floor * (e + a + b):
            result[1 + k] = 0


@njit(parallel=True, **_OPTIONS)
def galerkin(stencil, steps, terms, left, right, out):  # noqa: ANN001, ANN201
    """Add the terms of P^T A P (rows of :func:`sciml.linalg.kernels.stencil.term_table`) into the zeroed ``out``."""
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    s = steps[2]
    ones = np.ones(n2 + 2, stencil.dtype)
    for i in prange(n0):
        minus = np.empty((2, n2 + 2), stencil.dtype)
        for j in range(n1):
            i0, j0 = steps[0] * i + 1, steps[1] * j + 1
            for t in range(terms.shape[0]):
                source = stencil[terms[t, 1], i0 + terms[t, 3], j0 + terms[t, 4]]
                if terms[t, 6] == ONE:
                    p = ones
                elif terms[t, 6] == LEFT:
                    p = left[i + 1 + terms[t, 7], j + 1 + terms[t, 8]]
                else:
                    p = right[i + 1 + terms[t, 7], j + 1 + terms[t, 8]]
                if terms[t, 10] == ONE:
                    q = ones
                elif terms[t, 10] == LEFT:
                    q = left[i + 1 + terms[t, 11], j + 1 + terms[t, 12]]
                else:
                    q = right[i + 1 + terms[t, 11], j + 1 + terms[t, 12]]
                target = out[terms[t, 0], i + 1, j + 1, 1:]
                p0, q0 = 1 + terms[t, 9], 1 + terms[t, 13]
                if terms[t, 6] == ONE:
                    p0 = 1
                if terms[t, 10] == ONE:
                    q0 = 1
                if terms[t, 2] < 0:
                    for k in range(n2):
                        minus[0, k] = -p[p0 + k]
                    p, p0 = minus[0], 0
                _add_product(target, p, p0, source, 1 + terms[t, 5], s, q, q0, n2)
            _drop_isolated(out[-1, i + 1, j + 1], stencil[-1], steps, left, right, (i, j), n2)


@njit(parallel=True, **_OPTIONS)
def inverse_diagonal(stencil, groups, out):  # noqa: ANN001, ANN201
    """1 / max(d, (d + sum |w|) / 2), 0 where d = 0: the scaling for which all eigenvalues of D^-1 A are at most 2."""
    n0, n1, n2 = out.shape[0] - 2, out.shape[1] - 2, out.shape[2] - 2
    for i in prange(n0):
        total = np.empty(n2, stencil.dtype)
        for j in range(n1):
            own = stencil[-1, i + 1, j + 1]
            for k in range(n2):
                total[k] = own[k + 1]
            for g in range(groups.shape[0]):
                row = stencil[groups[g, 1], i + 1 + groups[g, 2], j + 1 + groups[g, 3]]
                start = 1 + groups[g, 4]
                for k in range(n2):
                    total[k] += abs(row[start + k])
            result = out[i + 1, j + 1]
            for k in range(n2):
                d = own[k + 1]
                result[k + 1] = 1 / max(d, total[k] / 2) if d > 0 else 0
