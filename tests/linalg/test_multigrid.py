"""The multigrid cycle: symmetric, positive, spectrally close to the inverse, on every grid and at every scale."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from sciml.errors import InputError
from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.linalg.multigrid.coarsest import dense_inverse


def ritz_interval(problem, preconditioner, steps=20):
    """Smallest and largest eigenvalue of M A on a Krylov space, by Lanczos in the inner product of A."""
    v = preconditioner(problem.matvec(np.random.default_rng(0).standard_normal(problem.shape)))
    basis, images, matrix = [], [], np.zeros((steps, steps))
    for k in range(steps):
        image = problem.matvec(v)
        size = np.sqrt(np.vdot(v, image))
        basis.append(v / size)
        images.append(image / size)
        v = preconditioner(images[-1])
        matrix[: k + 1, k] = [np.vdot(v, each) for each in images]
        for _ in range(2):
            for b, a in zip(basis, images, strict=True):
                v = v - np.vdot(v, a) * b
    values = np.linalg.eigvalsh(matrix, UPLO="U")
    return values[0], values[-1]


# A Galerkin cycle whose smoother converges has no eigenvalue above 1. Lower ends measured, in the order of the list:
# 0.912, 0.834, 0.762, 0.722, 0.768, 0.417 and 0.677.
@pytest.mark.parametrize(
    ("name", "seed", "lowest"),
    [("box", 0, 0.90), ("smoke", 0, 0.82), ("mixed", 0, 0.74), ("mixed", 1, 0.71), ("walls", 0, 0.75),
     ("jumps", 0, 0.40), ("jumps", 1, 0.62)],
)  # fmt: skip
def test_the_spectrum_of_the_preconditioned_operator_ends_at_1_and_starts_where_it_was_measured(
    name, seed, lowest, make_case
):
    problem = make_case(name, 32, seed)
    low, high = ritz_interval(problem, MultigridPreconditioner(problem, dtype=np.float64))
    assert lowest < low < high < 1.0 + 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_the_cycle_is_symmetric_and_positive_definite(any_problem, dtype, tolerance, noise):
    preconditioner = MultigridPreconditioner(any_problem, dtype=dtype)
    x, y = noise(any_problem, 1), noise(any_problem, 2)
    mx, my = preconditioner(x), preconditioner(y)
    assert np.vdot(mx, x) > 0.0 and np.vdot(my, y) > 0.0
    assert abs(np.vdot(mx, y) - np.vdot(x, my)) <= tolerance * np.sqrt(np.vdot(mx, x) * np.vdot(my, y))
    assert not mx[~any_problem.fluid].any()


@pytest.mark.parametrize("shape", [(33, 17, 20), (16, 16, 16), (29, 31)])
def test_the_whole_preconditioner_matrix_is_symmetric_positive_definite(shape, make_random):
    problem = make_random(tuple(min(n, 9) for n in shape), None, True, {"x-": "dirichlet"})
    operator = MultigridPreconditioner(problem, dtype=np.float64).as_linear_operator()
    matrix = operator @ np.eye(problem.unknowns)
    coupled = problem.diagonal[problem.fluid] > 0
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12 * np.abs(matrix).max())
    values = np.linalg.eigvalsh(matrix[coupled][:, coupled])
    assert values.min() > -1e-13 * values.max()
    energy = matrix @ problem.to_csr().toarray()
    assert np.linalg.eigvals(energy).real.max() < 1.0 + 1e-9


def test_the_cycle_is_linear(make_case, noise):
    problem = make_case("mixed", 16)
    preconditioner = MultigridPreconditioner(problem, dtype=np.float64)
    x, y = noise(problem, 1), noise(problem, 2)
    expected = 2.0 * preconditioner(x) - 3.0 * preconditioner(y)
    np.testing.assert_allclose(preconditioner(2.0 * x - 3.0 * y), expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        (1e-200, 1.0),
        (1e-30, 1.0),
        (1e30, 1.0),
        (1e200, 1.0),
        (1.0, 1e-30),
        (1.0, 1e30),
        (1e-120, 1e150),
        (1e120, 1e-150),
    ],
)
def test_residuals_and_operators_of_any_size_are_preconditioned_alike(size, scale, make_random, noise):
    problem = make_random((9, 12, 7), None, True, {"x-": "dirichlet"})
    weights = [w * scale for w in problem.face_weights]
    scaled = VoxelPoisson(problem.fluid, weights, problem.dirichlet * scale, problem.diagonal * scale)
    residual = noise(problem)
    expected = MultigridPreconditioner(problem)(residual)
    result = MultigridPreconditioner(scaled)(residual * size)
    np.testing.assert_allclose(result / size * scale, expected, atol=1e-4 * np.abs(expected).max())


def test_what_the_residual_holds_off_the_fluid_is_ignored(make_case, noise):
    problem = make_case("mixed", 16)
    preconditioner = MultigridPreconditioner(problem)
    residual = noise(problem)
    expected = preconditioner(residual)
    residual[~problem.fluid] = np.nan
    np.testing.assert_array_equal(preconditioner(residual), expected)
    np.testing.assert_array_equal(preconditioner(np.zeros(problem.shape)), 0.0)


def test_two_hierarchies_do_not_share_their_work_arrays(make_case, noise):
    first, second = make_case("smoke", 16), make_case("mixed", 16)
    one = MultigridPreconditioner(first)
    expected = one(noise(first))
    MultigridPreconditioner(second)(noise(second))
    np.testing.assert_array_equal(one(noise(first)), expected)


def test_an_update_to_a_new_geometry_is_a_fresh_preconditioner(make_case, noise):
    first, second, third = make_case("mixed", 24, 0), make_case("mixed", 24, 1), make_case("jumps", 17)
    preconditioner = MultigridPreconditioner(first)
    for problem in (second, third, first):
        preconditioner.update(problem)
        fresh = MultigridPreconditioner(problem)(noise(problem))
        np.testing.assert_array_equal(preconditioner(noise(problem)), fresh)


def test_scipy_conjugate_gradients_take_it_as_it_is(make_case, noise):
    problem = make_case("mixed", 32)
    matrix, b = problem.to_csr(), noise(problem)[problem.fluid]
    steps = []
    preconditioner = MultigridPreconditioner(problem).as_linear_operator()
    x, info = scipy.sparse.linalg.cg(matrix, b, rtol=1e-8, M=preconditioner, callback=steps.append)
    assert info == 0 and len(steps) <= 8
    assert np.linalg.norm(b - matrix @ x) <= 1e-8 * np.linalg.norm(b)


THREADED = """
import sys, numpy as np
from sciml.linalg import VoxelPoisson, solve
data = np.load(sys.argv[1])
import numba
x = solve(VoxelPoisson.from_cells(data["cells"]), data["b"], method="multigrid", rtol=1e-10)
np.savez(sys.argv[2], x=x.x, iterations=x.iterations, threads=numba.get_num_threads())
"""


def test_the_number_of_threads_changes_rounding_alone(make_case, noise, tmp_path):
    problem = make_case("mixed", 32)
    np.savez(tmp_path / "in.npz", cells=problem.cells, b=noise(problem))
    results = []
    for threads in (1, 3):
        environment = os.environ | {"NUMBA_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", THREADED, tmp_path / "in.npz", tmp_path / "out.npz"]
        subprocess.run(command, env=environment, check=True, timeout=3600)
        with np.load(tmp_path / "out.npz") as result:
            assert result["threads"] == threads
            results.append((int(result["iterations"]), result["x"]))
    (few, one), (many, three) = results
    assert abs(few - many) <= 1  # rounding may put the residual on the other side of the tolerance
    np.testing.assert_allclose(three, one, atol=1e-8 * np.abs(one).max())


def assembled_levels(preconditioner):
    """The matrix of every level, as P^T A P with SciPy, P made of the prolongations of unit vectors."""
    levels, matrices = preconditioner.levels, [preconditioner.problem.to_csr()]
    for fine, coarse in pairwise(levels):
        rows, columns = (np.flatnonzero(np.asarray(level.inverse).ravel()) for level in (fine, coarse))
        P = np.zeros((rows.size, columns.size))
        for number, cell in enumerate(columns):
            fine.x[...], coarse.x[...] = 0.0, 0.0
            coarse.x.reshape(-1)[cell] = 1.0
            fine.add_correction(coarse)
            P[:, number] = np.asarray(fine.x).ravel()[rows]
        product = P.T @ (matrices[-1] @ P)
        matrices.append(scipy.sparse.csr_array(np.where(np.abs(product) > 1e-12 * np.abs(product).max(), product, 0.0)))
    return matrices


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(
    ("name", "size", "dimension", "spread"),
    [("box", 40, 2, 0.0), ("mixed", 45, 2, 0.0), ("mixed", 14, 3, 0.0), ("mixed", 40, 2, 1.0)],
)
def test_the_complexities_are_those_of_the_assembled_matrices(name, size, dimension, spread, backend, make_case):
    case = make_case(name, size, dimension=dimension)
    coefficient = 10.0 ** (spread * np.random.default_rng(0).uniform(-1, 1, case.shape)) if spread else None
    problem = VoxelPoisson.from_cells(case.cells, coefficient=coefficient, outside=case.outside)
    preconditioner = MultigridPreconditioner(problem, dtype=np.float64, backend=backend)
    matrices = assembled_levels(preconditioner)
    assert len(matrices) == len(preconditioner.levels) > 1
    assert [level.unknowns() for level in preconditioner.levels] == [matrix.shape[0] for matrix in matrices]
    nonzeros, rows = [matrix.nnz for matrix in matrices], [matrix.shape[0] for matrix in matrices]
    assert preconditioner.levels[0].entries() == nonzeros[0]
    # Couplings that cancel but for rounding are stored.
    assert [level.entries() for level in preconditioner.levels] == pytest.approx(
        nonzeros, rel=0 if name == "box" else 2e-3
    )
    assert preconditioner.operator_complexity == pytest.approx(sum(nonzeros) / nonzeros[0], rel=1e-3)
    assert preconditioner.grid_complexity == pytest.approx(sum(rows) / rows[0])


def test_repr_is_the_table_of_the_hierarchy(make_case):
    problem = make_case("smoke", 32)
    preconditioner = MultigridPreconditioner(problem)
    report = preconditioner.report()
    lines = repr(preconditioner).splitlines()
    assert lines[0] == "MultigridPreconditioner (numba, float32)"
    assert [line.split(":")[1].split()[0] for line in lines[1:4]] == [
        "3",
        f"{report['operator_complexity']:.3f}",
        f"{report['grid_complexity']:.3f}",
    ]
    assert lines[6].split() == ["level", "cells", "unknowns", "nonzeros"]
    assert lines[7].split()[:8] == ["0", "32", "x", "32", "x", "32", str(problem.unknowns), str(problem.to_csr().nnz)]
    assert [line.split()[1] for line in lines[7:]] == ["32", "16", "8"]
    assert [level["shape"] for level in report["levels"]] == [(32, 32, 32), (16, 16, 16), (8, 8, 8)]
    assert report["setup_seconds"] == preconditioner.setup_seconds > 0.0
    assert report["levels"][0]["bytes"] >= 4 * 4 * 32**3  # x, x_old, b and 1 / d in float32


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"degree": (0, 1)}, "at least 1"),
        ({"visits": 0}, "visits is 0, expected a whole number of at least 1"),
        ({"degree": (1,)}, "expected two numbers"),
        ({"dtype": np.float16}, "dtype is float16, expected float32 or float64"),
        ({"backend": "cupy"}, "backend is 'cupy', expected one of auto, numba, torch"),
        ({"backend": "numba", "device": "cuda"}, "runs on the CPU"),
    ],
)
def test_bad_options_are_refused_by_a_sentence(options, sentence, make_random):
    with pytest.raises(InputError, match=sentence):
        MultigridPreconditioner(make_random((5, 5)), **options)


def test_a_residual_of_another_shape_is_refused(make_random):
    with pytest.raises(InputError, match=r"residual is \(25,\), expected \(5, 5\)"):
        MultigridPreconditioner(make_random((5, 5)))(np.ones(25))


@pytest.mark.parametrize(("degree", "visits"), [((1, 1), 1), ((2, 2), 1), ((3, 2), 1), ((3, 2), 3), ((4, 4), 2)])
def test_every_degree_and_number_of_visits_gives_a_symmetric_cycle_within_the_inverse(degree, visits, make_case):
    problem = make_case("mixed", 24)
    preconditioner = MultigridPreconditioner(problem, degree=degree, visits=visits, dtype=np.float64)
    low, high = ritz_interval(problem, preconditioner, steps=12)
    assert 0.3 < low < high < 1.0 + 1e-3


def test_the_inverse_of_an_indefinite_or_singular_coarsest_operator_leaves_its_null_space_out():
    stencil = np.zeros((14, 3, 3, 6))
    stencil[-1, 1, 1, 1:5] = [1.0, 1.0, 2.0, 2.0]
    stencil[0, 1, 1, 1], stencil[0, 1, 1, 3] = 1.0, 1.0  # a closed pair of cells and an open one
    inverse, active = dense_inverse(stencil)
    np.testing.assert_allclose(inverse @ np.array([1.0, 1.0, 0.0, 0.0]), 0.0, atol=1e-12)
    np.testing.assert_allclose(inverse[2:, 2:], np.linalg.inv([[2.0, -1.0], [-1.0, 2.0]]), atol=1e-12)
    assert active.size == 4


def test_cells_without_any_coupling_are_coarsened_and_solved() -> None:
    cells = (np.indices((40, 40, 40)).sum(axis=0) % 2).astype(np.uint8)
    coefficient = np.exp(np.random.default_rng(0).standard_normal(cells.shape))
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient)
    b = np.where(problem.fluid, np.random.default_rng(1).standard_normal(cells.shape), 0.0)
    # A is diagonal here: every neighbour is at p = 0.
    exact = np.divide(b, problem.diagonal, out=np.zeros_like(b), where=problem.fluid)
    result = solve(problem, b, method="multigrid", rtol=1e-12)
    np.testing.assert_allclose(result.x, exact, atol=1e-12 * np.abs(exact).max())
