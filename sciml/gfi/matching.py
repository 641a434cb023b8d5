"""Shot records of one's own brought to the geometry, the time steps and the size that a network was trained for.

Velocities stay as they are if lengths and times grow alike, so that a network for 700 m and 15 Hz serves 700 a m at
15 / a Hz. The rules, in cells of the network's map, which are a times as large:

- The factor a is that of the distances between shots. Every set of shots that lie as the network's do, each within half
  a cell, is a window. The median frequency of the records is 0.6 to 1.6 times that of the network's wavelet; of several
  factors, that one counts for which the frequency and the places of the shots fit best.
- Depths count from the sources and receivers: they may lie at others than the network's, the same for all within half
  a cell, as no wave comes back from above.
- Between receivers, traces are interpolated linearly, where they are at most two cells apart; they reach to within half
  a cell of the network's on both sides. Of OpenFWI's records with every second receiver left out, 13 % is lost. Noise
  and dead traces are left to :mod:`sciml.gfi.preparing` before.
- In time, traces are band-limited, so that they are resampled without aliasing. They last at least nine tenths of the
  network's, zeros behind, and at the sources they peak within half a period of the network's wavelet.
- Records of another size or sign are multiplied by one number.

Windows that overlap by at least a quarter are blended to a section, which may be as wide as the line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt

import numpy as np
from scipy.signal import resample_poly

from sciml.checks import number
from sciml.data.formats.shot_lines import WINDOW, ShotLine
from sciml.errors import InputError
from sciml.gfi.preparing import prepared
from sciml.gfi.windows import ASIDE, ELSE, ROUNDING, windows_of
from sciml.reference.waves import Acquisition

EDGE = 0.05  # cells by which receivers may lie outside of the section and are moved to its edge
WIDEST_GAP = 2.0  # cells between receivers
SHORTEST = 0.9  # of the network's time
LATEST = 0.5  # of a period, by which waves at the sources may be late or early
SIMILAR_SIZE = 2.0  # factor by which the size of records may differ from that of the training before it is adjusted
LARGEST_FRACTION = 1000  # numerator and denominator of time steps, so that a trace drifts by a thousandth of a step


@dataclass(frozen=True, eq=False)
class MatchedShots:
    """Records of a line as a network takes them, and as the wave equation does.

    Attributes
    ----------
    windows : (windows, shots, steps, receivers) float32, at the network's receivers
    columns : of the section, at which each window begins, (windows,); not always whole numbers
    records : (shots, steps, receivers) float32: the line's own traces over the section, at the network's time steps
    acquisition : of these
    factor : of lengths and times
    gain : by which the windows were multiplied
    corner : (z, x) on the line of the centre of the section's top left cell
    noise_factor : from white noise in the line, relative to its records, to that in ``records``
    interpolated : number of dead traces of the windows' shots, which were interpolated for the network
    """

    windows: np.ndarray
    columns: np.ndarray
    records: np.ndarray
    acquisition: Acquisition
    factor: float
    gain: float
    corner: tuple[float, float]
    noise_factor: float = 1.0
    interpolated: int = 0

    def blended(self, maps: np.ndarray) -> np.ndarray:
        """Return the section (nz, nx) of the windows' maps (windows, nz, nx), whose weights fade towards their ends."""
        width = maps.shape[2]
        total, weights = np.zeros(self.acquisition.shape), np.zeros(self.acquisition.shape[1])
        for velocity, first in zip(maps, self.columns, strict=True):
            inside = np.arange(len(weights)) - first
            kept = (inside > -ROUNDING) & (inside < width - 1 + ROUNDING)
            places = np.clip(inside[kept], 0.0, width - 1.0)
            before = np.minimum(places.astype(int), width - 2)
            share = places - before
            weight = np.sin(np.pi * (places + 0.5) / width) ** 2
            total[:, kept] += weight * ((1 - share) * velocity[:, before] + share * velocity[:, before + 1])
            weights[kept] += weight
        return total / weights


