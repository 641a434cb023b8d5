"""Flow in a box by sines: steady and decaying flows, conservation, orders, symmetries, particle paths."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import DivergenceError, InputError
from sciml.reference.incompressible_plane_flows import taylor_green, unsteady_modes
from sciml.reference.incompressible_spectral import BoxFlow, flow_in_box
from sciml.reference.incompressible_taylor_green import decaying_taylor_green

POINTS = np.random.default_rng(0).uniform(-1, 1, (300, 2))


def test_taylor_green_stands_still_without_viscosity() -> None:
    flow, exact = flow_in_box(taylor_green().vorticity, 16, [0.0, 5.0], 0.05), taylor_green()
    for step in (0, 1):
        assert np.abs(flow.velocity(step, POINTS) - exact.velocity(POINTS)).max() < 1e-13
        assert np.abs(flow.vorticity(step, POINTS) - exact.vorticity(POINTS)).max() < 1e-13
        assert np.abs(flow.stream_function(step, POINTS) - exact.stream_function(POINTS)).max() < 1e-13


def test_taylor_green_decays_exactly_with_viscosity_at_any_step() -> None:
    flow = flow_in_box(taylor_green().vorticity, 12, [0.5, 2.0], 0.5, viscosity=0.05)
    for step, time in enumerate(flow.times):
        assert np.abs(flow.velocity(step, POINTS) - decaying_taylor_green(POINTS, time, 0.05)).max() < 1e-14
    assert flow.energy[1] / flow.energy[0] == pytest.approx(np.exp(-4 * 0.05 * np.pi**2 * 1.5), rel=1e-12)


def test_energy_and_enstrophy_are_integrals_of_the_fields() -> None:
    """By the midpoint rule, which is exact for these series."""
    flow = flow_in_box(unsteady_modes().vorticity, 16, [0.5], 0.05)
    s = (np.arange(64) + 0.5) / 32 - 1
    nodes = np.stack(np.meshgrid(s, s), -1).reshape(-1, 2)
    assert flow.energy[0] == pytest.approx(2 * (flow.velocity(0, nodes) ** 2).sum(1).mean(), rel=1e-12)
    assert flow.enstrophy[0] == pytest.approx(2 * (flow.vorticity(0, nodes) ** 2).mean(), rel=1e-12)


def test_inviscid_flow_keeps_energy_and_enstrophy_even_where_it_is_not_resolved() -> None:
    flow = flow_in_box(unsteady_modes().vorticity, 24, [0.0, 2.5, 5.0], 0.02)
    assert flow.tail[-1] > 0.01
    assert np.abs(flow.energy / flow.energy[0] - 1).max() < 1e-8
    assert np.abs(flow.enstrophy / flow.enstrophy[0] - 1).max() < 1e-7


def test_viscous_flow_loses_energy_at_the_rate_of_its_enstrophy() -> None:
    """d/dt of the energy is -2 nu times the enstrophy; Simpson's rule integrates it."""
    times = np.linspace(0, 1, 41)
    flow = flow_in_box(unsteady_modes().vorticity, 24, times, 0.025, viscosity=0.01)
    weights = np.r_[1, np.tile([4, 2], 19), 4, 1] / 3 * times[1]
    assert flow.energy[0] - flow.energy[-1] == pytest.approx(0.02 * weights @ flow.enstrophy, rel=1e-7)


@pytest.mark.parametrize("viscosity", [0.0, 0.01])
def test_time_steps_have_order_four(viscosity: float) -> None:
    start = unsteady_modes().vorticity
    fine = flow_in_box(start, 24, [1.0], 0.0125, viscosity).velocity(0, POINTS)
    errors = [
        np.abs(flow_in_box(start, 24, [1.0], step, viscosity).velocity(0, POINTS) - fine).max()
        for step in (0.2, 0.1, 0.05)
    ]
    assert np.allclose(np.log2(np.divide(errors[:-1], errors[1:])), 4.0, atol=0.15), errors


def test_more_modes_converge_faster_than_any_power() -> None:
    start = unsteady_modes().vorticity
    flows = [flow_in_box(start, cells, [0.5], 0.05).velocity(0, POINTS) for cells in (8, 16, 32, 64)]
    errors = [np.linalg.norm(flow - flows[-1]) / np.linalg.norm(flows[-1]) for flow in flows[:-1]]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert errors[2] < 1e-7 and orders[0] > 5 and orders[1] > orders[0] + 2


