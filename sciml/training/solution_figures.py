"""Pictures of a solution that was written as a series: snapshots, animations, and bodies where they have moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sciml.atomic import make_folder
from sciml.mesh import Field, Grid, Mesh
from sciml.mesh.series import Series

SNAPSHOTS = 4
ANIMATION = "animation.gif"

Tell = Callable[[str, float | None], None]


def _nobody(name: str, done: float | None) -> None:
    """Tell nobody."""


def draw_series(
    series: Series,
    folder: Path,
    names: Sequence[str],
    *,
    animation: bool = True,
    displacement: str | None = None,
    obstacle: Any = None,
    tell: Tell = _nobody,
) -> None:
    """Draw snapshots of scalar fields and an animation of the first one, as far as the dimension allows.

    Beside a field, its exact solution ``NAME_exact`` is drawn where the series has it. A body is drawn where its
    displacement has moved it, in three dimensions too. A single time is that of a steady problem, and is not named.

    Parameters
    ----------
    series : fields at one or more times
    folder : of the run; pictures go to ``figures/`` in it, the animation beside that
    names : of the scalar fields to draw
    animation : whether to draw one; it needs two times
    displacement : name of the field by which a body moves
    obstacle : a ``Ball`` or ``Plane`` of :mod:`sciml.plots` that is drawn beside a body
    tell : called with the name of what is drawn, and the fraction of it that is done or None
    """
    from sciml import plots

    figures = make_folder(folder / "figures")
    changes = series.times is not None and len(series.times) > 1
    times, moves = _some(series.times) if changes else None, changes and animation

    def frames(done: float) -> None:
        tell("drawing the animation", done)

    tell("drawing figures", None)
    named = {field.name: field for field in series.fields}
    if displacement is not None and isinstance(series.on, Grid) and series.on.dim == 2:
        named = _on_cells(named, series.on.to_mesh())
    named = named if changes else _still(named)
    if displacement is not None:
        body = named[displacement]
        if isinstance(body.on, Mesh) and series.on.dim in (2, 3):
            shown = {"obstacle": obstacle, "values": named.get(next(iter(names), ""))}
            plots.deformed_mesh(body, figures / f"{displacement}.png", times=times, **shown)
            if moves:
                plots.deformation_animation(body, folder / ANIMATION, **shown, progress=frames)
            return
    if series.on.dim > 2:
        return
    for name in names:
        exact, velocity = named.get(f"{name}_exact"), named.get("velocity") if name != "velocity" else None
        path = figures / f"{name}.png"
        plots.field_snapshots(named[name], path, times=times, reference=exact, velocity=velocity)
        if moves and name == names[0]:
            plots.field_animation(named[name], folder / ANIMATION, reference=exact, progress=frames)


def _some(times: np.ndarray) -> np.ndarray:
    return times[np.unique(np.linspace(0, len(times) - 1, SNAPSHOTS).round().astype(int))]


def _still(named: Mapping[str, Field]) -> dict[str, Field]:
    """Return fields that have a single time without it."""
    return {
        name: field if field.times is None else Field(name, field.values[0], field.on, field.location, unit=field.unit)
        for name, field in named.items()
    }


def _on_cells(named: Mapping[str, Field], mesh: Mesh) -> dict[str, Field]:
    """Return fields of a grid on the mesh of its cells, which can be drawn deformed."""
    flat = {}
    for name, field in named.items():
        shape = (len(field.times), mesh.n_points, *field.values.shape[1 + mesh.dim :])
        flat[name] = Field(name, field.values.reshape(shape), mesh, times=field.times, unit=field.unit)
    return flat
