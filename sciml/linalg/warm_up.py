"""Compile kernels before the clock starts: the first solve on a machine pays for them, all later ones load them."""

from __future__ import annotations

import time

import numpy as np

from sciml.linalg.registry import find
from sciml.linalg.solver import solve
from sciml.linalg.voxel_poisson import VoxelPoisson

CELLS = 20  # per axis: enough for more than one level


def warm_up(method: str = "auto", *, variable: bool = False) -> float:
    """Load, or compile and cache, what `solve` needs for a method, and return the seconds that took.

    About half a minute on the first call after an installation, half a second in each later process.

    Parameters
    ----------
    method : name of a method
    variable : whether the coefficient of the problems to come varies
    """
    start = time.perf_counter()
    chosen = find(method)
    cells = np.zeros((CELLS, CELLS, CELLS), np.uint8)
    if chosen.needs != "box":
        cells[8:12, 8:12, 8:12] = 2
    coefficient = 1.0 + np.arange(cells.size).reshape(cells.shape) / cells.size if variable else None
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, outside="dirichlet")
    solve(problem, np.where(problem.fluid, 1.0, 0.0), method=chosen.kernels or method)
    return time.perf_counter() - start
