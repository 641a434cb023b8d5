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


def bubble(points: np.ndarray) -> np.ndarray:
    """Smoke that is even at the walls of [-1, 1]^2, most of it below, not symmetric."""
    x, y = points.T
    return np.exp(-4 * ((x - 0.2) ** 2 + (y + 0.4) ** 2))


def still(points: np.ndarray) -> np.ndarray:
    return np.zeros_like(points)


def largest(flow: GridFlow) -> float:
    return max(np.abs(flow.along).max(), np.abs(flow.across).max())


@pytest.mark.parametrize("splitting", ["projection", "reflection"])
def test_a_larger_box_has_the_flow_of_similarity(splitting) -> None:
    """In lengths 16 times as large, velocity, buoyancy and the root of the viscosity are so, too."""
    small = StableFluids(12, splitting=splitting, viscosity=0.02, buoyancy=0.3)
    large = StableFluids(
        12, splitting=splitting, viscosity=0.02 * 256, buoyancy=0.3 * 16, box=((0.0, 32.0), (5.0, 37.0))
    )
    velocity = unsteady_modes().velocity

    def scaled(points: np.ndarray) -> np.ndarray:
        return (points - [0, 5]) / 16 - 1

    flow = small.run(small.start(velocity, bubble), 0.2, 4)
    other = large.run(large.start(lambda p: 16 * velocity(scaled(p)), lambda p: bubble(scaled(p))), 0.2, 4)
    assert np.abs(other.along / 16 - flow.along).max() < 1e-12 and np.abs(other.density - flow.density).max() < 1e-12
    middle = np.array([[16.0, 21.0], [3.0, 30.0]])
    assert np.abs(large.velocity(other, middle) / 16 - small.velocity(flow, scaled(middle))).max() < 1e-12


def test_a_vortex_that_fills_a_rectangle_stands_still() -> None:
    """The stream function sin(pi x / 2) sin(pi y) on [0, 2] x [0, 1] is steady, on cells of any shape."""

    def vortex(points: np.ndarray) -> np.ndarray:
        x, y = np.pi * points[:, 0] / 2, np.pi * points[:, 1]
        return np.stack([np.pi * np.sin(x) * np.cos(y), -np.pi / 2 * np.cos(x) * np.sin(y)], -1)

    errors = []
    for cells in ((16, 12), (32, 24)):
        method = StableFluids(cells, "cubic", splitting="reflection", box=((0.0, 2.0), (0.0, 1.0)))
        flow = method.run(method.start(vortex), 0.32 / cells[0], cells[0])
        assert np.abs(method.divergence(flow)).max() < 1e-12
        points = (POINTS + 1) / 2 * [2, 1]
        errors.append(relative(method.velocity(flow, points), vortex(points)))
    assert errors[1] < 1e-3 and errors[0] > 3.5 * errors[1], errors


@pytest.mark.parametrize("splitting", ["projection", "reflection"])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_layers_of_smoke_at_rest_stay_at_rest(interpolation, splitting) -> None:
    """Unstable ones, too: the pressure of the grid balances what depends on y alone, to rounding."""
    method = StableFluids((10, 14), interpolation, splitting=splitting, buoyancy=3.0)
    start = method.start(still, lambda p: 1.0 - np.tanh(3 * p[:, 1]))
    flow = method.run(start, 0.5, 5)
    assert largest(flow) < 1e-13 and np.abs(flow.density - start.density).max() < 1e-13


@pytest.mark.parametrize("splitting", ["projection", "reflection"])
def test_buoyancy_accelerates_by_its_part_without_divergence(splitting) -> None:
    """From rest v = t b k^2 / (k^2 + m^2) s for smoke cos(k x) sin(m y), whatever is a gradient being pressure."""
    k, m, step = np.pi / 2, np.pi, 1e-4
    method = StableFluids(64, "cubic", splitting=splitting, buoyancy=0.7)
    start = method.start(still, lambda p: np.cos(k * (p[:, 0] + 1)) * np.sin(m * (p[:, 1] + 1)))
    flow = method.run(start, step, 10)
    x, y = POINTS[:, 0] + 1, POINTS[:, 1] + 1
    exact = (
        10
        * step
        * 0.7
        * k
        / (k**2 + m**2)
        * np.stack([-m * np.sin(k * x) * np.cos(m * y), k * np.cos(k * x) * np.sin(m * y)], -1)
    )
    assert relative(method.velocity(flow, POINTS), exact) < 2e-3


