"""The learned interpolation weights on the CPU: relaxation and network in one pass over the odd cells.

What :class:`~sciml.dcdm.learned_multigrid.LearnedRules` says in differentiable tensor expressions, without temporaries
of the size of the grid. The network works on batches of cells that stay in the cache, the cells along the last axis.
The layout of the arrays is that of :mod:`sciml.linalg.kernels.numba_setup`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

from sciml.linalg.kernels.layout import Array, Triple
from sciml.linalg.kernels.numba_backend import flat_shift, groups_of_odd_cells, unit
from sciml.linalg.kernels.numba_cycle import CHUNK
from sciml.linalg.kernels.numba_setup import add_row, segment
from sciml.linalg.kernels.stencil import NEGLIGIBLE, Offset, couplings_in_plane

# Without the licence to ignore inf and nan: ratios of couplings overflow.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}
_OPTIONS = {"fastmath": _FAST, "nogil": True, "cache": True, "error_model": "numpy"}
BATCH = 64  # cells
LOGARITHM_SCALE = 4.0  # contrasts of e^4 become features of 1
LARGEST_LOGARITHM = 10.0
# Below this difference between the two sides a cell is symmetric, and the correction 0.
ASYMMETRY = 1e-4
LARGEST_CORRECTION = 50.0  # beyond, one weight is 0 in any precision
HALF_OF_LARGEST_RATIO = math.exp(LARGEST_LOGARITHM / 2)
LOG2_E, LN2 = math.log2(math.e), math.log(2.0)
ROOT_HALF_BITS = 0x3F3504F3  # of sqrt(1/2) in float32

Tables = tuple[Array, Array]
Network = tuple[Array, Array, Array, Array, Array, Array]


def tables(offsets: tuple[Offset, ...], axis: int, fine: tuple[int, ...], coarse: tuple[int, ...]) -> Tables:
    """Couplings of an odd cell as flat shifts, for grids of these shapes with halo.

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


@njit(parallel=True, **_OPTIONS)
def relax(
    stencil: Array, axis: int, tables: Tables, weights: Array, network: Network, level: float, out: Array
) -> None:
    """One round of relaxation, and the correction by the network unless that is empty.

    Parameters
    ----------
    stencil : couplings and diagonal, (slots, *shape with halo)
    axis : of the coarsening
    tables : of :func:`tables`
    weights : left and right weights before relaxation and after each round so far, (rounds, 2, *coarse with halo)
    network : weights and biases of three layers, of size 0 for no correction
    level : what the network is told of the level
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
        features = np.empty((weights.shape[0] + 7, 2 * BATCH), stencil.dtype)
        hidden = np.empty((2, max(network[1].size, 1), 2 * BATCH), stencil.dtype)
        features[-1] = level
        for part in range(parts):
            place = segment(axis, i, part, coarse, fine, n2)
            _relax_segment(flat, tables, old, new, place, (stride, odd), sums)
            if network[0].size > 0:
                _correct_segment(flat[-1], old, new, place, (stride, odd), sums, (network, features, hidden))


@njit(**_OPTIONS)
def _relax_segment(
    flat: Array, tables: Tables, old: Array, new: Array, place: Triple, steps: Pair, sums: Array
) -> None:
    """Relax a segment; ``sums`` are the couplings to the planes before, after and beside, and work space."""
    groups, neighbours = tables
    c, f, n = place
    stride, odd = steps
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
        slot, shift, diagonal, weight = neighbours[g]
        source, known = flat[slot, f + shift :], flat[-1, f + diagonal :]
        low, high = old[-1, 0, c + weight :], old[-1, 1, c + weight :]
        # Without the constant strides the loops are not vectorised.
        if stride == 1:
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


@njit(**_OPTIONS)
def _correct_segment(
    diagonal: Array, old: Array, new: Array, place: Triple, steps: Pair, sums: Array, work: tuple[Network, Array, Array]
) -> None:
    """Correct the cells of a segment that interpolate from two unlike sides, batch by batch."""
    network, features, hidden = work
    c, f, n = place
    largest = new.dtype.type(LARGEST_CORRECTION)
    where = np.empty(BATCH, np.int64)
    for start in range(0, n, BATCH):
        count = _gather(diagonal, old, new, (c + start, f + steps[0] * start, min(BATCH, n - start)), steps, sums[:, start:], features, where)
        if count == 0:
            continue
        _mirror(features, count, old.shape[0] + 1)
        _layer(network[0], network[1], features, hidden[0], 2 * count)
        _silu(hidden[0], network[1].size, 2 * count)
        _layer(network[2], network[3], hidden[0], hidden[1], 2 * count)
        _silu(hidden[1], network[3].size, 2 * count)
        _layer(network[4], network[5], hidden[1], hidden[0], 2 * count)
        correction = hidden[0, 0]
        low, high = new[0], new[1]
        for m in range(count):
            k = c + start + where[m]
            factor = exponential(min(max(correction[m] - correction[count + m], -largest), largest))
            sum_of_both = low[k] + high[k]
            share = low[k] * factor / (low[k] * factor + high[k])
            low[k] = sum_of_both * share
            high[k] = sum_of_both * (1 - share)
