"""Pictures: what is drawn is what was given, files appear whole or not at all, and nothing global is touched."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid, Mesh
from sciml.plots import linear_systems, slices, style
from sciml.plots.histories import draw_histories, draw_seconds

GREY, BLUE = (np.array(to_rgb(colour)) for _, colour, _, _ in reversed(slices.OTHER_CELLS))
CUBE_FACES = np.array([[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]])


@dataclass
class Run:
    """The part of a result that a picture reads."""

    history: list[float] = field(default_factory=lambda: [1.0, 1e-3, 1e-7])
    setup_seconds: float = 0.5
    solve_seconds: float = 1.0


def around_a_cube(n: int = 16) -> tuple[Field, np.ndarray, Mesh]:
    """A dipole pressure, the cells of a cube in the middle of the box with an open side, and the cube's surface."""
    grid = Grid((n,) * 3, centring="cell")
    x, y, z = np.moveaxis(grid.coordinates() - 0.5, -1, 0)
    cells = np.where(np.max(np.abs([x, y, z]), axis=0) < 0.25, 2, 0).astype(np.uint8)
    cells[-1] = 1
    pressure = Field("pressure", -x / (x**2 + y**2 + z**2 + 0.01), grid, unit="Pa")
    corners = np.array(list(itertools.product([0.25, 0.75], repeat=3)))
    return pressure, cells, Mesh(corners, {"quad": CUBE_FACES})


def share_of(path, colour: np.ndarray) -> float:
    """The share of the pixels of a picture with exactly this colour (up to rounding)."""
    return float(np.mean(np.all(np.abs(imread(path)[..., :3] - colour) < 0.004, axis=-1)))


def test_grey_and_blue_cover_the_shares_of_solid_and_dirichlet_cells(tmp_path):
    grid = Grid((40, 40), centring="cell")
    shares = {}
    for solid, dirichlet in ((0, 0), (10, 0), (20, 0), (20, 10)):
        cells = np.zeros(grid.shape, dtype=np.uint8)
        cells[:solid], cells[40 - dirichlet :] = 2, 1
        value = Field("u", np.add.outer(np.arange(40.0), np.arange(40.0)), grid)
        plots.field_slice(value, cells, tmp_path / "u.png")
        shares[solid, dirichlet] = share_of(tmp_path / "u.png", GREY), share_of(tmp_path / "u.png", BLUE)
    assert shares[0, 0] == (0.0, 0.0)
    assert shares[20, 0][0] == pytest.approx(2 * shares[10, 0][0], rel=0.05)
    assert shares[10, 0][1] == shares[20, 0][1] == 0.0
    assert 0.05 < shares[20, 10][1] < shares[10, 0][0]  # the hatching covers a part of the blue


