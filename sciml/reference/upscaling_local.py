"""Upscaling of Darcy flow by local fine problems around each coarse face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sciml.reference.upscaling import Blocks, Transmissibilities, average_transmissibilities
from sciml.reference.upscaling_boxes import BATCH, solve_boxes


def local_transmissibilities(
    coefficient: np.ndarray, factor: int, spacing: float | Sequence[float] = 1.0, *, ring: int = 0
) -> Transmissibilities:
    """Return the transmissibilities of blocks from the fine flow through each pair of them.

    The pressure is 1 and 0 on the two sides of the pair and its other sides are closed; T is the rate through the face
    over the difference of the two mean pressures. A block at a side of the box is paired with its mirror image, and
    T doubled. Layers along an axis are exact. With a ring of further cells around the pairs inside the box (*extended*
    local), T can come out negative; the averages replace it there.

    Parameters
    ----------
    coefficient, factor, spacing : as of :class:`~sciml.reference.upscaling.Blocks`
    ring : cells around the pair that belong to the local problem; it ends at the sides of the box

    References
    ----------
    Durlofsky, Upscaling and gridding of fine scale geological models for flow simulation, 2005, section 3.
    """
    blocks = Blocks(coefficient, factor, spacing)
    averages = average_transmissibilities(blocks.coefficient, factor, blocks.spacing)
    faces = []
    for axis, fallback in enumerate(averages.faces):
        local = _faces_along(blocks, axis, ring)
        faces.append(np.where(local > 0.0, local, fallback))
    return Transmissibilities(tuple(faces))


def extended_local_transmissibilities(
    coefficient: np.ndarray, factor: int, spacing: float | Sequence[float] = 1.0
) -> Transmissibilities:
    """Return :func:`local_transmissibilities` with a ring of half a block."""
    return local_transmissibilities(coefficient, factor, spacing, ring=factor // 2)


def _faces_along(blocks: Blocks, axis: int, ring: int) -> np.ndarray:
    """Return the rate over the difference of the mean pressures for every face along an axis, doubled on the sides."""
    f, d = blocks.factor, blocks.dimension
    order = [axis, *(a for a in range(d) if a != axis)]
    weights = [blocks.weights[a] for a in order]
    k = blocks.coefficient.transpose(order)
    low, high = k[:f], k[-f:]
    ends = np.stack([np.concatenate([low[::-1], low]), np.concatenate([high, high[::-1]])])
    shape = [blocks.shape[a] for a in order]
    found = np.zeros((shape[0] + 1, *shape[1:]))
    found[[0, -1]] = 2.0 * _layers(ends, weights, 0, f, 0)
    for before, slabs in _slabs(k, f, ring).items():
        numbers, values = [number for number, _ in slabs], np.stack([slab for _, slab in slabs])
        found[numbers] = _layers(values, weights, before[0], f, ring)
    return np.moveaxis(found, 0, axis)


def _slabs(k: np.ndarray, factor: int, ring: int) -> dict[tuple[int, int], list[tuple[int, np.ndarray]]]:
    """Return the cells around each inner layer of faces along the first axis, cut at the sides of the box.

    They are grouped by the cells before the two blocks and by their length.
    """
    groups: dict[tuple[int, int], list[tuple[int, np.ndarray]]] = {}
    for number in range(1, len(k) // factor):
        start = max(0, (number - 1) * factor - ring)
        stop = min(len(k), (number + 1) * factor + ring)
        groups.setdefault(((number - 1) * factor - start, stop - start), []).append((number, k[start:stop]))
    return groups


def _layers(slabs: np.ndarray, weights: Sequence[float], before: int, factor: int, ring: int) -> np.ndarray:
    """Return the conductances of layers of faces in slabs of shape (layers, along, *across) as (layers, *faces)."""
    d = slabs.ndim - 1
    padded = np.pad(slabs, [(0, 0), (0, 0), *[(ring, ring)] * (d - 1)])
    every = sliding_window_view(padded, (factor + 2 * ring,) * (d - 1), tuple(range(2, d + 1)))
    every = np.moveaxis(every[:, :, *(slice(None, None, factor),) * (d - 1)], 1, d)
    flat = [_conductances(boxes, weights, before, factor, ring) for boxes in _batches(every)]
    return np.concatenate(flat).reshape(every.shape[:d])


def _conductances(k: np.ndarray, weights: Sequence[float], before: int, factor: int, ring: int) -> np.ndarray:
    """Return the rate through the middle of two blocks over the difference of their mean pressures, for each box."""
    across = tuple(range(2, k.ndim))
    pair = (slice(None), slice(before, before + 2 * factor), *(slice(ring, ring + factor),) * len(across))
    held = [(1.0, 0.0), *[(None, None)] * len(across)]
    p, inside = solve_boxes(k, weights, held)[pair], k[pair]
    t = 2.0 * weights[0] / (1.0 / inside[:, factor - 1] + 1.0 / inside[:, factor])
    rate = (t * (p[:, factor - 1] - p[:, factor])).reshape(len(k), -1).sum(axis=1)
    return rate / (p[:, :factor].mean(axis=(1, *across)) - p[:, factor:].mean(axis=(1, *across)))


def _batches(every: np.ndarray) -> Iterator[np.ndarray]:
    """Yield windows (*places, *cells) as contiguous arrays (batch, *cells) of limited size."""
    shape = every.shape[: every.ndim // 2]
    for start in range(0, int(np.prod(shape)), BATCH):
        yield every[np.unravel_index(np.arange(start, min(start + BATCH, int(np.prod(shape)))), shape)]
