"""Coefficients from readings: exact from exact ones, within the deviations of Cramér and Rao from noisy ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import DivergenceError, InputError
from sciml.hcmoe import CoupledExperts, Elements, Heat, Points, Readings, Slabs, identify
from sciml.hcmoe.inverse import Misfits
from sciml.numerics.random import generator
from sciml.status import Status


class Modes(Heat):
    """Two modes of unknown size in a rod of unknown diffusivity, whose solution is known."""

    def __init__(self, coefficients: Tensor) -> None:
        super().__init__(duration=0.5)
        names = ("diffusivity", "first", "second")
        self._coefficients = {name: coefficients[k : k + 1] for k, name in enumerate(names)}

    def initial(self, at: Points) -> Tensor:
        return at["first"] * torch.sin(torch.pi * at.x) + at["second"] * torch.sin(2 * torch.pi * at.x)


TRUTH = torch.tensor([0.2, 1.0, -0.5], dtype=torch.float64)
START = torch.tensor([0.1, 0.5, 0.1], dtype=torch.float64)


def solution(x: Tensor, t: Tensor) -> Tensor:
    """Return the exact solution for the true coefficients."""
    modes = [TRUTH[k] * torch.exp(-TRUTH[0] * (k * math.pi) ** 2 * t) * torch.sin(k * torch.pi * x) for k in (1, 2)]
    return modes[0] + modes[1]


def experts_of(coefficients: Tensor) -> CoupledExperts:
    return CoupledExperts(Modes(coefficients), Elements(2, 8), Slabs(2, 7))


def readings(noise: float, seed: int = 0) -> Readings:
    x, t = (
        part.flatten()
        for part in torch.meshgrid(torch.linspace(0.1, 0.9, 5), torch.linspace(0.1, 0.5, 3), indexing="ij")
    )
    x, t = x.double(), t.double()
    drawn = torch.randn(len(x), dtype=torch.float64, generator=generator(seed))
    return Readings(x, t, solution(x, t) + noise * drawn, max(noise, 1e-3))


def test_exact_readings_give_the_exact_coefficients():
    found = identify(experts_of, readings(0.0), START)
    assert found.status == Status.CONVERGED
    assert torch.allclose(found.value, TRUTH, atol=1e-5)
    assert found.misfit < 1e-3


def test_noisy_readings_give_them_within_the_deviations_of_cramer_and_rao():
    given = readings(1e-2, seed=1)
    found = identify(experts_of, given, START)
    truth, x, t = TRUTH.clone().requires_grad_(), given.x, given.t
    exact = sum(truth[k] * torch.exp(-truth[0] * (k * math.pi) ** 2 * t) * torch.sin(k * torch.pi * x) for k in (1, 2))
    rows = torch.stack([torch.autograd.grad(each, truth, retain_graph=True)[0] for each in exact]) / given.deviation
    deviations = torch.linalg.inv(rows.mT @ rows).diagonal().sqrt()
    assert torch.allclose(found.deviations, deviations, rtol=0.1)
    ratios = (found.value - TRUTH) / deviations
    assert 0.05 < float(ratios.square().mean().sqrt()) < 2
    assert 0.5 < found.misfit < 1.5


def test_too_few_readings_and_readings_of_different_lengths_are_refused():
    few = Readings(*torch.ones(3, 2, dtype=torch.float64), 0.1)
    with pytest.raises(InputError, match="2 readings for 3 coefficients"):
        identify(experts_of, few, START)
    with pytest.raises(InputError, match=r"the shape of u of the readings is \(5,\), expected \(2,\)"):
        Readings(few.x, few.t, torch.ones(5, dtype=torch.float64), 0.1)


def test_a_search_that_steps_where_there_is_no_solution_comes_back():
    asked = []

    def explosive(coefficients: Tensor) -> CoupledExperts:
        asked.append(float(coefficients[0].detach()))
        if len(asked) == 2:  # the first step
            raise DivergenceError("there is none")
        return experts_of(coefficients)

    found = identify(explosive, readings(0.0), START)
    assert found.status == Status.CONVERGED
    assert torch.allclose(found.value, TRUTH, atol=1e-5)


def test_derivatives_of_readings_equal_differences():
    given = readings(1e-2)
    misfits = Misfits(experts_of, given)
    item = torch.zeros(1, dtype=torch.long)
    jacobian = misfits.linearise(TRUTH[None], item)
    product = jacobian.triangle[0].mT @ jacobian.triangle[0]
    small = 1e-5 * torch.eye(3, dtype=torch.float64)
    above, below = (
        torch.stack([experts_of(TRUTH + sign * each).values_at(given.x, given.t) for each in small]) for sign in (1, -1)
    )
    rows = ((above - below) / (2e-5 * given.deviation)).mT
    assert float((product - rows.mT @ rows).norm() / product.norm()) < 1e-5
