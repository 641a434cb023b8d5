"""Lines of shots brought to a network's geometry: exact records of a wave at other places, times and lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.gfi.matching import match
from sciml.reference.waves import Acquisition

SPEED, FREQUENCY = 2000.0, 10.0


@dataclass(frozen=True)
class Line:
    records: np.ndarray
    time_step: float
    sources: np.ndarray
    receivers: np.ndarray
    mask: np.ndarray | None = None


def wanted() -> Acquisition:
    columns = np.arange(20)
    return Acquisition(
        shape=(20, 20),
        spacing=10.0,
        time_step=2e-3,
        steps=250,
        sources=np.array([[10.0, 0.0], [10.0, 90.0], [10.0, 190.0]]),
        receivers=np.stack([np.full(20, 10.0), 10.0 * columns], 1),
        frequency=FREQUENCY,
    )


def wave(sources: np.ndarray, receivers: np.ndarray, times: np.ndarray, factor: float) -> np.ndarray:
    """Return a wavelet of FREQUENCY / factor that runs along the line from each source, (shots, steps, receivers)."""
    distance = np.abs(sources[:, None] - receivers[None])
    late = times[None, :, None] - distance[:, None] / SPEED - 0.15 * factor
    phase = (np.pi * FREQUENCY / factor * late) ** 2
    return (1 - 2 * phase) * np.exp(-phase)


def line(factor: float = 1.0, shift: float = 0.0, gap: float = 7.0, time_step: float = 1e-3) -> Line:
    """Return a line of the network's length times a factor, with other receivers and times."""
    sources = factor * wanted().sources + [0.0, shift]
    receivers = np.arange(-5.0, 200.0, gap) * factor + shift
    times = np.arange(0, 0.55 * factor, time_step * factor)
    records = wave(sources[:, 1], receivers, times, factor)
    return Line(records, time_step * factor, sources, np.stack([np.full(len(receivers), 10.0), receivers], 1))


def expected(factor: float) -> np.ndarray:
    target = wanted().scaled(factor)
    times = target.time_step * np.arange(target.steps)
    return wave(target.sources[:, 1], target.receivers[:, 1], times, factor)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (1.0, 1234.0), (2.5, -50.0), (0.4, 0.0)])
def test_records_of_other_receivers_times_and_lengths_are_those_that_the_network_knows(
    factor: float, shift: float
) -> None:
    found = match(line(factor, shift), wanted(), 0.3)
    assert found.factor == pytest.approx(factor) and found.acquisition.spacing == pytest.approx(10 * factor)
    assert found.acquisition.frequency == pytest.approx(FREQUENCY / factor)
    error = found.records / found.gain - expected(factor)
    assert np.linalg.norm(error) < 0.03 * np.linalg.norm(expected(factor))


def test_the_order_of_the_shots_and_dead_traces_do_not_matter() -> None:
    whole = line()
    rng = np.random.default_rng(0)
    mask = np.ones((3, len(whole.receivers)), bool)
    mask[[0, 1, 2], [3, 8, 17]] = False
    broken = np.where(mask[:, None], whole.records, rng.standard_normal(whole.records.shape))
    shuffled = [2, 0, 1]
    given = replace(whole, records=broken[shuffled], sources=whole.sources[shuffled], mask=mask[shuffled])
    found = match(given, wanted(), 0.3).records
    assert np.linalg.norm(found - expected(1.0)) < 0.1 * np.linalg.norm(expected(1.0))


def test_records_of_another_unit_get_the_size_of_those_of_the_training() -> None:
    quiet = line()
    found = match(replace(quiet, records=1e-6 * quiet.records), wanted(), 0.3)
    assert float(found.records.std()) == pytest.approx(0.3, rel=1e-4) and found.gain > 1e5
    assert match(quiet, wanted(), float(expected(1.0).std())).gain == 1.0


def moved(shots: Line, distance: float) -> Line:
    sources = shots.sources.copy()
    sources[1, 1] += distance
    return replace(shots, sources=sources)


@pytest.mark.parametrize(
    ("shots", "words"),
    [
        (moved(line(), 20.0), "source 2 from the left lies at 110 m, but the network is made for 90 m"),
        (replace(line(), sources=line().sources[:2], records=line().records[:2]), "has 2 shots.*made for 3"),
        (line(gap=30.0), "up to 30 m apart"),
        (replace(line(), records=line().records[:, :300]), "the records last 0.299 s"),
        (replace(line(), records=0 * line().records), "zero everywhere"),
        (replace(line(), sources=0 * line().sources), "all sources of the line lie at one place"),
    ],
)
def test_lines_that_do_not_suit_are_refused_by_what_is_wrong(shots: Line, words: str) -> None:
    with pytest.raises(InputError, match=words):
        match(shots, wanted(), 0.3)


def test_records_of_another_wavelet_are_refused() -> None:
    line_of_twice = line()
    times = 1e-3 * np.arange(line_of_twice.records.shape[1])
    records = wave(line_of_twice.sources[:, 1], line_of_twice.receivers[:, 1], 2.5 * times, 1.0)
    with pytest.raises(InputError, match=r"mean frequency of .* made for wavelets of 10 Hz"):
        match(replace(line_of_twice, records=records), wanted(), 0.3)
