"""Lines of shots brought to a network's geometry: exact records of a wave at other places, times and lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sciml.data.formats.shot_lines import ShotLine
from sciml.errors import InputError
from sciml.gfi import windows
from sciml.gfi.matching import MatchedShots, match, median_frequency
from sciml.reference.waves import Acquisition

SPEED, FREQUENCY, PEAK = 2000.0, 10.0, 0.11


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
    late = times[None, :, None] - distance[:, None] / SPEED - PEAK * factor
    phase = (np.pi * FREQUENCY / factor * late) ** 2
    return (1 - 2 * phase) * np.exp(-phase)


def line(factor: float = 1.0, shift: float = 0.0, gap: float = 7.0, time_step: float = 1e-3) -> ShotLine:
    """Return a line of the network's length times a factor, with other receivers and times."""
    sources = factor * wanted().sources + [0.0, shift]
    receivers = np.arange(-5.0, 200.0, gap) * factor + shift
    times = np.arange(0, 0.55 * factor, time_step * factor)
    records = wave(sources[:, 1], receivers, times, factor)
    return ShotLine(
        records, time_step * factor, sources, np.stack([np.full(len(receivers), 10.0 * factor), receivers], 1)
    )


def expected(factor: float) -> np.ndarray:
    target = wanted().scaled(factor)
    times = target.time_step * np.arange(target.steps)
    return wave(target.sources[:, 1], target.receivers[:, 1], times, factor)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (1.0, 1234.0), (2.5, -50.0), (0.4, 0.0)])
def test_records_of_other_receivers_times_and_lengths_are_those_that_the_network_knows(
    factor: float, shift: float
) -> None:
    found = match(line(factor, shift), wanted(), 0.3)
    assert found.factor == pytest.approx(factor) and found.acquisition.spacing == pytest.approx(10 * factor)
    assert found.acquisition.frequency == pytest.approx(FREQUENCY / factor)
    assert found.corner == pytest.approx((0.0, shift))
    assert relative(found.windows[0] / found.gain, expected(factor)) < 0.03


@pytest.mark.parametrize(("time_step", "tolerance"), [(1e-3, 1e-3), (8e-3, 1e-3), (1.7e-3, 1e-3)])
def test_times_between_samples_are_those_of_the_band_limited_wave(time_step: float, tolerance: float) -> None:
    at_receivers = line(time_step=time_step)
    times = np.arange(0, 0.55, time_step)
    records = wave(wanted().sources[:, 1], wanted().receivers[:, 1], times, 1.0)
    found = match(replace(at_receivers, records=records, receivers=wanted().receivers), wanted(), 0.3)
    assert relative(found.windows[0] / found.gain, expected(1.0)) < tolerance
    assert relative(found.records, expected(1.0)) < tolerance


def test_noise_beyond_the_networks_time_step_is_not_folded_into_its_band() -> None:
    fine = line(gap=5.0, time_step=2.5e-4)
    hum = 0.1 * np.sin(2 * np.pi * 460.0 * fine.time_step * np.arange(fine.records.shape[1]))[None, :, None]
    found, loud = (match(replace(fine, records=each), wanted(), 0.3) for each in (fine.records, fine.records + hum))
    inside = slice(20, -20)
    assert relative(loud.records[:, inside], found.records[:, inside]) < 1e-2


def test_the_order_of_the_shots_and_dead_traces_do_not_matter() -> None:
    whole = line()
    rng = np.random.default_rng(0)
    mask = np.ones((3, len(whole.receivers)), bool)
    mask[[0, 1, 2], [3, 8, 17]] = False
    broken = np.where(mask[:, None], whole.records, 0.01 * rng.standard_normal(whole.records.shape))
    shuffled = [2, 0, 1]
    given = replace(whole, records=broken[shuffled], sources=whole.sources[shuffled], mask=mask[shuffled])
    found = match(given, wanted(), 0.3)
    assert relative(found.windows[0] / found.gain, expected(1.0)) < 0.1
    kept = np.flatnonzero((whole.receivers[:, 1] >= 0) & (whole.receivers[:, 1] <= 190))
    assert np.array_equal(found.acquisition.mask[:, kept], mask[shuffled][:, kept])
    assert found.acquisition.mask.sum() == mask[:, kept].sum()
    assert found.interpolated == 3 and match(whole, wanted(), 0.3).interpolated == 0
    silent = match(replace(given, records=np.where(given.mask[:, None], given.records, 0), mask=None), wanted(), 0.3)
    assert silent.interpolated == 3 and np.array_equal(silent.windows, found.windows)
    assert silent.acquisition.mask is None or silent.acquisition.mask.sum() > found.acquisition.mask.sum()


