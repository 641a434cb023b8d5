"""Pictures: residual histories, slices of fields, and solvers side by side.

The only module that imports matplotlib. It draws on `Figure` objects alone: no pyplot, no display, no global settings.
So it works headless and in threads, and leaves the caller's own figures as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh

FLUID, DIRICHLET, SOLID = 0, 1, 2  # the codes of cells, as in the files of linear systems

_COLOURS = ("#c8102e", "#1f5fa8", "#e08a00", "#2a8a57", "#7a4fa3", "#6b6f76")
_INK, _FAINT = "#22262b", "#7d848c"
_OTHER_CELLS = ((DIRICHLET, "#d8ecf8", "////", "Dirichlet"), (SOLID, "#b4b9bf", "", "solid"))
_SPLIT = (("triangle", [0, 1, 2]), ("quad", [0, 1, 2]), ("quad", [0, 2, 3]))
_FORMATS = (".png", ".pdf", ".svg")


class Run(Protocol):
    """What a picture needs to know about a solve; `sciml.linalg.SolveResult` has it."""

    @property
    def history(self) -> Sequence[float]:
        """Relative residuals, the first before any iteration."""

    @property
    def setup_seconds(self) -> float:
        """Time before the first iteration."""

    @property
    def solve_seconds(self) -> float:
        """Time of the iterations."""


def residual_history(histories: Mapping[str, Sequence[float]], path: str | Path, *, rtol: float | None = None) -> None:
    """Draw relative residuals over iterations, one line for each method, and write the picture.

    Parameters
    ----------
    histories : relative residuals by the name of the method, the first before any iteration
    path : .png, .pdf or .svg
    rtol : the tolerance, drawn as a line
    """
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    _draw_histories(figure.subplots(), histories, rtol)
    _save(figure, path)


def training_history(rows: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw the errors and the terms of the loss over the epochs of a run, and write the picture.

    Parameters
    ----------
    rows : of ``metrics.csv``: ``epoch``, and numbers whose names have a slash in them, such as ``val/data``
    path : .png, .pdf or .svg
    """
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=_COLOURS)
    for name in dict.fromkeys(name for row in rows for name in row if "/" in name):
        points = [(float(row["epoch"]), float(row[name])) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), linewidth=1.6, marker="o" if len(points) <= 40 else "", label=name)
    axes.set(xlabel="epoch", yscale="log")
    _entitle(axes, "Training")
    if axes.lines:
        axes.legend(frameon=False, labelcolor=_INK, fontsize=10)
    _tidy(axes)
    _save(figure, path)


def field_slice(
    field: Field, cells: np.ndarray | None, path: str | Path, *, axis: int = 2, index: int | None = None
) -> None:
    """Draw a scalar field on a grid, or a slice of it, and write the picture.

    Parameters
    ----------
    field : scalar on a two- or three-dimensional grid; its name and unit label the colour bar
    cells : codes of the grid's shape, 0 fluid, 1 Dirichlet (light blue, hatched), 2 solid (grey); None for all fluid
    path : .png, .pdf or .svg
    axis, index : in three dimensions the slice ``field[..., index, ...]``; by default through the middle of the solid
        cells, or of the box where there are none
    """
    section = _section(field, cells, axis, index)
    figure = Figure(figsize=(7.6, 6.4), layout="constrained")
    _draw_slice(figure, figure.subplots(), section)
    _save(figure, path)


def solution_picture(
    field: Field,
    cells: np.ndarray | None,
    histories: Mapping[str, Sequence[float]],
    path: str | Path,
    *,
    rtol: float | None = None,
    title: str = "",
) -> None:
    """Draw a slice of the solution beside the residual histories.

    The parameters are those of `field_slice` and `residual_history`; ``title`` is one line.
    """
    section = _section(field, cells, 2, None)
    figure = Figure(figsize=(12.4, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.05, 1.0))
    _draw_slice(figure, left, section)
    _draw_histories(right, histories, rtol)
    if title:
        figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold", color=_INK)
    _save(figure, path)


