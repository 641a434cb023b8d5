"""Flows given by formulas: their fields belong together, the walls are closed, torch and numpy agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import grad, hessian, vmap

from sciml.errors import InputError
from sciml.reference.incompressible_plane_flows import Flow, sine_flow, taylor_green, two_vortices, unsteady_modes

FLOWS = {"taylor_green": taylor_green(), "unsteady_modes": unsteady_modes(), "two_vortices": two_vortices()}
each_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)


def points(count: int = 4000, seed: int = 0) -> np.ndarray:
    """Half of them in the small cell of the two vortices."""
    cloud = np.random.default_rng(seed).uniform(-1, 1, (count, 2))
    cloud[count // 2 :] = 0.85 + 0.15 * cloud[count // 2 :]
    return cloud


@each_flow
def test_velocity_and_vorticity_are_derivatives_of_the_stream_function(flow: Flow) -> None:
    x = torch.from_numpy(points())
    slope, curvature = vmap(grad(flow.stream_function))(x), vmap(hessian(flow.stream_function))(x)
    velocity = torch.stack([slope[:, 1], -slope[:, 0]], -1)
    assert (flow.velocity(x) - velocity).abs().max() < 1e-13
    assert (flow.vorticity(x) + curvature.diagonal(dim1=1, dim2=2).sum(-1)).abs().max() < 1e-10


@each_flow
def test_numpy_and_torch_give_the_same(flow: Flow) -> None:
    x = points(64)
    for field in (flow.stream_function, flow.velocity, flow.vorticity):
        assert isinstance(field(x), np.ndarray) and isinstance(field(torch.from_numpy(x)), torch.Tensor)
        assert np.abs(field(torch.from_numpy(x)).numpy() - field(x)).max() < 1e-13
    grid = x.reshape(8, 8, 2)
    assert np.abs(flow.velocity(grid) - flow.velocity(x).reshape(8, 8, 2)).max() < 1e-14


@each_flow
def test_walls_are_closed_and_slippery(flow: Flow) -> None:
    s = np.linspace(-1, 1, 401)
    for axis in (0, 1):
        for wall in (-1.0, 1.0):
            x = np.insert(s[:, None], axis, wall, axis=1)
            assert np.abs(flow.velocity(x)[:, axis]).max() < 1e-14
            assert np.abs(flow.vorticity(x)).max() < 1e-12


def test_taylor_green_is_the_flow_of_the_paper() -> None:
    x = points()
    X, Y = np.pi * (x.T + 1)
    expected = np.stack([np.sin(X) * np.cos(Y), -np.cos(X) * np.sin(Y)], -1) / np.pi
    assert np.abs(taylor_green().velocity(x) - expected).max() < 1e-15


def test_within_their_cells_the_two_vortices_are_taylor_green_cells() -> None:
    """At the scales of the paper, with unit speed; at rest everywhere else."""
    x = np.random.default_rng(0).uniform(0, 1, (1000, 2))
    flow = two_vortices()
    for corner, size, taper in ((-1.0, 1.0, 0.05), (0.75, 0.25, 0.0125)):
        inside = corner + (taper if corner > 0 else 0.0) + (size - taper) * x
        cell = taylor_green().velocity(2 * (inside - corner) / size - 1) * np.pi
        assert np.abs(flow.velocity(inside) - cell).max() < 1e-13
    outside = np.array([[0.3, 0.3], [0.06, -0.5], [-0.5, 0.06], [0.9, 0.73], [0.7, 0.7], [0.9, -0.9], [-0.9, 0.9]])
    assert np.abs(flow.velocity(outside)).max() < 1e-16
    assert np.abs(flow.velocity(points(40000))).max() <= 1.0


def test_the_vorticity_of_the_two_vortices_is_continuous() -> None:
    """Along lines through both cells: jumps shrink with the spacing, and its slope does not grow without bound."""
    slopes = []
    for count in (20001, 40001):
        s = np.linspace(-1, 1, count)
        values = np.concatenate([two_vortices().vorticity(np.stack([s, 0 * s + y], -1)) for y in (-0.3, 0.02, 0.8)])
        slopes.append(np.abs(np.diff(values.reshape(3, -1), axis=1)).max() / (s[1] - s[0]))
    assert slopes[1] == pytest.approx(slopes[0], rel=0.01)


def test_sine_flows_have_the_vorticity_that_was_asked_for() -> None:
    x = points()
    expected = 0.3 * np.sin(3 * np.pi * (x[:, 0] + 1) / 2) * np.sin(5 * np.pi * (x[:, 1] + 1) / 2)
    assert np.abs(sine_flow((3, 5, 0.3)).vorticity(x) - expected).max() < 1e-14


def test_what_makes_no_sense_is_refused() -> None:
    for modes in ((), ((0, 1, 1.0),), ((1, 1.5, 1.0),)):
        with pytest.raises(InputError):
            sine_flow(*modes)
    for taper in (0.0, 0.3):
        with pytest.raises(InputError):
            two_vortices(taper)
    with pytest.raises(InputError, match=r"\(5, 3\)"):
        taylor_green().velocity(np.zeros((5, 3)))
