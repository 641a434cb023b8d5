"""Stable fluids: exact projection, convergence to the spectral solution, walls, energy, transport of a density."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.incompressible_plane_flows import taylor_green, unsteady_modes
from sciml.reference.incompressible_spectral import flow_in_box
from sciml.reference.incompressible_stable_fluids import GridFlow, StableFluids
from sciml.reference.incompressible_taylor_green import decaying_taylor_green

POINTS = np.random.default_rng(0).uniform(-1, 1, (400, 2))


def stripes(points: np.ndarray) -> np.ndarray:
    """A density that is even at the walls."""
    return np.cos(np.pi * points[:, 0]) + np.cos(np.pi * (points[:, 1] + 1) / 2)


def random_flow(cells: int, seed: int = 0) -> GridFlow:
    random = np.random.default_rng(seed)
    return GridFlow(random.standard_normal((cells + 1, cells)), random.standard_normal((cells, cells + 1)))


def energy(flow: GridFlow) -> float:
    return float((flow.along**2).sum() + (flow.across**2).sum())


def relative(value: np.ndarray, exact: np.ndarray) -> float:
    return np.linalg.norm(value - exact) / np.linalg.norm(exact)


@pytest.fixture(scope="module")
def spectral() -> tuple[np.ndarray, np.ndarray]:
    """Velocity and density at the points at t = 0.5."""
    flow = flow_in_box(unsteady_modes().vorticity, 48, np.linspace(0, 0.5, 11), 0.025)
    return flow.velocity(-1, POINTS), stripes(flow.origins(-1, POINTS))


@pytest.mark.parametrize("cells", [4, 7, 48])
def test_the_projection_leaves_no_divergence_and_no_flow_through_walls(cells: int) -> None:
    method = StableFluids(cells)
    flow = method.project(random_flow(cells))
    assert np.abs(method.divergence(flow)).max() < 1e-12
    assert not flow.along[[0, -1]].any() and not flow.across[:, [0, -1]].any()


def test_the_projection_is_orthogonal() -> None:
    """It changes nothing twice, is symmetric, and takes away what is orthogonal to what stays."""
    method, some, other = StableFluids(16), random_flow(16), random_flow(16, seed=1)
    flow, others = method.project(some), method.project(other)
    again = method.project(flow)
    assert max(np.abs(a - b).max() for a, b in zip(again[:2], flow[:2], strict=True)) < 1e-14
    product = sum((a * (b - c)).sum() for a, b, c in zip(flow[:2], other[:2], others[:2], strict=True))
    assert abs(product) < 1e-11


@pytest.mark.parametrize("splitting", ["projection", "reflection"])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_every_step_stays_free_of_divergence_and_is_stable_at_any_time_step(interpolation, splitting) -> None:
    method = StableFluids(24, interpolation, splitting=splitting)
    start = method.start(unsteady_modes().velocity)
    flow = method.run(start, 1.0, 10)  # about 8 cells per step
    assert np.abs(method.divergence(flow)).max() < 1e-12
    assert energy(flow) < 1.5 * energy(start)


@pytest.mark.parametrize(
    ("interpolation", "splitting", "order", "finest"),
    [
        ("linear", "projection", 1, 0.03),
        ("linear", "reflection", 1, 0.03),
        ("cubic", "projection", 1, 0.004),
        ("cubic", "reflection", 2, 2e-4),
    ],
)
def test_flows_converge_to_the_spectral_solution(spectral, interpolation, splitting, order, finest) -> None:
    """As cells and time step shrink together, 1.25 cells per step; the better parts pay only together."""
    errors = []
    for cells in (16, 32, 64):
        method, steps = StableFluids(cells, interpolation, splitting=splitting), round(0.625 * cells)
        flow = method.run(method.start(unsteady_modes().velocity), 0.5 / steps, steps)
        errors.append(relative(method.velocity(flow, POINTS), spectral[0]))
    assert errors[-1] < finest, errors
    assert np.log2(errors[1] / errors[2]) == pytest.approx(order, abs=0.2), errors


def test_the_density_follows_the_particles(spectral) -> None:
    errors = []
    for cells in (16, 32):
        method = StableFluids(cells, "cubic", splitting="reflection")
        flow = method.run(method.start(unsteady_modes().velocity, stripes), 0.4 / cells, round(1.25 * cells))
        errors.append(relative(method.density(flow, POINTS), spectral[1]))
    assert errors[1] < 1e-3 and errors[0] > 6 * errors[1], errors


def test_taylor_green_on_the_grid_of_the_paper() -> None:
    """48^2 cells, 100 steps of 0.05: linear loses a fifth of a flow that stands still, cubic next to none."""
    exact, errors = taylor_green().velocity(POINTS), {}
    for interpolation, splitting in (("linear", "projection"), ("cubic", "reflection")):
        method = StableFluids(48, interpolation, splitting=splitting)
        flow = method.run(method.start(taylor_green().velocity), 0.05, 100)
        errors[interpolation] = relative(method.velocity(flow, POINTS), exact)
    assert errors["linear"] == pytest.approx(0.22, abs=0.02)
    assert errors["cubic"] < 1e-4


def test_viscous_taylor_green_decays_and_viscosity_keeps_the_divergence_at_zero() -> None:
    method = StableFluids(32, "cubic", splitting="reflection", viscosity=0.05)
    flow = method.run(method.start(taylor_green().velocity, stripes), 0.1, 10)
    assert relative(method.velocity(flow, POINTS), decaying_taylor_green(POINTS, 1.0, 0.05)) < 4e-3
    rough = method._diffused(method.project(random_flow(32)), 0.1)
    assert np.abs(method.divergence(rough)).max() < 1e-12 and flow.density.shape == (32, 32)


def test_viscous_flow_converges_to_the_spectral_solution_with_order_two() -> None:
    exact = flow_in_box(unsteady_modes().vorticity, 32, [0.5], 0.025, viscosity=0.01).velocity(0, POINTS)
    errors = []
    for cells in (16, 32):
        method, steps = StableFluids(cells, "cubic", splitting="reflection", viscosity=0.01), round(0.625 * cells)
        flow = method.run(method.start(unsteady_modes().velocity), 0.5 / steps, steps)
        errors.append(relative(method.velocity(flow, POINTS), exact))
    assert errors[1] < 1e-3 and np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25), errors


def test_a_longer_path_by_runge_kutta_is_better_than_by_euler(spectral) -> None:
    errors = []
    for back_trace in ("euler", "rk4"):
        method = StableFluids(48, "cubic", back_trace, "reflection")
        flow = method.run(method.start(unsteady_modes().velocity), 0.1, 5)
        errors.append(relative(method.velocity(flow, POINTS), spectral[0]))
    assert errors[0] > 3 * errors[1], errors


@pytest.mark.parametrize("splitting", ["projection", "reflection"])
def test_a_mirrored_start_gives_the_mirrored_flow(splitting) -> None:
    """Across x = 0, and with x and y exchanged: no direction of the grid is preferred."""
    method, velocity = StableFluids(12, "cubic", splitting=splitting), unsteady_modes().velocity
    flow = method.run(method.start(velocity, stripes), 0.1, 4)
    mirrored = method.run(
        method.start(lambda p: velocity(p * [-1, 1]) * [-1, 1], lambda p: stripes(p * [-1, 1])), 0.1, 4
    )
    turned = method.run(method.start(lambda p: velocity(p[:, ::-1])[:, ::-1], lambda p: stripes(p[:, ::-1])), 0.1, 4)
    assert np.abs(mirrored.along[::-1] + flow.along).max() < 1e-13
    assert np.abs(mirrored.density[::-1] - flow.density).max() < 1e-13
    assert np.abs(turned.along.T - flow.across).max() < 1e-13 and np.abs(turned.density.T - flow.density).max() < 1e-13


def test_interpolation_meets_the_faces_and_the_walls() -> None:
    for interpolation in ("linear", "cubic"):
        method = StableFluids(8, interpolation)
        flow = method.project(random_flow(8))
        x, y = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-0.875, 0.875, 8), indexing="ij")
        faces = method.velocity(flow, np.stack([x, y], -1).reshape(-1, 2))[:, 0]
        assert np.abs(faces.reshape(9, 8) - flow.along).max() < 1e-13
        wall = np.stack([np.ones(20), np.linspace(-1, 1, 20)], -1)
        assert np.abs(method.velocity(flow, wall)[:, 0]).max() < 1e-13


def test_what_makes_no_sense_is_refused() -> None:
    for arguments in (
        {"cells": 3},
        {"cells": 8, "interpolation": "quintic"},
        {"cells": 8, "back_trace": "rk2"},
        {"cells": 8, "splitting": "none"},
        {"cells": 8, "viscosity": -0.1},
    ):
        with pytest.raises(InputError):
            StableFluids(**arguments)
    method = StableFluids(8)
    flow = method.start(taylor_green().velocity)
    for wrong in (lambda: method.step(flow, 0.0), lambda: method.density(flow, POINTS)):
        with pytest.raises(InputError):
            wrong()
