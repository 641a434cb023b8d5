"""Methods side by side: profiles, errors against costs, and the strip of three panels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid
from sciml.plots import side_by_side
from sciml.plots.gallery import draw_ridges
from sciml.plots.space_time import space_time_figure
from tests.plots.travelling import wave

GRID = Grid((41,))
(X,) = GRID.axes()


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that are saved."""
    figures = []
    monkeypatch.setattr(side_by_side, "save", lambda figure, path: figures.append(figure))
    return figures


def test_profiles_show_each_method_and_the_exact_solution_in_the_window(drawn):
    fields = {"ours": Field("u", X, GRID), "theirs": Field("u", X**2, GRID)}
    plots.profiles(fields, "p.png", exact=Field("u", X, GRID), window=(0.25, 0.75))
    (axes,) = drawn[0].axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours", "theirs", "exact"]
    assert np.allclose(axes.lines[1].get_ydata(), X**2)
    assert axes.get_xlim() == (0.25, 0.75)
    assert axes.get_ylim()[0] < 0.25**2 and 0.75 < axes.get_ylim()[1] < 1.0, "fits what the window shows"


def test_errors_against_costs_are_points_on_logarithmic_axes_with_names(drawn):
    plots.work_precision({"ours": (10.0, 1e-6), "theirs": (0.01, 1e-3)}, "c.png")
    (axes,) = drawn[0].axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [tuple(np.asarray(points.get_offsets())[0]) for points in axes.collections] == [(10.0, 1e-6), (0.01, 1e-3)]
    assert {"ours", "theirs"} <= {text.get_text() for text in axes.texts}
    assert axes.get_xlabel() == "wall time [s]"


def test_names_of_points_at_nearly_one_height_are_moved_apart(drawn):
    points = {"ours": (10.0, 2e-10), "theirs": (0.01, 1e-10), "alone": (1.0, 0.1)}
    plots.work_precision(points, "c.png", cost="CPU time [s]")
    (axes,) = drawn[0].axes
    raised = {text.get_text(): text.xyann[1] for text in axes.texts if text.get_text() in points}
    assert raised["ours"] > 0 > raised["theirs"] and raised["alone"] == 0
    assert axes.get_xlabel() == "CPU time [s]"


@pytest.mark.parametrize("points", [{}, {"ours": (0.0, 1e-3)}, {"ours": (1.0, 0.0)}])
def test_costs_and_errors_that_no_logarithm_has_are_refused(points, tmp_path):
    with pytest.raises(InputError, match="positive seconds and errors"):
        plots.work_precision(points, tmp_path / "c.png")


def test_profiles_refuse_fields_in_time_and_in_the_plane(tmp_path):
    for field in (wave([0.0, 1.0]), Field("u", np.zeros((3, 3)), Grid((3, 3)))):
        with pytest.raises(InputError, match="without times on a grid of 1 axis"):
            plots.profiles({"ours": field}, tmp_path / "p.png")
    with pytest.raises(InputError, match="at least one field"):
        plots.profiles({}, tmp_path / "p.png")


def test_ridges_have_the_values_over_their_times():
    axes = Figure().subplots()
    field = wave(np.linspace(0.0, 2.0, 11))
    draw_ridges(axes, field, count=5, height=1.0)
    assert len(axes.lines) == 5
    latest, earliest = axes.lines[0].get_ydata(), axes.lines[-1].get_ydata()
    rise = 0.5 / np.abs(field.values).max()  # a height is the distance of two curves
    assert np.allclose(earliest, rise * field.values[0]) and np.allclose(latest, 2.0 + rise * field.values[-1])


def test_a_path_is_drawn_as_far_as_it_goes():
    times = np.linspace(0.0, 1.0, 5)
    paths = np.array([[0.1, 0.2, np.nan, np.nan, np.nan], [np.nan] * 5])
    figure = space_time_figure(wave(times), paths, "A title")
    (lines,) = figure.axes[0].collections[1:]
    assert all(np.nanmax(segment[:, 1]) <= 0.25 for segment in lines.get_segments())
    assert figure.axes[0].get_title(loc="left") == "A title"
