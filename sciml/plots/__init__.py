"""Pictures: residual histories, slices of fields, solvers side by side, and solutions that change in time.

The only package that imports matplotlib. It draws on `Figure` objects alone: no pyplot, no display, no global settings.
So it works headless and in threads, and leaves the caller's own figures as they are.
"""

from __future__ import annotations

from sciml.plots.histories import Run, residual_history, training_history
from sciml.plots.linear_systems import comparison_picture, solution_picture
from sciml.plots.slices import DIRICHLET, FLUID, SOLID, field_slice

__all__ = [
    "DIRICHLET",
    "FLUID",
    "SOLID",
    "Run",
    "comparison_picture",
    "field_slice",
    "residual_history",
    "solution_picture",
    "training_history",
]