def comparison_picture(
    field: Field,
    cells: np.ndarray,
    runs: Mapping[str, Run],
    path: str | Path,
    *,
    surface: Mesh,
    rtol: float | None = None,
    title: str = "",
) -> None:
    """Draw an obstacle with the field on it, a slice of the field, and the convergence and time of several solvers.

    Parameters
    ----------
    field : scalar on a three-dimensional grid
    cells : codes of the grid's shape, as in `field_slice`
    runs : results by the name of the method, ours first: the others' times are given as multiples of its time
    path : .png, .pdf or .svg
    surface : the obstacle, triangles and quads in the coordinates of the grid
    rtol : the tolerance, drawn as a line
    title : one line
    """
    if not runs:
        raise InputError("A comparison needs at least one run: got none.")
    section = _section(field, cells, 2, None)
    figure = Figure(figsize=(13.0, 10.4), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.3, 1.0))
    _draw_surface(figure.add_subplot(grid[0, 0], projection="3d"), surface, field, cells, section)
    _draw_slice(figure, figure.add_subplot(grid[0, 1]), section)
    _draw_histories(figure.add_subplot(grid[1, 0]), {name: run.history for name, run in runs.items()}, rtol)
    _draw_seconds(figure.add_subplot(grid[1, 1]), runs)
    if title:
        figure.suptitle(title, x=0.015, ha="left", fontsize=16, fontweight="bold", color=_INK)
    _save(figure, path)


@dataclass(frozen=True)
class _Section:
    """A plane of a field: values and codes (n, m), their box, and how to colour and name them."""

    values: np.ndarray
    cells: np.ndarray
    extent: tuple[float, float, float, float]
    labels: tuple[str, str]
    name: str
    place: tuple[int, float] | None  # axis and coordinate of the plane in three dimensions
    norm: Normalize
    colours: Colormap


def _section(field: Field, cells: np.ndarray | None, axis: int, index: int | None) -> _Section:
    grid, values = field.on, np.asarray(field.values)
    if not isinstance(grid, Grid) or grid.dim not in (2, 3) or values.shape != grid.shape or values.dtype.kind == "c":
        raise InputError(
            f"A slice needs a real scalar field on a grid of two or three dimensions: got {field.name!r} "
            f"of shape {values.shape}; choose a component or a time first."
        )
    codes = np.zeros(grid.shape, dtype=np.uint8) if cells is None else np.asarray(cells)
    if codes.shape != grid.shape:
        raise InputError(f"The cells do not fit the field: got shape {codes.shape}, expected {grid.shape}.")
    kept, place = [0, 1], None
    if grid.dim == 3:
        if axis not in (0, 1, 2):
            raise InputError(f"The axis of a slice is 0, 1 or 2: got {axis!r}.")
        at = _middle(codes, axis) if index is None else index
        if not 0 <= at < grid.shape[axis]:
            raise InputError(
                f"The index of the slice is outside the grid: got {at}, expected 0 to {grid.shape[axis] - 1}."
            )
        kept, place = [other for other in range(3) if other != axis], (axis, float(grid.axes()[axis][at]))
        values, codes = values.take(at, axis=axis), codes.take(at, axis=axis)
    low, high = [grid.lower[k] for k in kept], [grid.upper[k] for k in kept]
    norm, colours = _colouring(values[codes == FLUID])
    name = f"{field.name} [{field.unit}]" if field.unit else field.name
    labels = ("xyz"[kept[0]], "xyz"[kept[1]])
    return _Section(values, codes, (low[0], high[0], low[1], high[1]), labels, name, place, norm, colours)


def _middle(codes: np.ndarray, axis: int) -> int:
    """Return the median position of the solid cells along an axis, or the middle of the box."""
    counts = np.sum(codes == SOLID, axis=tuple(k for k in range(codes.ndim) if k != axis))
    total = np.cumsum(counts)
    return int(np.searchsorted(total, total[-1] / 2)) if total[-1] else codes.shape[axis] // 2