def test_the_result_satisfies_the_vorticity_equation_at_arbitrary_points() -> None:
    """Differences in time and space of the returned fields, all of sixth order."""
    nu, gap, weights = 0.01, 2e-2, {1: 0.75, 2: -0.15, 3: 1 / 60}
    times = 0.5 + gap * np.arange(-3, 4)
    flow = flow_in_box(unsteady_modes().vorticity, 40, times, 0.005, nu)

    def slope(field) -> np.ndarray:
        return sum(w * (field(k) - field(-k)) for k, w in weights.items()) / gap

    rate = slope(lambda k: flow.vorticity(3 + k, POINTS))
    transport = sum(
        flow.velocity(3, POINTS)[:, axis] * slope(lambda k, e=e: flow.vorticity(3, POINTS + k * gap * e))
        for axis, e in enumerate(np.eye(2))
    )
    curl = slope(lambda k: flow.velocity(3, POINTS + [k * gap, 0])[:, 1]) - slope(
        lambda k: flow.velocity(3, POINTS + [0, k * gap])[:, 0]
    )
    curved = {0: -49 / 18, 1: 1.5, 2: -0.15, 3: 1 / 90}
    laplacian = sum(
        curved[abs(k)] * flow.vorticity(3, POINTS + k * gap * e) for k in range(-3, 4) for e in np.eye(2)
    ) / (gap**2)
    assert np.abs(curl - flow.vorticity(3, POINTS)).max() < 1e-6
    assert np.abs(rate).max() > 0.1 and np.abs(rate + transport - nu * laplacian).max() < 1e-5


def test_walls_stay_closed() -> None:
    flow = flow_in_box(unsteady_modes().vorticity, 24, [2.0], 0.05)
    s = np.linspace(-1, 1, 101)
    for axis in (0, 1):
        for wall in (-1.0, 1.0):
            assert np.abs(flow.velocity(0, np.insert(s[:, None], axis, wall, axis=1))[:, axis]).max() < 1e-14


def test_a_mirrored_start_gives_the_mirrored_flow() -> None:
    start = unsteady_modes().vorticity
    flow = flow_in_box(start, 24, [1.5], 0.05)
    mirrored = flow_in_box(lambda p: -start(p * [-1, 1]), 24, [1.5], 0.05)
    assert np.abs(mirrored.velocity(0, POINTS * [-1, 1]) - flow.velocity(0, POINTS) * [-1, 1]).max() < 1e-13


def test_particles_keep_their_stream_function_in_steady_flow_with_order_four() -> None:
    """In Taylor-Green vortices they follow the lines of the stream function; half the spacing, 1/16 of the error."""
    errors = []
    for count in (20, 40):
        flow = flow_in_box(taylor_green().vorticity, 8, np.linspace(0, 5, count + 1), 5.0)
        moved = flow.origins(count, POINTS)
        errors.append(np.abs(flow.stream_function(0, moved) - flow.stream_function(0, POINTS)).max())
        assert np.abs(moved - POINTS).max() > 0.2 and np.abs(moved).max() <= 1.0
    assert errors[1] < 1e-6 and errors[0] > 12 * errors[1]


def test_particles_keep_their_vorticity_in_inviscid_flow() -> None:
    """Also between times that are not equally spaced; the vorticity is the passive density whose transport is known."""
    for times in (np.linspace(0, 1, 31), np.linspace(0, 1, 31) ** 1.2):
        flow = flow_in_box(unsteady_modes().vorticity, 64, times, 0.025)
        origins = flow.origins(-1, POINTS)
        assert np.abs(unsteady_modes().vorticity(origins) - flow.vorticity(30, POINTS)).max() < 3e-6
        assert np.array_equal(flow.origins(0, POINTS), POINTS)


def test_many_points_are_evaluated_in_parts() -> None:
    flow = flow_in_box(unsteady_modes().vorticity, 8, [0.0], 0.1)
    many = np.tile(POINTS, (20, 1))
    assert (
        np.abs(flow.velocity(0, many)[-300:] - flow.velocity(0, many)[:300]).max() < 1e-12
    )  # blocks round differently


def test_what_makes_no_sense_is_refused() -> None:
    start = taylor_green().vorticity
    for change in (
        {"times": []},
        {"times": [1.0, 1.0]},
        {"times": [-1.0]},
        {"cells": 2},
        {"time_step": 0.0},
        {"viscosity": -1.0},
        {"vorticity": taylor_green().velocity},
        {"vorticity": lambda p: np.full(len(p), np.nan)},
    ):
        with pytest.raises(InputError):
            flow_in_box(**({"vorticity": start, "cells": 8, "times": [1.0], "time_step": 0.1} | change))
    with pytest.raises(DivergenceError, match="time step below 5"):
        flow_in_box(lambda p: 100 * unsteady_modes().vorticity(p), 16, [500.0], 5.0)
    flow = flow_in_box(start, 8, [1.0], 0.1)
    assert isinstance(flow, BoxFlow)
    for wrong in (lambda: flow.velocity(0, np.zeros((3, 3))), lambda: flow.origins(0, POINTS)):
        with pytest.raises(InputError):
            wrong()
