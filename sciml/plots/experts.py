"""Experts in boxes of space and time: their solution, what they miss of the equation, and their faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.plots.space_time import draw_boxes, draw_space_time
from sciml.plots.style import (
    COLOURS,
    FAINT,
    INK,
    checked_path,
    colour_bar,
    colouring,
    entitle,
    labelled,
    own_look,
    save,
    tidy,
)

LINES = "#e6e8eb"
TICKS = 4  # intervals between labels of an axis of boxes
FLOOR = 1e-17  # what is smaller than this, such as an exact zero, is drawn here


@dataclass(frozen=True, eq=False)
class ExpertBoxes:
    """The boxes of experts on an interval and in time, and numbers of them.

    Parameters
    ----------
    faces : of the boxes in space, rising, ``(K + 1,)``
    times : their ends in time, rising, ``(S + 1,)``
    u : its values within the boxes, as many along both axes of each, ``(S, n, K, n)``
    residual : of the equation in each box, root mean square, ``(S, K)``
    jumps : across the faces between boxes, over the largest value of the same kind, ``(K - 1,)`` each, by name

    Raises
    ------
    InputError
        If lengths differ.
    """

    faces: np.ndarray
    times: np.ndarray
    u: np.ndarray
    residual: np.ndarray
    jumps: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        counts = (len(self.times) - 1, len(self.faces) - 1)
        shapes = {"the residual": (self.residual.shape, counts), "u": (self.u.shape[::2], counts)}
        shapes |= {f"the jump of {name}": (each.shape, (counts[1] - 1,)) for name, each in self.jumps.items()}
        for name, (found, expected) in shapes.items():
            if tuple(found) != tuple(expected):
                raise InputError(f"{name} has the shape {tuple(found)} for boxes, expected {tuple(expected)}.")


@own_look
def experts_picture(field: Field, boxes: ExpertBoxes, path: str | Path) -> None:
    """Draw u(x, t) with the boxes of its experts: as it is, and with boxes of equal size; write the picture.

    Parameters
    ----------
    field : real scalar at two or more times on a grid of one dimension
    boxes : of the experts that found it
    path : .png, .pdf or .svg
    """
    checked_path(path)
    save(experts_figure(field, boxes), path)


def experts_figure(field: Field, boxes: ExpertBoxes) -> Figure:
    """Return the figure of `experts_picture`."""
    figure = Figure(figsize=(11.6, 4.6), layout="constrained")
    as_is, unfolded = figure.subplots(1, 2)
    draw_space_time(as_is, field, None)
    draw_boxes(as_is, boxes.faces, boxes.times)
    entitle(as_is, f"{len(boxes.faces) - 1} × {len(boxes.times) - 1} boxes of experts")
    slabs, samples, experts, _ = boxes.u.shape
    norm, colours = colouring(field.values)
    unfolded.imshow(
        boxes.u.reshape(slabs * samples, -1),
        norm=norm,
        cmap=colours,
        origin="lower",
        extent=(0, experts, 0, slabs),
        interpolation="bilinear",
        aspect="auto",
        rasterized=True,
    )
    draw_boxes(unfolded, np.arange(experts + 1), np.arange(slabs + 1))
    _label_boxes(unfolded, boxes)
    entitle(unfolded, "The same, boxes drawn equally large")
    colour_bar(figure, unfolded, ScalarMappable(norm, colours), field.values, labelled(field))
    return figure


@own_look
def residual_picture(boxes: ExpertBoxes, path: str | Path) -> None:
    """Draw the residual of each expert in a logarithmic colour, over the jumps at the faces; write the picture.

    Parameters
    ----------
    boxes : of the experts
    path : .png, .pdf or .svg
    """
    checked_path(path)
    save(residual_figure(boxes), path)


def residual_figure(boxes: ExpertBoxes) -> Figure:
    """Return the figure of `residual_picture`."""
    figure = Figure(figsize=(6.8, 7.0), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 2))
    slabs, experts = boxes.residual.shape
    shown = np.maximum(boxes.residual, FLOOR)
    look = {"norm": _decades(shown), "cmap": "magma", "origin": "lower", "rasterized": True}
    image = above.imshow(shown, extent=(0, experts, 0, slabs), aspect="auto", **look)
    draw_boxes(above, np.arange(experts + 1), np.arange(slabs + 1), colour="white")
    _label_boxes(above, boxes)
    entitle(above, "Residual of each expert: by so much it may have changed u")
    _decade_bar(figure, above, image)
    _draw_jumps(below, boxes)
    return figure


def _draw_jumps(axes: Axes, boxes: ExpertBoxes) -> None:
    """Draw the jumps over the faces, at the same places as the boxes above them."""
    experts = len(boxes.faces) - 1
    for number, (name, jumps) in enumerate(boxes.jumps.items()):
        look = {"color": COLOURS[number], "marker": "o", "markersize": 8.0 - 2.0 * number, "markerfacecolor": "white"}
        axes.plot(np.arange(1, experts), np.maximum(jumps, FLOOR), linewidth=1.4, label=name, **look)
    where = axes.get_yaxis_transform()
    axes.annotate("0 and smaller", (1.0, FLOOR), (-4, 8), where, "offset points", color=FAINT, fontsize=9, ha="right")
    highest = max((float(jumps.max()) for jumps in boxes.jumps.values() if len(jumps)), default=0.0)
    axes.set(yscale="log", xlim=(0, experts), ylim=(FLOOR / 8, max(8 * highest, 1e-8)), axisbelow=True)
    axes.set_xticks(*_labels(boxes.faces))
    axes.set(xlabel="x, faces between experts", ylabel="largest jump over time, relative")
    entitle(axes, "Jumps at the faces")
    axes.grid(True, which="major", color=LINES, linewidth=0.8)
    if boxes.jumps:
        axes.legend(frameon=False, labelcolor=INK, fontsize=10, ncols=len(boxes.jumps))
    tidy(axes)


def _label_boxes(axes: Axes, boxes: ExpertBoxes) -> None:
    """Label axes that count boxes by positions and times."""
    axes.set_xticks(*_labels(boxes.faces))
    axes.set_yticks(*_labels(boxes.times))
    axes.set(xlabel="x", ylabel="t")
    tidy(axes)


def _labels(edges: np.ndarray) -> tuple[list[int], list[str]]:
    """Return some of the edges by their numbers, and as text."""
    last = len(edges) - 1
    chosen = sorted({round(last * k / TICKS) for k in range(TICKS + 1)})
    largest = float(np.abs(edges).max())
    return chosen, [_number(float(edges[k])) if abs(edges[k]) > 1e-12 * largest else "0" for k in chosen]


def _number(value: float) -> str:
    """Return a number as on an axis, with a power of ten where it is very large or small."""
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    factor = "" if mantissa == "1.0" else rf"{mantissa} \times "
    return rf"${factor}10^{{{int(exponent)}}}$"


@own_look
def plane_experts_picture(
    field: Field, residual: Field, faces: Sequence[np.ndarray], path: str | Path, *, velocity: Field | None = None
) -> None:
    """Draw a field with the rectangles of its experts, beside their residual in a logarithmic colour, and write it.

    Parameters
    ----------
    field : real scalar on a plane grid, without times
    residual : on the same grid, at least 0
    faces : of the rectangles along x and along y, rising
    path : .png, .pdf or .svg
    velocity : two components on the same grid, whose streamlines are drawn over the field
    """
    checked_path(path)
    save(plane_experts_figure(field, residual, faces, velocity), path)


def plane_experts_figure(
    field: Field, residual: Field, faces: Sequence[np.ndarray], velocity: Field | None = None
) -> Figure:
    """Return the figure of `plane_experts_picture`."""
    grid = field.on
    if not isinstance(grid, Grid) or grid.dim != 2 or field.times is not None or residual.on != grid:
        raise InputError(f"Experts in the plane need scalars on one plane grid, without times: got {field!r}.")
    figure = Figure(figsize=(11.6, 4.9), layout="constrained")
    found = np.maximum(np.asarray(residual.values, dtype=float), FLOOR)
    looks = ((field.values, colouring(field.values), labelled(field)), (found, (_decades(found), "magma"), ""))
    x, y = grid.axes()
    for axes, (values, (norm, colours), label), ink in zip(figure.subplots(1, 2), looks, (INK, "white"), strict=True):
        image = axes.pcolormesh(x, y, values.T, norm=norm, cmap=colours, shading="gouraud", rasterized=True)
        draw_boxes(axes, *faces, colour=ink)
        axes.set(xlim=(grid.lower[0], grid.upper[0]), ylim=(grid.lower[1], grid.upper[1]), xlabel="x", ylabel="y")
        axes.set_aspect("equal")
        tidy(axes)
        if label:
            colour_bar(figure, axes, image, values, label)
        else:
            _decade_bar(figure, axes, image)
    shown, beside = figure.axes[:2]
    if velocity is not None and np.any(velocity.values):
        u, v = np.moveaxis(velocity.values, -1, 0)
        shown.streamplot(x, y, u.T, v.T, density=0.8, color="white", linewidth=0.7, arrowsize=0.7)
    entitle(shown, f"{len(faces[0]) - 1} × {len(faces[1]) - 1} experts")
    entitle(beside, "Residual of the equation")
    return figure


def _decades(values: np.ndarray) -> LogNorm:
    """Return a scale of whole decades that covers positive values."""
    low = 10.0 ** np.floor(np.log10(values.min()))
    return LogNorm(low, max(10.0 ** np.ceil(np.log10(values.max())), 10 * low))


def _decade_bar(figure: Figure, axes: Axes, image: ScalarMappable) -> None:
    """Draw the colours of a logarithmic scale right of the axes."""
    bar = figure.colorbar(image, cax=axes.inset_axes((1.03, 0.04, 0.035, 0.92)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, colors=FAINT, labelcolor=INK, which="both")


@own_look
def slab_history(
    rows: Sequence[Mapping[str, Any]], path: str | Path, *, later: Mapping[float, float] | None = None
) -> None:
    """Draw error and residual of each time slab over the seconds that were spent until then; write the picture.

    Parameters
    ----------
    rows : of each slab, with ``seconds``, ``time`` at its end, ``residual`` and, where it is known, ``error`` there
    path : .png, .pdf or .svg
    later : errors that became known after the run, by their times; drawn at the seconds of their slabs
    """
    checked_path(path)
    save(slab_history_figure(rows, later or {}), path)


def slab_history_figure(rows: Sequence[Mapping[str, Any]], later: Mapping[float, float]) -> Figure:
    """Return the figure of `slab_history`."""
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.subplots()
    seconds, times = (np.array([float(row[name]) for row in rows]) for name in ("seconds", "time"))
    curves = {"residual of the slab": (seconds, [float(row["residual"]) for row in rows], COLOURS[1], "-")}
    if all("error" in row for row in rows):
        curves["relative L2 error at its end"] = (seconds, [float(row["error"]) for row in rows], COLOURS[0], "-")
    elif later:
        at = [seconds[min(np.searchsorted(times, time), len(times) - 1)] for time in later]
        curves["relative L2 error against the reference"] = (at, list(later.values()), COLOURS[0], "--")
    for label, (x, y, colour, line) in curves.items():
        axes.plot(x, np.maximum(y, FLOOR), line, color=colour, marker="o", markersize=4.5, linewidth=1.6, label=label)
    axes.set(yscale="log", xlabel="seconds", axisbelow=True, xlim=(0, float(seconds[-1]) * 1.02))
    top = axes.secondary_xaxis("top")
    chosen = sorted({round((len(rows) - 1) * k / TICKS) for k in range(TICKS + 1)})
    top.set_xticks(seconds[chosen], [_number(times[k]) for k in chosen])
    top.set_xlabel("t", color=INK)
    top.tick_params(colors=FAINT, labelcolor=INK)
    top.spines["top"].set_color(FAINT)
    axes.grid(True, which="major", color=LINES, linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    tidy(axes)
    entitle(axes, "Slab after slab")
    return figure
