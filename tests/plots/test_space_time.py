"""A field over space and time: the values where they belong, and paths that come back on the other side."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid
from sciml.plots.space_time import space_time_figure
from tests.plots.travelling import wave

TIMES = np.linspace(0, 2, 9)


def test_the_image_has_the_values_of_all_times_and_closes_the_period():
    field = wave(TIMES)
    axes = space_time_figure(field, None).axes[0]
    (image,) = axes.collections
    values = np.asarray(image.get_array()).reshape(len(TIMES), -1)
    assert np.array_equal(values[:, :-1], field.values) and np.array_equal(values[:, -1], field.values[:, 0])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 2))


def test_a_path_that_goes_round_twice_is_seen_in_each_lap_and_is_a_line_of_equal_phase():
    field = wave(TIMES)
    start = np.array([[0.25], [0.75]])
    axes = space_time_figure(field, start + TIMES).axes[0]
    lines = axes.collections[1].get_segments()
    assert len(lines) == 6  # each of the two is in three laps
    for line in lines:
        x, t = line.T
        assert np.array_equal(t, TIMES)
        assert (x.max() >= 0) and (x.min() <= 1)
        assert np.ptp(np.cos(2 * np.pi * (x - t))) == pytest.approx(0, abs=1e-12)


def test_a_path_beyond_walls_is_drawn_once_and_cut_by_them():
    field = wave(TIMES, periodic=False)
    axes = space_time_figure(field, 0.5 + TIMES[None]).axes[0]
    assert len(axes.collections[1].get_segments()) == 1
    assert axes.get_xlim() == (0, 1)


def test_the_picture_is_a_file(tmp_path):
    plots.space_time(wave(TIMES), tmp_path / "u.png", paths=TIMES[None])
    assert [entry.name for entry in tmp_path.iterdir()] == ["u.png"]


@pytest.mark.parametrize(
    ("field", "paths", "sentence"),
    [
        (wave(TIMES, shape=(8, 8)), None, "a grid of 1 axis"),
        (wave(TIMES[:1]), None, "two or more times"),
        (Field("v", np.zeros((2, 5, 2)), Grid((5,)), times=[0.0, 1.0]), None, "needs a scalar"),
        (wave(TIMES), np.zeros((3, 4)), r"paths have shape \(3, 4\), expected \(curves, 9\), the times of the field"),
    ],
)
def test_what_cannot_be_drawn_so_is_a_sentence(field, paths, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        plots.space_time(field, tmp_path / "u.png", paths=paths)
    assert not list(tmp_path.iterdir())


def test_a_history_may_show_some_of_the_numbers_only(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("sciml.plots.histories.save", lambda figure, path: shown.append(figure.axes[0]))
    rows = [{"epoch": n, "loss/a": 1.0, "loss/b": 0.5 / n} for n in (1, 2)]
    plots.training_history(rows, tmp_path / "h.png", ["loss/b"])
    plots.training_history(rows, tmp_path / "h.png")
    assert [[line.get_label() for line in axes.lines] for axes in shown] == [["loss/b"], ["loss/a", "loss/b"]]
