"""Finite volumes: fifth order where things are smooth, first order in the mean at shocks, conservation, no wiggles."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.advection_flow_maps import SineSpeed, transported
from sciml.reference.burgers_cole_hopf import periodic_burgers
from sciml.reference.conservation_laws_entropy import BURGERS, ConservationLaw, Flux
from sciml.reference.conservation_laws_finite_volumes import (
    FLUXES,
    cell_averages,
    centre_values,
    conservation,
    face_states,
    transport,
)
from sciml.reference.trigonometric_series import TrigonometricSeries

PERIOD = 2 * np.pi
LAW = ConservationLaw(TrigonometricSeries(0.5, cosines=(0.0, 0.3), sines=(1.0,)))
CUBIC = Flux(lambda u: u**3, lambda u: 3 * u**2, lambda u: 6 * u)
each_flux = pytest.mark.parametrize("numerical_flux", FLUXES)


def orders(errors: list[float]) -> np.ndarray:
    return np.log2(np.divide(errors[:-1], errors[1:]))


def sine_average(n: int, shift: float = 0.0) -> np.ndarray:
    edges = np.linspace(0, PERIOD, n + 1) - shift
    return -np.diff(np.cos(edges)) * n / PERIOD


def edges(n: int) -> np.ndarray:
    return np.linspace(0, PERIOD, n + 1)


def test_states_at_faces_are_of_fifth_order() -> None:
    errors = []
    for n in (40, 80, 160):
        left, right = face_states(cell_averages(lambda x: np.exp(np.sin(x)), PERIOD, n))
        exact = np.exp(np.sin(edges(n)[1:]))
        errors.append(max(np.abs(left - exact).max(), np.abs(right - exact).max()))
    assert np.all(orders(errors) > 4.85), errors


def test_values_at_centres_are_of_sixth_order() -> None:
    errors = []
    for n in (20, 40, 80):
        centres = (np.arange(n) + 0.5) * PERIOD / n
        errors.append(np.abs(centre_values(cell_averages(np.sin, PERIOD, n)) - np.sin(centres)).max())
    assert np.allclose(orders(errors), 6.0, atol=0.1)


def test_averages_are_exact_for_polynomials_and_waves() -> None:
    assert np.abs(cell_averages(np.sin, PERIOD, 24) - sine_average(24)).max() < 1e-14


def test_states_at_a_jump_stay_between_the_values_on_both_sides() -> None:
    step = (np.abs(np.arange(50) - 25) < 10) * 1.0
    for states in face_states(step):
        assert states.min() > -1e-4 and states.max() < 1 + 1e-4


def test_transport_of_a_wave_is_of_fifth_order() -> None:
    """With steps that shrink faster than the cells, so that the third order of time does not show."""
    errors = []
    for n in (32, 64, 128):
        u = transport(sine_average(n), PERIOD, 1.0, np.array([1.0]), courant=0.5 * (32 / n) ** (2 / 3))[0]
        errors.append(np.abs(u - sine_average(n, 1.0)).max())
    assert np.all(orders(errors) > 4.8) and errors[-1] < 1e-7, errors


def test_steps_at_a_fixed_courant_number_are_of_third_order() -> None:
    errors = []
    for n in (128, 256, 512):
        u = transport(sine_average(n), PERIOD, 1.0, np.array([1.0]), courant=1.0)[0]
        errors.append(np.abs(u - sine_average(n, 1.0)).max())
    assert orders(errors)[-1] == pytest.approx(3.0, abs=0.1)


def test_flow_to_the_left_mirrors_flow_to_the_right() -> None:
    start = cell_averages(LAW.initial, PERIOD, 50)
    right, left = transport(start, PERIOD, 1.0, np.ones(1)), transport(start[::-1], PERIOD, -1.0, np.ones(1))
    assert np.abs(left[0, ::-1] - right[0]).max() < 1e-14


def test_transport_at_variable_speed_follows_its_characteristics() -> None:
    """In the conservative form a u is carried: after one turn around the circle everything is back."""

    def speed(x):
        return 1 + 0.5 * np.sin(x)

    turn = PERIOD / np.sqrt(0.75)  # the time once around
    errors = []
    for n in (40, 80, 160):
        start = cell_averages(lambda x: (2 + np.sin(x - 1)) / speed(x), PERIOD, n)
        u = transport(start, PERIOD, speed, np.array([0.4 * turn, turn]), courant=0.6 * (40 / n) ** (2 / 3))
        assert np.abs(u.mean(1) - start.mean()).max() < 1e-13
        errors.append(np.abs(u[1] - start).max())
    assert np.all(orders(errors) > 4.3), errors


def test_the_quotient_by_the_speed_is_carried_as_characteristics_say() -> None:
    """dv/dt + a dv/dx = 0 by way of u = v / a, against the flow map in closed form."""
    motion, n = SineSpeed(1.0, 0.5), 256
    x = (np.arange(n) + 0.5) * PERIOD / n
    speed = TrigonometricSeries(1.0, sines=(0.5,))
    u = transport(cell_averages(lambda x: np.sin(x) / speed(x), PERIOD, n), PERIOD, speed, np.array([2.0]), courant=0.2)
    exact = transported(lambda points: np.sin(points[..., 0]), motion, x[:, None], 2.0)
    assert np.abs(centre_values(u[0]) * speed(x) - exact).max() < 1e-5


@each_flux
def test_burgers_before_the_shock_is_of_fifth_order(numerical_flux: str) -> None:
    errors = []
    for n in (64, 128, 256):
        start = cell_averages(LAW.initial, PERIOD, n)
        courant = 0.5 * (64 / n) ** (2 / 3)
        u = conservation(start, PERIOD, BURGERS, np.array([0.3]), courant=courant, numerical_flux=numerical_flux)[0]
        errors.append(np.abs(u - LAW.cell_averages(edges(n), 0.3)).mean())
    assert np.all(orders(errors) > 4.9) and errors[-1] < 5e-8, errors


@each_flux
def test_past_the_shock_the_mean_error_is_of_first_order(numerical_flux: str) -> None:
    """Against the exact averages; at the shock itself few cells err."""
    errors = []
    for n in (50, 100, 200, 400):
        start = cell_averages(LAW.initial, PERIOD, n)
        u = conservation(start, PERIOD, BURGERS, np.array([2.0]), numerical_flux=numerical_flux)[0]
        exact = LAW.cell_averages(edges(n), 2.0)
        errors.append(np.abs(u - exact).mean())
        assert errors[-1] * n < 0.5 and (np.abs(u - exact) > 5e-3).sum() <= 4
    assert np.log2(errors[0] / errors[-1]) / 3 > 0.8, errors


@each_flux
@pytest.mark.parametrize("viscosity", [0.0, 0.01])
def test_the_mean_is_conserved_to_rounding(numerical_flux: str, viscosity: float) -> None:
    start = cell_averages(LAW.initial, PERIOD, 100)
    u = conservation(start, PERIOD, BURGERS, np.array([0.5, 2.0]), viscosity, numerical_flux=numerical_flux)
    assert np.abs(u.mean(1) - start.mean()).max() < 1e-14


@each_flux
def test_a_shock_does_not_overshoot(numerical_flux: str) -> None:
    start = cell_averages(lambda x: np.where(np.abs(x - 2) < 1, 1.0, -0.5), PERIOD, 200)
    u = conservation(start, PERIOD, BURGERS, np.linspace(0.1, 2, 5), numerical_flux=numerical_flux)
    assert u.max() < 1 + 1e-3 and u.min() > -0.5 - 1e-3
    assert np.abs(np.diff(u, axis=1, append=u[:, :1])).sum(1).max() < 3.0 + 5e-3


@each_flux
def test_a_rarefaction_through_the_sonic_state_has_no_jump(numerical_flux: str) -> None:
    """From -1 to 1 it opens as x / t; a scheme that violates entropy would keep the jump."""
    start = cell_averages(lambda x: np.where((x > 2) & (x < 5), 1.0, -1.0), PERIOD, 400)
    u = conservation(start, PERIOD, BURGERS, np.array([0.8]), numerical_flux=numerical_flux)[0]
    x = (np.arange(400) + 0.5) * PERIOD / 400
    fan = np.abs(x - 2) < 0.6
    assert np.abs(u[fan] - (x[fan] - 2) / 0.8).max() < 0.01


def test_other_convex_fluxes_agree_with_their_entropy_solution() -> None:
    law = ConservationLaw(TrigonometricSeries(1.5, sines=(1.0,)), CUBIC)
    time = 1.5 * law.first_crossing
    u = conservation(cell_averages(law.initial, PERIOD, 200), PERIOD, CUBIC, np.array([time]))[0]
    assert np.abs(u - law.cell_averages(edges(200), time)).mean() < 5e-3


def test_a_flux_that_is_not_convex_is_solved_with_the_flux_for_any() -> None:
    """u^3 from a jump between -1 and 1: a shock to -1/2 with a fan behind it, the entropy solution."""
    start = cell_averages(lambda x: np.where((x > 1) & (x < 4), 1.0, -1.0), PERIOD, 400)
    u = conservation(start, PERIOD, CUBIC, np.array([0.2]), numerical_flux="lax_friedrichs")[0]
    x = (np.arange(400) + 0.5) * PERIOD / 400
    speed = (x - 4) / 0.2
    exact = np.where(speed < 0.75, 1.0, -1.0)
    fan = (speed > 0.75) & (speed < 3.0)
    exact[fan] = -np.sqrt(speed[fan] / 3)
    near = x > 3.5
    assert np.abs(u - exact)[near].mean() < 0.02


def test_viscous_burgers_agrees_with_the_exact_solution_to_fourth_order() -> None:
    errors = []
    for n in (128, 256):
        start = cell_averages(LAW.initial, PERIOD, n)
        u = centre_values(conservation(start, PERIOD, BURGERS, np.array([1.0]), 0.1))[0]
        x = (np.arange(n) + 0.5) * PERIOD / n
        errors.append(np.abs(u - periodic_burgers(x, 1.0, 0.1, LAW.initial)).max())
    assert np.all(orders(errors) > 3.7) and errors[-1] < 4e-6, errors


def test_diffusion_alone_decays_at_the_rate_of_the_wave() -> None:
    errors = []
    for n in (16, 32):
        u = transport(sine_average(n), PERIOD, 0.0, np.array([1.0]), viscosity=0.5)[0]
        errors.append(np.abs(u - np.exp(-0.5) * sine_average(n)).max())
    assert orders(errors)[0] == pytest.approx(4.0, abs=0.2)


def test_scaling_the_start_scales_the_solution_of_the_linear_equation() -> None:
    start = cell_averages(LAW.initial, PERIOD, 64)
    small, large = (transport(factor * start, PERIOD, 1.0, np.ones(1))[0] / factor for factor in (1e-6, 1e6))
    assert np.abs(small - large).max() < 1e-12


def test_what_makes_no_sense_is_refused() -> None:
    start, times = sine_average(20), np.array([0.1])
    for change in (
        {"initial": start[:4]},
        {"initial": start.reshape(4, 5)},
        {"initial": start * np.nan},
        {"period": 0.0},
        {"times": np.array([0.2, 0.1])},
        {"times": np.array([-0.1])},
        {"viscosity": -1.0},
        {"courant": 0.0},
        {"numerical_flux": "roe"},
    ):
        arguments = {"initial": start, "period": PERIOD, "flux": BURGERS, "times": times} | change
        with pytest.raises(InputError):
            conservation(**arguments)
    with pytest.raises(InputError, match="lax_friedrichs"):
        conservation(start, PERIOD, CUBIC, times)
    with pytest.raises(InputError):
        transport(start, PERIOD, np.nan, times)