def _colouring(values: np.ndarray) -> tuple[Normalize, Colormap]:
    """Choose a diverging map about zero for values of both signs, else a sequential one; ignore 0.5 % of outliers."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Normalize(0.0, 1.0), colormaps["viridis"]
    low, high = (float(q) for q in np.quantile(finite, (0.0025, 0.9975)))
    if low < 0.0 < high and min(-low, high) > 0.05 * max(-low, high):
        return Normalize(-max(-low, high), max(-low, high)), colormaps["RdBu_r"]
    if not high > low:
        low, high = float(finite.min()) - 0.5, float(finite.max()) + 0.5
    return Normalize(low, high), colormaps["viridis"]


def _draw_slice(figure: Figure, axes: Axes, section: _Section) -> None:
    fluid, extent = section.cells == FLUID, section.extent
    shown = np.ma.masked_where(~fluid | ~np.isfinite(section.values), section.values).T
    image = axes.imshow(
        shown, section.colours, section.norm, origin="lower", extent=extent, interpolation="nearest", rasterized=True
    )
    n, m = section.values.shape
    x = extent[0] + (np.arange(n) + 0.5) * (extent[1] - extent[0]) / n
    y = extent[2] + (np.arange(m) + 0.5) * (extent[3] - extent[2]) / m
    if min(n, m) > 1 and shown.count():
        levels = np.linspace(section.norm.vmin, section.norm.vmax, 19)[1:-1]
        axes.contour(x, y, shown, levels, colors=_INK, linewidths=0.45, linestyles="solid", alpha=0.35)
    patches = []
    for code, colour, hatch, label in _OTHER_CELLS:
        member = section.cells == code
        if member.any():
            _draw_cells(axes, member, extent, colour, hatch)
            patches.append(Patch(facecolor=colour, edgecolor=_FAINT, hatch=hatch, linewidth=0.6, label=label))
    if patches:
        axes.legend(handles=patches, loc="lower right", fontsize=9, framealpha=0.9, edgecolor="none", labelcolor=_INK)
    axes.set(xlabel=section.labels[0], ylabel=section.labels[1], xlim=extent[:2], ylim=extent[2:], aspect="equal")
    where = f" at {'xyz'[section.place[0]]} = {section.place[1]:.3g}" if section.place else ""
    _entitle(axes, section.name.split(" [")[0] + where)
    _tidy(axes)
    above, below = np.any(shown > section.norm.vmax), np.any(shown < section.norm.vmin)
    extend = "both" if above and below else "max" if above else "min" if below else "neither"
    bar = figure.colorbar(image, cax=axes.inset_axes((1.03, 0.08, 0.035, 0.84)), extend=extend)
    bar.set_label(section.name, color=_INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, colors=_FAINT, labelcolor=_INK)
    bar.formatter.set_powerlimits((-3, 4))
    bar.ax.yaxis.get_offset_text().set(horizontalalignment="left", color=_INK, fontsize=9)


def _draw_cells(
    axes: Axes, member: np.ndarray, extent: tuple[float, float, float, float], colour: str, hatch: str
) -> None:
    """Fill the cells of a mask with one colour and draw the outline along the sides of the cells."""
    layer = np.zeros((*member.T.shape, 4))
    layer[member.T] = to_rgba(colour)
    axes.imshow(layer, origin="lower", extent=extent, interpolation="nearest", rasterized=True)
    padded = np.pad(member, 1)
    x = np.linspace(extent[0], extent[1], member.shape[0] + 1)
    y = np.linspace(extent[2], extent[3], member.shape[1] + 1)
    i, j = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    axes.vlines(x[i], y[j], y[j + 1], colors=_INK, linewidths=0.8)
    i, j = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    axes.hlines(y[j], x[i], x[i + 1], colors=_INK, linewidths=0.8)
    if hatch:
        doubled = np.repeat(np.repeat(member, 2, axis=0), 2, axis=1).T.astype(float)
        hatched = axes.contourf(doubled, [0.5, 1.5], colors="none", hatches=[hatch], extent=extent, origin="lower")
        hatched.set(edgecolor=_FAINT, linewidth=0.0)


def _draw_histories(axes: Axes, histories: Mapping[str, Sequence[float]], rtol: float | None) -> None:
    if not histories:
        raise InputError("A residual history needs at least one method: got none.")
    longest = max(len(history) for history in histories.values())
    for number, (name, history) in enumerate(histories.items()):
        values = np.asarray(history, dtype=float)
        if values.ndim != 1 or not len(values):
            raise InputError(f"The history of {name!r} must be a sequence of numbers: got shape {values.shape}.")
        values = np.where(values > 0.0, values, np.nan)
        colour, marker = _COLOURS[number % len(_COLOURS)], "o" if len(values) <= 40 else ""
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
        axes.axhline(rtol, color=_FAINT, linewidth=1.0, linestyle=(0, (5, 3)), zorder=2.2)
        where = axes.get_yaxis_transform()
        axes.annotate("tolerance", (0.0, rtol), (6, 4), where, "offset points", color=_FAINT)
    axes.set(xlabel="iteration", ylabel="relative residual ‖b − A x‖ / ‖b‖")
    _entitle(axes, "Convergence")
    axes.grid(True, which="major", color="#e6e8eb", linewidth=0.8)
    axes.legend(title="iterations", frameon=False, labelcolor=_INK, fontsize=10, alignment="left")
    _tidy(axes)


def _draw_seconds(axes: Axes, runs: Mapping[str, Run]) -> None:
    setup = np.array([run.setup_seconds for run in runs.values()], dtype=float)
    total = setup + np.array([run.solve_seconds for run in runs.values()], dtype=float)
    rows = np.arange(len(runs))
    colours = [_COLOURS[row % len(_COLOURS)] for row in rows]
    axes.barh(rows, setup, color=[_pale(colour) for colour in colours], height=0.6)
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
            color=_INK,
            fontweight="bold" if row == 0 else "normal",
        )
    axes.set_yticks(rows, list(runs))
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_xlim(0, (float(total.max()) or 1.0) * 1.3)
    axes.set(xlabel="seconds", axisbelow=True)
    _entitle(axes, "Time to the tolerance")
    axes.legend(
        handles=[Patch(facecolor=_pale(_FAINT), label="set-up"), Patch(facecolor=_FAINT, label="solve")],
        loc="upper right",
        frameon=False,
        labelcolor=_INK,
        fontsize=10,
    )
    axes.grid(True, axis="x", color="#e6e8eb", linewidth=0.8)
    _tidy(axes)
    axes.tick_params(axis="y", length=0)


def _pale(colour: str) -> tuple[float, ...]:
    """Mix a colour with white, 40 to 60."""
    return tuple(0.4 * part + 0.6 for part in to_rgb(colour))


def _draw_surface(axes: Axes3D, surface: Mesh, field: Field, cells: np.ndarray, section: _Section) -> None:
    """Draw the surface coloured by the fluid beside it and lit from above, in the frame of the slice."""
    triangles = _triangles(surface)
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny)
    colour = section.colours(section.norm(_beside_solids(field, cells, triangles.mean(axis=1))))
    colour[:, :3] *= 0.55 + 0.45 * np.abs(normal @ [[0.35], [-0.55], [0.76]])
    axes.add_collection3d(Poly3DCollection(triangles, facecolors=colour, edgecolors=colour, linewidths=0.2))

    corners = triangles.reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = 0.12 * float(np.max(high - low))
    if section.place:
        axis, at = section.place
        frame = np.array([low - margin, high + margin])
        frame[:, axis] = at
        around = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
        turn = np.insert(around, axis, 0, axis=1)
        axes.plot(*(frame[turn[:, k], k] for k in range(3)), color=_FAINT, linewidth=1.2, linestyle=(0, (5, 3)))
    middle, reach = 0.5 * (low + high), 0.5 * float(np.max(high - low)) + margin
    limits = [(centre - reach, centre + reach) for centre in middle]
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    axes.set_box_aspect((1, 1, 1), zoom=1.5)
    axes.view_init(elev=34, azim=-62)
    axes.set_axis_off()
    solid = 100 * float(np.mean(np.asarray(cells) == SOLID))
    size = " × ".join(map(str, np.shape(cells)))
    _entitle(axes, f"{field.name} on the obstacle ({solid:.2g} % of {size} cells)")


def _triangles(surface: Mesh) -> np.ndarray:
    parts = [surface.cells[name][:, part] for name, part in _SPLIT if name in surface.cells]
    if surface.dim != 3 or not parts:
        raise InputError(f"The obstacle must be a surface of triangles and quads in space: got {surface!r}.")
    return surface.points[np.concatenate(parts)]


def _beside_solids(field: Field, cells: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate the field at positions (n, 3), each cell that is not fluid taking the value of the nearest fluid."""
    from scipy.ndimage import distance_transform_edt, map_coordinates

    nearest = distance_transform_edt(np.asarray(cells) != FLUID, return_distances=False, return_indices=True)
    filled = np.asarray(field.values, dtype=float)[tuple(nearest)]
    first = np.array([axis[0] for axis in field.on.axes()])
    places = (positions - first) / np.array(field.on.spacing)
    return map_coordinates(filled, places.T, order=1, mode="nearest")


def _entitle(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=_INK)


def _tidy(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_FAINT)
    axes.tick_params(colors=_FAINT, labelcolor=_INK, which="both")
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)


def _save(figure: Figure, path: str | Path) -> None:
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _FORMATS:
        raise InputError(f"The picture {path.name!r} has an unknown format: expected one of {', '.join(_FORMATS)}.")
    if not path.parent.is_dir():
        raise InputError(f"The folder of the picture does not exist: got {str(path.parent)!r}; make it first.")
    part = path.with_name(path.name + ".part")
    dateless = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(kind)  # equal data, equal files
    try:
        figure.savefig(
            part, format=kind[1:], dpi=160, facecolor="white", bbox_inches="tight", pad_inches=0.2, metadata=dateless
        )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
