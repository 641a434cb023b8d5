"""Sorption by coupled experts against the similarity solution, finite volumes, and its own physics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.hcmoe import CoupledExperts, DiffusionSorption, Elements, Slabs, SlabState
from sciml.reference.diffusion_sorption import Sorption, cell_centres, extrapolated
from sciml.reference.diffusion_sorption_similarity import SimilarityFront

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
    with pytest.raises(InputError, match=r"start of sorption is -0\.1"):
        DiffusionSorption([0.1, -0.1])


def test_the_reference_has_the_start_and_the_left_value_of_the_problem(monkeypatch):
    monkeypatch.setattr("sciml.hcmoe.problems.sorption.REFERENCE_CELLS", 48)
    reference = DiffusionSorption(0.12).reference()
    assert reference.u.shape == (len(reference.t), len(reference.x)) == (8, 48)
    assert float(reference.t[-1]) == 500.0
    assert float(reference.u[0, 24]) == pytest.approx(0.12, rel=1e-6)
    assert 0.9 < float(reference.u[-1, 0]) < 1
