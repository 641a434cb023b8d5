"""Mean and standard deviation of more values than fit into memory."""

from __future__ import annotations

import numpy as np


class RunningStatistics:
    """Mean and standard deviation of values that come in blocks, in float64.

    With n, m, S the count, the mean and the sum of squared distances from it of what was seen, and k, a, T those of a
    block: m <- m + (a - m) k / (n + k) and S <- S + T + (a - m)^2 n k / (n + k).

    Parameters
    ----------
    shape : of the mean: () over all axes of a block, (channels,) over all but the last

    References
    ----------
    Chan, Golub and LeVeque, Algorithms for computing the sample variance, The American Statistician 37, 1983.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.count = shape, 0
        self.mean, self._squares = np.zeros(shape), np.zeros(shape)

    def add(self, block: np.ndarray) -> None:
        """Take in a block, (..., *shape)."""
        block = np.asarray(block, dtype=np.float64).reshape(-1, *self.shape)
        if not len(block):
            return
        total = self.count + len(block)
        mean = block.mean(axis=0)
        shift = mean - self.mean
        self._squares = self._squares + ((block - mean) ** 2).sum(axis=0) + shift**2 * (self.count * len(block) / total)
        self.mean = self.mean + shift * (len(block) / total)
        self.count = total

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of all that was taken in, with 1 / n."""
        return np.sqrt(self._squares / max(1, self.count))
