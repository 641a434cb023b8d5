"""A field of one dimension over space and time, and the paths of what moves in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.plots.panels import axis_label
from sciml.plots.style import INK, PANEL, checked_path, colour_bar, colouring, entitle, labelled, own_look, save, tidy


@own_look
def space_time(field: Field, path: str | Path, *, paths: np.ndarray | None = None, title: str = "") -> None:
    """Draw u(x, t) as an image, x to the right and t upwards, with curves X(t) over it, and write the picture.

    Parameters
    ----------
    field : real scalar at two or more times on a grid of one dimension
    path : .png, .pdf or .svg
    paths : positions at the times of the field, (curves, times); what leaves a periodic grid comes back on the other
        side, so they need not be brought back into it; nan where a curve is not drawn
    title : one line

    Raises
    ------
    InputError : a field that cannot be drawn so, paths of another number of times
    """
    checked_path(path)
    save(space_time_figure(field, paths, title), path)


def space_time_figure(field: Field, paths: np.ndarray | None, title: str = "") -> Figure:
    """Return the figure of `space_time`."""
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    shown = draw_space_time(axes, field, paths)
    entitle(axes, title or ("Space and time" if paths is None else "Paths in space and time"))
    colour_bar(figure, axes, shown, field.values, labelled(field))
    return figure


def draw_space_time(axes: Axes, field: Field, paths: np.ndarray | None) -> ScalarMappable:
    """Draw the image and the curves of `space_time`; return the image, whose colours have a scale."""
    grid = field.on
    if not isinstance(grid, Grid) or grid.dim != 1 or field.times is None or len(field.times) < 2 or field.components:
        raise InputError(
            f"A space-time picture needs a scalar at two or more times on a grid of 1 axis: got {field!r}."
        )
    (lower,), (upper,) = grid.lower, grid.upper
    (x,), values = grid.axes(), field.values
    periodic = grid.periodic if isinstance(grid.periodic, bool) else grid.periodic[0]
    if periodic:
        x, values = np.append(x, x[0] + upper - lower), np.concatenate([values, values[:, :1]], axis=1)
    norm, colours = colouring(values)
    shown = axes.pcolormesh(x, field.times, values, norm=norm, cmap=colours, shading="gouraud", rasterized=True)
    if paths is not None:
        lines = _copies(np.asarray(paths, float), field.times, lower, upper - lower if periodic else None)
        curves = LineCollection(lines, colors=INK, linewidths=0.7)
        curves.set_path_effects([withStroke(linewidth=1.6, foreground="white", alpha=0.4)])  # seen on dark colours too
        axes.add_collection(curves, autolim=False)
    axes.set(xlim=(lower, upper), ylim=(field.times[0], field.times[-1]), xlabel=axis_label(grid, 0), ylabel="t")
    tidy(axes)
    return shown


def draw_boxes(axes: Axes, faces: np.ndarray, times: np.ndarray, *, colour: str = INK) -> None:
    """Draw the edges of boxes over an image; where they are narrow, their lines run together."""
    (left, right), (bottom, top) = (faces[0], faces[-1]), (times[0], times[-1])
    lines = [[(x, bottom), (x, top)] for x in faces] + [[(left, t), (right, t)] for t in times]
    axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.45), autolim=False)


def _copies(paths: np.ndarray, times: np.ndarray, lower: float, period: float | None) -> list[np.ndarray]:
    """Curves of (x, t); with a period, as often as some part of one lies in the box."""
    if paths.ndim != 2 or paths.shape[1] != len(times):
        raise InputError(
            f"The paths have shape {paths.shape}, expected (curves, {len(times)}), the times of the field."
        )
    if period is None:
        return [np.column_stack([path, times]) for path in paths]
    lines = []
    for path in paths:
        if not np.isfinite(path).any():
            continue
        first, last = (int(np.floor((end - lower) / period)) for end in (np.nanmin(path), np.nanmax(path)))
        lines += [np.column_stack([path - turn * period, times]) for turn in range(first, last + 1)]
    return lines
