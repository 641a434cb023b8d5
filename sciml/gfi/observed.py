"""Records in files as a network takes them and as the wave equation does, for ``sciml predict``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sciml.data.formats.shot_files import SEGY, read_acquisition, read_values
from sciml.data.formats.shot_lines import ShotLine
from sciml.errors import DataFormatError, InputError
from sciml.gfi.preparing import without_dead_traces
from sciml.gfi.remarks import INTERPOLATED

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition


@dataclass(frozen=True, eq=False)
class Observed:
    """Records of one section or several.

    Attributes
    ----------
    windows : (windows, shots, steps, receivers), as the network takes them, see :mod:`sciml.gfi.preparing`
    records : (sections, shots, steps, receivers)
    acquisition : of the records; see :meth:`acquisition_of` for that of one section
    joined : from maps of the windows to those of the sections
    about : numbers on how they were brought there
    wavelet_is_known : whether the records were made with the acquisition's wavelet
    noise_factor : from white noise in the file to that at the acquisition's time step
    corner : (z, x) in metres of the centre of the top left cell
    """

    windows: np.ndarray
    records: np.ndarray
    acquisition: Acquisition
    joined: Callable[[np.ndarray], np.ndarray] = lambda maps: maps
    about: dict[str, float] = field(default_factory=dict)
    wavelet_is_known: bool = True
    noise_factor: float = 1.0
    corner: tuple[float, float] = (0.0, 0.0)

    def acquisition_of(self, section: int) -> Acquisition:
        """Return the acquisition of the records of a section, whose mask leaves out all of its dead traces."""
        return without_dead_traces(self.acquisition, self.records[section])


def read_observed(
    source: Path, geometry: Path | None, wanted: Acquisition, deviation: float, noise: float | None = None
) -> Observed:
    """Return the records in a file as a network takes them.

    Parameters
    ----------
    source : ``.npy`` or SEG-Y
    geometry : JSON file with the acquisition of records in ``.npy``, where it is not that of the network
    wanted : acquisition of the network
    deviation : of the records that it was trained on
    noise : root mean square of white noise as a share of that of the records, where it is known

    Raises
    ------
    DataFormatError
        If a file cannot be read, or holds something else.
    InputError
        If the shots of a line do not suit the network.
    """
    try:
        return _observed(source, geometry, wanted, deviation, noise)
    except InputError as error:
        if str(source) in str(error):
            raise
        raise type(error)(f"{source}: {error}") from error


def _observed(
    source: Path, geometry: Path | None, wanted: Acquisition, deviation: float, noise: float | None
) -> Observed:
    if source.suffix.lower() in SEGY:
        if geometry is not None:
            raise InputError(f"{source} says itself where it was recorded, so that acquisition={geometry} is left out.")
        from sciml.data.formats.segy import read_segy

        return _of_line(read_segy(source), wanted, deviation, noise)
    if source.suffix != ".npy":
        raise DataFormatError(f"{source} ends with {source.suffix!r}, expected .npy, .sgy or .segy with records.")
    if geometry is not None:
        return _of_line(_npy_line(source, geometry), wanted, deviation, noise)
    return _of_network(_records(source, wanted, "for this network", (3, 4)), wanted, deviation, noise)


def _of_network(records: np.ndarray, wanted: Acquisition, deviation: float, noise: float | None) -> Observed:
    """Return records of the network's own acquisition, whose size tells whether its wavelet made them."""
    from sciml.gfi.matching import gain_to
    from sciml.gfi.preparing import prepared

    records = records if records.ndim == 4 else records[None]
    found = [prepared(each, wanted.receivers, noise=noise) for each in records]
    interpolated = sum(each.interpolated for each in found)
    windows = np.stack([each.records for each in found]) if interpolated or noise is not None else records
    gain = gain_to(deviation, windows, wanted)
    about = {"gain": gain} | _told(interpolated)
    return Observed(
        windows if gain == 1.0 else gain * windows, records, wanted, about=about, wavelet_is_known=gain == 1.0
    )


def _of_line(line: ShotLine, wanted: Acquisition, deviation: float, noise: float | None) -> Observed:
    from sciml.gfi.matching import match

    found = match(line, wanted, deviation, noise)
    about = {"length_factor": found.factor, "gain": found.gain, "windows": float(len(found.windows))}
    about |= _told(found.interpolated)
    return Observed(
        found.windows,
        found.records[None],
        found.acquisition,
        lambda maps: found.blended(maps)[None],
        about,
        wavelet_is_known=False,
        noise_factor=found.noise_factor,
        corner=found.corner,
    )


def _told(interpolated: int) -> dict[str, float]:
    return {INTERPOLATED: float(interpolated)} if interpolated else {}


def _npy_line(source: Path, geometry: Path) -> ShotLine:
    made = read_acquisition(geometry)
    records = _records(source, made, f"of {geometry}", (3,))
    return ShotLine(records, made.time_step, made.sources, made.receivers, made.mask)


def _records(source: Path, made: Acquisition, whose: str, axes: tuple[int, ...]) -> np.ndarray:
    """Return the records in a ``.npy`` file."""
    try:
        records = read_values(source, "the records").astype(np.float32)
        made.check_records(f"the records in {source}", records)
    except InputError as error:
        raise DataFormatError(f"{source} holds no records {whose}: {error}") from error
    if records.ndim not in axes or not len(records):
        several = " or of several" if 4 in axes else ""
        raise DataFormatError(f"{source} has shape {records.shape}, expected records of one map{several}.")
    return records
