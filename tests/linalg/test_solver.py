"""`solve` against direct solvers and PyAMG, its iteration counts, its limits, and what it refuses."""

from __future__ import annotations

import numpy as np
import pyamg
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import IncompatibleRightHandSideError, InputError, NotStructuredError
from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.reference.poisson_cases import CASES


def residual(problem, x, b):
    return np.linalg.norm(np.where(problem.fluid, b, 0.0) - problem.matvec(x)) / np.linalg.norm(b[problem.fluid])


def reference(problem, b):
    """Solution of zero mean on closed components, by Cholesky of A plus the projections on their constants."""
    labels, count = problem.closed_components
    matrix = problem.to_csr().toarray()
    for label in range(1, count + 1):
        constant = (labels == label)[problem.fluid] * 1.0
        matrix += np.outer(constant, constant) * (matrix.diagonal().max() or 1.0) / constant.sum()
    result = np.zeros(problem.shape)
    result[problem.fluid] = scipy.linalg.solve(matrix, b[problem.fluid], assume_a="pos")
    return result


# ------------------------------------------------------------------------------------------- against other solvers


@pytest.mark.parametrize("method", ["auto", "multigrid", "amg", "cg"])
def test_every_method_agrees_with_a_dense_direct_solver(any_problem, method, noise):
    b = noise(any_problem)
    if method == "amg" and (any_problem.diagonal[any_problem.fluid] == 0).any():
        pytest.skip("isolated cells are for the grid methods")
    result = solve(any_problem, b, method=method, rtol=1e-11)
    assert result.converged
    expected = reference(any_problem, b)
    assert np.linalg.norm(result.x - expected) <= 1e-8 * max(np.linalg.norm(expected), 1e-300)
    assert not result.x[~any_problem.fluid].any()


@pytest.mark.parametrize("name", [name for name in CASES if name != "closed"])
def test_the_solution_is_that_of_a_sparse_direct_solver(name, make_case, noise):
    problem = make_case(name, 12)
    b = noise(problem)
    expected = sp.linalg.spsolve(problem.to_csr().tocsc(), b[problem.fluid])
    result = solve(problem, b, method="multigrid", rtol=1e-11)
    assert np.linalg.norm(result.x[problem.fluid] - expected) <= 1e-8 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["mixed", "walls", "jumps"])
