"""The iteration against algebra: dossier G, test 9, and what must hold whatever the network is."""

import numpy as np
import pytest
import torch
from scipy.sparse import linalg as sparse_linalg

from sciml.dcdm import conjugate_directions
from sciml.dcdm.data import make_problem
from sciml.dcdm.iteration import _Iteration
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson, solve
from sciml.numerics.random import generator

CASES = [("box", 2), ("mixed", 2), ("jumps", 2), ("closed", 2), ("smoke", 3)]


def system(name, dimension=2, size=16):
    problem = make_problem(name, size, 4, dimension)
    x = np.where(problem.fluid, np.random.default_rng(0).standard_normal(problem.shape), 0.0)
    return problem, problem.matvec(x)


def exact_inverse(problem):
    factor = sparse_linalg.splu(problem.to_csr().tocsc())

    def apply(unit):
        q = np.zeros(problem.shape)
        q[problem.fluid] = factor.solve(unit.numpy()[problem.fluid])
        return -3.0 * torch.as_tensor(q)  # length and sign do not matter

    return apply


def rough(problem, seed=0):
    """A nonlinear, non-symmetric and rather bad network."""

    def apply(unit):
        noise = torch.randn(problem.shape, generator=generator(seed), dtype=unit.dtype)
        return unit + 0.3 * torch.roll(unit, 1, 0).abs() + 0.02 * noise

    return apply


@pytest.mark.parametrize("faithful", [True, False])
@pytest.mark.parametrize(("name", "dimension"), [("box", 2), ("mixed", 2), ("jumps", 2), ("smoke", 3)])
def test_exact_inverse_needs_one_iteration(name, dimension, faithful):
    problem, b = system(name, dimension)
    x, result = conjugate_directions(problem, b, exact_inverse(problem), rtol=1e-9, faithful=faithful)
    assert result.status == "converged"
    assert result.iterations == 1
    assert np.linalg.norm(b - problem.matvec(x)) <= 1e-9 * np.linalg.norm(b)


@pytest.mark.parametrize("history", [2, 5])
@pytest.mark.parametrize("name", ["box", "mixed", "jumps"])
def test_identity_gives_conjugate_gradients(name, history):
    problem, b = system(name, size=24)
    _, result = conjugate_directions(
        problem, b, lambda unit: unit, rtol=1e-12, maxiter=30, history=history, faithful=True
    )
    reference = solve(problem, b, method="cg", rtol=1e-12, maxiter=30)
    assert result.history[:31] == pytest.approx(reference.history[:31], rel=1e-6)


@pytest.mark.parametrize("faithful", [True, False])
@pytest.mark.parametrize("history", [1, 2, 4])
def test_directions_are_conjugate_and_the_error_sinks(history, faithful):
    problem, b = system("jumps", size=20)
    operator = StencilOperator(problem, torch.float64)
    state = _Iteration(operator, torch.as_tensor(b), torch.zeros(problem.shape, dtype=torch.float64), history)
    solution = torch.as_tensor(solve(problem, b, rtol=1e-13, atol=0.0).x)
    energies = []
    for step in range(12):
        before = list(state.past)
        q = operator.mask(rough(problem, step)(state.r / state.norm))
        gain = state.step([q] if faithful else [q, state.r])
        newest = state.past[-1]
        assert len(state.past) == min(history, step + 1)
        for _, image, energy in before[-history:]:
            cosine = float((newest[0] * image).sum()) / (energy * newest[2]) ** 0.5
            assert abs(cosine) < 1e-10
        assert torch.allclose(newest[1], operator(newest[0]), atol=1e-9 * float(newest[1].abs().max()))
        error = solution - state.x
        energies.append(float((error * operator(error)).sum()))
        if step:
            assert energies[-1] < energies[-2]
            assert energies[-2] - energies[-1] == pytest.approx(gain, rel=1e-6)


def test_with_the_residual_each_step_is_at_least_as_good_as_steepest_descent():
    problem, b = system("mixed", size=20)
    operator = StencilOperator(problem, torch.float64)
    state = _Iteration(operator, torch.as_tensor(b), torch.zeros(problem.shape, dtype=torch.float64), 2)
    for step in range(10):
        descent = state.gain_of_residual()
        noise = operator.mask(torch.randn(problem.shape, generator=generator(step), dtype=torch.float64))
        assert state.step([noise, state.r]) >= descent * (1 - 1e-12)


@pytest.mark.parametrize(("name", "dimension"), CASES)
def test_solves_to_the_true_residual(name, dimension):
    problem, b = system(name, dimension)
    seen = []
    x, result = conjugate_directions(
        problem, b, rough(problem), rtol=1e-8, maxiter=2000, callback=lambda *call: seen.append(call)
    )
    assert result.status in ("converged", "fallback")
    true = np.linalg.norm(b - problem.matvec(x)) / np.linalg.norm(b)
    assert true <= 1e-8
    assert result.true_residual == pytest.approx(true, rel=1e-3)
    assert [call[0] for call in seen] == list(range(1, result.iterations + 1))
    assert [call[1] for call in seen] == pytest.approx(result.history[1:])
    assert (x[~problem.fluid] == 0).all()
    if name == "closed":
        labels, count = problem.closed_components
        assert count > 1
        for label in range(1, count + 1):
            assert abs(x[labels == label].mean()) < 1e-10


