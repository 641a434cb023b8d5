"""The linear systems that several benchmarks solve, and the residual by which every solver is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from sciml.linalg import VoxelPoisson


@dataclass(frozen=True)
class System:
    """A linear system: the problem, its matrix over the fluid cells (None if no solver needs it), b over the grid."""

    problem: VoxelPoisson
    matrix: sp.csr_array | None
    b: np.ndarray


def true_residual(system: System, x: np.ndarray, b: np.ndarray | None = None) -> float:
    """Return the relative residual norm |b - A x| / |b| for x over the unknowns or over the whole grid.

    ``b`` is a right-hand side over the grid, that of the system by default.
    """
    fluid, b = system.problem.fluid, system.b if b is None else b
    if x.shape != fluid.shape:
        flat, x = x, np.zeros(fluid.shape)
        x[fluid] = flat
    return float(np.linalg.norm(b - system.problem.matvec(x)) / np.linalg.norm(b))
