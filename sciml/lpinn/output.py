"""Settings and pictures that both tasks of this method share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sciml.lpinn.readout import Followed, paths
from sciml.mesh import Grid
from sciml.mesh.series import Series
from sciml.training.output import Output

VALUES_PER_AXIS = {1: 256, 2: 65, 3: 25}
WATCHED = ("loss/error", "loss/residual")  # columns of metrics.csv


@dataclass(frozen=True)
class SpaceTimeOutput(Output):
    """The points and times at which the solution is written, and the choice of diagnostics.

    Parameters
    ----------
    grid : values along each axis of the box; 256, 65 x 65 or 25 x 25 x 25 by default
    mesh : a mesh file whose points are taken instead
    times : evenly spread over the run, both ends included; 101, 25 or 9 in one, two or three dimensions by default
    every : not used: the solution is known at all times
    animation : whether to draw an animation
    diagnostics : whether to write mode counts, bandwidths, the Gauss-Newton spectrum and a landscape of the loss, which
        takes some seconds
    """

    diagnostics: bool = False


def draw_characteristics(field: Followed, series: Series, figures: Path) -> None:
    """Draw the paths of particles over u(x, t), in one dimension on a grid."""
    from sciml import plots

    if series.on.dim == 1 and isinstance(series.on, Grid):
        u = series["u"]
        title = "Particle paths over u(x, t)"
        plots.space_time(u, figures / "characteristics.png", paths=paths(field, u), title=title)