def test_several_functions_are_asked_in_turn_within_one_iteration():
    problem, b = system("mixed", size=24)
    calls = []

    def named(name, function):
        return lambda unit: (calls.append(name), function(unit))[1]

    steps = [named("coarse", rough(problem)), named("fine", lambda unit: unit)]
    _, result = conjugate_directions(problem, b, steps, rtol=1e-6, maxiter=6)
    assert calls == ["coarse", "fine"] * 6
    assert result.iterations == 6
    _, single = conjugate_directions(problem, b, steps[1], rtol=1e-6, maxiter=6)
    assert result.history[-1] < single.history[-1]
    calls.clear()
    conjugate_directions(problem, b, steps, rtol=1e-6, maxiter=6, faithful=True)
    assert calls == ["fine"] * 6
    # an exact first function leaves nothing to the second
    calls.clear()
    _, exact = conjugate_directions(problem, b, [exact_inverse(problem), steps[1]], rtol=1e-8)
    assert (exact.iterations, calls) == (1, [])


SABOTAGE = {
    "zero": lambda unit: torch.zeros_like(unit),
    "not a number": lambda unit: torch.full_like(unit, torch.nan),
    "infinite": lambda unit: torch.full_like(unit, torch.inf),
    "noise": lambda unit: torch.randn(unit.shape, generator=generator(3), dtype=unit.dtype),
    "one cell": lambda unit: torch.zeros_like(unit).index_fill_(0, torch.tensor([7]), 1.0),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotaged_network_costs_little_more_than_conjugate_gradients(name):
    problem, b = system("mixed", size=32)
    reference = solve(problem, b, method="cg", rtol=1e-8)
    x, result = conjugate_directions(problem, b, SABOTAGE[name], rtol=1e-8)
    assert np.linalg.norm(b - problem.matvec(x)) <= 1e-8 * np.linalg.norm(b)
    assert result.iterations <= 1.1 * reference.iterations + 10
    assert result.status == "fallback" and 0 <= result.dropped < result.iterations
    assert len(result.history) == result.iterations + 1


def test_a_direction_that_is_the_residual_itself_is_counted_once():
    problem, b = system("mixed", size=24)
    _, twice = conjugate_directions(problem, b, lambda unit: -unit, rtol=1e-6, maxiter=9)
    reference = solve(problem, b, method="cg", rtol=1e-6, maxiter=9)
    assert twice.history == pytest.approx(reference.history, rel=1e-6)


@pytest.mark.parametrize("name", ["zero", "not a number"])
def test_published_iteration_takes_the_residual_where_there_is_no_direction(name):
    problem, b = system("mixed", size=24)
    _, result = conjugate_directions(problem, b, SABOTAGE[name], rtol=1e-6, maxiter=20, faithful=True)
    reference = solve(problem, b, method="cg", rtol=1e-6, maxiter=20)
    assert result.status == "maxiter"
    assert result.fallbacks == 20
    assert result.history == pytest.approx(reference.history, rel=1e-6)


def test_result_scales_with_the_right_hand_side():
    problem, b = system("mixed")
    x, first = conjugate_directions(problem, b, rough(problem), rtol=1e-6)
    for factor in (1e-200, 1e200):
        scaled, result = conjugate_directions(problem, b * factor, rough(problem), rtol=1e-6)
        assert result.history == pytest.approx(first.history, rel=1e-6)
        assert scaled / factor == pytest.approx(x, rel=1e-6, abs=1e-9)


def test_zero_right_hand_side():
    problem, b = system("box")
    x, result = conjugate_directions(problem, 0 * b, rough(problem))
    assert (x == 0).all()
    assert (result.status, result.iterations) == ("converged", 0)


def test_most_iterations():
    problem, b = system("mixed", size=32)
    x, result = conjugate_directions(problem, b, rough(problem), rtol=1e-12, maxiter=5)
    assert (result.status, result.iterations) == ("maxiter", 5)
    assert result.true_residual == pytest.approx(np.linalg.norm(b - problem.matvec(x)) / np.linalg.norm(b), rel=1e-6)


def test_error_in_the_callback_passes_through():
    problem, b = system("box")

    def stop(iteration, norm):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        conjugate_directions(problem, b, rough(problem), callback=stop)


@pytest.mark.parametrize("options", [{"history": 0}, {"maxiter": 0}, {"rtol": 0.0}, {"rtol": float("nan")}])
def test_wrong_options(options):
    problem, b = system("box")
    with pytest.raises(InputError, match=r"expected a (whole )?number"):
        conjugate_directions(problem, b, rough(problem), **options)


def test_unreachable_tolerance_ends(recwarn):
    problem = VoxelPoisson.from_cells(np.zeros((12, 12), np.uint8), outside="dirichlet")
    b = np.random.default_rng(1).standard_normal((12, 12))
    x, result = conjugate_directions(problem, b, lambda unit: unit, rtol=1e-18, maxiter=300)
    assert result.status in ("stagnated", "maxiter")
    assert np.linalg.norm(b - problem.matvec(x)) < 1e-13 * np.linalg.norm(b)
