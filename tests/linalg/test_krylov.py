"""Conjugate gradients arrive at the true residual, and no preconditioner, however bad, keeps them from it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sciml.errors import DivergenceError
from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.linalg.krylov import MatrixVectors, flexible_conjugate_gradients


def laplacian(n: int = 12) -> sp.csr_array:
    return VoxelPoisson.from_cells(np.zeros((n, n), np.uint8), outside="dirichlet").to_csr()


def run(matrix, b, preconditioner=None, *, rtol=1e-8, maxiter=1000, x=None, **options):
    x = np.zeros_like(b) if x is None else x
    vectors = MatrixVectors(matrix, matrix.diagonal(), b, x, preconditioner)
    scale = np.linalg.norm(b)
    options.setdefault("guarded", preconditioner is not None)
    return vectors, flexible_conjugate_gradients(vectors, rtol * scale, scale, maxiter=maxiter, **options)


def random(rng, r):
    return rng.standard_normal(r.shape)


def spikes(rng, r):
    z = np.zeros_like(r)
    z.flat[rng.integers(z.size)] = 1.0
    return z


# Sabotaged preconditioners: each makes a function of r, out of a random generator.
SABOTAGE = {
    "nan": lambda rng: lambda r: np.full_like(r, np.nan),
    "one nan": lambda rng: lambda r: np.where(np.arange(r.size).reshape(r.shape) == r.size // 2, np.nan, r),
    "inf": lambda rng: lambda r: np.full_like(r, np.inf),
    "minus r": lambda rng: lambda r: -r,
    "zero": lambda rng: lambda r: 0.0 * r,
    "random": lambda rng: lambda r: random(rng, r),
    "random but downhill": lambda rng: lambda r: np.abs(random(rng, r)) * np.sign(r),
    "noisy": lambda rng: lambda r: r + 3.0 * np.linalg.norm(r) / np.sqrt(r.size) * random(rng, r),
    "one cell": lambda rng: lambda r: spikes(rng, r) * r,
    "huge": lambda rng: lambda r: np.where(np.isfinite(r), 1e200 * np.sign(r), 0.0),
    "at the edge of floating point": lambda rng: lambda r: 1.5e308 * np.sign(r),
    "tiny": lambda rng: lambda r: 1e-200 * r,
    "denormal": lambda rng: lambda r: 1e-320 * np.sign(r),
    "constant": lambda rng: lambda r: np.ones_like(r),
    "alternating in sign": lambda rng: (lambda signs: lambda r: next(signs) * r)(iter([1.0, -1.0] * 10**5)),
    "reversed": lambda rng: lambda r: r[::-1].copy(),
    "ill scaled": lambda rng: lambda r: r * 10.0 ** rng.uniform(-8, 8, r.shape),
}


@pytest.mark.parametrize("name", SABOTAGE)
@pytest.mark.parametrize("kind", ["mixed", "smoke", "jumps", "matrix"])
def test_a_sabotaged_preconditioner_costs_at_most_a_tenth_and_ten_iterations(name, kind, make_case, noise):
    preconditioner = SABOTAGE[name](np.random.default_rng(0))
    if kind == "matrix":
        matrix = sp.csr_array(laplacian(40) @ laplacian(40))  # 13 points: no grid
        b = np.random.default_rng(1).standard_normal(1600)
    else:
        matrix = make_case(kind, 24)
        b = noise(matrix)
    plain = solve(matrix, b, method="cg", rtol=1e-6)
    with np.errstate(all="ignore"):
        result = solve(matrix, b, preconditioner=preconditioner, rtol=1e-6)
    assert result.converged and result.true_residual <= 1e-6
    assert result.status == "fallback" or name in ("tiny", "alternating in sign")
    assert result.iterations <= 1.1 * plain.iterations + 10


@pytest.mark.parametrize("calls", [1, 3, 7])
@pytest.mark.parametrize("name", ["nan", "inf", "minus r", "zero", "random", "huge"])
def test_a_preconditioner_that_breaks_half_way_is_dropped(name, calls, make_case, noise):
    problem = make_case("walls", 24)
    b = noise(problem)
    good, bad, count = MultigridPreconditioner(problem), SABOTAGE[name](np.random.default_rng(0)), [0]

    def breaks(r):
        count[0] += 1
        return good(r) if count[0] <= calls else bad(r)

    plain = solve(problem, b, method="cg", rtol=1e-8)
    result = solve(problem, b, preconditioner=breaks, rtol=1e-8)
    assert result.converged
    if count[0] > calls + 3:
        assert result.status == "fallback"
        assert 0 < result.dropped < result.iterations and result.carried_out == "cg, then plain cg"
    assert result.iterations <= 1.1 * plain.iterations + 10


def test_a_preconditioner_that_changes_r_or_speaks_off_the_fluid_does_no_harm(make_case, noise):
    problem = make_case("mixed", 24)
    good, b = MultigridPreconditioner(problem), noise(problem)
    expected = solve(problem, b, preconditioner=good)

    def rude(r):
        z = good(r)
        r[...] = np.nan
        return np.where(problem.fluid, z, 1e6)

    result = solve(problem, b, preconditioner=rude)
    assert result.status == "converged"
    assert abs(result.iterations - expected.iterations) <= 1


@pytest.mark.parametrize("factor", [1e-100, 3.0, 1e100])
def test_a_good_preconditioner_may_be_any_function_at_any_scale(factor, make_case, noise):
    problem = make_case("mixed", 24)
    good = MultigridPreconditioner(problem)
    result = solve(problem, noise(problem), preconditioner=lambda r: factor * good(r))
    assert result.status == "converged"
    assert result.iterations <= 6


def maze(n: int) -> VoxelPoisson:
    """A perfect maze with corridors one cell wide: a tree of n x n rooms with one exit."""
    rng = np.random.default_rng(0)
    cells = np.full((2 * n + 1, 2 * n + 1), 2, np.uint8)
    cells[1, 0:2] = [1, 0]
    stack = [(0, 0)]
    while stack:
        i, j = stack[-1]
        steps = [
            (a, b)
            for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))
            if 0 <= i + a < n and 0 <= j + b < n and cells[2 * (i + a) + 1, 2 * (j + b) + 1] == 2
        ]
        if not steps:
            stack.pop()
            continue
        a, b = steps[rng.integers(len(steps))]
        cells[2 * i + 1 + a, 2 * j + 1 + b] = cells[2 * (i + a) + 1, 2 * (j + b) + 1] = 0
        stack.append((i + a, j + b))
    return VoxelPoisson.from_cells(cells)


def test_multigrid_is_kept_where_the_residual_stalls_but_the_error_sinks(noise):
    problem = maze(40)
    result = solve(problem, noise(problem))
    plain = solve(problem, noise(problem), method="cg")
    assert result.history[10] > 0.5
    assert result.status == "converged"
    assert result.iterations < plain.iterations / 4


def test_the_energy_of_the_error_sinks_in_every_iteration(make_case, noise):
    problem = make_case("jumps", 12)
    matrix, b = problem.to_csr(), noise(problem)[problem.fluid]
    exact = sp.linalg.spsolve(matrix.tocsc(), b)
    energies, vectors = [], None
    operator = MultigridPreconditioner(problem).as_linear_operator()

    def record(_, __):
        error = exact - vectors.x
        energies.append(error @ (matrix @ error))

    x = np.zeros_like(b)
    vectors = MatrixVectors(matrix, matrix.diagonal(), b, x, operator.matvec)
    scale = np.linalg.norm(b)
    flexible_conjugate_gradients(vectors, 1e-8 * scale, scale, maxiter=100, callback=record)
    assert len(energies) > 5
    assert (np.diff(energies) < 0).all()


def test_the_exact_inverse_takes_one_iteration():
    matrix = laplacian()
    b = np.random.default_rng(0).standard_normal(144)
    factor = sp.linalg.splu(matrix.tocsc())
    vectors, result = run(matrix, b, factor.solve, rtol=1e-10)
    assert (result.status, result.iterations) == ("converged", 1)
    np.testing.assert_allclose(matrix @ vectors.x, b, atol=1e-9)


def test_an_exact_start_takes_no_iteration():
    matrix = laplacian()
    x = np.random.default_rng(0).standard_normal(144)
    _, result = run(matrix, matrix @ x, x=x.copy())
    assert (result.status, result.iterations, len(result.history)) == ("converged", 0, 1)


def test_the_history_and_the_callback_tell_the_relative_residuals():
    matrix, seen = laplacian(), []
    b = np.random.default_rng(0).standard_normal(144)
    vectors, result = run(matrix, b, callback=lambda k, norm: seen.append((k, norm)))
    assert [k for k, _ in seen] == list(range(1, result.iterations + 1))
    assert [norm for _, norm in seen] == result.history[1:]
    assert result.history[0] == 1.0
    assert result.history[-1] == pytest.approx(result.true_residual, rel=1e-4)
    assert result.true_residual == pytest.approx(np.linalg.norm(b - matrix @ vectors.x) / np.linalg.norm(b), rel=1e-12)


def test_too_few_iterations_say_maxiter_with_the_true_residual():
    matrix = laplacian(30)
    b = np.random.default_rng(0).standard_normal(900)
    vectors, result = run(matrix, b, maxiter=5)
    assert (result.status, result.iterations) == ("maxiter", 5)
    assert result.true_residual == pytest.approx(np.linalg.norm(b - matrix @ vectors.x) / np.linalg.norm(b), rel=1e-12)


def test_a_tolerance_below_rounding_stagnates_near_the_best_that_there_is():
    matrix = laplacian(30)
    _, result = run(matrix, np.random.default_rng(0).standard_normal(900), rtol=1e-25, maxiter=5000)
    assert result.status in ("stagnated", "maxiter")
    assert result.true_residual < 1e-13


def test_a_residual_in_the_null_space_stagnates_at_once():
    matrix = VoxelPoisson.from_cells(np.zeros((6, 6), np.uint8)).to_csr()
    _, result = run(matrix, np.ones(36))
    assert result.status == "stagnated"
    assert result.iterations <= 2


def test_a_matrix_that_overflows_raises_instead_of_returning_nan():
    b = np.random.default_rng(0).standard_normal(144)
    with np.errstate(all="ignore"), pytest.raises(DivergenceError, match="scale the system"):
        run(laplacian(), b, x=np.full(144, 1e200))
