"""A solid that deforms in time, in the plane or in space, with a plane or a ball in its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.mesh import Mesh
from sciml.plots.animation import Show, clock_of, film_layout, film_times, write_film
from sciml.plots.style import FAINT, INK, checked_path, colour_bar, colouring, entitle, labelled, own_look, save, tidy
from sciml.plots.surfaces import check_displacement, lit, moved_points, triangles_of
from sciml.plots.timelines import at_time, shown_times

_PICTURES = 4  # in a row, by default
_BODY, _OBSTACLE = "#8fb8de", "#b4b9bf"
_TILES = 16  # along each side of a plane in space


class Plane(NamedTuple):
    """A half-space that solids cannot enter: all x with ``(x - point) . normal < 0``."""

    point: Sequence[float]
    normal: Sequence[float]


class Ball(NamedTuple):
    """A disk or a ball that solids cannot enter: all x with ``|x - centre| < radius``."""

    centre: Sequence[float]
    radius: float


Obstacle = Plane | Ball


@own_look
def deformed_mesh(
    displacement: Field,
    path: str | Path,
    *,
    times: Sequence[float] | None = None,
    obstacle: Obstacle | None = None,
    values: Field | None = None,
) -> None:
    """Draw the cells of a plane mesh, or the surface of a solid one, where they are at several times; write the row.

    Parameters
    ----------
    displacement : vectors at the points of a mesh in two or three dimensions; static or at times
    path : .png, .pdf or .svg
    times : to draw, the nearest of the displacement are taken; by default at four equal steps
    obstacle : what the solid meets, in grey
    values : scalar on the same mesh at the same times or static, which colours the solid; in space at the points

    Raises
    ------
    InputError : a displacement or values that do not fit their mesh, times outside the series
    """
    checked_path(path)
    body = Body(displacement, obstacle, values)
    save(deformations(body, shown_times(displacement, times, _PICTURES)), path)


@own_look
def deformation_animation(
    displacement: Field,
    path: str | Path,
    *,
    obstacle: Obstacle | None = None,
    values: Field | None = None,
    frames: int = 60,
    seconds: float = 6.0,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write a .gif of what `deformed_mesh` draws; ``frames``, ``seconds``, ``progress`` are as in `field_animation`."""
    path = checked_path(path, (".gif",))
    body = Body(displacement, obstacle, values)
    times = film_times(displacement, frames, seconds)
    write_film(*moving_body(body, times), times, path, seconds, progress)


