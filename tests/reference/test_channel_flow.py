"""Incompressible flow on triangles: exact solutions, orders, symmetry, conservation, vortices behind a circle."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import DivergenceError, InputError
from sciml.mesh import Group, Mesh, make_channel, make_mesh
from sciml.mesh.obstacles import Circle
from sciml.reference.channel_flow import ChannelFlow, Forces
from sciml.reference.incompressible_triangles import TriangleFlow, TriangleSplit

COARSE = {"length": 1.2, "size": 0.014, "growth": 0.15, "far_size": 0.04}


def rectangle(lower, upper, counts):
    """Return a mesh of right-angled triangles whose diagonals alternate."""
    x, y = (np.linspace(a, b, n + 1) for a, b, n in zip(lower, upper, counts, strict=True))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    number = np.arange(len(points)).reshape(len(x), len(y))
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    even = (np.indices(a.shape).sum(axis=0) % 2 == 0)[..., None]
    first = np.where(even, np.stack([a, b, c], -1), np.stack([a, b, d], -1))
    second = np.where(even, np.stack([a, c, d], -1), np.stack([b, c, d], -1))
    return Mesh(points, {"triangle": np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])})


def poiseuille_error(cells):
    mesh = rectangle((0, 0), (0.8, 0.4), (2 * cells, cells))
    x, y = mesh.points.T
    exact = np.column_stack([4 * y * (0.4 - y) / 0.4**2, 0 * y])
    held = (x == 0) | (y == 0) | (y == 0.4)
    method = TriangleSplit(mesh, 0.05, held, (x == 0.8))
    start = np.where(held[:, None], exact, 0.5 * exact)
    flow = method.advanced(TriangleFlow(start, np.zeros(len(x))), 1.5)
    slope = np.polyfit(x, flow.pressure, 1)[0]
    return np.abs(flow.velocity - exact).max(), abs(slope / (-8 * 0.05 / 0.4**2) - 1)


def kovasznay(points, viscosity):
    x, y = points.T
    decay = 0.5 / viscosity - np.sqrt(0.25 / viscosity**2 + 4 * np.pi**2)
    wave = np.exp(decay * x)
    u = 1 - wave * np.cos(2 * np.pi * y)
    v = decay / (2 * np.pi) * wave * np.sin(2 * np.pi * y)
    return np.column_stack([u, v]), -0.5 * wave**2


def kovasznay_errors(cells):
    mesh = rectangle((-0.25, -0.25), (0.75, 0.75), (cells, cells))
    x, y = mesh.points.T
    velocity, pressure = kovasznay(mesh.points, 1 / 40)
    boundary = (x == -0.25) | (x == 0.75) | (y == -0.25) | (y == 0.75)
    pinned = np.zeros(len(x), bool)
    pinned[0] = True
    method = TriangleSplit(mesh, 1 / 40, boundary, pinned)
    flow = method.advanced(TriangleFlow(np.where(boundary[:, None], velocity, 1.0), np.zeros(len(x))), 3.0)
    wrong = flow.pressure - pressure
    weights = method.lumped[:, 0]
    return [
        np.sqrt(weights @ np.square(flow.velocity - velocity).sum(axis=1)),
        np.sqrt(weights @ np.square(wrong - weights @ wrong / weights.sum())),
    ]


def test_flow_between_plates_becomes_the_parabola_to_second_order():
    coarse, fine = poiseuille_error(6), poiseuille_error(12)
    assert np.log2(coarse[0] / fine[0]) > 1.7 and fine[0] < 0.01
    assert fine[1] < 0.03


def test_kovasznay_flow_is_reached_from_another_start_to_second_order():
    coarse, fine = np.array(kovasznay_errors(12)), np.array(kovasznay_errors(24))
    assert np.log2(coarse[0] / fine[0]) > 1.7  # velocity
    assert np.log2(coarse[1] / fine[1]) > 1.2  # pressure
    assert fine[0] < 0.02


def test_a_mirrored_channel_has_the_mirrored_flow():
    mesh = make_channel(Circle((0.3, 0.19), 0.05), **COARSE)
    turned = Mesh(mesh.points * [1, -1] + [0, 0.41], mesh.cells, mesh.groups)
    one, other = ChannelFlow(mesh, 1.0), ChannelFlow(turned, 1.0)
    first, second = one.advanced(one.start(0.2), 0.1), other.advanced(other.start(-0.2), 0.1)
    assert np.abs(first.velocity[:, 1]).max() > 0.3
    assert second.velocity == pytest.approx(first.velocity * [1, -1], abs=1e-8)
    assert second.pressure == pytest.approx(first.pressure, abs=1e-7)


def test_what_enters_leaves_and_nothing_goes_through_the_walls():
    flow = ChannelFlow(make_channel(Circle((0.3, 0.19), 0.05), **COARSE), 1.2)
    later = flow.advanced(flow.start(0.1), 0.4)
    entering = -flow.flux(later, "inlet")
    assert entering == pytest.approx(0.41 * flow.mean_velocity, rel=0.02)
    assert flow.flux(later, "outlet") == pytest.approx(entering, rel=0.01)
    assert abs(flow.flux(later, "wall")) + abs(flow.flux(later, "obstacle")) < 1e-15
    assert np.array_equal(later.velocity[flow.points_of("inlet"), 0], flow.inflow()[flow.points_of("inlet")])


def test_below_the_onset_of_shedding_a_perturbation_dies_out():
    flow = ChannelFlow(make_channel(Circle((0.3, 0.2), 0.05), **COARSE), peak_velocity=0.45)
    assert flow.reynolds == pytest.approx(30, rel=0.02)
    settled, early = flow.forces(flow.start(0.3), 3.0)
    settled, late = flow.forces(flow.advanced(settled, 4.0), 1.0)
    assert np.ptp(late.lift) < 0.02 * np.ptp(early.lift[len(early.lift) // 10 :])
    assert 2.0 < late.drag.mean() < 6.0 and np.ptp(late.drag) < 1e-3 * late.drag.mean()


def test_frames_are_at_equal_intervals_and_go_on_from_one_another():
    flow = ChannelFlow(make_channel(Circle((0.3, 0.2), 0.06), **COARSE), 0.8)
    frames = flow.frames(flow.start(), 0.05, 3)
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.05, 0.1], abs=1e-15)
    assert np.array_equal(frames[2].velocity, flow.advanced(frames[1], 0.05).velocity)


def test_projection_takes_the_divergence_away_and_keeps_what_has_none():
    flow = ChannelFlow(make_channel(Circle((0.3, 0.2), 0.06), **COARSE), 0.8)
    start = flow.start(0.5)
    again = flow.method.project(start)
    assert np.abs(again.velocity - start.velocity).max() < 0.15 * np.abs(start.velocity).max()
    assert (start.velocity[flow.obstacle] == 0).all()


def test_the_frequency_of_a_sine_is_found_between_the_steps():
    times = np.linspace(0.0, 2.0, 157)
    lift = 0.3 + np.sin(2 * np.pi * 3.3 * times + 0.4)
    assert Forces(times, lift, lift).frequency == pytest.approx(3.3, rel=2e-3)
    assert np.isnan(Forces(times, lift, np.exp(-times)).frequency)


@pytest.mark.slow
def test_vortices_behind_a_circle_are_those_of_schaefer_and_turek():
    flow = ChannelFlow(make_channel(size=0.004, far_size=0.03, growth=0.1), peak_velocity=1.5)
    assert flow.mesh.n_points <= 2800
    _, forces = flow.forces(flow.advanced(flow.start(0.2), 3.5), 1.5)
    assert 0.295 < flow.strouhal(forces) < 0.305
    assert forces.drag.max() == pytest.approx(3.23, rel=0.03)
    assert forces.lift.max() == pytest.approx(1.0, rel=0.06)


def test_wrong_input_is_a_sentence():
    mesh = make_channel(Circle((0.3, 0.2), 0.06), **COARSE)
    with pytest.raises(InputError, match="lacks the boundary groups inlet, outlet, wall, obstacle"):
        ChannelFlow(make_mesh("square", 2), 1.0)
    with pytest.raises(InputError, match="the peak velocity is 0"):
        ChannelFlow(mesh, 0)
    flow = ChannelFlow(mesh, 1.0)
    with pytest.raises(InputError, match="the pressure is zero nowhere"):
        TriangleSplit(mesh, 1e-3, flow.method.fixed, np.zeros(mesh.n_points, bool))
    with pytest.raises(InputError, match="the shape of the velocity is"):
        flow.advanced(TriangleFlow(np.zeros((3, 2)), np.zeros(3)), 0.1)
    huge = TriangleFlow(1e300 * np.ones((mesh.n_points, 2)), np.zeros(mesh.n_points))
    with pytest.raises(DivergenceError, match="the velocity is not finite"):
        flow.method.longest_step(TriangleFlow(huge.velocity * 1e300, huge.pressure))
    surface = Mesh(np.eye(3), {"triangle": [[0, 1, 2]]}, {"inlet": Group(1, facets=[[0, 1]])})
    with pytest.raises(InputError, match="needs a mesh of triangles in the plane"):
        TriangleSplit(surface, 1e-3, np.zeros(3, bool), np.ones(3, bool))
