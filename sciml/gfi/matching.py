"""Records of one's own brought to the geometry, the time steps and the size that a network was trained for.

A network for 700 m and 15 Hz serves 1400 m and 7.5 Hz: velocities stay as they are if lengths and times grow alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import make_interp_spline

from sciml.errors import InputError
from sciml.reference.waves import Acquisition

ASIDE = 0.75  # cells by which a source may lie beside that of the network
WIDEST_GAP = 2.5  # cells between receivers, beyond which interpolated traces are not those of the ground
SHORTEST = 0.9  # of the network's time; what is missing at the end is taken as 0
BAND = (0.6, 1.6)  # of the mean frequency of records to that of the wavelet, where the network knows such records
LOUDNESS = 2.0  # factor by which the size of records may differ from that of the training before it is adjusted


class LineOfShots(Protocol):
    """Shots of a line, such as :class:`~sciml.data.formats.segy.SegyShots`."""

    records: np.ndarray
    time_step: float
    sources: np.ndarray
    receivers: np.ndarray
    mask: np.ndarray | None


@dataclass(frozen=True)
class MatchedShots:
    """Records as a network wants them.

    Attributes
    ----------
    records : (shots, steps, receivers) float32
    acquisition : theirs: that of the network, with lengths and times times a factor
    factor : of lengths and times
    gain : by which the records were multiplied
    """

    records: np.ndarray
    acquisition: Acquisition
    factor: float
    gain: float


def match(shots: LineOfShots, wanted: Acquisition, deviation: float) -> MatchedShots:
    """Return the records of a line at the receivers and times of a network's acquisition, scaled to its length.

    Traces are interpolated linearly between receivers and by cubic splines in time. The factor of lengths is that of
    the distances from the first to the last source.

    Parameters
    ----------
    shots : of the line
    wanted : acquisition that the network was trained for
    deviation : of the records that it was trained on

    Raises
    ------
    InputError
        If there are more or fewer shots, a source lies elsewhere, receivers are too far apart or do not reach to the
        ends, or the records are too short or of another band.
    """
    if len(shots.sources) != wanted.shots:
        raise InputError(f"the line has {len(shots.sources)} shots, but the network is made for {wanted.shots}.")
    order = np.argsort(shots.sources[:, 1])
    across = shots.sources[order, 1]
    of_network = wanted.sources[:, 1]
    factor = float((across[-1] - across[0]) / (of_network[-1] - of_network[0]))
    if not factor > 0:
        raise InputError("all sources of the line lie at one place, expected sources along it.")
    target = wanted.scaled(factor)
    left = float(np.median(across - target.sources[:, 1]))
    aside = np.abs(across - left - target.sources[:, 1]) / target.spacing
    if aside.max() > ASIDE:
        shot = int(aside.argmax())
        raise InputError(
            f"source {shot + 1} from the left lies at {across[shot] - left:g} m, but the network is made for "
            f"{target.sources[shot, 1]:g} m (of {target.spacing:g} m cells); the wave equation takes any positions: "
            "sciml solve gfi/fwi_cpu."
        )
    receivers = np.broadcast_to(shots.receivers, (len(across), *shots.receivers.shape[-2:]))[order, :, 1] - left
    alive = np.ones(receivers.shape, bool) if shots.mask is None else shots.mask[order]
    found = np.stack(
        [
            _at_receivers(shots.records[shot][:, alive[place]], receivers[place][alive[place]], target)
            for place, shot in enumerate(order)
        ]
    )
    found = _at_times(found, shots.time_step, target)
    _check_band(found, target)
    size = float(found.std())
    gain = 1.0 if 1 / LOUDNESS <= size / deviation <= LOUDNESS else deviation / size
    return MatchedShots((gain * found).astype(np.float32), target, factor, gain)


def _at_receivers(traces: np.ndarray, places: np.ndarray, target: Acquisition) -> np.ndarray:
    """Return traces (steps, receivers) at the network's receivers."""
    places, first = np.unique(places, return_index=True)
    traces, wanted = traces[:, first].astype(np.float64), target.receivers[:, 1]
    reach = max(places[0] - wanted[0], wanted[-1] - places[-1]) if len(places) else np.inf
    gap = np.diff(places).max(initial=0.0)
    if max(reach, gap / WIDEST_GAP) > target.spacing:
        raise InputError(
            f"the receivers of a shot are up to {gap:g} m apart and end {max(reach, 0.0):g} m before those of the "
            f"network, expected at most {WIDEST_GAP * target.spacing:g} and {target.spacing:g} m."
        )
    after = np.clip(np.searchsorted(places, wanted), 1, max(len(places) - 1, 1))
    share = np.clip((wanted - places[after - 1]) / (places[after] - places[after - 1]), 0.0, 1.0)
    return (1 - share) * traces[:, after - 1] + share * traces[:, after]


def _at_times(records: np.ndarray, time_step: float, target: Acquisition) -> np.ndarray:
    """Return records at the network's times, zeros after the last sample."""
    times, wanted = time_step * np.arange(records.shape[1]), target.time_step * np.arange(target.steps)
    if times[-1] < SHORTEST * wanted[-1]:
        raise InputError(
            f"the records last {times[-1]:g} s, but the network is made for {wanted[-1]:g} s at this length; record "
            "longer, or use sciml solve gfi/fwi_cpu."
        )
    spline = make_interp_spline(times, records, k=3, axis=1)
    found = spline(np.minimum(wanted, times[-1]))
    found[:, wanted > times[-1]] = 0.0
    return found


def _check_band(records: np.ndarray, target: Acquisition) -> None:
    """Refuse records whose mean frequency is not that of the wavelet."""
    power = (np.abs(np.fft.rfft(records, axis=1)) ** 2).sum((0, 2))
    if not power.sum() > 0:
        raise InputError("the records are zero everywhere.")
    mean = float((np.fft.rfftfreq(target.steps, target.time_step) * power).sum() / power.sum())
    if not BAND[0] * target.frequency <= mean <= BAND[1] * target.frequency:
        raise InputError(
            f"the records have a mean frequency of {mean:.3g} Hz, but at this length the network is made for wavelets "
            f"of {target.frequency:.3g} Hz; filter them, or train a network on records of your own wavelet."
        )
