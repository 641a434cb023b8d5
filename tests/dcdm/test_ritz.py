from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import fft
from scipy.sparse import linalg as sparse_linalg

from sciml.dcdm.data import make_draws, make_problem
from sciml.dcdm.ritz import BoxDraws, RitzDraws, lanczos, ritz_pairs
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson
from sciml.numerics.random import generator


@pytest.fixture(scope="module")
def mixed():
    return make_problem("mixed", 24, 5, 2)


def test_lanczos_basis_is_orthonormal_and_tridiagonalises(mixed):
    matrix = mixed.to_csr()
    start = np.random.default_rng(0).standard_normal(mixed.unknowns)
    diagonal, off_diagonal, basis = lanczos(lambda x: matrix @ x, start, 150)
    assert basis.shape == (150, mixed.unknowns)
    assert np.abs(basis @ basis.T - np.eye(150)).max() < 1e-12
    tridiagonal = np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
    assert np.abs(basis @ (matrix @ basis.T) - tridiagonal).max() < 1e-12 * 8


def test_extreme_ritz_values_are_eigenvalues(mixed):
    pairs = ritz_pairs(mixed, 150)
    matrix = mixed.to_csr()
    largest = np.sort(sparse_linalg.eigsh(matrix, k=3, which="LA", return_eigenvectors=False))
    smallest, vectors = sparse_linalg.eigsh(matrix, k=1, sigma=0.0)
    assert pairs.values[-3:] == pytest.approx(largest, rel=1e-10)
    assert pairs.values[0] == pytest.approx(smallest[0], rel=1e-8)
    assert abs(pairs.vectors[0] @ vectors[:, 0]) == pytest.approx(1.0, abs=1e-6)
    assert np.abs(pairs.vectors @ pairs.vectors.T - np.eye(len(pairs.values))).max() < 1e-12


def test_all_eigenvalues_once_the_krylov_space_is_exhausted():
    """A square has few distinct eigenvalues: Lanczos ends early, with every one of them."""
    problem = VoxelPoisson.from_cells(np.zeros((6, 6), np.uint8), outside="dirichlet")
    line = 4 * np.sin(np.pi * np.arange(1, 7) / 14) ** 2
    distinct = np.unique((line[:, None] + line).round(9))
    assert ritz_pairs(problem, 36).values == pytest.approx(distinct, abs=1e-8)


def test_null_space_is_left_out():
    problem = VoxelPoisson.from_cells(np.zeros((8, 8), np.uint8))
    pairs = ritz_pairs(problem, 64)
    assert pairs.values[0] > 0.1
    assert np.abs(pairs.vectors.sum(axis=1)).max() < 1e-8
    with pytest.raises(InputError, match="at least 2"):
        ritz_pairs(problem, 1)


def test_coefficients_are_nine_times_larger_below_the_cut(mixed):
    pairs = ritz_pairs(mixed, 150)
    count = len(pairs.values)
    draws = RitzDraws(mixed, 150, low_share=0.6).draw(2000, generator(1))
    assert draws.shape == (2000, 1, 24, 24)
    assert (draws[:, :, torch.as_tensor(~mixed.fluid)] == 0).all()
    assert torch.linalg.vector_norm(draws.flatten(1), dim=1).numpy() == pytest.approx(1.0, abs=1e-5)
    energy = ((draws[:, 0].numpy()[:, mixed.fluid] @ pairs.vectors.T) ** 2).mean(axis=0)
    cut = int(np.ceil(0.6 * count))
    assert energy[:cut].mean() / energy[cut:].mean() == pytest.approx(81, rel=0.06)
    # equal among themselves, but for sampling noise; and nothing is left outside the Ritz space
    assert energy[:cut] == pytest.approx(energy[:cut].mean(), rel=0.2)
    assert energy.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("dimension", [2, 3])
def test_box_has_equal_energy_per_bin_of_eigenvalues_and_81_times_more_below(dimension):
    size = 48 if dimension == 2 else 16
    problem = VoxelPoisson.from_cells(np.zeros((size,) * dimension, np.uint8), outside="dirichlet")
    draws = BoxDraws(problem, low_share=0.5).draw(200, generator(0))[:, 0].double().numpy()
    axes = tuple(range(1, dimension + 1))
    energy = (fft.dstn(draws, type=1, axes=axes, norm="ortho") ** 2).mean(axis=0)
    line = 4 * np.sin(np.pi * np.arange(1, size + 1) / (2 * size + 2)) ** 2
    values = sum(np.meshgrid(*(line,) * dimension, indexing="ij"))
    # bins of their own, coarser than those of the code, away from the thin ends of the spectrum
    edges = np.linspace(0, 4 * dimension, 13)[1:-1]
    bins = np.array([energy[(values >= a) & (values < b)].sum() for a, b in pairwise(edges)])
    low, high = bins[:5], bins[5:]
    assert low == pytest.approx(low.mean(), rel=0.2)
    assert high == pytest.approx(high.mean(), rel=0.2)
    assert low.mean() / high.mean() == pytest.approx(81, rel=0.1)


def test_box_modes_are_eigenvectors_for_every_kind_of_side():
    sides = {"x-": "dirichlet", "y+": "dirichlet", "y-": "dirichlet"}
    problem = VoxelPoisson.from_cells(np.zeros((6, 9), np.uint8), spacing=(0.5, 1.0), outside=sides)
    draws = BoxDraws(problem)
    vectors = torch.einsum("ai,bj->ijab", *draws._modes).double().numpy().reshape(54, 54)
    assert vectors @ problem.to_csr().toarray() @ vectors.T == pytest.approx(np.diag(draws.values.ravel()), abs=1e-5)


def test_closed_box_gets_right_hand_sides_that_have_a_solution():
    problem = VoxelPoisson.from_cells(np.zeros((12, 12), np.uint8))
    assert BoxDraws(problem).draw(5, generator(0)).sum(dim=(1, 2, 3)).numpy() == pytest.approx(0.0, abs=1e-5)


def test_choice_between_exact_and_lanczos(mixed):
    assert isinstance(make_draws(make_problem("box", 12, 0, 3)), BoxDraws)
    assert isinstance(make_draws(mixed, 20), RitzDraws)
    with pytest.raises(InputError, match="obstacles"):
        BoxDraws(mixed)
