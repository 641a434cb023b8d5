"""Experts on rectangles for Darcy flow: exact polynomials, both kinds of convergence, smoothness, conserved mass."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import DataFormatError, InputError
from sciml.hcmoe import DarcyProblem, Elements, GridDarcy, PlaneExperts, RandomDarcy
from sciml.numerics.polynomials import gauss_legendre
from sciml.numerics.random import generator
from sciml.reference.darcy import random_medium, solve_darcy
from sciml.reference.upscaling import fine_transmissibilities


class Manufactured(DarcyProblem):
    """A flow whose pressure is known; f follows from k and p by automatic differentiation."""

    domain = Box([0.0, -1.0], [2.0, 1.0])

    def permeability(self, points: Tensor) -> Tensor:
        return torch.exp(torch.sin(2 * points[:, 0]) + points[:, 1] ** 2)

    def boundary(self, points: Tensor) -> Tensor:
        return torch.sin(3 * points[:, 0] + 1) * torch.exp(points[:, 1])

    def source(self, points: Tensor) -> Tensor:
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.boundary(points).sum(), points, create_graph=True)
            flux = -self.permeability(points)[:, None] * gradient
            parts = [torch.autograd.grad(flux[:, k].sum(), points, retain_graph=True)[0][:, k] for k in (0, 1)]
        return parts[0] + parts[1]


class Polynomial(Manufactured):
    """A pressure and a permeability that are polynomials."""

    domain = Box([0.0, 0.0], [1.0, 2.0])

    def permeability(self, points: Tensor) -> Tensor:
        return 1 + points[:, 0] + points[:, 1] ** 2

    def boundary(self, points: Tensor) -> Tensor:
        x, y = points.T
        return x**3 * y - 2 * x * y**4 + y + 1


def places(problem: DarcyProblem, count: int = 500) -> Tensor:
    lower, upper = (torch.tensor(ends, dtype=torch.float64) for ends in (problem.domain.lower, problem.domain.upper))
    return lower + (upper - lower) * torch.rand(count, 2, dtype=torch.float64, generator=generator(0))


def error(problem: Manufactured, *elements: Elements) -> float:
    experts = PlaneExperts(problem, *elements)
    points = places(problem)
    return float((experts.pressure(experts.solve(), points) - problem.boundary(points)).abs().max())


@pytest.mark.parametrize(
    "elements",
    [(Elements(1, 5),), (Elements(3, 4),), (Elements(6, 6, towards=[0.0, 0.5], smallest=0.05), Elements(2, 6))],
    ids=["one", "nine", "graded"],
)
def test_polynomials_of_the_basis_are_found_to_rounding(elements):
    assert error(Polynomial(), *elements) < 1e-11


def test_errors_fall_exponentially_with_the_degree():
    errors = [error(Manufactured(), Elements(2, degree)) for degree in (6, 8, 10, 12, 14)]
    assert all(after < before / 20 for before, after in itertools.pairwise(errors))
    assert errors[-1] < 1e-12


@pytest.mark.parametrize("degree", [4, 5, 6])
def test_errors_fall_with_the_number_of_experts_at_the_order_of_the_degree(degree):
    errors = [error(Manufactured(), Elements(count, degree)) for count in (4, 8)]
    assert np.log2(errors[0] / errors[1]) > degree


def line(problem: DarcyProblem, axis: int, place: Tensor) -> Tensor:
    """Return points of the rectangle on the line where a coordinate has a value."""
    lower, upper = problem.domain.lower[1 - axis], problem.domain.upper[1 - axis]
    along = lower + (upper - lower) * torch.linspace(0.01, 0.99, 23, dtype=torch.float64)
    columns = [place.expand(len(along)), along]
    return torch.stack(columns if axis == 0 else columns[::-1], 1)


def test_pressure_and_flux_are_continuous_across_faces():
    problem = Manufactured()
    experts = PlaneExperts(problem, Elements(4, 5, towards=[0.0], smallest=0.1), Elements(3, 5))
    flow = experts.solve()
    assert flow.residual > 1e-4  # else any basis would be
    for axis, basis in enumerate(experts.axes):
        for face in basis.face_points[1:-1]:
            here, there = (line(problem, axis, place) for place in (torch.nextafter(face, face - 1), face))
            assert float((experts.pressure(flow, here) - experts.pressure(flow, there)).abs().max()) < 1e-12
            jumps = experts.flux(flow, here) - experts.flux(flow, there)
            assert float(jumps.abs().max() / experts.flux(flow, here).abs().max()) < 1e-11


def test_the_pressure_on_the_boundary_is_exact():
    problem = Polynomial()
    experts = PlaneExperts(problem, Elements(2, 5), Elements(3, 5))
    flow = experts.solve()
    for axis in (0, 1):
        for side in (problem.domain.lower[axis], problem.domain.upper[axis]):
            points = line(problem, axis, torch.tensor(side, dtype=torch.float64))
            assert torch.allclose(experts.pressure(flow, points), problem.boundary(points), atol=1e-13, rtol=0)


def test_a_random_flow_agrees_with_galerkin_and_with_finite_volumes():
    problem = RandomDarcy(seed=3)
    experts = PlaneExperts(problem, Elements(6, 10, towards=[0.0, 1.0], smallest=0.08))
    flow = experts.solve()
    medium = random_medium(np.random.default_rng(3))
    cells = (np.arange(64) + 0.5) / 64
    points = np.stack(np.meshgrid(cells, cells, indexing="ij"), -1)
    found = experts.pressure(flow, torch.from_numpy(points.reshape(-1, 2))).reshape(64, 64).numpy()
    galerkin = solve_darcy(medium, 1.0, 32)(points)
    assert np.linalg.norm(found - galerkin) < 1e-6 * np.linalg.norm(galerkin)
    sides = dict.fromkeys(("x-", "x+", "y-", "y+"), 0.0)
    volumes = fine_transmissibilities(medium(points), 1 / 64).solve(sides, np.ones((64, 64)))
    assert 1e-4 < np.linalg.norm(found - volumes) / np.linalg.norm(volumes) < 5e-3


def test_what_the_source_gives_flows_out_through_the_sides():
    problem = RandomDarcy(seed=1)
    experts = PlaneExperts(problem, Elements(4, 14, towards=[0.0, 1.0], smallest=0.05))
    flow, basis = experts.solve(), experts.axes[0]
    nodes, weights = gauss_legendre(20)
    along, sizes = basis.points(nodes).flatten(), (basis.half[:, None] * weights).flatten()
    out = 0.0
    for axis in (0, 1):
        for side, sign in ((0.0, -1), (1.0, 1)):
            columns = [torch.full_like(along, side), along]
            points = torch.stack(columns if axis == 0 else columns[::-1], 1)
            out += sign * float((sizes * experts.flux(flow, points)[:, axis]).sum())
    assert out == pytest.approx(1.0, abs=1e-6)


def test_the_residual_is_that_of_the_equation_and_small_in_the_mean():
    problem = Manufactured()
    experts = PlaneExperts(problem, Elements(2, 8))
    flow = experts.solve()
    points = places(problem, 100).requires_grad_()
    flux = experts.flux(flow, points)
    parts = [torch.autograd.grad(flux[:, k].sum(), points, retain_graph=True)[0][:, k] for k in (0, 1)]
    expected = parts[0] + parts[1] - problem.source(points)
    assert torch.allclose(experts.residual(flow, points), expected, atol=1e-9)
    assert 1e-9 < flow.residual < 1e-2
    assert flow.residual < 2 * PlaneExperts(problem, Elements(2, 6)).solve().residual / 20


def test_values_of_a_medium_on_a_grid_give_nearly_the_flow_of_the_medium(tmp_path):
    medium = random_medium(np.random.default_rng(3))
    nodes = np.linspace(0, 1, 65)
    np.save(tmp_path / "k.npy", medium(np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1)))
    elements = Elements(4, 8)
    pressures = []
    for problem in (RandomDarcy(seed=3), GridDarcy(str(tmp_path / "k.npy"))):
        experts = PlaneExperts(problem, elements)
        flow, points = experts.solve(), places(problem)
        pressures.append(experts.pressure(flow, points))
        assert torch.isfinite(experts.flux(flow, points)).all()
    assert float((pressures[0] - pressures[1]).norm() / pressures[0].norm()) < 1e-4


def test_files_without_a_permeability_are_refused(tmp_path):
    def solve() -> None:
        PlaneExperts(GridDarcy(str(tmp_path / "k.npy")), Elements(1, 4)).solve()

    with pytest.raises(DataFormatError, match="does not exist"):
        solve()
    for values, sentence in [
        (np.ones((4, 3)), r"the shape \(4, 3\) and the least value 1"),
        (np.zeros((5, 5)), "the least value 0, expected at least 4 x 4 positive numbers"),
        (np.full((5, 5), np.nan), "not finite"),
        (np.ones(5), r"expected \(nx, ny\)"),
    ]:
        np.save(tmp_path / "k.npy", values)
        with pytest.raises(DataFormatError, match=sentence):
            solve()
    (tmp_path / "k.npy").write_bytes(b"\x93NUMPY\x01\x00nonsense")
    with pytest.raises(DataFormatError, match="cannot be read as an"):
        solve()


def test_problems_that_are_not_well_stated_are_refused():
    class Wrong(Manufactured):
        def permeability(self, points: Tensor) -> Tensor:
            return points[:, 0] - 0.5

    with pytest.raises(InputError, match=r"least value of Wrong\.permeability is -0\.4"):
        PlaneExperts(Wrong(), Elements(1, 4)).solve()
    with pytest.raises(InputError, match="returned the shape"):
        Wrong.permeability = lambda problem, points: 1 + points**2
        PlaneExperts(Wrong(), Elements(1, 4)).solve()
    Wrong.permeability, Wrong.source = Manufactured.permeability, lambda problem, points: 1 / (0 * points[:, 0])
    with pytest.raises(InputError, match=r"Wrong\.source returned"):
        PlaneExperts(Wrong(), Elements(1, 4)).solve()
    with pytest.raises(InputError, match="the degrees 4 and 5 along the two axes"):
        PlaneExperts(Manufactured(), Elements(1, 4), Elements(2, 5))
    Wrong.domain = Box([0.0], [1.0])
    with pytest.raises(InputError, match="expected a rectangle"):
        PlaneExperts(Wrong())
