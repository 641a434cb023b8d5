"""SEG-Y: what is written is read, headers mean what the standard says, and what cannot be shots is refused."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sciml.data.formats.segy import read_segy, write_segy
from sciml.errors import DataFormatError, InputError, MissingExtraError
from sciml.reference.waves import Acquisition
from tests.data import shot_folders

segyio = pytest.importorskip("segyio", reason="segyio, of the extra segy, is not installed")

# first bytes of fields in a trace's header, and how many they are
RECORD, DEAD_OR_ALIVE, RECEIVER_ELEVATION, SOURCE_ELEVATION, SOURCE_DEPTH = (9, 4), (29, 2), (41, 4), (45, 4), (49, 4)
ELEVATION_SCALAR, COORDINATE_SCALAR, SOURCE_X, SOURCE_Y = (69, 2), (71, 2), (73, 4), (77, 4)
RECEIVER_X, RECEIVER_Y, UNITS, DELAY, SAMPLES, INTERVAL = (81, 4), (85, 4), (89, 2), (109, 2), (115, 2), (117, 2)


@pytest.fixture
def line(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file of two shots at six receivers, and its records (2, 20, 6)."""
    records = shot_folders.arrays(1)[1][0]
    write_segy(tmp_path / "line.sgy", records, shot_folders.acquisition())
    return tmp_path / "line.sgy", records


