"""SEG-Y, the file format of seismic records: shots and where they were recorded, from the headers of the traces.

The only place that imports segyio, which is under the LGPL and comes with the extra ``segy``.

Reference: SEG-Y revision 1, Society of Exploration Geophysicists 2002; byte numbers in comments count from 1 as there.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sciml.atomic import AtomicFile
from sciml.checks import real_array, sentence
from sciml.data.formats.dataset import faults
from sciml.data.formats.shot_lines import ShotLine
from sciml.errors import DataFormatError, InputError, MissingExtraError
from sciml.npy_files import check_expanded_size
from sciml.reference.waves import Acquisition
from sciml.regular_files import open_regular

WIDTHS = {1: 4, 5: 4, 2: 4, 3: 2, 8: 1}  # bytes of a sample by format: IBM and IEEE floating point, integers
TEXT, BINARY, TRACE = 3200, 400, 240  # bytes of the headers
MOST_SAMPLES = 32767  # of a trace, in two bytes
LONGEST = 10 * MOST_SAMPLES  # of a trace with its delay
METRES_PER_FOOT = 0.3048
CROOKED = 0.1  # largest distance from a straight line, as a share of its length
DEAD = 2  # identification code of a trace
FIELDS = {  # of a trace's header, by the number of their first byte
    "record": 9,
    "source point": 17,
    "identification": 29,
    "receiver elevation": 41,
    "source elevation": 45,
    "source depth": 49,
    "elevation scalar": 69,
    "coordinate scalar": 71,
    "source x": 73,
    "source y": 77,
    "receiver x": 81,
    "receiver y": 85,
    "coordinate units": 89,
    "delay": 109,
    "samples": 115,
    "interval": 117,
    "time scalar": 215,
}
Headers = Mapping[str, np.ndarray]  # by field, one number for each trace


def read_segy(path: str | os.PathLike[str]) -> ShotLine:
    """Read shot records and where they were recorded.

    Traces belong to one shot if record number, source point and source position agree; their order is kept.
    Coordinates and elevations are scaled as their headers say, feet become metres, and positions in the plane are
    projected onto the line that fits them best. Records begin at the time of the shot, whatever the delay of the file.

    Parameters
    ----------
    path : of the file

    Raises
    ------
    MissingExtraError
        If segyio is not installed.
    DataFormatError
        If the file is truncated or its format unknown; if it has no coordinates, geographic ones, or some that are not
        on a line; if traces differ in interval or number of samples; if a sample is not finite.
    """
    segyio, path = _segyio(), Path(path)
    with faults(path, "it"):
        interval, samples, unit = _check_binary_header(path)
        with segyio.open(str(path), ignore_geometry=True) as file:
            headers = {name: np.asarray(file.attributes(byte)[:]).astype(np.int64) for name, byte in FIELDS.items()}
            traces = np.asarray(file.trace.raw[:], dtype=np.float32)
        if traces.ndim != 2 or traces.shape[1] != samples:
            raise DataFormatError(f"{path} has traces of shape {traces.shape}, expected {samples} samples each.")
        if not np.isfinite(traces).all():
            number = int(np.flatnonzero(~np.isfinite(traces).all(axis=1))[0])
            raise DataFormatError(f"{path}: trace {number + 1} holds values that are not finite.")
        time_step = _time_step(path, interval, samples, headers)
        starts = _starts(path, time_step, headers)
        sources, receivers = _positions(path, unit, headers)
        return _shots(path, _from_time_zero(path, traces, starts), (sources, receivers), headers, (time_step, starts))


def write_segy(path: str | os.PathLike[str], records: Any, acquisition: Acquisition) -> None:
    """Write shot records with their positions, in IEEE floating point; what the mask leaves out are dead traces.

    Positions are kept to a millimetre.

    Parameters
    ----------
    path : of the file; an older one is replaced
    records : (shots, steps, receivers)
    acquisition : how they were recorded

    Raises
    ------
    MissingExtraError
        If segyio is not installed.
    InputError
        If SEG-Y cannot hold them: more than 32767 samples, a time step that is no whole number of microseconds, or
        positions of more than 2000 km.
    """
    segyio = _segyio()
    records = real_array("the shot records", records, shape=acquisition.record_shape).astype(np.float32)
    microseconds = round(acquisition.time_step * 1e6)
    if acquisition.steps > MOST_SAMPLES or not 0 < microseconds <= MOST_SAMPLES:
        raise InputError(
            f"SEG-Y holds at most {MOST_SAMPLES} samples of 1 to {MOST_SAMPLES} microseconds, got {acquisition.steps} "
            f"of {acquisition.time_step:g} s."
        )
    if abs(microseconds * 1e-6 - acquisition.time_step) > 1e-9 * acquisition.time_step:
        raise InputError(
            sentence("the time step", acquisition.time_step, "a whole number of microseconds, as SEG-Y has them")
        )
    where = np.concatenate([acquisition.sources, acquisition.receivers.reshape(-1, 2)])
    if np.abs(where).max() > 2e6:
        raise InputError(sentence("a position", float(np.abs(where).max()), "at most 2000 km, as SEG-Y holds them"))
    layout = segyio.spec()
    layout.format, layout.samples = 5, np.arange(acquisition.steps) * (microseconds / 1000)
    layout.tracecount = acquisition.shots * acquisition.receiver_count
    with AtomicFile(path) as target, segyio.create(str(target.part), layout) as file:
        file.text[0] = segyio.tools.create_text_header({1: "SHOT RECORDS WRITTEN BY SCIML"})
        file.bin.update({3217: microseconds, 3221: acquisition.steps, 3255: 1})  # metres
        for number, (shot, receiver) in enumerate(np.ndindex(acquisition.shots, acquisition.receiver_count)):
            file.header[number] = _trace_header(acquisition, microseconds, shot, receiver)
            file.trace[number] = np.ascontiguousarray(records[shot, :, receiver])


def _segyio() -> ModuleType:
    try:
        import segyio
    except ImportError as error:
        raise MissingExtraError("SEG-Y needs segyio; run: pip install 'sciml[segy]'") from error
    return segyio


def _check_binary_header(path: Path) -> tuple[int, int, float]:
    """Return interval in microseconds, samples, and metres per unit of length, once the sizes are found to fit."""
    with open_regular(path, DataFormatError) as file:
        size, content = os.fstat(file.fileno()).st_size, file.read(TEXT + BINARY)
    if len(content) < TEXT + BINARY:
        raise DataFormatError(
            f"{path} has {len(content)} bytes, expected at least the headers of SEG-Y; it is truncated."
        )

    def field(byte: int) -> int:
        return struct.unpack_from(">H", content, byte - 1)[0]

    interval, samples, code, more, unit = (field(byte) for byte in (3217, 3221, 3225, 3505, 3255))
    if code not in WIDTHS:
        raise DataFormatError(
            f"{path} has samples of format {code}, expected 1 (IBM) or 5 (IEEE floating point), or 2, 3, 8 (integers); "
            "it is no SEG-Y, or convert it."
        )
    length = TRACE + samples * WIDTHS[code]
    rest = size - TEXT - BINARY - TEXT * more
    if not samples or rest <= 0 or rest % length:
        raise DataFormatError(
            f"{path} has {max(rest, 0)} bytes of traces, expected a multiple of {length} for {samples} samples; it is "
            "truncated, or its traces differ in length."
        )
    check_expanded_size(4 * samples * (rest // length))
    return interval, samples, METRES_PER_FOOT if unit == 2 else 1.0


def _time_step(path: Path, interval: int, samples: int, headers: Headers) -> float:
    """Return the only sample interval of a file, in seconds."""
    found = {interval, *np.unique(headers["interval"] & 0xFFFF).tolist()} - {0}
    if len(found) != 1:
        what = (
            f"the sample intervals {', '.join(map(str, sorted(found)[:4]))} microseconds"
            if found
            else "no sample interval"
        )
        raise DataFormatError(f"{path} has {what}, expected one sample interval; resample or split the file.")
    counts = set(np.unique(headers["samples"] & 0xFFFF).tolist()) - {0, samples}
    if counts:
        raise DataFormatError(f"{path} has traces of {min(counts)} and of {samples} samples; cut them to one length.")
    return found.pop() * 1e-6


def _starts(path: Path, time_step: float, headers: Headers) -> np.ndarray:
    """Return the sample at which each trace begins, counted from the time of the shot."""
    starts = _scaled(headers["delay"], headers["time scalar"]) * 1e-3 / time_step
    if np.abs(starts - np.round(starts)).max() > 0.01:
        raise DataFormatError(f"{path} begins between two samples after a shot; resample it to whole samples.")
    return np.round(starts).astype(np.int64)


def _from_time_zero(path: Path, traces: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return traces that begin at the time of the shot, with zeros before their first and behind their last sample."""
    samples = traces.shape[1]
    steps = samples + int(starts.max())
    if not 0 < steps <= LONGEST:
        raise DataFormatError(
            f"{path} has traces that end {steps} samples after the shot by their delays, expected 1 to {LONGEST}."
        )
    if not starts.any():
        return traces
    check_expanded_size(4 * len(traces) * steps)
    moved = np.zeros((len(traces), steps), dtype=np.float32)
    for number, start in enumerate(starts.tolist()):
        cut = max(0, -start)
        moved[number, start + cut : start + samples] = traces[number, cut:]
    return moved