def test_the_first_axis_points_right_and_the_second_up(tmp_path):
    cells = np.zeros((32, 32), dtype=np.uint8)
    cells[20:, 24:] = 2
    plots.field_slice(Field("u", np.ones((32, 32)), Grid((32, 32), centring="cell")), cells, tmp_path / "u.png")
    grey = np.all(np.abs(imread(tmp_path / "u.png")[..., :3] - GREY) < 0.004, axis=-1)
    grey[grey.shape[0] // 2 :] = False  # the legend is at the bottom
    row, column = np.argwhere(grey).mean(axis=0) / grey.shape
    assert row < 0.25 and column > 0.5


def test_a_slice_shows_the_plane_of_the_given_axis_and_index():
    grid = Grid((4, 5, 6), (0, 0, 0), (4, 10, 18), centring="cell")
    values = np.arange(120.0).reshape(grid.shape)
    cells = (values % 3).astype(np.uint8)
    for axis, index in ((0, 3), (1, 2), (2, 0)):
        section = slices.section_of(Field("u", values, grid, unit="m/s"), cells, axis, index)
        assert np.array_equal(section.values, values.take(index, axis))
        assert np.array_equal(section.cells, cells.take(index, axis))
        kept = [k for k in range(3) if k != axis]
        assert section.extent == (0, grid.upper[kept[0]], 0, grid.upper[kept[1]])
        assert section.labels == tuple("xyz"[k] for k in kept)
        assert section.place == (axis, (index + 0.5) * grid.spacing[axis])
        assert section.name == "u [m/s]"


def test_the_slice_goes_through_the_middle_of_the_solids_or_of_the_box():
    grid, cells = Grid((8, 8, 20), centring="cell"), np.zeros((8, 8, 20), dtype=np.uint8)
    value = Field("u", np.zeros(grid.shape), grid)
    assert slices.section_of(value, cells, 2, None).place == (2, 10.5 / 20)
    cells[2:6, 2:6, 13:18] = 2
    assert slices.section_of(value, cells, 2, None).place == (2, 15.5 / 20)


def test_colours_are_symmetric_about_zero_for_both_signs_and_follow_the_range_for_one():
    rng = np.random.default_rng(0)
    norm, colours = style.colouring(rng.normal(0.5, 1.0, 1000))
    assert norm(0.0) == pytest.approx(0.5) and colours.name == "RdBu_r"
    norm, colours = style.colouring(rng.uniform(2.0, 3.0, 1000))
    assert 2.0 <= norm.vmin < 2.02 and 2.98 < norm.vmax <= 3.0 and colours.name == "viridis"
    for flat in (np.zeros(5), np.array([]), np.array([np.nan]), np.full(3, -7.0)):
        norm, _ = style.colouring(flat)
        assert norm.vmin < norm.vmax


def test_every_history_is_drawn_as_given_with_its_number_of_iterations_and_the_tolerance():
    histories = {"ours": [1.0, 1e-2, 1e-5, 0.0], "theirs": list(np.logspace(0, -6, 300))}
    axes = Figure().subplots()
    draw_histories(axes, histories, 1e-6)
    ours, theirs, tolerance = axes.get_lines()
    assert ours.get_ydata()[:3] == pytest.approx(histories["ours"][:3])
    assert np.isnan(ours.get_ydata()[3])  # a residual of zero has no place on a logarithmic axis
    assert theirs.get_ydata() == pytest.approx(histories["theirs"])
    assert set(tolerance.get_ydata()) == {1e-6}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours: 3", "theirs: 299"]
    assert axes.get_yscale() == "log" and axes.get_xlim()[1] > 299


def test_bars_have_the_length_of_set_up_plus_solve_and_times_are_multiples_of_the_first():
    runs = {"ours": Run(setup_seconds=0.1, solve_seconds=0.1), "theirs": Run(setup_seconds=1.0, solve_seconds=3.0)}
    axes = Figure().subplots()
    draw_seconds(axes, runs)
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert np.array(bars) == pytest.approx(np.array([(0, 0.1), (0, 1.0), (0.1, 0.1), (1.0, 3.0)]))
    assert [text.get_text() for text in axes.texts] == ["0.2 s", "4 s  (20×)"]


def test_the_obstacle_takes_the_colour_of_the_fluid_beside_it():
    pressure, cells, cube = around_a_cube()
    linear = Field("u", np.where(cells == 0, pressure.on.coordinates()[..., 0], 1e9), pressure.on)
    centres = cube.points[cube.cells["quad"]].mean(axis=1)
    beside = linear_systems.beside_solids(linear, cells, centres)
    assert np.all(np.abs(beside - centres[:, 0]) < 1.01 / 16)


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_pictures_of_every_format_carry_their_signature_and_leave_no_partial_file(tmp_path, kind):
    pressure, cells, cube = around_a_cube()
    path = tmp_path / f"picture.{kind}"
    runs = {"ours": Run(), "theirs": Run(solve_seconds=20.0)}
    plots.comparison_picture(pressure, cells, runs, path, surface=cube, rtol=1e-6, title="A cube")
    signature = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b"<?xml"}[kind]
    assert path.read_bytes().startswith(signature)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_the_same_data_give_the_same_file(tmp_path, kind):
    pressure, cells, _ = around_a_cube()
    first, second = tmp_path / f"first.{kind}", tmp_path / f"second.{kind}"
    for path in (first, second):
        plots.solution_picture(pressure, cells, {"ours": Run().history}, path, rtol=1e-6, title="twice")
    assert first.read_bytes() == second.read_bytes()


def test_a_failure_while_writing_keeps_the_old_picture_and_leaves_no_partial_file(tmp_path, small_files):
    for name in ("history.png", "history.pdf", "history.svg"):  # a .pdf used to end in an error of its compressor
        (tmp_path / name).write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    small_files(1000)
    for path in before:
        with pytest.raises(OSError, match=r"File too large.*history\."):
            plots.residual_history({"ours": [1.0, 0.1]}, path)
        assert path.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before


