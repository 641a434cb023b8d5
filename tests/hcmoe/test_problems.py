"""Problems of a user's own: what their methods may return, and the sentences for what they may not."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe import (
    CoupledExperts,
    Elements,
    EndCondition,
    Heat,
    Points,
    Projection,
    Slabs,
    SpaceTimeProblem,
    SpectralExperts,
)
from sciml.hcmoe.coupled import about_start


class Column(SpaceTimeProblem):
    """A solute enters a column by Danckwerts' condition: ``speed u - dispersion u_x = speed`` on the left."""

    linear = True

    def __init__(self, dispersion: torch.Tensor, speed: torch.Tensor) -> None:
        self.domain, self.duration, self.dispersion, self.speed = Box([0.0], [1.0]), 0.4, dispersion, speed

    @property
    def coefficients(self):
        return {"dispersion": self.dispersion, "speed": self.speed}

    def residual(self, terms, at):
        _, u_t, u_x, u_xx = terms
        return u_t + at["speed"] * u_x - at["dispersion"] * u_xx

    def initial(self, at):
        return 0.0

    def ends(self, at):
        inflow = EndCondition(at["speed"], -at["dispersion"], at["speed"])
        return inflow, EndCondition(0.0, 1.0, 0.0)


def column(dispersion: float | torch.Tensor = 0.02, speed: float | torch.Tensor = 1.0) -> CoupledExperts:
    coefficients = [torch.as_tensor(value, dtype=torch.float64).reshape(1) for value in (dispersion, speed)]
    return CoupledExperts(Column(*coefficients), Elements(8, 12, [0.0], 1e-4), Slabs(12, 8, first=1e-5))


def test_a_number_is_a_start_and_the_solution_is_that_of_van_genuchten():
    experts = column()
    states = [state for state, _ in experts.run()]
    x, times = torch.linspace(0, 0.6, 13, dtype=torch.float64), torch.tensor([0.1, 0.2], dtype=torch.float64)
    found = experts.on_grid(states, times, x)[0]
    for u, t in zip(found, times.tolist(), strict=True):  # before the front feels the upper end
        width = 2 * math.sqrt(0.02 * t)
        ahead, behind = (x - t) / width, (x + t) / width
        exact = 0.5 * torch.erfc(ahead) + math.sqrt(t / (0.02 * math.pi)) * torch.exp(-(ahead**2))
        exact -= 0.5 * (1 + x / 0.02 + t / 0.02) * torch.exp(x / 0.02) * torch.erfc(behind)
        assert torch.allclose(u, exact, atol=1e-4)


def test_a_start_that_contradicts_a_condition_on_large_elements_is_told():
    fine = column()
    assert fine.start_error == pytest.approx(4e-5, rel=1.0)  # the first element, half of it filled
    coarse = CoupledExperts(fine.problem, Elements(4, 12), Slabs(1, 4))
    assert coarse.start_error > 0.05
    with pytest.warns(UserWarning, match=r"start differs from the initial condition by .* Grade the elements there"):
        next(coarse.run())
    assert about_start(coarse.start_error) == SpectralExperts.remarks({"start_error": coarse.start_error})
    assert SpectralExperts.remarks({"start_error": fine.start_error}) == []


def test_derivatives_by_a_coefficient_of_a_condition_that_the_start_contradicts_are_those_of_differences():
    x = torch.tensor([0.1, 0.3], dtype=torch.float64)

    def value(speed: float | torch.Tensor) -> torch.Tensor:
        experts = column(speed=speed)
        *_, (state, _) = experts.run()
        return experts.values(state, x, 0.4).sum()

    speed = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(value(speed), speed)
    assert float(found) == pytest.approx(float(value(1.01) - value(0.99)) / 0.02, rel=2e-3)
    assert abs(float(found)) > 0.1


