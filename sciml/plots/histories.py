"""Residuals over iterations, losses over epochs, and the wall times of several solvers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sciml.errors import InputError
from sciml.plots.style import COLOURS, FAINT, INK, PANEL, entitle, own_look, pale, save, tidy

DECADE = 10.0


class Run(Protocol):
    """The quantities of a linear solve that a picture shows; `sciml.linalg.SolveResult` has them."""

    @property
    def history(self) -> Sequence[float]:
        """Relative residuals, the first before any iteration."""

    @property
    def setup_seconds(self) -> float:
        """Time before the first iteration [s]."""

    @property
    def solve_seconds(self) -> float:
        """Time of all iterations [s]."""


@own_look
def residual_history(histories: Mapping[str, Sequence[float]], path: str | Path, *, rtol: float | None = None) -> None:
    """Draw relative residuals over iterations, one line for each method, and write the picture.

    Parameters
    ----------
    histories : relative residuals by the name of the method, the first before any iteration
    path : .png, .pdf or .svg
    rtol : the tolerance, drawn as a line
    """
    figure = Figure(figsize=PANEL, layout="constrained")
    draw_histories(figure.subplots(), histories, rtol)
    save(figure, path)


@own_look
def training_history(
    rows: Sequence[Mapping[str, Any]],
    path: str | Path,
    names: Sequence[str] | None = None,
    *,
    unit: str = "epoch",
    title: str = "Convergence history",
    units: Mapping[str, str] | None = None,
) -> None:
    """Draw the errors and the terms of the loss over the epochs of a run, and write the picture.

    Terms of the loss, errors in validation and other numbers are of different kinds: each kind, which is the part of a
    name in front of the slash, has a panel of its own, and so has each unit of a kind. What never changes, such as the
    error of a baseline, is a dashed line; values that are not positive are gaps, and names without any other are left
    out.

    Parameters
    ----------
    rows : of ``metrics.csv``: ``epoch``, and values whose names contain a slash, such as ``val/data``
    path : .png, .pdf or .svg
    names : of those to draw; by default all that some row has
    unit : what an epoch is called on the axis; of others than epochs, the numbers are shown without their prefix
    title : one line
    units : of the numbers, by their whole names; none for plain numbers
    """
    units = units or {}
    kinds: dict[tuple[str, str], list[str]] = {}
    for name in names or dict.fromkeys(name for row in rows for name in row if "/" in name):
        if any(float(row.get(name, 0.0)) > 0.0 for row in rows):
            kinds.setdefault((name.partition("/")[0], units.get(name, "")), []).append(name)
    count = max(len(kinds), 1)
    figure = Figure(figsize=(7.0, 4.4 if count == 1 else 0.6 + 2.6 * count), layout="constrained")
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for axes, ((_, counted_in), members) in zip(panels, kinds.items(), strict=False):
        draw_over_epochs(axes, rows, {name: name if unit == "epoch" else name.partition("/")[2] for name in members})
        axes.set_ylabel(counted_in)
    for axes in panels:
        tidy(axes)
    panels[-1].set(xlabel=unit)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    entitle(panels[0], title)
    save(figure, path)


def draw_over_epochs(axes: Axes, rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    """Draw numbers of one kind over the epochs, on a logarithmic axis if they differ, with the label of each name."""
    axes.set_prop_cycle(color=COLOURS)
    for name, label in labels.items():
        points = np.array([(float(row["epoch"]), float(row[name])) for row in rows if name in row]).reshape(-1, 2)
        values = np.where(points[:, 1] > 0.0, points[:, 1], np.nan)  # a logarithmic axis has no place for zero
        is_constant = len(values) > 1 and bool((values == values[0]).all())
        axes.plot(
            points[:, 0],
            values,
            linewidth=1.0 if is_constant else 1.6,
            linestyle="--" if is_constant else "-",
            marker="o" if len(points) <= 40 and not is_constant else "",
            label=label,
        )
    drawn = np.concatenate([line.get_ydata() for line in axes.lines])
    wide = np.nanmax(drawn) >= DECADE * np.nanmin(drawn)  # within a decade, a logarithmic axis has awkward labels
    axes.set(yscale="log" if wide else "linear")
    axes.grid(True, which="major", color="#e6e8eb", linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)


@own_look
def solver_seconds(runs: Mapping[str, Run], path: str | Path) -> None:
    """Draw the set-up and solve times of several methods as bars, and write the picture.

    Parameters
    ----------
    runs : results by the name of the method, ours first: the others' times are given as multiples of its time
    path : .png, .pdf or .svg
    """
    if not runs:
        raise InputError("Bars of times need at least one run: got none.")
    figure = Figure(figsize=PANEL, layout="constrained")
    draw_seconds(figure.subplots(), runs)
    save(figure, path)


def draw_histories(axes: Axes, histories: Mapping[str, Sequence[float]], rtol: float | None) -> None:
    """Draw the histories by the name of their method, and the tolerance as a line."""
    if not histories:
        raise InputError("A residual history needs at least one method: got none.")
    longest = max(len(history) for history in histories.values())
    for number, (name, history) in enumerate(histories.items()):
        values = np.asarray(history, dtype=float)
        if values.ndim != 1 or not len(values):
            raise InputError(f"The history of {name!r} must be a sequence of numbers: got shape {values.shape}.")
        values = np.where(values > 0.0, values, np.nan)
        colour, marker = COLOURS[number % len(COLOURS)], "o" if len(values) <= 40 else ""
        axes.semilogy(
            values,
            color=colour,
            linewidth=2.2 if number == 0 else 1.6,
            marker=marker,
            markersize=4.5,
            label=f"{name}: {len(values) - 1}",
            zorder=10 - number,
        )
    if longest > 60:  # five iterations beside five hundred: a logarithmic axis that still shows iteration 0
        axes.set_xscale("symlog", linthresh=10, linscale=1.0)
        ticks = [0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]
        axes.set_xticks([t for t in ticks if t <= longest], [str(t) for t in ticks if t <= longest], minor=False)
        axes.set_xticks([], minor=True)
    axes.set_xlim(0, max(longest - 1, 1) * 1.03)
    if rtol is not None:
        axes.axhline(rtol, color=FAINT, linewidth=1.0, linestyle=(0, (5, 3)), zorder=2.2)
        where = axes.get_yaxis_transform()
        axes.annotate("tolerance", (0.0, rtol), (6, 4), where, "offset points", color=FAINT)
    axes.set(xlabel="iteration", ylabel="relative residual ‖b − A x‖ / ‖b‖")
    entitle(axes, "Convergence")
    axes.grid(True, which="major", color="#e6e8eb", linewidth=0.8)
    axes.legend(title="iterations", frameon=False, labelcolor=INK, fontsize=10, alignment="left")
    tidy(axes)


def draw_seconds(axes: Axes, runs: Mapping[str, Run]) -> None:
    """Draw set-up and solve as bars, and the times as multiples of the first."""
    setup = np.array([run.setup_seconds for run in runs.values()], dtype=float)
    total = setup + np.array([run.solve_seconds for run in runs.values()], dtype=float)
    rows = np.arange(len(runs))
    colours = [COLOURS[row % len(COLOURS)] for row in rows]
    axes.barh(rows, setup, color=[pale(colour) for colour in colours], height=0.6)
    axes.barh(rows, total - setup, left=setup, color=colours, height=0.6)
    for row, seconds in enumerate(total):
        ratio = seconds / total[0] if row and total[0] > 0 else 0.0
        times = f"  ({ratio:.0f}×)" if ratio >= 10.0 else f"  ({ratio:.2g}×)" if ratio else ""
        axes.annotate(
            f"{seconds:.3g} s{times}",
            (seconds, row),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontweight="bold" if row == 0 else "normal",
        )
    axes.set_yticks(rows, list(runs))
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_xlim(0, (float(total.max()) or 1.0) * 1.3)
    axes.set(xlabel="seconds", axisbelow=True)
    entitle(axes, "Time to the tolerance")
    axes.legend(
        handles=[Patch(facecolor=pale(FAINT), label="set-up"), Patch(facecolor=FAINT, label="solve")],
        loc="upper right",
        frameon=False,
        labelcolor=INK,
        fontsize=10,
    )
    axes.grid(True, axis="x", color="#e6e8eb", linewidth=0.8)
    tidy(axes)
    axes.tick_params(axis="y", length=0)