def _positions(path: Path, unit: float, headers: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (z, x) of source and receiver of each trace, in metres."""
    ends = ("source x", "source y", "receiver x", "receiver y")
    if not any(headers[name].any() for name in ends):
        raise DataFormatError(
            f"{path} has no coordinates: bytes 73 to 88 of all trace headers are zero; write source and receiver "
            "positions there."
        )
    if not set(np.unique(headers["coordinate units"]).tolist()) <= {0, 1}:
        raise DataFormatError(f"{path} has geographic coordinates, expected lengths; project them first.")
    plane = [_scaled(headers[name], headers["coordinate scalar"]) * unit for name in ends]
    along = _along_line(path, np.stack([np.concatenate(plane[0::2]), np.concatenate(plane[1::2])], axis=1))
    heights = {
        name: _scaled(headers[name], headers["elevation scalar"]) * unit
        for name in ("receiver elevation", "source elevation", "source depth")
    }
    datum = max(heights["receiver elevation"].max(), heights["source elevation"].max())
    depths = (datum - heights["source elevation"] + heights["source depth"], datum - heights["receiver elevation"])
    count = len(plane[0])
    return np.stack([depths[0], along[:count]], axis=1), np.stack([depths[1], along[count:]], axis=1)


def _along_line(path: Path, points: np.ndarray) -> np.ndarray:
    """Return the coordinate of points in the plane along the line that fits them best, x itself where y is constant."""
    extents = np.ptp(points, axis=0)
    if not extents.min():
        return points[:, int(extents.argmax())]
    centred = points - points.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    direction *= np.sign(direction[np.abs(direction).argmax()])
    along, beside = centred @ direction, centred @ np.array([-direction[1], direction[0]])
    if np.abs(beside).max() > CROOKED * np.ptp(along):
        raise DataFormatError(
            f"{path} has positions up to {np.abs(beside).max():.3g} m beside a line of {np.ptp(along):.3g} m, expected "
            "a straight line; select one."
        )
    return along - along.min()


def _shots(
    path: Path,
    traces: np.ndarray,
    positions: tuple[np.ndarray, np.ndarray],
    headers: Headers,
    times: tuple[float, np.ndarray],
) -> ShotLine:
    """Return the traces in their shots, padded to the largest number of receivers."""
    sources, receivers = positions
    keys = np.column_stack([headers["record"], headers["source point"], sources])
    _, first, member = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    shot = np.argsort(np.argsort(first))[member.reshape(-1)]  # in the order of their first traces
    count = np.bincount(shot)
    shots, most, steps = len(count), int(count.max()), traces.shape[1]
    check_expanded_size(4 * shots * most * steps + traces.nbytes)
    order = np.argsort(shot, kind="stable")
    place = np.empty(len(shot), dtype=np.int64)
    place[order] = np.concatenate([np.arange(each) for each in count])
    records = np.zeros((shots, steps, most), dtype=np.float32)
    mask = np.zeros((shots, most), dtype=bool)
    where = np.repeat(receivers[np.sort(first)][:, None], most, axis=1)
    records[shot, :, place], where[shot, place] = traces, receivers
    mask[shot, place] = headers["identification"] != DEAD
    for number in np.flatnonzero(count > 1).tolist():
        if not np.ptp(where[number], axis=0).any():
            raise DataFormatError(f"{path}: all {count[number]} receivers of shot {number + 1} are at one place.")
    records.swapaxes(1, 2)[~mask] = 0.0
    same = bool((where == where[0]).all())
    time_step, starts = times
    return ShotLine(
        records,
        time_step,
        sources[np.sort(first)],
        where[0] if same else where,
        None if mask.all() else mask,
        float(starts.min() * time_step),
    )


def _scaled(values: np.ndarray, scalars: np.ndarray) -> np.ndarray:
    """Return numbers multiplied by a positive scalar or divided by a negative one; zero leaves them."""
    size = np.maximum(np.abs(scalars), 1).astype(float)
    return np.where(scalars < 0, values / size, values * size)


def _trace_header(acquisition: Acquisition, microseconds: int, shot: int, receiver: int) -> dict[int, int]:
    """Return the fields of a trace's header by their first byte, lengths in millimetres."""
    (z, x), (below, along) = acquisition.sources[shot], acquisition.receivers_by_shot[shot, receiver]
    alive = acquisition.mask is None or bool(acquisition.mask[shot, receiver])
    values = {
        "record": shot + 1,
        "source point": shot + 1,
        "identification": 1 if alive else DEAD,
        "receiver elevation": round(-1000 * float(below)),
        "source depth": round(1000 * float(z)),
        "elevation scalar": -1000,
        "coordinate scalar": -1000,
        "source x": round(1000 * float(x)),
        "receiver x": round(1000 * float(along)),
        "coordinate units": 1,
        "samples": acquisition.steps,
        "interval": microseconds,
    }
    return {FIELDS[name]: value for name, value in values.items()}
