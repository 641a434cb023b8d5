"""Diffusion with sorption: exact solutions, orders, conservation, the published scheme and its published faults."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from sciml.errors import DivergenceError, InputError
from sciml.reference.diffusion_sorption import Sorption, cell_centres, extrapolated, finite_volumes, growth_rate
from sciml.reference.diffusion_sorption_families import FAMILIES, snapshot_spline
from sciml.reference.diffusion_sorption_similarity import SimilarityFront

TIMES = np.array([5.0, 10.0, 20.0])


def relative(values: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(values - exact) / np.linalg.norm(exact))


def decaying_wave(x: np.ndarray, t: float, equation: Sorption) -> np.ndarray:
    """Without sorption: the steady state and one eigenfunction sin(k x) of u(0) = 0, u(1) = -D u_x(1)."""
    d = equation.diffusivity
    k = brentq(lambda k: np.sin(k) + d * k * np.cos(k), np.pi / 2 + 1e-9, np.pi)
    return equation.left * (1 - x / (1 + d)) + np.exp(-d * k**2 * t) * np.sin(k * x)


@pytest.mark.parametrize(("solver", "order"), [(finite_volumes, 2), (extrapolated, 4)])
def test_without_sorption_an_eigenfunction_decays_to_the_steady_state_with_the_order_of_the_solver(
    solver, order: int
) -> None:
    equation, errors = Sorption(diffusivity=0.3, coefficient=0.0, left=0.7), []
    for cells in (8, 16, 32):
        x = cell_centres(cells)
        u = solver(lambda x: decaying_wave(x, 0.0, equation), cells, [0.0, 0.4], equation, tolerance=1e-12)
        assert np.abs(u[0] - decaying_wave(x, 0.0, equation)).max() < 1e-15
        errors.append(np.abs(u[1] - decaying_wave(x, 0.4, equation)).max())
    assert errors[1] > 1e-9
    assert np.allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.2), errors


def test_the_front_is_the_similarity_solution_to_second_and_extrapolated_to_fourth_order() -> None:
    exact, errors = SimilarityFront(0.1), []
    for cells in (128, 256, 512):
        x = cell_centres(cells)[: int(0.3 * cells)]
        front = exact(x, TIMES[:, None])
        fields = (solver(0.1, cells, TIMES)[:, : len(x)] for solver in (finite_volumes, extrapolated))
        errors.append([relative(field, front) for field in fields])
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert errors[-1][1] < 2e-8 < 5e-5 < errors[-1][0]
    assert np.all(np.abs(orders[:, 0] - 2.0) < 0.05) and np.all(orders[:, 1] > 3.5), orders


@pytest.mark.parametrize(
    ("start", "equation"),
    [
        (0.0, Sorption()),
        (0.2, Sorption(exponent=0.7, coefficient=1e-3, left=0.5)),
        (0.2, Sorption(left=0.0)),
    ],
)
def test_other_coefficients_have_their_similarity_solution_too(start: float, equation: Sorption) -> None:
    x = cell_centres(512)[:150]
    assert relative(extrapolated(start, 512, [5.0], equation)[0, :150], SimilarityFront(start, equation)(x, 5.0)) < 1e-7


def test_a_front_without_sorption_is_an_error_function() -> None:
    from scipy.special import erfc

    x = np.linspace(0.0, 0.5, 200)
    front = SimilarityFront(0.3, Sorption(coefficient=0.0))
    assert np.abs(front(x, 7.0) - 0.3 - 0.7 * erfc(x / np.sqrt(4 * 5e-4 * 7.0))).max() < 1e-11
    assert front.slope_at_the_wall == pytest.approx(-0.7 / np.sqrt(np.pi), rel=1e-11)
    assert SimilarityFront(1.0)(0.1, 3.0) == 1.0  # nothing happens where the start is the value at the end
    assert front(0.9, 1.0) == 0.3 and front(np.zeros((0, 2)), 1.0).shape == (0, 2)


def test_the_rest_of_the_domain_does_not_matter_to_the_front_but_the_right_end_does_to_the_rest() -> None:
    u = extrapolated(0.1, 512, [0.0, 20.0])
    x = cell_centres(512)
    assert np.abs(u[1] - SimilarityFront(0.1)(x, 20.0))[x < 0.5].max() < 1e-6
    assert u[1, -1] < 0.01 and 0.9 < u[1, 0] < 1.0  # u = -D u_x keeps the right end near zero: not the trivial solution


def test_what_enters_and_leaves_is_what_the_medium_gains() -> None:
    """The integral of u and of what is sorbed changes by the fluxes through both ends; Simpson's rule in time."""
    equation, times, cells = Sorption(), np.linspace(100.0, 500.0, 201), 400
    u = finite_volumes(0.1, cells, times)
    power = (u + 1e-6) ** equation.exponent / equation.exponent
    content = (u + equation.strength * power).mean(1)
    ends = 2 * cells * (u[:, 0] - 1.0), -u[:, -1] / (0.5 / cells + equation.diffusivity)
    flux = equation.diffusivity * (ends[1] - ends[0])
    weights = np.r_[1, np.tile([4, 2], 99), 4, 1] / 3 * 2.0
    assert content[-1] - content[0] == pytest.approx(weights @ flux, rel=1e-7)


