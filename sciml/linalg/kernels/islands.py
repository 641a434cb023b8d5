"""Islands: small parts of a grid that no coarser grid represents and that smoothing hardly reduces the error on.

Where the coefficient jumps, a few cells may be coupled strongly to each other and weakly to all others. If one of them
is a cell of the coarser grid, the coarser grid corrects their common value. If none is, that value is interpolated from
unrelated cells, and one such island slows the whole iteration down. Its common value is corrected directly,

    x += sum over islands of v (v . (b - A x)) / e,        v = 1 on the island, 0 elsewhere,

before and after the correction from the coarser grid. e is v . A v plus what couples the island to other islands: the
step never overshoots, and the cycle keeps its spectrum within (0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.guarded_numba import njit, prange
from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.stencil import Offset
from sciml.linalg.kernels.sums import OPTIONS

# Two cells are strongly coupled if the coupling exceeds this share of both diagonals.
STRONG = 0.1
# A part is an island if what leaves it is below this share of the sum of its diagonals: smoothing takes long there.
WEAK = 0.1
SWEEPS = 3


@dataclass(frozen=True)
class Islands:
    """The islands of one level; all cells are flat indices, with halo.

    Attributes
    ----------
    cells, labels : cells of all islands, and the number of the island of each
    energies : e of each island
    row_cells, row_labels, row_values : the entries of the rows v^T A: where, of which island, and what
    """

    cells: np.ndarray
    labels: np.ndarray
    energies: np.ndarray
    row_cells: np.ndarray
    row_labels: np.ndarray
    row_values: np.ndarray

    def correct(self, b: np.ndarray, x: np.ndarray) -> None:
        """Correct the common value of every island of x in place."""
        count, flat = self.energies.size, x.reshape(-1)
        sums = np.bincount(self.labels, weights=b.reshape(-1)[self.cells], minlength=count)
        sums -= np.bincount(self.row_labels, weights=self.row_values * flat[self.row_cells], minlength=count)
        flat[self.cells] += (sums / self.energies)[self.labels].astype(x.dtype)


def find_islands(stencil: np.ndarray, offsets: tuple[Offset, ...], axes: list[int]) -> Islands | None:
    """Return the islands of a grid that is coarsened along some axes, None if it has none.

    Parameters
    ----------
    stencil : couplings of ``offsets`` and the diagonal, (slots + 1, *shape with halo)
    offsets : forward offsets that the stencil holds
    axes : along which every other cell is dropped
    """
    diagonal = stencil[-1].reshape(-1)
    known = np.zeros(stencil.shape[1:], bool)  # cells of the coarser grid, then all that lean on one of them
    known[tuple(slice(1, -1, 2 if axis in axes else 1) for axis in range(3))] = True
    known = known.reshape(-1) & (diagonal > 0)
    neighbours = _neighbours(offsets, stencil.shape[1:])
    flat = stencil.reshape(stencil.shape[0], -1)
    left = np.flatnonzero((diagonal > 0) & ~known)
    for _ in range(SWEEPS):
        _spread(flat, neighbours, left, known)
        left = left[~known[left]]
    labels, totals, leaving = _parts(flat, neighbours, left, known)
    islands = (leaving > 0) & (leaving < WEAK * totals)
    kept = islands[labels]
    if not kept.any():
        return None
    return _with_rows(flat, neighbours, left[kept], (np.cumsum(islands) - 1)[labels[kept]])


def _with_rows(flat: np.ndarray, neighbours: np.ndarray, cells: np.ndarray, labels: np.ndarray) -> Islands:
    """Return the islands with these cells, and their rows of the operator."""
    count = int(labels.max()) + 1
    island = np.full(flat.shape[1], -1)
    island[cells] = labels
    values = [flat[-1, cells], *(-flat[slot, cells + place] for slot, place, _ in neighbours)]
    where = np.concatenate([cells, *(cells + step for *_, step in neighbours)])
    values, rows = np.concatenate(values).astype(np.float64), np.tile(labels, len(neighbours) + 1)
    inside = island[where] >= 0
    between = sp.coo_array((values[inside], (rows[inside], island[where[inside]])), shape=(count, count)).tocsr()
    present = values != 0
    return Islands(cells, labels, abs(between).sum(axis=1), where[present], rows[present], values[present])


def _neighbours(offsets: tuple[Offset, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return rows (slot, flat shift to the coupling, flat shift to the neighbour) of all couplings of a cell."""
    steps = [(o[0] * shape[1] + o[1]) * shape[2] + o[2] for o in offsets]
    rows = [(slot, 0, step) for slot, step in enumerate(steps)] + [
        (slot, -step, -step) for slot, step in enumerate(steps)
    ]
    return np.array(rows)


@njit(inline="always")
def _strong(flat: Array, neighbours: Array, row: int, cell: int) -> float:
    """Return the coupling of a cell to a neighbour if it is strong, else 0."""
    coupling = flat[neighbours[row, 0], cell + neighbours[row, 1]]
    own, other = flat[-1, cell], flat[-1, cell + neighbours[row, 2]]
    return coupling if coupling > STRONG * max(own, other) else 0.0


@kernel(parallel=True, **OPTIONS)
def _spread(flat: Array, neighbours: Array, cells: Array, known: Array) -> None:
    """Mark cells that are strongly coupled to a marked one; how far that gets in one sweep does not matter."""
    for i in prange(cells.size):
        for row in range(neighbours.shape[0]):
            if known[cells[i] + neighbours[row, 2]] and _strong(flat, neighbours, row, cells[i]) > 0:
                known[cells[i]] = True
                break


@kernel(**OPTIONS)
def _root(parent: Array, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel(**OPTIONS)
def _parts(flat: Array, neighbours: Array, cells: Array, known: Array) -> tuple[Array, Array, Array]:
    """Label the strongly connected parts of some cells; per part, return the sums of diagonals and outer couplings.

    A part of one cell, and one that leans on a marked cell, has nothing that leaves.
    """
    number = np.full(known.size, -1, np.int32)
    for i in range(cells.size):
        number[cells[i]] = i
    parent = np.arange(cells.size)
    leans = np.zeros(cells.size, np.bool_)
    for i in range(cells.size):
        for row in range(neighbours.shape[0]):
            other = cells[i] + neighbours[row, 2]
            if (known[other] or number[other] >= 0) and _strong(flat, neighbours, row, cells[i]) > 0:
                if known[other]:
                    leans[i] = True
                else:
                    parent[_root(parent, i)] = _root(parent, number[other])
    labels, totals, leaving = np.zeros(cells.size, np.int64), np.zeros(cells.size), np.zeros(cells.size)
    excluded = np.ones(cells.size, np.bool_)
    for i in range(cells.size):
        root = labels[i] = _root(parent, i)
        totals[root] += flat[-1, cells[i]]
        leaving[root] += flat[-1, cells[i]]
        excluded[root] &= root == i
        for row in range(neighbours.shape[0]):
            other = number[cells[i] + neighbours[row, 2]]
            if other >= 0 and _root(parent, other) == root:
                leaving[root] -= flat[neighbours[row, 0], cells[i] + neighbours[row, 1]]
    for i in range(cells.size):
        excluded[labels[i]] |= leans[i]
    return labels, totals, np.where(excluded, 0.0, leaving)
