"""Shots of a line: their records, and where they were recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sciml.checks import positive
from sciml.reference.waves import Acquisition


@dataclass(frozen=True, eq=False)
class ShotLine:
    """The shots of a line, from the time of the shot on; positions are pairs (z, x) in metres.

    Attributes
    ----------
    records : (shots, steps, receivers); zeros where nothing was recorded
    time_step : seconds
    sources : (shots, 2), z downwards from the highest point, x along the line
    receivers : (receivers, 2), or (shots, receivers, 2) where they differ from shot to shot
    mask : (shots, receivers), False where a trace is dead or a shot has fewer receivers than others; None if all are
        there
    delay : seconds between a shot and the first sample of the file, at the least; the samples before are zeros
    """

    records: np.ndarray
    time_step: float
    sources: np.ndarray
    receivers: np.ndarray
    mask: np.ndarray | None = None
    delay: float = 0.0

    def acquisition(
        self,
        shape: tuple[int, int],
        spacing: float,
        frequency: float,
        *,
        wavelet: np.ndarray | None = None,
        left: float | None = None,
    ) -> Acquisition:
        """Return the acquisition of these shots over a velocity map.

        Parameters
        ----------
        shape : (nz, nx) of the map
        spacing : of its cells, in metres
        frequency : of the peak of the wavelet's spectrum, in hertz
        wavelet : (steps,), Ricker's by default
        left : x of the first column; that of the leftmost source or receiver by default
        """
        spacing = positive("the spacing of a map", spacing)
        first = min(float(self.sources[:, 1].min()), float(self.receivers[..., 1].min())) if left is None else left
        shift = np.array([0.0, first])
        return Acquisition(
            shape,
            spacing,
            self.time_step,
            self.records.shape[1],
            self.sources - shift,
            self.receivers - shift,
            frequency,
            wavelet,
            self.mask,
        )

    def gather(self, shot: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the living traces (steps, receivers) of a shot and where they were recorded, from left to right."""
        places = self.receivers if self.receivers.ndim == 2 else self.receivers[shot]
        alive = np.arange(len(places)) if self.mask is None else np.flatnonzero(self.mask[shot])
        alive = alive[np.unique(places[alive, 1], return_index=True)[1]]
        return self.records[shot][:, alive], places[alive]