def test_the_solution_is_that_of_pyamg(name, make_case, noise):
    problem = make_case(name, 48)
    matrix, b = problem.to_csr(), noise(problem)[problem.fluid]
    with np.errstate(all="ignore"):
        expected = pyamg.ruge_stuben_solver(sp.csr_matrix(matrix)).solve(b, tol=1e-11, accel="cg", maxiter=100)
    result = solve(problem, noise(problem), rtol=1e-10)
    assert np.linalg.norm(b - matrix @ expected) <= 1e-10 * np.linalg.norm(b)
    assert np.linalg.norm(result.x[problem.fluid] - expected) <= 1e-6 * np.linalg.norm(expected)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_small_problem_is_solved_as_a_dense_direct_solver_does(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    solid, air = data.draw(st.floats(0.0, 0.8)), data.draw(st.sampled_from([0.0, 0.02, 0.3]))
    cells = np.where(rng.random(shape) < solid, 2, np.where(rng.random(shape) < air, 1, 0)).astype(np.uint8)
    cells.flat[rng.integers(cells.size)] = 0
    decades = data.draw(st.sampled_from([0.0, 1.0, 2.0]))
    problem = VoxelPoisson.from_cells(
        cells,
        coefficient=10.0 ** rng.uniform(-decades, decades, shape) if decades else None,
        spacing=tuple(10.0 ** rng.uniform(-0.5, 0.5, len(shape))),
        outside={side: data.draw(st.sampled_from(["neumann", "dirichlet"])) for side in ("x-", "y+")},
    )
    b = rng.standard_normal(shape)
    result = solve(problem, b, project=True, rtol=1e-8, method="multigrid")
    assert result.converged
    labels, count = problem.closed_components
    for label in range(1, count + 1):
        b[labels == label] -= b[labels == label].mean()
        assert abs(result.x[labels == label].sum()) <= 1e-9 * np.abs(result.x).sum()
    b[~problem.fluid | (problem.diagonal == 0)] = 0.0
    assert np.linalg.norm(b - problem.matvec(result.x)) <= 1.1e-8 * np.linalg.norm(b)
    # The error is the residual over the smallest eigenvalue, closed components apart.
    values = np.linalg.eigvalsh(problem.to_csr().toarray())[count:]
    error = np.linalg.norm(result.x - reference(problem, b))
    assert error <= 1.2e-8 * np.linalg.norm(b) / values.min(initial=np.inf) + 1e-9 * np.linalg.norm(result.x)


# ------------------------------------------------------------------------------------------------------------- scales


@pytest.mark.parametrize("method", ["multigrid", "cg", "fft"])
@pytest.mark.parametrize(
    ("a", "b"),
    [(1e-150, 1.0), (1e150, 1.0), (1.0, 1e-300), (1.0, 1e300), (1e150, 1e-150), (1e-150, 1e150), (1, 5e-322)],
)
def test_the_scale_of_the_matrix_and_of_b_does_not_matter(a, b, method, noise):
    cells = np.zeros((16, 17), np.uint8)
    problem = VoxelPoisson.from_cells(cells, spacing=a**-0.5, outside={"x-": "dirichlet"})
    plain = VoxelPoisson.from_cells(cells, outside={"x-": "dirichlet"})
    right = noise(plain)
    with np.errstate(under="ignore"):
        result = solve(problem, right * b, method=method, rtol=1e-8)
    expected = solve(plain, right, method=method, rtol=1e-8)
    assert result.status == "converged"
    assert abs(result.iterations - expected.iterations) <= 1
    if b > 1e-307:
        np.testing.assert_allclose(result.x / b * a, expected.x, atol=1e-6 * np.abs(expected.x).max())


@pytest.mark.parametrize("method", ["auto", "multigrid", "amg", "cg"])
def test_b_of_zero_gives_x_of_zero_without_iterating(method, make_case):
    problem = make_case("mixed", 14)
    result = solve(problem, np.zeros(problem.shape), method=method, x0=np.ones(problem.shape))
    assert (result.status, result.iterations, result.true_residual) == ("converged", 0, 0.0)
    assert not result.x.any()


def test_the_absolute_tolerance_is_absolute(make_case, noise):
    problem = make_case("mixed", 16)
    b = 1e5 * noise(problem)
    result = solve(problem, b, rtol=0.0, atol=1e-2)
    assert np.linalg.norm(b - problem.matvec(result.x)) <= 1e-2
    assert solve(problem, b, rtol=0.0, atol=1e9).iterations == 0


# ------------------------------------------------------------------------------------- starts, batches, preconditioners


def test_a_good_start_saves_iterations_and_an_exact_one_all(make_case, noise):
    problem = make_case("mixed", 24)
    b = noise(problem)
    far = solve(problem, b, rtol=1e-8)
    near = solve(problem, b, rtol=1e-8, x0=far.x + 1e-5 * noise(problem, 2))
    assert near.iterations < far.iterations
    assert near.true_residual <= 1e-8
    assert solve(problem, b, rtol=1e-7, x0=far.x).iterations == 0


def test_what_x0_holds_off_the_fluid_does_not_matter(make_case, noise):
    problem = make_case("mixed", 16)
    start = np.where(problem.fluid, 0.3, 1e9)
    result = solve(problem, noise(problem), x0=start, rtol=1e-9)
    assert residual(problem, result.x, noise(problem)) <= 1.1e-9
    assert not result.x[~problem.fluid].any()


@pytest.mark.parametrize("method", ["auto", "multigrid", "amg", "cg"])
@pytest.mark.parametrize("name", ["box", "mixed"])
def test_a_batch_is_solved_one_by_one_and_reports_its_worst(name, method, make_case, noise):
    problem = make_case(name, 16)
    batch = np.stack([noise(problem, 1), np.zeros(problem.shape), 1e-20 * noise(problem, 2)])
    result = solve(problem, batch, method=method, rtol=1e-8)
    single = [solve(problem, b, method=method, rtol=1e-8) for b in batch]
    assert result.x.shape == batch.shape
    for x, each in zip(result.x, single, strict=True):
        tolerance = 1e-6 if method == "amg" else 1e-12  # PyAMG's set-up draws random numbers
        np.testing.assert_allclose(x, each.x, atol=tolerance * np.abs(each.x).max())
    assert abs(result.iterations - max(each.iterations for each in single)) <= (method == "amg")
    assert result.true_residual <= 1e-8


def test_a_preconditioner_set_up_once_serves_many_solves(make_case, noise):
    problem = make_case("mixed", 24)
    preconditioner = MultigridPreconditioner(problem)
    for seed in range(3):
        b = noise(problem, seed)
        np.testing.assert_array_equal(
            solve(problem, b, preconditioner=preconditioner).x, solve(problem, b, method="multigrid").x
        )


def test_a_preconditioner_of_another_coefficient_still_serves(make_case, noise):
    problem, other = make_case("mixed", 24), make_case("jumps", 24)
    result = solve(other, noise(other), preconditioner=MultigridPreconditioner(problem))
    assert result.converged and result.true_residual <= 1e-6


def test_a_preconditioner_of_another_geometry_is_refused(make_case, noise):
    problem = make_case("mixed", 24)
    for other in (make_case("mixed", 24, 1), make_case("mixed", 20)):
        with pytest.raises(InputError, match=r"another geometry.*update"):
            solve(other, noise(other), preconditioner=MultigridPreconditioner(problem))


def test_neither_b_nor_x0_nor_the_matrix_is_changed(make_case, noise):
    problem = make_case("closed", 14)
    b, start, matrix = noise(problem) + 1.0, noise(problem, 2), problem.to_csr()
    before = b.copy(), start.copy(), matrix.copy()
    solve(problem, b, x0=start, project=True)
    solve(pyamg.gallery.poisson((4, 4), format="csr"), np.ones(16), preconditioner=lambda r: r)
    np.testing.assert_array_equal(b, before[0])
    np.testing.assert_array_equal(start, before[1])
    assert (matrix != before[2]).nnz == 0


# -------------------------------------------------------------------------------------------------- closed components


@pytest.mark.parametrize("method", ["multigrid", "cg"])
def test_closed_rooms_get_a_solution_of_zero_mean_each(method, make_case, noise):
    problem = make_case("closed", 20)
    b = noise(problem)
    result = solve(problem, b, method=method, rtol=1e-9, x0=np.full(problem.shape, 7.0))
    labels, count = problem.closed_components
    assert result.converged and count >= 2
    assert residual(problem, result.x, b) <= 1.1e-9
    for label in range(1, count + 1):
        assert abs(result.x[labels == label].mean()) < 1e-12 * np.abs(result.x).max()


def test_a_closed_room_beside_an_open_one_leaves_the_open_one_alone(noise):
    cells = np.zeros((20, 9, 8), np.uint8)
    cells[12] = 2
    problem = VoxelPoisson.from_cells(cells, outside={"x-": "dirichlet"})
    b = np.ones(problem.shape)
    with pytest.raises(IncompatibleRightHandSideError, match=r"sums to 504 over a closed component \(size 504\)"):
        solve(problem, b)
    result = solve(problem, b, project=True, rtol=1e-10)
    alone = solve(VoxelPoisson.from_cells(cells[:12], outside={"x-": "dirichlet"}), b[:12], rtol=1e-10)
    np.testing.assert_allclose(result.x[:12], alone.x, rtol=1e-7)
    np.testing.assert_allclose(result.x[13:], 0.0, atol=1e-9)


def test_an_isolated_cell_is_a_closed_component_of_its_own():
    cells = np.full((5, 5), 2, np.uint8)
    cells[2, 2] = cells[0, 0] = cells[0, 1] = 0
    problem = VoxelPoisson.from_cells(cells)
    b = np.zeros((5, 5))
    b[0, :2] = 1.0, -1.0
    np.testing.assert_allclose(solve(problem, b).x[0, :2], [0.5, -0.5])
    b[2, 2] = 1.0
    with pytest.raises(IncompatibleRightHandSideError, match="size 1"):
        solve(problem, b)
    np.testing.assert_allclose(solve(problem, b, project=True).x[0, :2], [0.5, -0.5])


def test_a_closed_box_without_any_flow_has_nothing_to_solve():
    problem = VoxelPoisson.from_cells(np.zeros((1, 1), np.uint8))
    assert solve(problem, np.ones((1, 1)), project=True).x == 0.0


@pytest.fixture(scope="module")
def pockets() -> tuple[np.ndarray, np.ndarray]:
    """Cells with 16 * 24 * 24 closed pairs, and a right-hand side."""
    cells = np.full((48, 48, 48), 2, np.uint8)
    cells[::3, ::2, ::2] = cells[1::3, ::2, ::2] = 0
    return cells, np.random.default_rng(0).standard_normal(cells.shape)


def test_thousands_of_pockets_are_projected(pockets):
    cells, b = pockets
    problem = VoxelPoisson.from_cells(cells)
    assert problem.closed_components[1] == 16 * 24 * 24
    result = solve(problem, b, project=True, rtol=1e-12)
    np.testing.assert_allclose(result.x[::3, ::2, ::2], (b[::3, ::2, ::2] - b[1::3, ::2, ::2]) / 4.0, atol=1e-11)


@pytest.mark.timing
def test_thousands_of_pockets_are_projected_in_one_pass(pockets):
    cells, b = pockets
    assert solve(VoxelPoisson.from_cells(cells), b, project=True, rtol=1e-12).solve_seconds < 5.0


# ------------------------------------------------------------------------------------------------- matrices and routes


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (lambda: VoxelPoisson.from_cells(np.zeros((8, 8), np.uint8), outside="dirichlet"), "fft"),
        (lambda: VoxelPoisson.from_cells(np.eye(8, dtype=np.uint8)), "multigrid"),
        (lambda: pyamg.gallery.poisson((8, 9), format="csr"), "multigrid"),
        (lambda: pyamg.gallery.poisson((8, 9, 7), format="csr"), "multigrid"),
        (lambda: pyamg.gallery.load_example("unit_cube")["A"], "amg"),
        (lambda: sp.csr_array(np.diag([1.0, 2.0, 3.0])), "amg"),
    ],
)
def test_auto_takes_the_route_that_fits_and_says_which(make, method):
    system = make()
    shape = system.shape if isinstance(system, VoxelPoisson) else system.shape[0]
    b = np.random.default_rng(0).standard_normal(shape)
    result = solve(system, b, rtol=1e-9)
    assert result.method == method and result.status == "converged"
    assert result.true_residual <= 1e-9
    assert result.unknowns == b.size - np.count_nonzero(getattr(system, "cells", 0))


