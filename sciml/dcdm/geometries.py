"""Random voxel problems to learn on: those of the benchmarks, with coefficients of any correlation length and contrast.

A blob of the coefficient is as many cells wide as the grid is fine. What a rule sees in a large problem it therefore
sees in a small one with wide blobs, which is what makes training on small grids carry over.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg import VoxelPoisson
from sciml.pde.poisson_cases import jumping_coefficient, poisson_case

CASES = ("jumps", "jumps", "jumps", "jumps", "mixed", "walls", "smoke")
SIZES = (16, 20, 24, 28)
CORRELATIONS = (1.0, 1.5, 2.0, 3.0, 5.0)  # cells
CONTRASTS = (30.0, 1000.0, 1000.0, 10_000.0)


def random_problem(random: np.random.Generator) -> VoxelPoisson:
    """Draw a 3-D problem of at most 28 cells per axis, four of seven with a coefficient that jumps."""
    name, size = str(random.choice(CASES)), int(random.choice(SIZES))
    case = poisson_case(name, size, seed=int(random.integers(2**31)))
    coefficient = case.coefficient
    if coefficient is not None:
        correlation, contrast = random.choice(CORRELATIONS), random.choice(CONTRASTS)
        coefficient = jumping_coefficient(size, 3, random, correlation, contrast)
    return VoxelPoisson.from_cells(case.cells, coefficient=coefficient, outside=case.outside)
