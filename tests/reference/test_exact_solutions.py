"""Exact solutions satisfy their equations: derivatives by automatic differentiation of the same formulas on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import grad, hessian, jacrev, vmap

from sciml.errors import InputError
from sciml.reference.advection_diffusion_exact import decaying_sines, spreading_gaussian, travelling_gaussian
from sciml.reference.incompressible_taylor_green import decaying_taylor_green, translating_taylor_green

MODES = [((1, 2), 1.0), ((3, 1), -0.4)]


def cloud(dimension: int, count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, dimension))


def rate(field, time: float, gap: float = 1e-3) -> np.ndarray:
    """Derivative by time, of sixth order."""
    weights = {1: 0.75, 2: -0.15, 3: 1 / 60}
    return sum(w * (field(time + k * gap) - field(time - k * gap)) for k, w in weights.items()) / gap


def laplacian(field, x: np.ndarray) -> np.ndarray:
    return vmap(hessian(field))(torch.from_numpy(x)).diagonal(dim1=-2, dim2=-1).sum(-1).numpy()


@pytest.mark.parametrize("drift", [(0.0, 0.0), (0.7, -0.3)])
def test_taylor_green_satisfies_the_vorticity_equation(drift) -> None:
    nu, t, x = 0.03, 0.4, cloud(2)

    def vorticity(point, time=t):
        jacobian = jacrev(lambda p: translating_taylor_green(p, time, nu, drift))(point)
        return jacobian[1, 0] - jacobian[0, 1]

    samples = torch.from_numpy(x)
    change = rate(lambda s: vmap(lambda p: vorticity(p, s))(samples).numpy(), t)
    slope = vmap(grad(vorticity))(samples).numpy()
    transport = (translating_taylor_green(x, t, nu, drift) * slope).sum(-1)
    assert np.abs(change + transport - nu * laplacian(vorticity, x)).max() < 1e-10
    jacobian = vmap(jacrev(lambda p: translating_taylor_green(p, t, nu, drift)))(samples)
    assert jacobian.diagonal(dim1=1, dim2=2).sum(-1).abs().max() < 1e-14


def test_without_wind_taylor_green_decays_in_place() -> None:
    x = cloud(2)
    still = translating_taylor_green(x, 0.4, 0.03, (0.0, 0.0))
    assert np.abs(still - decaying_taylor_green(x, 0.4, 0.03)).max() < 1e-16
    expected = np.exp(-0.4 * 0.03 * 2 * np.pi**2) * decaying_taylor_green(x, 0.0, 0.03)
    assert np.abs(still - expected).max() < 1e-15


def test_the_wind_carries_the_vortices_once_around_the_periodic_box() -> None:
    x = cloud(2)
    assert (
        np.abs(translating_taylor_green(x, 2.0, 0.0, (1, 2)) - translating_taylor_green(x, 0, 0, (1, 2))).max() < 1e-14
    )


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_a_gaussian_travels_with_the_flow(dimension: int) -> None:
    centre, velocity, x = np.linspace(-0.5, 0.2, dimension), np.linspace(0.1, 0.9, dimension), cloud(dimension)
    moved = travelling_gaussian(x, 0.7, centre, 0.3, velocity)
    assert np.abs(moved - np.exp(-((x - 0.7 * velocity - centre) ** 2).sum(-1) / 0.18)).max() < 1e-15
    assert isinstance(travelling_gaussian(torch.from_numpy(x), 0.7, centre, 0.3, velocity), torch.Tensor)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_gaussian_spreads_as_the_heat_equation_says(dimension: int) -> None:
    centre, x, t, d = [0.1] * dimension, cloud(dimension), 0.3, 0.05
    change = rate(lambda s: spreading_gaussian(x, s, centre, 0.4, d), t)
    assert np.abs(change - d * laplacian(lambda p: spreading_gaussian(p, t, centre, 0.4, d), x)).max() < 1e-11


def test_a_spreading_gaussian_keeps_its_integral() -> None:
    x = np.linspace(-8, 8, 4001)[:, None]
    for t in (0.0, 0.5, 3.0):
        u = spreading_gaussian(x, t, [0.2], 0.4, 0.3)
        assert u.sum() * 16 / 4000 == pytest.approx(0.4 * np.sqrt(2 * np.pi), rel=1e-6)


def test_sines_decay_as_the_heat_equation_says_and_vanish_on_the_boundary() -> None:
    lower, upper, t, d = (-1.0, 0.0), (1.0, 0.5), 0.1, 0.05

    def field(points, time=t):
        return decaying_sines(points, time, MODES, d, lower, upper)

    x = 0.5 * (np.array(lower) + upper) + 0.5 * (np.array(upper) - lower) * cloud(2)
    assert np.abs(rate(lambda s: field(x, s), t) - d * laplacian(field, x)).max() < 1e-9
    for axis in (0, 1):
        for wall in (lower[axis], upper[axis]):
            edge = x.copy()
            edge[:, axis] = wall
            assert np.abs(field(edge)).max() < 1e-15


def test_what_makes_no_sense_is_refused() -> None:
    x = cloud(2)
    for wrong in (
        lambda: travelling_gaussian(x, 0.0, [0.0], 0.1, [1.0, 1.0]),
        lambda: spreading_gaussian(x, 0.0, [0.0, 0.0], 0.0, 1.0),
        lambda: spreading_gaussian(x, -1.0, [0.0, 0.0], 0.1, 1.0),
        lambda: decaying_sines(x, 0.0, [], 1.0, (0, 0), (1, 1)),
        lambda: decaying_sines(x, 0.0, [((1,), 1.0)], 1.0, (0, 0), (1, 1)),
        lambda: decaying_sines(x, 0.0, MODES, 1.0, (0, 0), (1, 0)),
        lambda: translating_taylor_green(x, 0.0, 0.0, (1.0,)),
    ):
        with pytest.raises(InputError):
            wrong()