def test_drawing_needs_no_display_and_touches_neither_pyplot_nor_the_settings(tmp_path):
    program = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams); from sciml import plots\n"
        f"plots.residual_history({{'ours': [1.0, 1e-3]}}, {str(tmp_path / 'h.png')!r}, rtol=1e-6)\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules\n"
        "assert dict(matplotlib.rcParams) == before"
    )
    environment = {"PATH": "", "MPLBACKEND": "TkAgg", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_cells_with_a_value_that_is_not_finite_are_left_blank(tmp_path):
    values = np.ones((20, 20))
    values[5:15, 5:15] = np.nan
    grid = Grid((20, 20), centring="cell")
    plots.field_slice(Field("u", values, grid), None, tmp_path / "nan.png")
    plots.field_slice(Field("u", np.ones((20, 20)), grid), None, tmp_path / "one.png")
    white = np.ones(3)
    assert share_of(tmp_path / "nan.png", white) > share_of(tmp_path / "one.png", white) + 0.1


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda f, c, s, p: plots.field_slice(f, c[:-1], p / "a.png"), "do not fit the field"),
        (lambda f, c, s, p: plots.field_slice(f, c, p / "a.png", axis=3), "axis of a slice is 0, 1 or 2"),
        (lambda f, c, s, p: plots.field_slice(f, c, p / "a.png", index=16), "outside the grid: got 16"),
        (lambda f, c, s, p: plots.field_slice(f, c, p / "a.gif"), r"unknown format: expected one of \.png"),
        (lambda f, c, s, p: plots.field_slice(f, c, p / "no" / "a.png"), "folder of the picture does not exist"),
        (lambda f, c, s, p: plots.field_slice(Field("v", np.ones((16, 16, 16, 3)), f.on), c, p / "a.png"), "scalar"),
        (lambda f, c, s, p: plots.field_slice(Field("v", np.ones(8), s), None, p / "a.png"), "on a grid"),
        (lambda f, c, s, p: plots.residual_history({}, p / "a.png"), "at least one method"),
        (lambda f, c, s, p: plots.residual_history({"ours": []}, p / "a.png"), "history of 'ours'"),
        (lambda f, c, s, p: plots.comparison_picture(f, c, {}, p / "a.png", surface=s), "at least one run"),
        (
            lambda f, c, s, p: plots.comparison_picture(f, c, {"a": Run()}, p / "a.png", surface=f.on.to_mesh()),
            "surface of triangles and quads",
        ),
    ],
)
def test_wrong_input_is_refused_with_a_sentence_and_nothing_is_written(tmp_path, call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call(*around_a_cube(), tmp_path)
    assert re.search(r"[.]$", str(caught.value))
    assert not list(tmp_path.iterdir())


def test_losses_errors_and_counts_of_a_training_have_axes_of_their_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("sciml.plots.histories.save", lambda figure, path: drawn.append(figure.axes))
    numbers = {"loss/data": 1e-8, "val/accuracy": 0.9, "loss/ridge": 1e-9, "solver/unconverged": 0.0}
    plots.training_history([{"epoch": k, **numbers} for k in range(3)], tmp_path / "history.png")
    labels = [[line.get_label() for line in axes.lines] for axes in drawn[0]]
    assert labels == [["loss/data", "loss/ridge"], ["val/accuracy"]]  # a count of zero has no place on a logarithm
    low, high = drawn[0][0].get_ylim()
    assert 1e-9 > low > 1e-11 and high < 1e-6


def test_errors_in_different_units_have_axes_of_their_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("sciml.plots.histories.save", lambda figure, path: drawn.extend(figure.axes))
    numbers = {"loss/map": 0.1, "val/mae": 150.0, "val/ssim": 0.7, "val/ssim_legacy": 0.75, "val/relative": 0.2}
    units = {"val/mae": "m/s", "val/ssim": "of 1", "val/ssim_legacy": "of 1"}
    plots.training_history([{"epoch": k, **numbers} for k in range(3)], tmp_path / "history.png", units=units)
    panels = [(axes.get_ylabel(), [line.get_label() for line in axes.lines]) for axes in drawn]
    expected = [("m/s", ["val/mae"]), ("of 1", ["val/ssim", "val/ssim_legacy"]), ("", ["val/relative"])]
    assert panels == [("", ["loss/map"]), *expected]


def test_constants_of_a_training_are_dashed_and_zeros_are_gaps(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("sciml.plots.histories.save", lambda figure, path: drawn.extend(figure.axes[0].lines))
    rows = [{"epoch": k, "val/error": error, "val/baseline": 0.5} for k, error in enumerate([1.0, 0.1, 0.0])]
    plots.training_history(rows, tmp_path / "history.png")
    error, baseline = drawn
    np.testing.assert_array_equal(error.get_ydata(), [1.0, 0.1, np.nan])
    assert (error.get_linestyle(), baseline.get_linestyle(), baseline.get_marker()) == ("-", "--", "")