def change(path: Path, field: tuple[int, int], value: int | Callable[[int], int], traces: int | None = None) -> None:
    """Write a number into the headers of the first traces, or of all; a function gets the number of the trace."""
    content = bytearray(path.read_bytes())
    length = 240 + 4 * struct.unpack_from(">H", content, 3220)[0]
    for number in range(((len(content) - 3600) // length) if traces is None else traces):
        given = value(number) if callable(value) else value
        struct.pack_into(">i" if field[1] == 4 else ">h", content, 3600 + number * length + field[0] - 1, given)
    path.write_bytes(content)


def change_binary(path: Path, byte: int, value: int) -> None:
    """Write a number into the binary header."""
    content = bytearray(path.read_bytes())
    struct.pack_into(">H", content, byte - 1, value)
    path.write_bytes(content)


def test_shots_come_back_bit_by_bit_with_their_positions(line: tuple[Path, np.ndarray]) -> None:
    path, records = line
    found, acquisition = read_segy(path), shot_folders.acquisition()
    assert np.array_equal(found.records, records) and found.records.dtype == np.float32
    assert found.time_step == 1e-3 and found.delay == 0 and found.mask is None
    assert np.allclose(found.sources, acquisition.sources) and np.allclose(found.receivers, acquisition.receivers)
    again = found.acquisition((8, 9), 10.0, 15.0)
    assert again.as_dict() == acquisition.as_dict()


def test_moving_receivers_and_dead_traces_come_back_off_the_grid(tmp_path: Path) -> None:
    receivers = np.stack([np.full((3, 4), 2.5), 10.125 * np.arange(4) + 7.0 * np.arange(3)[:, None]], axis=-1)
    mask = np.array([[True] * 4, [True, False, True, True], [True] * 4])
    sources = np.array([[5.0, 1.0], [5.0, 8.0], [6.0, 15.5]])
    given = Acquisition((20, 30), 5.0, 5e-4, 30, sources, receivers, 20.0, mask=mask)
    records = np.random.default_rng(0).standard_normal(given.record_shape).astype(np.float32)
    write_segy(tmp_path / "moving.sgy", records, given)
    found = read_segy(tmp_path / "moving.sgy")
    assert np.array_equal(found.records, np.where(mask[:, None], records, 0)) and np.array_equal(found.mask, mask)
    assert np.allclose(found.receivers, receivers) and np.allclose(found.sources, sources)
    assert found.acquisition((20, 30), 5.0, 20.0, left=0.0).as_dict() == given.as_dict()
    first = found.acquisition((20, 30), 5.0, 20.0)
    assert np.allclose(first.receivers, receivers) and np.allclose(first.sources, sources)  # a receiver is at 0


def test_the_bytes_depend_on_the_records_alone(line: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, records = line
    write_segy(tmp_path / "again.sgy", records, shot_folders.acquisition())
    assert (tmp_path / "again.sgy").read_bytes() == path.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["again.sgy", "line.sgy"]


def test_segyio_reads_what_we_write(line: tuple[Path, np.ndarray]) -> None:
    path, records = line
    with segyio.open(str(path), ignore_geometry=True) as file:
        assert np.array_equal(file.trace.raw[:], np.moveaxis(records, 1, -1).reshape(12, 20))
        assert segyio.tools.dt(file) == 1000 and file.bin[segyio.BinField.Interval] == 1000
        assert file.header[6][segyio.TraceField.SourceX] == 40_000
        assert file.header[6][segyio.TraceField.SourceGroupScalar] == -1000


@pytest.mark.parametrize(("code", "tolerance"), [(1, 1e-6), (3, 0.5)])
def test_other_formats_of_samples_are_read(tmp_path: Path, code: int, tolerance: float) -> None:
    """IBM floating point has 20 to 24 bits; integers are what they are."""
    records = 100 * shot_folders.arrays(1)[1][0]
    write_segy(tmp_path / "ieee.sgy", records, shot_folders.acquisition())
    layout = segyio.spec()
    layout.format, layout.samples, layout.tracecount = code, np.arange(20.0), 12
    with (
        segyio.open(str(tmp_path / "ieee.sgy"), ignore_geometry=True) as source,
        segyio.create(str(tmp_path / "other.sgy"), layout) as file,
    ):
        file.bin.update({3217: 1000})
        for number in range(12):
            file.header[number] = source.header[number]
            values = source.trace[number]
            file.trace[number] = values if code == 1 else np.round(values).astype(np.int16)
    found = read_segy(tmp_path / "other.sgy").records
    assert np.abs(found - records).max() <= tolerance * (np.abs(records).max() if code == 1 else 1)
    assert not np.array_equal(found, records)


def test_scalars_multiply_or_divide_and_feet_become_metres(line: tuple[Path, np.ndarray]) -> None:
    path, _ = line
    change(path, COORDINATE_SCALAR, 10)
    change(path, SOURCE_X, 7)
    change(path, RECEIVER_X, lambda trace: trace % 6)
    found = read_segy(path)
    assert found.sources[:, 1].tolist() == [70, 70] and found.receivers[:, 1].tolist() == [0, 10, 20, 30, 40, 50]
    change(path, COORDINATE_SCALAR, 0)  # not set: 1
    change_binary(path, 3255, 2)
    found = read_segy(path)
    assert np.allclose(found.sources[:, 1], 7 * 0.3048) and np.allclose(found.receivers[:, 1], 0.3048 * np.arange(6))
    assert np.allclose(found.sources[:, 0], 10 * 0.3048)


def test_depths_are_below_the_highest_point(line: tuple[Path, np.ndarray]) -> None:
    path, _ = line
    change(path, ELEVATION_SCALAR, 1)
    change(path, RECEIVER_ELEVATION, lambda trace: 500 - 2 * (trace % 6))
    change(path, SOURCE_ELEVATION, 495)
    change(path, SOURCE_DEPTH, 3)
    found = read_segy(path)
    assert found.receivers[:, 0].tolist() == [0, 2, 4, 6, 8, 10] and found.sources[:, 0].tolist() == [8, 8]


def test_a_line_in_any_direction_is_measured_along_itself(line: tuple[Path, np.ndarray]) -> None:
    path, _ = line
    change(path, COORDINATE_SCALAR, 1)
    change(path, RECEIVER_X, lambda trace: 400_000 + 30 * (trace % 6))
    change(path, RECEIVER_Y, lambda trace: 5_000_000 + 40 * (trace % 6))
    change(path, SOURCE_X, lambda trace: 400_000 + 30 * (trace // 6))
    change(path, SOURCE_Y, lambda trace: 5_000_000 + 40 * (trace // 6))
    found = read_segy(path)
    assert np.allclose(found.receivers[:, 1], 50 * np.arange(6)) and np.allclose(found.sources[:, 1], [0, 50])
    change(path, RECEIVER_Y, 5_000_000)
    change(path, SOURCE_Y, lambda trace: 5_000_000 + 100 * (trace // 6))
    with pytest.raises(DataFormatError, match=r"line\.sgy has positions up to .* m beside a line of .* straight line"):
        read_segy(path)


def test_shots_of_different_receivers_are_padded_with_a_mask(line: tuple[Path, np.ndarray]) -> None:
    path, records = line
    change(path, RECORD, lambda trace: 7 if trace < 4 else 3)  # the source, too, tells traces 4 and 5 from the second
    found = read_segy(path)
    assert found.records.shape == (3, 20, 6) and found.mask.sum(axis=1).tolist() == [4, 2, 6]
    assert np.array_equal(found.records[0, :, :4], records[0, :, :4]) and not found.records[0, :, 4:].any()
    assert np.array_equal(found.records[1, :, :2], records[0, :, 4:])
    assert np.array_equal(found.records[2], records[1])
    assert found.receivers.shape == (3, 6, 2) and found.receivers[1, :2, 1].tolist() == [40, 50]
    assert found.acquisition((8, 9), 10.0, 15.0).mask.tolist() == found.mask.tolist()


@pytest.mark.parametrize("delay", [4, -4])
def test_records_begin_with_the_shot_whatever_the_delay(line: tuple[Path, np.ndarray], delay: int) -> None:
    path, records = line
    change(path, DELAY, delay)
    found = read_segy(path)
    assert found.delay == pytest.approx(delay / 1000) and found.records.shape == (2, 20 + delay, 6)
    if delay > 0:
        assert not found.records[:, :4].any() and np.array_equal(found.records[:, 4:], records)
    else:
        assert np.array_equal(found.records, records[:, 4:])
    change(path, DELAY, 2, traces=6)
    found = read_segy(path)
    last = min(2, delay) + 20
    assert np.array_equal(found.records[0, 2:22], records[0]) and found.records.shape[1] == 20 + max(2, delay)
    assert found.delay == pytest.approx(min(2, delay) / 1000) and found.records[1, last:].any() == (delay > 2)


FAULTS = {
    "no coordinates: bytes 73 to 88": lambda path: [
        change(path, field, 0) for field in (SOURCE_X, SOURCE_Y, RECEIVER_X, RECEIVER_Y)
    ],
    "geographic coordinates, expected lengths": lambda path: change(path, UNITS, 2),
    "the sample intervals 1000, 2000 microseconds, expected one": lambda path: change(path, INTERVAL, 2000, traces=3),
    "has no sample interval, expected one": lambda path: [change(path, INTERVAL, 0), change_binary(path, 3217, 0)],
    "has traces of 19 and of 20 samples": lambda path: change(path, SAMPLES, 19, traces=1),
    "begins between two samples after a shot": lambda path: [
        change(path, DELAY, 3),
        change(path, INTERVAL, 2000),
        change_binary(path, 3217, 2000),
    ],
    "has traces that end 0 samples after the shot by their delays": lambda path: change(path, DELAY, -20),
    "samples of format 4, expected 1 .IBM. or 5 .IEEE": lambda path: change_binary(path, 3225, 4),
    "it is truncated, or its traces differ in length": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "has 100 bytes, expected at least the headers": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "all 6 receivers of shot 1 are at one place": lambda path: [
        change(path, RECEIVER_X, 10_000),
        change(path, RECEIVER_ELEVATION, 0),
    ],
    "trace 12 holds values that are not finite": lambda path: path.write_bytes(
        path.read_bytes()[:-4] + struct.pack(">f", np.inf)
    ),
    "more than half of this machine's memory": lambda path: [
        change_binary(path, 3221, 0xFFFF),
        path.write_bytes(path.read_bytes()[:3600]),
        path.open("r+b").truncate(3600 + (240 + 4 * 0xFFFF) * 2**22),
    ],
}


@pytest.mark.parametrize("words", FAULTS)
def test_what_cannot_be_shots_is_refused_in_a_sentence(line: tuple[Path, np.ndarray], words: str) -> None:
    path, _ = line
    FAULTS[words](path)
    with pytest.raises(DataFormatError, match=words) as refusal:
        read_segy(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"there is no file .*absent\.sgy"):
        read_segy(tmp_path / "absent.sgy")
    with pytest.raises(DataFormatError, match="is a folder, expected a regular file"):
        read_segy(tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"time_step": 1e-7, "frequency": 1000.0}, "SEG-Y holds at most 32767 samples of 1 to 32767 microseconds"),
        ({"time_step": 1.5e-6, "frequency": 1000.0}, "time step is 1.5e-06, expected a whole number of microseconds"),
        ({"steps": 40_000}, "SEG-Y holds at most 32767 samples"),
        (
            {"shape": (3000, 9), "spacing": 1e4, "sources": [[2.1e7, 0.0]] * 2},
            "a position is 2.*expected at most 2000 km",
        ),
    ],
)
def test_what_segy_cannot_hold_is_not_written(tmp_path: Path, changes: dict, sentence: str) -> None:
    given = Acquisition.from_dict({**shot_folders.acquisition().as_dict(), "wavelet": None, **changes})
    with pytest.raises(InputError, match=sentence):
        write_segy(tmp_path / "none.sgy", np.zeros(given.record_shape), given)
    with pytest.raises(InputError, match="the shot records"):
        write_segy(tmp_path / "none.sgy", np.zeros((1, 2, 3)), shot_folders.acquisition())
    assert not list(tmp_path.iterdir())


def test_without_the_extra_a_sentence_says_what_to_install(line: tuple[Path, np.ndarray], monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "segyio", None)
    with pytest.raises(MissingExtraError, match=r"SEG-Y needs segyio; run: pip install 'sciml\[segy\]'"):
        read_segy(line[0])


def test_mutated_files_are_read_or_refused_in_a_sentence(line: tuple[Path, np.ndarray]) -> None:
    """300 mutations, most of them in headers."""
    path, _ = line
    whole = path.read_bytes()
    random, refused = np.random.default_rng(0), []
    for number in range(300):
        content = bytearray(whole)
        kind = number % 4
        if kind == 0:
            del content[int(random.integers(len(content))) :]
        elif kind == 1:
            for byte in random.integers(3200, 3600, 3):
                content[byte] = int(random.integers(256))
        else:
            for byte in random.integers(240, size=3):
                content[3600 + 320 * int(random.integers(12)) + int(byte)] = int(random.integers(256))
        path.write_bytes(content)
        try:
            found = read_segy(path)
        except DataFormatError as error:
            refused.append(str(error))
        else:
            assert np.isfinite(found.records).all() and np.isfinite(found.receivers).all() and found.time_step > 0
            assert found.records.shape[0] == len(found.sources) and found.records.shape[2] == found.receivers.shape[-2]
    assert 80 < len(refused) < 290
    assert all(str(path) in sentence and len(sentence) < 1000 and "\n" not in sentence for sentence in refused)
