"""Islands: small parts of a grid that no coarser grid knows, and that smoothing hardly moves.

Where the coefficient jumps, a few cells may be coupled strongly to each other and weakly to all others. If one of them
is a cell of the coarser grid, the coarser grid corrects their common value. If none is, that value is interpolated from
strangers, and one such island holds up the whole iteration. Its common value is corrected directly: for the residual r,

    x += sum over islands of v (v . r) / (v . A v),        v = 1 on the island, 0 elsewhere,

at the same time as the correction from the coarser grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from sciml.linalg.kernels.layout import Array
from sciml.linalg.kernels.stencil import Offset

# Two cells are strongly coupled if the coupling exceeds this share of both diagonals.
STRONG = 0.1
# A part is an island if what leaves it is below this share of the sum of its diagonals: smoothing takes long there.
WEAK = 0.1
SWEEPS = 3
_OPTIONS = {"nogil": True, "cache": True}


@dataclass(frozen=True)
class Islands:
    """The islands of one grid.

    Attributes
    ----------
    cells : flat indices, with halo, of the cells of all islands
    labels : number of the island of each cell
    energies : v . A v of each island
    """

    cells: np.ndarray
    labels: np.ndarray
    energies: np.ndarray

    def corrections(self, residual: np.ndarray) -> np.ndarray:
        """(v . r) / (v . A v) of each island."""
        sums = np.bincount(self.labels, weights=residual.reshape(-1)[self.cells], minlength=self.energies.size)
        return sums / self.energies

    def add(self, corrections: np.ndarray, x: np.ndarray) -> None:
        """Add each correction to the cells of its island, in place."""
        x.reshape(-1)[self.cells] += corrections[self.labels].astype(x.dtype)


def find_islands(stencil: np.ndarray, offsets: tuple[Offset, ...], axes: list[int]) -> Islands | None:
    """Islands of a grid that is coarsened along some axes, None if it has none.

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
    return Islands(left[kept], (np.cumsum(islands) - 1)[labels[kept]], leaving[islands])


def _neighbours(offsets: tuple[Offset, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Rows (slot, flat shift to the stored coupling, flat shift to the neighbour) of all couplings of a cell."""
    steps = [(o[0] * shape[1] + o[1]) * shape[2] + o[2] for o in offsets]
    rows = [(slot, 0, step) for slot, step in enumerate(steps)] + [
        (slot, -step, -step) for slot, step in enumerate(steps)
    ]
    return np.array(rows)


@njit(inline="always")
def _strong(flat: Array, neighbours: Array, row: int, cell: int) -> float:
    """The coupling of a cell to a neighbour if it is strong, else 0."""
    coupling = flat[neighbours[row, 0], cell + neighbours[row, 1]]
    own, other = flat[-1, cell], flat[-1, cell + neighbours[row, 2]]
    return coupling if coupling > STRONG * max(own, other) else 0.0


@njit(parallel=True, **_OPTIONS)
def _spread(flat: Array, neighbours: Array, cells: Array, known: Array) -> None:
    """Mark cells that are strongly coupled to a marked one; how far that gets in one sweep does not matter."""
    for i in prange(cells.size):
        for row in range(neighbours.shape[0]):
            if known[cells[i] + neighbours[row, 2]] and _strong(flat, neighbours, row, cells[i]) > 0:
                known[cells[i]] = True
                break


@njit(**_OPTIONS)
def _root(parent: Array, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(**_OPTIONS)
def _parts(flat: Array, neighbours: Array, cells: Array, known: Array) -> tuple[Array, Array, Array]:
    """Strongly connected parts of some cells: label of each cell; per part the sum of its diagonals, and what leaves.

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
