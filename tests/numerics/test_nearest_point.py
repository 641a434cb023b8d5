"""The nearest point of nonlinear constraints: spheres, energies, an independent optimiser, linear constraints."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize
from torch.autograd import gradcheck

from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.numerics.nearest_point import NearestPointSettings, nearest_point
from sciml.numerics.projection import LinearConstraints
from sciml.numerics.random import generator

WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.7], dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def sphere(u: torch.Tensor) -> torch.Tensor:
    return u.square().sum(-1, keepdim=True) - 1


def mass_and_energy(u: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return torch.stack([(WEIGHTS * u).sum(-1) - p[..., 0], (WEIGHTS * u**4).sum(-1) - p[..., 1]], -1)


def test_the_nearest_point_of_a_sphere_is_on_the_ray_from_near_and_far():
    v = (normal(4, 5) * torch.tensor([[0.1], [1.0], [3.0], [50.0]], dtype=torch.float64)).requires_grad_()
    u, report = nearest_point(sphere, v)
    length = v.norm(dim=1, keepdim=True)
    torch.testing.assert_close(u, v / length, rtol=0, atol=1e-13)
    assert len(set(report.info.tolist())) > 1  # each item takes its own number of steps
    cotangent = normal(4, 5, seed=1)
    found = torch.autograd.grad(u, v, cotangent)[0]
    torch.testing.assert_close(found, torch.autograd.grad(v / length, v, cotangent)[0], rtol=1e-9, atol=1e-10)


def test_it_is_the_minimum_that_an_independent_optimiser_finds():
    v, p = normal(3, 4), torch.tensor([[1.0, 2.0], [0.5, 3.0], [2.0, 9.0]], dtype=torch.float64)
    u, _ = nearest_point(mass_and_energy, v, p, weights=WEIGHTS)
    assert float(mass_and_energy(u, p).abs().max()) <= 1e-13
    for found, start, values in zip(u, v, p, strict=True):

        def distance(x, start=start):
            return float((WEIGHTS * (torch.from_numpy(x) - start) ** 2).sum())

        best = minimize(
            distance,
            start.numpy(),
            constraints={"type": "eq", "fun": lambda x, values=values: mass_and_energy(torch.from_numpy(x), values)},
            options={"ftol": 1e-13, "maxiter": 500},
        )
        assert best.success
        torch.testing.assert_close(found, torch.from_numpy(best.x), rtol=0, atol=1e-5)


def test_derivatives_in_fields_and_arguments_are_those_of_finite_differences():
    v = normal(2, 4).requires_grad_()
    p = torch.tensor([[1.0, 2.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v, p: nearest_point(mass_and_energy, v, p, weights=WEIGHTS)[0], (v, p), fast_mode=True)


def test_a_batch_equals_its_items():
    v, p = normal(3, 4), torch.tensor([[1.0, 2.0], [0.5, 3.0], [2.0, 9.0]], dtype=torch.float64)
    together, report = nearest_point(mass_and_energy, v, p, weights=WEIGHTS)
    for item in range(3):
        one, alone = nearest_point(mass_and_energy, v[item : item + 1], p[item : item + 1], weights=WEIGHTS)
        assert alone.info.tolist() == [report.info[item]]
        torch.testing.assert_close(one[0], together[item], rtol=0, atol=1e-12)


def test_linear_constraints_take_one_step():
    matrix, v, d = normal(2, 4), normal(3, 4, seed=1), normal(3, 2, seed=2)
    u, report = nearest_point(lambda u, d: u @ matrix.T - d, v, d, weights=WEIGHTS)
    expected = LinearConstraints({"rows": matrix}, WEIGHTS).project(v, {"rows": d})
    torch.testing.assert_close(u, expected, rtol=0, atol=1e-13)
    assert report.info.tolist() == [1, 1, 1]


def test_fields_that_obey_stay_where_they_are():
    v = torch.nn.functional.normalize(normal(2, 5))
    u, report = nearest_point(sphere, v.requires_grad_())
    torch.testing.assert_close(u, v, rtol=0, atol=1e-15)
    assert report.info.tolist() == [0, 0]


def test_the_mass_of_a_sorbed_substance_is_exact_at_all_times():
    """Water of porosity n carries u, and the rock (1 - n) k u^0.9: mass on a grid of 5 times and 8 cells."""

    def mass(u: torch.Tensor) -> torch.Tensor:
        grid = u.reshape(-1, 5, 8)
        return (0.3 * grid + 0.7 * 1.2 * grid**0.9).mean(-1)

    v = 0.5 + 0.3 * torch.rand(2, 40, dtype=torch.float64, generator=generator(0))
    wanted = mass(v)[:, :1] * torch.linspace(1, 1.5, 5, dtype=torch.float64)
    u, _ = nearest_point(lambda u, wanted: mass(u) - wanted, v.float(), wanted)
    assert float((mass(u) - wanted).abs().max()) <= 1e-13
    torch.testing.assert_close(u.reshape(2, 5, 8)[:, 0], v.float().double().reshape(2, 5, 8)[:, 0], rtol=0, atol=1e-6)


def test_constraints_that_cannot_hold_or_depend_on_one_another_are_refused():
    v = normal(2, 3)
    with pytest.raises(DivergenceError, match=r"was not found in 2 of 2 items in 5 steps, which leave a violation"):
        nearest_point(lambda u: u.square().sum(-1, keepdim=True) + 1, v, settings=NearestPointSettings(maxiter=5))
    with pytest.raises(SingularSystemError, match="depend on one another in item 0 of 2"):
        nearest_point(lambda u: torch.cat([sphere(u), 2 * sphere(u)], -1), v)
    with pytest.raises(SingularSystemError, match="are zero or depend on one another in item 1 of 2"):
        nearest_point(sphere, torch.tensor([[1.0, 2.0], [0.0, 0.0]]))


def test_constraints_that_depend_on_one_another_up_to_the_rounding_of_their_sums_are_refused():
    start = torch.ones(1, 50, dtype=torch.float64)
    with pytest.raises(SingularSystemError, match="depend on one another"):
        nearest_point(lambda u: torch.cat([u - 1, u.mean(1, keepdim=True) - 1.001], 1), start)


def test_what_makes_no_sense_is_refused():
    for given, words in [
        (lambda: nearest_point(sphere, torch.zeros(3)), "the shape of the fields"),
        (lambda: nearest_point(sphere, torch.full((1, 3), math.nan)), "values of the fields are not finite"),
        (lambda: nearest_point(sphere, normal(1, 3), weights=[1, -1, 1]), "the least of the weights is -1"),
        (
            lambda: nearest_point(sphere, torch.ones(1, 3, dtype=torch.complex64)),
            "the type of the fields is torch.complex",
        ),
        (lambda: nearest_point(lambda u: u[:, :0], normal(1, 3)), "the constraints return no values"),
        (lambda: nearest_point(lambda u: u.sum(), normal(1, 3)), "what the constraints return"),
        (lambda: NearestPointSettings(tol=0), "tol is 0"),
        (lambda: NearestPointSettings(maxiter=0), "maxiter is 0"),
    ]:
        with pytest.raises(InputError, match=words):
            given()