def test_buoyancy_turns_potential_energy_into_that_of_the_flow() -> None:
    """Without viscosity 1/2 |u|^2 - b s y has a constant integral, to the order of the method; the smoke rises."""
    errors = []
    for cells in (16, 32):
        method = StableFluids(cells, "cubic", splitting="reflection", buoyancy=1.0)
        start = method.start(still, bubble)
        flow = method.run(start, 0.8 / cells, cells)
        height = method._places("density")[:, 1].reshape(cells, cells)
        released = ((flow.density - start.density) * height).sum()
        assert released > 0
        errors.append(abs(energy(flow) / 2 / released - 1))
    assert errors[1] < 0.02 and errors[0] > 3 * errors[1], errors


def test_rising_smoke_converges_with_order_two_by_reflection() -> None:
    """Against twice as many cells, as cells and time step shrink together; velocity and smoke act on each other."""
    found = []
    for cells in (16, 32, 64):
        method = StableFluids(cells, "cubic", splitting="reflection", buoyancy=1.0, viscosity=0.01)
        flow = method.run(method.start(still, bubble), 12.8 / cells / 16, cells)
        found.append(np.append(method.velocity(flow, POINTS).ravel(), method.density(flow, POINTS)))
    coarse, fine = relative(found[0], found[1]), relative(found[1], found[2])
    assert fine < 0.01 and coarse > 3 * fine, (coarse, fine)


@pytest.mark.parametrize("splitting", ["projection", "reflection"])
def test_smoke_that_is_symmetric_rises_symmetrically(splitting) -> None:
    method = StableFluids(14, splitting=splitting, buoyancy=1.0, viscosity=0.01, conserve=True)
    flow = method.run(method.start(still, lambda p: bubble(p) + bubble(p * [-1, 1])), 0.5, 6)
    assert largest(flow) > 0.1
    assert np.abs(flow.along[::-1] + flow.along).max() < 1e-13
    assert np.abs(flow.density[::-1] - flow.density).max() < 1e-13


@pytest.mark.parametrize("conserve", [False, True])
def test_linear_interpolation_keeps_smoke_between_its_bounds_at_any_time_step(conserve) -> None:
    method = StableFluids(20, buoyancy=2.0, conserve=conserve)
    start = method.start(unsteady_modes().velocity)
    flow = start._replace(density=np.random.default_rng(0).uniform(0.25, 0.75, (20, 20)))
    flow = method.run(flow, 1.0, 8)
    assert flow.density.min() > 0.25 - 1e-15 and flow.density.max() < 0.75 + 1e-15
    assert np.ptp(flow.density) > 0.01


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_what_conserves_keeps_all_smoke_and_is_as_accurate(spectral, interpolation) -> None:
    sums, errors = {}, {}
    for conserve in (False, True):
        method = StableFluids(32, interpolation, splitting="reflection", conserve=conserve)
        start = method.start(unsteady_modes().velocity, stripes)
        flow = method.run(start, 0.0125, 40)
        sums[conserve] = abs(flow.density.sum() - start.density.sum()) / np.abs(start.density).sum()
        errors[conserve] = relative(method.density(flow, POINTS), spectral[1])
    assert sums[True] < 1e-14 < sums[False]
    assert errors[True] < 1.05 * errors[False], errors


def test_a_box_and_cells_that_make_no_sense_are_refused() -> None:
    for arguments, says in (
        ({"cells": (8, 3)}, "at least 4"),
        ({"cells": 8, "buoyancy": float("nan")}, "buoyancy"),
        ({"cells": 8, "box": ((0.0, 1.0), (2.0, 2.0))}, "box along y"),
    ):
        with pytest.raises(InputError, match=says):
            StableFluids(**arguments)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_velocities_that_are_not_finite_give_no_numbers(interpolation) -> None:
    """No place outside the box is read, wherever they point; what comes out is not a number, either."""
    method = StableFluids(8, interpolation)
    start = method.start(taylor_green().velocity, stripes)
    for value in (np.nan, np.inf, 1e300):
        flow = start._replace(along=np.full_like(start.along, value))
        with np.errstate(all="ignore"):
            assert not np.isfinite(method.step(flow, 1.0).along).all() or value == 1e300
