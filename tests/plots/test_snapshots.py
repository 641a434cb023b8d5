"""Rows of pictures: each shows the values of its time, all in the limits and colours of the whole series."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection, TriMesh
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.quiver import Quiver

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid, Mesh, make_mesh
from sciml.plots.panels import Scene
from sciml.plots.snapshots import snapshots
from sciml.plots.timelines import at_time, evenly, shown_times
from tests.plots.travelling import falling, rotation, wave

TIMES = np.linspace(0.0, 1.0, 11)


def panels(figure: Figure) -> list:
    return figure.axes


def on_mesh(values_of, location: str) -> Field:
    """A series of a function of position and time on a mesh of the disk."""
    mesh = make_mesh("disk", 2)
    places = mesh.points if location == "points" else mesh.points[mesh.cells["triangle"]].mean(axis=1)
    return Field("e", np.array([values_of(places, t) for t in TIMES]), mesh, location, TIMES)


def test_each_curve_has_the_values_of_its_time_and_closes_where_the_axis_is_periodic():
    u = wave(TIMES)
    for axes, time in zip(panels(snapshots([Scene(u)], [0.0, 0.3, 1.0])), (0.0, 0.3, 1.0), strict=True):
        x, values = axes.lines[0].get_data()
        assert (x[0], x[-1], len(x)) == (0.0, 1.0, 41)
        assert np.allclose(values, np.cos(2 * np.pi * (x - time)), atol=1e-14)
        assert axes.get_title(loc="left") == f"t = {time:g}"


def test_the_reference_is_dashed_and_may_have_another_grid():
    scene = Scene(wave(TIMES), wave(TIMES, shape=(200,), periodic=False))
    for axes, time in zip(panels(snapshots([scene], [0.0, 0.5])), (0.0, 0.5), strict=True):
        ours, reference = axes.lines
        x, values = reference.get_data()
        assert ours.get_linestyle() == "-" and reference.get_linestyle() == "--"
        assert len(x) == 200 and np.allclose(values, np.cos(2 * np.pi * (x - time)))
    assert [text.get_text() for text in panels(snapshots([scene], [0.0]))[0].get_legend().get_texts()] == [
        "u",
        "reference",
    ]


def test_all_curves_share_limits_that_hold_every_time_shown_or_not():
    grid = Grid((3,))
    grown = Field("u", TIMES[:, None] * np.array([1.0, -2.0, 0.5]), grid, times=TIMES)
    limits = [axes.get_ylim() for axes in panels(snapshots([Scene(grown)], [0.0, 0.1]))]
    assert limits[0] == limits[1] == pytest.approx((-2.0 - 0.18, 1.0 + 0.18))


def test_every_pixel_of_an_image_has_its_value_and_place():
    u = wave([0.0, 0.4], shape=(8, 5), periodic=(True, False))
    axes = panels(snapshots([Scene(u)], [0.4]))[0]
    (image,) = axes.images
    drawn = np.asarray(image.get_array())
    assert drawn.shape == (5, 9)
    assert np.array_equal(drawn[:, :-1].T, u.values[1]) and np.array_equal(drawn[:, -1], u.values[1, 0])
    assert image.get_extent() == pytest.approx([-1 / 16, 1 + 1 / 16, -1 / 8, 1 + 1 / 8])
    assert (*axes.get_xlim(), *axes.get_ylim()) == (0.0, 1.0, 0.0, 1.0)


def test_colours_are_the_same_at_all_times_and_in_the_reference():
    u = Field("u", np.arange(1.0, 5.0)[:, None, None] * np.ones((4, 6, 6)), Grid((6, 6)), times=[0, 1, 2, 3])
    exact = Field("u", 2.0 * u.values, u.on, times=u.times)
    rows = Scene(u, exact).panels()
    axes = [one for one in panels(snapshots(rows, [0.0, 3.0])) if one.images]
    assert [float(one.images[0].get_array().mean()) for one in axes] == [1.0, 4.0, 2.0, 8.0, -1.0, -4.0]
    assert {(one.images[0].norm.vmin, one.images[0].norm.vmax) for one in axes[:4]} == {(1.0, 8.0)}


def test_the_error_has_a_row_and_a_scale_of_its_own_where_both_are_known():
    u = wave(TIMES, shape=(12, 9))
    exact = Field("u_exact", u.values + 1e-3 * np.sin(np.arange(12))[None, :, None], u.on, times=u.times)
    rows = Scene(u, exact).panels()
    assert [row.field.name for row in rows] == ["u", "u_exact", "u − u_exact"]
    assert rows[2].field.values == pytest.approx(u.values - exact.values)
    assert rows[0].limits == rows[1].limits and rows[2].limits[1] < 2e-3 and rows[2].limits[2] == "RdBu_r"
    bars = [bar for axes in panels(snapshots(rows, [0.0, 0.5])) for bar in axes.child_axes]
    assert [bar.get_ylabel() for bar in bars] == ["u [m]", "u_exact", "u − u_exact [m]"]
    elsewhere = wave(TIMES, shape=(24, 9))
    assert len(Scene(u, elsewhere).panels()) == 2, "known at other points, so that there is no difference"


def test_periodic_axes_say_so():
    for shape, periodic, labels in (
        ((12,), True, ("x (periodic)", "u [m]")),
        ((12, 9), (True, False), ("x (periodic)", "y")),
        ((12, 9), (False, True), ("x", "y (periodic)")),
        ((12, 9), False, ("x", "y")),
    ):
        axes = panels(snapshots([Scene(wave(TIMES, shape=shape, periodic=periodic))], [0.0]))[0]
        assert (axes.get_xlabel(), axes.get_ylabel()) == labels


def test_arrows_point_along_the_velocity_and_their_length_grows_with_it():
    velocity = rotation([0.0, 1.0])
    vorticity = Field("vorticity", np.ones((2, 24, 24)), velocity.on, times=velocity.times)
    arrows = [
        next(artist for artist in axes.collections if isinstance(artist, Quiver))
        for axes in panels(snapshots([Scene(vorticity, velocity=velocity)], [0.0, 1.0]))
    ]
    for quiver, time in zip(arrows, (0.0, 1.0), strict=True):
        assert np.allclose(quiver.U, -(1 + time) * quiver.Y) and np.allclose(quiver.V, (1 + time) * quiver.X)
        assert 10**2 <= quiver.N <= 18**2
    assert arrows[0].scale == arrows[1].scale
    fastest = np.linalg.norm(velocity.values, axis=-1).max()
    assert fastest / arrows[0].scale == pytest.approx(2 / 16)  # the side of the box over the number of arrows


def test_streamlines_of_a_rotation_stay_on_their_circles():
    velocity = rotation([0.0], n=60)
    vorticity = Field("vorticity", np.ones((1, 60, 60)), velocity.on, times=[0.0])
    axes = panels(snapshots([Scene(vorticity, velocity=velocity, flow="streamlines")], [0.0]))[0]
    lines = next(artist for artist in axes.collections if isinstance(artist, LineCollection)).get_segments()
    radii = [np.linalg.norm(line, axis=1) for line in lines]
    assert len(radii) > 20
    assert all(np.ptp(radius) < 0.02 for radius in radii if radius.min() > 0.1)


def test_no_arrows_are_drawn_where_nothing_moves():
    velocity = rotation([0.0, 1.0])
    still = Field("velocity", 0.0 * velocity.values, velocity.on, times=velocity.times)
    for flow in ("arrows", "streamlines"):
        scene = Scene(Field("v", np.ones((2, 24, 24)), velocity.on, times=velocity.times), velocity=still, flow=flow)
        assert not panels(snapshots([scene], [0.0]))[0].collections


def test_triangles_have_the_values_of_their_points_or_their_cells():
    at_points = on_mesh(lambda x, t: x[:, 0] + t, "points")
    (drawn,) = panels(snapshots([Scene(at_points)], [0.3]))[0].collections
    assert isinstance(drawn, TriMesh) and np.allclose(drawn.get_array(), at_points.on.points[:, 0] + 0.3)
    at_cells = on_mesh(lambda x, t: x[:, 0] * t, "cells")
    (drawn,) = panels(snapshots([Scene(at_cells)], [0.5]))[0].collections
    assert isinstance(drawn, PolyCollection) and np.allclose(drawn.get_array(), at_cells.values[5])


def test_quadrilaterals_are_split_and_keep_the_value_of_their_cell():
    mesh = Mesh([[0, 0], [1, 0], [1, 1], [0, 1], [2, 0]], {"quad": [[0, 1, 2, 3]], "triangle": [[1, 4, 2]]})
    (drawn,) = panels(snapshots([Scene(Field("e", [3.0, 7.0], mesh, "cells"))], [None]))[0].collections
    assert drawn.get_array().tolist() == [3.0, 3.0, 7.0]


def test_a_displacement_moves_the_triangles_and_the_limits_hold_all_times():
    displacement = falling(TIMES)
    height = Field("e", np.zeros((11, displacement.on.n_cells)), displacement.on, "cells", TIMES)
    first, last = panels(snapshots([Scene(height, displacement=displacement)], [0.0, 1.0]))[:2]
    for axes, drop in ((first, 0.0), (last, 1.0)):
        corners = np.array([path.vertices[:3] for path in axes.collections[0].get_paths()])
        expected = displacement.on.points[displacement.on.cells["triangle"]] + [0.0, 2.0 - drop]
        assert np.allclose(corners, expected)
        bottom, top = axes.get_ylim()
        assert bottom < 0.0 and top > 3.0
    assert first.get_ylim() == last.get_ylim()


def test_the_times_of_a_row_are_the_nearest_of_the_series_and_four_equal_steps_unless_given():
    u = wave(np.linspace(0.0, 12.0, 241))
    assert shown_times(u, None, 4) == pytest.approx([0.0, 4.0, 8.0, 12.0])
    assert shown_times(u, [0.12, 11.99], 4) == pytest.approx([0.1, 12.0])
    assert shown_times(wave([0.0, 5.0]), None, 4) == [0.0, 5.0]
    uneven = np.array([0.0, 0.01, 0.02, 0.03, 0.5, 1.0])
    assert evenly(uneven, 3).tolist() == [0.0, 0.5, 1.0]


def test_fields_of_one_picture_are_taken_at_the_same_time():
    coarse = wave([0.0, 0.5, 1.0])
    assert np.array_equal(at_time(coarse, 0.5 + 1e-9).values, coarse.values[1])
    with pytest.raises(InputError, match=r"no values at the time 0\.1: its nearest time is 0"):
        at_time(coarse, 0.1)


def test_several_fields_make_as_many_rows_in_colours_of_their_own(tmp_path):
    density, vorticity = wave(TIMES, name="density", shape=(12, 12)), wave(TIMES, name="vorticity", shape=(12, 12))
    one, two = tmp_path / "one.png", tmp_path / "two.pdf"
    plots.field_snapshots(density, one)
    plots.field_snapshots([density, vorticity], two, velocity=None)
    assert two.read_bytes().startswith(b"%PDF-")
    plots.field_snapshots([density, vorticity], tmp_path / "two.png")
    assert imread(tmp_path / "two.png").shape[0] > 1.7 * imread(one).shape[0]


CELLS = Grid((4, 4), centring="cell")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: plots.field_snapshots([], p / "a.png"), "at least one field"),
        (lambda p: plots.field_snapshots(wave(TIMES), p / "a.gif"), "unknown format: expected one of"),
        (lambda p: plots.field_snapshots(wave(TIMES), p / "no" / "a.png"), "folder of the picture does not exist"),
        (lambda p: plots.field_snapshots(wave(TIMES), p / "a.png", times=[2.0]), "expected some from 0 to 1"),
        (lambda p: plots.field_snapshots(wave(TIMES), p / "a.png", times=[]), "must lie in the series"),
        (lambda p: plots.field_snapshots(Field("u", np.ones(3), Grid((3,))), p / "a.png", times=[0]), "is static"),
        (lambda p: plots.field_snapshots(Field("u", np.ones((0, 3)), Grid((3,)), times=[]), p / "a.png"), "no times"),
        (lambda p: plots.field_snapshots(rotation(TIMES), p / "a.png"), "choose a component or a slice"),
        (lambda p: plots.field_snapshots(Field("u", np.ones((4, 4)) * 1j, CELLS), p / "a.png"), "real scalar field"),
        (lambda p: plots.field_snapshots(Field("u", np.ones((2, 2, 2)), Grid((2,) * 3)), p / "a.png"), "or a slice"),
        (lambda p: plots.field_snapshots([wave(TIMES)] * 2, p / "a.png", reference=wave(TIMES)), "a single field"),
        (
            lambda p: plots.field_snapshots(wave(TIMES), p / "a.png", reference=wave(TIMES, shape=(4, 4))),
            "dimension of the field",
        ),
        (
            lambda p: plots.field_snapshots(wave(TIMES), p / "a.png", reference=wave([0.0, 0.91])),
            "give all fields of a picture the same times",
        ),
        (lambda p: plots.field_snapshots(wave(TIMES), p / "a.png", displacement=falling(TIMES)), "points of a mesh"),
        (
            lambda p: plots.field_snapshots(wave(TIMES), p / "a.png", velocity=rotation(TIMES)),
            "over a field on a plane",
        ),
        (
            lambda p: plots.field_snapshots(wave(TIMES, shape=(4, 4)), p / "a.png", flow="dots"),
            "'arrows' or 'streamlines'",
        ),
        (
            lambda p: plots.field_snapshots(
                on_mesh(lambda x, t: x[:, 0], "points"), p / "a.png", displacement=falling(TIMES, refinements=1)
            ),
            "vector of 2 components at each",
        ),
        (
            lambda p: plots.field_snapshots(Field("u", np.ones((4, 4)), CELLS), p / "a.png", velocity=rotation(TIMES)),
            "choose a time first",
        ),
    ],
)
def test_wrong_input_is_refused_with_a_sentence_and_nothing_is_written(tmp_path, call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call(tmp_path)
    assert re.search(r"[.]$", str(caught.value))
    assert not list(tmp_path.iterdir())
