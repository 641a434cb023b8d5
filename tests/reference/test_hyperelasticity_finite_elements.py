"""Finite elements for hyperelastic bodies: patch tests, orders of convergence, Newton's convergence, tension."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sciml.errors import DivergenceError, InputError
from sciml.mesh import Group, Mesh, make_mesh
from sciml.reference.hyperelasticity_finite_elements import FiniteElementDisplacement, solve_static, square, tension
from sciml.reference.hyperelasticity_materials import ArapVolumeMaterial, NeoHookeanMaterial

MATERIALS = [ArapVolumeMaterial(1.0, 5.0), NeoHookeanMaterial(1.0, 5.0)]
each_material = pytest.mark.parametrize("material", MATERIALS, ids=lambda material: type(material).__name__)


def inside(dim: int = 2, count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.05, 0.95, (count, dim)) * 1.0


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("shape", ["square", "cube"])
@each_material
def test_an_affine_displacement_on_the_boundary_continues_inside(shape: str, degree: int, material) -> None:
    mesh = make_mesh(shape, 1)
    gradient = np.array([[0.2, 0.1, 0.0], [-0.15, 0.1, 0.05], [0.0, 0.1, -0.1]])[: mesh.dim, : mesh.dim]
    found = solve_static(mesh, material, {"boundary": lambda x: x @ gradient.T}, degree=degree)
    points = inside(mesh.dim)
    assert np.abs(found(points) - points @ gradient.T).max() < 1e-9
    exact = float(material.density(np.eye(mesh.dim)[None] + gradient)[0])
    assert abs(found.energy - exact) < 1e-9


@each_material
def test_uniform_stretch_is_the_analytic_one(material) -> None:
    """Stretched by 1.3 between lubricated plates: F = diag(1.3, s) with no stress across the free direction."""
    mesh = square(2)
    middle = 0.3 / 2
    ends = {"left": [-middle, 0.0], "right": [middle, 0.0]}
    lateral = _free_stretch(material, 1.0 + middle)
    ends = {name: lambda x, lateral=lateral: np.stack([middle * x[:, 0], (lateral - 1) * x[:, 1]], 1) for name in ends}
    found = solve_static(mesh, material, ends, load_steps=2)
    points = 2 * inside() - 1
    assert np.abs(found(points)[:, 1] - (lateral - 1) * points[:, 1]).max() < 1e-8
    assert np.abs(found(points)[:, 0] - middle * points[:, 0]).max() < 1e-8


def _free_stretch(material, stretch: float) -> float:
    """s with P_22(diag(stretch, s)) = 0, by bisection."""
    low, high = 0.3, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if material.stress(np.diag([stretch, middle])[None])[0, 1, 1] > 0:
            high = middle
        else:
            low = middle
    return low


def _manufactured(x: np.ndarray) -> np.ndarray:
    return 0.1 * np.stack([np.sin(2 * x[:, 0]) * np.cos(x[:, 1]), np.cos(x[:, 0]) * np.sin(3 * x[:, 1])], 1)


def _gradient(x: np.ndarray) -> np.ndarray:
    a, b = x.T
    rows = [
        [2 * np.cos(2 * a) * np.cos(b), -np.sin(2 * a) * np.sin(b)],
        [-np.sin(a) * np.sin(3 * b), 3 * np.cos(a) * np.cos(3 * b)],
    ]
    return 0.1 * np.moveaxis(np.array(rows), -1, 0)


@pytest.mark.parametrize("degree", [1, 2])
@each_material
def test_the_error_falls_with_the_order_of_the_elements(degree: int, material) -> None:
    def body_force(x: np.ndarray) -> np.ndarray:
        """Minus the divergence of the stress of the manufactured displacement, by differences of fourth order."""
        force, step = np.zeros_like(x), 1e-3
        for axis in range(2):
            for weight, distance in ((8, 1), (-8, -1), (-1, 2), (1, -2)):
                shifted = x.copy()
                shifted[:, axis] += distance * step
                force -= weight / (12 * step) * material.stress(np.eye(2) + _gradient(shifted))[:, :, axis]
        return force

    points, errors = inside(), []
    for refinements in (2, 3, 4):
        mesh = make_mesh("square", refinements)
        found = solve_static(mesh, material, {"boundary": _manufactured}, degree=degree, body_force=body_force)
        errors.append(np.linalg.norm(found(points) - _manufactured(points)))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert abs(orders[-1] - (degree + 1)) < 0.25, orders


def test_newton_converges_quadratically_and_refinement_lowers_the_energy_of_the_tension_test() -> None:
    material, energies = ArapVolumeMaterial(1.0, 100.0), []
    for cells in (3, 8, 12):
        found = tension(square(cells), material, load_steps=5)
        energies.append(found.energy)
        assert found.stable
        small = [r for r in found.residuals[1:] if r < 1e-1]
        assert all(after < max(10 * before**1.8, 1e-9) for before, after in pairwise(small))
    assert energies[0] > energies[1] > energies[2]
    quadratic = tension(square(6), material, 2, load_steps=5)
    assert quadratic.energy < energies[2]  # at 338 numbers instead of 626


def test_the_tension_test_is_symmetric_and_keeps_the_area() -> None:
    found = tension(square(8, grading=2.0), ArapVolumeMaterial(), 2, load_steps=10)
    points = 2 * inside() - 1
    u, mirrored = found(points), found(points * [1, -1])
    assert np.abs(u - mirrored * [1, -1]).max() < 1e-6
    opposite = found(-points)
    assert np.abs(u + opposite - [2.0, 0.0]).max() < 1e-6
    side = np.linspace(-1, 1, 400, endpoint=False)
    fixed = np.ones_like(side)
    around = [np.stack(pair, 1) for pair in ((side, -fixed), (fixed, side), (-side, fixed), (-fixed, -side))]
    x, y = (np.concatenate(around) + found(np.concatenate(around))).T
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
    assert abs(area / 4 - 1) < 1e-3


def test_memory_counts_the_numbers_of_the_displacement() -> None:
    found = solve_static(square(12), MATERIALS[0], {"left": [0, 0]})
    assert found.degrees_of_freedom == 626
    assert found.memory == 626 * 8
    assert found.mesh_memory == 313 * 16 + 576 * 12


def _bad(mesh: Mesh | None = None, degree: int = 1, load_steps: int = 1, **dirichlet) -> FiniteElementDisplacement:
    supports = dirichlet or {"left": [0, 0]}
    return solve_static(mesh or square(2), MATERIALS[0], supports, degree=degree, load_steps=load_steps)


def test_bad_input_is_answered_in_a_sentence() -> None:
    with pytest.raises(InputError, match="expected at least one of the groups"):
        _bad(north=[0, 0])
    with pytest.raises(InputError, match="degree 3 on triangle"):
        _bad(degree=3)
    with pytest.raises(InputError, match="degree 1 on quad"):
        _bad(make_mesh("square_quad", 1))
    with pytest.raises(InputError, match="load_steps is 0"):
        _bad(load_steps=0)
    with pytest.raises(InputError, match=r"has shape \(3,\), expected \(2,\)"):
        _bad(left=[0, 0, 0])
    with pytest.raises(InputError, match="outside of the mesh"):
        _bad()(np.array([[3.0, 0.0]]))
    with pytest.raises(InputError, match=r"grading is 0\.5"):
        square(4, 0.5)
    with pytest.raises(DivergenceError, match="use more load steps"):
        solve_static(square(4), ArapVolumeMaterial(), {"left": [0, 0], "right": [4e4, 0]})


def test_a_tetrahedral_bar_under_gravity_hangs_by_its_weight() -> None:
    """The forces in the support balance the load, and the bar is longest at its free end."""
    mesh = make_mesh("cube", 1)
    top = mesh.groups["boundary"].facets
    top = top[(mesh.points[top][:, :, 2] > 1 - 1e-12).all(axis=1)]
    held = Mesh(mesh.points, mesh.cells, {"top": Group(2, facets=top)})
    found = solve_static(held, NeoHookeanMaterial(10.0, 20.0), {"top": [0, 0, 0]}, degree=2, body_force=[0, 0, -1.0])
    drop = found(np.array([[0.5, 0.5, z] for z in (0.9, 0.5, 0.1)]))[:, 2]
    assert 0 > drop[0] > drop[1] > drop[2]
    modulus = 10 * (3 * 20 + 2 * 10) / (20 + 10)
    assert abs(drop[2] / (-0.5 / modulus) - 1) < 0.25  # weight / (2 E) of a slender bar, less for its held side