def test_a_shot_may_lack_traces_at_several_receivers_in_a_row() -> None:
    mask = np.ones((3, len(line().receivers)), bool)
    mask[1, [4, 5, 6, 14]] = False
    found = match(replace(line(), mask=mask), wanted(), 0.3)
    assert found.interpolated == 4 and relative(found.windows[0] / found.gain, expected(1.0)) < 0.3


def test_white_noise_of_a_line_is_filtered_for_the_network_alone() -> None:
    fine = line(gap=5.0, time_step=1e-3)  # half of the network's: noise loses half of its power by resampling
    noise = 0.3 * fine.records.std() * np.random.default_rng(0).standard_normal(fine.records.shape)
    share = float(np.linalg.norm(noise) / np.linalg.norm(fine.records + noise))
    noisy = replace(fine, records=fine.records + noise)
    plain, known = match(noisy, wanted(), 0.3), match(noisy, wanted(), 0.3, share)
    clean = match(fine, wanted(), 0.3).windows
    assert known.noise_factor == pytest.approx(0.5**0.5) and np.array_equal(known.records, plain.records)
    assert relative(known.windows / known.gain, clean) < 0.7 * relative(plain.windows / plain.gain, clean)


def test_records_of_another_unit_or_sign_get_those_of_the_training() -> None:
    quiet = line()
    found = match(replace(quiet, records=1e-6 * quiet.records), wanted(), 0.3)
    assert float(found.windows.std()) == pytest.approx(0.3, rel=1e-4) and found.gain > 1e5
    assert match(quiet, wanted(), float(expected(1.0).std())).gain == 1.0
    negative = match(replace(quiet, records=-quiet.records), wanted(), 0.3)
    assert negative.gain < 0 and np.array_equal(negative.windows, match(quiet, wanted(), 0.3).windows)


def test_a_line_with_more_shots_is_covered_by_windows_of_one_factor() -> None:
    sources = 2.0 * np.array([[10.0, 0.0], [10.0, 90.0], [10.0, 190.0], [10.0, 280.0], [10.0, 380.0], [10.0, 470.0]])
    receivers = 2.0 * np.stack([np.full(97, 10.0), np.arange(-5.0, 480.0, 5.0)], 1)
    times = np.arange(0, 1.1, 2e-3)
    found = match(ShotLine(wave(sources[:, 1], receivers[:, 1], times, 2.0), 2e-3, sources, receivers), wanted(), 0.3)
    assert found.factor == pytest.approx(2.0) and np.allclose(found.columns, [0.0, 9.5, 19.0, 28.5])
    for window in found.windows[::2]:  # the shots of the others lie half a cell aside
        assert relative(window / found.gain, expected(2.0)) < 0.05
    assert found.acquisition.shape == (20, 48) and found.acquisition.shots == 6
    times = 4e-3 * np.arange(250)
    whole = wave(found.acquisition.sources[:, 1], found.acquisition.receivers[0, :, 1], times, 2.0)
    assert not found.acquisition.mask[:, 0].any() and found.acquisition.mask[:, 1:-1].all()
    assert relative(found.records[..., 1:-1], whole[..., 1:-1]) < 1e-3


def test_windows_of_a_long_line_are_found_among_its_neighbours_alone(monkeypatch) -> None:
    found, sizes = windows._layouts, []
    counted = lambda *given: sizes.append(len((each := found(*given)).factors)) or each  # noqa: E731
    monkeypatch.setattr(windows, "_layouts", counted)
    for count in (100, 1000):
        across = 10.0 * np.arange(count)
        placed = windows.windows_of(across, FREQUENCY, wanted())
        assert [each.left for each in placed] == across[: count - 19].tolist()
        assert all(each.shots[2] - each.shots[0] == 19 and each.factor == 1.0 for each in placed)
        assert sizes[-1] <= 20 * count  # as many lengths from each first shot lie in the band


def test_a_network_with_receivers_far_apart_takes_those_of_its_own_places_alone() -> None:
    sparse = replace(wanted(), receivers=wanted().receivers[::4])
    times = np.arange(0, 0.55, 2e-3)
    shots = ShotLine(
        wave(sparse.sources[:, 1], sparse.receivers[:, 1], times, 1.0), 2e-3, sparse.sources, sparse.receivers
    )
    found = match(shots, sparse, 0.3)
    assert relative(found.windows[0] / found.gain, expected(1.0)[..., ::4]) < 1e-3
    with pytest.raises(InputError, match=r"up to 40 m apart and end 3 m before .* at most 20 and 5 m"):
        match(replace(shots, receivers=sparse.receivers + [0.0, 3.0]), sparse, 0.3)


