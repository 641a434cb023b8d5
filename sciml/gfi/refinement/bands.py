"""Bands of frequencies in which records are compared, and the gain by which late arrivals count more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from scipy.fft import next_fast_len
from torch import Tensor

ORDER = 4  # of the ends of a band, whose response is the square of Butterworth's, without its phase


@dataclass(frozen=True)
class Band:
    """A linear map of records (..., steps, receivers) along the time: a band-pass of no phase, and then a gain.

    Parameters
    ----------
    time_step : in seconds
    steps : of the records
    lowest, highest : frequencies at which the response is one half, in hertz; None without a lower or upper end
    gain : power of the time by which records are then multiplied, 1 at the end of the record
    """

    time_step: float
    steps: int
    lowest: float | None = None
    highest: float | None = None
    gain: float = 0.0

    def __call__(self, records: Tensor) -> Tensor:
        """Return the records in the band."""
        if self._filters:
            spectrum = torch.fft.rfft(records, n=self._length, dim=-2) * self._response[:, None].to(records)
            records = torch.fft.irfft(spectrum, n=self._length, dim=-2)[..., : self.steps, :]
        return records * self._gains[:, None].to(records) if self.gain else records

    def noise_energy(self) -> float:
        """Return the expected energy of a trace of white noise of variance 1 in the band."""
        passed = 1.0
        if self._filters:
            twice = torch.cat([self._response, self._response[1 : self._length - len(self._response) + 1]])
            passed = float(twice.square().mean())
        return passed * float(self._gains.square().sum())

    @property
    def _filters(self) -> bool:
        return self.lowest is not None or self.highest is not None

    @cached_property
    def _length(self) -> int:
        return next_fast_len(2 * self.steps, real=True)

    @cached_property
    def _response(self) -> Tensor:
        frequencies = torch.fft.rfftfreq(self._length, self.time_step, dtype=torch.float64)
        response = torch.ones_like(frequencies)
        if self.highest is not None:
            response = response / (1.0 + (frequencies / self.highest) ** (2 * ORDER))
        if self.lowest is not None:
            response = response * (1.0 - 1.0 / (1.0 + (frequencies / self.lowest) ** (2 * ORDER)))
        return response

    @cached_property
    def _gains(self) -> Tensor:
        return (torch.arange(1, self.steps + 1, dtype=torch.float64) / self.steps) ** self.gain
