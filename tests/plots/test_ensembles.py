"""Pictures of ensembles: what each row holds, scales that compare, and coverage that follows from the ranks."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid
from sciml.plots.ensembles import calibration_figure, calls_figure, ensemble_figure

GRID = Grid((6, 5), centring="cell")
TIMES = np.arange(4.0)
VALUES = np.random.default_rng(0).standard_normal((3, 4, 6, 5))
MEMBERS = [Field("smoke", values, GRID, times=TIMES) for values in VALUES]
TRUTH = Field("smoke", np.random.default_rng(1).standard_normal((4, 6, 5)), GRID, times=TIMES)


def drawn(figure):
    """Return the images by the name of their row, the first time only."""
    return {axes.get_ylabel(): axes.images[0] for axes in figure.axes if axes.get_ylabel() and axes.images}


def test_rows_hold_truth_mean_error_spread_and_members_on_two_scales():
    images = drawn(ensemble_figure(MEMBERS, TRUTH, shown=2))
    assert list(images) == ["truth", "mean", "|mean − truth|", "spread", "member 1", "member 2"]
    first = VALUES[:, 0]
    expected = {
        "truth": TRUTH.values[0],
        "mean": first.mean(0),
        "|mean − truth|": np.abs(first.mean(0) - TRUTH.values[0]),
        "spread": first.std(0, ddof=1),
        "member 2": first[1],
    }
    for name, values in expected.items():
        assert np.allclose(images[name].get_array(), values.T)
    assert images["truth"].norm is images["mean"].norm is images["member 1"].norm
    assert images["spread"].norm is images["|mean − truth|"].norm is not images["truth"].norm
    assert images["spread"].norm.vmin == 0.0


def test_an_ensemble_without_truth_or_times_has_mean_spread_and_members():
    still = [Field("smoke", values[0], GRID) for values in VALUES]
    assert list(drawn(ensemble_figure(still, shown=1))) == ["mean", "spread", "member 1"]


def test_scores_have_a_point_for_each_number_of_calls_and_a_line_for_what_needs_none():
    figure = calls_figure({"Euler": {4: 0.5, 1: 0.9}, "AB2": {1: 0.8, 4: 0.45}}, {"analogs": 0.47}, "energy score")
    (axes,) = figure.axes
    euler, adams, analogs = axes.lines[:3]
    assert euler.get_xydata().tolist() == [[1, 0.9], [4, 0.5]] and adams.get_ydata().tolist() == [0.8, 0.45]
    assert set(analogs.get_ydata()) == {0.47}
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    assert heights["AB2"] < heights["analogs"] < heights["Euler"]
    low, high = axes.get_ylim()
    assert np.diff(sorted(heights.values())).min() > 0.05 * (high - low)


def test_coverage_follows_from_the_ranks():
    # Of 4 members: the truth is within their range in 3 of 5 cases if all ranks are equally frequent.
    figure = calibration_figure({"flat": [20] * 5, "narrow": [40, 5, 10, 5, 40]})
    flat, narrow = figure.axes[2].lines[1:3]
    assert flat.get_xydata() == pytest.approx(np.array([[0.6, 0.6], [0.2, 0.2]]))
    assert narrow.get_ydata() == pytest.approx([0.2, 0.1])
    assert [bar.get_height() for bar in figure.axes[1].patches] == pytest.approx([2.0, 0.25, 0.5, 0.25, 2.0])


def test_pictures_are_written(tmp_path):
    plots.ensemble_picture(MEMBERS, tmp_path / "members.png", truth=TRUTH, times=[0.0, 3.0], shown=1)
    plots.score_against_calls({"Euler": {1: 0.5}}, tmp_path / "calls.png")
    plots.calibration_picture({"flat": [3, 3, 3]}, tmp_path / "ranks.png")
    assert all((tmp_path / name).stat().st_size > 3000 for name in ("members.png", "calls.png", "ranks.png"))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: ensemble_figure(MEMBERS[:1]), "at least 2 members"),
        (lambda: ensemble_figure(MEMBERS, Field("smoke", np.zeros((6, 5)), GRID)), "the same places and times"),
        (lambda: ensemble_figure([Field("u", np.zeros(4), Grid((4,)))] * 2), "drawn in the plane"),
        (lambda: calls_figure({}, {}, "energy score"), "at least one point"),
        (lambda: calls_figure({"Euler": {0: 0.5}}, {}, "energy score"), "at least 1"),
        (lambda: calibration_figure({"none": [0, 0, 0]}), "not all zero"),
        (lambda: calibration_figure({}), "at least one histogram"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, words):
    with pytest.raises(InputError, match=words):
        draw()