def test_blended_windows_of_one_section_are_that_section_even_between_columns() -> None:
    made, columns = replace(wanted(), shape=(20, 51)), np.array([0.0, 6.5, 15.25, 31.0])
    windows = MatchedShots(np.zeros(0), columns, np.zeros(0), made, 1.0, 1.0, (0.0, 0.0))
    section = 2000 + 3.0 * np.arange(51.0) + 10.0 * np.arange(20.0)[:, None]
    maps = np.stack([2000 + 3.0 * (np.arange(20.0) + first) + 10.0 * np.arange(20.0)[:, None] for first in columns])
    assert np.allclose(windows.blended(maps), section)
    alone = np.where(np.arange(4)[:, None, None] == 1, maps + 100.0, maps)
    off = windows.blended(alone) - section
    assert off.min() > -1e-9 and 40 < off.max() < 100 and np.abs(np.diff(off, axis=1)).max() < 30


def test_half_the_energy_of_a_ricker_wavelet_is_below_its_peak_frequency_with_noise_too() -> None:
    records = line().records
    clean = median_frequency(records, 1e-3)
    assert clean == pytest.approx(FREQUENCY, rel=0.1)
    noisy = records + 0.3 * records.std() * np.random.default_rng(0).standard_normal(records.shape)
    assert median_frequency(noisy, 1e-3) == pytest.approx(clean, rel=0.2)
    for unit in (1e-30, 1e30):  # whose squares single precision does not hold
        assert median_frequency((unit * records).astype(np.float32), 1e-3) == pytest.approx(clean, rel=1e-3)


def moved(shots: ShotLine, distance: float) -> ShotLine:
    sources = shots.sources.copy()
    sources[1, 1] += distance
    return replace(shots, sources=sources)


@pytest.mark.parametrize(
    ("shots", "words"),
    [
        (moved(line(), 20.0), "no 3 shots of the line lie as the network's do.*within half a cell, 5 m"),
        (replace(line(), sources=line().sources[:2], records=line().records[:2]), "has 2 shots.*made for 3"),
        (line(gap=30.0), "up to 30 m apart"),
        (replace(line(), receivers=line().receivers + [0.0, 40.0]), "end 35 m before those of the network"),
        (replace(line(), records=line().records[:, :300]), "the records last 0.299 s"),
        (replace(line(), records=0 * line().records), "zero everywhere"),
        (replace(line(), sources=0 * line().sources), "lie at one place"),
        (replace(line(), sources=line().sources + [25.0, 0.0]), "from 0 to 25 m below those of the network"),
        (replace(line(), records=np.roll(line().records, 100, 1)), "peak at the sources 0.102 s later"),
        (replace(line(), mask=np.zeros((3, 30), bool)), "0 living traces of 30, expected at least half"),
    ],
)
def test_lines_that_do_not_suit_are_refused_by_what_is_wrong(shots: ShotLine, words: str) -> None:
    with pytest.raises(InputError, match=words):
        match(shots, wanted(), 0.3)


def test_parts_of_a_line_that_windows_do_not_join_are_refused() -> None:
    parts = [wanted().sources, wanted().sources + [0.0, 170.0]]
    receivers = np.stack([np.full(80, 10.0), 5.0 * np.arange(80)], 1)
    records = wave(np.concatenate(parts)[:, 1], receivers[:, 1], np.arange(0, 0.55, 1e-3), 1.0)
    with pytest.raises(InputError, match="up to 170 m apart, expected at most 150 m"):
        match(ShotLine(records, 1e-3, np.concatenate(parts), receivers), wanted(), 0.3)


def test_sources_half_a_cell_aside_and_at_another_common_depth_are_taken() -> None:
    aside = moved(line(), 9.0)  # that is 4.5 m for all of them, as the section is placed in between
    lowered = replace(aside, sources=aside.sources + [7.0, 0.0], receivers=aside.receivers + [3.0, 0.0])
    found = match(lowered, wanted(), 0.3)
    assert found.corner == pytest.approx((5.0, 4.5))
    assert np.allclose(found.acquisition.sources, [[12.0, 0.0], [12.0, 94.5], [12.0, 185.5]])


def test_records_of_another_wavelet_are_refused() -> None:
    line_of_twice = line()
    times = 1e-3 * np.arange(line_of_twice.records.shape[1])
    records = wave(line_of_twice.sources[:, 1], line_of_twice.receivers[:, 1], 2.5 * times, 1.0)
    with pytest.raises(InputError, match=r"median frequency of .* made for wavelets of 10 Hz"):
        match(replace(line_of_twice, records=records), wanted(), 0.3)
