"""Flow in a periodic square: steady, decaying and travelling flows, conservation, orders, another code, symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import DivergenceError, InputError
from sciml.reference.incompressible_spectral import flow_in_box
from sciml.reference.vorticity import random_vorticity, unresolved_share, velocity, vorticity_flow


def nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(count) / count, np.arange(count) / count, indexing="ij")


def start(count: int = 32, seed: int = 0) -> np.ndarray:
    return random_vorticity(count, np.random.default_rng(seed), 1.5)


def test_the_velocity_has_the_vorticity_and_no_divergence() -> None:
    w = start()
    x, y = (2j * np.pi * k for k in np.meshgrid(*(np.fft.fftfreq(32, 1 / 32),) * 2, indexing="ij"))
    u, v = (np.fft.fft2(part) for part in np.moveaxis(velocity(w), -1, 0))
    assert np.abs(np.fft.ifft2(x * v - y * u).real - w).max() < 1e-13
    assert np.abs(np.fft.ifft2(x * u + y * v)).max() < 1e-14
    assert np.abs(velocity(w).mean((0, 1))).max() < 1e-16


def test_waves_of_one_wave_number_only_decay() -> None:
    """Each field with Laplace's operator as a factor is steady for the Euler equations, of any phase."""
    x, y = nodes(24)
    w = np.cos(2 * np.pi * (3 * x + 4 * y)) + 2 * np.sin(2 * np.pi * (5 * x)) - np.cos(2 * np.pi * (4 * x - 3 * y) + 1)
    flow = vorticity_flow(w, 1e-3, [0.0, 1.0], 0.1)
    assert np.abs(flow[0] - w).max() < 1e-13
    assert np.abs(flow[1] - np.exp(-1e-3 * 25 * (2 * np.pi) ** 2) * w).max() < 1e-13


def test_a_flow_between_walls_of_symmetry_is_that_of_the_code_for_a_box() -> None:
    """Sines along both axes: a quarter of the square is a box with slip walls, four times smaller than [-1, 1]^2."""

    def vorticity(points: np.ndarray) -> np.ndarray:
        x, y = np.moveaxis(points, -1, 0)
        return np.sin(2 * np.pi * x) * np.sin(4 * np.pi * y) + np.sin(4 * np.pi * x) * np.sin(2 * np.pi * y)

    x, y = nodes(64)
    periodic = vorticity_flow(vorticity(np.stack([x, y], -1)), 1e-3, [2.0], 0.05)[0]
    inside = np.stack([x, y], -1)[:32, :32].reshape(-1, 2)
    box = flow_in_box(lambda points: vorticity((points + 1) / 4), 32, [2.0], 0.05, 16e-3)
    assert np.abs(box.vorticity(0, 4 * inside - 1) - periodic[:32, :32].reshape(-1)).max() < 1e-7
    assert np.abs(periodic - vorticity(np.stack([x, y], -1))).max() > 0.3


def test_inviscid_flow_keeps_energy_enstrophy_and_mean_even_where_it_is_not_resolved() -> None:
    flow = vorticity_flow(3 * start(), 0.0, [0.0, 2.5, 5.0], 0.01)
    energy = (velocity(flow) ** 2).sum(-1).mean((1, 2))
    enstrophy = (flow**2).mean((1, 2))
    assert unresolved_share(flow)[-1] > 0.01
    assert np.abs(energy / energy[0] - 1).max() < 1e-6 and np.abs(enstrophy / enstrophy[0] - 1).max() < 1e-5
    assert np.abs(flow.mean((1, 2))).max() < 1e-15


def test_viscous_flow_loses_energy_at_the_rate_of_its_enstrophy() -> None:
    """The mean of (u^2 + v^2) / 2 falls at the rate nu times that of the squared vorticity; by Simpson's rule."""
    times = np.linspace(0, 1, 41)
    flow = vorticity_flow(start(), 0.01, times, 0.025)
    energy = 0.5 * (velocity(flow) ** 2).sum(-1).mean((1, 2))
    weights = np.r_[1, np.tile([4, 2], 19), 4, 1] / 3 * times[1]
    assert energy[0] - energy[-1] == pytest.approx(0.01 * weights @ (flow**2).mean((1, 2)), rel=1e-7)


@pytest.mark.parametrize("viscosity", [0.0, 1e-3])
def test_time_steps_have_order_four(viscosity: float) -> None:
    flows = [vorticity_flow(start(24), viscosity, [1.0], step) for step in (0.1, 0.05, 0.025, 0.00625)]
    errors = [np.abs(flow - flows[-1]).max() for flow in flows[:-1]]
    assert np.allclose(np.log2(np.divide(errors[:-1], errors[1:])), 4.0, atol=0.3), errors


