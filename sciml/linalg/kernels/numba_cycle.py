"""Kernels of the multigrid cycle on the CPU: smoothing, residual, restriction and prolongation.

All arrays carry a halo of one cell of zeros. A smoothing step is one step of the three-term Chebyshev recurrence,

    x_new = a x + s D^-1 (b - A x) - g x_old,

written over x_old. The 7-point kernels take the couplings along the three axes as numbers (constant coefficient: x is 0
off the fluid, so no couplings need to be read at all) or as arrays; both use that D is the diagonal of A there.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

_OPTIONS = {"fastmath": True, "nogil": True, "cache": True}


def _add_seven(acc, x, weights, i, j, n):  # noqa: ANN001, ANN202
    """acc += sum of w x over the six neighbours of the row (i, j)."""
    raise TypeError("to be called from compiled code")


@overload(_add_seven, inline="always")
def _add_seven_typed(acc, x, weights, i, j, n):  # noqa: ANN001, ANN202
    if isinstance(weights.dtype, types.Float):

        def constant(acc, x, weights, i, j, n):  # noqa: ANN001, ANN202
            own, north, south, east, west = x[i, j], x[i - 1, j], x[i + 1, j], x[i, j - 1], x[i, j + 1]
            w0, w1, w2 = weights
            for k in range(n):
                acc[k] += (
                    w0 * (north[k + 1] + south[k + 1]) + w1 * (east[k + 1] + west[k + 1]) + w2 * (own[k] + own[k + 2])
                )

        return constant

    def variable(acc, x, weights, i, j, n):  # noqa: ANN001, ANN202
        w0, w1, w2 = weights
        own, north, south, east, west = x[i, j], x[i - 1, j], x[i + 1, j], x[i, j - 1], x[i, j + 1]
        before, after, along = w0[i - 1, j], w0[i, j], w2[i, j]
        for k in range(n):
            acc[k] += before[k + 1] * north[k + 1] + after[k + 1] * south[k + 1]
        before, after = w1[i, j - 1], w1[i, j]
        for k in range(n):
            acc[k] += before[k + 1] * east[k + 1] + after[k + 1] * west[k + 1]
        for k in range(n):
            acc[k] += along[k] * own[k] + along[k + 1] * own[k + 2]

    return variable


@njit(inline="always")
def _add_three(acc, w0, w1, w2, shift, x, n):  # noqa: ANN001, ANN202
    for k in range(n):
        acc[k] += (
            w0[k + 1 - shift] * x[k] + w1[k + 1] * x[k + 1] + w2[k + 1 + shift] * x[k + 2]
        )


@njit(inline="always")
def _add_full(acc, x, s, i, j, n):  # noqa: ANN001, ANN202
    """acc += sum of w x over the 26 neighbours, less d x; s holds the 13 forward couplings and the diagonal."""
    own, along, diagonal = x[i, j], s[0, i, j], s[13, i, j]
    for k in range(n):
        acc[k] += along[k + 1] * own[k + 2] + along[k] * own[k] - diagonal[k + 1] * own[k + 1]
    _add_three(acc, s[1, i, j], s[2, i, j], s[3, i, j], 0, x[i, j + 1], n)
    _add_three(acc, s[3, i, j - 1], s[2, i, j - 1], s[1, i, j - 1], 1, x[i, j - 1], n)
    for q in range(3):
        f = 4 + 3 * q
        _add_three(acc, s[f, i, j], s[f + 1, i, j], s[f + 2, i, j], 0, x[i + 1, j + q - 1], n)
        back = j + 1 - q
        _add_three(acc, s[f + 2, i - 1, back], s[f + 1, i - 1, back], s[f, i - 1, back], 1, x[i - 1, back], n)


@njit(parallel=True, **_OPTIONS)
def start(b, inverse, step, out):  # noqa: ANN001, ANN201
    """First smoothing step from x = 0: out = step D^-1 b."""
    n0, n1, n2 = b.shape
    for i in prange(1, n0 - 1):
        for j in range(1, n1 - 1):
            right, scale, row = b[i, j], inverse[i, j], out[i, j]
            for k in range(n2):
                row[k] = step * scale[k] * right[k]


@njit(parallel=True, **_OPTIONS)
def smooth_seven(x, old, b, inverse, weights, factors):  # noqa: ANN001, ANN201
    """Chebyshev step of a 7-point level, written over ``old``; factors are a, s, g."""
    n0, n1, n2 = x.shape[0] - 2, x.shape[1] - 2, x.shape[2] - 2
    a, s, g = factors
    for i in prange(1, n0 + 1):
        acc = np.empty(n2, x.dtype)
        for j in range(1, n1 + 1):
            right, scale, row, out = b[i, j], inverse[i, j], x[i, j], old[i, j]
            for k in range(n2):
                acc[k] = right[k + 1]
            _add_seven(acc, x, weights, i, j, n2)
            for k in range(n2):
                out[k + 1] = (a - s) * row[k + 1] + s * scale[k + 1] * acc[k] - g * out[k + 1]


@njit(parallel=True, **_OPTIONS)
def smooth_full(x, old, b, inverse, stencil, factors):  # noqa: ANN001, ANN201
    """Chebyshev step of a 27-point level, written over ``old``; factors are a, s, g."""
    n0, n1, n2 = x.shape[0] - 2, x.shape[1] - 2, x.shape[2] - 2
    a, s, g = factors
    for i in prange(1, n0 + 1):
        acc = np.empty(n2, x.dtype)
        for j in range(1, n1 + 1):
            right, scale, row, out = b[i, j], inverse[i, j], x[i, j], old[i, j]
            for k in range(n2):
                acc[k] = right[k + 1]
            _add_full(acc, x, stencil, i, j, n2)
            for k in range(n2):
                out[k + 1] = a * row[k + 1] + s * scale[k + 1] * acc[k] - g * out[k + 1]


@njit(parallel=True, **_OPTIONS)
def residual_seven(x, b, inverse, weights, out):  # noqa: ANN001, ANN201
    """out = b - A x of a 7-point level; A's diagonal is read off its inverse."""
    n0, n1, n2 = x.shape[0] - 2, x.shape[1] - 2, x.shape[2] - 2
    for i in prange(1, n0 + 1):
        acc = np.empty(n2, x.dtype)
        for j in range(1, n1 + 1):
            right, scale, row, result = b[i, j], inverse[i, j], x[i, j], out[i, j]
            for k in range(n2):
                acc[k] = right[k + 1]
            _add_seven(acc, x, weights, i, j, n2)
            for k in range(n2):
                result[k + 1] = acc[k] - row[k + 1] / scale[k + 1] if scale[k + 1] > 0 else 0


