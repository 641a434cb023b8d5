"""Pictures of inverse problems: readings in the solution, and coefficients with their deviations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sciml.checks import real_array
from sciml.mesh.field import Field
from sciml.plots.space_time import draw_space_time
from sciml.plots.style import (
    COLOURS,
    FAINT,
    INK,
    PANEL,
    checked_path,
    colour_bar,
    entitle,
    labelled,
    own_look,
    save,
    tidy,
)

SMALL = 0.2  # of the largest coefficient: smaller ones, whose deviations would not be seen, have an axis of their own
BANDS = (2, 1)  # deviations


@own_look
def readings_picture(field: Field, readings: np.ndarray, misfits: np.ndarray, path: str | Path) -> None:
    """Draw a solution over space and time with readings in it, and their misfits, and write the picture.

    Parameters
    ----------
    field : scalar at two or more times on a grid of one axis
    readings : x, t and what was read there, ``(n, 3)``
    misfits : what was read less the solution there, over the deviation of the noise, ``(n,)``
    path : .png, .pdf or .svg
    """
    checked_path(path)
    save(readings_figure(field, readings, misfits), path)


def readings_figure(field: Field, readings: np.ndarray, misfits: np.ndarray) -> Figure:
    """Return the figure of `readings_picture`."""
    x, t, u = real_array("the readings", readings, shape=("n", 3)).T
    misfits = real_array("the misfits", misfits, shape=(len(u),))
    figure = Figure(figsize=(2.0 * PANEL[0], PANEL[1]), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = draw_space_time(left, field, None)
    left.scatter(x, t, c=u, norm=shown.norm, cmap=shown.cmap, s=26, edgecolors=INK, linewidths=0.8, clip_on=False)
    entitle(left, "Solution found, and the readings")
    colour_bar(figure, left, shown, field.values, labelled(field))
    _bands(right)
    right.scatter(t, misfits, color=COLOURS[1], s=20, zorder=3)
    right.set(xlabel="t", ylabel="(reading − solution) / deviation of the noise")
    entitle(right, "Misfits; bands of 1 and 2 deviations")
    tidy(right)
    return figure


@own_look
def estimates_picture(
    names: Sequence[str],
    values: np.ndarray,
    deviations: np.ndarray,
    path: str | Path,
    *,
    truth: np.ndarray | None = None,
) -> None:
    """Draw estimated numbers with error bars of two deviations, beside their true values if known, and write it.

    Parameters
    ----------
    names : of the numbers
    values, deviations : ``(n,)``
    path : .png, .pdf or .svg
    truth : ``(n,)``; with it, a second panel has the errors over the deviations
    """
    checked_path(path)
    save(estimates_figure(names, values, deviations, truth), path)


def estimates_figure(
    names: Sequence[str], values: np.ndarray, deviations: np.ndarray, truth: np.ndarray | None = None
) -> Figure:
    """Return the figure of `estimates_picture`."""
    count = (len(names),)
    values, deviations = (
        real_array("the values", values, shape=count),
        real_array("deviations", deviations, shape=count),
    )
    true = None if truth is None else real_array("the true values", truth, shape=count)
    small = np.abs(values) < SMALL * np.abs(values).max()
    small &= deviations < 0.5 * deviations[~small].min()
    groups = [group for group in (np.flatnonzero(small), np.flatnonzero(~small)) if len(group)]
    widths = [max(len(group), 2) for group in groups] + ([] if true is None else [max(len(names), 3)])
    figure = Figure(figsize=(2.2 + 0.55 * sum(widths), PANEL[1]), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    for panel, group in zip(axes, groups, strict=False):
        panel.errorbar(
            range(len(group)), values[group], 2 * deviations[group],
            fmt="o", color=COLOURS[1], capsize=4, markersize=4, label="found, ± 2 deviations",
        )  # fmt: skip
        if true is not None:
            panel.plot(true[group], "x", color=COLOURS[0], markersize=7, label="true", zorder=4)
        _name(panel, [names[each] for each in group])
        tidy(panel)
    axes[len(groups) - 1].legend(frameon=False, labelcolor=INK, fontsize=9)
    entitle(axes[0], "Coefficients")
    if true is not None:
        _bands(axes[-1])
        axes[-1].plot((values - true) / deviations, "o", color=COLOURS[1], zorder=3)
        _name(axes[-1], names)
        entitle(axes[-1], "Errors over deviations")
        tidy(axes[-1])
    return figure


def _bands(axes: Axes) -> None:
    for band, shade in zip(BANDS, (0.08, 0.14), strict=True):
        axes.axhspan(-band, band, color=COLOURS[1], alpha=shade, linewidth=0)
    axes.axhline(0.0, color=FAINT, linewidth=0.8)


def _name(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names], rotation=35, ha="right")
    axes.set_xlim(-0.6, len(names) - 0.4)
