"""Set-up kernels on the CPU: interpolation weights and Galerkin products, term by term over slices of flat arrays.

All arrays carry a halo of one cell of zeros on each side, so that no loop asks whether a neighbour exists. Each loop
runs over few arrays: the vectoriser gives up on loops over many that may overlap.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import njit, prange
from sciml.linalg.kernels.layout import Array, Factors, Pair, Triple
from sciml.linalg.kernels.numba_smoother import CHUNK
from sciml.linalg.kernels.stencil import FAINT, LEFT, NEGLIGIBLE, ONE
from sciml.linalg.kernels.sums import OPTIONS


@njit(inline="always")
def add_row(target: Array, source: Array, stride: int) -> None:
    """Add source to target, every cell or every other one of it."""
    if stride == 1:
        for k in range(target.size):
            target[k] += source[k]
    else:
        for k in range(target.size):
            target[k] += source[2 * k]


@njit(inline="always")
def _add_scaled(target: Array, sign: float, source: Array, stride: int) -> None:
    if stride == 1:
        for k in range(target.size):
            target[k] += sign * source[k]
    else:
        for k in range(target.size):
            target[k] += sign * source[2 * k]


@njit(inline="always")
def _add_weighted(target: Array, sign: float, weight: Array, source: Array, stride: int) -> None:
    if stride == 1:
        for k in range(target.size):
            target[k] += sign * weight[k] * source[k]
    else:
        for k in range(target.size):
            target[k] += sign * weight[k] * source[2 * k]


@njit(inline="always")
def _add_twice_weighted(target: Array, sign: float, p: Array, q: Array, source: Array, stride: int) -> None:
    if stride == 1:
        for k in range(target.size):
            target[k] += sign * p[k] * q[k] * source[k]
    else:
        for k in range(target.size):
            target[k] += sign * p[k] * q[k] * source[2 * k]


@njit(inline="always")
def segment(axis: int, i: int, part: int, coarse: Pair, fine: Pair, size: int) -> Triple:
    """Return the flat indices (coarse, fine) and the length of a part of plane i: chunks along axis 0, else rows."""
    c0, c1 = coarse
    f0, f1 = fine
    if axis == 0:
        inside = c1 + 1 + part * CHUNK
        return (i + 1) * c0 + inside, (2 * i + 1) * f0 + inside, min(CHUNK, c0 - c1 - 1 - inside)
    if axis == 1:
        return (i + 1) * c0 + (part + 1) * c1 + 1, (i + 1) * f0 + (2 * part + 1) * f1 + 1, size
    return (i + 1) * c0 + (part + 1) * c1 + 1, (i + 1) * f0 + (part + 1) * f1 + 1, size


@kernel(parallel=True, **OPTIONS)
def seven_point(diagonal: Array, weights: Factors, out: Array) -> None:
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


@kernel(parallel=True, **OPTIONS)
def interpolation_weights(stencil: Array, axis: int, groups: Array, left: Array, right: Array) -> None:
    """Compute the weights l, r of the odd cells along an axis.

    ``groups`` has rows (plane, slot, flat shift from the even cell): the couplings of the odd cell to the plane before
    (0), after (1) and its own (2). One-sided cells lose weight to the Dirichlet boundary beside them; cells coupled
    to neither plane copy the even cell. A faint coupling to a coarse cell that stands for no unknown is dropped.
    """
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    coarse = (left.shape[1] * left.shape[2], left.shape[2])
    fine = (stencil.shape[2] * stencil.shape[3], stencil.shape[3])
    flat, left, right = stencil.reshape(stencil.shape[0], -1), left.reshape(-1), right.reshape(-1)
    diagonal = flat[-1]
    odd = fine[axis] if axis < 2 else 1
    stride = 2 if axis == 2 else 1
    parts = (coarse[0] - 2 * coarse[1] - 2 + CHUNK - 1) // CHUNK if axis == 0 else n1
    tiny, faint = stencil.dtype.type(NEGLIGIBLE), stencil.dtype.type(FAINT)
    for i in prange(n0):
        buffer = np.empty((3, max(CHUNK, n2)), stencil.dtype)
        for part in range(parts):
            c, f, n = segment(axis, i, part, coarse, fine, n2)
            before, after, beside = buffer[0, :n], buffer[1, :n], buffer[2, :n]
            before[:], after[:], beside[:] = 0, 0, 0
            for g in range(groups.shape[0]):
                source = flat[groups[g, 1], f + groups[g, 2] :]
                if groups[g, 0] == 0:
                    add_row(before, source, stride)
                elif groups[g, 0] == 1:
                    add_row(after, source, stride)
                else:
                    add_row(beside, source, stride)
            # Behind the last planes there is nothing to read, and no weight to compute.
            last = diagonal.size - stride * n
            beyond, twice = diagonal[min(f + 2 * odd, last) :], diagonal[min(f + 3 * odd, last) :]
            own, even, low, high = diagonal[f + odd :], diagonal[f:], left[c : c + n], right[c : c + n]
            for k in range(n):
                d = own[stride * k]
                floor = tiny * d
                near, far = max(before[k], 0), max(after[k], 0)
                stands = beyond[stride * k] > 0 or twice[stride * k] > 0
                far = far if stands or far > faint * (near + far) else 0
                lost = d - before[k] - after[k] - beside[k]
                lost = 0 if (near > floor and far > floor) or lost < 10 * floor else lost
                total = near + far + lost
                copies = near + far <= floor or even[stride * k] <= 0
                share = 1 / total if total > 0 else 0
                low[k] = 0 if d <= 0 else (1 if copies else near * share)
                high[k] = 0 if d <= 0 or copies else far * share


@kernel(parallel=True, **OPTIONS)
def galerkin(stencil: Array, axis: int, terms: Array, left: Array, right: Array, out: Array) -> int:
    """Add P^T A P to the zeroed ``out``; return how many coarse cells were dropped, whose couplings are still there.

    ``terms`` has rows (slot, source, sign, fine shift, p, p shift, q, q shift), the shifts flat; see
    :class:`sciml.linalg.kernels.stencil.Term`.
    """
    n0, n1, n2 = left.shape[0] - 2, left.shape[1] - 2, left.shape[2] - 2
    coarse = (left.shape[1] * left.shape[2], left.shape[2])
    fine = (stencil.shape[2] * stencil.shape[3], stencil.shape[3])
    source, target = stencil.reshape(stencil.shape[0], -1), out.reshape(out.shape[0], -1)
    low, high = left.reshape(-1), right.reshape(-1)
    stride = 2 if axis == 2 else 1
    parts = (coarse[0] - 2 * coarse[1] - 2 + CHUNK - 1) // CHUNK if axis == 0 else n1
    one = stencil.dtype.type(1)
    dropped = 0
    for i in prange(n0):
        for part in range(parts):
            c, f, n = segment(axis, i, part, coarse, fine, n2)
            for t in range(terms.shape[0]):
                row = target[terms[t, 0], c : c + n]
                values = source[terms[t, 1], f + terms[t, 3] :]
                sign = one if terms[t, 2] > 0 else -one
                p_at, q_at = c + terms[t, 5], c + terms[t, 7]
                p = low[p_at : p_at + n] if terms[t, 4] == LEFT else high[p_at : p_at + n]
                q = low[q_at : q_at + n] if terms[t, 6] == LEFT else high[q_at : q_at + n]
                if terms[t, 4] == ONE and terms[t, 6] == ONE:
                    _add_scaled(row, sign, values, stride)
                elif terms[t, 4] == ONE:
                    _add_weighted(row, sign, q, values, stride)
                elif terms[t, 6] == ONE:
                    _add_weighted(row, sign, p, values, stride)
                else:
                    _add_twice_weighted(row, sign, p, q, values, stride)
            step = fine[axis] if axis < 2 else 1
            back = coarse[axis] if axis < 2 else 1
            diagonal = source[-1]
            own, after, before = diagonal[f:], diagonal[f + step :], diagonal[f - step :]
            result, mine, others = target[-1, c : c + n], low[c : c + n], high[c - back :]
            dropped += _drop_isolated(result, own, after, before, mine, others, stride)
    return dropped


@njit(inline="always")
def _drop_isolated(result: Array, own: Array, after: Array, before: Array, low: Array, high: Array, stride: int) -> int:
    """Clear coarse diagonals that are rounding errors: of cells that stand for a closed component, or for no cell."""
    floor = result.dtype.type(10 * NEGLIGIBLE)
    dropped = 0
    for k in range(result.size):
        e, a, b = own[stride * k], after[stride * k], before[stride * k]
        size = e + low[k] ** 2 * a + high[k] ** 2 * b
        drop = result[k] < floor * size or size < floor * (e + a + b)
        dropped += drop and result[k] != 0
        result[k] = 0 if drop else result[k]
    return dropped


@kernel(parallel=True, **OPTIONS)
def drop_couplings(stencil: Array, shifts: Array) -> None:
    """Clear the couplings of cells whose diagonal is 0; ``shifts`` are the flat ones of the stencil's offsets.

    What is left is the operator of the other cells alone, and as positive as the whole.
    """
    flat = stencil.reshape(stencil.shape[0], -1)
    margin = stencil.shape[2] * stencil.shape[3] + stencil.shape[3] + 1
    for slot in prange(shifts.size):
        row, diagonal, there = flat[slot], flat[-1], flat[-1, margin + shifts[slot] :]
        for c in range(margin, row.size - margin):
            if diagonal[c] <= 0 or there[c - margin] <= 0:
                row[c] = 0


@kernel(parallel=True, **OPTIONS)
def inverse_diagonal(stencil: Array, groups: Array, out: Array) -> None:
    """Set 1 / max(d, (d + sum |w|) / 2), 0 where d = 0, for which all eigenvalues of D^-1 A are at most 2.

    ``groups`` has rows (plane, slot, flat shift) of all couplings of a cell; without rows this is 1 / d.
    """
    margin = out.shape[1] * out.shape[2] + out.shape[2] + 1
    flat, out = stencil.reshape(stencil.shape[0], -1), out.reshape(-1)
    stop = out.size - margin
    for c in prange((stop - margin + CHUNK - 1) // CHUNK):
        low = margin + c * CHUNK
        high = min(low + CHUNK, stop)
        own, result = flat[-1, low:high], out[low:high]
        total = own.copy()
        for g in range(groups.shape[0]):
            row = flat[groups[g, 1], low + groups[g, 2] : high + groups[g, 2]]
            for k in range(high - low):
                total[k] += abs(row[k])
        for k in range(high - low):
            result[k] = 1 / max(own[k], total[k] / 2) if own[k] > 0 else 0
