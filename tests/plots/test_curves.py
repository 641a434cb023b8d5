"""Curves over time: every number where it belongs, errors on a logarithmic axis and energies on a linear one."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.plots.curves import curves

ROWS = [{"time": 0.5 * n, "error": 10.0 ** (n - 6), "energy": 2.0 - 0.1 * n, "mass": 3.0} for n in range(4)]


def test_errors_are_logarithmic_and_amounts_linear_with_the_values_of_the_rows():
    left, right = curves(ROWS, ["error"], ["energy", "mass"], False).axes
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    (error,), (energy, mass) = left.lines, right.lines
    for line, name in ((error, "error"), (energy, "energy"), (mass, "mass")):
        assert np.array_equal(line.get_xdata(), [row["time"] for row in ROWS])
        assert np.array_equal(line.get_ydata(), [row[name] for row in ROWS])
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["energy", "mass"]


def test_relative_amounts_start_at_one():
    (axes,) = curves(ROWS, [], ["energy", "mass"], True).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1.0, 0.95, 0.9, 0.85], [1.0] * 4]


def test_several_methods_are_compared_by_name_and_each_has_its_own_times():
    few = [{"time": "0", "error": "1e-3"}, {"time": "2", "error": ""}, {"time": "4", "error": "2e-3"}]  # as in a csv
    (axes,) = curves({"ours": ROWS, "grid": few}, ["error"], [], False).axes
    assert [line.get_label() for line in axes.lines] == ["ours", "grid"]
    assert axes.lines[1].get_xdata().tolist() == [0.0, 4.0] and axes.lines[1].get_ydata().tolist() == [1e-3, 2e-3]
    assert len({line.get_color() for line in axes.lines}) == 2


def test_an_error_of_zero_leaves_a_gap_and_the_picture_is_written(tmp_path):
    rows = [{"time": 0.0, "error": 0.0}, {"time": 1.0, "error": 1e-3}, {"time": 2.0, "error": 2e-3}]
    (axes,) = curves(rows, ["error"], [], False).axes
    assert axes.get_ylim()[0] > 1e-4
    plots.time_curves(rows, tmp_path / "error.png", errors=["error"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["error.png"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: plots.time_curves(ROWS, p / "a.png"), "need lists of names"),
        (lambda p: plots.time_curves(ROWS, p / "a.png", errors="error"), "need lists of names"),
        (lambda p: plots.time_curves(ROWS, p / "a.png", errors=["heat"]), r"'heat': the rows have \['energy'"),
        (lambda p: plots.time_curves([{"error": 1.0}], p / "a.png", errors=["error"]), "needs its 'time'"),
        (lambda p: plots.time_curves([{"time": 0, "error": "x"}], p / "a.png", errors=["error"]), "must be numbers"),
        (
            lambda p: plots.time_curves([{"time": 0, "e": 0.0}], p / "a.png", amounts=["e"], relative=True),
            "starts at zero",
        ),
        (lambda p: plots.time_curves(ROWS, p / "a.gif", errors=["error"]), "unknown format"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence_and_nothing_is_written(tmp_path, call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call(tmp_path)
    assert re.search(r"[.]$", str(caught.value))
    assert not list(tmp_path.iterdir())