@dataclass(frozen=True)
class Body:
    """A mesh that moves, with its obstacle and the values that colour it; checked when made."""

    displacement: Field
    obstacle: Obstacle | None = None
    values: Field | None = None

    def __post_init__(self) -> None:
        mesh = self.displacement.on
        if not isinstance(mesh, Mesh) or mesh.dim not in (2, 3) or mesh.topological_dim < 2:
            raise InputError(
                f"A deformed mesh needs cells of two or three dimensions: got the displacement {self.displacement!r}."
            )
        check_displacement(self.displacement, mesh)
        if self.obstacle is not None:
            _check_obstacle(self.obstacle, mesh.dim)
        values = self.values
        if values is None:
            return
        fits = isinstance(values.on, Mesh) and (values.on.n_points, values.on.n_cells) == (mesh.n_points, mesh.n_cells)
        if not fits or values.components or values.values.dtype.kind == "c":
            raise InputError(
                f"The values of a deformed mesh are real scalars on that mesh: got {values!r} on {mesh!r}."
            )
        if mesh.topological_dim == 3 and values.location != "points":
            raise InputError(f"The values on the surface of a solid must be at its points: got {values!r}.")

    @property
    def in_space(self) -> bool:
        """True if the points have three coordinates."""
        return self.displacement.on.dim == 3

    @cached_property
    def faces(self) -> Mesh:
        """The cells that are seen: those of a plane mesh or a surface, and the boundary of a solid."""
        mesh: Mesh = self.displacement.on
        return mesh.boundary() if mesh.topological_dim == 3 else mesh

    @cached_property
    def colours(self) -> tuple[Normalize, Colormap]:
        """The scale of the colours for the values of all times."""
        return colouring(np.zeros(0) if self.values is None else np.ravel(self.values.values).astype(float))

    @cached_property
    def box(self) -> np.ndarray:
        """Limits (2, dim) around the points at all times and what is near of the obstacle."""
        moved = moved_points(self.displacement.on, self.displacement)
        low, high = moved.min(axis=(0, 1)), moved.max(axis=(0, 1))
        size = float(np.max(high - low))
        if isinstance(self.obstacle, Ball) and self.obstacle.radius <= size:
            centre, radius = np.asarray(self.obstacle.centre, dtype=float), self.obstacle.radius
            low, high = np.minimum(low, centre - radius), np.maximum(high, centre + radius)
        elif self.obstacle is not None:
            nearest = _nearest_point(self.obstacle, 0.5 * (low + high))
            low, high = np.minimum(low, nearest), np.maximum(high, nearest)
        margin = 0.08 * float(np.max(high - low))
        return np.array([low - margin, high + margin])

    @property
    def up(self) -> int:
        """The axis that points up in space: the one away from the obstacle."""
        if isinstance(self.obstacle, Plane):
            return int(np.argmax(np.abs(self.obstacle.normal)))
        if isinstance(self.obstacle, Ball):
            middle = self.displacement.on.points.mean(axis=0)
            return int(np.argmax(np.abs(middle - self.obstacle.centre)))
        return 2

    def prepare(self, axes: Axes) -> None:
        """Set limits and labels, and draw what does not move."""
        low, high = self.box
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        if isinstance(axes, Axes3D):
            axes.set(zlim=(low[2], high[2]))
            axes.set_box_aspect(np.roll(high - low, 2 - self.up), zoom=1.05)
            axes.view_init(elev=14, azim=-62, vertical_axis="xyz"[self.up])
            axes.set_axis_off()
            return
        axes.set(aspect="equal", xlabel="x", ylabel="y")
        tidy(axes)
        if isinstance(self.obstacle, Ball):
            axes.add_patch(Circle(self.obstacle.centre, self.obstacle.radius, facecolor=_OBSTACLE, edgecolor=INK))
        elif self.obstacle is not None:
            axes.add_patch(Polygon(_half_plane(self.obstacle, self.box), facecolor=_OBSTACLE, edgecolor=INK))
        mesh: Mesh = self.displacement.on
        rest = mesh.points[mesh.boundary().edges()]
        axes.add_collection(LineCollection(rest, colors=FAINT, linewidths=0.8, zorder=0.5), autolim=False)

    def draw(self, axes: Axes, time: float | None) -> list[Artist]:
        """Draw the cells where they are at a time, and return what was drawn, the cells first."""
        mesh = self.faces
        points = self.displacement.on.points + at_time(self.displacement, time).values
        nodes, owners = triangles_of(mesh)
        colour = np.tile(to_rgba(_BODY), (len(nodes), 1))
        if self.values is not None:
            now = at_time(self.values, time)
            flat = now.values[nodes].mean(axis=1) if now.location == "points" else now.values[owners]
            colour = self.colours[1](self.colours[0](flat))
        if isinstance(axes, Axes3D):
            corners = points[nodes]
            if self.obstacle is not None:  # one collection for both: only its triangles are sorted by their depth
                corners = np.concatenate([corners, still := _surface_of(self.obstacle, self.box)])
                colour = np.concatenate([colour, np.tile(to_rgba(_OBSTACLE), (len(still), 1))])
            shaded = lit(corners, colour)
            return [
                axes.add_collection3d(Poly3DCollection(corners, facecolors=shaded, edgecolors=shaded, linewidths=0.2))
            ]
        cells = PolyCollection(points[nodes], facecolors=colour, edgecolors="face", linewidths=0.3, rasterized=True)
        edges = LineCollection(points[mesh.edges()], colors=INK, linewidths=0.25, alpha=0.6)
        outline = LineCollection(points[mesh.boundary().edges()], colors=INK, linewidths=1.1)
        return [axes.add_collection(artist, autolim=False) for artist in (cells, edges, outline)]

    def draw_colour_bar(self, figure: Figure, axes: Axes) -> None:
        """Draw the scale of the values, if there are any."""
        if self.values is not None:
            every = np.ravel(self.values.values).astype(float)
            colour_bar(figure, axes, ScalarMappable(*self.colours), every, labelled(self.values))


def deformations(body: Body, times: Sequence[float | None]) -> Figure:
    """Return the figure with a picture of the body for each time."""
    wide, high = np.ptp(body.box, axis=0)[:2]
    height = 3.2 if body.in_space else 3.0 * float(np.clip(high / wide, 0.4, 2.5)) + 0.7
    figure = Figure(figsize=(3.0 * len(times) + 0.9, height), layout="constrained")
    look = {"subplot_kw": {"projection": "3d"}} if body.in_space else {}
    panels = figure.subplots(1, len(times), squeeze=False, **look)[0]
    for column, (axes, time) in enumerate(zip(panels, times, strict=True)):
        body.prepare(axes)
        body.draw(axes, time)
        if time is not None:
            entitle(axes, f"t = {time:.4g}")
        if column and not body.in_space:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    body.draw_colour_bar(figure, panels[-1])
    return figure