@pytest.mark.parametrize("name", ["unit_cube", "unit_square", "airfoil", "bar", "knot"])
def test_finite_element_matrices_go_through_pyamg(name):
    matrix = sp.csr_array(pyamg.gallery.load_example(name)["A"])
    b = matrix @ np.random.default_rng(0).standard_normal(matrix.shape[0])
    if abs(matrix - matrix.T).max() > 1e-10 * abs(matrix).max():
        with pytest.raises(InputError, match="not symmetric"):
            solve(matrix, b)
        return
    result = solve(matrix, b, rtol=1e-8)
    assert result.method == "amg" and result.converged
    assert np.linalg.norm(b - matrix @ result.x) <= 1.1e-8 * np.linalg.norm(b)


def test_a_matrix_of_eliminated_rows_is_solved_as_the_grid_it_came_from(make_case, noise):
    problem = make_case("mixed", 16)
    again = VoxelPoisson.from_matrix(problem.to_csr(), problem.shape, np.flatnonzero(problem.fluid))
    b = noise(problem)
    one, two = solve(problem, b, rtol=1e-9), solve(again, b, rtol=1e-9)
    assert abs(one.iterations - two.iterations) <= 1
    np.testing.assert_allclose(two.x, one.x, atol=1e-7 * np.abs(one.x).max())


