"""Advection by grids: the published numbers of the case of the INSR paper, orders of convergence, stability."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.advection_grids import (
    SCHEMES,
    STENCILS,
    advect_by_fourier_modes,
    advect_by_splines,
    advect_on_grid,
    amplification,
    difference_matrix,
)

SPEED, TIME_STEP, STEPS = 0.25, 0.05, 240
TIMES = TIME_STEP * np.arange(STEPS + 1)[:, None]


def pulse(x: np.ndarray, time: float | np.ndarray = 0.0) -> np.ndarray:
    """The paper's pulse, which travels from -1.5 to 1.5 in 240 steps."""
    return np.exp(-((x + 1.5 - SPEED * time) ** 2) / (2 * 0.1**2))


def time_averaged_error(trajectory: np.ndarray, x: np.ndarray) -> float:
    return np.abs(trajectory - pulse(x, TIMES))[1:].mean()


def final_error(trajectory: np.ndarray, x: np.ndarray) -> float:
    exact = pulse(x, TIMES[-1])
    return np.linalg.norm(trajectory[-1] - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize(("nodes", "published"), [(901, 0.0146), (7001, 0.0029)])
def test_the_grids_of_the_paper_are_first_order_upwind_with_the_midpoint_rule(nodes: int, published: float) -> None:
    x = np.linspace(-2, 2, nodes)
    trajectory = advect_on_grid(pulse(x), x, SPEED, TIME_STEP, STEPS, "upwind", "midpoint")
    assert trajectory.shape == (STEPS + 1, nodes)
    assert time_averaged_error(trajectory, x) == pytest.approx(published, abs=1e-4)


def test_the_midpoint_rule_alone_costs_five_percent_at_the_step_of_the_paper() -> None:
    x = np.linspace(-2, 2, 1024, endpoint=False)
    trajectory = advect_by_fourier_modes(pulse(x), 4.0, SPEED, TIME_STEP, STEPS, "midpoint")
    assert final_error(trajectory, x) == pytest.approx(0.0528, abs=5e-4)
    assert time_averaged_error(trajectory, x) == pytest.approx(1.84e-3, abs=1e-5)


def test_good_grids_of_as_many_nodes_beat_the_upwind_grid_a_hundredfold() -> None:
    x = np.linspace(-2, 2, 901)
    fourth = advect_on_grid(pulse(x), x, SPEED, TIME_STEP, STEPS, "central4", "pade22")
    splines = advect_by_splines(pulse(x), x, SPEED, TIME_STEP, STEPS)
    assert final_error(fourth, x) < 1e-4 and final_error(splines, x) < 2e-5


@pytest.mark.parametrize(("time", "order"), [("implicit_euler", 1), ("midpoint", 2), ("pade22", 4)])
def test_each_time_scheme_has_its_order(time: str, order: int) -> None:
    """On one wave, for the factor and over a whole run."""
    steps = np.array([0.2, 0.1, 0.05])
    local = np.abs(amplification(time, 1j * steps) - np.exp(-1j * steps))
    assert np.allclose(np.log2(local[:-1] / local[1:]), order + 1, atol=0.1)
    x = np.linspace(0, 1, 16, endpoint=False)
    errors = []
    for count in (32, 64, 128):
        final = advect_by_fourier_modes(np.cos(2 * np.pi * x), 1.0, 1.0, 0.5 / count, count, time)[-1]
        errors.append(np.abs(final + np.cos(2 * np.pi * x)).max())
    assert np.allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.1)


def test_a_wave_neither_grows_nor_shrinks_under_the_symmetric_schemes() -> None:
    z = 1j * np.linspace(-50, 50, 101)
    for time in ("midpoint", "pade22", "exact"):
        assert np.abs(np.abs(amplification(time, z)) - 1).max() < 1e-14
    assert np.all(np.abs(amplification("implicit_euler", z[z != 0])) < 1)


