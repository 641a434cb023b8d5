"""Pictures of ensembles: members beside mean, spread and truth; scores against network calls; calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, NullLocator

from sciml.checks import positive, real_array, whole_array, whole_number
from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.plots.panels import Scene
from sciml.plots.style import COLOURS, FAINT, INK, PANEL, checked_path, colouring, entitle, own_look, save, tidy
from sciml.plots.timelines import shown_times

TIMES = 5  # columns, by default
WIDTH = 1.9  # of a panel, in inches
MARKERS = "oDsv^P"
LINES = "#e6e8eb"


@own_look
def ensemble_picture(
    members: Sequence[Field],
    path: str | Path,
    *,
    truth: Field | None = None,
    times: Sequence[float] | None = None,
    shown: int = 3,
) -> None:
    """Draw truth, mean, error of the mean, spread and some members of an ensemble, a column for each time; write it.

    Error and spread share one scale: where the ensemble is honest, the one is as large as the other, and where the mean
    is wrong, it is uncertain.

    Parameters
    ----------
    members : at least two, real scalars on one plane grid or mesh, at the same times
    path : .png, .pdf or .svg
    truth : the same quantity at the same places and times
    times : to draw, the nearest are taken; by default at five equal steps
    shown : number of members that are drawn
    """
    checked_path(path)
    save(ensemble_figure(members, truth, times, shown), path)


def ensemble_figure(
    members: Sequence[Field], truth: Field | None = None, times: Sequence[float] | None = None, shown: int = 3
) -> Figure:
    """Return the figure of `ensemble_picture`."""
    rows = _rows(members, truth, whole_number("the number of members that are drawn", shown, at_least=0))
    columns = shown_times(members[0], times, TIMES)
    wide, high = np.ptp(next(iter(rows.values())).box, axis=0)
    height = WIDTH * float(np.clip(high / wide, 0.3, 2.5))
    size = (WIDTH * len(columns) + 1.3, (height + 0.08) * len(rows) + 0.4)
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03)
    figure = Figure(figsize=size, layout=layout)
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    barred = set()
    for line, (name, scene) in zip(panels, rows.items(), strict=True):
        for axes, time in zip(line, columns, strict=True):
            scene.prepare(axes)
            scene.draw(axes, time)
            axes.set(xlabel="", ylabel="", xticks=[], yticks=[])
            for side in axes.spines.values():
                side.set_visible(False)
        line[0].set_ylabel(name, color=INK, fontsize=11, fontweight="bold")
        if id(scene.scale) not in barred:  # one for all rows of a scale
            barred.add(id(scene.scale))
            scene.draw_colour_bar(figure, line[-1])
    for axes, time in zip(panels[0], columns, strict=True):
        if time is not None:
            entitle(axes, f"t = {time:.4g}")
    return figure


@own_look
def score_against_calls(
    curves: Mapping[str, Mapping[int, float]],
    path: str | Path,
    *,
    levels: Mapping[str, float] | None = None,
    score: str = "energy score",
) -> None:
    """Draw the score of several samplers against the calls of their network, beside methods without calls; write it.

    Parameters
    ----------
    curves : score by number of calls, by name
    path : .png, .pdf or .svg
    levels : scores of what needs no network, such as analogs, by name: lines across the picture
    score : label of the vertical axis
    """
    checked_path(path)
    save(calls_figure(curves, levels or {}, score), path)


def calls_figure(curves: Mapping[str, Mapping[int, float]], levels: Mapping[str, float], score: str) -> Figure:
    """Return the figure of `score_against_calls`."""
    if not curves or not all(curves.values()):
        raise InputError("A picture of scores against calls needs curves with at least one point each: got none.")
    figure = Figure(figsize=(PANEL[0] + 1.6, PANEL[1]), layout="constrained")
    axes = figure.subplots()
    all_calls = sorted({whole_number("the number of calls", n, at_least=1) for curve in curves.values() for n in curve})
    ends = {}
    for k, (name, curve) in enumerate(curves.items()):
        points = [(n, positive(f"the score of {name!r}", curve[n])) for n in sorted(curve)]
        look = {"color": COLOURS[k % len(COLOURS)], "linestyle": "-" if k < len(COLOURS) else "--"}
        axes.plot(*zip(*points, strict=True), marker=MARKERS[k % len(MARKERS)], markersize=6, linewidth=2, **look)
        ends[name] = (points[-1], look["color"])
    for name, value in levels.items():
        height = positive(f"the score of {name!r}", value)
        axes.axhline(height, color=FAINT, linewidth=1.1, linestyle=(0, (4, 2.5)), zorder=1)
        ends[name] = ((all_calls[-1], height), FAINT)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(all_calls))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(all_calls, [str(n) for n in all_calls])
    axes.set(xlabel="calls of the network", ylabel=score, axisbelow=True)
    axes.grid(True, axis="y", color=LINES, linewidth=0.8)
    _name_ends(axes, ends)
    entitle(axes, f"{score[0].upper()}{score[1:]} and calls")
    tidy(axes)
    return figure


@own_look
def calibration_picture(histograms: Mapping[str, Sequence[int]], path: str | Path) -> None:
    """Draw rank histograms, and the coverage of each interval of members against the ideal one, and write the picture.

    The coverage follows from the ranks: of m members, the interval without the outer k on each side should hold the
    truth in the share (m - 1 - 2k) / (m + 1) of the cases.

    Parameters
    ----------
    histograms : counts of the ranks 0 to m of the truth among m members, by name, as
        :func:`sciml.metrics.rank_histogram` returns them
    path : .png, .pdf or .svg
    """
    checked_path(path)
    save(calibration_figure(histograms), path)


def calibration_figure(histograms: Mapping[str, Sequence[int]]) -> Figure:
    """Return the figure of `calibration_picture`."""
    if not histograms:
        raise InputError("A picture of calibration needs at least one histogram: got none.")
    counts = {name: _counts(name, given) for name, given in histograms.items()}
    width = 2.5 * len(counts) + 4.0
    figure = Figure(figsize=(width, 3.9), layout="constrained")
    panels = figure.subplots(1, len(counts) + 1, width_ratios=[2.5] * len(counts) + [4.0])
    top = 1.12 * max(float(each.max() / each.sum() * len(each)) for each in counts.values())
    for k, (axes, (name, each)) in enumerate(zip(panels[:-1], counts.items(), strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        axes.bar(np.arange(len(each)), each / each.sum() * len(each), width=0.92, color=colour, alpha=0.85)
        axes.axhline(1.0, color=INK, linewidth=1.1, linestyle=(0, (4, 2.5)))
        axes.set(xlabel="rank of the truth", ylim=(0.0, top))
        axes.set_xticks([0, len(each) - 1])
        entitle(axes, name)
        tidy(axes)
        if k:
            axes.tick_params(labelleft=False)
    panels[0].set_ylabel("frequency / ideal")
    _coverages(panels[-1], counts)
    return figure


def _rows(members: Sequence[Field], truth: Field | None, shown: int) -> dict[str, Scene]:
    """Return the scenes of the rows by their names."""
    if len(members) < 2:
        raise InputError(f"A picture of an ensemble needs at least 2 members: got {len(members)}.")
    first = members[0]
    for field in (*members[1:], *(() if truth is None else (truth,))):
        same = field.on == first.on and field.location == first.location and field.values.shape == first.values.shape
        if not same or not np.array_equal(_times(field), _times(first)):
            raise InputError(f"The fields of an ensemble need the same places and times: got {first!r} and {field!r}.")
    if Scene(first).is_curve:
        raise InputError(f"An ensemble is drawn in the plane: got a field on {first.on!r}; draw profiles instead.")
    values = np.stack([np.asarray(field.values, dtype=float) for field in members])
    mean, spread = replace(first, values=values.mean(axis=0)), replace(first, values=values.std(axis=0, ddof=1))
    fields, errors = {"mean": mean}, {"spread": spread}
    if truth is not None:
        fields = {"truth": truth, **fields}
        errors = {"|mean − truth|": replace(first, values=np.abs(mean.values - truth.values)), **errors}
    drawn = {f"member {k + 1}": field for k, field in enumerate(members[:shown])}
    scale = colouring(np.concatenate([np.ravel(each.values) for each in (truth or mean, mean, *members)]))
    largest = float(np.quantile([each.values for each in errors.values()], 0.995)) or 1.0
    deviations = (Normalize(0.0, largest), colormaps["magma"])
    return {
        **{name: Scene(field, scale=scale) for name, field in fields.items()},
        **{name: Scene(replace(field, name=f"error, spread of {first.name}"), scale=deviations)
           for name, field in errors.items()},
        **{name: Scene(field, scale=scale) for name, field in drawn.items()},
    }  # fmt: skip


def _times(field: Field) -> np.ndarray:
    return np.empty(0) if field.times is None else field.times


def _name_ends(axes: Axes, ends: Mapping[str, tuple[tuple[int, float], str]]) -> None:
    """Write names right of the axes at the ends of their lines, moved apart as little as keeps them legible."""
    from scipy.optimize import isotonic_regression

    low, high = axes.get_ylim()
    ordered = sorted(ends.items(), key=lambda item: item[1][0][1])
    wanted = real_array("the ends", [height for _, ((_, height), _) in ordered])
    apart = 0.055 * (high - low) * np.arange(len(wanted))
    heights = isotonic_regression(wanted - apart).x + apart  # the nearest ones at these distances
    heights -= max(0.0, heights[-1] - high)
    across = axes.get_yaxis_transform()
    for (name, ((_, height), colour)), moved in zip(ordered, heights, strict=True):
        axes.plot([1.005, 1.04], [height, moved], color=colour, linewidth=0.8, transform=across, clip_on=False)
        axes.annotate(name, (1.05, moved), xycoords=across, va="center", color=colour, fontsize=10)
    axes.set_ylim(low, high)


def _counts(name: str, given: Sequence[int]) -> np.ndarray:
    """Return the counts of a rank histogram as floats."""
    counts = whole_array(f"the histogram {name!r}", given, shape=("ranks",), at_least=0)
    if len(counts) < 3 or not counts.sum():
        raise InputError(f"The histogram {name!r} needs counts of three or more ranks, not all zero: got {counts}.")
    return counts.astype(float)


def _coverages(axes: Axes, counts: Mapping[str, np.ndarray]) -> None:
    """Draw the share of the truth within each interval of members against the ideal one."""
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1.1, linestyle=(0, (4, 2.5)), label="ideal")
    for k, (name, each) in enumerate(counts.items()):
        m = len(each) - 1
        outer = np.arange(m // 2)
        ideal = (m - 1 - 2 * outer) / (m + 1)
        share = np.array([each[left + 1 : m - left].sum() for left in outer]) / each.sum()
        axes.plot(ideal, share, color=COLOURS[k % len(COLOURS)], marker=MARKERS[k % len(MARKERS)], label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="ideal coverage", ylabel="coverage", aspect="equal", axisbelow=True)
    axes.grid(True, color=LINES, linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper left")
    entitle(axes, "Coverage")
    tidy(axes)