def moving_body(body: Body, times: np.ndarray) -> tuple[Figure, Show]:
    """Return a figure and the function that makes it show another time."""
    wide, high = np.ptp(body.box, axis=0)[:2]
    height = 5.4 if body.in_space else 4.6 * float(np.clip(high / wide, 0.5, 1.5)) + 1.0
    figure = Figure(figsize=(5.8, height), dpi=100, layout=film_layout())
    axes = figure.add_subplot(projection="3d" if body.in_space else None)
    drawn: list[Artist] = []
    clock = clock_of(times)
    body.prepare(axes)
    body.draw_colour_bar(figure, axes)

    def show(time: float) -> None:
        while drawn:
            drawn.pop().remove()
        drawn.extend(body.draw(axes, time))
        entitle(axes, f"t = {clock(time)}")

    return figure, show


def _check_obstacle(obstacle: Obstacle, dim: int) -> None:
    if not isinstance(obstacle, Plane | Ball):
        raise InputError(f"An obstacle is a Plane or a Ball of sciml.plots: got {obstacle!r}.")
    vectors = [np.asarray(vector, dtype=float) for vector in obstacle if np.ndim(vector)]
    fits = all(vector.shape == (dim,) and np.isfinite(vector).all() for vector in vectors)
    if isinstance(obstacle, Ball):
        fits = fits and len(vectors) == 1 and 0.0 < obstacle.radius < np.inf
    else:
        fits = fits and len(vectors) == 2 and bool(np.any(vectors[1]))
    if not fits:
        raise InputError(
            f"An obstacle in {dim} dimensions needs vectors of {dim} finite coordinates, a normal that is not zero and "
            f"a positive radius: got {obstacle!r}."
        )


def _unit(normal: Sequence[float]) -> np.ndarray:
    return np.asarray(normal, dtype=float) / np.linalg.norm(normal)


def _nearest_point(obstacle: Obstacle, x: np.ndarray) -> np.ndarray:
    """Return the point of the surface of an obstacle that is nearest to x."""
    if isinstance(obstacle, Plane):
        normal = _unit(obstacle.normal)
        return x - ((x - obstacle.point) @ normal) * normal
    away = x - np.asarray(obstacle.centre, dtype=float)
    return obstacle.centre + obstacle.radius * away / max(float(np.linalg.norm(away)), np.finfo(float).tiny)


def _half_plane(plane: Plane, box: np.ndarray) -> np.ndarray:
    """Return the corners (4, 2) of a part of the half-plane that covers the box."""
    normal, reach = _unit(plane.normal), 2.0 * float(np.linalg.norm(np.ptp(box, axis=0)))
    along, foot = np.array([-normal[1], normal[0]]), _nearest_point(plane, box.mean(axis=0))
    return np.array(
        [foot - reach * along, foot + reach * along, foot + reach * (along - normal), foot - reach * (along + normal)]
    )


def _surface_of(obstacle: Obstacle, box: np.ndarray) -> np.ndarray:
    """Return triangles (n, 3, 3) of the surface of an obstacle in space, about as far as the box reaches."""
    if isinstance(obstacle, Plane):
        normal = _unit(obstacle.normal)
        first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
        first /= np.linalg.norm(first)
        steps = np.linspace(-0.5, 0.5, _TILES + 1) * float(np.max(np.ptp(box, axis=0)))
        a, b = np.meshgrid(steps, steps, indexing="ij")
        foot = _nearest_point(obstacle, box.mean(axis=0))
        return _split(foot + a[..., None] * first + b[..., None] * np.cross(normal, first))
    around, down = np.meshgrid(
        np.linspace(0, 2 * np.pi, 2 * _TILES + 1), np.linspace(0, np.pi, _TILES + 1), indexing="ij"
    )
    outward = np.stack([np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down)], axis=-1)
    triangles = _split(np.asarray(obstacle.centre, dtype=float) + obstacle.radius * outward)
    middles = triangles.mean(axis=1)
    return triangles[np.all((middles >= box[0]) & (middles <= box[1]), axis=1)]


def _split(lattice: np.ndarray) -> np.ndarray:
    """Split the meshes of a lattice of points (n, m, 3) into triangles (2 (n - 1) (m - 1), 3, 3)."""
    a, b, c, d = lattice[:-1, :-1], lattice[1:, :-1], lattice[1:, 1:], lattice[:-1, 1:]
    return np.concatenate([np.stack(part, axis=-2).reshape(-1, 3, 3) for part in ((a, b, c), (a, c, d))])
