"""The solution of a linear system beside its convergence, and several solvers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.mesh.mesh import Mesh
from sciml.plots.histories import Run, draw_histories, draw_seconds
from sciml.plots.slices import FLUID, SOLID, Section, draw_slice, section_of
from sciml.plots.style import FAINT, INK, entitle, own_look, save
from sciml.plots.surfaces import lit, triangles_of


@own_look
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
    section = section_of(field, cells, 2, None)
    figure = Figure(figsize=(12.4, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.05, 1.0))
    draw_slice(figure, left, section)
    draw_histories(right, histories, rtol)
    if title:
        figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold", color=INK)
    save(figure, path)


@own_look
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
    section = section_of(field, cells, 2, None)
    figure = Figure(figsize=(13.0, 10.4), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.3, 1.0))
    draw_surface(figure.add_subplot(grid[0, 0], projection="3d"), surface, field, cells, section)
    draw_slice(figure, figure.add_subplot(grid[0, 1]), section)
    draw_histories(figure.add_subplot(grid[1, 0]), {name: run.history for name, run in runs.items()}, rtol)
    draw_seconds(figure.add_subplot(grid[1, 1]), runs)
    if title:
        figure.suptitle(title, x=0.015, ha="left", fontsize=16, fontweight="bold", color=INK)
    save(figure, path)


def draw_surface(axes: Axes3D, surface: Mesh, field: Field, cells: np.ndarray, section: Section) -> None:
    """Draw the surface coloured by the fluid beside it and lit from above, in the frame of the slice."""
    triangles = _triangles(surface)
    beside = beside_solids(field, cells, triangles.mean(axis=1))
    colour = lit(triangles, section.colours(section.norm(beside)))
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
        axes.plot(*(frame[turn[:, k], k] for k in range(3)), color=FAINT, linewidth=1.2, linestyle=(0, (5, 3)))
    middle, reach = 0.5 * (low + high), 0.5 * float(np.max(high - low)) + margin
    limits = [(centre - reach, centre + reach) for centre in middle]
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    axes.set_box_aspect((1, 1, 1), zoom=1.5)
    axes.view_init(elev=34, azim=-62)
    axes.set_axis_off()
    solid = 100 * float(np.mean(np.asarray(cells) == SOLID))
    size = " × ".join(map(str, np.shape(cells)))
    entitle(axes, f"{field.name} on the obstacle ({solid:.2g} % of {size} cells)")


def _triangles(surface: Mesh) -> np.ndarray:
    nodes, _ = triangles_of(surface)
    if surface.dim != 3 or not len(nodes):
        raise InputError(f"The obstacle must be a surface of triangles and quads in space: got {surface!r}.")
    return surface.points[nodes]


def beside_solids(field: Field, cells: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate the field at positions (n, 3), each cell that is not fluid taking the value of the nearest fluid."""
    from scipy.ndimage import distance_transform_edt, map_coordinates

    nearest = distance_transform_edt(np.asarray(cells) != FLUID, return_distances=False, return_indices=True)
    filled = np.asarray(field.values, dtype=float)[tuple(nearest)]
    first = np.array([axis[0] for axis in field.on.axes()])
    places = (positions - first) / np.array(field.on.spacing)
    return map_coordinates(filled, places.T, order=1, mode="nearest")
