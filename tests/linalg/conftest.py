"""Problems that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import CASES, poisson_case

# Random cells of all kinds: (shape, spacing, variable coefficient, sides). Odd, thin, flat and one-dimensional grids.
RANDOM = {
    "random 3-D": ((9, 12, 7), None, False, "neumann"),
    "random coefficient 3-D": ((8, 7, 10), None, True, {"x-": "dirichlet", "z+": "dirichlet"}),
    "stretched 3-D": ((11, 6, 8), (1.0, 10.0, 0.1), True, {"y-": "dirichlet"}),
    "random 2-D": ((13, 17), None, False, {"y+": "dirichlet"}),
    "random coefficient 2-D": ((16, 11), (0.5, 2.0), True, "dirichlet"),
    "flat": ((1, 9, 14), None, True, {"x+": "dirichlet"}),
    "thin": ((5, 1, 1), None, False, {"x-": "dirichlet", "y-": "dirichlet"}),
    "row": ((1, 23), (3.0, 1.0), True, {"y-": "dirichlet"}),
    "one cell": ((1, 1), None, True, {"x-": "dirichlet"}),
}


def random_problem(shape, spacing=None, variable=False, outside="neumann", seed=0) -> VoxelPoisson:
    """A tenth of the cells Dirichlet and a fifth solid, at random; the coefficient spans three decades."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, 2], np.uint8), size=shape)
    cells.flat[-1] = 0
    coefficient = 10.0 ** rng.uniform(-1.5, 1.5, shape) if variable else None
    return VoxelPoisson.from_cells(cells, coefficient=coefficient, spacing=spacing, outside=outside)


def case_problem(name: str, size: int, seed: int = 0, dimension: int = 3) -> VoxelPoisson:
    """One of the named Poisson cases."""
    case = poisson_case(name, size, seed, dimension)
    return VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)


def white_noise(problem: VoxelPoisson, seed: int = 1) -> np.ndarray:
    """Standard normal values on the fluid, of zero mean on each closed component."""
    b = np.where(problem.fluid, np.random.default_rng(seed).standard_normal(problem.shape), 0.0)
    labels, count = problem.closed_components
    for label in range(1, count + 1):
        b[labels == label] -= b[labels == label].mean()
    return b


@pytest.fixture(params=[*RANDOM, *(f"{name} {d}-D" for d in (2, 3) for name in CASES)])
def any_problem(request) -> VoxelPoisson:
    """Each kind of problem in turn, small."""
    if request.param in RANDOM:
        return random_problem(*RANDOM[request.param])
    name, dimension = request.param.split()
    return case_problem(name, 12, dimension=int(dimension[0]))


@pytest.fixture
def make_case() -> Callable[..., VoxelPoisson]:
    """Function from the name, size, seed and dimension of a Poisson case to its problem."""
    return case_problem


@pytest.fixture
def make_random() -> Callable[..., VoxelPoisson]:
    """Function from shape, spacing, variable, outside and seed to a random problem."""
    return random_problem


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Function from a problem and a seed to a right-hand side that has a solution."""
    return white_noise
