"""Bands of frequencies in which records are compared, the filter of noise, and the gain of late arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from scipy.fft import next_fast_len
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

ORDER = 4  # of the ends of a band, whose response is the square of Butterworth's, without its phase
LIFTED = 0.07  # of the peak frequency, below which frequencies are lifted no further
RIPPLE = 2.0  # frequencies, of padded records, over which the power of the observed ones is averaged


def padded_length(steps: int) -> int:
    """Return the number of steps with which records are transformed, so that their ends do not meet."""
    return next_fast_len(2 * steps, real=True)


def signal_response(records: Tensor, noise: float) -> Tensor:
    r"""Return the Wiener filter that keeps what is signal in observed records, one real response for all traces.

    At each frequency it is :math:`(P - N)_+ / P`, where P is the mean power of the observed traces and N that of white
    noise.

    Parameters
    ----------
    records : (shots, steps, receivers), zeros where there is no trace
    noise : root mean square of the noise, as a share of that of the records

    Returns
    -------
    Tensor
        At the frequencies of a transform of :func:`padded_length` steps.

    References
    ----------
    Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949, with the power of the signal
    from the spectrum by subtraction: Boll, IEEE Transactions on Acoustics, Speech, and Signal Processing 27 (1979) 113.
    """
    records = records.double()
    power = torch.fft.rfft(records, n=padded_length(records.shape[-2]), dim=-2).abs().square().sum((0, 2))
    power = torch.from_numpy(gaussian_filter1d(power.numpy(), RIPPLE, mode="mirror"))
    expected = noise**2 * records.square().sum()
    return (power - expected).clamp(min=0.0) / power.clamp(min=torch.finfo(power.dtype).tiny)


def lifted_response(steps: int, time_step: float, peak: float, power: float) -> Tensor:
    r"""Return the response :math:`\min(1, \max(f, f_0) / f_p)^{-q}` that lifts frequencies f below a peak :math:`f_p`.

    The spectrum of a Ricker wavelet rises with the square of the frequency, so that its low frequencies, which say how
    fast whole layers are, have little energy; with q = 2 they have as much as those at the peak.

    Parameters
    ----------
    steps, time_step : of the records, the latter in seconds
    peak : frequency in hertz
    power : q

    Returns
    -------
    Tensor
        At the frequencies of a transform of :func:`padded_length` steps; constant below :data:`LIFTED` times the peak.
    """
    frequencies = torch.fft.rfftfreq(padded_length(steps), time_step, dtype=torch.float64)
    return (frequencies / peak).clamp(min=LIFTED, max=1.0) ** -power


@dataclass(frozen=True, eq=False)
class Band:
    """A linear map of records (..., steps, receivers) along the time: a band-pass of no phase, and then a gain.

    Parameters
    ----------
    time_step : in seconds
    steps : of the records
    lowest, highest : frequencies at which the response is one half, in hertz; None without a lower or upper end
    gain : power of the time by which records are then multiplied, 1 at the end of the record
    weights : a further response, at the frequencies of a transform of :func:`padded_length` steps; None for 1
    """

    time_step: float
    steps: int
    lowest: float | None = None
    highest: float | None = None
    gain: float = 0.0
    weights: Tensor | None = None

    def __call__(self, records: Tensor) -> Tensor:
        """Return the records in the band."""
        if self._filters:
            spectrum = torch.fft.rfft(records, n=self._length, dim=-2) * self._response[:, None].to(records)
            records = torch.fft.irfft(spectrum, n=self._length, dim=-2)[..., : self.steps, :]
        return records * self._gains[:, None].to(records) if self.gain else records

    def noise_energy(self) -> float:
        """Return the expected energy of a trace of white noise of variance 1 in the band."""
        return self._passed(2) * float(self._gains.square().sum())

    def noise_samples(self) -> float:
        r"""Return how many independent samples the energy of a trace of white noise in the band is a sum of.

        With k of them the energy has a relative deviation of :math:`\sqrt{2 / k}`. Here
        :math:`k = (\sum_i c_{ii})^2 / \sum_{ij} c_{ij}^2` with the covariance c of the band's samples, for a gain that
        hardly changes while the filter rings.
        """
        squares = self._gains.square()
        return self._passed(2) ** 2 / self._passed(4) * float(squares.sum() ** 2 / squares.square().sum())

    def _passed(self, power: int) -> float:
        """Return the mean over all frequencies of a power of the response."""
        if not self._filters:
            return 1.0
        both = torch.cat([self._response, self._response[1 : self._length - len(self._response) + 1]])
        return float((both**power).mean())

    @property
    def _filters(self) -> bool:
        return any(each is not None for each in (self.lowest, self.highest, self.weights))

    @cached_property
    def _length(self) -> int:
        return padded_length(self.steps)

    @cached_property
    def _response(self) -> Tensor:
        frequencies = torch.fft.rfftfreq(self._length, self.time_step, dtype=torch.float64)
        response = torch.ones_like(frequencies) if self.weights is None else self.weights.double()
        if self.highest is not None:
            response = response / (1.0 + (frequencies / self.highest) ** (2 * ORDER))
        if self.lowest is not None:
            response = response * (1.0 - 1.0 / (1.0 + (frequencies / self.lowest) ** (2 * ORDER)))
        return response

    @cached_property
    def _gains(self) -> Tensor:
        return (torch.arange(1, self.steps + 1, dtype=torch.float64) / self.steps) ** self.gain
