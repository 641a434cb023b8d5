"""Pictures of seismic inversions: velocity maps, gathers, the misfit by stage, and what the data see.

Depth and time point downwards. Samples of gathers are multiplied by the square of their time, so that late arrivals are
seen beside the wave that goes along the surface (Claerbout, Imaging the Earth's Interior, 1985, section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sciml.checks import positive, real_array
from sciml.errors import InputError
from sciml.plots.style import COLOURS, INK, PANEL, checked_path, colour_bar, entitle, own_look, save, tidy

CLIPPED = 0.01  # share of the samples of a gather that are beyond the ends of its colours
DECADES = 3.0  # of the illumination that are told apart
WIDTH = 4.2  # inches, of a panel
GAIN = 2  # power of the time, by which samples of gathers are multiplied
TIME = "time t [s], amplitudes times t²"
ROUNDING = 1e-14  # misfit of records in single precision that differ by rounding alone


@own_look
def velocity_maps_picture(maps: Mapping[str, np.ndarray], spacing: float, path: str | Path) -> None:
    """Draw velocity maps on one scale, such as start, refined and true one, and write the picture.

    Parameters
    ----------
    maps : by title, each (nz, nx) in m/s; with one that is called ``truth``, the last panel has the difference of the
        map before it
    spacing : of the cells, in metres
    path : .png, .pdf or .svg
    """
    checked_path(path)
    save(velocity_maps_figure(maps, spacing), path)


def velocity_maps_figure(maps: Mapping[str, np.ndarray], spacing: float) -> Figure:
    """Return the figure of `velocity_maps_picture`."""
    fields = _maps(maps)
    panels: dict[str, np.ndarray] = dict(fields)
    names = list(fields)
    if "truth" in fields and names.index("truth") > 0:
        before = names[names.index("truth") - 1]
        panels[f"{before} − truth"] = fields[before] - fields["truth"]
    norm = Normalize(min(each.min() for each in fields.values()), max(each.max() for each in fields.values()))
    figure = Figure(figsize=(WIDTH * len(panels), WIDTH * _aspect(fields)), layout="constrained")
    for axes, (name, field) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        if name in fields:
            _section(figure, axes, field, spacing, ("velocity [m/s]", "viridis", norm))
        else:
            largest = max(float(np.abs(field).max()), 1.0)
            _section(figure, axes, field, spacing, ("difference [m/s]", "RdBu_r", Normalize(-largest, largest)))
        entitle(axes, _title(name))
    return figure


@own_look
def sensing_picture(
    illumination: np.ndarray, spacing: float, path: str | Path, *, spread: np.ndarray | None = None
) -> None:
    """Draw how much the records change with each cell, beside how far maps from several starts differ, and write it.

    Parameters
    ----------
    illumination : relative to the median cell, (nz, nx), not negative
    spacing : of the cells, in metres
    path : .png, .pdf or .svg
    spread : standard deviation of the maps, (nz, nx) in m/s
    """
    checked_path(path)
    save(sensing_figure(illumination, spacing, spread), path)


def sensing_figure(illumination: np.ndarray, spacing: float, spread: np.ndarray | None = None) -> Figure:
    """Return the figure of `sensing_picture`."""
    named = {"illumination": illumination} | ({} if spread is None else {"spread": spread})
    fields = _maps(named)
    figure = Figure(figsize=(WIDTH * len(fields), WIDTH * _aspect(fields)), layout="constrained")
    panels = figure.subplots(1, len(fields), squeeze=False)[0]
    _illumination(figure, panels[0], fields["illumination"], spacing)
    entitle(panels[0], "Change of the records with each cell")
    if spread is not None:
        scale = Normalize(0.0, max(float(fields["spread"].max()), 1.0))
        _section(figure, panels[1], fields["spread"], spacing, ("standard deviation [m/s]", "magma", scale))
        entitle(panels[1], "Spread over starts")
    return figure


@own_look
def gathers_picture(
    records: Mapping[str, np.ndarray], time_step: float, path: str | Path, *, shots: Sequence[int] | None = None
) -> None:
    """Draw gathers, a row for each shot, such as observed ones, modelled ones and residuals, and write the picture.

    Parameters
    ----------
    records : by title, each (shots, steps, receivers); all on the scale of the first
    time_step : in seconds
    path : .png, .pdf or .svg
    shots : which; the first, the middle and the last one by default
    """
    checked_path(path)
    save(gathers_figure(records, time_step, shots), path)


def gathers_figure(records: Mapping[str, np.ndarray], time_step: float, shots: Sequence[int] | None = None) -> Figure:
    """Return the figure of `gathers_picture`."""
    shape: tuple[int | str, ...] = ("shots", "steps", "receivers")
    fields = {}
    for name, given in records.items():
        fields[name] = _gained(real_array(f"the records {name!r}", given, shape=shape), time_step)
        shape = fields[name].shape
    if not fields:
        raise InputError("there are no records to draw, expected some.")
    count = len(next(iter(fields.values())))
    chosen = sorted({0, count // 2, count - 1}) if shots is None else list(shots)
    outside = [shot for shot in chosen if not 0 <= shot < count]
    if outside:
        raise InputError(f"the shot is {outside[0]}, expected one from 0 to {count - 1}.")
    figure = Figure(figsize=(0.75 * WIDTH * len(fields), 0.9 * WIDTH * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), len(fields), squeeze=False, sharex=True, sharey=True)
    first = next(iter(fields.values()))
    for row, shot in zip(panels, chosen, strict=True):
        largest = _loudness(first[shot])
        for axes, (name, field) in zip(row, fields.items(), strict=True):
            _gather(axes, field[shot], time_step, largest)
            entitle(axes, f"{_title(name)}, shot {shot + 1}")
        row[0].set_ylabel(TIME, color=INK)
    for axes in panels[-1]:
        axes.set_xlabel("receiver", color=INK)
    return figure


@own_look
def inversion_picture(
    maps: Mapping[str, np.ndarray],
    illumination: np.ndarray,
    gathers: Mapping[str, np.ndarray],
    scales: tuple[float, float],
    path: str | Path,
) -> None:
    """Draw an inversion in one picture, maps and illumination above, gathers of one shot below, and write it.

    Parameters
    ----------
    maps : by title, such as start and refined, each (nz, nx) in m/s, on one scale
    illumination : relative to the median cell, (nz, nx), not negative
    gathers : by title, such as observed, modelled and residual, each (steps, receivers), on the scale of the first
    scales : spacing of the cells in metres, time step in seconds
    path : .png, .pdf or .svg
    """
    checked_path(path)
    save(inversion_figure(maps, illumination, gathers, scales), path)


def inversion_figure(
    maps: Mapping[str, np.ndarray],
    illumination: np.ndarray,
    gathers: Mapping[str, np.ndarray],
    scales: tuple[float, float],
) -> Figure:
    """Return the figure of `inversion_picture`."""
    fields, (spacing, time_step) = _maps({**maps, "illumination": illumination}), scales
    illumination = fields.pop("illumination")
    columns = max(len(fields) + 1, len(gathers))
    heights = [1.2 * _aspect(fields), 1.0]
    figure = Figure(figsize=(1.2 * WIDTH * columns, 1.1 * WIDTH * sum(heights)), layout="constrained")
    above, below = figure.subplots(2, columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    norm = Normalize(min(each.min() for each in fields.values()), max(each.max() for each in fields.values()))
    for axes, (name, field) in zip(above, fields.items(), strict=False):
        _section(figure, axes, field, spacing, ("velocity [m/s]", "viridis", norm))
        entitle(axes, _title(name))
    _illumination(figure, above[len(fields)], illumination, spacing)
    entitle(above[len(fields)], "Change of the records with each cell")
    shots = {name: _gained(gather, time_step) for name, gather in gathers.items()}
    for axes, (name, shot) in zip(below, shots.items(), strict=False):
        _gather(axes, shot, time_step, _loudness(next(iter(shots.values()))))
        axes.set_xlabel("receiver", color=INK)
        entitle(axes, _title(name))
    below[0].set_ylabel(TIME, color=INK)
    for axes in [*above[len(fields) + 1 :], *below[len(shots) :]]:
        axes.remove()
    return figure


@own_look
def misfit_picture(
    solves: Sequence[float],
    misfits: Sequence[float],
    stages: Sequence[float],
    path: str | Path,
    *,
    errors: Sequence[float] | None = None,
) -> None:
    """Draw the misfit over the solves, a line for each stage, beside the error of the map if known, and write it.

    Parameters
    ----------
    solves : rising
    misfits : of records, each in the band of its stage; those below the rounding of records are drawn there
    stages : by which rows are grouped
    path : .png, .pdf or .svg
    errors : mean absolute ones of the map, in m/s
    """
    checked_path(path)
    save(misfit_figure(solves, misfits, stages, errors), path)


def misfit_figure(
    solves: Sequence[float], misfits: Sequence[float], stages: Sequence[float], errors: Sequence[float] | None = None
) -> Figure:
    """Return the figure of `misfit_picture`."""
    x = real_array("the solves", solves, shape=("n",))
    y, groups = (real_array(name, given, shape=(len(x),)) for name, given in (("misfits", misfits), ("stages", stages)))
    y = np.maximum(y, ROUNDING)  # a logarithmic axis has no place for zero
    figure = Figure(figsize=((1 if errors is None else 2) * PANEL[0], PANEL[1]), layout="constrained")
    panels = figure.subplots(1, 1 if errors is None else 2, squeeze=False)[0]
    for number, stage in enumerate(np.unique(groups)):
        rows = groups == stage
        colour = COLOURS[number % len(COLOURS)]
        panels[0].semilogy(x[rows], y[rows], "o-", markersize=3, color=colour, label=f"stage {stage:g}")
    panels[0].legend(frameon=False, labelcolor=INK, fontsize=9)
    panels[0].set(xlabel="solves", ylabel="misfit in the band of the stage")
    entitle(panels[0], "Misfit by stage")
    if errors is not None:
        panels[1].plot(x, real_array("the errors", errors, shape=(len(x),)), "o-", markersize=3, color=COLOURS[1])
        panels[1].set(xlabel="solves", ylabel="mean absolute error [m/s]")
        panels[1].set_ylim(bottom=0.0)
        entitle(panels[1], "Error of the map")
    for axes in panels:
        tidy(axes)
    return figure


def _title(name: str) -> str:
    """Return a name with a capital at its beginning, and the others as they are."""
    return f"{name[:1].upper()}{name[1:]}"


def _maps(maps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return maps of one shape."""
    shape: tuple[int | str, ...] = ("nz", "nx")
    fields = {}
    for name, given in maps.items():
        fields[name] = real_array(f"the map {name!r}", given, shape=shape)
        shape = fields[name].shape
    if not fields:
        raise InputError("there are no maps to draw, expected some.")
    return fields


