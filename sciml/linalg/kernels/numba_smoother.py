"""The smoother of the multigrid cycle on the CPU, and the residual: compiled, threaded loops over stencils.

All arrays carry a halo of one cell of zeros, so a neighbour is a fixed distance away in memory and a kernel runs over
the flat array, halo and all: what it computes on the halo and off the fluid is 0 because D^-1 is 0 there. The work is
cut into chunks that fit the cache; ``chunks`` lists those that hold unknowns, and the others are never touched.

A smoothing step is one step of the three-term Chebyshev recurrence, written over x_old,

    x_new = a x + s D^-1 (b - A x) - g x_old.

Slices are taken before each loop and then indexed from 0: the compiler vectorises only loops whose indices cannot be
negative, over few arrays that may overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import njit, overload, prange, types
from sciml.linalg.kernels.layout import Array, Factors, Pair, Weights
from sciml.linalg.kernels.sums import OPTIONS

CHUNK = 4096


def active_chunks(shape: Sequence[int], inverse: Array) -> Array:
    """Return the ranges (start, stop) of the flat array, at most CHUNK long, that hold unknowns."""
    margin = (shape[1] + 2) * (shape[2] + 2) + (shape[2] + 2) + 1
    starts = np.arange(margin, inverse.size - margin, CHUNK)
    ranges = np.stack([starts, np.minimum(starts + CHUNK, inverse.size - margin)], axis=1)
    return ranges[_holds_unknowns(inverse, ranges)]


@kernel(parallel=True, **OPTIONS)
def _holds_unknowns(inverse: Array, ranges: Array) -> Array:
    inverse = inverse.reshape(-1)
    result = np.zeros(ranges.shape[0], np.bool_)
    for c in prange(ranges.shape[0]):
        for value in inverse[ranges[c, 0] : ranges[c, 1]]:
            if value > 0:
                result[c] = True
                break
    return result


def _sum_seven(
    acc: Array, x: Array, b: Array, sign: float, weights: Weights, low: int, high: int, strides: Pair
) -> None:
    """Set acc = b + sign sum of w x over the six neighbours."""
    raise TypeError("to be called from compiled code")


@overload(_sum_seven, inline="always")
def _sum_seven_typed(
    acc: Array, x: Array, b: Array, sign: float, weights: Weights, low: int, high: int, strides: Pair
) -> Callable:
    if isinstance(weights.dtype, types.Float):

        def constant(
            acc: Array, x: Array, b: Array, sign: float, weights: Weights, low: int, high: int, strides: Pair
        ) -> None:
            north, south, east, west, own = _neighbours(x, low, high, strides)
            w0, w1, w2 = sign * weights[0], sign * weights[1], sign * weights[2]
            for k in range(high - low):
                acc[k] = b[k] + w0 * (north[k] + south[k]) + w1 * (east[k] + west[k]) + w2 * (own[k] + own[k + 2])

        return constant

    def variable(
        acc: Array, x: Array, b: Array, sign: float, weights: Weights, low: int, high: int, strides: Pair
    ) -> None:
        north, south, east, west, own = _neighbours(x, low, high, strides)
        s0, s1 = strides
        w0, w1, along = weights[0].reshape(-1), weights[1].reshape(-1), weights[2].reshape(-1)[low - 1 : high]
        before, after = w0[low - s0 : high - s0], w0[low:high]
        for k in range(high - low):
            acc[k] = b[k] + sign * (before[k] * north[k] + after[k] * south[k])
        before, after = w1[low - s1 : high - s1], w1[low:high]
        for k in range(high - low):
            acc[k] += sign * (before[k] * east[k] + after[k] * west[k] + along[k] * own[k] + along[k + 1] * own[k + 2])

    return variable


def _relax_seven(
    out: Array,
    x: Array,
    b: Array,
    inverse: Array,
    weights: Weights,
    factors: Factors,
    low: int,
    high: int,
    strides: Pair,
) -> None:
    """Set out = a x + s D^-1 (b - A x) - g out on a chunk, D being the diagonal of A."""
    raise TypeError("to be called from compiled code")


@overload(_relax_seven, inline="always")
def _relax_seven_typed(
    out: Array,
    x: Array,
    b: Array,
    inverse: Array,
    weights: Weights,
    factors: Factors,
    low: int,
    high: int,
    strides: Pair,
) -> Callable:
    if isinstance(weights.dtype, types.Float):

        def constant(
            out: Array,
            x: Array,
            b: Array,
            inverse: Array,
            weights: Weights,
            factors: Factors,
            low: int,
            high: int,
            strides: Pair,
        ) -> None:
            # The sum of the neighbours again, in one loop with the update: a third less time than with a buffer.
            north, south, east, west, own = _neighbours(x, low, high, strides)
            w0, w1, w2 = weights
            a, s, g = factors
            for k in range(high - low):
                acc = b[k] + w0 * (north[k] + south[k]) + w1 * (east[k] + west[k]) + w2 * (own[k] + own[k + 2])
                out[k] = (a - s) * own[k + 1] + s * inverse[k] * acc - g * out[k]

        return constant

    def variable(
        out: Array,
        x: Array,
        b: Array,
        inverse: Array,
        weights: Weights,
        factors: Factors,
        low: int,
        high: int,
        strides: Pair,
    ) -> None:
        a, s, g = factors
        acc, own = np.empty(high - low, x.dtype), x[low:high]
        _sum_seven(acc, x, b, 1, weights, low, high, strides)
        for k in range(high - low):
            out[k] = (a - s) * own[k] + s * inverse[k] * acc[k] - g * out[k]

    return variable


def multiply_seven(out: Array, x: Array, diagonal: Array, weights: Weights, low: int, high: int, strides: Pair) -> None:
    """Set out = A x on a chunk, 0 off the unknowns."""
    raise TypeError("to be called from compiled code")


@overload(multiply_seven, inline="always")
def _multiply_seven_typed(
    out: Array, x: Array, diagonal: Array, weights: Weights, low: int, high: int, strides: Pair
) -> Callable:
    if isinstance(weights.dtype, types.Float):

        def constant(
            out: Array, x: Array, diagonal: Array, weights: Weights, low: int, high: int, strides: Pair
        ) -> None:
            north, south, east, west, own = _neighbours(x, low, high, strides)
            w0, w1, w2 = weights
            for k in range(high - low):
                acc = w0 * (north[k] + south[k]) + w1 * (east[k] + west[k]) + w2 * (own[k] + own[k + 2])
                out[k] = diagonal[k] * own[k + 1] - acc if diagonal[k] > 0 else 0

        return constant

    def variable(out: Array, x: Array, diagonal: Array, weights: Weights, low: int, high: int, strides: Pair) -> None:
        _sum_seven(out, x, diagonal * x[low:high], -1, weights, low, high, strides)
        for k in range(high - low):
            out[k] = out[k] if diagonal[k] > 0 else 0

    return variable


@njit(inline="always")
def _neighbours(x: Array, low: int, high: int, strides: Pair) -> tuple[Array, ...]:
    """Return slices of x one row or plane away, and the chunk itself with one value more on each end."""
    s0, s1 = strides
    return (
        x[low - s0 : high - s0],
        x[low + s0 : high + s0],
        x[low - s1 : high - s1],
        x[low + s1 : high + s1],
        x[low - 1 : high + 1],
    )


@njit(inline="always")
def _add_three(acc: Array, x: Array, w0: Array, w1: Array, w2: Array, n: int) -> None:
    for k in range(n):
        acc[k] += w0[k] * x[k] + w1[k] * x[k + 1] + w2[k] * x[k + 2]


@njit(inline="always")
def _add_full(acc: Array, x: Array, s: Array, low: int, high: int, strides: Pair) -> None:
    """Add the sum of w x over the 26 neighbours, less d x; s holds 13 forward couplings and the diagonal, flat."""
    s0, s1 = strides
    n = high - low
    own, along, diagonal = x[low - 1 : high + 1], s[0, low - 1 : high], s[13, low:high]
    for k in range(n):
        acc[k] += along[k + 1] * own[k + 2] + along[k] * own[k] - diagonal[k] * own[k + 1]
    for row in range(4):
        first = 1 + 3 * row
        distance = s1 if row == 0 else s0 + (row - 2) * s1
        _add_three(
            acc,
            x[low + distance - 1 : high + distance + 1],
            s[first, low:high],
            s[first + 1, low:high],
            s[first + 2, low:high],
            n,
        )
        a, b = low - distance, high - distance
        _add_three(acc, x[a - 1 : b + 1], s[first + 2, a - 1 : b], s[first + 1, a:b], s[first, a + 1 : b + 1], n)


@kernel(parallel=True, **OPTIONS)
def start(b: Array, inverse: Array, step: float, chunks: Array, out: Array) -> None:
    """Set out = step D^-1 b, the first smoothing step from x = 0."""
    b, inverse, out = b.reshape(-1), inverse.reshape(-1), out.reshape(-1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        right, scale, result = b[low:high], inverse[low:high], out[low:high]
        for k in range(high - low):
            result[k] = step * scale[k] * right[k]


@kernel(parallel=True, **OPTIONS)
def smooth_seven(
    x: Array, old: Array, b: Array, inverse: Array, weights: Weights, factors: Factors, chunks: Array
) -> None:
    """Carry out a Chebyshev step of a 7-point level, written over ``old``; factors are a, s, g; D = diag(A)."""
    strides = (x.shape[1] * x.shape[2], x.shape[2])
    x, old, b, inverse = x.reshape(-1), old.reshape(-1), b.reshape(-1), inverse.reshape(-1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        _relax_seven(old[low:high], x, b[low:high], inverse[low:high], weights, factors, low, high, strides)


@kernel(parallel=True, **OPTIONS)
def smooth_full(
    x: Array, old: Array, b: Array, inverse: Array, stencil: Array, factors: Factors, chunks: Array
) -> None:
    """Carry out a Chebyshev step of a 27-point level, written over ``old``; factors are a, s, g."""
    strides = (x.shape[1] * x.shape[2], x.shape[2])
    x, old, b, inverse = x.reshape(-1), old.reshape(-1), b.reshape(-1), inverse.reshape(-1)
    stencil = stencil.reshape(stencil.shape[0], -1)
    a, s, g = factors
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        acc = b[low:high].copy()
        _add_full(acc, x, stencil, low, high, strides)
        scale, own, out = inverse[low:high], x[low:high], old[low:high]
        for k in range(high - low):
            out[k] = a * own[k] + s * scale[k] * acc[k] - g * out[k]


@kernel(parallel=True, **OPTIONS)
def residual_seven(x: Array, b: Array, inverse: Array, weights: Weights, chunks: Array, out: Array) -> None:
    """Set out = b - A x of a 7-point level; A's diagonal is read off its inverse."""
    strides = (x.shape[1] * x.shape[2], x.shape[2])
    x, out, b, inverse = x.reshape(-1), out.reshape(-1), b.reshape(-1), inverse.reshape(-1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        acc = np.empty(high - low, x.dtype)
        _sum_seven(acc, x, b[low:high], 1, weights, low, high, strides)
        scale, own, result = inverse[low:high], x[low:high], out[low:high]
        for k in range(high - low):
            result[k] = acc[k] - own[k] / scale[k] if scale[k] > 0 else 0


@kernel(parallel=True, **OPTIONS)
def residual_full(x: Array, b: Array, inverse: Array, stencil: Array, chunks: Array, out: Array) -> None:
    """Set out = b - A x of a 27-point level."""
    strides = (x.shape[1] * x.shape[2], x.shape[2])
    x, out, b, inverse = x.reshape(-1), out.reshape(-1), b.reshape(-1), inverse.reshape(-1)
    stencil = stencil.reshape(stencil.shape[0], -1)
    for c in prange(chunks.shape[0]):
        low, high = chunks[c, 0], chunks[c, 1]
        acc = b[low:high].copy()
        _add_full(acc, x, stencil, low, high, strides)
        scale, result = inverse[low:high], out[low:high]
        for k in range(high - low):
            result[k] = acc[k] if scale[k] > 0 else 0
