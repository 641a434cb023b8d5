"""One panel: a scalar field at one time as a curve, an image or coloured triangles, in a scale for all times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh
from sciml.plots.style import COLOURS, INK, colour_bar, colouring, labelled, tidy
from sciml.plots.surfaces import check_displacement, moved_points, triangles_of
from sciml.plots.timelines import at_time

Flow = Literal["arrows", "streamlines"]
_ARROWS = 16  # along the longer side of a picture


@dataclass(frozen=True)
class Scene:
    """A scalar field, possibly in time, with all that is drawn with it; checked when made.

    Parameters
    ----------
    field : real scalar on a grid of one or two dimensions, or on a plane mesh
    reference : what the field should be; dashed in one dimension, else it shares the scale of the colours
    displacement : vectors at the points of the mesh, which is drawn where they move it
    velocity : vectors on a plane grid, drawn over the colours
    flow : how the velocity is drawn
    scale : of the colours, shared with other scenes; that of the values of all times and of the reference by default
    """

    field: Field
    reference: Field | None = None
    displacement: Field | None = None
    velocity: Field | None = None
    flow: Flow = "arrows"
    scale: tuple[Normalize, Colormap] | None = None

    def __post_init__(self) -> None:
        _check_scalar(self.field)
        if self.reference is not None:
            _check_scalar(self.reference)
            if self.reference.on.dim != self.field.on.dim:
                raise InputError(
                    f"The reference must have the dimension of the field: got {self.reference!r} for {self.field!r}."
                )
        if self.displacement is not None:
            if not isinstance(self.field.on, Mesh):
                raise InputError(f"A displacement moves the points of a mesh: got a field on {self.field.on!r}.")
            check_displacement(self.displacement, self.field.on)
        if self.velocity is not None:
            _check_velocity(self.velocity, self.field)
        if self.flow not in ("arrows", "streamlines"):
            raise InputError(f"The flow is drawn as 'arrows' or 'streamlines': got {self.flow!r}.")

    @property
    def is_curve(self) -> bool:
        """True if the field is drawn over one coordinate."""
        return self.field.on.dim == 1

    def panels(self) -> list[Scene]:
        """Return what needs axes of its own: the scene, and in two dimensions its reference and the error.

        The first two share the scale of their colours; the error, which is drawn where both are known at the same
        points and times, has its own.
        """
        if self.is_curve or self.reference is None:
            return [self]
        reference = _named_apart(self.reference, self.field)
        shown = [self, replace(self, field=reference, reference=self.field, velocity=None)]
        if (error := _error(self.field, reference)) is not None:
            shown.append(replace(self, field=error, reference=None, velocity=None))
        return shown

    @cached_property
    def _all_values(self) -> np.ndarray:
        both = [self.field] if self.reference is None else [self.field, self.reference]
        return np.concatenate([np.ravel(field.values).astype(float) for field in both])

    @cached_property
    def colours(self) -> tuple[Normalize, Colormap]:
        """The scale of the colours."""
        return self.scale or colouring(self._all_values)

    @property
    def limits(self) -> tuple[float, float, str]:
        """The ends of the scale of the colours, and the name of their map."""
        norm, colours = self.colours
        return float(norm.vmin), float(norm.vmax), colours.name

    @cached_property
    def box(self) -> np.ndarray:
        """Lower and upper limits of the axes (2, 2), for all times."""
        on = self.field.on
        if isinstance(on, Mesh):
            moved = moved_points(on, self.displacement)
            low, high = moved.min(axis=(0, 1)), moved.max(axis=(0, 1))
            return np.array([low, high]) + 0.03 * np.max(high - low) * np.array([[-1.0], [1.0]])
        if on.dim == 2:
            return np.array([on.lower, on.upper])
        finite = self._all_values[np.isfinite(self._all_values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        margin = 0.06 * (high - low) or 0.5
        return np.array([[on.lower[0], low - margin], [on.upper[0], high + margin]])

    def prepare(self, axes: Axes) -> None:
        """Set the limits and labels, which stay for all times."""
        (left, bottom), (right, top) = self.box
        ylabel = labelled(self.field) if self.is_curve else axis_label(self.field.on, 1)
        axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=axis_label(self.field.on, 0), ylabel=ylabel)
        axes.set_axisbelow(True)
        if self.is_curve:
            axes.grid(True, color="#e6e8eb", linewidth=0.8)
        else:
            axes.set_aspect("equal")
        tidy(axes)

    def draw(self, axes: Axes, time: float | None) -> list[Artist]:
        """Draw the field at a time, and return what was drawn, the field first."""
        field = at_time(self.field, time)
        if self.is_curve:
            reference = None if self.reference is None else at_time(self.reference, time)
            return _draw_curves(axes, field, reference)
        if isinstance(field.on, Mesh):
            move = None if self.displacement is None else at_time(self.displacement, time).values
            return _draw_triangles(axes, field, move, self.colours)
        drawn = [_draw_image(axes, field, self.colours)]
        if self.velocity is not None and (speed := float(np.max(np.linalg.norm(self.velocity.values, axis=-1)))) > 0.0:
            velocity = at_time(self.velocity, time)
            over = INK if self.colours[1].name == "RdBu_r" else "white"  # the middle of the one is white
            if self.flow == "arrows":
                drawn.append(_draw_arrows(axes, velocity, speed, over))
            elif np.any(velocity.values):
                x, y = velocity.on.axes()
                u, v = np.moveaxis(velocity.values, -1, 0)
                lines = axes.streamplot(x, y, u.T, v.T, density=0.9, color=over, linewidth=0.7, arrowsize=0.7)
                drawn.append(lines.lines)
        return drawn

    def draw_colour_bar(self, figure: Figure, axes: Axes) -> None:
        """Draw the scale of the colours beside the axes."""
        if not self.is_curve:
            colour_bar(figure, axes, ScalarMappable(*self.colours), self._all_values, labelled(self.field))


def axis_label(on: Grid | Mesh, axis: int) -> str:
    """Return the label of an axis of space, which says whether it is periodic."""
    periodic = isinstance(on, Grid) and bool(np.broadcast_to(on.periodic, (on.dim,))[axis])
    return "xyz"[axis] + (" (periodic)" if periodic else "")


def _error(field: Field, reference: Field) -> Field | None:
    """Return the difference of a field and its reference; None if they are known at other points or times."""
    if field.on != reference.on or field.location != reference.location:
        return None
    if reference.times is not None and (field.times is None or not np.array_equal(field.times, reference.times)):
        return None
    values = np.subtract(field.values, reference.values, dtype=float)
    return replace(field, name=f"{field.name} − {reference.name}", values=values)


def _check_scalar(field: Field) -> None:
    on = field.on
    plane = on.dim <= 2 if isinstance(on, Grid) else on.dim == on.topological_dim == 2
    if not plane or field.components or field.values.dtype.kind == "c":
        raise InputError(
            "A picture in time needs a real scalar field on a grid of one or two dimensions or on a plane mesh: "
            f"got {field!r}; choose a component or a slice first."
        )


def _check_velocity(velocity: Field, field: Field) -> None:
    grids = isinstance(velocity.on, Grid) and isinstance(field.on, Grid)
    if not grids or not velocity.on.dim == field.on.dim == 2 or velocity.components != (2,):
        raise InputError(
            "A velocity is drawn over a field on a plane grid and has two components on a plane grid itself: "
            f"got {velocity!r} over {field!r}."
        )


def _named_apart(reference: Field, field: Field) -> Field:
    """Return the reference with a name that is not that of the field."""
    if reference.name != field.name:
        return reference
    return replace(reference, name=f"{reference.name}, reference")


def _closed(field: Field) -> tuple[list[np.ndarray], np.ndarray]:
    """Return coordinates and values of a grid, the first repeated at the upper end of axes that close there."""
    grid: Grid = field.on
    values = np.asarray(field.values, dtype=float)
    repeated = np.broadcast_to(grid.periodic, (grid.dim,)) & (grid.centring == "vertex")
    axes = [
        np.append(axis, top) if once else axis
        for axis, top, once in zip(grid.axes(), grid.upper, repeated, strict=True)
    ]
    return axes, np.pad(values, [(0, int(once)) for once in repeated], mode="wrap")


def _draw_curves(axes: Axes, field: Field, reference: Field | None) -> list[Artist]:
    (x,), values = _closed(field)
    drawn = axes.plot(x, values, color=COLOURS[0], linewidth=2.0, label=field.name)
    if reference is not None:
        (x,), values = _closed(reference)
        name = "reference" if reference.name == field.name else reference.name
        drawn += axes.plot(x, values, color=INK, linewidth=1.3, linestyle=(0, (4, 2.5)), label=name)
    return drawn


def _draw_image(axes: Axes, field: Field, colours: tuple[Normalize, Colormap]) -> Artist:
    (x, y), values = _closed(field)
    h, k = (0.5 * step for step in field.on.spacing)
    limits = axes.get_xlim(), axes.get_ylim()
    image = axes.imshow(
        np.ma.masked_invalid(values).T,
        norm=colours[0],
        cmap=colours[1],
        origin="lower",
        extent=(x[0] - h, x[-1] + h, y[0] - k, y[-1] + k),  # each value in the middle of its pixel
        interpolation="nearest",
        rasterized=True,
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    return image


def _draw_triangles(
    axes: Axes, field: Field, move: np.ndarray | None, colours: tuple[Normalize, Colormap]
) -> list[Artist]:
    mesh: Mesh = field.on
    points = mesh.points if move is None else mesh.points + move
    triangles, owners = triangles_of(mesh)
    values = np.asarray(field.values, dtype=float)
    look = {"norm": colours[0], "cmap": colours[1], "rasterized": True}
    if field.location == "points":
        drawn = [axes.tripcolor(*points.T, values, triangles=triangles, shading="gouraud", **look)]
    else:
        drawn = [axes.tripcolor(*points.T, triangles=triangles, facecolors=values[owners], **look)]
    if move is not None:
        edges = LineCollection(points[mesh.edges()], colors=INK, linewidths=0.25, alpha=0.5)
        drawn.append(axes.add_collection(edges, autolim=False))
    return drawn


def _draw_arrows(axes: Axes, velocity: Field, speed: float, colour: str) -> Artist:
    """Draw arrows on a part of the lattice; the fastest of all times is as long as their distance."""
    grid: Grid = velocity.on
    reach = max(top - low for low, top in zip(grid.lower, grid.upper, strict=True)) / _ARROWS
    picks = []
    for n, step in zip(grid.shape, grid.spacing, strict=True):
        stride = max(1, round(reach / step))
        picks.append(np.arange((n - 1) % stride // 2, n, stride))
    places = np.meshgrid(*(axis[pick] for axis, pick in zip(grid.axes(), picks, strict=True)), indexing="ij")
    vectors = np.moveaxis(np.asarray(velocity.values, dtype=float)[np.ix_(*picks)], -1, 0)
    return axes.quiver(
        *places, *vectors, angles="xy", scale_units="xy", scale=speed / reach, pivot="mid", color=colour, width=0.004
    )