def test_values_stay_between_those_of_the_start_and_of_the_ends() -> None:
    u = finite_volumes(lambda x: 0.1 + 0.1 * np.cos(9 * x), 300, np.linspace(0, 500, 11))
    assert u.min() > -1e-12 and u.max() < 1.0


def test_the_slope_of_the_retardation_is_its_derivative_for_torch_and_numpy() -> None:
    equation = Sorption(exponent=0.75)
    u = torch.tensor([-0.1, 1e-4, 0.1, 1.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(equation.retardation(u).sum(), u)
    assert torch.allclose(slope, equation.retardation_slope(u), rtol=1e-13) and slope[0] == 0.0
    values = u.detach().numpy()
    assert np.allclose(equation.retardation(values), equation.retardation(u).detach(), rtol=1e-14)
    assert Sorption().retardation(1.0) == pytest.approx(1 + 0.71 / 0.29 * 2880 * 3.5e-4 * 0.874, rel=1e-6)


def test_the_scheme_of_pdebench_is_the_published_formula() -> None:
    """Written out again from the paper's code, with the default tolerances of `solve_ivp`."""
    cells, width = 40, 1 / 40

    def change(_, y: np.ndarray) -> np.ndarray:
        beyond = np.r_[1.0, y, 5e-4 * (y[-2] - y[-1]) / width]
        retardation = 1 + (1 - 0.29) / 0.29 * 2880 * 3.5e-4 * 0.874 * (y + 1e-6) ** (0.874 - 1)
        return 5e-4 / retardation * (beyond[2:] - 2 * y + beyond[:-2]) / width**2

    times = np.linspace(0, 500, 6)
    published = solve_ivp(change, (0, 500), np.full(cells, 0.15), t_eval=times, rtol=1e-8, atol=1e-10).y.T
    for method in ("RK45", "LSODA"):
        ours = finite_volumes(0.15, cells, times, scheme="pdebench", method=method, tolerance=1e-8)
        assert relative(ours, published) < 1e-7


def test_the_scheme_of_pdebench_has_order_one() -> None:
    exact = SimilarityFront(0.1)
    errors = []
    for cells in (128, 256, 512):
        x = cell_centres(cells)[: int(0.3 * cells)]
        u = finite_volumes(0.1, cells, TIMES, scheme="pdebench")[:, : len(x)]
        errors.append(relative(u, exact(x, TIMES[:, None])))
    assert errors[-1] > 0.01
    assert np.allclose(np.log2(np.divide(errors[:-1], errors[1:])), 1.0, atol=0.05), errors


def test_the_published_sign_has_a_mode_that_explodes_once_the_cells_resolve_it() -> None:
    equation = Sorption(right_sign=1)
    rate = 1 / (equation.retardation(0.1) * equation.diffusivity)
    assert growth_rate(256, 0.1, equation) < 0.0
    assert growth_rate(16384, 0.1, equation) == pytest.approx(rate, rel=0.005)
    for cells in (64, 256, 16384):
        assert growth_rate(cells, 0.1) == pytest.approx(-(np.pi**2) / rate / equation.retardation(0.1) ** 2, rel=0.01)
    with pytest.raises(InputError, match=r"is 1000 with the right sign 1, expected fewer than 1000"):
        finite_volumes(0.1, 1000, [1.0], equation)
    assert np.isfinite(finite_volumes(0.1, 256, [5.0], equation)).all()


def test_a_spline_through_eight_solutions_solves_the_published_family() -> None:
    spline = snapshot_spline(lambda start: finite_volumes(start, 64, TIMES))
    starts = np.random.default_rng(1).uniform(0, 0.2, 6)
    solutions = np.stack([finite_volumes(float(start), 64, TIMES) for start in starts])
    assert spline(starts).shape == solutions.shape
    assert relative(spline(starts), solutions) < 1e-5
    coarse = snapshot_spline(lambda start: finite_volumes(start, 64, TIMES), snapshots=4)
    assert relative(coarse(starts), solutions) > 3 * relative(spline(starts), solutions)


def test_the_starts_of_the_wide_family_are_uniform_between_0_and_0_2_and_smooth() -> None:
    x = np.array([0.0, 0.1, 0.5, 1.0])
    cases = [FAMILIES["wide"](np.random.default_rng([3, k])) for k in range(4000)]
    values = np.stack([start(x) for start, _ in cases])
    assert np.allclose(np.quantile(values, [0.25, 0.5, 0.75], axis=0), [[0.05], [0.1], [0.15]], atol=0.006)
    from scipy.special import ndtri

    normal = ndtri(values / 0.2)
    assert np.corrcoef(normal[:, 0], normal[:, 1])[0, 1] == pytest.approx(np.exp(-0.125), abs=0.02)
    assert abs(np.corrcoef(normal[:, 0], normal[:, 3])[0, 1]) < 0.05
    for name, low, high in (
        ("diffusivity", 2e-4, 1e-3),
        ("coefficient", 1e-4, 1e-3),
        ("exponent", 0.7, 0.95),
        ("left", 0.5, 1.0),
    ):
        drawn = np.array([getattr(equation, name) for _, equation in cases])
        assert low <= drawn.min() < low * 1.02 and high * 0.98 < drawn.max() <= high


def test_wide_cases_are_solved_to_eight_digits() -> None:
    """Against an extrapolation from grids three times as fine."""
    for k in range(3):
        start, equation = FAMILIES["wide"](np.random.default_rng([0, k]))
        u = extrapolated(start, 256, [25.0, 200.0], equation)
        assert relative(u, extrapolated(start, 768, [25.0, 200.0], equation)[:, 1::3]) < 2e-8


def test_the_published_start_is_one_number_that_the_seed_of_pdebench_gives() -> None:
    start, equation = FAMILIES["paper"](np.random.RandomState(7))
    assert start == pytest.approx(0.2 * 0.07630828937395717, rel=1e-15) and equation == Sorption()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"porosity": 0.0}, "the porosity of sorption is 0.0, expected a number greater than 0 and less than 1"),
        ({"porosity": 1.0}, "porosity"),
        ({"exponent": 1.0}, "the exponent of sorption is 1.0"),
        ({"exponent": float("nan")}, "exponent"),
        ({"diffusivity": 0.0}, "diffusivity"),
        ({"diffusivity": 1e300}, "at most 1e"),
        ({"coefficient": -1.0}, "coefficient"),
        ({"density": 0.0}, "density"),
        ({"left": -0.1}, "left value"),
        ({"left": 1e300}, "left value"),
        ({"right_sign": 0}, "expected one of -1, 1"),
    ],
)
def test_coefficients_without_sense_are_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Sorption(**options)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cells": 2}, "the number of cells is 2"),
        ({"times": [5.0, 1.0]}, "expected rising finite numbers of at least 0"),
        ({"times": [-1.0]}, "times of sorption"),
        ({"start": float("nan")}, "finite"),
        ({"start": 1e300}, "largest value of the start of sorption is 1e\\+300"),
        ({"scheme": "pdebenche"}, "did you mean 'pdebench'"),
        ({"method": "BDF"}, "expected one of LSODA, RK45"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": 1e300}, "tolerance of sorption is 1e\\+300, expected a positive number of at most 0.1"),
        ({"times": [1e-300]}, "the last time of sorption is 1e-300, expected a number of at least 1e-100"),
    ],
)
def test_solves_without_sense_are_refused(change: dict, says: str) -> None:
    arguments = {"start": 0.1, "cells": 16, "times": [1.0], **change}
    with pytest.raises(InputError, match=says):
        finite_volumes(**arguments)


def test_an_integration_that_fails_says_so() -> None:
    with pytest.raises(DivergenceError, match="stopped before t = 10"):
        finite_volumes(0.1, 16, [10.0], tolerance=1e-30)


def test_a_front_refuses_places_and_times_where_it_is_not_defined() -> None:
    with pytest.raises(InputError, match="least position"):
        SimilarityFront(0.1)(-0.1, 1.0)
    with pytest.raises(InputError, match="least time"):
        SimilarityFront(0.1)(0.1, 0.0)
    with pytest.raises(InputError, match="start of a front"):
        SimilarityFront(-0.1)


@pytest.mark.parametrize("start", [lambda x: x[:5], lambda x: x[:, None], "a", lambda x: None, float("nan")])
def test_starts_that_are_no_values_at_the_centres_are_refused(start) -> None:
    with pytest.raises(InputError, match="the start of sorption"):
        finite_volumes(start, 8, [0.0, 1.0])