@njit(parallel=True, **_OPTIONS)
def residual_full(x, b, inverse, stencil, out):  # noqa: ANN001, ANN201
    """out = b - A x of a 27-point level."""
    n0, n1, n2 = x.shape[0] - 2, x.shape[1] - 2, x.shape[2] - 2
    for i in prange(1, n0 + 1):
        acc = np.empty(n2, x.dtype)
        for j in range(1, n1 + 1):
            right, scale, result = b[i, j], inverse[i, j], out[i, j]
            for k in range(n2):
                acc[k] = right[k + 1]
            _add_full(acc, x, stencil, i, j, n2)
            for k in range(n2):
                result[k + 1] = acc[k] if scale[k + 1] > 0 else 0


@njit(parallel=True, **_OPTIONS)
def restrict(fine, steps, left, right, out):  # noqa: ANN001, ANN201
    """out = P^T fine along the axis whose entry of ``steps`` is 2."""
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    for i in prange(1, n0 + 1):
        for j in range(1, n1 + 1):
            i0, j0 = steps[0] * (i - 1) + 1, steps[1] * (j - 1) + 1
            result, own, low = out[i, j], fine[i0, j0], left[i, j]
            if steps[2] == 2:
                high = right[i, j]
                for k in range(1, n2 + 1):
                    result[k] = own[2 * k - 1] + low[k] * own[2 * k] + high[k - 1] * own[2 * k - 2]
            else:
                d0, d1 = steps[0] - 1, steps[1] - 1
                after, before, high = fine[i0 + d0, j0 + d1], fine[i0 - d0, j0 - d1], right[i - d0, j - d1]
                for k in range(1, n2 + 1):
                    result[k] = own[k] + low[k] * after[k] + high[k] * before[k]


@njit(parallel=True, **_OPTIONS)
def prolong(coarse, steps, left, right, out):  # noqa: ANN001, ANN201
    """out = P coarse along the axis whose entry of ``steps`` is 2."""
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    m0, m1, m2 = out.shape[0] - 2, out.shape[1] - 2, out.shape[2] - 2
    for i in prange(1, n0 + 1):
        for j in range(1, n1 + 1):
            i0, j0 = steps[0] * (i - 1) + 1, steps[1] * (j - 1) + 1
            own, low, high = coarse[i, j], left[i, j], right[i, j]
            even = out[i0, j0]
            if steps[2] == 2:
                for k in range(1, m2 // 2 + 1):
                    even[2 * k - 1] = own[k]
                    even[2 * k] = low[k] * own[k] + high[k] * own[k + 1]
                if m2 % 2 == 1:
                    even[m2] = own[n2]
            else:
                for k in range(1, n2 + 1):
                    even[k] = own[k]
                d0, d1 = steps[0] - 1, steps[1] - 1
                if i0 + d0 <= m0 and j0 + d1 <= m1:
                    odd, after = out[i0 + d0, j0 + d1], coarse[i + d0, j + d1]
                    for k in range(1, n2 + 1):
                        odd[k] = low[k] * own[k] + high[k] * after[k]


@njit(parallel=True, **_OPTIONS)
def add_on_fluid(correction, inverse, x):  # noqa: ANN001, ANN201
    """x += correction where the cell is an unknown: interpolation also fills cells that are not."""
    n0, n1, n2 = x.shape
    for i in prange(1, n0 - 1):
        for j in range(1, n1 - 1):
            values, scale, row = correction[i, j], inverse[i, j], x[i, j]
            for k in range(n2):
                if scale[k] > 0:
                    row[k] += values[k]
