"""Coarse flow problems in batches, differentiable in the transmissibilities: what training sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def coarse_laplacians(faces: Sequence[Tensor]) -> Tensor:
    """Return the matrices of closed boxes, of shape (batch, n, n) over the n coarse cells in C order.

    Parameters
    ----------
    faces : per axis the transmissibilities (batch, *faces), of which the first and last along the axis are left out
    """
    number = _numbers(faces)
    n, batch = number.numel(), len(faces[0])
    flat = faces[0].new_zeros(batch, n * n)
    for axis, t in enumerate(faces):
        inner = t.narrow(axis + 1, 1, t.shape[axis + 1] - 2).flatten(1)
        cells = number.shape[axis]
        low, high = number.narrow(axis, 0, cells - 1).flatten(), number.narrow(axis, 1, cells - 1).flatten()
        for row, column, values in ((low, high, -inner), (high, low, -inner), (low, low, inner), (high, high, inner)):
            flat = flat.index_add(1, row * n + column, values)
    return flat.reshape(batch, n, n)


def through_flow(laplacians: Tensor, faces: Sequence[Tensor], axis: int) -> tuple[Tensor, Tensor]:
    """Return pressures (batch, n) and rates (batch,) between held pressures of 1 and 0 on the two sides of an axis."""
    number = _numbers(faces)
    low, high = number.select(axis, 0).flatten(), number.select(axis, -1).flatten()
    into, out = faces[axis].select(axis + 1, 0).flatten(1), faces[axis].select(axis + 1, -1).flatten(1)
    b = laplacians.new_zeros(laplacians.shape[:2]).index_add(1, low, into)
    pressures = _solve(laplacians + torch.diag_embed(b.index_add(1, high, out)), b[..., None])[..., 0]
    return pressures, (into * (1.0 - pressures[:, low])).sum(dim=1)


def closed_flows(laplacians: Tensor, sources: Tensor) -> Tensor:
    """Return pressures (batch, pairs, n) of zero mean in closed boxes.

    Parameters
    ----------
    laplacians : (batch, n, n)
    sources : rates (batch, pairs, n), each of which sums to zero
    """
    n = laplacians.shape[-1]
    # The constants, on which the Laplacian vanishes, get an eigenvalue like those of the others.
    level = laplacians.diagonal(dim1=1, dim2=2).mean(dim=1) / n
    return _solve(laplacians + level[:, None, None], sources.transpose(1, 2)).transpose(1, 2)


def _solve(matrices: Tensor, right: Tensor) -> Tensor:
    return torch.cholesky_solve(right, torch.linalg.cholesky(matrices))


def _numbers(faces: Sequence[Tensor]) -> Tensor:
    shape = [size - (axis == 0) for axis, size in enumerate(faces[0].shape[1:])]
    return torch.arange(int(np.prod(shape)), device=faces[0].device).reshape(shape)
