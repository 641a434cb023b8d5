"""The learned interpolation weights on the CPU: relaxation and network in one pass over the odd cells.

What :class:`~sciml.dcdm.learned_multigrid.LearnedRules` says in differentiable tensor expressions, without temporaries
of the size of the grid. The network works on batches of cells that stay in the cache, the cells along the last axis.
The layout of the arrays is that of :mod:`sciml.linalg.kernels.numba_setup`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import overload, prange, types
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.numba_backend import flat_shift, groups_of_odd_cells, unit
from sciml.linalg.kernels.numba_setup import add_row, segment
from sciml.linalg.kernels.numba_smoother import CHUNK
from sciml.linalg.kernels.stencil import NEGLIGIBLE, Offset, couplings_in_plane
from sciml.linalg.kernels.sums import OPTIONS

_OPTIONS = {**OPTIONS, "error_model": "numpy"}  # ratios of couplings overflow
BATCH = 128  # cells
LOGARITHM_SCALE = 4.0  # contrasts of e^4 become features of 1
LARGEST_LOGARITHM = 10.0
# Below this difference between the two sides a cell is symmetric, and the correction 0.
ASYMMETRY = 1e-4
LARGEST_CORRECTION = 50.0  # beyond, one weight is 0 in any precision
LARGEST_RATIO = math.exp(LARGEST_LOGARITHM)
SMALLEST = float(np.finfo(np.float32).tiny)
LOG2_E, LN2 = math.log2(math.e), math.log(2.0)
ROOT_HALF_BITS = 0x3F3504F3  # of sqrt(1/2) in float32

Tables = tuple[Array, Array]
Place = tuple[int, int, int, int, int]  # segment(...), stride and the distance to the odd cell
Network = tuple[Array, Array, Array, Array, Array, Array]
Work = tuple[Array, Array, Array]


def tables(offsets: tuple[Offset, ...], axis: int, fine: tuple[int, ...], coarse: tuple[int, ...]) -> Tables:
    """Return the couplings of an odd cell as flat shifts, for grids of these shapes with halo.

    Returns
    -------
    groups : rows (plane, slot, shift of the coupling from the even cell before)
    beside : rows (slot, shift of the coupling, shift of the neighbour's diagonal, shift of its weights) of the
        neighbours in the plane of the cell
    """
    odd = flat_shift(unit(axis), fine)
    beside = [
        (slot, odd + flat_shift(shift, fine), odd + flat_shift(offset, fine), flat_shift(offset, coarse))
        for offset, slot, shift in couplings_in_plane(offsets, axis)
    ]
    return groups_of_odd_cells(offsets, axis, fine), np.array(beside, np.int64).reshape(-1, 4)


@kernel(parallel=True, **_OPTIONS)
def relax(stencil: Array, axis: int, tables: Tables, weights: Array, network: Network, out: Array) -> None:
    """Carry out one round of relaxation, and the correction by the network unless that is empty.

    Parameters
    ----------
    stencil : couplings and diagonal, (slots, *shape with halo)
    axis : of the coarsening
    tables : of :func:`tables`
    weights : left and right weights before relaxation and after each round so far, (rounds, 2, *coarse with halo)
    network : weights and biases of three layers, of size 0 for no correction; features that are the same everywhere
        are in the first bias
    out : left and right weights, zeroed, (2, *coarse with halo)
    """
    n0, n1, n2 = out.shape[1] - 2, out.shape[2] - 2, out.shape[3] - 2
    coarse = (out.shape[2] * out.shape[3], out.shape[3])
    fine = (stencil.shape[2] * stencil.shape[3], stencil.shape[3])
    flat, new = stencil.reshape(stencil.shape[0], -1), out.reshape(2, -1)
    old = weights.reshape(weights.shape[0], 2, -1)
    odd = fine[axis] if axis < 2 else 1
    stride = 2 if axis == 2 else 1
    parts = (coarse[0] - 2 * coarse[1] - 2 + CHUNK - 1) // CHUNK if axis == 0 else n1
    for i in prange(n0):
        sums = np.empty((5, max(CHUNK, n2)), stencil.dtype)
        features = np.empty((weights.shape[0] + 6, 2 * BATCH), stencil.dtype)
        hidden = np.empty((2, max(network[1].size, 4), 2 * BATCH), stencil.dtype)
        where = np.empty(BATCH, np.int64)
        for part in range(parts):
            c, f, n = segment(axis, i, part, coarse, fine, n2)
            place = (c, f, n, stride, odd)
            _relax_segment(flat, tables, old, new, place, sums)
            if network[0].size > 0:
                _correct_segment(flat[-1], old, new, place, sums, network, (features, hidden, where))


@kernel(**_OPTIONS)
def _relax_segment(flat: Array, tables: Tables, old: Array, new: Array, place: Place, sums: Array) -> None:
    """Relax a segment; ``sums`` become the couplings to the planes before, after and beside, and work space."""
    groups, neighbours = tables
    c, f, n, stride, _ = place
    before, after, beside, near, far = sums[0, :n], sums[1, :n], sums[2, :n], sums[3, :n], sums[4, :n]
    before[:], after[:], beside[:] = 0, 0, 0
    for g in range(groups.shape[0]):
        if groups[g, 0] == 0:
            add_row(before, flat[groups[g, 1], f + groups[g, 2] :], stride)
        elif groups[g, 0] == 1:
            add_row(after, flat[groups[g, 1], f + groups[g, 2] :], stride)
    for k in range(n):
        before[k] = max(before[k], 0)
        after[k] = max(after[k], 0)
        near[k], far[k] = before[k], after[k]
    for g in range(neighbours.shape[0]):
        source, known = flat[neighbours[g, 0], f + neighbours[g, 1] :], flat[-1, f + neighbours[g, 2] :]
        low, high = old[-1, 0, c + neighbours[g, 3] :], old[-1, 1, c + neighbours[g, 3] :]
        if stride == 1:  # loops of variable stride are not vectorised
            for k in range(n):
                coupling = max(source[k], 0)
                near[k] += coupling * low[k]
                far[k] += coupling * high[k]
                beside[k] += coupling if known[k] > 0 else 0
        else:
            for k in range(n):
                coupling = max(source[2 * k], 0)
                near[k] += coupling * low[k]
                far[k] += coupling * high[k]
                beside[k] += coupling if known[2 * k] > 0 else 0
    tiny = flat.dtype.type(NEGLIGIBLE)
    left, right, even = old[0, 0, c : c + n], old[0, 1, c : c + n], flat[-1, f:]
    low, high = new[0, c : c + n], new[1, c : c + n]
    for k in range(n):
        inner = left[k] > tiny and right[k] > tiny and even[stride * k] > 0
        total = near[k] + far[k]
        share = (left[k] + right[k]) / total if total > 0 else 0
        low[k] = near[k] * share if inner else left[k]
        high[k] = far[k] * share if inner else right[k]


@kernel(**_OPTIONS)
def _correct_segment(
    diagonal: Array, old: Array, new: Array, place: Place, sums: Array, network: Network, work: Work
) -> None:
    """Correct the cells of a segment that interpolate from two unlike sides, batch by batch."""
    features, hidden, where = work
    c, f, n, stride, odd = place
    largest = new.dtype.type(LARGEST_CORRECTION)
    for start in range(0, n, BATCH):
        batch = (c + start, f + stride * start, min(BATCH, n - start), stride, odd)
        _describe(diagonal, old, new, batch, sums[:, start:], features, hidden[0])
        count = _select(diagonal, old, batch, features, where)
        if count == 0:
            continue
        _layer(network[0], network[1], features, hidden[0], 2 * count)
        _silu(hidden[0], network[1].size, 2 * count)
        _layer(network[2], network[3], hidden[0], hidden[1], 2 * count)
        _silu(hidden[1], network[3].size, 2 * count)
        _layer(network[4], network[5], hidden[1], hidden[0], 2 * count)
        ahead, behind = hidden[0, 0, :count], hidden[0, 0, count:]
        for m in range(count):
            ahead[m] = exponential(min(max(ahead[m] - behind[m], -largest), largest))
        for m in range(count):
            low, high = new[0, c + start + where[m]], new[1, c + start + where[m]]
            raised = low * ahead[m]
            share = (low + high) / (raised + high)
            new[0, c + start + where[m]] = raised * share
            new[1, c + start + where[m]] = high * share


@kernel(**_OPTIONS)
def _describe(
    diagonal: Array, old: Array, new: Array, place: Place, sums: Array, features: Array, scratch: Array
) -> None:
    """Compute the features of all cells of a batch; only those of cells that interpolate from both sides are valid."""
    c, f, n, stride, odd = place
    sides = old.shape[0] + 1
    own, even, beyond, across = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n]
    before, after, beside = sums[0, :n], sums[1, :n], sums[2, :n]
    # Behind the last plane there is nothing to read, and no cell that interpolates from both sides.
    last = diagonal.size - stride * n
    for row, start in ((own, f + odd), (even, f), (beyond, min(f + 2 * odd, last))):
        row[:] = 0
        add_row(row, diagonal[start:], stride)
    for k in range(n):
        across[k] = before[k] + after[k]
    for r in range(sides - 1):
        _log_ratio(old[r, 0, c:], old[r, 1, c:], features[r, :n])
    _log_ratio(new[0, c:], new[1, c:], features[sides - 1, :n])
    _log_ratio(before, own, features[sides, :n])
    _log_ratio(even, own, features[sides + 1, :n])
    _log_ratio(after, own, features[sides + 2, :n])
    _log_ratio(beyond, own, features[sides + 3, :n])
    _log_ratio(beside, across, features[sides + 4, :n])


@kernel(**_OPTIONS)
def _log_ratio(first: Array, second: Array, out: Array) -> None:
    scale, smallest = out.dtype.type(1 / LOGARITHM_SCALE), out.dtype.type(SMALLEST)
    low, high = out.dtype.type(1 / LARGEST_RATIO), out.dtype.type(LARGEST_RATIO)
    for k in range(out.size):
        out[k] = scale * logarithm(min(max(first[k] / max(second[k], smallest), low), high))


@kernel(**_OPTIONS)
def _select(diagonal: Array, old: Array, place: Place, features: Array, where: Array) -> int:
    """Move the unlike cells that interpolate from both sides to the front, their mirror images behind; count them."""
    c, f, n, stride, _ = place
    sides, tiny = old.shape[0] + 1, old.dtype.type(NEGLIGIBLE)
    count = 0
    for k in range(n):
        unlike = max(
            abs(features[sides, k] - features[sides + 2, k]), abs(features[sides + 1, k] - features[sides + 3, k])
        )
        for r in range(sides):
            unlike = max(unlike, 2 * abs(features[r, k]))
        inner = old[0, 0, c + k] > tiny and old[0, 1, c + k] > tiny and diagonal[f + stride * k] > 0
        where[count] = k
        count += inner and unlike > ASYMMETRY
    if count < n:
        for r in range(sides + 5):
            for m in range(count):
                features[r, m] = features[r, where[m]]
    for r in range(sides + 5):
        swapped = 0 if r < sides or r == sides + 4 else (2 if r < sides + 2 else -2)
        source, target = features[r + swapped, :count], features[r, count : 2 * count]
        sign = features.dtype.type(-1 if r < sides else 1)
        for m in range(count):
            target[m] = sign * source[m]
    return count


@kernel(**_OPTIONS)
def _layer(weight: Array, bias: Array, inputs: Array, out: Array, count: int) -> None:
    """Set out = weight inputs + bias for ``count`` columns, four inputs at a time."""
    units, width = weight.shape
    for u in range(units):
        row = out[u, :count]
        row[:] = bias[u]
        for i in range(0, width - 3, 4):
            w0, w1, w2, w3 = weight[u, i], weight[u, i + 1], weight[u, i + 2], weight[u, i + 3]
            x0, x1, x2, x3 = inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]
            for k in range(count):
                row[k] += w0 * x0[k] + w1 * x1[k] + w2 * x2[k] + w3 * x3[k]
        for i in range(width - width % 4, width):
            w0, x0 = weight[u, i], inputs[i]
            for k in range(count):
                row[k] += w0 * x0[k]


@kernel(**_OPTIONS)
def _silu(values: Array, units: int, count: int) -> None:
    """Replace x by x / (1 + e^-x) in place."""
    one, largest = values.dtype.type(1), values.dtype.type(LARGEST_CORRECTION)
    for u in range(units):
        row = values[u]
        for k in range(count):
            row[k] = row[k] / (one + exponential(min(max(-row[k], -largest), largest)))


def exponential(x: float) -> float:
    """Return e^x for |x| <= 80, in kernels; in float32 by a vectorised polynomial, accurate to 1e-6."""
    return np.exp(x)


def logarithm(x: float) -> float:
    """Return log x for x of moderate size, in kernels; in float32 by a vectorised polynomial, accurate to 1e-6."""
    return np.log(x)


@overload(exponential)
def _exponential(x: float) -> Callable:
    return _exponential_32 if x == types.float32 else exponential


@overload(logarithm)
def _logarithm(x: float) -> Callable:
    return _logarithm_32 if x == types.float32 else logarithm


def _exponential_32(x: float) -> float:
    """Return 2^n e^r with |r| <= log(2) / 2."""
    number = np.floor(x * np.float32(LOG2_E) + np.float32(0.5))
    r = x - number * np.float32(LN2)
    one, half, third, fourth = np.float32(1), np.float32(1 / 2), np.float32(1 / 6), np.float32(1 / 24)
    tail = fourth + r * (np.float32(1 / 120) + r * np.float32(1 / 720))
    return (one + r * (one + r * (half + r * (third + r * tail)))) * np.int32(
        (np.int32(number) + np.int32(127)) << np.int32(23)
    ).view(np.float32)


def _logarithm_32(x: float) -> float:
    """Return n log 2 + 2 artanh((m - 1) / (m + 1)) with x = 2^n m and m^2 between 1/2 and 2."""
    bits = np.float32(x).view(np.int32)
    number = np.int32((bits - np.int32(ROOT_HALF_BITS)) >> np.int32(23))
    mantissa = np.int32(bits - np.int32(number << np.int32(23))).view(np.float32)
    t = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    square = t * t
    tail = np.float32(1 / 5) + square * (np.float32(1 / 7) + square * np.float32(1 / 9))
    artanh = t * (np.float32(1) + square * (np.float32(1 / 3) + square * tail))
    return np.float32(2) * artanh + np.float32(number) * np.float32(LN2)
