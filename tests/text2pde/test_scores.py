"""Scores of ensembles of trajectories: those of all data, whatever the batches, units and first frames are."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import DataFormatError
from sciml.metrics import coverage, energy_score, spread_skill
from sciml.text2pde.scores import EnsembleScores

DEVIATIONS = {"velocity": 1.0, "pressure": 100.0}
UNITS = np.array([1.0, 100.0])[:, None, None]


def ensembles(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return 5 members and the truth of 7 trajectories of 2 fields of unlike size, 4 times and 6 points."""
    random = np.random.default_rng(seed)
    return random.standard_normal((5, 7, 2, 4, 6)) * UNITS, random.standard_normal((7, 2, 4, 6)) * UNITS


def scores(members: np.ndarray, truth: np.ndarray, parts: tuple[int, ...] = (7,), **deviations: float) -> dict:
    found, first = EnsembleScores(DEVIATIONS | deviations), 0
    for count in parts:
        found.add(members[:, first : first + count], truth[first : first + count], range(first, first + count))
        first += count
    return found.means()


def test_the_scores_of_batches_of_unlike_sizes_are_those_of_all_data_in_units_of_the_deviations() -> None:
    members, truth = ensembles()
    found = scores(members, truth, (3, 3, 1))
    x, y = members[:, :, :, 1:] / UNITS, truth[:, :, 1:] / UNITS
    norms = np.linalg.norm(y.reshape(7, -1), axis=1)
    assert found["energy_score"] == pytest.approx((energy_score(x, y) / norms).mean())
    assert found["spread_skill"] == pytest.approx(spread_skill(x, y))
    assert found["coverage"] == pytest.approx(coverage(x, y).share)
    own = np.linalg.norm(y[:, 1].reshape(7, -1), axis=1)
    assert found["energy_score_pressure"] == pytest.approx(energy_score(x[:, :, 1], y[:, 1]).sum() / own.sum())


def test_the_scores_do_not_depend_on_the_unit_of_a_field() -> None:
    members, truth = ensembles()
    other = np.array([1.0, 1e-3])[:, None, None]
    assert scores(members * other, truth * other, pressure=0.1) == pytest.approx(scores(members, truth))


def test_the_given_first_frame_counts_nowhere() -> None:
    members, truth = ensembles()
    given = members.copy()
    given[:, :, :, 0] = truth[:, :, 0]
    assert scores(given, truth) == scores(members, truth)


def test_a_trajectory_of_zeros_is_refused_with_its_number() -> None:
    members, truth = ensembles()
    truth[4, :, 1:] = 0.0
    with pytest.raises(DataFormatError, match="trajectory 4 of the data is zero"):
        scores(members, truth, (3, 4))