def test_more_modes_converge_faster_than_any_power() -> None:
    flows = [
        vorticity_flow(start(count), 1e-3, [2.0], 0.04)[0][:: count // 16, :: count // 16]
        for count in (16, 32, 64, 128)
    ]
    errors = [np.linalg.norm(flow - flows[-1]) / np.linalg.norm(flows[-1]) for flow in flows[:-1]]
    assert errors[2] < 1e-8 and errors[0] / errors[1] > 10 and errors[1] / errors[2] > 100 * errors[0] / errors[1], (
        errors
    )


def test_a_shifted_or_turned_start_gives_the_shifted_or_turned_flow() -> None:
    w = start()
    flow = vorticity_flow(w, 1e-3, [1.0], 0.05)[0]
    shifted = vorticity_flow(np.roll(w, (5, -3), (0, 1)), 1e-3, [1.0], 0.05)[0]
    turned = vorticity_flow(np.rot90(w), 1e-3, [1.0], 0.05)[0]
    assert np.abs(shifted - np.roll(flow, (5, -3), (0, 1))).max() < 1e-13
    assert np.abs(turned - np.rot90(flow)).max() < 1e-13


def test_a_batch_is_its_flows_one_by_one() -> None:
    batch = np.stack([start(seed=k) for k in range(3)])
    together = vorticity_flow(batch, 1e-3, [0.0, 0.5], 0.05)
    assert together.shape == (2, 3, 32, 32)
    for k, one in enumerate(batch):
        assert np.abs(together[:, k] - vorticity_flow(one, 1e-3, [0.0, 0.5], 0.05)).max() < 1e-14
    assert unresolved_share(together).shape == (2, 3) and velocity(together).shape == (2, 3, 32, 32, 2)


def test_the_unresolved_share_counts_the_highest_waves() -> None:
    x, y = nodes(48)
    low, high = np.sin(2 * np.pi * (3 * x - y)), np.cos(2 * np.pi * (2 * x + 14 * y))
    for size in (0.0, 0.5, 2.0):
        assert unresolved_share(low + size * high) == pytest.approx(size**2 / (1 + size**2), abs=1e-14)


def test_a_random_vorticity_has_the_covariance_of_the_periodic_kernel_at_each_resolution() -> None:
    fields = np.stack([random_vorticity(16, np.random.default_rng([1, k]), 1.2) for k in range(3000)])
    assert np.abs(fields.mean((1, 2))).max() < 1e-15 and np.allclose((fields**2).mean((1, 2)), 1.0)

    def kernel(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        return np.exp(-2 * (np.sin(np.pi * dx) ** 2 + np.sin(np.pi * dy) ** 2) / 1.2**2)

    x, y = nodes(16)
    mean = kernel(x, y).mean()
    expected = (kernel(x, y) - mean) / (1 - mean)  # without the mean of each field, and with a mean square of one
    found = (fields[:, :1, :1] * fields).mean(0)
    assert np.abs(found - expected).max() < 0.08  # the norm of each field is made one, so that it holds nearly
    fine = random_vorticity(32, np.random.default_rng([1, 0]), 1.2)
    assert np.abs(fine[::2, ::2] - fields[0]).max() < 1e-13


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"initial": np.ones((8, 8))}, "the mean of the vorticity is 1, expected 0"),
        ({"initial": np.zeros((8, 9))}, "vorticity"),
        ({"initial": np.zeros(8)}, "vorticity"),
        ({"initial": np.zeros((2, 2))}, "at least 4"),
        ({"initial": np.full((8, 8), np.nan)}, "finite"),
        ({"viscosity": -1.0}, "viscosity"),
        ({"times": [1.0, 0.0]}, "rising"),
        ({"time_step": 0.0}, "time step"),
    ],
)
def test_flows_without_sense_are_refused(change: dict, says: str) -> None:
    arguments = {"initial": start(16), "viscosity": 0.0, "times": [1.0], "time_step": 0.1, **change}
    with pytest.raises(InputError, match=says):
        vorticity_flow(**arguments)


def test_a_step_that_is_too_long_and_a_kernel_without_sense_are_told() -> None:
    for size in (5.0, 1e4):  # grows a little, and beyond all bounds
        with pytest.raises(DivergenceError, match=r"take a time step below 0\.5"):
            vorticity_flow(size * start(16), 0.0, [10.0], 0.5)
    with pytest.raises(InputError, match="length of a random vorticity"):
        random_vorticity(16, np.random.default_rng(0), 0.0)
    with pytest.raises(InputError, match="at least 15"):
        random_vorticity(14, np.random.default_rng(0))


@pytest.mark.parametrize("function", [velocity, unresolved_share])
def test_fields_that_are_not_square_real_and_finite_are_refused(function) -> None:
    for wrong in (np.zeros((3, 4)), np.zeros(4), np.zeros((0, 0)), np.full((4, 4), np.nan), np.zeros((4, 4), complex)):
        with pytest.raises(InputError, match="the vorticity"):
            function(wrong)
    assert np.abs(function([[0.0] * 4] * 4)).max() == 0


def test_the_unresolved_share_does_not_depend_on_the_size_of_the_vorticity() -> None:
    vorticity = np.random.default_rng(0).standard_normal((16, 16))
    share = unresolved_share(vorticity - vorticity.mean())
    assert 0.1 < share < 0.9
    for size in (1e-200, 1e200):
        assert unresolved_share(size * (vorticity - vorticity.mean())) == pytest.approx(share, rel=1e-12)
