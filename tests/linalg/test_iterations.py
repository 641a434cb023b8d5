"""Iteration counts: where they were measured, flat in the size, and bounded on grids that are hard on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.linalg import VoxelPoisson, solve


def residual(problem, x, b):
    return np.linalg.norm(np.where(problem.fluid, b, 0.0) - problem.matvec(x)) / np.linalg.norm(b[problem.fluid])


# Measured at 64^3 with seed 0 and white noise: 4, 4, 5, 4, 8.
@pytest.mark.parametrize(("name", "most"), [("box", 5), ("smoke", 5), ("mixed", 6), ("walls", 5), ("jumps", 11)])
def test_iterations_to_1e_6_at_64_cubed_stay_where_they_were_measured(name, most, make_case, noise):
    problem = make_case(name, 64)
    result = solve(problem, noise(problem), method="multigrid")
    assert result.status == "converged"
    assert result.iterations <= most


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("box", 5), ("smoke", 5), ("mixed", 6), ("walls", 6), ("jumps", 13)])
def test_iterations_do_not_grow_from_64_to_128_cubed(name, most, make_case, noise):
    counts = [solve(p, noise(p), method="multigrid").iterations for p in (make_case(name, 64), make_case(name, 128))]
    assert counts[1] <= most
    assert counts[1] - counts[0] <= (3 if name == "jumps" else 2)


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 128])
def test_the_median_of_five_jumping_coefficients_stays_low(size, make_case, noise):
    problems = (make_case("jumps", size, seed) for seed in range(100, 105))
    assert np.median([solve(p, noise(p), method="multigrid").iterations for p in problems]) <= 12


@pytest.mark.parametrize("kind", ["white", "smooth", "point"])
@pytest.mark.parametrize("name", ["box", "smoke", "mixed", "walls", "closed"])
def test_iterations_grow_by_at_most_two_from_16_to_48_cubed_for_any_right_hand_side(name, kind, make_case, noise):
    counts = []
    for size in (16, 32, 48):
        problem = make_case(name, size)
        b = noise(problem)
        if kind == "smooth":
            x = np.linspace(0.0, 1.0, size)
            b = np.where(problem.fluid, np.cos(3 * x)[:, None, None] * (x**2)[:, None] * x, 0.0)
        if kind == "point":
            b = np.zeros(problem.shape)
            b.flat[np.flatnonzero(problem.fluid)[problem.unknowns // 2]] = 1.0
        counts.append(solve(problem, b, method="multigrid", project=True).iterations)
    assert counts[-1] - counts[0] <= 2
    assert max(counts) <= 8


@pytest.mark.parametrize(
    "shape",
    [(33, 17, 20), (7, 7), (1, 40), (100, 3, 5), (3, 100), (65, 63, 2), (31, 1, 31), (37, 41, 43), (2, 2, 300),
     (127, 129)],
)  # fmt: skip
def test_sizes_that_are_no_powers_of_two_take_as_few_iterations(shape, noise):
    cells = np.zeros(shape, np.uint8)
    cells[tuple(slice(n // 3, n // 2) for n in shape)] = 2
    problem = VoxelPoisson.from_cells(cells, outside={"x-": "dirichlet", "y+": "dirichlet"})
    result = solve(problem, noise(problem), method="multigrid", rtol=1e-8)
    assert result.status == "converged"
    assert result.iterations <= 8
    assert residual(problem, result.x, noise(problem)) <= 1.1e-8


@pytest.mark.parametrize("spacing", [(1, 1, 100), (1, 100, 1), (100, 1, 1), (1, 100, 100), (1, 10, 100)])
def test_stretched_cells_cost_few_iterations_more(spacing, noise):
    cells = np.zeros((24, 32, 40), np.uint8)
    cells[8:12, 10:20, 10:20] = 2
    problem = VoxelPoisson.from_cells(cells, spacing=[float(h) for h in spacing], outside={"y+": "dirichlet"})
    assert solve(problem, noise(problem)).iterations <= 8


@pytest.mark.parametrize("name", ["box", "smoke", "mixed", "walls", "jumps", "closed"])
def test_single_precision_in_the_cycle_reaches_1e_10_in_the_true_residual(name, make_case, noise):
    problem = make_case(name, 32)
    b = noise(problem)
    result = solve(problem, b, method="multigrid", rtol=1e-10)
    assert result.status == "converged"
    assert result.true_residual <= 1e-10
    assert residual(problem, result.x, b) <= 1.1e-10


def test_a_room_tied_to_zero_by_one_cell_takes_as_few_iterations(noise):
    cells = np.zeros((48, 48, 48), np.uint8)
    cells[0, 0, 0] = 1
    problem = VoxelPoisson.from_cells(cells)
    result = solve(problem, noise(problem), rtol=1e-8)
    assert result.status == "converged"
    assert result.iterations <= 7


def test_two_rooms_joined_by_one_cell_take_as_few_iterations(noise):
    cells = np.zeros((40, 33, 33), np.uint8)
    cells[20] = 2
    cells[20, 16, 16] = 0
    problem = VoxelPoisson.from_cells(cells, outside={"x-": "dirichlet"})
    assert solve(problem, noise(problem), rtol=1e-8).iterations <= 8


@pytest.mark.parametrize(("decades", "most"), [(1, 10), (2, 35), (3, 90)])
def test_a_random_coefficient_of_every_size_converges_far_before_plain_conjugate_gradients(decades, most, noise):
    k = 10.0 ** np.random.default_rng(0).uniform(-decades, decades, (32, 32, 32))
    problem = VoxelPoisson.from_cells(np.zeros(k.shape, np.uint8), coefficient=k, outside={"x-": "dirichlet"})
    result = solve(problem, noise(problem))
    assert result.status == "converged"
    assert result.iterations <= most


def test_a_coefficient_over_twelve_decades_still_converges(noise):
    k = 10.0 ** np.random.default_rng(0).uniform(-6, 6, (16, 16, 16))
    problem = VoxelPoisson.from_cells(np.zeros(k.shape, np.uint8), coefficient=k, outside={"x-": "dirichlet"})
    result = solve(problem, noise(problem))
    assert result.converged and result.true_residual <= 1e-6


@pytest.mark.parametrize(("solid", "most"), [(0.2, 10), (0.4, 18), (0.6, 60)])
def test_porous_media_with_closed_pockets_converge(solid, most, noise):
    cells = np.where(np.random.default_rng(0).random((32, 32, 32)) < solid, 2, 0).astype(np.uint8)
    problem = VoxelPoisson.from_cells(cells, outside={"z+": "dirichlet"})
    result = solve(problem, noise(problem))
    assert problem.closed_components[1] > 0
    assert result.status == "converged"
    assert result.iterations <= most
