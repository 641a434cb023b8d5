"""The flow in the wind tunnel: free of divergence, tight walls, and potential flow around a cylinder."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.linalg import VoxelPoisson, solve
from sciml.reference.wind_tunnel import WindTunnel


def flow(tunnel: WindTunnel) -> tuple[np.ndarray, list[np.ndarray]]:
    problem = VoxelPoisson.from_cells(tunnel.cells, spacing=tunnel.spacing, outside=tunnel.outside)
    pressure = solve(problem, -tunnel.divergence(tunnel.start()), rtol=1e-10).x
    return pressure, tunnel.project(tunnel.start(), pressure)


def cylinder(size: int, radius: float) -> WindTunnel:
    centres = (np.arange(size) + 0.5) / size - 0.5
    return WindTunnel(np.hypot(centres[:, None], centres[None, :]) < radius, 1.0 / size)


@pytest.fixture(scope="module")
def three_dimensional():
    solid = np.zeros((14, 12, 10), bool)
    solid[4:7, 3:8, 2:9] = True
    solid[9, 5, :] = True
    solid[10, 11, 9] = True
    tunnel = WindTunnel(solid, 0.1)
    return tunnel, *flow(tunnel)


def test_the_projected_velocity_is_free_of_divergence(three_dimensional):
    tunnel, _, velocity = three_dimensional
    before = np.linalg.norm(tunnel.divergence(tunnel.start()))
    assert np.linalg.norm(tunnel.divergence(velocity)) < 1e-9 * before


def test_nothing_flows_through_the_obstacle_and_the_side_walls(three_dimensional):
    tunnel, _, velocity = three_dimensional
    for axis, u in enumerate(velocity):
        along, solid = np.moveaxis(u, axis, 0), np.moveaxis(tunnel.solid, axis, 0)
        assert not along[1:][solid].any()
        assert not along[:-1][solid].any()
        if axis > 0:
            assert not along[0].any()
            assert not along[-1].any()


def test_the_wind_enters_as_given_and_all_of_it_leaves(three_dimensional):
    _, _, velocity = three_dimensional
    inflow, outflow = velocity[0][0], velocity[0][-1]
    assert np.array_equal(inflow, np.ones_like(inflow))
    assert outflow.sum() == pytest.approx(inflow.sum(), rel=1e-9)


def test_the_same_flux_passes_every_cross_section(three_dimensional):
    _, _, velocity = three_dimensional
    flux = velocity[0].sum(axis=(1, 2))
    assert flux == pytest.approx(np.full(15, flux[0]), rel=1e-8)


def test_an_empty_tunnel_keeps_the_wind_and_has_no_pressure():
    tunnel = WindTunnel(np.zeros((6, 5), bool), 0.2)
    pressure, velocity = flow(tunnel)
    assert not pressure.any()
    assert np.array_equal(tunnel.at_centres(velocity)[..., 0], np.ones((6, 5)))


def test_the_pressure_is_high_before_the_obstacle_and_low_behind_it():
    pressure, _ = flow(cylinder(64, 0.1))
    assert pressure[24, 32] > pressure[8, 32] > 0.0
    assert pressure[24, 32] > pressure[40, 32]


def test_the_flow_around_a_cylinder_has_twice_the_speed_of_the_wind_at_its_shoulders():
    # 2 in free space; the walls of the tunnel at five radii add about 3 % (images), the staircase another few
    tunnel = cylinder(160, 0.1)
    speed = tunnel.at_centres(flow(tunnel)[1])[..., 0]
    y = (np.arange(160) + 0.5) / 160 - 0.5
    exact = 1.0 + (0.1 / y) ** 2
    outside = (y > 0.12) & (y < 0.3)
    assert speed[80, outside] == pytest.approx(exact[outside] + 0.05, abs=0.07)


@pytest.mark.parametrize("solid", [np.zeros((4, 4)), np.zeros(4, bool)])
def test_an_obstacle_that_is_no_mask_is_refused(solid):
    with pytest.raises(InputError, match="mask"):
        WindTunnel(solid, 1.0)


def test_a_spacing_that_is_not_positive_is_refused():
    with pytest.raises(InputError, match="positive"):
        WindTunnel(np.zeros((4, 4), bool), 0.0)
