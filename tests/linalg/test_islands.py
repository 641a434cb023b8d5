"""Islands: a strongly coupled pair that no coarser grid knows is found, corrected, and no longer holds up the solve."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.linalg.kernels.islands import find_islands
from sciml.linalg.kernels.numba_backend import finest
from sciml.linalg.kernels.stencil import SEVEN_POINT
from sciml.reference.poisson_cases import poisson_case

SHAPE = (24, 24, 24)


def with_island(cells, contrast=1e6) -> VoxelPoisson:
    coefficient = np.ones(SHAPE)
    for cell in cells:
        coefficient[cell] = contrast
    return VoxelPoisson.from_cells(np.zeros(SHAPE, np.uint8), coefficient=coefficient, outside="dirichlet")


def islands_of(problem, axes=(0, 1, 2)):
    return find_islands(finest(problem, np.dtype(np.float64))[1], SEVEN_POINT, list(axes))


def test_energy_is_that_of_the_indicator():
    cells = [(5, 7, 8), (5, 7, 9), (5, 7, 10), (5, 8, 9)]
    problem = with_island(cells)
    found = islands_of(problem)
    indicator = np.zeros(SHAPE)
    indicator[tuple(np.array(cells).T)] = 1.0
    assert found.energies == pytest.approx([np.vdot(indicator, problem.matvec(indicator))], rel=1e-6)
    inside = np.unravel_index(found.cells, tuple(n + 2 for n in SHAPE))
    assert sorted(zip(*(axis - 1 for axis in inside), strict=True)) == sorted(cells)


@pytest.mark.parametrize(
    ("cells", "axes"),
    [
        ([(4, 8, 8), (4, 8, 9)], (0, 1, 2)),  # a cell of the coarser grid
        ([(5, 7, 9)], (0, 1, 2)),  # one cell: smoothing takes care of it
        ([(5, 8, 8), (5, 8, 9)], (1, 2)),  # axis 0 is not coarsened
    ],
)
def test_what_the_coarser_grid_or_smoothing_reaches_is_no_island(cells, axes):
    assert islands_of(with_island(cells), axes) is None


def test_islands_no_longer_hold_up_the_iteration(make_case, noise, monkeypatch):
    """Jumps of 1000 between blobs, 64^3, seed 105: 9 iterations without the correction."""
    problem = make_case("jumps", 64, 105)
    b = noise(problem)

    def iterations() -> int:
        return solve(problem, b, preconditioner=MultigridPreconditioner(problem)).iterations

    assert iterations() <= 7
    monkeypatch.setattr("sciml.linalg.kernels.numba_backend.find_islands", lambda *words: None)
    assert iterations() >= 9


def test_the_cycle_stays_symmetric_and_positive():
    problem = with_island([(11, 13, 8), (11, 13, 9), (5, 6, 7), (5, 7, 7)], contrast=1e3)
    cycle = MultigridPreconditioner(problem, dtype=np.float64)
    u, v = np.random.default_rng(1).standard_normal((2, *SHAPE))
    assert np.vdot(cycle(u), v) == pytest.approx(np.vdot(u, cycle(v)), rel=1e-10)
    assert np.vdot(cycle(u), u) > 0


@pytest.mark.parametrize("seed", [100, 101])
def test_many_levels_of_islands_on_stretched_jumps_keep_the_spectrum_within_1(seed):
    """Corrections that overshoot by a little per level made the W-cycle indefinite here."""
    case = poisson_case("jumps", 32, seed)
    problem = VoxelPoisson.from_cells(
        case.cells, coefficient=case.coefficient, outside=case.outside, spacing=(1.0, 1.0, 10.0)
    )
    preconditioner = MultigridPreconditioner(problem)
    assert sum(level.islands is not None for level in preconditioner.levels) == 3
    result = solve(problem, case.right_hand_side(), preconditioner=preconditioner)
    assert result.status == "converged"
    assert result.iterations <= 10
