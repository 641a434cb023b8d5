"""`Normaliser`: brings every channel to zero mean and unit deviation, and back to physical units."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sciml.checks import real_array
from sciml.data.statistics import RunningStatistics
from sciml.errors import InputError


class Normaliser(nn.Module):
    """z = (x - mean) / deviation for every channel, the last axis; a channel that never varies is only shifted.

    The statistics are buffers: they lie in the checkpoint, so that a trained model needs no data to be used. A task
    fits them to the training split alone, before the first epoch, in its ``setup``::

        if not self.normaliser.fitted:
            self.normaliser.fit(self.trainer.datamodule.training_values("inputs"))

    Parameters
    ----------
    channels : length of the last axis

    Examples
    --------
    >>> normaliser = Normaliser(2)
    >>> normaliser.fit([np.array([[0.0, 5.0], [2.0, 5.0]])])
    >>> normaliser.encode(torch.tensor([2.0, 5.0]))
    tensor([1., 0.])
    """

    mean: Tensor
    deviation: Tensor
    count: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1:
            raise InputError(f"a normaliser needs at least one channel, got {channels}.")
        self.register_buffer("mean", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("deviation", torch.ones(channels, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def fitted(self) -> bool:
        """True if there are statistics, from data or from a checkpoint."""
        return bool(self.count > 0)

    def fit(self, blocks: Iterable[Any]) -> None:
        """Take mean and deviation of all values, in float64 and one block at a time.

        Parameters
        ----------
        blocks : arrays or tensors (..., channels)

        Raises
        ------
        InputError : there are no values, some are not finite, or they have another number of channels
        """
        channels = len(self.mean)
        statistics = RunningStatistics((channels,))
        for number, block in enumerate(blocks):
            values = real_array(f"block {number}", block, remedy="check the data")
            if values.shape[-1:] != (channels,):
                raise InputError(f"values need {channels} channels along the last axis, got shape {values.shape}.")
            statistics.add(values)
        if not statistics.count:
            raise InputError("there are no values to take statistics of; the training split is empty.")
        deviation = statistics.deviation
        # rounding leaves a constant channel a deviation of about 1e-16 of its mean
        deviation = np.where(deviation > 1e-12 * np.abs(statistics.mean), deviation, 1.0)
        self.mean.copy_(torch.from_numpy(statistics.mean))
        self.deviation.copy_(torch.from_numpy(deviation))
        self.count.fill_(statistics.count)

    def encode(self, values: Tensor) -> Tensor:
        """Return (x - mean) / deviation in the dtype of the values.

        Parameters
        ----------
        values : (..., channels) in physical units
        """
        return (values - self.mean.to(values.dtype)) / self.deviation.to(values.dtype)

    def decode(self, values: Tensor) -> Tensor:
        """Return x = mean + deviation z, the inverse of :meth:`encode`.

        Parameters
        ----------
        values : (..., channels) as :meth:`encode` returns them
        """
        return values * self.deviation.to(values.dtype) + self.mean.to(values.dtype)
