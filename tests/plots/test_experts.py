"""Experts in boxes: values and residuals are in the boxes where they belong, and zeros are drawn at the floor."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid
from sciml.plots.experts import FLOOR, experts_figure, plane_experts_figure, residual_figure, slab_history_figure

FACES, TIMES = np.array([0.0, 0.1, 1.0]), np.array([0.0, 0.25, 0.5, 1.0])
SAMPLES = 4


def boxes(**changes) -> plots.ExpertBoxes:
    """u = x + 10 t in two experts and three slabs."""
    share = (np.arange(SAMPLES) + 0.5) / SAMPLES
    x = FACES[:-1, None] + np.diff(FACES)[:, None] * share
    t = TIMES[:-1, None] + np.diff(TIMES)[:, None] * share
    given = {
        "faces": FACES,
        "times": TIMES,
        "u": x[None, None] + 10 * t[:, :, None, None],
        "residual": np.array([[1e-3, 0.0], [1e-5, 1e-6], [1e-7, 1e-8]]),
        "jumps": {"u": np.array([0.0]), "u_xx": np.array([1e-4])},
    }
    return plots.ExpertBoxes(**{**given, **changes})


def solution() -> Field:
    grid, times = Grid((11,), (0.0,), (1.0,)), np.linspace(0, 1, 6)
    return Field("u", grid.axes()[0] + 10 * times[:, None], grid, times=times)


def test_the_same_solution_is_drawn_with_its_boxes_as_they_are_and_equally_large():
    as_is, unfolded = experts_figure(solution(), boxes()).axes[:2]
    edges = {(round(x, 12), round(t, 12)) for line in as_is.collections[-1].get_segments() for x, t in line}
    assert edges == {(x, t) for x in FACES for t in (0.0, 1.0)} | {(x, t) for x in (0.0, 1.0) for t in TIMES}
    (image,) = unfolded.images
    assert image.get_extent() == [0, 2, 0, 3] and image.origin == "lower"
    values = np.asarray(image.get_array())
    assert values.shape == (3 * SAMPLES, 2 * SAMPLES)
    assert values[0, 0] == pytest.approx(0.1 / 8 + 10 * 0.25 / 8)
    assert values[-1, -1] == pytest.approx(1 - 0.9 / 8 + 10 * (1 - 0.5 / 8))
    assert [label.get_text() for label in unfolded.get_xticklabels()] == ["0", "0.1", "1"]
    assert image.norm.vmax == as_is.collections[0].norm.vmax


def test_residuals_are_in_the_rows_of_their_slabs_and_zeros_at_the_floor():
    above, below = residual_figure(boxes()).axes[:2]
    values = np.asarray(above.images[0].get_array())
    assert values[0].tolist() == [1e-3, FLOOR] and values[2].tolist() == [1e-7, 1e-8]
    assert above.images[0].norm.vmin <= FLOOR < 1e-3 <= above.images[0].norm.vmax
    jumps = {line.get_label(): line.get_ydata().tolist() for line in below.lines}
    assert jumps == {"u": [FLOOR], "u_xx": [1e-4]}
    assert below.lines[0].get_xdata().tolist() == [1]


def test_the_history_is_over_seconds_and_later_errors_are_at_the_seconds_of_their_slabs():
    rows = [{"seconds": s, "time": t, "residual": 10.0**-s} for s, t in ((1, 0.25), (2, 0.5), (4, 1.0))]
    known = slab_history_figure([{**row, "error": 1e-9} for row in rows], {}).axes[0].lines
    assert [line.get_label() for line in known] == ["residual of the slab", "relative L2 error at its end"]
    assert known[0].get_xdata().tolist() == [1, 2, 4] and known[0].get_ydata().tolist() == [0.1, 0.01, 1e-4]
    _, later = slab_history_figure(rows, {0.3: 1e-6, 0.5: 2e-6, 1.0: 3e-6}).axes[0].lines
    assert later.get_xdata().tolist() == [2, 2, 4] and later.get_ydata().tolist() == [1e-6, 2e-6, 3e-6]
    assert len(slab_history_figure(rows, {}).axes[0].lines) == 1


def test_experts_in_the_plane_are_rectangles_over_field_and_residual(tmp_path):
    grid, faces = Grid((4, 3), (0.0, 0.0), (1.0, 2.0)), (np.array([0.0, 0.3, 1.0]), np.array([0.0, 2.0]))
    x, y = np.moveaxis(grid.coordinates(), -1, 0)
    field, residual = Field("p", x + 10 * y, grid), Field("residual", np.where(x > 0, 1e-5, 0.0), grid)
    flow = Field("velocity", np.stack([1 + 0 * x, 0 * x], -1), grid)
    axes = plane_experts_figure(field, residual, faces, flow).axes[:2]
    for panel, expected in zip(axes, (field.values, np.maximum(residual.values, FLOOR)), strict=True):
        assert np.array_equal(np.asarray(panel.collections[0].get_array()).reshape(3, 4), expected.T)
        edges = panel.collections[1].get_segments()
        assert {line[0][0] for line in edges[:3]} == {0.0, 0.3, 1.0} and len(edges) == 5
    assert len(axes[0].collections) > len(axes[1].collections)  # streamlines
    plots.plane_experts_picture(field, residual, faces, tmp_path / "p.png")
    with pytest.raises(InputError, match="one plane grid, without times"):
        plots.plane_experts_picture(solution(), residual, faces, tmp_path / "q.png")


def test_the_pictures_are_files_and_a_single_expert_has_no_faces(tmp_path):
    alone = plots.ExpertBoxes(np.array([0.0, 1.0]), TIMES, np.zeros((3, 2, 1, 2)), np.zeros((3, 1)), {"u": np.empty(0)})
    plots.experts_picture(solution(), alone, tmp_path / "a.png")
    plots.residual_picture(alone, tmp_path / "b.png")
    plots.slab_history([{"seconds": 1.0, "time": 1.0, "residual": 0.0}], tmp_path / "c.png")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"residual": np.ones((2, 3))}, r"the residual has the shape \(2, 3\) for boxes, expected \(3, 2\)"),
        ({"u": np.ones((3, 4, 3, 4))}, r"u has the shape \(3, 3\)"),
        ({"jumps": {"u_x": np.ones(2)}}, r"the jump of u_x has the shape \(2,\)"),
    ],
)
def test_numbers_of_other_boxes_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        boxes(**changes)
