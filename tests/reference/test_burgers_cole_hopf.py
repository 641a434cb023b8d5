"""Burgers' equation solved exactly: the equation itself, its limits, conservation, and agreement with other methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

from sciml.errors import InputError
from sciml.reference import burgers_cole_hopf, periodic_fourier
from sciml.reference.burgers_cole_hopf import periodic_burgers, sine_burgers, standard_burgers
from sciml.reference.trigonometric_series import TrigonometricSeries

X = np.linspace(0, 2 * np.pi, 64, endpoint=False)
T = np.linspace(0, 1, 6)[:, None]
START = TrigonometricSeries(0.3, cosines=(0.0, 0.3), sines=(1.0,))
FIRST = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60  # derivatives of sixth order
SECOND = np.array([2, -27, 270, -490, 270, -27, 2]) / 180


@pytest.mark.parametrize(("viscosity", "mean"), [(0.1, 0.0), (0.01, 0.0), (0.01, 50.0)])
def test_differences_of_the_solution_satisfy_the_equation(viscosity: float, mean: float) -> None:
    h, offsets = 1e-3, np.arange(-3, 4)
    t = np.array([0.2, 0.6, 1.0])[:, None]
    along = sine_burgers((X + mean * t)[..., None] + h * offsets, t[..., None], viscosity, mean)
    step = h / (1 + mean)
    across = sine_burgers((X + mean * t)[..., None], t[..., None] + step * offsets, viscosity, mean)
    residual = across @ FIRST / step + along[..., 3] * (along @ FIRST) / h - viscosity * (along @ SECOND) / h**2
    assert np.abs(residual).max() < (1e-7 if mean == 0.0 else 1e-6)  # rates, and their rounding, grow with the speed


def test_the_exact_derivatives_of_the_solution_satisfy_the_equation() -> None:
    def u(x, t):
        return periodic_burgers(x, t, 0.01, START)

    u_t, u_x, u_xx = grad(u, 1), grad(u), grad(grad(u))
    x, t = (
        a.reshape(-1)
        for a in torch.meshgrid(torch.from_numpy(X[::4]), torch.tensor([0.1, 0.7, 1.5]).double(), indexing="ij")
    )
    residual = vmap(lambda x, t: u_t(x, t) + u(x, t) * u_x(x, t) - 0.01 * u_xx(x, t))(x, t)
    assert residual.abs().max() < 1e-11


def test_at_the_start_the_solution_is_the_start() -> None:
    assert np.abs(periodic_burgers(X, 0.0, 0.01, START) - START(X)).max() < 1e-14
    early = [np.abs(periodic_burgers(X, t, 0.01, START) - START(X)).max() for t in (1e-12, 1e-6)]
    assert early[0] < 1e-11 and early[1] < 1e-5


@pytest.mark.parametrize("viscosity", [0.1, 0.05, 0.01])
def test_twice_as_many_nodes_change_nothing(viscosity: float) -> None:
    coarse, fine = (sine_burgers(X, T, viscosity, nodes=n) for n in (2001, 4001))
    assert np.abs(coarse - fine).max() < 2e-15


def test_large_viscosity_leaves_a_decaying_sine() -> None:
    """The nonlinear term is smaller than diffusion by the factor 1 / nu."""
    t, errors = 0.5, []
    for viscosity in (10.0, 20.0, 40.0):
        time = t / viscosity
        errors.append(np.abs(sine_burgers(X, time, viscosity) - np.exp(-t) * np.sin(X)).max() * viscosity)
    assert errors[-1] == pytest.approx(errors[0], rel=0.01) and errors[0] < 0.5


def test_the_mean_is_conserved() -> None:
    x = np.linspace(0, 2 * np.pi, 512, endpoint=False)
    assert np.abs(periodic_burgers(x, T, 0.05, START).mean(axis=1) - 0.3).max() < 1e-14


def test_the_mean_only_moves_the_solution() -> None:
    moving = sine_burgers(X + 50.0 * T, T, 0.01, mean=50.0)
    assert np.abs(moving - 50.0 - sine_burgers(X, T, 0.01)).max() < 1e-12


def test_amplitude_and_time_scale_together() -> None:
    assert np.abs(sine_burgers(X, T, 0.02, amplitude=2.0) - 2.0 * sine_burgers(X, 2.0 * T, 0.01)).max() < 1e-14
    assert np.abs(sine_burgers(X, T, 0.02, amplitude=-1.0) - sine_burgers(X + np.pi, T, 0.02)).max() < 1e-14


def test_without_viscosity_in_the_limit_the_front_is_the_exact_one() -> None:
    """Tangent hyperbolic of strength u near the front, u being the inviscid solution beside it: sin(pi - u t) = u."""
    viscosity, t = 1e-4, 2.0
    strength = 0.0
    for _ in range(200):
        strength = 0.5 * (strength + np.sin(np.pi - strength * t) if strength else 1.0)
    strength = abs(strength)
    x = np.linspace(-3, 3, 13) * viscosity
    profile = -strength * np.tanh(strength * x / (2 * viscosity))
    assert np.abs(sine_burgers(np.pi + x, t, viscosity, nodes=4001) - profile).max() < 2e-3


def test_fourier_series_in_space_agree() -> None:
    """On the box [0, 1] they solve: x = 2 pi s makes viscosity and speed smaller by 2 pi."""
    s = np.arange(512) / 512
    times = np.array([0.5, 1.0])
    start = START(2 * np.pi * s) / (2 * np.pi)
    fourier = 2 * np.pi * periodic_fourier.burgers(start, 0.05 / (2 * np.pi) ** 2, times, 1e-3)
    assert np.abs(fourier - periodic_burgers(2 * np.pi * s, times[:, None], 0.05, START)).max() < 1e-10


def test_the_table_of_the_standard_case_agrees(reference_data: Path) -> None:
    path = reference_data / "burgers" / "Burgers.npz"
    if not path.is_file():
        pytest.skip("no file burgers/Burgers.npz among the reference data")
    with np.load(path) as table:
        x, t, u = table["x"], table["t"][::9].T, table["usol"][:, ::9]
    assert np.abs(standard_burgers(x, t) - u).max() < 1e-10


def test_the_standard_case_is_zero_at_both_ends_and_odd() -> None:
    x, t = np.linspace(-1, 1, 41), np.array([0.25, 0.5, 1.0])[:, None]
    u = standard_burgers(x, t)
    assert np.abs(u[:, [0, -1]]).max() < 1e-14 and np.abs(u + u[:, ::-1]).max() < 1e-12
    # the steepest slope, at t = 1.6037 / pi, as published by Basdevant et al.
    h = 1e-5
    slope = float(standard_burgers(np.array(h), 1.6037 / np.pi)) / h
    assert slope == pytest.approx(-152.00516, rel=1e-5)


def test_fields_of_any_shape_and_torch_tensors_give_the_same() -> None:
    x, t = np.random.default_rng(0).uniform(0, 6, (3, 200)), np.linspace(0, 1, 200)
    assert x.size > 2 * burgers_cole_hopf.BLOCK
    field = sine_burgers(x, t, 0.05, 0.5)
    alone = np.array([[sine_burgers(a, b, 0.05, 0.5) for a, b in zip(row, t, strict=True)] for row in x])
    assert np.abs(field - alone).max() < 1e-15
    assert np.abs(sine_burgers(torch.from_numpy(x), torch.from_numpy(t), 0.05, 0.5).numpy() - field).max() < 1e-14


def test_what_makes_no_sense_is_refused() -> None:
    for viscosity in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="conservation"):
            sine_burgers(X, T, viscosity)
    for times in (-0.1, np.inf, np.nan):
        with pytest.raises(InputError):
            sine_burgers(X, times, 0.1)
    with pytest.raises(InputError, match="take at least"):
        sine_burgers(X, 1.0, 1e-4, nodes=101)
