"""Animations: as many frames as times, each with its values, and nothing but the solution moves."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid
from sciml.plots.animation import Camera, clock_of, film_times, moving_picture
from sciml.plots.deformation import Body, Plane, moving_body
from sciml.plots.panels import Scene
from sciml.plots.style import COLOURS
from tests.plots.travelling import falling, rotation, wave


def frames_of(path) -> list[np.ndarray]:
    with Image.open(path) as film:
        out = []
        for number in range(film.n_frames):
            film.seek(number)
            out.append(np.asarray(film.convert("RGB")))
        return out


def durations_of(path) -> list[int]:
    with Image.open(path) as film:
        return [film.seek(number) or film.info["duration"] for number in range(film.n_frames)]


def test_a_film_has_a_frame_for_each_time_and_no_more_than_asked_for(tmp_path):
    for count, expected in ((2, 2), (7, 7), (241, 12)):
        plots.field_animation(wave(np.linspace(0.0, 1.0, count)), tmp_path / "u.gif", frames=12)
        with Image.open(tmp_path / "u.gif") as film:
            assert film.n_frames == expected and film.info["loop"] == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["u.gif"]
    assert film_times(wave(np.linspace(0.0, 12.0, 241)), 60, 6.0)[[0, -1]].tolist() == [0.0, 12.0]


def test_frames_last_as_long_as_the_time_until_the_next(tmp_path):
    plots.field_animation(wave([0.0, 0.1, 0.4, 0.5]), tmp_path / "u.gif", seconds=3.0)
    assert durations_of(tmp_path / "u.gif") == [500, 1500, 500, 500]


def test_showing_another_time_replaces_the_curves_and_keeps_the_limits():
    times = np.array([0.0, 0.25, 0.5])
    figure, show = moving_picture(Scene(wave(times), wave(times, shape=(100,))), times)
    (axes,) = figure.axes
    limits = axes.get_xlim(), axes.get_ylim()
    for time in (*times, 0.25):
        show(time)
        ours, reference = axes.lines
        for line in (ours, reference):
            x, values = line.get_data()
            assert np.allclose(values, np.cos(2 * np.pi * (x - time)), atol=1e-14)
        assert (axes.get_xlim(), axes.get_ylim()) == limits
    assert axes.get_title(loc="left") == "u, t = 0.25"


def test_colours_keep_their_values_in_all_frames_and_in_the_reference():
    times = np.array([0.0, 1.0])
    field = Field("u", np.array([1.0, 3.0])[:, None, None] * np.ones((2, 5, 5)), Grid((5, 5)), times=times)
    figure, show = moving_picture(Scene(field, Field("exact", np.full((5, 5), 2.0), field.on)), times)
    seen = set()
    for time in times:
        show(time)
        ours, exact = (axes.images[0] for axes in figure.axes[:2])
        assert float(ours.get_array().mean()) == 1.0 + 2.0 * time and float(exact.get_array().mean()) == 2.0
        seen |= {(image.norm.vmin, image.norm.vmax) for image in (ours, exact)}
    assert seen == {(1.0, 3.0)}


def test_arrows_and_moved_triangles_do_not_pile_up():
    times = np.array([0.0, 0.5, 1.0])
    velocity, displacement = rotation(times), falling(times)
    plane = Field("w", np.ones((3, 24, 24)), velocity.on, times=times)
    body = Field("e", np.zeros((3, displacement.on.n_points)), displacement.on, times=times)
    for scene in (Scene(plane, velocity=velocity), Scene(body, displacement=displacement)):
        figure, show = moving_picture(scene, times)
        counts = set()
        for time in times:
            show(time)
            counts.add((len(figure.axes[0].images), len(figure.axes[0].collections)))
        assert len(counts) == 1


def test_between_frames_only_the_solution_and_the_clock_change(tmp_path):
    times = np.linspace(0.0, 0.5, 5)
    plots.field_animation(wave(times), tmp_path / "u.gif")
    frames = frames_of(tmp_path / "u.gif")
    assert all(np.all(frame[0, 0] == 255) for frame in frames)  # white is white
    below = slice(int(0.9 * len(frames[0])), None)  # the axis and its numbers
    assert all(np.array_equal(frame[below], frames[0][below]) for frame in frames)
    assert frames[0][below].min() < 128
    red = np.round(255 * np.array(to_rgb(COLOURS[0])))
    masks = [np.all(np.abs(frame - red) < 2, axis=-1) for frame in frames]
    assert all(mask.sum() > 500 for mask in masks) and np.any(masks[0] != masks[-1])


@pytest.mark.parametrize("kind", ["curve", "image", "body"])
def test_a_frame_has_the_pixels_of_a_picture_that_is_drawn_anew(kind):
    times = np.linspace(0.0, 0.5, 4)
    if kind == "body":
        figure, show = moving_body(Body(falling(times), Plane((0.0, -2.0), (0.0, 1.0))), times)
    else:
        shape = (40,) if kind == "curve" else (24, 16)
        figure, show = moving_picture(Scene(wave(times, shape=shape), wave(times, name="exact", shape=shape)), times)
    camera = Camera(figure, show, times[0])
    frames = [camera.frame(time) for time in times]
    for artist in camera.still:
        artist.set_visible(True)
    canvas = FigureCanvasAgg(figure)
    for time, frame in zip(times, frames, strict=True):
        show(time)
        canvas.draw()
        anew = np.asarray(canvas.buffer_rgba())[..., :3]
        assert np.mean(np.any(frame != anew, axis=-1)) < 2e-3  # ticks may lie over the edge of an image or under it
    assert any(np.any(frame != frames[0]) for frame in frames)


def test_the_crest_moves_across_the_frames_at_the_speed_of_the_wave(tmp_path):
    times = np.linspace(0.0, 0.5, 6)
    grid = Grid((400,))
    x = grid.axes()[0]
    pulse = Field("u", np.exp(-(((x - 0.25 - times[:, None]) / 0.03) ** 2)), grid, times=times)
    plots.field_animation(pulse, tmp_path / "u.gif")
    red = np.round(255 * np.array(to_rgb(COLOURS[0])))
    crest = []
    for frame in frames_of(tmp_path / "u.gif"):
        rows, columns = np.nonzero(np.all(np.abs(frame - red) < 2, axis=-1))
        crest.append(columns[rows < rows.min() + 40].mean())
    assert np.diff(crest) == pytest.approx(np.full(5, np.diff(crest).mean()), abs=1.5) and np.diff(crest).mean() > 40


def test_the_clock_tells_all_frames_apart():
    for times in (np.linspace(0, 12, 60), np.array([0.0, 0.15, 0.3]), np.array([0.0, 1e-7]), np.array([0.0, 5e4, 1e5])):
        written = [clock_of(times)(time) for time in times]
        assert len(set(written)) == len(times)
        assert np.allclose([float(text) for text in written], times, atol=0.06 * np.diff(times).min())


def test_a_failure_while_writing_keeps_the_old_film_and_leaves_no_partial_file(tmp_path, small_files):
    path = tmp_path / "u.gif"
    path.write_bytes(b"old")
    small_files(1000)
    with pytest.raises(OSError, match=r"File too large.*u\.gif"):
        plots.field_animation(wave([0.0, 0.5]), path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["u.gif"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: plots.field_animation(wave([0.0, 1.0]), p / "a.png"), r"unknown format: expected \.gif"),
        (lambda p: plots.field_animation(wave([0.0, 1.0]), p / "no" / "a.gif"), "folder of the picture"),
        (lambda p: plots.field_animation(wave([0.0]), p / "a.gif"), "two or more times"),
        (lambda p: plots.field_animation(Field("u", np.ones(3), Grid((3,))), p / "a.gif"), "two or more times"),
        (lambda p: plots.field_animation(wave([0.0, 1.0]), p / "a.gif", frames=1), "frames of an animation is 1"),
        (lambda p: plots.field_animation(wave([0.0, 1.0]), p / "a.gif", seconds=0.0), "a positive number"),
        (lambda p: plots.field_animation(rotation([0.0, 1.0]), p / "a.gif"), "choose a component"),
        (
            lambda p: plots.field_animation(wave([0.0, 1.0]), p / "a.gif", reference=wave([0.0, 0.5])),
            "no values at the time 1: its nearest time is 0.5",
        ),
    ],
)
def test_wrong_input_is_refused_with_a_sentence_and_nothing_is_written(tmp_path, call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call(tmp_path)
    assert re.search(r"[.]$", str(caught.value))
    assert not list(tmp_path.iterdir())
