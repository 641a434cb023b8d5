"""Random voxel problems for training: coefficients as in the benchmarks, of any correlation length and contrast.

A blob of the coefficient is as many cells wide as the grid is fine. What a rule sees in a large problem it therefore
sees in a small one with wide blobs, which is what makes training on small grids carry over.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import block_coefficient, jumping_coefficient, lognormal_coefficient, poisson_case

SIZES = (16, 20, 24, 28)
CORRELATIONS = (1.0, 1.5, 2.0, 3.0, 5.0)  # cells
CONTRASTS = (30.0, 1000.0, 1000.0, 10_000.0)
WIDTHS = (1, 2, 3, 4)  # cells
DEVIATIONS = (1.0, 2.0, 3.0)


def random_problem(random: np.random.Generator) -> VoxelPoisson:
    """Draw a 3-D problem of at most 28 cells per axis: jumps between obstacles, three times of five, or boxes."""
    size, contrast = int(random.choice(SIZES)), random.choice(CONTRASTS)
    name = str(random.choice(("jumps", "jumps", "jumps", "blocks", "lognormal")))
    case = poisson_case("box" if name != "jumps" else name, size, seed=int(random.integers(2**31)))
    if name == "jumps":
        coefficient = jumping_coefficient(size, 3, random, random.choice(CORRELATIONS), contrast)
    elif name == "blocks":
        coefficient = block_coefficient(size, 3, random, int(random.choice(WIDTHS)), contrast)
    else:
        coefficient = lognormal_coefficient(size, 3, random, random.choice(DEVIATIONS))
    return VoxelPoisson.from_cells(case.cells, coefficient=coefficient, outside=case.outside)
