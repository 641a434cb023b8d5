"""Flow maps: they follow the velocity, compose, reverse, keep areas, and agree with an integrator of high order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.func import jacrev, vmap

from sciml.errors import InputError
from sciml.reference.advection_flow_maps import FlowMap, Rotation, SineSpeed, Swirl, UniformMotion, transported

FLOWS = {
    "uniform": UniformMotion((50.0, -0.3, 0.2)),
    "sine_speed": SineSpeed(1.0, 0.5),
    "nearly_stopping": SineSpeed(1.0, -0.95),
    "rotation": Rotation((0.4, 0.6), 1.3),
    "swirl": Swirl(1.5),
    "steady_swirl": Swirl(None),
}
each_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
PLANE = {name: flow for name, flow in FLOWS.items() if flow.dim == 2}


def points(flow: FlowMap, count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 8 if flow.dim == 1 else 2, (count, flow.dim))


def integrated(flow: FlowMap, x: np.ndarray, start: float, end: float) -> np.ndarray:
    """By the method of Dormand and Prince of eighth order."""

    def rate(time: float, state: np.ndarray) -> np.ndarray:
        return flow.velocity(state.reshape(x.shape), time).reshape(-1)

    answer = solve_ivp(rate, (start, end), x.reshape(-1), method="DOP853", rtol=1e-12, atol=1e-12)
    return answer.y[:, -1].reshape(x.shape)


@each_flow
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.6), (0.2, 1.4), (1.1, -0.3)])
def test_the_map_agrees_with_an_integrator_of_high_order(flow: FlowMap, start: float, end: float) -> None:
    x = points(flow)
    assert np.abs(flow.map(x, start, end) - integrated(flow, x, start, end)).max() < 2e-10


@each_flow
def test_maps_compose_and_reverse(flow: FlowMap) -> None:
    x = points(flow)
    half = flow.map(x, 0.1, 0.5)
    assert np.abs(flow.map(half, 0.5, 0.9) - flow.map(x, 0.1, 0.9)).max() < 1e-12
    assert np.abs(flow.map(half, 0.5, 0.1) - x).max() < 1e-12
    assert np.abs(flow.map(x, 0.7, 0.7) - x).max() < 1e-13


@each_flow
def test_torch_and_numpy_agree_and_times_may_differ_from_point_to_point(flow: FlowMap) -> None:
    x, t = points(flow, 30), np.linspace(0, 1, 30)
    velocity, moved = flow.velocity(x, t), flow.map(x, t, 1.2 * t)
    tensors = torch.from_numpy(x), torch.from_numpy(t)
    assert np.abs(flow.velocity(*tensors).numpy() - velocity).max() < 1e-14
    assert np.abs(flow.map(*tensors, 1.2 * tensors[1]).numpy() - moved).max() < 1e-13
    for i in (0, 11, 29):
        assert np.abs(flow.velocity(x[i], t[i]) - velocity[i]).max() < 1e-14
        assert np.abs(flow.map(x[i], t[i], 1.2 * t[i]) - moved[i]).max() < 1e-14
    assert flow.map(x.reshape(5, 6, -1), 0.0, 1.0).shape == (5, 6, flow.dim)


@pytest.mark.parametrize("flow", PLANE.values(), ids=PLANE)
def test_plane_flows_are_free_of_divergence(flow: FlowMap) -> None:
    x, t = torch.from_numpy(points(flow)), torch.linspace(0, 1, 200, dtype=torch.float64)
    slopes = vmap(jacrev(flow.velocity))(x, t)
    assert slopes.diagonal(dim1=1, dim2=2).sum(-1).abs().max() < 1e-13


@pytest.mark.parametrize("flow", PLANE.values(), ids=PLANE)
def test_plane_maps_keep_areas(flow: FlowMap) -> None:
    h, x = 1e-3, points(flow)
    columns = []
    for axis in range(2):
        step = h * np.eye(2)[axis]
        values = [flow.map(x + k * step, 0.0, 0.6) for k in (-2, -1, 1, 2)]
        columns.append((values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h))
    determinant = columns[0][:, 0] * columns[1][:, 1] - columns[0][:, 1] * columns[1][:, 0]
    assert np.abs(determinant - 1).max() < 1e-7


def test_the_swirl_brings_everything_back() -> None:
    flow, x = Swirl(1.5), points(Swirl())
    assert np.abs(flow.map(x, 0.0, 1.5) - x).max() < 1e-13
    assert np.abs(flow.map(x, 0.0, 0.75) - x).max() > 0.3
    assert np.abs(flow.map(x, 0.0, 0.6) - flow.map(x, 0.0, 0.9)).max() < 1e-13  # as far before the turn as after


def test_the_swirl_follows_its_stream_lines_and_leaves_walls_and_centres_at_rest() -> None:
    def stream(x):
        return np.prod(np.sin(np.pi * x) ** 2, -1)

    x = points(Swirl())
    assert np.abs(stream(Swirl().map(x, 0.0, 0.7)) - stream(x)).max() < 1e-14
    resting = np.array([[0.0, 0.3], [0.7, 1.0], [0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [-0.5, 1.5]])
    assert np.abs(Swirl(None).map(resting, 0.0, 5.0) - resting).max() < 1e-15
    near = np.array([[1e-9, 0.3], [0.5 + 1e-9, 0.5], [1e-5, 1e-5], [0.3, 1 - 1e-12]])
    assert np.abs(Swirl().map(near, 0.0, 0.75) - integrated(Swirl(), near, 0.0, 0.75)).max() < 1e-11


def test_particles_on_the_circle_are_back_after_one_turn() -> None:
    flow = SineSpeed(1.0, 0.5)
    x = np.linspace(-20, 20, 401)[:, None]
    assert flow.turn == pytest.approx(2 * np.pi / np.sqrt(0.75), rel=1e-15)
    assert np.abs(flow.map(x, 0.0, flow.turn) - x - 2 * np.pi).max() < 1e-13
    assert np.all(np.diff(flow.map(x, 0.0, 3.3)[:, 0]) > 0)


def test_one_revolution_brings_the_body_back() -> None:
    x = points(Rotation())
    assert np.abs(Rotation().map(x, 0.3, 1.3) - x).max() < 1e-14


@each_flow
def test_what_is_transported_obeys_its_equation(flow: FlowMap) -> None:
    def wave(x):
        return np.cos(x).sum(-1) if isinstance(x, np.ndarray) else torch.cos(x).sum(-1)

    x, h, t = points(flow), 1e-3, 0.4
    weights = zip((-2, -1, 1, 2), (1, -8, 8, -1), strict=True)
    weights = [(k * h, w / (12 * h)) for k, w in weights]
    moves = 1 / (1 + np.abs(flow.velocity(x, t)).max())  # as many steps in time as fast particles make in space
    rate = sum(w / moves * transported(wave, flow, x, t + k * moves) for k, w in weights)
    for axis in range(flow.dim):
        slope = sum(w * transported(wave, flow, x + k * np.eye(flow.dim)[axis], t) for k, w in weights)
        rate = rate + flow.velocity(x, t)[:, axis] * slope
    assert np.abs(rate).max() < 1e-6
    assert np.array_equal(transported(wave, flow, x, 0.0), wave(flow.map(x, 0.0, 0.0)))


def test_maps_in_closed_form_have_derivatives_in_torch() -> None:
    """At time t the particle moves with the velocity of where it is."""
    for flow in (UniformMotion((0.3, 2.0)), SineSpeed(1.0, 0.5), Rotation()):
        x = torch.from_numpy(points(flow, 20))
        t = torch.linspace(0, 2, 20, dtype=torch.float64)
        speed = vmap(jacrev(flow.map, 2), (0, None, 0))(x, 0.0, t)
        assert (speed - flow.velocity(flow.map(x, 0.0, t), t)).abs().max() < 1e-12


def test_what_makes_no_sense_is_refused() -> None:
    for arguments in ((1.0, 1.0), (0.5, -1.0), (-1.0, 0.5), (np.inf, 1.0)):
        with pytest.raises(InputError, match="keeps its sign"):
            SineSpeed(*arguments)
    for period in (0.0, -1.0, np.nan):
        with pytest.raises(InputError):
            Swirl(period)
    for flow in FLOWS.values():
        for call in (lambda x, flow=flow: flow.velocity(x, 0.0), lambda x, flow=flow: flow.map(x, 0.0, 1.0)):
            with pytest.raises(InputError, match=rf"expected \(\.\.\., {flow.dim}\)"):
                call(np.zeros((5, 4)))