@pytest.mark.parametrize(("space", "order"), [("upwind", 1), ("central2", 2), ("central4", 4)])
def test_each_space_scheme_has_its_order(space: str, order: int) -> None:
    """A pulse that is smooth on the grid, with a time error far below."""
    errors = []
    for nodes in (401, 801) if order > 1 else (6401, 12801):
        x = np.linspace(-2, 2, nodes)
        trajectory = advect_on_grid(np.exp(-((x + 0.5) ** 2) / 0.05), x, 0.25, 0.01, 100, space, "pade22")
        errors.append(np.abs(trajectory[-1] - np.exp(-((x + 0.25) ** 2) / 0.05)).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("space", STENCILS)
def test_derivatives_of_polynomials_are_exact(space: str) -> None:
    x = np.linspace(-1, 1.5, 9)
    degree = {"upwind": 1, "central2": 2, "central4": 3}[space]  # three at the ends
    derivative = difference_matrix(x, space) @ x**degree
    assert np.abs(derivative - degree * x ** (degree - 1))[1:].max() < 1e-12 and derivative[0] == 0.0


@pytest.mark.parametrize("space", STENCILS)
@pytest.mark.parametrize("nodes", [51, 100])
def test_nothing_grows_on_an_interval(space: str, nodes: int) -> None:
    """All eigenvalues of -D, with the inlet held at zero, are in the left half plane."""
    matrix = difference_matrix(np.linspace(0, 1, nodes), space).toarray()[1:, 1:]
    assert np.linalg.eigvals(-matrix).real.max() < 0


@pytest.mark.parametrize("space", STENCILS)
def test_the_pulse_leaves_through_the_outlet(space: str) -> None:
    x = np.linspace(-2, 2, 201)
    trajectory = advect_on_grid(np.exp(-(x**2) / 0.045), x, 0.25, 0.05, 800, space, "pade22")
    assert np.abs(trajectory[-1]).max() < 5e-4


@pytest.mark.parametrize("space", STENCILS)
def test_flow_to_the_left_mirrors_flow_to_the_right(space: str) -> None:
    x = np.linspace(-2, 2, 101)
    right = advect_on_grid(pulse(x), x, 0.25, 0.05, 20, space)
    left = advect_on_grid(pulse(x)[::-1], x, -0.25, 0.05, 20, space)
    assert np.abs(left[:, ::-1] - right).max() < 1e-14


def test_upwind_makes_no_new_extrema() -> None:
    x = np.linspace(-2, 2, 201)
    trajectory = advect_on_grid((np.abs(x + 1) < 0.3) * 1.0, x, 0.25, 0.05, 100, "upwind", "implicit_euler")
    assert trajectory.min() >= -1e-15 and trajectory.max() <= 1.0 + 1e-15


def test_splines_carry_a_pulse_by_many_nodes_per_step() -> None:
    x = np.linspace(-2, 2, 401)
    trajectory = advect_by_splines(pulse(x), x, SPEED, 3.0, 4)
    assert np.abs(trajectory[-1] - pulse(x, 12.0)).max() < 1e-5


def test_splines_have_fourth_order_in_space() -> None:
    """Each step ends a third of a cell from a node on every one of the grids."""
    errors, time_step = [], 0.16 / 3
    for nodes in (101, 201, 401):
        x = np.linspace(-2, 2, nodes)
        trajectory = advect_by_splines(np.exp(-((x + 1) ** 2) / 0.05), x, 0.25, time_step, 100)
        errors.append(np.abs(trajectory[-1] - np.exp(-((x + 1 - 25 * time_step) ** 2) / 0.05)).max())
    assert np.allclose(np.log2(np.divide(errors[:-1], errors[1:])), 4.0, atol=0.2), errors


def test_what_makes_no_sense_is_refused() -> None:
    x = np.linspace(-2, 2, 21)
    for change in (
        {"space": "weno"},
        {"time": "rk4"},
        {"time_step": 0.0},
        {"steps": 0},
        {"positions": x**3},
        {"positions": x[:-1]},
        {"speed": np.nan},
        {"initial": np.full(21, np.inf)},
    ):
        arguments = {"initial": pulse(x), "positions": x, "speed": 1.0, "time_step": 0.1, "steps": 2} | change
        with pytest.raises(InputError):
            advect_on_grid(**arguments)
    with pytest.raises(InputError, match=r"midpoint, pade22, exact"):
        amplification("rk4", np.zeros(1))
    with pytest.raises(InputError):
        advect_by_fourier_modes(pulse(x), -1.0, 1.0, 0.1, 2)
    with pytest.raises(InputError):
        difference_matrix(np.linspace(0, 1, 5), "central4")
    assert set(SCHEMES) == {"implicit_euler", "midpoint", "pade22"}
