"""Shape and couplings of every problem along three axes, as both back ends need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sciml.linalg.voxel_poisson import VoxelPoisson

Array = np.ndarray
Pair = tuple[int, int]
Triple = tuple[int, int, int]
Factors = tuple[float, float, float]
# Couplings along three axes: numbers where they are the same everywhere, arrays with halo otherwise.
Weights = tuple[float, ...] | tuple[np.ndarray, ...]


def three_axes(array: np.ndarray) -> np.ndarray:
    """Return a 2-D array (nx, ny) as (nx, 1, ny); threads share the first axis, the last one is contiguous."""
    return array if array.ndim == 3 else array[:, None, :]


def three_weights(weights: tuple[float, ...]) -> tuple[float, float, float]:
    """Return constant couplings along three axes; the middle axis of a 2-D problem has none."""
    return weights if len(weights) == 3 else (weights[0], 0.0, weights[1])


def coupling_strength(problem: VoxelPoisson) -> tuple[float, float, float]:
    """Return the mean coupling of neighbouring unknowns along each of three axes."""
    means = []
    for weight in problem.face_weights:
        if isinstance(weight, np.ndarray):
            count = np.count_nonzero(weight)
            weight = float(weight.sum()) / count if count else 0.0
        means.append(weight)
    return three_weights(tuple(means))
