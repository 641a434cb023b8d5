"""Velocity maps, gathers and what the data see: depth and time downwards, on scales that compare."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.plots.seismic import gathers_figure, inversion_figure, misfit_figure, sensing_figure, velocity_maps_figure

MAPS = {name: 2000.0 + level + np.arange(12.0).reshape(3, 4) for name, level in (("start", 0), ("refined", 50))}
TRUTH = {**MAPS, "truth": MAPS["refined"] + np.eye(3, 4)}


def test_maps_have_depth_downwards_one_scale_and_their_difference():
    figure = velocity_maps_figure(TRUTH, 10.0)
    start, refined, truth, difference = figure.axes[:4]
    for axes in (start, refined, truth):
        assert axes.get_ylim() == (25.0, -5.0) and axes.get_xlim() == (-5.0, 35.0)
        assert axes.images[0].norm is start.images[0].norm
    assert np.array_equal(difference.images[0].get_array(), -np.eye(3, 4))
    assert difference.get_title(loc="left") == "Refined − truth"
    assert len(velocity_maps_figure(MAPS, 10.0).axes) == 2


def test_gathers_have_time_downwards_a_gain_and_residuals_the_scale_of_the_records():
    observed = np.random.default_rng(0).normal(size=(5, 20, 6))
    figure = gathers_figure({"observed": observed, "residual": 0.1 * observed}, 1e-3)
    assert len(figure.axes) == 6
    left, right = figure.axes[2:4]
    assert left.get_ylim() == pytest.approx((0.0195, -0.0005))
    times = 1e-3 * np.arange(20)[:, None]
    np.testing.assert_allclose(left.images[0].get_array(), observed[2] * times**2)
    assert left.images[0].get_clim() == right.images[0].get_clim()


def test_an_inversion_is_one_picture_of_maps_on_one_scale_above_gathers_on_one_scale():
    observed = np.random.default_rng(0).normal(size=(20, 6))
    gathers = {"observed": observed, "residual": 0.1 * observed}
    figure = inversion_figure(MAPS, np.arange(12.0).reshape(3, 4), gathers, (10.0, 1e-3))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Start", "Refined", "Change of the records with each cell", "Observed", "Residual"]
    start, refined, illumination, left, right = (axes.images[0] for axes in figure.axes)
    assert start.norm is refined.norm and np.array_equal(refined.get_array(), MAPS["refined"])
    assert illumination.norm.vmax == pytest.approx(np.log10(11)) and left.get_clim() == right.get_clim()
    assert figure.axes[0].get_ylim() == (25.0, -5.0) and figure.axes[3].get_ylim() == pytest.approx((0.0195, -0.0005))


def test_each_stage_has_a_line_of_its_own():
    figure = misfit_figure([1, 2, 3, 4], [1e-1, 1e-2, 2e-1, 1e-3], [1, 1, 2, 2], [9, 8, 7, 6])
    left, right = figure.axes
    assert [line.get_xdata().tolist() for line in left.lines] == [[1, 2], [3, 4]]
    assert left.get_yscale() == "log" and right.lines[0].get_ydata().tolist() == [9, 8, 7, 6]


def test_three_decades_of_the_illumination_are_told_apart():
    seen = np.array([[10.0, 1.0], [0.1, 0.0]])
    image = sensing_figure(seen, 10.0, spread=np.ones((2, 2))).axes[0].images[0]
    assert image.norm(image.get_array()).tolist() == [pytest.approx([1.0, 2 / 3]), pytest.approx([1 / 3, 0.0])]


def test_pictures_are_written_and_bad_shapes_refused(tmp_path):
    plots.velocity_maps_picture(TRUTH, 10.0, tmp_path / "maps.png")
    plots.gathers_picture({"observed": np.ones((1, 5, 4))}, 1e-3, tmp_path / "gathers.png")
    plots.misfit_picture([1, 2], [1.0, 0.5], [1, 1], tmp_path / "misfit.png")
    plots.sensing_picture(np.ones((3, 4)), 10.0, tmp_path / "seen.png")
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(InputError, match="the shape of the map 'truth'"):
        velocity_maps_figure({**MAPS, "truth": np.ones((2, 4))}, 10.0)
    with pytest.raises(InputError, match="from 0 to 0"):
        gathers_figure({"observed": np.ones((1, 5, 4))}, 1e-3, shots=[1])
