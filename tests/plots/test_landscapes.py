"""Landscapes and spectra: the values where they belong, and what cannot be drawn refused."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread

from sciml import plots
from sciml.errors import InputError
from sciml.plots.landscapes import landscape_figure, spectrum_figure

STEPS = np.linspace(-2, 2, 21)
BOWL = np.log10(0.01 + STEPS[:, None] ** 2 + 4 * STEPS**2)


def test_the_first_direction_points_right_and_the_middle_is_marked():
    axes = landscape_figure(BOWL, 2.0, False).axes[0]
    filled, lines = axes.collections
    assert (axes.get_xlim(), axes.get_ylim()) == ((-2, 2), (-2, 2))
    (cross,) = axes.get_lines()
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (0, 0)
    number = int(np.searchsorted(lines.levels, 0.3))  # an ellipse, twice as long along the first direction
    width, height = lines.get_paths()[number].get_extents().size
    level = lines.levels[number]
    assert width == pytest.approx(2 * height, rel=0.05)
    assert width / 2 == pytest.approx(np.sqrt(10**level - 0.01), rel=0.02)
    assert filled.norm.vmax >= BOWL.max() and filled.extend == "min"


def test_a_deep_hole_in_the_middle_does_not_take_all_colours():
    hole = BOWL.copy()
    hole[10, 10] = -31
    filled = landscape_figure(hole, 2.0, False).axes[0].collections[0]
    assert filled.levels[0] > -4


def test_several_landscapes_have_a_panel_and_a_colour_bar_each(tmp_path):
    losses = {"Eulerian": BOWL + 4, "Lagrangian": BOWL}
    figure = landscape_figure(losses, 1.0, False)
    titled = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in titled] == ["Eulerian", "Lagrangian"]
    assert titled[0].collections[0].norm.vmin > titled[1].collections[0].norm.vmin + 3
    for surface in (False, True):
        plots.loss_landscape(losses, tmp_path / f"{surface}.png", surface=surface)
        picture = imread(tmp_path / f"{surface}.png")
        assert picture.shape[1] > 1.5 * picture.shape[0] and np.std(picture) > 0.1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("surface", [False, True])
def test_losses_that_are_constant_or_not_finite_in_places_are_drawn(tmp_path, surface):
    holed = BOWL.copy()
    holed[:3, :2] = np.nan
    holed[0, 20] = np.inf
    plots.loss_landscape({"": np.full((5, 5), -31.3), "holed": holed}, tmp_path / "l.png", surface=surface)
    assert (tmp_path / "l.png").stat().st_size > 5000


def test_eigenvalues_fall_and_rounding_is_left_out():
    given = np.array([1e-40, 1e-3, 10.0, 0.0, 1.0])
    axes = spectrum_figure({"a": given, "b": np.logspace(3, -3, 100)}).axes[0]
    first, second = axes.get_lines()
    assert first.get_ydata().tolist() == [10.0, 1.0, 1e-3] and first.get_xdata().tolist() == [1, 2, 3]
    assert len(second.get_ydata()) == 100 and axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a: 3 of 5", "b: 100 of 100"]


def test_the_spectrum_is_a_file(tmp_path):
    plots.spectrum([4.0, 2.0, 0.0], tmp_path / "s.png")
    plots.spectrum(np.zeros(3), tmp_path / "nothing.png")
    assert np.std(imread(tmp_path / "s.png")) > 0.01
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["nothing.png", "s.png"]


def test_what_cannot_be_drawn_is_a_sentence(tmp_path):
    for losses, sentence in (
        ({}, "There is nothing to draw"),
        (np.ones((3, 4)), r"must be square, 3 x 3 or more, and finite somewhere: got shape \(3, 4\)"),
        ({"u": np.full((3, 3), np.nan)}, "The landscape 'u'"),
    ):
        with pytest.raises(InputError, match=sentence):
            plots.loss_landscape(losses, tmp_path / "l.png")
    for values in ([], [1.0, -1.0], [np.nan]):
        with pytest.raises(InputError, match="needs numbers of at least 0"):
            plots.spectrum(values, tmp_path / "s.png")
    with pytest.raises(InputError, match="unknown format"):
        plots.spectrum([1.0], tmp_path / "s.bmp")
    assert not list(tmp_path.iterdir())
