"""Several methods side by side: their solutions over one coordinate, and their errors against their costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.plots.style import COLOURS, FAINT, INK, PANEL, entitle, labelled, own_look, save, tidy

GRID = "#e6e8eb"
MARKERS = "oDsv^P"


@own_look
def profiles(
    fields: Mapping[str, Field],
    path: str | Path,
    *,
    exact: Field | None = None,
    window: tuple[float, float] | None = None,
    title: str = "Solutions",
    logarithmic: bool = False,
) -> None:
    """Draw u(x) of several methods over one axis, the exact solution dashed, and write the picture.

    Parameters
    ----------
    fields : real scalars on grids of one axis by the name of the method, without times
    path : .png, .pdf or .svg
    exact : the exact solution
    window : limits of x that are shown; all of the axis by default
    title : one line
    logarithmic : draw on a logarithmic axis, for values of many sizes
    """
    if not fields:
        raise InputError("Profiles need at least one field, got none.")
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    seen = []
    curves = [(name, field, {"color": COLOURS[k % len(COLOURS)], "linewidth": 2.2 if k == 0 else 1.5})
              for k, (name, field) in enumerate(fields.items())]  # fmt: skip
    if exact is not None:
        curves.append(("exact", exact, {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 2.5))}))
    for name, field, look in curves:
        x, values = _curve(field)
        inside = np.ones(len(x), bool) if window is None else (x >= window[0]) & (x <= window[1])
        seen.append(values[inside & np.isfinite(values)])
        axes.plot(x, values, label=name, **look)
    shown = np.concatenate(seen)
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.5
    first = next(iter(fields.values()))
    axes.set(xlabel="x", ylabel=labelled(first), axisbelow=True)
    if logarithmic:
        axes.set_yscale("log", nonpositive="mask")
    else:
        axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(*(window or (first.on.lower[0], first.on.upper[0])))
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    entitle(axes, title)
    tidy(axes)
    save(figure, path)


@own_look
def work_precision(
    points: Mapping[str, tuple[float, float]],
    path: str | Path,
    *,
    error: str = "relative L2 error",
    cost: str = "wall time [s]",
    title: str = "Error and cost",
) -> None:
    """Draw the error of several methods against their wall time, both logarithmic, and write the picture.

    Parameters
    ----------
    points : seconds and error by the name of the method, both positive
    path : .png, .pdf or .svg
    error, cost : labels of the vertical and the horizontal axis
    title : one line
    """
    if not points or not all(seconds > 0.0 and size > 0.0 for seconds, size in points.values()):
        raise InputError(f"Errors against costs need positive seconds and errors, got {dict(points)}.")
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    spans = [np.log10([pair[k] for pair in points.values()]) for k in (0, 1)]
    middle = 0.5 * (spans[0].min() + spans[0].max())
    near = 0.06 * max(float(np.ptp(spans[1])), 1.0)  # labels of points of nearly one height would lie on each other
    for number, (name, (seconds, size)) in enumerate(points.items()):
        colour, left = COLOURS[number % len(COLOURS)], np.log10(seconds) > middle
        beside = np.delete(spans[1], number) - np.log10(size)
        beside = beside[np.abs(beside) < near]
        raised = 0 if not len(beside) else 9 if beside.max() <= 0.0 else -9
        axes.scatter(
            seconds, size, s=120 if number == 0 else 75, marker=MARKERS[number % len(MARKERS)], color=colour,
            edgecolor="white", linewidth=0.8, zorder=3,
        )  # fmt: skip
        axes.annotate(
            name, (seconds, size), (-9 if left else 9, raised), textcoords="offset points", va="center",
            ha="right" if left else "left", color=colour, fontweight="bold" if number == 0 else "normal",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel=cost, ylabel=error, axisbelow=True)
    for set_limits, span in zip((axes.set_xlim, axes.set_ylim), spans, strict=True):
        margin = max(0.5, 0.12 * float(np.ptp(span)))
        set_limits(10.0 ** (span.min() - margin), 10.0 ** (span.max() + margin))
    axes.grid(True, which="major", color=GRID, linewidth=0.8)
    axes.annotate("better", (0.02, 0.02), xycoords="axes fraction", color=FAINT, fontsize=9, style="italic")
    entitle(axes, title)
    tidy(axes)
    save(figure, path)


def _curve(field: Field) -> tuple[np.ndarray, np.ndarray]:
    grid = field.on
    if not isinstance(grid, Grid) or grid.dim != 1 or field.times is not None or field.components:
        raise InputError(f"A profile needs a scalar without times on a grid of 1 axis, got {field!r}.")
    return grid.axes()[0], np.asarray(field.values, dtype=float)