def test_the_summary_holds_what_the_result_says(make_case, noise):
    import json

    problem = make_case("mixed", 16)
    seen = []
    result = solve(problem, noise(problem), callback=lambda k, norm: seen.append(k))
    assert seen == list(range(1, result.iterations + 1))
    assert json.loads(json.dumps(result.summary()))["iterations"] == result.iterations
    assert result.history[0] == 1.0 and result.history[-1] <= 1e-6
    assert result.setup_seconds > 0.0 and result.solve_seconds > 0.0


def test_a_result_prints_itself_as_a_table_and_says_what_to_do_where_it_failed(make_case, noise):
    problem = make_case("mixed", 16)
    good, bad = solve(problem, noise(problem)), solve(problem, noise(problem), maxiter=1)
    rows = dict(line.strip().rsplit(maxsplit=1) for line in repr(good).splitlines()[1:])
    assert rows["status"] == "converged" and rows["method"] == "multigrid"
    assert rows["unknowns"] == f"{problem.unknowns:,}" and rows["iterations"] == str(good.iterations)
    assert float(rows["true residual"]) == pytest.approx(good.true_residual, rel=1e-2)
    assert float(rows["mean reduction"]) == pytest.approx(good.history[-1] ** (1 / good.iterations), abs=1e-3)
    assert repr(bad).splitlines()[-1].strip() == bad.status.remedy
    assert good.summary()["status"] == "converged" and "converged" in f"{good.status}"


def test_too_few_iterations_are_no_error_but_say_so(make_case, noise):
    problem = make_case("jumps", 16)
    result = solve(problem, noise(problem), maxiter=2)
    assert result.status == "maxiter" and not result.converged
    assert result.true_residual == pytest.approx(residual(problem, result.x, noise(problem)), rel=1e-9)