def test_a_grid_of_values_is_what_the_slabs_have_and_points_outside_are_refused():
    experts = CoupledExperts(Heat(0.1), Elements(2, 8), Slabs(2, 6))
    states = [state for state, _ in experts.run()]
    times, x = torch.tensor([0.0, 0.5, 0.7, 1.0], dtype=torch.float64), torch.linspace(0, 1, 5).double()
    u = experts.on_grid(states, times, x)
    assert u.shape == (1, 4, 5)
    assert torch.allclose(u[:, 2], experts.values(states[1], x, 0.7), rtol=0, atol=1e-14)
    assert torch.allclose(u[0, 0], experts.problem.initial_values(Points(x, x.new_zeros(1), {})), atol=1e-4)
    for state, points, time, words in [
        (
            states[0],
            x + 0.1,
            0.2,
            r"values of the points are outside, the first of them 1\.1, expected numbers from 0 to 1",
        ),
        (states[0], x, 0.7, r"the first of them 0\.7, expected numbers from 0 to 0\.5; slab 1 covers these"),
        (states[0], x, float("nan"), "the time is nan"),
        (
            states[1],
            x,
            torch.linspace(0.4, 1, 5).double(),
            r"the first of them 0\.4, expected numbers from 0\.5 to 1; slab 2 covers these",
        ),
    ]:
        with pytest.raises(InputError, match=words):
            experts.values(state, points, time)
    with pytest.raises(InputError, match=r"0\.7, expected numbers from 0 to 0\.5"):
        experts.on_grid(states[:1], times, x)


END = EndCondition(1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("initial", lambda at: None, "Own.initial: got None, expected a tensor or a number"),
        ("initial", lambda at: "0", "got a value of type str"),
        ("initial", lambda at: at.x[:, None], r"got the shape \(5, 1\), expected one that broadcasts with \(1, 5\)"),
        ("initial", lambda at: 1 / at.x, "Own.initial: some values are not finite"),
        ("ends", lambda at: END, "Own.ends returned a value of type EndCondition, expected two"),
        ("ends", lambda at: [END], "returned 1 value, expected two"),
        ("ends", lambda at: (END, (1.0, 0.0, 0.0)), "returned 3 values for the upper end"),
        (
            "ends",
            lambda at: (END, EndCondition(1 + at.t, 0.0, 0.0)),
            "factor of u at the upper end: it changes in time",
        ),
        ("ends", lambda at: (EndCondition(1.0, 0.0, torch.log(at.t)), END), "target at the lower end: some values"),
        ("residual", lambda terms, at: None, "Own.residual returned None for terms"),
        ("residual", lambda terms, at: terms[1].sum(), r"returned the shape \(\) for terms of the shape \(1, 5, 3\)"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_by_the_name_of_its_method(method, answer, words):
    own = type("Own", (Heat,), {method: lambda self, *given: answer(*given)})
    with pytest.raises(InputError, match=words):
        CoupledExperts(own(0.1), Elements(2, 6), Slabs(1, 3))


def test_a_projection_says_what_it_makes_exact_and_takes_tensors_alone():
    times, x = torch.linspace(0, 1, 3).double(), torch.linspace(0, 1, 5).double()
    projection = Projection(Heat(), times, x, mass=True)
    assert "start, lower, upper, mass" in repr(projection) and "3 times, 5 places" in repr(projection)
    with pytest.raises(InputError, match=r"the type of the fields is numpy\.ndarray, expected a tensor"):
        projection(torch.rand(1, 3, 5).numpy(), mass=torch.zeros(3))
    with pytest.raises(InputError, match=r"the type of the places of the projection is numpy\.ndarray"):
        Projection(Heat(), times, x.numpy())


@pytest.mark.parametrize(
    "mean", [lambda u: u.mean(-1, keepdim=True), lambda u: u.mean(1, keepdim=True), lambda u: u.roll(1, -1)]
)
def test_terms_that_are_not_of_the_point_itself_are_refused_before_anything_is_solved(mean):
    class Nonlocal(Heat):
        def residual(self, terms, at):
            return super().residual(terms, at) + 1e-3 * mean(terms[0])

    with pytest.raises(InputError, match=r"Nonlocal.residual.* changes with the terms at other points"):
        CoupledExperts(Nonlocal(), Elements(2, 6), Slabs(2, 4))
