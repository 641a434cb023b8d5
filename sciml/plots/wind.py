"""The steady flow around an obstacle in space: a lit surface between streamlines that are coloured by the speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.grid import Grid
from sciml.mesh.mesh import Mesh
from sciml.plots.style import FAINT, INK, PANEL, own_look, save
from sciml.plots.surfaces import lit, triangles_of

CLAY = "#d9d4cb"
SPEEDS = "viridis"
_ROWS, _COLUMNS = 12, 9  # streamlines across the wind and upwards
_WIDTH = 0.9
_SPEED_RANGE = (0.5, 1.5)  # in units of the wind: slow in front of and behind the obstacle, fast beside it


@own_look
def wind_around(velocity: Field, surface: Mesh, path: str | Path, *, title: str = "") -> None:
    """Draw the streamlines of a flow along the first axis around an obstacle, and write the picture.

    Parameters
    ----------
    velocity : vectors of three components on a grid of cells in space, zero inside the obstacle
    surface : the obstacle, triangles and quads in the coordinates of the grid
    path : .png, .pdf or .svg
    title : one line; "Streamlines around the obstacle" by default
    """
    figure = Figure(figsize=PANEL)
    axes = figure.add_axes((-0.04, -0.15, 0.92, 1.08), projection="3d")
    shown = draw_wind(axes, velocity, surface, zoom=1.7)
    figure.text(0.02, 0.95, title or "Streamlines around the obstacle", fontsize=12, fontweight="bold", color=INK)
    draw_speeds(figure, shown)
    save(figure, path)


def draw_wind(axes: Axes3D, velocity: Field, surface: Mesh, *, zoom: float = 1.55) -> ScalarMappable:
    """Draw the obstacle and the streamlines that pass near it; return the scale of their colours.

    Triangles and pieces of streamlines are one collection, so that each hides what lies behind it.
    """
    grid = _checked(velocity)
    triangles = surface.points[triangles_of(surface)[0]]
    if surface.dim != 3 or not len(triangles):
        raise InputError(f"The obstacle must be a surface of triangles and quads in space: got {surface!r}.")
    low, high = triangles.reshape(-1, 3).min(axis=0), triangles.reshape(-1, 3).max(axis=0)
    lines, speeds = streamlines(velocity, _seeds(grid, low, high))
    pieces = np.stack([lines[:, :-1], lines[:, 1:]], axis=2).reshape(-1, 2, 3)
    middle = 0.5 * (speeds[:, :-1] + speeds[:, 1:]).ravel()
    kept = np.isfinite(pieces).all(axis=(1, 2)) & _near(pieces.mean(axis=1), low, high)
    pieces, middle = pieces[kept], middle[kept]

    scale = Normalize(*_SPEED_RANGE)
    body = lit(triangles, np.tile(to_rgba(CLAY), (len(triangles), 1)))
    flow = colormaps[SPEEDS](scale(middle))
    axes.add_collection3d(
        Poly3DCollection(
            [*triangles, *pieces],
            facecolors=np.concatenate([body, flow]),
            edgecolors=np.concatenate([body, flow]),
            linewidths=_WIDTH,  # one for all: sorting by depth permutes colours, not widths
        )
    )
    centre, reach = 0.5 * (low + high), 0.62 * float(np.max(high - low))
    limits = [(at - reach, at + reach) for at in centre]
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    axes.set_box_aspect((1, 1, 1), zoom=zoom)
    axes.view_init(elev=24, azim=-58)
    axes.set_axis_off()
    return ScalarMappable(scale, SPEEDS)


def draw_speeds(figure: Figure, shown: ScalarMappable) -> None:
    """Draw the scale of the colours of streamlines at the right side of the figure."""
    bar = figure.colorbar(shown, cax=figure.add_axes((0.87, 0.17, 0.022, 0.62)), extend="both")
    bar.set_label("speed / speed of the wind", color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, colors=FAINT, labelcolor=INK)


def streamlines(velocity: Field, seeds: np.ndarray, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Follow the flow from some points by the classical method of Runge and Kutta, a cell of length a step.

    Parameters
    ----------
    velocity : vectors on a grid in space
    seeds : (lines, 3) points where the lines begin
    steps : as many as cells along the longest axis by default

    Returns
    -------
    (lines, steps + 1, 3) points and (lines, steps + 1) speeds, nan after a line has left the grid or come to rest
    """
    from scipy.ndimage import map_coordinates

    grid = _checked(velocity)
    first, spacing = np.array([axis[0] for axis in grid.axes()]), np.array(grid.spacing)
    components = np.moveaxis(np.asarray(velocity.values, dtype=float), -1, 0)
    step = float(spacing.min())

    def at(points: np.ndarray) -> np.ndarray:
        places = ((points - first) / spacing).T
        return np.stack([map_coordinates(part, places, order=1, mode="nearest") for part in components], axis=-1)

    def direction(points: np.ndarray) -> np.ndarray:
        flow = at(points)
        return flow / np.maximum(np.linalg.norm(flow, axis=-1, keepdims=True), 1e-12)

    points, path, speeds = np.asarray(seeds, dtype=float), [], []
    lower, upper = np.array(grid.lower), np.array(grid.upper)
    for _ in range(1 + (steps or max(grid.shape))):
        speed = np.linalg.norm(at(np.nan_to_num(points)), axis=-1)
        points = np.where(((points >= lower) & (points <= upper)).all(-1, keepdims=True), points, np.nan)
        points = np.where(speed[:, None] > 1e-3, points, np.nan)
        path.append(points)
        speeds.append(np.where(np.isfinite(points[:, 0]), speed, np.nan))
        here = np.nan_to_num(points)
        a = direction(here)
        b = direction(here + 0.5 * step * a)
        c = direction(here + 0.5 * step * b)
        points = points + step / 6.0 * (a + 2.0 * b + 2.0 * c + direction(here + step * c))
    return np.stack(path, axis=1), np.stack(speeds, axis=1)


def _checked(velocity: Field) -> Grid:
    grid = velocity.on
    if not isinstance(grid, Grid) or grid.dim != 3 or velocity.components != (3,) or velocity.times is not None:
        raise InputError(
            f"Streamlines need one vector of three components at each place of a grid in space: got {velocity!r}."
        )
    return grid


def _seeds(grid: Grid, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Points on a lattice in a plane upstream of the obstacle, (lines, 3)."""
    margin = 0.04 * float(np.max(high - low))
    across, upwards = (
        np.linspace(low[axis] - margin, high[axis] + margin, count) for axis, count in ((1, _ROWS), (2, _COLUMNS))
    )
    y, z = np.meshgrid(across, upwards, indexing="ij")
    x = max(low[0] - 0.25 * (high[0] - low[0]), grid.lower[0] + grid.spacing[0])
    return np.column_stack([np.full(y.size, x), y.ravel(), z.ravel()])


def _near(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the mask of the points that are not far upstream or downstream of the obstacle."""
    reach = 0.25 * float(high[0] - low[0])
    return (points[:, 0] >= low[0] - reach) & (points[:, 0] <= high[0] + reach)
