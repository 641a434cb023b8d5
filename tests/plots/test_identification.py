"""Readings in a solution, and estimates with their deviations: each at its place, on the scale of the solution."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.plots.identification import estimates_figure, readings_figure
from tests.plots.travelling import wave

TIMES = np.linspace(0, 2, 9)
READINGS = np.array([[0.25, 0.5, 0.3], [0.75, 1.5, -0.2]])
NAMES = ["viscosity", "wave_1", "wave_2"]
VALUES, DEVIATIONS = np.array([0.02, 0.8, -0.5]), np.array([1e-4, 2e-3, 4e-3])


def test_readings_are_where_they_were_taken_in_the_colours_of_the_solution():
    figure = readings_figure(wave(TIMES, periodic=False), READINGS, np.array([0.5, -1.5]))
    image, marks = figure.axes[0].collections
    assert np.array_equal(marks.get_offsets(), READINGS[:, :2])
    assert np.array_equal(marks.get_array(), READINGS[:, 2])
    assert marks.norm is image.norm and marks.get_cmap() is image.get_cmap()
    (misfits,) = figure.axes[1].collections
    assert np.array_equal(misfits.get_offsets(), [[0.5, 0.5], [1.5, -1.5]])


def test_estimates_of_another_size_have_axes_of_their_own_and_bars_of_two_deviations():
    figure = estimates_figure(NAMES, VALUES, DEVIATIONS, VALUES + DEVIATIONS)
    small, large, errors = figure.axes
    assert [label.get_text() for label in small.get_xticklabels()] == ["viscosity"]
    assert [label.get_text() for label in large.get_xticklabels()] == ["wave 1", "wave 2"]
    (bars,) = large.collections
    assert np.allclose([np.ptp(bar[:, 1]) for bar in bars.get_segments()], 4 * DEVIATIONS[1:])
    assert np.allclose(errors.lines[-1].get_ydata(), -1)


def test_without_true_values_there_is_no_panel_of_errors(tmp_path):
    assert len(estimates_figure(NAMES[1:], VALUES[1:], DEVIATIONS[1:]).axes) == 1
    plots.estimates_picture(NAMES, VALUES, DEVIATIONS, tmp_path / "c.png")
    plots.readings_picture(wave(TIMES), READINGS, np.zeros(2), tmp_path / "r.png")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["c.png", "r.png"]


def test_arrays_of_other_lengths_are_refused(tmp_path):
    with pytest.raises(InputError, match="the shape of deviations is"):
        plots.estimates_picture(NAMES, VALUES, DEVIATIONS[1:], tmp_path / "c.png")
    with pytest.raises(InputError, match="the shape of the misfits is"):
        plots.readings_picture(wave(TIMES), READINGS, np.zeros(3), tmp_path / "r.png")
