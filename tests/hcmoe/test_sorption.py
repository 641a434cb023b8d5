"""Sorption by coupled experts against the similarity solution, finite volumes, and its own physics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.hcmoe import (
    ChebyshevBasis,
    ConstraintSettings,
    CoupledExperts,
    DiffusionSorption,
    Elements,
    EndCondition,
    ExpertConstraint,
    HardConstraintLayer,
    Points,
    Profile,
    Slabs,
    SlabState,
    VariedSorption,
)
from sciml.hcmoe.families.sorption import SorptionInRootTime
from sciml.reference.diffusion_sorption import Sorption, cell_centres, extrapolated
from sciml.reference.diffusion_sorption_similarity import SimilarityFront
from sciml.status import Status

STARTS = [0.03, 0.17]


@pytest.fixture(scope="module")
def solution() -> tuple[CoupledExperts, list[SlabState]]:
    experts = CoupledExperts(DiffusionSorption(STARTS), Elements(16, 8, [0.0, 1.0], 1e-4), Slabs(10, 6, 2e-7))
    return experts, [state for state, _ in experts.run()]


def values_at(solution: tuple[CoupledExperts, list[SlabState]], x: np.ndarray, time: float) -> np.ndarray:
    experts, states = solution
    return experts.values(states[experts.slab_at(time) - 1], torch.from_numpy(x), time).numpy()


@pytest.mark.parametrize("time", [1.0, 5.0, 20.0])
def test_the_front_is_the_similarity_solution_until_the_other_end_is_felt(solution, time):
    x = np.linspace(0, 0.4, 101)
    for found, start in zip(values_at(solution, x, time), STARTS, strict=True):
        exact = SimilarityFront(start)(x, time)
        assert np.linalg.norm(found - exact) < 2e-4 * np.linalg.norm(exact)
        assert np.ptp(exact) > 0.8  # a front, not a constant


def test_each_instance_agrees_with_extrapolated_finite_volumes(solution):
    times = np.array([5.0, 100.0, 500.0])
    for number, start in enumerate(STARTS):
        exact = extrapolated(start, 128, times)
        found = np.stack([values_at(solution, cell_centres(128), time)[number] for time in times])
        assert np.linalg.norm(found - exact) < 2e-4 * np.linalg.norm(exact)


def test_boundary_conditions_hold_to_rounding_at_any_time(solution):
    experts, states = solution
    for time in (0.3, 40.0, 499.0):
        x = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
        u = experts.values(states[experts.slab_at(time) - 1], x, time)
        (slopes,) = torch.autograd.grad(u[0].sum(), x)
        assert float(u[0, 0].detach()) == pytest.approx(1.0, abs=1e-12)
        assert float(u[0, 1].detach()) == pytest.approx(-5e-4 * float(slopes[1]), rel=1e-8)
        assert float(slopes[1]) < 0


def test_the_published_sign_and_negative_starts_are_refused():
    with pytest.raises(InputError, match="right sign of sorption is 1"):
        DiffusionSorption(0.1, Sorption(right_sign=1))
    with pytest.raises(InputError, match=r"start of .*Sorption is -0\.1"):
        DiffusionSorption([0.1, -0.1])


def test_the_reference_has_the_start_and_the_left_value_of_the_problem(monkeypatch):
    monkeypatch.setattr("sciml.hcmoe.problems.sorption.REFERENCE_CELLS", 48)
    reference = DiffusionSorption(0.12).reference()
    assert reference.u.shape == (len(reference.t), len(reference.x)) == (8, 48)
    assert float(reference.t[-1]) == 500.0
    assert float(reference.u[0, 24]) == pytest.approx(0.12, rel=1e-6)
    assert 0.9 < float(reference.u[-1, 0]) < 1


X = torch.linspace(0, 1, 129, dtype=torch.float64)
HILLS = 0.1 + 0.05 * torch.sin(2 * math.pi * X) * torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
VARIED = {"diffusivity": [2e-4, 1e-3], "coefficient": [2e-4, 8e-4], "exponent": [0.75, 0.9], "left": [0.6, 1.0]}


def test_instances_with_other_starts_and_coefficients_agree_with_extrapolated_finite_volumes():
    problem = VariedSorption(Profile(HILLS, X), **VARIED)
    experts = CoupledExperts(problem, Elements(16, 8, [0.0, 1.0], 1e-4), Slabs(10, 6, 2e-7))
    *_, (state, _) = experts.run()
    found = experts.values(state, torch.from_numpy(cell_centres(128)), 500.0)
    ends = []
    for number, equation in enumerate(problem.equations()):
        sign = (1, -1)[number]
        exact = extrapolated(lambda x, s=sign: 0.1 + 0.05 * s * np.sin(2 * np.pi * x), 128, np.array([500.0]), equation)
        assert np.linalg.norm(found[number].numpy() - exact[0]) < 5e-4 * np.linalg.norm(exact)
        ends.append(exact[0])
    assert np.linalg.norm(ends[0] - ends[1]) > 0.2 * np.linalg.norm(ends[0])


def test_equal_coefficients_give_what_the_published_problem_has():
    times, x = torch.linspace(0, 500, 9, dtype=torch.float64), torch.from_numpy(cell_centres(16))
    basis = ChebyshevBasis(DiffusionSorption().domain, 500.0, 3, 6)
    plain = ExpertConstraint(DiffusionSorption(STARTS), times, x, (1, 2))(basis)
    varied = ExpertConstraint(VariedSorption(STARTS), times, x, (1, 2))(basis)
    torch.testing.assert_close(varied.u, plain.u, rtol=0, atol=1e-8)
    field = Profile(torch.tensor(STARTS, dtype=torch.float64)[:, None].expand(-1, 129), X)
    torch.testing.assert_close(
        ExpertConstraint(VariedSorption(field), times, x, (1, 2))(basis).u, plain.u, rtol=0, atol=1e-8
    )
    assert float((plain.u[0] - plain.u[1]).abs().max()) > 0.05


def test_the_condition_at_the_right_end_has_the_diffusivity_of_each_instance():
    problem = VariedSorption(Profile(HILLS, X), **VARIED)
    experts = CoupledExperts(problem, Elements(6, 6, [0.0], 1e-2), Slabs(2, 4, 1e-2))
    *_, (state, _) = experts.run()
    x = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    u = experts.values(state, x, 500.0)
    for number, (diffusivity, left) in enumerate(zip(VARIED["diffusivity"], VARIED["left"], strict=True)):
        (slopes,) = torch.autograd.grad(u[number].sum(), x, retain_graph=True)
        assert float(u[number, 0].detach()) == pytest.approx(left, abs=1e-12)
        assert float(u[number, 1].detach()) == pytest.approx(-diffusivity * float(slopes[1]), rel=1e-8)


def test_gradients_in_all_coefficients_of_sorption_are_those_of_differences():
    times, x = torch.linspace(0, 500, 6, dtype=torch.float64), torch.from_numpy(cell_centres(8))
    problem = VariedSorption(Profile(HILLS[:, ::32], X[::32]), **VARIED)
    layer = ExpertConstraint(problem, times, x, (1, 2), ConstraintSettings(ridge=1e-2))
    basis, names = ChebyshevBasis(problem.domain, 500.0, 2, 3), sorted(VARIED)

    def solved(scale: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        numbers = {name: problem.coefficients[name] * scale[i] for i, name in enumerate(names)}
        return layer(basis, {"start": Profile(start, X[::32]), **numbers}).u

    arguments = torch.ones(4, 2, dtype=torch.float64, requires_grad=True), HILLS[:, ::32].clone().requires_grad_()
    assert torch.autograd.gradcheck(solved, arguments, eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"exponent": [0.8, 1.0]}, "the exponent of .*Sorption is 1.0"),
        ({"exponent": 0.0}, "the exponent of .*Sorption is 0.0"),
        ({"porosity": 1.0}, "the porosity of sorption is 1.0"),
        ({"diffusivity": [1e-3, 0.0]}, "the diffusivity of .*Sorption is 0.0"),
        ({"coefficient": -1e-3}, "the coefficient of .*Sorption is -0.001"),
        ({"left": -1.0}, "the left of .*Sorption is -1.0"),
        ({"start": Profile(-HILLS, X)}, "the start of .*Sorption is -0.15"),
        ({"left": [1.0, 0.5, 0.7], "exponent": [0.8, 0.9]}, "different numbers of values"),
    ],
)
def test_coefficients_out_of_their_range_are_refused_at_once_and_in_a_layer(given, words):
    with pytest.raises(InputError, match=words):
        VariedSorption(**given)
    numbers = [name for name in given if name not in ("porosity", "start")]
    if len(given) == 1 and numbers:
        times, x = torch.linspace(0, 500, 6, dtype=torch.float64), torch.from_numpy(cell_centres(8))
        layer = ExpertConstraint(VariedSorption(), times, x)
        worse = {name: torch.tensor(given[name], dtype=torch.float64).reshape(-1) for name in numbers}
        with pytest.raises(InputError, match=words):
            layer(ChebyshevBasis(layer.problem.domain, 500.0, 1, 1), {**layer.problem.coefficients, **worse})


def test_the_published_sign_is_repeated_on_a_given_grid_with_a_warning_and_refused_by_coupled_experts():
    with pytest.warns(UserWarning, match="sorption with the right sign 1 is not well posed"):
        problem = DiffusionSorption(0.1, Sorption(right_sign=1), faithful=True)
    with pytest.raises(InputError, match="DiffusionSorption is not well posed as it is stated"):
        CoupledExperts(problem)
    times, x = torch.linspace(0, 500, 9, dtype=torch.float64), torch.from_numpy(cell_centres(32))
    basis = ChebyshevBasis(problem.domain, 500.0, 3, 8)
    layers = [HardConstraintLayer(each, times, x)(basis) for each in (problem, DiffusionSorption(0.1))]
    assert problem.ends(Points(x, times, {}))[1] == EndCondition(1.0, -5e-4, 0.0)
    assert layers[0].report.minimum.worst in (Status.CONVERGED, Status.STALLED)
    assert 1e-5 < float((layers[0].u - layers[1].u).norm()) < 0.1 * float(layers[1].u.norm())  # the grid is coarse


def test_the_reference_in_the_root_of_the_time_is_that_in_time(monkeypatch):
    monkeypatch.setattr("sciml.hcmoe.problems.sorption.REFERENCE_CELLS", 48)
    problem = SorptionInRootTime(400.0)
    for duration in (1.0, 0.5):
        problem.duration = duration
        found, expected = problem.reference(), VariedSorption(duration=400.0 * duration**2).reference()
        assert torch.equal(found.u, expected.u) and torch.equal(found.x, expected.x)
        torch.testing.assert_close(400.0 * found.t**2, expected.t)
        assert float(found.t[-1]) == pytest.approx(duration)


def test_the_retardation_is_that_of_freundlich_with_the_numbers_of_each_instance():
    """Terms of 1 in place of derivatives, D or 2 s T D of which is subtracted."""
    u, s = torch.linspace(-0.1, 1, 6, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64)
    for problem in (DiffusionSorption([0.1, 0.2]), VariedSorption(**VARIED), SorptionInRootTime(500.0)):
        terms = [u, *[torch.ones_like(u)] * (len(problem.orders) - 1)]
        found = problem.residual(terms, Points(u, s, problem.chosen(slice(None), 1))).expand(problem.instances, -1)
        for residual, equation in zip(found, problem.equations(), strict=True):
            k, n = equation.coefficient, equation.exponent
            retardation = 1 + 0.71 / 0.29 * 2880 * k * n * (u.clamp(min=0) + 1e-6) ** (n - 1)
            expected = retardation - equation.diffusivity
            if isinstance(problem, SorptionInRootTime):
                expected = 1 - 2 * 0.4 * 500 * equation.diffusivity / retardation
            torch.testing.assert_close(residual, expected, rtol=1e-12, atol=1e-12)


def test_the_reference_is_that_of_the_first_start_and_equation(monkeypatch):
    monkeypatch.setattr("sciml.hcmoe.problems.sorption.REFERENCE_CELLS", 48)
    reference = VariedSorption(Profile(HILLS, X), **VARIED).reference()
    equation = Sorption(2e-4, coefficient=2e-4, exponent=0.75, left=0.6)
    exact = extrapolated(lambda x: 0.1 + 0.05 * np.sin(2 * np.pi * x), 48, reference.t.numpy(), equation)
    np.testing.assert_allclose(reference.u.numpy(), exact, rtol=0, atol=1e-6)
