"""The misfit between the records of a map and those observed, its derivative, and the illumination of each cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from sciml.errors import InputError
from sciml.gfi.refinement.bands import Band, padded_length, signal_response
from sciml.numerics.random import generator
from sciml.reference.waves import Acquisition, WaveSolver

PROBES = 3  # random records, from which the illumination is estimated
BLUR = 3.0  # cells, over which it is averaged
FAINTEST = 0.01  # of the brightest cell, what the illumination is relative to at least
LOUDEST = 10.0  # factor by which records may be larger or smaller than those of the start
OPPOSITE = -0.5  # correlation of records with those of the start, below which they seem to have the other sign
QUIET = 1e-6  # of the largest power of a spectrum, below which a wavelet is not determined


@dataclass(frozen=True, eq=False)
class ShotProblem:
    """The problem of an inversion: records to be explained by velocities, and how they were made.

    Parameters
    ----------
    observed : (shots, steps, receivers); traces that the acquisition's mask leaves out may hold anything
    acquisition : what was shot and recorded
    unknown_wavelet : whether the acquisition's wavelet is a guess, to be corrected from the records
    """

    observed: Tensor
    acquisition: Acquisition
    unknown_wavelet: bool = False
    _bands: dict[Band, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.acquisition.check_records("the observed records", self.observed)
        kept = torch.where(self.traces, self.observed.float(), 0.0)
        if not bool(kept.isfinite().all()):
            raise InputError("the observed records have values that are not finite; mask their traces.")
        if not bool(kept.any()):
            raise InputError("the observed records are zero everywhere, expected records of waves.")
        object.__setattr__(self, "observed", kept)

    @property
    def traces(self) -> Tensor:
        """Which traces there are, (shots, 1, receivers)."""
        mask = self.acquisition.mask
        if mask is None:
            return torch.ones(self.acquisition.shots, 1, self.acquisition.receiver_count, dtype=torch.bool)
        return torch.from_numpy(np.array(mask))[:, None]

    def misfit(self, records: Tensor, band: Band) -> Tensor:
        """Return |B (p - d)|^2 / |B d|^2 of records p (shots, steps, receivers), differentiable, in a band B."""
        observed = self.observed_in(band)
        fitted = self.shaped(records) if self.unknown_wavelet else records
        difference = torch.where(self.traces, band(fitted) - observed, 0.0)
        return difference.square().sum() / observed.square().sum()

    def observed_in(self, band: Band) -> Tensor:
        """Return the observed records in a band, which are kept for the next call."""
        if band not in self._bands:
            self._bands[band] = band(self.observed)
        return self._bands[band]

    def check_size(self, records: Tensor) -> None:
        """Refuse observed records that the known wavelet cannot have made, by those of the start.

        Parameters
        ----------
        records : of the start, (shots, steps, receivers)

        Raises
        ------
        InputError
            If the observed ones are more than ten times as large or small, or look like these with the other sign.
        """
        modelled = torch.where(self.traces, records.detach(), 0.0)
        sizes = float(self.observed.norm()), float(modelled.norm())
        remedy = "give the wavelet with which they were shot, or have it found by unknown_wavelet=true"
        if not sizes[1] / LOUDEST <= sizes[0] <= LOUDEST * sizes[1]:
            raise InputError(
                f"the observed records have a norm of {sizes[0]:.3g} and those of the start {sizes[1]:.3g}, expected "
                f"similar ones; {remedy}."
            )
        correlation = float((self.observed * modelled).sum()) / (sizes[0] * sizes[1])
        if correlation < OPPOSITE:
            raise InputError(
                f"the observed records have a correlation of {correlation:.2f} with those of the start, as if their "
                f"sign were the other one; {remedy}."
            )

    def noise_floor(self, noise: float, band: Band) -> float:
        """Return the misfit of the true map under white noise.

        Parameters
        ----------
        noise : root mean square of the noise, as a share of that of the observed records
        band : in which records are compared
        """
        share = band.noise_energy() / self.acquisition.steps
        return noise**2 * share * float(self.observed.square().sum() / self.observed_in(band).square().sum())

    def noise_deviation(self, band: Band) -> float:
        """Return the relative deviation between draws of the noise of what :meth:`noise_floor` returns."""
        return math.sqrt(2.0 / (band.noise_samples() * int(self.traces.sum())))

    def signal(self, noise: float) -> Tensor:
        """Return the Wiener filter of the observed records, see :func:`~sciml.gfi.refinement.bands.signal_response`."""
        return signal_response(self.observed, noise)

    def shaped(self, records: Tensor) -> Tensor:
        """Return records with the wavelet that explains the observed ones best."""
        return torch.fft.irfft(self._filter(records)[:, None] * self._spectra(records), n=self._length, dim=-2)[
            ..., : self.acquisition.steps, :
        ]

    def wavelet(self, records: Tensor) -> Tensor:
        """Return the wavelet (steps,) that explains the observed records best, given records of the guess."""
        guess = torch.from_numpy(np.array(self.acquisition.wavelet)).to(records)
        spectrum = self._filter(records) * torch.fft.rfft(guess, n=self._length)
        return torch.fft.irfft(spectrum, n=self._length)[: self.acquisition.steps]

    def _filter(self, records: Tensor) -> Tensor:
        """Return the filter between guess and wavelet: at each frequency, least squares over all traces."""
        modelled = self._spectra(torch.where(self.traces, records, 0.0))
        power = modelled.abs().square().sum((0, 2))
        product = (modelled.conj() * self._spectra(self.observed)).sum((0, 2))
        return product / (power + QUIET * power.max().detach())

    def _spectra(self, records: Tensor) -> Tensor:
        return torch.fft.rfft(records, n=self._length, dim=-2)

    @property
    def _length(self) -> int:
        return padded_length(self.acquisition.steps)


@dataclass(frozen=True, eq=False)
class Modelled:
    """The records of a map, and derivatives of what is computed from them.

    Attributes
    ----------
    velocity : (nz, nx), of which the records are a function
    records : (shots, steps, receivers)
    """

    velocity: Tensor
    records: Tensor

    @classmethod
    def of(cls, velocity: np.ndarray, solver: WaveSolver) -> Modelled:
        """Solve for a map (nz, nx)."""
        with torch.enable_grad():
            leaf = torch.from_numpy(np.array(velocity, dtype=np.float64)).requires_grad_()
            return cls(leaf, solver(leaf[None])[0])

    def misfit(self, problem: ShotProblem, band: Band) -> tuple[float, Callable[[], np.ndarray]]:
        """Return the misfit in a band, and what returns its derivative (nz, nx)."""
        with torch.enable_grad():
            value = problem.misfit(self.records, band)
        return float(value.detach()), lambda: torch.autograd.grad(value, self.velocity)[0].numpy()

    def illumination(self, problem: ShotProblem, band: Band) -> np.ndarray:
        r"""Return how much the records in a band change with each cell, relative to the median cell, (nz, nx).

        Where most of the map is dark, it is relative to a hundredth of the brightest cell instead. The root of the
        diagonal of J^T J, estimated from J^T z of records z of random signs, and averaged over nearby cells.

        References
        ----------
        Bekas, Kokiopoulou, Saad, Applied Numerical Mathematics 57 (2007) 1214.
        """
        draws, squares = generator(0), np.zeros(self.velocity.shape)
        with torch.enable_grad():
            compared = torch.where(problem.traces, band(self.records), 0.0)
        for _ in range(PROBES):
            signs = torch.randint(0, 2, compared.shape, generator=draws) * 2.0 - 1.0
            (by_cell,) = torch.autograd.grad(compared, self.velocity, signs, retain_graph=True)
            squares += by_cell.numpy() ** 2
        blurred = np.sqrt(gaussian_filter(squares, BLUR, mode="reflect"))
        unit = max(float(np.median(blurred)), FAINTEST * float(blurred.max()))
        return blurred / unit if unit > 0.0 else blurred
