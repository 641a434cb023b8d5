"""Bases of the networks: shapes, and the scales between physical and normalised values.

Records are ``(batch, shots, steps, receivers)`` and maps ``(batch, 1, depth, width)`` in m/s. The networks take and
return them so; in between, records have mean 0 and deviation 1, and velocities from 1500 to 4500 m/s lie in -1...1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sciml.checks import real_array, shape, whole_number
from sciml.data.statistics import RunningStatistics
from sciml.errors import ConfigError, InputError
from sciml.reference.layered_maps import HIGHEST, LOWEST

OPENFWI_RECORDS, OPENFWI_MAP = (5, 1000, 70), (70, 70)
MIDDLE, HALF_RANGE = (LOWEST + HIGHEST) / 2, (HIGHEST - LOWEST) / 2


class Scales(nn.Module):
    """Affine maps between physical and normalised values, with the statistics of the training's records.

    Mean and deviation are buffers: they lie in the checkpoint. Before :meth:`fit` they are 0 and 1.
    """

    mean: Tensor
    deviation: Tensor
    is_fitted: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))
        self.register_buffer("is_fitted", torch.zeros((), dtype=torch.bool))

    def fit(self, records: Iterable[np.ndarray]) -> None:
        """Take mean and deviation of all values, one block at a time.

        Parameters
        ----------
        records : arrays of any shape

        Raises
        ------
        InputError
            If there are no values, or they are all the same.
        """
        statistics = RunningStatistics(())
        for block in records:
            statistics.add(real_array("the records", block, remedy="check the data"))
        if not statistics.count or not float(statistics.deviation) > 0:
            raise InputError(
                "the records of the training are empty or constant, so that they have no scale; check them."
            )
        self.mean.fill_(float(statistics.mean))
        self.deviation.fill_(float(statistics.deviation))
        self.is_fitted.fill_(True)

    def encode_records(self, records: Tensor) -> Tensor:
        """Return records divided by their deviation, after their mean has been taken off."""
        return (records - self.mean) / self.deviation

    def decode_records(self, records: Tensor) -> Tensor:
        """Return records in physical values, in full precision where the network ran in half of it."""
        return _full(records) * self.deviation + self.mean

    def encode_map(self, velocity: Tensor) -> Tensor:
        """Return velocities such that those from 1500 to 4500 m/s lie in -1...1."""
        return (velocity - MIDDLE) / HALF_RANGE

    def decode_map(self, velocity: Tensor) -> Tensor:
        """Return velocities in m/s, in full precision where the network ran in half of it."""
        return _full(velocity) * HALF_RANGE + MIDDLE


class SeismicNetwork(nn.Module, ABC):
    """A network that takes or makes records of one shape for maps of one shape.

    Parameters
    ----------
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width
    """

    reconstructs: ClassVar[bool] = False
    """Whether there are autoencoders of records and maps, of which :meth:`reconstruct` gives the outputs."""

    def __init__(
        self, records_shape: tuple[int, int, int] = OPENFWI_RECORDS, map_shape: tuple[int, int] = OPENFWI_MAP
    ) -> None:
        super().__init__()
        for name, lengths, axes in (("records_shape", records_shape, 3), ("map_shape", map_shape, 2)):
            if len(lengths) != axes:
                raise ConfigError(f"{name} is {list(lengths)}, expected {axes} numbers.")
            for length in lengths:
                whole_number(f"a number of {name}", length, at_least=1, error=ConfigError)
        self.records_shape, self.map_shape = tuple(records_shape), tuple(map_shape)
        self.scales = Scales()

    @abstractmethod
    def forward(self, given: Tensor) -> Tensor:
        """Return what the network makes of records or maps."""

    def reconstruct(self, records: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """Return records and maps as their autoencoders give them back."""
        raise ConfigError(f"{type(self).__name__} has no autoencoders; set reconstruct=false.")

    def check_records(self, records: Any) -> None:
        """Refuse records of another shape."""
        shape("the records", records, ("batch", *self.records_shape), remedy=self._order("shots, time, receivers"))

    def check_map(self, velocity: Any) -> None:
        """Refuse maps of another shape."""
        shape("the maps", velocity, ("batch", 1, *self.map_shape), remedy=self._order("1, depth, width"))

    def _order(self, axes: str) -> str:
        return f"the axes of {type(self).__name__} are batch, {axes}"


class InverseNetwork(SeismicNetwork):
    """A network from records to maps."""

    def forward(self, records: Tensor) -> Tensor:
        """Return maps in m/s, ``(batch, 1, depth, width)``."""
        return self.inverse_map(records)

    def inverse_map(self, records: Tensor) -> Tensor:
        """Return maps in m/s for records, ``(batch, shots, steps, receivers)``.

        Raises
        ------
        InputError
            If the records have another shape.
        """
        self.check_records(records)
        return self.scales.decode_map(self.to_map(self.scales.encode_records(records)))

    @abstractmethod
    def to_map(self, records: Tensor) -> Tensor:
        """Return normalised maps for normalised records."""


class ForwardNetwork(SeismicNetwork):
    """A network from maps to records."""

    def forward(self, velocity: Tensor) -> Tensor:
        """Return records, ``(batch, shots, steps, receivers)``."""
        return self.forward_map(velocity)

    def forward_map(self, velocity: Tensor) -> Tensor:
        """Return records for maps in m/s, ``(batch, 1, depth, width)``.

        Raises
        ------
        InputError
            If the maps have another shape.
        """
        self.check_map(velocity)
        return self.scales.decode_records(self.to_records(self.scales.encode_map(velocity)))

    @abstractmethod
    def to_records(self, velocity: Tensor) -> Tensor:
        """Return normalised records for normalised maps."""


class TwoWayNetwork(InverseNetwork, ForwardNetwork):
    """A network both ways, :meth:`inverse_map` and :meth:`forward_map`; called itself, it inverts records."""


def _full(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
