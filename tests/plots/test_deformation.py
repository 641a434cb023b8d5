"""Solids that deform: their cells are where the displacement puts them, and the obstacle where it is."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Circle, Polygon
from PIL import Image

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid, make_mesh
from sciml.plots import Ball, Plane
from sciml.plots.deformation import Body, deformations, moving_body
from sciml.plots.surfaces import lit, triangles_of
from tests.plots.travelling import falling

TIMES = np.array([0.0, 0.5, 1.0])


def faces(axes) -> np.ndarray:
    """The corners of the triangles in space that a picture shows, (n, 3, 3)."""
    return np.asarray(axes.collections[0]._faces)


def test_the_cells_of_a_plane_mesh_fall_as_they_should():
    displacement = falling(TIMES)
    mesh = displacement.on
    for axes, time in zip(deformations(Body(displacement), [0.0, 1.0]).axes, (0.0, 1.0), strict=True):
        rest, cells, edges, outline = axes.collections
        corners = np.array([path.vertices[:3] for path in cells.get_paths()])
        assert np.allclose(corners, mesh.points[mesh.cells["triangle"]] + [0.0, 2.0 - time**2])
        assert len(edges.get_segments()) == len(mesh.edges())
        assert np.mean(outline.get_segments(), axis=(0, 1)) == pytest.approx([0.0, 2.0 - time**2], abs=1e-12)
        assert np.mean(rest.get_segments(), axis=(0, 1)) == pytest.approx([0.0, 0.0], abs=1e-12)
        assert axes.get_ylim()[0] < 0.0 and axes.get_ylim()[1] > 3.0


def test_the_surface_of_a_solid_encloses_the_volume_of_the_moved_body():
    mesh = make_mesh("ball", 2)
    stretch = np.diag([0.5, 0.0, -0.25])
    moves = np.array([np.zeros_like(mesh.points), mesh.points @ stretch])
    displacement = Field("displacement", moves, mesh, times=[0, 1])
    ratios = []
    for axes in deformations(Body(displacement), [0.0, 1.0]).axes:
        a, b, c = np.moveaxis(faces(axes), 1, 0)
        ratios.append(np.einsum("ij,ij->", a, np.cross(b, c)) / 6 / mesh.volumes().sum())
    assert ratios == pytest.approx([1.0, 1.5 * 1.0 * 0.75])


def test_an_inclined_plane_is_filled_on_the_side_behind_its_normal():
    plane = Plane((0.0, -0.5), (0.3, 1.0))
    axes = deformations(Body(falling(TIMES), plane), [1.0]).axes[0]
    (patch,) = (patch for patch in axes.patches if isinstance(patch, Polygon))
    height = (patch.get_xy()[:4] - plane.point) @ np.array(plane.normal)
    assert np.sort(np.abs(height))[:2] == pytest.approx([0.0, 0.0], abs=1e-9) and np.all(height < 1e-9)
    assert height.min() < 0.0


def test_a_disk_is_drawn_whole_unless_it_is_much_larger_than_the_solid():
    small, large = Ball((0.0, -1.5), 1.0), Ball((0.0, -100.0), 99.0)
    axes = deformations(Body(falling(TIMES), small), [1.0]).axes[0]
    (patch,) = (patch for patch in axes.patches if isinstance(patch, Circle))
    assert (patch.get_center(), patch.get_radius()) == ((0.0, -1.5), 1.0)
    assert axes.get_ylim()[0] < -2.5
    bottom, top = deformations(Body(falling(TIMES), large), [1.0]).axes[0].get_ylim()
    assert bottom < -1.0 and top - bottom < 6.0  # its highest point, -1, is seen


def test_obstacles_in_space_lie_on_their_surface():
    displacement = falling(TIMES, "ball", 1)
    own = len(triangles_of(displacement.on.boundary())[0])
    plane, ball = Plane((0.0, 0.0, -0.5), (0.2, 0.0, 2.0)), Ball((0.0, 0.0, -1.5), 1.0)
    corners = faces(deformations(Body(displacement, plane), [1.0]).axes[0])[own:]
    assert len(corners) > 100 and np.allclose((corners - plane.point) @ np.array(plane.normal), 0.0)
    corners = faces(deformations(Body(displacement, ball), [1.0]).axes[0])[own:]
    assert len(corners) > 100 and np.allclose(np.linalg.norm(corners - ball.centre, axis=-1), 1.0)


def test_space_is_drawn_with_the_obstacle_below():
    mesh = make_mesh("ball", 1)
    still = Field("displacement", np.zeros_like(mesh.points), mesh)
    for axis in range(3):
        normal = np.eye(3)[axis]
        assert Body(still, Plane(-2.0 * normal, normal)).up == axis
        assert Body(still, Ball(-3.0 * normal, 1.0)).up == axis
        figure = deformations(Body(still, Plane(-2.0 * normal, normal)), [None])
        assert figure.axes[0]._vertical_axis == axis


def test_values_colour_each_triangle_in_the_same_scale_at_all_times():
    displacement = falling(TIMES)
    energy = Field("energy", TIMES[:, None] + np.zeros(displacement.on.n_cells), displacement.on, "cells", TIMES)
    body = Body(displacement, values=energy)
    norm, colours = body.colours
    assert (norm.vmin, norm.vmax) == (0.0, 1.0)
    for axes, time in zip(deformations(body, TIMES).axes[:3], TIMES, strict=True):
        assert np.allclose(axes.collections[1].get_facecolor(), colours(time))


def test_triangles_are_darker_the_more_they_turn_from_the_light():
    towards, light = np.eye(3), np.array([0.35, -0.55, 0.76])
    triangles = np.array([[np.zeros(3), np.roll(axis, 1), np.roll(axis, 2)] for axis in towards])
    shade = lit(triangles, np.ones((3, 4)))
    assert shade[:, 0] == pytest.approx(0.55 + 0.45 * np.abs(light)) and np.all(shade[:, 3] == 1.0)


@pytest.mark.parametrize("shape", ["disk", "ball"])
def test_a_film_shows_one_body_that_moves_and_has_a_frame_for_each_time(tmp_path, shape):
    displacement = falling(TIMES, shape, 1)
    plane = Plane(-np.eye(displacement.on.dim)[-1], np.eye(displacement.on.dim)[-1])
    figure, show = moving_body(Body(displacement, plane), TIMES)
    counts = []
    for time in TIMES:
        show(time)
        counts.append(len(figure.axes[0].collections))
    assert len(set(counts)) == 1
    plots.deformation_animation(displacement, tmp_path / "fall.gif", obstacle=plane)
    with Image.open(tmp_path / "fall.gif") as film:
        assert film.n_frames == 3


def test_a_row_is_written_in_the_plane_and_in_space(tmp_path):
    plots.deformed_mesh(falling(TIMES), tmp_path / "a.pdf", times=[0.0, 1.0], obstacle=Ball((0, -2), 1))
    plots.deformed_mesh(falling(TIMES, "sphere", 1), tmp_path / "b.png")  # a surface is drawn as it is
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.pdf", "b.png"]


FALL = falling(TIMES)
GRID = Field("u", np.ones((4, 4, 2)), Grid((4, 4)))
SOLID = falling(TIMES, "ball", 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: plots.deformed_mesh(GRID, p / "a.png"), "cells of two or three dimensions"),
        (
            lambda p: plots.deformed_mesh(Field("u", np.ones((FALL.on.n_points, 3)), FALL.on), p / "a.png"),
            "vector of 2 components at each of the",
        ),
        (lambda p: plots.deformed_mesh(replace(FALL, values=np.nan * FALL.values), p / "a.png"), "not finite"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.gif"), "unknown format"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.png", times=[3.0]), "expected some from 0 to 1"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.png", obstacle=(0, 1)), "a Plane or a Ball"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.png", obstacle=Plane((0, 0), (0, 0))), "normal that is not zero"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.png", obstacle=Plane((0, 0, 0), (0, 0, 1))), "2 finite"),
        (lambda p: plots.deformed_mesh(SOLID, p / "a.png", obstacle=Ball((0, 0), 1)), "3 finite"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.png", obstacle=Ball((0, 0), -1.0)), "positive radius"),
        (lambda p: plots.deformed_mesh(FALL, p / "a.png", values=FALL), "real scalars on that mesh"),
        (
            lambda p: plots.deformed_mesh(
                SOLID, p / "a.png", values=Field("e", np.ones(SOLID.on.n_cells), SOLID.on, "cells")
            ),
            "must be at its points",
        ),
        (lambda p: plots.deformation_animation(FALL, p / "a.png"), r"expected \.gif"),
        (lambda p: plots.deformation_animation(falling([0.0]), p / "a.gif"), "two or more times"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence_and_nothing_is_written(tmp_path, call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call(tmp_path)
    assert re.search(r"[.]$", str(caught.value))
    assert not list(tmp_path.iterdir())
