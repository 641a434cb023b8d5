"""Checks of velocity maps: units, signs, and what the grid and the time step can carry."""

from __future__ import annotations

from math import sqrt

import torch

from sciml.checks import real_tensor, shape
from sciml.errors import InputError
from sciml.reference.waves.acquisition import ROUNDING, Acquisition
from sciml.reference.waves.units import check_metres_per_second

LARGEST_COURANT = 0.6  # v dt / dx; the scheme is stable up to sqrt(3/8) = 0.612 in the plane
HIGHEST = 2.5  # times the peak frequency, above which a Ricker wavelet has 0.014 % of its energy
FEWEST_CELLS = 2.0  # per wavelength there


def check_velocities(velocities: torch.Tensor, acquisition: Acquisition) -> torch.Tensor:
    """Return velocity maps (maps, nz, nx) in m/s that an acquisition's grid and time step can carry.

    Raises
    ------
    InputError
        If the shape differs, a value is not positive or not finite, or the values are in km/s; if v dt / dx is above
        0.6, where the scheme is unstable; if there are fewer than 2 cells per wavelength at 2.5 times the peak
        frequency.
    """
    name = "the velocity maps"
    real_tensor(name, velocities)
    shape(name, velocities, ("maps", *acquisition.shape), remedy="give maps as (maps, nz, nx), depth first")
    plain = velocities.detach()
    if not len(plain):
        return velocities
    lowest, highest = plain.amin((1, 2)), plain.amax((1, 2))
    for number, (low, high) in enumerate(zip(lowest.tolist(), highest.tolist(), strict=True)):
        check_range(f"velocity map {number}", low, high, acquisition)
    return velocities


def unrecorded(velocities: torch.Tensor, acquisition: Acquisition) -> float:
    """Return the share of the depth below which no wave is back before the records end; 0 if all of it is recorded.

    The time is that of the peak of the wavelet and of the way down and up at the mean slowness of each row, of the
    slowest of the maps (maps, nz, nx).
    """
    spacing = acquisition.spacing
    slowness = (1.0 / velocities.detach().double()).mean(2).amax(0).cpu()
    peak = float(abs(acquisition.wavelet).argmax()) * acquisition.time_step
    shallowest = int(acquisition.sources[:, 0].min() / spacing)
    times = peak + 2.0 * spacing * slowness[shallowest + 1 :].cumsum(0)
    late = int((times > acquisition.steps * acquisition.time_step).sum())
    return late / acquisition.shape[0]


def check_range(name: str, low: float, high: float, acquisition: Acquisition) -> None:
    """Refuse velocities that an acquisition's grid and time step cannot carry; see :func:`check_velocities`.

    Parameters
    ----------
    name : of the map or the range, such as ``"velocity map 3"``
    low, high : the least and the largest one, in m/s; both not-a-number if any is
    acquisition : that has to carry them
    """
    check_metres_per_second(name, low, high, InputError)
    courant = high * acquisition.time_step / acquisition.spacing
    if courant > (1.0 + ROUNDING) * LARGEST_COURANT:
        raise InputError(
            f"{name} reaches {high:g} m/s, for which velocity times time step over spacing is {courant:.3g}, expected "
            f"at most {LARGEST_COURANT} (the scheme is unstable above {sqrt(3 / 8):.3f}); take a time step of at most "
            f"{LARGEST_COURANT * acquisition.spacing / high:.3g} s."
        )
    cells = low / (HIGHEST * acquisition.frequency * acquisition.spacing)
    if cells < FEWEST_CELLS:
        raise InputError(
            f"{name} is as slow as {low:g} m/s, for which a wave of {HIGHEST * acquisition.frequency:g} Hz has "
            f"{cells:.2g} cells per wavelength, expected at least {FEWEST_CELLS:g}; take a spacing of at most "
            f"{low / (HIGHEST * acquisition.frequency * FEWEST_CELLS):.3g} m or a lower frequency."
        )
