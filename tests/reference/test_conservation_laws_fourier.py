"""Fourier collocation: fourth order in time, spectral in space, exact where modes only turn and decay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sciml.errors import DivergenceError, InputError
from sciml.reference.advection_flow_maps import SineSpeed, transported
from sciml.reference.burgers_cole_hopf import sine_burgers, standard_burgers
from sciml.reference.conservation_laws_entropy import BURGERS, ConservationLaw, Flux
from sciml.reference.conservation_laws_finite_volumes import cell_averages, centre_values
from sciml.reference.conservation_laws_finite_volumes import conservation as finite_volumes
from sciml.reference.conservation_laws_fourier import conservation, convection, nodes
from sciml.reference.trigonometric_series import TrigonometricSeries

PERIOD = 2 * np.pi
FLOW = SineSpeed(1.0, 0.5)


def speed(x: np.ndarray) -> np.ndarray:
    return FLOW.velocity(x[:, None], 0.0)[:, 0]


def orders(errors: list[float]) -> np.ndarray:
    return np.log2(np.divide(errors[:-1], errors[1:]))


@pytest.mark.parametrize("count", [32, 33])
@pytest.mark.parametrize("viscosity", [0.0, 0.01, 0.1])
def test_convection_at_a_constant_speed_with_diffusion_is_exact(count: int, viscosity: float) -> None:
    x, times = nodes(PERIOD, count), np.array([0.0, 0.3, 1.0])
    found = convection(np.sin(2 * x), PERIOD, 50.0, times, viscosity)
    exact = np.exp(-4 * viscosity * times[:, None]) * np.sin(2 * (x - 50 * times[:, None]))
    assert np.abs(found - exact).max() < 1e-13


def test_convection_at_a_varying_speed_is_of_fourth_order_in_time() -> None:
    x = nodes(PERIOD, 256)
    exact = transported(lambda points: np.sin(points[..., 0]), FLOW, x[:, None], 3.0)
    errors = [
        np.abs(convection(np.sin(x), PERIOD, speed, np.array([3.0]), time_step=step)[0] - exact).max()
        for step in (0.012, 0.006, 0.003)
    ]
    assert orders(errors) == pytest.approx(4.0, abs=0.05) and errors[-1] < 1e-9


def test_errors_in_space_fall_faster_than_any_power() -> None:
    errors = []
    for n in (24, 36, 54):
        x = nodes(PERIOD, n)
        exact = transported(lambda points: np.sin(points[..., 0]), FLOW, x[:, None], 2.0)
        errors.append(np.abs(convection(np.sin(x), PERIOD, speed, np.array([2.0]), time_step=2e-3)[0] - exact).max())
    found = orders(errors) / np.log2(1.5)
    assert found[1] > found[0] + 2 and errors[-1] < 1e-6, errors


def test_diffusion_at_a_varying_speed_agrees_with_an_integrator_of_the_same_modes() -> None:
    """Of the dense matrix of a d/dx - nu d^2/dx^2 on trigonometric polynomials, by another method."""
    n, viscosity = 48, 0.05
    x = nodes(PERIOD, n)
    waves = np.fft.fftfreq(n, 1 / n)
    derivative = np.fft.ifft(1j * waves[:, None] * np.fft.fft(np.eye(n), axis=0), axis=0).real
    matrix = viscosity * derivative @ derivative - speed(x)[:, None] * derivative
    other = solve_ivp(lambda _, u: matrix @ u, (0, 1.5), np.exp(np.cos(x)), method="DOP853", rtol=1e-11, atol=1e-12)
    found = convection(np.exp(np.cos(x)), PERIOD, speed, np.array([1.5]), viscosity, time_step=2e-3)
    assert np.abs(found[0] - other.y[:, -1]).max() < 1e-8


def test_burgers_with_a_moving_front_is_exact_to_ten_digits() -> None:
    x, times = nodes(PERIOD, 2048), np.array([0.5, 1.0])
    found = conservation(50 + np.sin(x), PERIOD, BURGERS, times, 0.01, courant=0.25)
    exact = np.stack([sine_burgers(x[::16], time, 0.01, mean=50.0) for time in times])
    assert np.abs(found[:, ::16] - exact).max() < 1e-10


def test_the_standard_case_of_burgers_at_its_steepest() -> None:
    x, times = nodes(2.0, 2048) - 1.0, np.array([0.0, 0.4, 0.6])
    found = conservation(-np.sin(np.pi * x), 2.0, BURGERS, times, 0.01 / np.pi)
    assert np.abs(found[:, ::8] - standard_burgers(x[::8], times[:, None])).max() < 5e-8


def test_a_mean_speed_changes_nothing_but_the_place() -> None:
    """The frame of the mean makes the method invariant: the same steps, the same errors."""
    x, times = nodes(PERIOD, 128), np.array([1.0])
    still = conservation(np.sin(x), PERIOD, BURGERS, times, 0.05)[0]
    turns = PERIOD * 3
    moved = conservation(turns + np.sin(x), PERIOD, BURGERS, times, 0.05)[0]  # three times round
    assert np.abs(moved - turns - still).max() < 1e-12


def test_the_mean_is_conserved_and_steps_are_of_fourth_order() -> None:
    x = nodes(PERIOD, 256)
    exact, errors = sine_burgers(x, 1.0, 0.1, mean=0.5), []
    for step in (0.04, 0.02, 0.01):
        found = conservation(0.5 + np.sin(x), PERIOD, BURGERS, np.array([1.0]), 0.1, time_step=step)[0]
        assert abs(found.mean() - 0.5) < 1e-14
        errors.append(np.abs(found - exact).max())
    assert orders(errors) == pytest.approx(4.0, abs=0.15)


def test_laws_without_viscosity_are_solved_until_characteristics_cross() -> None:
    law = ConservationLaw(
        TrigonometricSeries(1.0, sines=(0.25,)), Flux(lambda u: u**3, lambda u: 3 * u**2, lambda u: 6 * u)
    )
    x, time = nodes(PERIOD, 512), 0.5 * law.first_crossing
    found = conservation(law.initial(x), PERIOD, law.flux, np.array([time]), courant=0.25)[0]
    assert np.abs(found - law.solution(x, time)).max() < 1e-9


def test_finite_volumes_of_another_flux_with_viscosity_agree() -> None:
    flux = Flux(lambda u: u**4 / 4, lambda u: u**3, lambda u: 3 * u**2)
    times = np.array([1.0])
    centres = (np.arange(256) + 0.5) * PERIOD / 256
    averages = finite_volumes(cell_averages(np.sin, PERIOD, 256), PERIOD, flux, times, 0.05, courant=0.3)
    found = conservation(np.sin(centres), PERIOD, flux, times, 0.05)
    assert np.abs(found - centre_values(averages)).max() < 1e-4


def test_times_are_those_asked_for_and_equal_times_need_no_step() -> None:
    x = nodes(PERIOD, 64)
    found = convection(np.sin(x), PERIOD, speed, np.array([0.0, 0.0, 0.5, 0.5]))
    assert found.shape == (4, 64) and np.array_equal(found[0], found[1]) and np.array_equal(found[2], found[3])
    assert np.abs(found[0] - np.sin(x)).max() < 1e-15


def test_a_linear_flux_is_convection() -> None:
    x, times = nodes(PERIOD, 32), np.array([0.7])
    linear = Flux(lambda u: 3.0 * u, lambda u: 3.0 + 0.0 * u, lambda u: 0.0 * u)
    both = conservation(np.sin(x), PERIOD, linear, times, 0.1), convection(np.sin(x), PERIOD, 3.0, times, 0.1)
    assert np.abs(both[0] - both[1]).max() < 1e-14


def test_a_constant_stays_a_constant() -> None:
    assert np.abs(conservation(np.full(32, 2.0), PERIOD, BURGERS, np.array([1.0])) - 2.0).max() < 1e-14
    assert np.abs(convection(np.full(32, 2.0), PERIOD, speed, np.array([1.0])) - 2.0).max() < 1e-14


def test_too_few_modes_for_a_shock_are_said_to_be_too_few() -> None:
    x = nodes(PERIOD, 64)
    with pytest.raises(DivergenceError, match="more values"):
        conservation(1e3 * np.sin(x), PERIOD, Flux(lambda u: u**5, lambda u: 5 * u**4, lambda u: 20 * u**3), np.ones(1),
                     time_step=0.01)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"initial": np.zeros((4, 4))}, r"is \(4, 4\), expected \(n,\)"),
        ({"initial": np.array([1.0, np.nan, 0.0, 1.0])}, "not finite"),
        ({"times": np.array([1.0, 0.5])}, "rising"),
        ({"times": np.array([])}, "rising"),
        ({"viscosity": -1.0}, "viscosity .* is -1.0, expected a number of at least 0"),
        ({"courant": 0.0}, "Courant"),
        ({"time_step": 0.0}, "time step"),
        ({"period": np.inf}, "period"),
        ({"speed": lambda x: x / 0.0 * np.inf}, "speed"),
    ],
)
def test_wrong_arguments_are_sentences(changes: dict, said: str) -> None:
    given = {"initial": np.zeros(8), "period": 1.0, "speed": 1.0, "times": np.ones(1), **changes}
    with pytest.raises(InputError, match=said), np.errstate(all="ignore"):
        convection(**given)
