"""A scalar field on a grid, or a plane of it, with the cells that are not fluid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.plots.style import FAINT, INK, PANEL, colour_bar, colouring, entitle, labelled, own_look, save, tidy

FLUID, DIRICHLET, SOLID = 0, 1, 2  # the codes of cells, as in the files of linear systems
OTHER_CELLS = ((DIRICHLET, "#d8ecf8", "////", "Dirichlet"), (SOLID, "#b4b9bf", "", "solid"))


@own_look
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
    section = section_of(field, cells, axis, index)
    figure = Figure(figsize=PANEL, layout="constrained")
    draw_slice(figure, figure.subplots(), section)
    save(figure, path)


@dataclass(frozen=True)
class Section:
    """A plane of a field: values and codes (n, m), their box, and how to colour and name them."""

    values: np.ndarray
    cells: np.ndarray
    extent: tuple[float, float, float, float]
    labels: tuple[str, str]
    name: str
    place: tuple[int, float] | None  # axis and coordinate of the plane in three dimensions
    norm: Normalize
    colours: Colormap


def section_of(field: Field, cells: np.ndarray | None, axis: int, index: int | None) -> Section:
    """Return the plane that `field_slice` draws, or refuse what is not a real scalar field on a grid."""
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
    norm, colours = colouring(values[codes == FLUID])
    labels = ("xyz"[kept[0]], "xyz"[kept[1]])
    return Section(values, codes, (low[0], high[0], low[1], high[1]), labels, labelled(field), place, norm, colours)


def _middle(codes: np.ndarray, axis: int) -> int:
    """Return the median position of the solid cells along an axis, or the middle of the box."""
    counts = np.sum(codes == SOLID, axis=tuple(k for k in range(codes.ndim) if k != axis))
    total = np.cumsum(counts)
    return int(np.searchsorted(total, total[-1] / 2)) if total[-1] else codes.shape[axis] // 2


def draw_slice(figure: Figure, axes: Axes, section: Section) -> None:
    """Draw a plane with contours, the cells that are not fluid, and a colour bar."""
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
        axes.contour(x, y, shown, levels, colors=INK, linewidths=0.45, linestyles="solid", alpha=0.35)
    patches = []
    for code, colour, hatch, label in OTHER_CELLS:
        member = section.cells == code
        if member.any():
            _draw_cells(axes, member, extent, colour, hatch)
            patches.append(Patch(facecolor=colour, edgecolor=FAINT, hatch=hatch, linewidth=0.6, label=label))
    if patches:
        axes.legend(handles=patches, loc="lower right", fontsize=9, framealpha=0.9, edgecolor="none", labelcolor=INK)
    axes.set(xlabel=section.labels[0], ylabel=section.labels[1], xlim=extent[:2], ylim=extent[2:], aspect="equal")
    where = f" at {'xyz'[section.place[0]]} = {section.place[1]:.3g}" if section.place else ""
    entitle(axes, section.name.split(" [")[0] + where)
    tidy(axes)
    colour_bar(figure, axes, image, shown, section.name)


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
    axes.vlines(x[i], y[j], y[j + 1], colors=INK, linewidths=0.8)
    i, j = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    axes.hlines(y[j], x[i], x[i + 1], colors=INK, linewidths=0.8)
    if hatch:
        doubled = np.repeat(np.repeat(member, 2, axis=0), 2, axis=1).T.astype(float)
        hatched = axes.contourf(doubled, [0.5, 1.5], colors="none", hatches=[hatch], extent=extent, origin="lower")
        hatched.set(edgecolor=FAINT, linewidth=0.0)