def _aspect(fields: Mapping[str, np.ndarray]) -> float:
    """Return a height over a width that suits a section with its title."""
    rows, columns = next(iter(fields.values())).shape
    return min(max(rows / columns, 0.35), 2.0) * 0.8 + 0.15


def _illumination(figure: Figure, axes: Axes, illumination: np.ndarray, spacing: float) -> None:
    """Draw the decimal logarithm of an illumination, three decades from the largest one down."""
    decades = np.log10(np.maximum(illumination, 1e-30))
    scale = Normalize(decades.max() - DECADES, decades.max(), clip=True)
    _section(figure, axes, decades, spacing, ("logarithm of the illumination", "cividis", scale))


def _gained(records: np.ndarray, time_step: float) -> np.ndarray:
    """Return records (..., steps, receivers) with a gain that grows with the time."""
    positive("the time step", time_step)
    return records * (time_step * np.arange(records.shape[-2])[:, None]) ** GAIN


def _loudness(gather: np.ndarray) -> float:
    """Return the value at the end of the colours of a gather."""
    return max(float(np.quantile(np.abs(gather), 1.0 - CLIPPED)), 1e-30)


def _gather(axes: Axes, gather: np.ndarray, time_step: float, largest: float) -> None:
    """Draw the traces (steps, receivers) of a shot, time downwards."""
    steps, receivers = gather.shape
    axes.imshow(
        gather,
        cmap="gray",
        vmin=-largest,
        vmax=largest,
        aspect="auto",
        extent=(-0.5, receivers - 0.5, (steps - 0.5) * time_step, -0.5 * time_step),
        interpolation="nearest",
    )
    tidy(axes)


def _section(
    figure: Figure, axes: Axes, field: np.ndarray, spacing: float, look: tuple[str, str, Normalize]
) -> ScalarMappable:
    """Draw a map with depth downwards, and its colours."""
    positive("the spacing of a map", spacing)
    label, colours, norm = look
    rows, columns = field.shape
    extent = (-0.5 * spacing, (columns - 0.5) * spacing, (rows - 0.5) * spacing, -0.5 * spacing)
    shown = axes.imshow(field, cmap=colours, norm=norm, extent=extent, interpolation="nearest")
    colour_bar(figure, axes, shown, field, label)
    axes.set(xlabel="x [m]", ylabel="depth [m]")
    tidy(axes)
    return shown
