"""The picture of a prediction: the field beside the solution, where one is known, and the boxes of the experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from sciml.mesh import Field, Grid


@dataclass(frozen=True)
class Comparison:
    """A picture of the first instance of a file.

    Parameters
    ----------
    path : .png, .pdf or .svg
    experts : whether several experts have combined the field, whose boxes are drawn
    """

    path: Path
    experts: bool

    def __post_init__(self) -> None:
        from sciml.plots.style import checked_path

        checked_path(self.path)

    def draw(self, field: Field, truth: Tensor | None, experts: Sequence[int]) -> None:
        """Draw a field at four of its times, and below it the solution and the error, unless there is a start alone.

        Parameters
        ----------
        field : in time, on a grid of the unit interval or square
        truth : the solution at the same times and places
        experts : boxes along each axis
        """
        from sciml import plots

        reference = None
        if truth is not None:
            reference = Field(f"{field.name}, solution", truth.cpu().numpy(), field.on, times=field.times)
        faces = [np.linspace(0.0, 1.0, count + 1) for count in experts] if self.experts else ()
        plots.predicted_field(field, self.path, reference=reference, faces=faces)


def in_time(name: str, u: Tensor, grid: Grid, times: Tensor) -> Field:
    """Return a field at times on a grid, of the values of one instance."""
    return Field(name, u.cpu().numpy(), grid, times=times.cpu().numpy())
