"""Diffusion by finite elements as a graph Laplacian: scikit-fem's matrix, order two, cotangents, conservation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skfem
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from skfem.helpers import dot, grad

from sciml.errors import InputError, SingularSystemError
from sciml.mesh import Group, Mesh, make_mesh
from sciml.reference.diffusion_finite_elements import DiffusionProblem, field_of, laplacian, solve_diffusion

MESHES = ("square", "disk", "l_shape", "cube", "ball")


def perturbed(name: str, refinements: int, size: float = 0.2, seed: int = 0) -> Mesh:
    """A mesh whose inner points are moved at random by a part of the width of a cell."""
    mesh = make_mesh(name, refinements)
    width = mesh.volumes().min() ** (1 / mesh.dim)
    shift = np.random.default_rng(seed).uniform(-size, size, mesh.points.shape) * width
    shift[np.unique(mesh.boundary().cells["line" if mesh.dim == 2 else "triangle"])] = 0
    return Mesh(mesh.points + shift, mesh.cells, mesh.groups)


def coefficient(x: np.ndarray) -> np.ndarray:
    return 1 + 0.5 * np.sin(2 * x[:, 0] + x[:, -1])


@pytest.mark.parametrize("name", MESHES)
def test_the_laplacian_of_the_edges_is_the_stiffness_matrix_of_scikit_fem(name: str) -> None:
    problem = DiffusionProblem(perturbed(name, 2), {"boundary": 0.0}, coefficient)
    mesh = problem.mesh.to_skfem()
    basis = skfem.Basis(mesh, mesh.elem(), intorder=2)
    k = skfem.Basis(mesh, skfem.ElementTriP0() if mesh.dim() == 2 else skfem.ElementTetP0(), intorder=2)
    form = skfem.BilinearForm(lambda u, v, w: w.k * dot(grad(u), grad(v)))
    theirs = form.assemble(basis, k=k.interpolate(problem.conductivity))
    assert abs(problem.matrix() - theirs).max() <= 1e-12 * abs(theirs).max()


@pytest.mark.parametrize("name", ["square", "cube"])
@pytest.mark.parametrize("mass", ["consistent", "lumped"])
def test_the_load_is_the_mass_matrix_times_the_source(name: str, mass: str) -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return 1 + x[:, 0] ** 3

    problem = DiffusionProblem(perturbed(name, 2), {"boundary": 0.0}, source=f, mass=mass)
    mesh = problem.mesh.to_skfem()
    matrix = skfem.BilinearForm(lambda u, v, w: u * v).assemble(skfem.Basis(mesh, mesh.elem()))
    theirs = matrix @ f(problem.mesh.points) if mass == "consistent" else matrix.sum(axis=1).A1 * f(problem.mesh.points)
    assert problem.load == pytest.approx(theirs, rel=1e-12)


def manufactured(mesh: Mesh, mass: str) -> float:
    """The error of -div(k grad u) = f with u = sin(x) e^y (z + 2), k = 1 + x."""

    def exact(x: np.ndarray) -> np.ndarray:
        return np.sin(x[:, 0]) * np.exp(x[:, 1]) * (x[:, 2] + 2 if x.shape[1] == 3 else 1)

    def source(x: np.ndarray) -> np.ndarray:  # the Laplacian of u is zero
        return -np.cos(x[:, 0]) * np.exp(x[:, 1]) * (x[:, 2] + 2 if x.shape[1] == 3 else 1)

    problem = DiffusionProblem(mesh, {"boundary": exact}, lambda x: 1 + x[:, 0], source, mass)
    basis = skfem.Basis(mesh.to_skfem(), mesh.to_skfem().elem(), intorder=5)
    found = np.asarray(basis.interpolate(solve_diffusion(problem)))
    places = np.asarray(basis.global_coordinates())
    off = found - exact(places.reshape(len(places), -1).T).reshape(found.shape)
    return float(np.sqrt((off**2 * basis.dx).sum()))


@pytest.mark.parametrize(("name", "refinements"), [("square", 4), ("disk", 3), ("l_shape", 3), ("cube", 3)])
@pytest.mark.parametrize("mass", ["consistent", "lumped"])
def test_errors_in_l2_are_of_second_order(name: str, refinements: int, mass: str) -> None:
    coarse, fine = (manufactured(make_mesh(name, refinements + more), mass) for more in (0, 1))
    assert fine > 0 and 1.9 <= math.log2(coarse / fine) <= 2.1


def test_linear_functions_are_exact_on_any_mesh_and_any_constant_coefficient() -> None:
    for name in MESHES:
        mesh = perturbed(name, 2, 0.3)

        def linear(x: np.ndarray) -> np.ndarray:
            return 2 + x @ np.arange(1, x.shape[1] + 1)

        u = solve_diffusion(DiffusionProblem(mesh, {"boundary": linear}, 7.0))
        assert u == pytest.approx(linear(mesh.points), abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_weights_in_the_plane_are_cotangents_and_positive_iff_opposite_angles_are_not_obtuse(
    seed: int, shear: float
) -> None:
    points = np.random.default_rng(seed).uniform(size=(12, 2))
    triangles = Delaunay(points).simplices
    points = points @ np.array([[1.0, 0.0], [shear, 1.0]])
    problem = DiffusionProblem(Mesh(points, {"triangle": triangles}), {})
    opposite = {tuple(edge): [] for edge in problem.edges.tolist()}
    for triangle in triangles:
        for k in range(3):
            a, b, c = np.roll(triangle, k)
            sides = points[b] - points[a], points[c] - points[a]
            angle = math.acos(sides[0] @ sides[1] / (np.linalg.norm(sides[0]) * np.linalg.norm(sides[1])))
            opposite[tuple(sorted((int(b), int(c))))].append(angle)
    angles = [opposite[tuple(edge)] for edge in problem.edges.tolist()]
    cotangents = np.array([sum(0.5 / math.tan(angle) for angle in found) for found in angles])
    assert problem.weights == pytest.approx(cotangents, abs=1e-6 * abs(cotangents).max())
    obtuse = np.array([sum(found) > (math.pi if len(found) == 2 else math.pi / 2) for found in angles])
    clear = abs(cotangents) > 1e-9
    assert ((problem.weights < 0) == obtuse)[clear].all()
    assert problem.negative == (problem.weights < 0).sum()


def test_right_angles_give_weights_that_are_exactly_zero() -> None:
    problem = DiffusionProblem(make_mesh("square", 3), {"boundary": 0.0})
    diagonal = np.ptp(problem.mesh.points[problem.edges], axis=1).min(axis=1) > 0
    assert diagonal.sum() == 64 and not problem.weights[diagonal].any() and problem.negative == 0


def test_negative_weights_break_the_maximum_principle_that_positive_ones_have() -> None:
    mesh = make_mesh("square", 3)
    sheared = Mesh(mesh.points @ np.array([[1.0, 0.0], [3.0, 1.0]]), mesh.cells, mesh.groups)

    def step(x: np.ndarray) -> np.ndarray:
        return (x[:, 1] >= 0.99).astype(float)

    good, bad = (DiffusionProblem(each, {"boundary": step}) for each in (mesh, sheared))
    assert good.negative == 0 and bad.negative > 0
    assert solve_diffusion(good).min() >= -1e-12 and solve_diffusion(good).max() <= 1 + 1e-12
    assert solve_diffusion(bad).min() < -1e-3


def test_outflows_add_up_to_the_source() -> None:
    mesh = perturbed("cube", 2)
    left = np.flatnonzero(mesh.points[:, 0] == 0)
    facets = np.array([f for f in mesh.boundary().cells["triangle"] if np.isin(f, left).all()])
    others = np.array([f for f in mesh.boundary().cells["triangle"] if (mesh.points[f, 0] == 1).all()])
    made = Mesh(mesh.points, mesh.cells, {"left": Group(2, facets=facets), "right": Group(2, facets=others)})
    problem = DiffusionProblem(made, {"left": 1.0, "right": 0.0}, coefficient, source=2.0)
    u = solve_diffusion(problem)
    flows = [problem.outflow(u, name) for name in ("left", "right")]
    assert sum(flows) == pytest.approx(2.0, rel=1e-9) and abs(flows[0] - flows[1]) > 0.1


def test_a_surface_in_space_has_the_laplacian_of_beltrami() -> None:
    sphere = make_mesh("sphere", 4)
    problem = DiffusionProblem(sphere, {})
    z = sphere.points[:, 2]  # an eigenfunction: -div grad z = 2 z
    mass = DiffusionProblem(sphere, {}, source=z).load
    assert np.linalg.norm(problem.matrix() @ z - 2 * mass) < 0.05 * np.linalg.norm(2 * mass)


def test_other_weights_take_the_place_of_those_of_finite_elements() -> None:
    problem = DiffusionProblem(make_mesh("square", 1), {"boundary": lambda x: x[:, 0]})
    chain = laplacian(problem.edges, np.ones(len(problem.edges)), 9)
    assert (chain.sum(axis=1) == 0).all() and (chain.diagonal() == np.bincount(problem.edges.ravel())).all()
    u = solve_diffusion(problem, weights=np.ones(len(problem.edges)))
    (inner,) = np.flatnonzero(~problem.pinned[0])
    assert u[inner] == pytest.approx(0.5) and field_of(problem, u).values is not None


def test_what_cannot_be_solved_is_refused_in_a_sentence() -> None:
    mesh = make_mesh("square", 1)
    with pytest.raises(SingularSystemError, match=r"u is given nowhere .* point 0 \(9 points\)"):
        solve_diffusion(DiffusionProblem(mesh, {}))
    with pytest.raises(InputError, match="the coefficient of triangle 3 is 0, expected more than 0"):
        DiffusionProblem(mesh, {"boundary": 0.0}, np.where(np.arange(8) == 3, 0.0, 1.0))
    with pytest.raises(InputError, match="'wall', expected boundary"):
        DiffusionProblem(mesh, {"wall": 0.0})
    with pytest.raises(InputError, match=r"the shape of the source is \(3\), expected \(9\)|the source"):
        DiffusionProblem(mesh, {"boundary": 0.0}, source=np.zeros(3))
    with pytest.raises(InputError, match="needs a mesh of triangle or of tetra cells, got quad"):
        DiffusionProblem(make_mesh("square_quad", 1), {"boundary": 0.0})
    with pytest.raises(InputError, match="point 9 belongs to no triangle"):
        DiffusionProblem(Mesh(np.vstack([mesh.points, [5.0, 5.0]]), mesh.cells, mesh.groups), {"boundary": 0.0})
    with pytest.raises(InputError, match="the mass is 'diagonal', expected one of consistent, lumped"):
        DiffusionProblem(mesh, {"boundary": 0.0}, mass="diagonal")
