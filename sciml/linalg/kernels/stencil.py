"""The 27-point stencil of a grid level, its Galerkin coarsening along one axis, and both as tables.

A level stores, per cell, its couplings w = -a to half of its 26 neighbours, the *forward* ones, and its diagonal; the
other half follows by symmetry. Coarsening along one axis keeps the even cells 2I and interpolates the odd ones from the
two even cells beside them,

    x_{2I} = X_I,        x_{2I+1} = l_I X_I + r_I X_{I+1},

with l and r in proportion to the couplings of the odd cell to the two planes beside it (operator-dependent
interpolation: Alcouffe, Brandt, Dendy and Painter 1981, here one axis at a time). Where the even cell is not an unknown
and the odd one is, X_I stands for the odd cell. The coarse operator is the Galerkin product P^T A P. One and the same
table of its terms drives every back end.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

Offset = tuple[int, int, int]
FORWARD: tuple[Offset, ...] = tuple(o for o in product((-1, 0, 1), repeat=3) if o > (0, 0, 0))
# Slots of the three couplings of a 7-point stencil, along axes 0, 1 and 2, and of its diagonal.
SEVEN_POINT: tuple[Offset, ...] = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
# Below this share of the diagonal a coupling is rounding error.
NEGLIGIBLE = 1e-6
# A coarse cell that stands for no fine cell, but only for this share of one at most, is left out.
FAINT = 0.01
ONE, LEFT, RIGHT = 0, 1, 2


class Term(NamedTuple):
    """One product of coupling and weights in the Galerkin sum P^T A P.

    out[slot][c] += sign * p[c + p_shift] * stencil[source][fine cell of c + shift] * q[c + q_shift]
    """

    slot: int
    source: int
    sign: int
    shift: Offset
    p: int
    p_shift: Offset
    q: int
    q_shift: Offset


def slots(offsets: tuple[Offset, ...]) -> dict[Offset, int]:
    """Return the slot of each stored forward offset; the diagonal, offset (0, 0, 0), comes after them."""
    return {offset: slot for slot, offset in enumerate((*offsets, (0, 0, 0)))}


@cache
def coarse_offsets(offsets: tuple[Offset, ...], axis: int) -> tuple[Offset, ...]:
    """Return the forward offsets that the Galerkin product along an axis couples."""
    reached = {_set(o, axis, step) for o in _symmetric(offsets) for step in (-1, 0, 1)}
    return tuple(o for o in FORWARD if o in reached)


@cache
def couplings_to_plane(offsets: tuple[Offset, ...], axis: int, step: int) -> list[tuple[int, Offset]]:
    """Return (slot, shift) of every coupling of a cell to the plane ``step`` = -1, 0, 1 away along an axis."""
    table = slots(offsets)
    return [_locate(table, o) for o in _symmetric(offsets) if o[axis] == step and o != (0, 0, 0)]


@cache
def couplings_in_plane(offsets: tuple[Offset, ...], axis: int) -> list[tuple[Offset, int, Offset]]:
    """Return (offset, slot, shift) of every neighbour of a cell in its own plane across an axis."""
    table = slots(offsets)
    return [(o, *_locate(table, o)) for o in _symmetric(offsets) if o[axis] == 0 and o != (0, 0, 0)]


@cache
def galerkin_terms(offsets: tuple[Offset, ...], axis: int) -> list[Term]:
    """Return the terms of P^T A P for a coarsening along an axis, for the slots of :func:`coarse_offsets` and diagonal.

    Shifts of the stencil are relative to the even fine cell; shifts of p and q are in coarse cells. p is the weight
    with which the first fine cell belongs to the coarse cell, q that of the second fine cell to the second coarse cell.
    """
    fine, coarse = slots(offsets), slots(coarse_offsets(offsets, axis))
    present = _symmetric(offsets)
    terms = []
    for offset, slot in coarse.items():
        transverse = _set(offset, axis, 0)
        for first, second in product((-1, 0, 1), repeat=2):
            step = second + 2 * offset[axis] - first
            pair = _set(transverse, axis, step)
            if abs(step) > 1 or pair not in present:
                continue
            source, shift = _locate(fine, pair)
            sign = 1 if (pair == (0, 0, 0)) == (offset == (0, 0, 0)) else -1
            p, p_shift = _weight(first, axis)
            q, q_shift = _weight(second, axis)
            terms.append(
                Term(
                    slot, source, sign, _add(shift, _set((0, 0, 0), axis, first)), p, p_shift, q, _add(q_shift, offset)
                )
            )
    return terms


def coarse_shape(shape: Offset, axis: int) -> Offset:
    """Return the shape after a coarsening along an axis: every other cell, the first included."""
    return _set(shape, axis, (shape[axis] + 1) // 2)


def axes_to_coarsen(shape: Offset, strength: tuple[float, ...]) -> list[int]:
    """Return the axes along which a level is coarsened: those coupled at least a quarter as strongly as the strongest.

    Coarsening along the strong axes alone is what keeps point smoothing sufficient on stretched cells.
    """
    candidates = [axis for axis in range(3) if shape[axis] > 2]
    strongest = max((strength[axis] for axis in candidates), default=0.0)
    return [axis for axis in candidates if strength[axis] >= strongest / 4]


def _symmetric(offsets: tuple[Offset, ...]) -> list[Offset]:
    return [(0, 0, 0), *offsets, *(_negative(o) for o in offsets)]


def _locate(table: dict[Offset, int], offset: Offset) -> tuple[int, Offset]:
    """Return the slot and shift under which the coupling of a cell to the one at ``offset`` is stored."""
    if offset in table:
        return table[offset], (0, 0, 0)
    return table[_negative(offset)], offset


def _weight(position: int, axis: int) -> tuple[int, Offset]:
    """Return the weight of the fine cell at 2I + position for the coarse cell I, and where it is stored."""
    if position == 0:
        return ONE, (0, 0, 0)
    return (LEFT, (0, 0, 0)) if position == 1 else (RIGHT, _set((0, 0, 0), axis, -1))


def _set(offset: Offset, axis: int, value: int) -> Offset:
    return tuple(value if a == axis else o for a, o in enumerate(offset))  # type: ignore[return-value]


def _add(a: Offset, b: Offset) -> Offset:
    return tuple(x + y for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def _negative(offset: Offset) -> Offset:
    return tuple(-x for x in offset)  # type: ignore[return-value]
