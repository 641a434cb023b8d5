"""Streamlines in space and the picture of an obstacle among them."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid, make_mesh
from sciml.plots.wind import streamlines

SIZE = 24
GRID = Grid((SIZE,) * 3, centring="cell")


def field_of(velocity) -> Field:
    return Field("velocity", np.stack(velocity(*np.moveaxis(GRID.coordinates(), -1, 0)), axis=-1), GRID)


def test_a_uniform_wind_goes_straight_and_its_lines_end_at_the_box():
    wind = field_of(lambda x, y, z: (1.0 + 0 * x, 0 * y, 0 * z))
    lines, speeds = streamlines(wind, [[0.1, 0.3, 0.7], [0.1, 0.5, 0.5]])
    inside = np.isfinite(speeds)
    assert np.allclose(speeds[inside], 1.0)
    assert np.allclose(lines[0, inside[0]][:, 1:], (0.3, 0.7))
    assert np.allclose(np.diff(lines[0, inside[0]][:, 0]), 1.0 / SIZE), "a cell a step"
    assert lines[0, inside[0]][-1, 0] <= 1.0 and not inside[:, -1].any()


def test_the_lines_of_a_rotation_are_circles():
    spin = field_of(lambda x, y, z: (0.5 - y, x - 0.5, 0 * z))
    lines, speeds = streamlines(spin, [[0.8, 0.5, 0.5]], steps=40)
    radius = np.linalg.norm(lines[0, :, :2] - 0.5, axis=1)
    assert np.abs(radius - 0.3).max() < 1e-5
    assert np.allclose(speeds, 0.3, atol=1e-5)


def test_a_line_ends_where_the_air_is_at_rest():
    wall = field_of(lambda x, y, z: (np.where(x < 0.5, 1.0, 0.0), 0 * y, 0 * z))
    lines, _ = streamlines(wall, [[0.1, 0.5, 0.5]])
    assert np.nanmax(lines[0, :, 0]) < 0.5 + 1.5 / SIZE


def test_the_picture_is_written_and_no_other_file(tmp_path):
    ball = make_mesh("sphere", 2)
    ball = type(ball)(0.5 + 0.2 * ball.points, ball.cells)
    plots.wind_around(field_of(lambda x, y, z: (1.0 + 0 * x, 0 * y, 0 * z)), ball, tmp_path / "wind.png")
    assert [path.name for path in tmp_path.iterdir()] == ["wind.png"]


def test_what_is_no_flow_in_space_is_refused(tmp_path):
    flat = Field("u", np.zeros((4, 4, 2)), Grid((4, 4)))
    with pytest.raises(InputError, match="three components"):
        plots.wind_around(flat, make_mesh("sphere", 1), tmp_path / "wind.png")
    with pytest.raises(InputError, match="must be a surface"):
        plots.wind_around(field_of(lambda x, y, z: (x, y, z)), make_mesh("square", 1), tmp_path / "wind.png")
