"""A row of pictures: a scalar field at several times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.plots.panels import Flow, Scene
from sciml.plots.space_time import draw_boxes
from sciml.plots.style import INK, checked_path, entitle, own_look, save
from sciml.plots.timelines import shown_times

_PICTURES = 4  # in a row, by default
_WIDTH = 3.0  # of a picture, in inches


@own_look
def field_snapshots(
    fields: Field | Sequence[Field],
    path: str | Path,
    *,
    times: Sequence[float] | None = None,
    reference: Field | None = None,
    displacement: Field | None = None,
    velocity: Field | None = None,
    flow: Flow = "arrows",
) -> None:
    """Draw scalar fields at several times, a row for each field and a column for each time, and write the picture.

    All pictures of a row share the limits and the scale of the colours, which cover all times of the field.

    Parameters
    ----------
    fields : one or more, real scalars on grids of one dimension (curves) or two (images) or on plane meshes (coloured
        triangles), with values at the times of the first; static fields make one column
    path : .png, .pdf or .svg
    times : to draw, the nearest of the first field are taken; by default at four equal steps
    reference : of a single field, with values at the same times or static: a dashed curve, or a second row
    displacement : vectors at the points of the mesh, which is drawn where they move it
    velocity : two components on a plane grid, drawn over the images of the first field
    flow : "arrows", the longest for the largest speed of all times, or "streamlines"

    Raises
    ------
    InputError : fields that cannot be drawn, times outside the series, fields without values at the times of the first
    """
    checked_path(path)
    given = [fields] if isinstance(fields, Field) else list(fields)
    if not given:
        raise InputError("A row of pictures needs at least one field: got none.")
    if reference is not None and len(given) != 1:
        raise InputError(f"A reference belongs to a single field: got {len(given)} fields; draw them one by one.")
    first = Scene(given[0], reference, displacement, velocity, flow)
    rows = [*first.panels(), *(Scene(field, displacement=displacement) for field in given[1:])]
    save(snapshots(rows, shown_times(given[0], times, _PICTURES)), path)


@own_look
def predicted_field(
    field: Field, path: str | Path, *, reference: Field | None = None, faces: Sequence[np.ndarray] = ()
) -> None:
    """Draw a field that a network has predicted at four times, with what it should be and its error below; write it.

    Parameters
    ----------
    field : real scalar at two or more times on a grid of one dimension (curves) or two (images)
    path : .png, .pdf or .svg
    reference : what it should be, at the same times and places
    faces : of the boxes of experts along each axis, rising, whose edges are drawn over the field; none by default
    """
    checked_path(path)
    rows = Scene(field, reference).panels()
    save(snapshots(rows, shown_times(field, None, _PICTURES), faces), path)


def snapshots(rows: Sequence[Scene], times: Sequence[float | None], faces: Sequence[np.ndarray] = ()) -> Figure:
    """Return the figure with a row for each scene and a column for each time, the edges of boxes over the first row."""
    heights = []
    for scene in rows:
        wide, high = np.ptp(scene.box, axis=0)
        heights.append(2.4 if scene.is_curve else _WIDTH * float(np.clip(high / wide, 0.3, 2.5)) + 0.3)
    figure = Figure(figsize=(_WIDTH * len(times) + 0.9, sum(heights) + 0.4), layout=ConstrainedLayoutEngine(w_pad=0.07))
    panels = figure.subplots(len(rows), len(times), squeeze=False, height_ratios=heights)
    for row, scene in enumerate(rows):
        for column, time in enumerate(times):
            axes = panels[row, column]
            scene.prepare(axes)
            scene.draw(axes, time)
            if len(faces) and not row:
                draw_boxes(axes, faces[0], scene.box[:, 1] if scene.is_curve else faces[1])
            if column:
                axes.set_ylabel("")
                axes.tick_params(labelleft=False)
            if row == 0 and time is not None:
                entitle(axes, f"t = {time:.4g}")
            if row < len(rows) - 1 and not scene.is_curve:
                axes.set_xlabel("")
                axes.tick_params(labelbottom=False)
        if scene.is_curve and scene.reference is not None:
            panels[row, 0].legend(frameon=False, labelcolor=INK, fontsize=9)
        scene.draw_colour_bar(figure, panels[row, -1])
    return figure