def match(line: ShotLine, wanted: Acquisition, deviation: float, noise: float | None = None) -> MatchedShots:
    """Return the records of a line at the receivers and times of a network's acquisition, in windows along the line.

    Parameters
    ----------
    line : of shots
    wanted : acquisition that the network was trained for
    deviation : of the records that it was trained on
    noise : root mean square of white noise as a share of that of the line's records, where it is known

    Raises
    ------
    InputError
        If the line does not keep one of the rules above, which the sentence names.
    """
    frequency = median_frequency(line.records, line.time_step)
    windows = windows_of(line.sources[:, 1], frequency, wanted)
    target = wanted.scaled(windows[0].factor)
    # The power of white noise at each frequency stays as it is, and the band that it fills does not.
    noise_factor = sqrt(line.time_step / target.time_step)
    line = replace(line, records=_at_times(line.records, line.time_step, target), time_step=target.time_step)
    used = np.unique([window.shots for window in windows])
    whole, interpolated = _prepared(line, used, None if noise is None else noise * noise_factor)
    gathers, depths = [], []
    for window in windows:
        found = [_at_receivers(*whole.gather(shot), target, window.left) for shot in window.shots]
        gathers.append([traces for traces, _ in found])
        depths.append(line.sources[list(window.shots), 0] - target.sources[:, 0])
        depths += [deep - target.receivers[:, 0] for _, deep in found]
    top = _common_depth(np.concatenate(depths), target)
    records = np.array(gathers)
    _check_start(records, target)
    gain = gain_to(deviation, records, target)
    lefts = np.array([window.left for window in windows])
    columns = (lefts - lefts[0]) / target.spacing
    section = _section(line, target, (top, lefts[0]), target.shape[1] + int(columns[-1] + ROUNDING))
    found = (gain * records).astype(np.float32), columns, *section, windows[0].factor, gain, (top, float(lefts[0]))
    return MatchedShots(*found, noise_factor, interpolated)


