"""A strip of three panels: the wind around an obstacle, a field in space and time, and characteristics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sciml.mesh.field import Field
from sciml.mesh.mesh import Mesh
from sciml.plots.space_time import draw_space_time
from sciml.plots.style import INK, own_look, save, tidy
from sciml.plots.wind import draw_wind

WIDTH, HEIGHT, DPI = 15.0, 5.0, 120  # inches, and dots per inch
_TOP = 0.86  # of the height, below the titles


@own_look
def gallery(
    path: str | Path,
    *,
    wind: tuple[Field, Mesh],
    pulse: Field,
    front: tuple[Field, np.ndarray],
    titles: tuple[str, str, str],
) -> None:
    """Draw three panels side by side, and write the picture.

    Parameters
    ----------
    path : .png, .pdf or .svg
    wind : velocity on a grid of cells in space, and the obstacle
    pulse : scalar in time on a grid of one axis, drawn as curves above one another
    front : scalar in time on a grid of one axis, and paths over it as for `space_time`
    titles : of the panels
    """
    figure = Figure(figsize=(WIDTH, HEIGHT))
    scene = figure.add_axes((-0.005, -0.06, 0.37, 1.0), projection="3d")
    draw_wind(scene, *wind, zoom=1.75)
    draw_ridges(figure.add_axes((0.395, 0.11, 0.265, _TOP - 0.11)), pulse)
    draw_space_time(figure.add_axes((0.72, 0.11, 0.265, _TOP - 0.11)), *front)
    for left, title in zip((0.012, 0.395, 0.72), titles, strict=True):
        figure.text(left, 0.93, title, fontsize=15, fontweight="bold", color=INK)
    save(figure, path, dpi=DPI)


def draw_ridges(axes: Axes, field: Field, count: int = 25, height: float = 3.2) -> None:
    """Draw u(x) at evenly spread times as filled curves above one another, each on the line of its time.

    Parameters
    ----------
    axes : where to draw
    field : scalar in time on a grid of one axis
    count : curves at most
    height : of the largest value, in distances of two curves
    """
    (x,), times = field.on.axes(), np.asarray(field.times)
    picked = np.unique(np.linspace(0, len(times) - 1, count).round().astype(int))
    rise = height * float(times[-1] - times[0]) / (len(picked) - 1) / float(np.abs(field.values).max())
    colours = colormaps["viridis"](np.linspace(0.0, 0.85, len(picked)))
    for number in reversed(range(len(picked))):  # the earliest in front
        time, values = times[picked[number]], field.values[picked[number]]
        curve, layer = time + rise * values, 2 + len(picked) - number
        axes.fill_between(x, time, curve, color="white", linewidth=0, zorder=layer)
        axes.plot(x, curve, color=colours[number], linewidth=1.5, zorder=layer)
    axes.set(xlim=(x[0], x[-1]), ylim=(times[0], times[-1] + rise * float(field.values[-1].max()) * 1.05))
    axes.set(xlabel="x", ylabel="t")
    tidy(axes)
    axes.spines["left"].set_visible(False)
