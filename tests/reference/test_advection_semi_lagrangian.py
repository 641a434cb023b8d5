"""Paths traced backwards: orders of the splines and of the paths, exact turns, diffusion and what stays constant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sciml.errors import DivergenceError, InputError
from sciml.reference.advection_flow_maps import FlowMap, Rotation, SineSpeed, Swirl, UniformMotion, transported
from sciml.reference.advection_semi_lagrangian import Lattice, feet, semi_lagrangian, spline, traced
from sciml.reference.conservation_laws_fourier import convection

PERIOD = 2 * math.pi
WIDTH, CENTRE = 0.15, np.array([0.4, 0.0])
each_flow = pytest.mark.parametrize("flow", [Rotation(), Swirl(1.5), SineSpeed()], ids=lambda flow: type(flow).__name__)


def bump(points: np.ndarray, variance: float = WIDTH**2) -> np.ndarray:
    square = ((points - CENTRE[: points.shape[-1]]) ** 2).sum(-1)
    return WIDTH**2 / variance * np.exp(-square / (2 * variance))


def orders(errors: list[float]) -> np.ndarray:
    return np.log2(np.divide(errors[:-1], errors[1:]))


def some_points(flow: FlowMap, count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, (count, flow.dim))


@each_flow
def test_feet_are_of_fourth_order(flow: FlowMap) -> None:
    points = some_points(flow)
    exact = flow.map(points, 0.8, 0.1)
    errors = [np.abs(feet(flow.velocity, points, 0.8, 0.1, steps) - exact).max() for steps in (16, 32, 64)]
    assert np.all(orders(errors) > 3.8) and errors[-1] < 1e-5, errors


@each_flow
def test_traced_paths_are_exact(flow: FlowMap) -> None:
    points, times = some_points(flow), np.array([1.5, 0.0, 0.4])
    found = traced(bump, flow.velocity, points, times)
    exact = np.stack([transported(bump, flow, points, time) for time in times])
    assert np.abs(found - exact).max() < 1e-10


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("degree", [3, 5])
def test_splines_are_of_the_order_of_their_degree_plus_one(degree: int, periodic: bool) -> None:
    errors = []
    for n in (24, 48, 96):
        lattice = Lattice([1.0, 0.0], [1.0 + PERIOD, PERIOD], [n + (not periodic)] * 2, periodic)
        x = lattice.points
        made = spline(np.exp(np.sin(x[..., 0])) * np.cos(x[..., 1]), lattice, degree)
        points = lattice.home(np.random.default_rng(0).uniform(0.0, 7.0, (500, 2)))
        exact = np.exp(np.sin(points[:, 0])) * np.cos(points[:, 1])
        errors.append(np.abs(made(points) - exact).max())
    assert np.all(orders(errors) > degree + 0.6), errors


@pytest.mark.parametrize(("degree", "order"), [(3, 4), (5, 6)])
def test_steps_are_of_the_order_of_the_splines(degree: int, order: int) -> None:
    """In a uniform motion, whose paths are exact; feet are always a third of a cell from the nearest node."""
    flow, errors = UniformMotion((10 / 9, -5 / 9)), []
    for n in (30, 60, 120):
        lattice = Lattice([-1.0, -1.0], [1.0, 1.0], [n, n], True)
        start = np.exp(np.sin(np.pi * lattice.points).sum(-1))
        found = semi_lagrangian(start, lattice, flow.velocity, np.array([1.0]), 0.2, degree=degree)[0]
        exact = np.exp(np.sin(np.pi * flow.map(lattice.points, 1.0, 0.0)).sum(-1))
        errors.append(np.abs(found - exact).max())
    assert np.all(orders(errors) > order - 0.4), errors


def test_half_a_turn_of_a_bump() -> None:
    flow, lattice = Rotation(), Lattice([-1.45, -1.45], [1.45, 1.45], [101, 101])
    found = semi_lagrangian(bump(lattice.points), lattice, flow.velocity, np.array([0.5]), 0.01, degree=5)[0]
    assert np.abs(found - bump(flow.map(lattice.points, 0.5, 0.0))).max() < 2e-5


def test_transport_on_a_circle_agrees_with_the_exact_solution() -> None:
    flow, lattice = SineSpeed(), Lattice([0.0], [PERIOD], [512], True)
    times = np.array([0.0, 2.0, PERIOD])
    found = semi_lagrangian(np.sin(lattice.points[:, 0]), lattice, flow.velocity, times, 0.05, degree=5)
    exact = np.stack([transported(lambda p: np.sin(p[..., 0]), flow, lattice.points, time) for time in times])
    assert np.abs(found - exact).max() < 2e-8


def test_whole_cells_a_step_are_no_error_for_any_length_of_it() -> None:
    lattice = Lattice([0.0, 0.0], [1.0, 1.0], [32, 32], True)
    start = np.random.default_rng(1).standard_normal((32, 32))
    flow = UniformMotion((3.0, -5.0))  # 96 and 160 cells in the step
    found = semi_lagrangian(start, lattice, flow.velocity, np.array([1.0]), 1.0)[0]
    assert np.abs(found - start).max() < 1e-12


def test_the_swirl_brings_a_bump_back_to_its_place() -> None:
    lattice, flow = Lattice([0.0, 0.0], [1.0, 1.0], [81, 81]), Swirl(1.5)
    start = np.exp(-((lattice.points - [0.5, 0.75]) ** 2).sum(-1) / (2 * 0.1**2))
    found = semi_lagrangian(start, lattice, flow.velocity, np.array([0.75, 1.5]), 1 / 20, degree=5)
    exact = np.exp(-((flow.map(lattice.points, 0.75, 0.0) - [0.5, 0.75]) ** 2).sum(-1) / (2 * 0.1**2))
    assert np.abs(found[0] - exact).max() < 3e-3 and np.abs(found[1] - start).max() < 2e-3


def test_rotation_with_diffusion_is_exact_because_both_commute() -> None:
    lattice, viscosity, times = Lattice([-1.5, -1.5], [1.5, 1.5], [81, 81]), 1e-3, np.array([0.1, 0.5])
    flow = Rotation()
    found = semi_lagrangian(bump(lattice.points), lattice, flow.velocity, times, 1 / 60, viscosity, degree=5)
    exact = [bump(flow.map(lattice.points, time, 0.0), WIDTH**2 + 2 * viscosity * time) for time in times]
    assert np.abs(found - np.stack(exact)).max() < 2e-5


def test_diffusion_of_waves_and_between_faces_is_exact() -> None:
    still = lambda points, time: 0.0 * points  # noqa: E731 - a velocity
    for periodic, wave in ((True, 4 * np.pi), (False, 3 * np.pi)):
        lattice = Lattice([0.0], [1.0], [32 + (not periodic)], periodic)
        start = np.cos(wave * lattice.points[:, 0])
        found = semi_lagrangian(start, lattice, still, np.array([0.5]), 0.5, 0.01)[0]
        assert np.abs(found - math.exp(-0.005 * wave**2) * start).max() < 1e-12


def test_splitting_of_diffusion_is_of_second_order() -> None:
    """Against Fourier collocation at a speed that varies."""
    flow, lattice = SineSpeed(), Lattice([0.0], [PERIOD], [256], True)
    start = np.exp(np.cos(lattice.points[:, 0]))
    reference = convection(start, PERIOD, lambda x: flow.velocity(x[:, None], 0.0)[:, 0], np.ones(1), 0.1)
    errors = [
        np.abs(semi_lagrangian(start, lattice, flow.velocity, np.ones(1), step, 0.1, 5) - reference).max()
        for step in (0.1, 0.05, 0.025)
    ]
    assert orders(errors) == pytest.approx(2.0, abs=0.1)


def test_constants_stay_and_faces_give_their_values_to_what_enters() -> None:
    lattice, flow = Lattice([0.0], [1.0], [33]), UniformMotion((1.0,))
    ones = semi_lagrangian(np.ones(33), lattice, flow.velocity, np.array([0.3]), 0.1, 0.01)[0]
    assert np.abs(ones - 1.0).max() < 1e-12
    ramp = semi_lagrangian(lattice.points[:, 0], lattice, flow.velocity, np.array([0.25]), 0.25)[0]
    assert np.abs(ramp - np.clip(lattice.points[:, 0] - 0.25, 0.0, 1.0)).max() < 1e-12


def test_times_of_a_run_do_not_change_what_comes_later() -> None:
    lattice, flow = Lattice([0.0, 0.0], [1.0, 1.0], [24, 24], True), Swirl(None)
    start = np.sin(2 * np.pi * lattice.points[..., 0])
    once = semi_lagrangian(start, lattice, flow.velocity, np.array([0.4]), 0.1)
    often = semi_lagrangian(start, lattice, flow.velocity, np.array([0.0, 0.1, 0.2, 0.2, 0.4]), 0.1)
    assert np.array_equal(often[0], start) and np.array_equal(often[2], often[3])
    assert np.abs(often[-1] - once[0]).max() < 1e-13


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"initial": np.zeros(5)}, "shape"),
        ({"times": np.array([1.0, 0.0])}, "rising"),
        ({"times": np.array([-1.0])}, "of at least 0"),
        ({"time_step": 0.0}, "time step"),
        ({"viscosity": -1.0}, "viscosity"),
        ({"degree": 4}, "degree"),
        ({"velocity": lambda points, time: points[:, 0]}, "velocity"),
    ],
)
def test_wrong_arguments_are_sentences(changes: dict, said: str) -> None:
    given = {"initial": np.zeros(9), "lattice": Lattice([0.0], [1.0], [9]), "velocity": lambda points, _: points,
             "times": np.ones(1), "time_step": 0.1, **changes}  # fmt: skip
    with pytest.raises(InputError, match=said):
        semi_lagrangian(**given)


def test_wrong_lattices_are_sentences() -> None:
    for arguments in (
        ([0.0], [0.0], [9]),
        ([0.0], [1.0, 1.0], [9]),
        ([0.0], [1.0], [3]),
        ([0.0], [1.0], [9], [True] * 2),
    ):
        with pytest.raises(InputError, match="lattice"):
            Lattice(*arguments)


def test_paths_that_cannot_be_traced_are_sentences() -> None:
    with pytest.raises(DivergenceError, match="cannot be followed"), np.errstate(all="ignore"):
        traced(bump, lambda points, _: -1.0 - points**2, np.array([[1.0]]), np.array([3.0]))
    with pytest.raises(InputError, match="tolerance"):
        traced(bump, lambda points, _: points, np.array([[1.0]]), np.ones(1), 0.0)
    with pytest.raises(InputError, match="points"):
        traced(bump, lambda points, _: points, np.array([1.0]), np.ones(1))