# ---------------------------------------------------------------------------------------------------------- bad input

PROBLEM = VoxelPoisson.from_cells(np.zeros((4, 5), np.uint8), outside={"x-": "dirichlet"})
B = np.ones((4, 5))


@pytest.mark.parametrize(
    ("system", "b", "options", "sentence"),
    [
        (PROBLEM, B, {"rtol": 0.0}, "both 0, expected a positive number"),
        (PROBLEM, B, {"rtol": -1.0}, "rtol is -1.0, expected a number of at least 0"),
        (PROBLEM, B, {"rtol": np.nan}, "rtol is nan"),
        (PROBLEM, B, {"atol": -1.0}, "atol is -1.0, expected a number of at least 0"),
        (PROBLEM, B, {"maxiter": 0}, "maxiter is 0, expected a whole number of at least 1"),
        (PROBLEM, B, {"method": "lu"}, "method is 'lu', expected one of auto, fft, multigrid"),
        (PROBLEM, B.T, {}, r"shape \(5, 4\), expected \(4, 5\)"),
        (PROBLEM, np.ones((2, 3, 4, 5)), {}, "b has shape"),
        (PROBLEM, np.ones((0, 4, 5)), {}, "no right-hand side"),
        (PROBLEM, B * np.nan, {}, "values of b are not finite .nan at index"),
        (PROBLEM, B * np.inf, {}, "values of b are not finite .inf at index"),
        (PROBLEM, B * 1j, {}, "the values of b are complex"),
        (PROBLEM, "b", {}, "the values of b are texts"),
        (PROBLEM, B, {"x0": np.ones((5, 4))}, "expected"),
        (PROBLEM, B, {"x0": B * np.nan}, "finite"),
        (PROBLEM, np.stack([B, B]), {"x0": B}, "x0 has shape"),
        (PROBLEM, B, {"preconditioner": 3}, "preconditioner is 3, expected a function"),
        (PROBLEM, B, {"preconditioner": lambda r: r.ravel()}, r"preconditioned residual is \(20,\)"),
        (
            PROBLEM,
            B,
            {"preconditioner": lambda r: r, "method": "fft"},
            "has no option 'preconditioner', expected one of rtol",
        ),
        (PROBLEM.to_csr(), np.ones(19), {}, "expected"),
        (PROBLEM.to_csr()[:5], np.ones(5), {}, "square"),
        (PROBLEM.to_csr() * np.nan, np.ones(20), {}, "finite"),
        (-PROBLEM.to_csr(), np.ones(20), {}, "not positive"),
        (sp.csr_array(np.triu(np.ones((4, 4)))), np.ones(4), {}, "not symmetric"),
        (sp.csr_array((4, 4)), np.ones(4), {}, "no unknown"),
        (VoxelPoisson.from_cells(np.zeros((4, 5), np.uint8)), B, {}, "closed component"),
    ],
)
def test_bad_input_is_refused_by_a_sentence(system, b, options, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        solve(system, b, **options)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("method", ["fft", "multigrid"])
def test_grid_methods_refuse_other_matrices(method):
    with pytest.raises(NotStructuredError, match=r"use method='(amg|cg)'"):
        solve(pyamg.gallery.load_example("unit_cube")["A"], np.ones(1), method=method)


@pytest.mark.parametrize("method", ["amg", "direct", "cg"])
def test_the_laplacian_of_a_graph_refuses_sources_without_sinks_and_gives_a_solution_of_zero_mean(method):
    ring = np.arange(40)
    edges = np.concatenate([np.stack([ring, (ring + 1) % 40]), np.stack([ring[::3], (ring[::3] + 17) % 40])], axis=1)
    adjacency = sp.coo_array((np.ones(edges.shape[1]), edges), shape=(40, 40))
    adjacency = sp.csr_array(adjacency + adjacency.T)
    laplacian = sp.csr_array(sp.diags_array(adjacency.sum(axis=1)) - adjacency)
    b = np.random.default_rng(0).standard_normal(40)
    with pytest.raises(IncompatibleRightHandSideError, match=r"closed component \(size 40\), expected 0"):
        solve(laplacian, b, method=method)
    result = solve(laplacian, b, method=method, project=True, rtol=1e-10)
    assert result.converged and abs(result.x.sum()) < 1e-10
    np.testing.assert_allclose(result.x, np.linalg.pinv(laplacian.toarray()) @ b, atol=1e-8)
