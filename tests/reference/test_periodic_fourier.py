"""Equations on periodic boxes: exact solutions, orders of convergence, conservation."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.periodic_fourier import advection, burgers, heat, random_field

TIMES = np.array([0.0, 0.1, 0.5])


def nodes(n: int) -> np.ndarray:
    return np.arange(n) / n


def test_a_single_wave_decays_as_the_heat_equation_says() -> None:
    x, y = np.meshgrid(nodes(16), nodes(12), indexing="ij")
    start = np.cos(2 * np.pi * (2 * x - 3 * y))
    u = heat(start, 0.02, TIMES)
    exact = np.exp(-0.02 * 13 * (2 * np.pi) ** 2 * TIMES)[:, None, None] * start
    assert np.abs(u - exact).max() < 1e-14


def test_a_smooth_bump_spreads_as_the_heat_kernel() -> None:
    """A Gaussian of variance s stays one, of variance s + 2 D t, as long as its images on the circle are far away."""
    x = nodes(128) - 0.5
    u = heat(np.exp(-(x**2) / (2 * 1e-3)), 1e-3, np.array([1.0]))[0]
    exact = sum(np.sqrt(1e-3 / 3e-3) * np.exp(-((x - k) ** 2) / (2 * 3e-3)) for k in (-1, 0, 1))
    assert np.abs(u - exact).max() < 1e-12


def test_advection_moves_a_function_without_changing_it() -> None:
    x, y, z = np.meshgrid(nodes(12), nodes(10), nodes(9), indexing="ij")

    def wave(x, y, z):
        return np.sin(2 * np.pi * (x + 2 * y)) + np.cos(2 * np.pi * (y - 3 * z))

    u = advection(wave(x, y, z), (0.3, -0.7, 1.1), TIMES)
    exact = np.stack([wave(x - 0.3 * t, y + 0.7 * t, z - 1.1 * t) for t in TIMES])
    assert np.abs(u - exact).max() < 1e-13
    assert np.abs((u**2).mean((1, 2, 3)) - (u[0] ** 2).mean()).max() < 1e-13


def test_advection_by_whole_cells_is_a_shift_of_the_values() -> None:
    start = random_field((17,), np.random.default_rng(0))
    assert np.abs(advection(start, (3 / 17,), np.array([1.0]))[0] - np.roll(start, 3)).max() < 1e-13


def cole_hopf(start: np.ndarray, viscosity: float, times: np.ndarray) -> np.ndarray:
    """The exact solution of Burgers' equation: u = -2 nu phi_x / phi, where phi solves the heat equation."""
    wave = 2j * np.pi * np.fft.fftfreq(len(start), 1 / len(start))
    spectrum = np.fft.fft(start)
    assert abs(spectrum[0]) < 1e-9  # else phi is not periodic
    potential = np.fft.ifft(np.divide(spectrum, wave, out=np.zeros_like(wave), where=wave != 0)).real
    phi = heat(np.exp(-potential / (2 * viscosity)), viscosity, times)
    return -2 * viscosity * np.fft.ifft(wave * np.fft.fft(phi, axis=1), axis=1).real / phi


def test_burgers_equals_the_cole_hopf_solution() -> None:
    start = random_field((256,), np.random.default_rng(0))
    u = burgers(start, 0.05, TIMES, 1e-4)
    assert np.abs(u - cole_hopf(start, 0.05, TIMES)).max() < 1e-11


def test_burgers_converges_with_the_fourth_order_of_its_time_step() -> None:
    start = random_field((128,), np.random.default_rng(1))
    exact = cole_hopf(start, 0.05, TIMES)
    errors = [np.abs(burgers(start, 0.05, TIMES, step) - exact).max() for step in (4e-3, 2e-3, 1e-3)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 4.0) < 0.3), orders


def test_burgers_keeps_the_mean_and_moves_with_it() -> None:
    """Galilei: with u + c at the start, the solution is u(x - c t, t) + c."""
    start = random_field((128,), np.random.default_rng(2))
    still, moving = burgers(start, 0.05, TIMES, 5e-4), burgers(start + 0.5, 0.05, TIMES, 5e-4)
    shifted = np.stack([advection(u, (0.5,), np.array([t]))[0] for u, t in zip(still, TIMES, strict=True)])
    assert np.abs(moving - shifted - 0.5).max() < 1e-8
    assert np.abs(moving.mean(axis=1) - 0.5).max() < 1e-14


def test_burgers_loses_energy_at_the_rate_of_its_dissipation() -> None:
    """d/dt of the mean of u^2 / 2 is -nu times the mean of u_x^2; Simpson's rule integrates it."""
    start, times = random_field((256,), np.random.default_rng(3)), np.linspace(0, 0.2, 201)
    u = burgers(start, 0.02, times, 2e-4)
    slope = np.fft.irfft(2j * np.pi * np.arange(129) * np.fft.rfft(u, axis=1), 256, axis=1)
    rate = 0.02 * (slope**2).mean(axis=1)
    weights = np.r_[1, np.tile([4, 2], 99), 4, 1] / 3 * 1e-3
    lost = (start**2).mean() / 2 - (u[-1] ** 2).mean() / 2
    assert lost > 0.01 and weights @ rate == pytest.approx(lost, rel=1e-6)


def test_a_random_field_is_one_function_at_every_resolution() -> None:
    coarse, fine = (random_field((n, n), np.random.default_rng(5)) for n in (12, 36))
    assert np.abs(coarse - fine[::3, ::3]).max() < 1e-13
    assert abs(fine.mean()) < 1e-14 and (fine**2).mean() == pytest.approx(1.0)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError):
        random_field((8,), np.random.default_rng(0))
    with pytest.raises(InputError):
        advection(np.zeros((9, 9)), (1.0,), TIMES)
