"""Records made ready for a network: dead traces interpolated along the line, white noise filtered out."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.gfi.preparing import prepared

SHOTS, STEPS, RECEIVERS = 3, 200, 40


def receivers() -> np.ndarray:
    """Return positions at uneven distances along the line."""
    across = np.cumsum(np.random.default_rng(0).uniform(5.0, 15.0, RECEIVERS))
    return np.stack([np.full(RECEIVERS, 10.0), across], 1)


def linear() -> np.ndarray:
    """Return records that are linear along the receivers at each time."""
    level, slope = np.random.default_rng(1).standard_normal((2, SHOTS, STEPS, 1))
    return (level + slope * receivers()[:, 1] / 100.0).astype(np.float32)


def low_waves() -> np.ndarray:
    """Return records of a wavelet of 15 Hz that comes later at each receiver."""
    late = 1e-3 * np.arange(STEPS)[:, None] - 0.06 - 1e-3 * np.arange(RECEIVERS)
    phase = (np.pi * 15.0 * late) ** 2
    return np.repeat(((1 - 2 * phase) * np.exp(-phase))[None], SHOTS, 0).astype(np.float32)


def mask() -> np.ndarray:
    """Return which traces live: all but a third of those between the first and the last."""
    alive = np.random.default_rng(2).random((SHOTS, RECEIVERS)) > 0.33
    alive[:, [0, -1]] = True
    return alive


@pytest.mark.parametrize("zeros", [True, False])
def test_a_gather_that_is_linear_along_the_receivers_is_restored(zeros: bool) -> None:
    alive = mask()
    broken = np.where(alive[:, None], linear(), np.float32(0 if zeros else 1e6))
    found = prepared(broken, receivers(), None if zeros else alive)
    assert np.allclose(found.records, linear(), atol=1e-5)
    assert np.array_equal(found.records[:, :, alive.all(0)], linear()[:, :, alive.all(0)])
    assert found.interpolated == (~alive).sum()


def test_beyond_the_last_living_trace_it_is_repeated_and_places_may_have_any_order() -> None:
    broken = linear()
    broken[:, :, :3] = broken[:, :, -2:] = 0.0
    found = prepared(broken, receivers()).records
    assert np.array_equal(found[:, :, :3], np.repeat(broken[:, :, 3:4], 3, 2))
    assert np.array_equal(found[:, :, -2:], np.repeat(broken[:, :, -3:-2], 2, 2))
    order = np.random.default_rng(3).permutation(RECEIVERS)
    each_shot = np.repeat(receivers()[order][None], SHOTS, 0)
    assert np.array_equal(prepared(broken[:, :, order], each_shot).records, found[:, :, order])


def test_places_that_a_shot_repeats_to_fill_up_its_row_are_no_dead_traces() -> None:
    where = np.repeat(receivers()[None], SHOTS, 0)
    where[1, -10:] = where[1, 0]  # as a shot with fewer receivers than others is read
    alive = np.ones((SHOTS, RECEIVERS), bool)
    alive[1, -10:] = False
    found = prepared(np.where(alive[:, None], linear(), 0), where, alive)
    assert found.interpolated == 0 and np.array_equal(found.records[1, :, -1], linear()[1, :, 0])


def test_a_shot_of_which_most_traces_are_dead_is_refused() -> None:
    broken = linear()
    broken[1, :, : RECEIVERS // 2 + 1] = 0.0
    with pytest.raises(InputError, match="has 19 living traces of 40, expected at least half"):
        prepared(broken, receivers())


def test_white_noise_loses_most_of_its_power_and_records_without_noise_are_not_touched() -> None:
    waves = low_waves()
    assert prepared(waves, receivers()).records is waves
    noise = 0.3 * waves.std() * np.random.default_rng(4).standard_normal(waves.shape).astype(np.float32)
    share = float(np.linalg.norm(noise) / np.linalg.norm(waves + noise))
    left = prepared(waves + noise, receivers(), noise=share).records - waves
    assert np.square(left).sum() < 0.35 * np.square(noise).sum()
    kept = prepared(waves, receivers(), noise=1e-4).records
    assert np.linalg.norm(kept - waves) < 1e-3 * np.linalg.norm(waves)
