"""Shots of a line: their records, and where they were recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sciml.checks import positive, whole_number
from sciml.reference.waves import Acquisition

WINDOW = ("kaiser", 8.0)  # of the low-pass filter of resampled traces: 80 dB


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

    def finer(self, factor: int) -> ShotLine:
        """Return the same shots in steps so many times as short, band-limited between the samples that there are.

        Parameters
        ----------
        factor : 1 or more
        """
        from scipy.signal import resample_poly

        if whole_number("the factor of a time step", factor, at_least=1) == 1:
            return self
        steps = (self.records.shape[1] - 1) * factor + 1
        records = np.empty((len(self.records), steps, self.records.shape[2]), np.float32)
        for shot, traces in enumerate(self.records):
            records[shot] = resample_poly(traces.astype(np.float64), factor, 1, axis=0, window=WINDOW, padtype="line")[
                :steps
            ]
        return replace(self, records=records, time_step=self.time_step / factor)

    def gather(self, shot: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the living traces (steps, receivers) of a shot and where they were recorded, from left to right."""
        places = self.receivers if self.receivers.ndim == 2 else self.receivers[shot]
        alive = np.arange(len(places)) if self.mask is None else np.flatnonzero(self.mask[shot])
        alive = alive[np.unique(places[alive, 1], return_index=True)[1]]
        return self.records[shot][:, alive], places[alive]