def median_frequency(records: np.ndarray, time_step: float) -> float:
    """Return the frequency in hertz below which half of the energy of records (shots, steps, receivers) is.

    White noise of a tenth of the energy moves it by little, unlike the mean.
    """
    power = np.zeros(records.shape[1] // 2 + 1)
    for shot in records:
        power += (np.abs(np.fft.rfft(shot.astype(np.float64), axis=0)) ** 2).sum(1)
    if not power.sum() > 0:
        raise InputError("the records are zero everywhere.")
    below = np.concatenate([[0.0], power.cumsum()])
    return float(np.interp(below[-1] / 2, below, np.arange(len(below)) - 0.5)) / (records.shape[1] * time_step)


def gain_to(deviation: float, records: np.ndarray, target: Acquisition) -> float:
    """Return the factor by which records get the deviation of those of a training, and their sign; 1 if they have both.

    Near its source, the largest sample of a wave has the sign of that of the wavelet.

    Parameters
    ----------
    deviation : of the records of the training
    records : (windows, shots, steps, receivers)
    target : their acquisition, with the wavelet of the training
    """
    size = float(records.std(dtype=np.float64))  # squares of small numbers vanish in single precision
    if not size > 0.0:
        raise InputError("the records are the same everywhere, expected records of waves.")
    near = _nearest_traces(records, target)
    largest = np.take_along_axis(near, np.abs(near).argmax(-1)[..., None], -1)
    sign = np.median(np.sign(largest)) * np.sign(target.wavelet[np.abs(target.wavelet).argmax()])
    scale = 1.0 if 1 / SIMILAR_SIZE <= size / deviation <= SIMILAR_SIZE else deviation / size
    return -scale if sign < 0 else scale


def _nearest_traces(records: np.ndarray, target: Acquisition) -> np.ndarray:
    """Return the traces nearest to the sources, (shots, windows, steps)."""
    apart = np.abs(target.receivers[:, 1] - target.sources[:, 1:])
    return records[:, np.arange(target.shots), :, apart.argmin(1)]


def _prepared(line: ShotLine, used: np.ndarray, noise: float | None) -> tuple[ShotLine, int]:
    """Return a line of which some shots are without noise and dead traces, and the number of these."""
    if noise is not None:
        number("the noise at the network's time step", noise, above=0.0, below=1.0)
    receivers = line.receivers if line.receivers.ndim == 2 else line.receivers[used]
    found = prepared(line.records[used], receivers, None if line.mask is None else line.mask[used], noise)
    records = line.records.copy()
    records[used] = found.records
    return replace(line, records=records, mask=None), found.interpolated


def _middle(values: np.ndarray) -> float:
    return float(values.max() + values.min()) / 2


def _at_times(records: np.ndarray, time_step: float, target: Acquisition) -> np.ndarray:
    """Return records (shots, steps, receivers) at the network's times, zeros after the last sample."""
    last, wanted = time_step * (records.shape[1] - 1), target.time_step * (target.steps - 1)
    if last < SHORTEST * wanted:
        raise InputError(
            f"the records last {last:g} s, but the network is made for {wanted:g} s at this length; record longer, or "
            "use sciml solve gfi/fwi_cpu."
        )
    ratio = _ratio(time_step / target.time_step)
    found = np.zeros((len(records), target.steps, records.shape[2]), np.float32)
    for shot, traces in enumerate(records):
        resampled = resample_poly(
            traces.astype(np.float64), ratio.numerator, ratio.denominator, axis=0, window=WINDOW, padtype="line"
        )
        kept = resampled[: min(target.steps, int(last / target.time_step + ROUNDING) + 1)]
        found[shot, : len(kept)] = kept
    return found


def _ratio(value: float) -> Fraction:
    """Return a fraction close to a positive number, of which neither part is above a thousand or so."""
    if value > 1:
        return 1 / Fraction(1 / value).limit_denominator(LARGEST_FRACTION)
    return Fraction(value).limit_denominator(LARGEST_FRACTION)


def _at_receivers(
    traces: np.ndarray, where: np.ndarray, target: Acquisition, left: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return traces (steps, receivers) at the network's receivers in a window that begins at left, and their depths."""
    wanted, cell, places = target.receivers[:, 1] + left, target.spacing, where[:, 1]
    if len(places) < 2:
        raise InputError("a shot has fewer than two receivers, expected some along the line.")
    after = np.clip(np.searchsorted(places, wanted), 1, len(places) - 1)
    before, behind = places[after - 1], places[after]
    between = np.minimum(np.abs(wanted - before), np.abs(wanted - behind)) > ROUNDING * cell
    gap = float((behind - before)[between].max(initial=0.0))
    reach = max(places[0] - wanted.min(), wanted.max() - places[-1])
    if max(reach / ASIDE, gap / WIDEST_GAP) > (1 + ROUNDING) * cell:
        raise InputError(
            f"the receivers of a shot are up to {gap:g} m apart and end {max(reach, 0.0):g} m before those of the "
            f"network, expected at most {WIDEST_GAP * cell:g} and {ASIDE * cell:g} m; {ELSE}."
        )
    share = np.clip((wanted - before) / (behind - before), 0.0, 1.0)
    found = (1 - share) * traces[:, after - 1] + share * traces[:, after]
    return found.astype(np.float32), (1 - share) * where[after - 1, 0] + share * where[after, 0]


def _common_depth(deeper: np.ndarray, target: Acquisition) -> float:
    """Return by how much sources and receivers lie deeper than the network's."""
    top = _middle(deeper)
    if float(np.abs(deeper - top).max()) > (ASIDE + ROUNDING) * target.spacing:
        raise InputError(
            f"sources and receivers lie from {deeper.min():g} to {deeper.max():g} m below those of the network, "
            f"expected one depth within {ASIDE * target.spacing:g} m, as the network knows no topography; {ELSE}."
        )
    return top


def _check_start(records: np.ndarray, target: Acquisition) -> None:
    """Refuse records (windows, shots, steps, receivers) whose waves leave the sources at another time."""
    peaks = np.abs(_nearest_traces(records, target)).argmax(-1) - int(np.abs(target.wavelet).argmax())
    late = float(np.median(peaks)) * target.time_step
    if abs(late) > LATEST / target.frequency:
        raise InputError(
            f"waves peak at the sources {abs(late):.3g} s {'later' if late > 0 else 'earlier'} than the wavelet that "
            f"the network knows, expected at most {LATEST / target.frequency:.3g} s; change the delay of the "
            "traces by as much."
        )


def _section(
    line: ShotLine, target: Acquisition, corner: tuple[float, float], columns: int
) -> tuple[np.ndarray, Acquisition]:
    """Return the line's own traces over a section, and how they were recorded."""
    ends = target.spacing * np.array([target.shape[0] - 1.0, columns - 1.0])
    aside = (ASIDE + ROUNDING) * target.spacing
    edge = EDGE * target.spacing
    sources = line.sources - corner
    receivers = np.broadcast_to(line.receivers, (len(sources), *line.receivers.shape[-2:])) - corner
    mask = np.ones(receivers.shape[:2], bool) if line.mask is None else line.mask
    mask = mask & ((receivers > -edge) & (receivers < ends + edge)).all(-1)
    shots = np.flatnonzero(((sources > -aside) & (sources < ends + aside)).all(-1) & mask.any(1))
    acquisition = replace(
        target,
        shape=(target.shape[0], columns),
        sources=np.clip(sources[shots], 0.0, ends),
        receivers=np.clip(receivers[shots], 0.0, ends),
        mask=None if mask[shots].all() else mask[shots],
    )
    return np.where(mask[shots, None], line.records[shots], np.float32(0)), acquisition
