"""Pore networks: pores coloured by pressure, throats as wide as their flux; and errors against the sizes of graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from sciml.checks import choice, real_array
from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.mesh import Mesh
from sciml.plots.side_by_side import GRID, MARKERS
from sciml.plots.style import COLOURS, FAINT, INK, PANEL, colour_bar, entitle, labelled, own_look, save, tidy

View = Literal["plane", "space"]
WIDEST, NARROWEST = 2.6, 0.15  # points, of a throat with the largest flux and with none
SHOWN_THROATS = 20_000  # of the largest flux: a picture shows no more
LENGTHS = ((1e-6, "µm"), (1e-3, "mm"), (1.0, "m"), (1e3, "km"))
PALEST = 0.12  # opacity of a throat without flux


@own_look
def network_picture(
    pressure: Field, flux: Field, path: str | Path, *, view: View = "plane", title: str = "Pressure and flux"
) -> None:
    """Draw a network, pores coloured by pressure and throats as wide as their flux is large, and write the picture.

    Parameters
    ----------
    pressure : at the points of a mesh of lines
    flux : at its lines, of either sign
    path : .png, .pdf or .svg
    view : ``plane`` is the projection along the last axis, ``space`` a view in three dimensions
    title : one line
    """
    choice("the view", view, ("plane", "space"))
    figure = Figure(figsize=PANEL if view == "plane" else (6.4, 5.4))
    axes = figure.add_axes((0.1, 0.1, 0.76, 0.8), projection="3d" if view == "space" else None)
    draw_network(axes, pressure, flux, view=view)
    entitle(axes, title)
    save(figure, path, dpi=200)


def draw_network(axes: Axes, pressure: Field, flux: Field, *, view: View = "plane") -> None:
    """Draw a network as `network_picture` does, on axes that for the view ``space`` are three-dimensional."""
    mesh, lines = _checked(pressure, flux)
    scale, unit = _unit(mesh.points)
    points = mesh.points[:, : 2 if view == "plane" else 3] / scale
    size = np.abs(np.asarray(flux.values, float))
    order = np.argsort(size)[-SHOWN_THROATS:]
    part = np.sqrt(size[order] / (size.max() or 1.0))  # the root, so that the many small fluxes are seen too
    ends, values = points[lines[order]], np.asarray(pressure.values, float)
    norm, colours = Normalize(values.min(), values.max()), colormaps["viridis"]
    shades = colours(norm(values[lines[order]].mean(axis=1)))
    shades[:, 3] = PALEST + (1.0 - PALEST) * part
    look = {"colors": shades, "linewidths": NARROWEST + (WIDEST - NARROWEST) * part, "capstyle": "round"}
    used = np.unique(lines)
    marks = {"c": values[used], "cmap": colours, "norm": norm, "s": float(np.clip(8e3 / len(used), 1.5, 40.0))}
    if view == "plane":
        axes.add_collection(LineCollection(ends, **look))
        axes.scatter(*points[used].T, linewidths=0.0, zorder=3, **marks)
        axes.set_aspect("equal")
        axes.autoscale_view()
        tidy(axes)
    else:
        axes.add_collection3d(Line3DCollection(ends, **look))
        axes.scatter(*points[used].T, linewidths=0.0, depthshade=False, **marks)
        axes.set_box_aspect(np.ptp(points, axis=0))
        axes.set_zlabel(f"z [{unit}]")
        axes.view_init(22, -62)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.pane.fill = False
            axis.line.set_color(GRID)
            axis._axinfo["grid"].update(color=GRID, linewidth=0.6)
    axes.set(xlabel=f"x [{unit}]", ylabel=f"y [{unit}]")
    if view == "plane":
        colour_bar(axes.figure, axes, ScalarMappable(norm, colours), values, labelled(pressure))
    else:
        bar = axes.figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.6, pad=0.12)
        bar.set_label(labelled(pressure), color=INK)
        bar.outline.set_visible(False)


@own_look
def predicted_beside_true(predicted: Field, true: Field, flux: Field, path: str | Path, *, title: str = "") -> None:
    """Draw a predicted network, the true one with the same throats, and each value over the true one, and write it.

    Parameters
    ----------
    predicted, true : at the points of a mesh of lines
    flux : predicted, at its lines, of either sign; sets the widths of the throats in both networks
    path : .png, .pdf or .svg
    title : one line
    """
    _checked(predicted, flux)
    _checked(true, flux)
    figure = Figure(figsize=(3.1 * PANEL[0], PANEL[1]), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes, field, name in ((left, predicted, "predicted"), (middle, true, "true")):
        draw_network(axes, field, flux)
        entitle(axes, name)
    draw_parity(right, np.asarray(predicted.values, float), np.asarray(true.values, float))
    right.set(xlabel=f"true {labelled(true)}", ylabel=f"predicted {labelled(predicted)}")
    figure.suptitle(title, fontsize=12, fontweight="bold", color=INK)
    save(figure, path, dpi=120)


def draw_parity(axes: Axes, predicted: np.ndarray, true: np.ndarray) -> None:
    """Draw predicted over true values, the line where both are equal, and the largest error as the title."""
    low, high = min(predicted.min(), true.min()), max(predicted.max(), true.max())
    axes.plot([low, high], [low, high], color=INK, linewidth=1.0, linestyle=(0, (4, 2.5)))
    axes.scatter(true, predicted, s=10, color=COLOURS[0], linewidths=0.0, zorder=3)
    entitle(axes, f"largest error {np.abs(predicted - true).max():.2g}")
    tidy(axes)


@own_look
def law_picture(
    size: np.ndarray, learned: np.ndarray, path: str | Path, *, true: np.ndarray | None = None, label: str = "diameter"
) -> None:
    """Draw the conductances of throats over a size of theirs, both logarithmic, and write the picture.

    Pressures do not depend on the unit of the conductances, so that they are drawn relative to their geometric means.

    Parameters
    ----------
    size : of the throats, ``(m,)``, positive
    learned, true : conductances, ``(m,)``, positive
    path : .png, .pdf or .svg
    label : of the size
    """
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    draw_law(axes, size, {"true": true, "learned": learned} if true is not None else {"learned": learned})
    axes.set(xlabel=label, ylabel="conductance / geometric mean")
    entitle(axes, "The law of the throats")
    save(figure, path)


def draw_law(axes: Axes, size: np.ndarray, laws: Mapping[str, np.ndarray]) -> None:
    """Draw conductances relative to their geometric means over a size, by the name of the law."""
    size = _positive("the sizes of the throats", size, ("throats",))
    for name, given in laws.items():
        values = _positive(f"the conductances by the {name} law", given, (len(size),))
        look = {"color": FAINT, "s": 26} if name == "true" else {"color": COLOURS[0], "s": 7}
        axes.scatter(size, values / np.exp(np.log(values).mean()), label=name, linewidths=0.0, **look)
    axes.set(xscale="log", yscale="log", axisbelow=True)
    axes.grid(True, which="major", color=GRID, linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    tidy(axes)


@own_look
def error_by_size(
    points: Mapping[str, Sequence[tuple[float, float]]],
    path: str | Path,
    *,
    error: str = "mean square error",
    size: str = "pores",
    title: str = "Error and size of the graph",
) -> None:
    """Draw the errors of several methods against the sizes of the graphs, both logarithmic, and write the picture.

    Parameters
    ----------
    points : pairs of size and error by the name of the method, all positive; the errors of one size are joined by a
        vertical line, and their medians from size to size
    path : .png, .pdf or .svg
    error, size : labels of the axes
    title : one line
    """
    if not points:
        raise InputError("Errors against sizes need at least one method, got none.")
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    for number, (name, pairs) in enumerate(points.items()):
        sizes, errors = _positive(f"sizes and errors of {name}", pairs, ("pairs", 2)).T
        at = np.unique(sizes)
        groups = [errors[sizes == each] for each in at]
        look = {"color": COLOURS[number % len(COLOURS)]}
        axes.vlines(at, [min(each) for each in groups], [max(each) for each in groups], alpha=0.5, **look)
        axes.plot(at, [np.median(each) for each in groups], marker=MARKERS[number % len(MARKERS)], label=name, **look)
    axes.set(xscale="log", yscale="log", xlabel=size, ylabel=error, axisbelow=True)
    axes.grid(True, which="major", color=GRID, linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    entitle(axes, title)
    tidy(axes)
    save(figure, path)


def _positive(name: str, values: object, shape: tuple[int | str, ...]) -> np.ndarray:
    """Return numbers that a logarithmic axis can show, at least one of them."""
    found = real_array(name, values, shape=shape)
    if not found.size or found.min() <= 0.0:
        got = f"the smallest of {name} is {found.min():g}" if found.size else f"{name} are none"
        raise InputError(f"{got}, expected positive numbers, which a logarithmic axis can show.")
    return found


def _checked(pressure: Field, flux: Field) -> tuple[Mesh, np.ndarray]:
    """Return the mesh of a network and its lines, or refuse fields of another kind."""
    mesh = pressure.on
    if not isinstance(mesh, Mesh) or "line" not in mesh.cells or flux.on is not mesh:
        raise InputError(f"A network is drawn from two fields on one mesh of lines, got {pressure!r} and {flux!r}.")
    for given, location in ((pressure, "points"), (flux, "cells")):
        if given.location != location or given.components or given.times is not None:
            raise InputError(f"Field {given.name!r} must be a scalar at the {location}, without times.")
    if set(mesh.cells) != {"line"}:
        raise InputError(f"A network has lines only, got {mesh!r}.")
    return mesh, mesh.cells["line"]


def _unit(points: np.ndarray) -> tuple[float, str]:
    """Return the unit of length in which the extent of points, in m, is a number from 1 to 1000, and its name."""
    extent = float(np.ptp(points, axis=0).max())
    fitting = [unit for unit in LENGTHS if extent >= unit[0]]
    return fitting[-1] if fitting else LENGTHS[0]
