"""Geometry: identities of integral calculus, refusals, norms."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.mesh import Field, Grid, Group, Mesh, make_interval, make_mesh
from sciml.mesh.make import MESH_NAMES

UNIT_CELLS = {
    "triangle": ([[0, 0], [1, 0], [0, 1]], 1 / 2),
    "quad": ([[0, 0], [1, 0], [1, 1], [0, 1]], 1),
    "tetra": ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], 1 / 6),
    "pyramid": ([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], 1 / 3),
    "wedge": ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], 1 / 2),
    "hexahedron": ([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], 1),
}


def one_cell(name: str) -> Mesh:
    points, _ = UNIT_CELLS[name]
    return Mesh(np.array(points, float), {name: np.arange(len(points))[None]})


def volume_from_boundary(mesh: Mesh) -> float:
    """``V = 1/dim int x . n``, with independent quadrature: 2 x 2 Gauss points on bilinear facets."""
    gauss = 0.5 + np.array([-1, 1]) / np.sqrt(12)
    total = 0.0
    for kind, nodes in mesh.boundary().cells.items():
        for facet in mesh.points[nodes]:
            if kind == "line":
                a, b = facet
                total += np.dot((a + b) / 2, [b[1] - a[1], a[0] - b[0]])
            elif kind == "triangle":
                a, b, c = facet
                total += np.dot((a + b + c) / 3, np.cross(b - a, c - a)) / 2
            else:
                a, b, c, d = facet
                for u in gauss:
                    for v in gauss:
                        x = (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d
                        du = (1 - v) * (b - a) + v * (c - d)
                        dv = (1 - u) * (d - a) + u * (c - b)
                        total += np.dot(x, np.cross(du, dv)) / 4
    return total / mesh.dim


@pytest.mark.parametrize("name", UNIT_CELLS)
def test_unit_cells_have_their_volume_and_their_facets_point_outwards(name):
    mesh, volume = one_cell(name), UNIT_CELLS[name][1]
    assert mesh.volumes() == pytest.approx([volume], rel=1e-14)
    assert np.abs(mesh.boundary().normals().sum(axis=0)).max() < 1e-15
    assert volume_from_boundary(mesh) == pytest.approx(volume, rel=1e-14)
    assert mesh.simplex_volumes(name, mesh.cells[name]).sum() == pytest.approx(volume, rel=1e-14)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(UNIT_CELLS)), seed=st.integers(0, 2**32 - 1), mirrored=st.booleans())
def test_divergence_theorem_holds_on_warped_and_mirrored_cells(name, seed, mirrored):
    mesh = one_cell(name)
    rng = np.random.default_rng(seed)
    points = (mesh.points + rng.uniform(-0.15, 0.15, mesh.points.shape)) * (
        [-1] + [1] * (mesh.dim - 1) if mirrored else [1] * mesh.dim
    )
    warped = Mesh(points, mesh.cells)
    assert np.abs(warped.boundary().normals().sum(axis=0)).max() < 1e-14
    assert volume_from_boundary(warped) == pytest.approx(warped.volumes()[0], rel=1e-12)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 300))
def test_an_interval_has_its_ends_equal_cells_and_their_total_length(lower, length, cells):
    upper = lower + length
    mesh = make_interval(lower, upper, cells)
    assert (mesh.n_points, mesh.n_cells) == (cells + 1, cells)
    assert (mesh.points[0, 0], mesh.points[-1, 0]) == (lower, upper)
    assert mesh.volumes() == pytest.approx(np.full(cells, (upper - lower) / cells), rel=1e-6, abs=1e-9)
    assert sorted(mesh.groups["boundary"].facets.ravel()) == [0, cells]


def test_the_interval_of_a_number_of_refinements_is_the_one_of_as_many_cells():
    assert np.allclose(np.sort(make_mesh("interval", 4).points[:, 0]), make_interval(cells=16).points[:, 0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((2.0, -2.0), "from 2 to -2, expected a lower end that is less"),
        ((1.0, 1.0), "from 1 to 1, expected a lower end"),
        ((float("nan"), 1.0), "lower end of an interval is nan, expected a finite number"),
        ((0.0, float("inf")), "upper end of an interval is inf"),
        ((0.0, 1.0, 0), "number of cells of an interval is 0"),
        ((0.0, 1.0, 10**9), "number of cells of an interval is 1000000000"),
        ((1e16, 1e16 + 2, 10), "too short for 10 cells"),
        ((-1e308, 1e308, 4), "too long"),
    ],
)
def test_an_interval_that_is_none_is_refused_with_a_sentence(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        make_interval(*arguments)


@pytest.mark.parametrize("name", [n for n in MESH_NAMES if n not in ("interval", "sphere")])
def test_ready_shapes_satisfy_the_divergence_theorem(name):
    mesh = make_mesh(name, 2)
    assert np.abs(mesh.boundary().normals().sum(axis=0)).max() < 1e-13
    assert volume_from_boundary(mesh) == pytest.approx(mesh.volumes().sum(), rel=1e-12)
    assert len(mesh.groups["boundary"]) == mesh.boundary().n_cells


def test_ready_shapes_have_the_volumes_of_their_names():
    for name in ("interval", "square", "square_quad", "l_shape", "cube", "cube_hex"):
        volume = 3 if name == "l_shape" else 1
        assert make_mesh(name, 2).volumes().sum() == pytest.approx(volume, rel=1e-13)
    disk = [np.pi - make_mesh("disk", k).volumes().sum() for k in (3, 4, 5)]
    assert np.log2(disk[0] / disk[1]) == pytest.approx(2, abs=0.1)
    assert np.log2(disk[1] / disk[2]) == pytest.approx(2, abs=0.1)
    sphere = make_mesh("sphere", 3)
    assert sphere.boundary().n_cells == 0
    assert np.abs(np.linalg.norm(sphere.points, axis=1) - 1).max() < 1e-14


@pytest.mark.parametrize("name", ["square", "square_quad", "cube", "cube_hex", "sphere"])
def test_edges_satisfy_eulers_formula(name):
    mesh = make_mesh(name, 1)
    facets = {}
    for kind, nodes, _ in mesh.blocks():
        from sciml.mesh.shapes import SHAPES

        for _, local in SHAPES[kind].facets:
            for facet in np.sort(nodes[:, local], axis=1):
                facets[tuple(facet)] = True
    faces = len(facets) if mesh.topological_dim == 3 else mesh.n_cells
    solids = mesh.n_cells if mesh.topological_dim == 3 else 0
    characteristic = 2 if name == "sphere" else 1
    assert mesh.n_points - len(mesh.edges()) + faces - solids == characteristic


def test_second_order_cells_with_straight_edges_have_the_volume_and_boundary_of_their_corners():
    for name, corners, edges in (
        ("triangle6", "triangle", [(0, 1), (1, 2), (2, 0)]),
        ("tetra10", "tetra", [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)]),
    ):
        x = np.array(UNIT_CELLS[corners][0], float)
        points = np.vstack([x, [(x[a] + x[b]) / 2 for a, b in edges]])
        mesh = Mesh(points, {name: np.arange(len(points))[None]})
        assert mesh.volumes().sum() == pytest.approx(UNIT_CELLS[corners][1], rel=1e-14)
        assert mesh.boundary().volumes().sum() == pytest.approx(one_cell(corners).boundary().volumes().sum(), rel=1e-14)
        assert np.abs(mesh.boundary().normals().sum(axis=0)).max() < 1e-15


@pytest.mark.parametrize(
    ("points", "cells", "words"),
    [
        ([[0, 0], [1, np.nan], [0, 1]], {"triangle": [[0, 1, 2]]}, "not finite"),
        ([[0, 0], [1, 0], [0, 1]], {"triangle": [[0, 1, 3]]}, "expected 0 to 2"),
        ([[0, 0], [1, 0], [0, 1]], {"triangle": [[0, 1, -1]]}, "expected 0 to 2"),
        ([[0, 0], [1, 0], [0, 1]], {"triangle": [[0, 1, 1]]}, "uses a point twice"),
        ([[0, 0], [1, 1], [2, 2]], {"triangle": [[0, 1, 2]]}, "no area"),
        ([[0, 0], [1, 0], [0, 1]], {"triangle": [[0, 1]]}, "has 3 points"),
        ([[0, 0], [1, 0], [0, 1]], {"triangle": [[0.0, 1.0, 2.0]]}, "expected whole ones"),
        ([[0, 0], [1, 0], [0, 1]], {"pentagon": [[0, 1, 2]]}, "Unknown cell type"),
        ([[0], [1], [2]], {"triangle": [[0, 1, 2]]}, "needs 2 coordinates"),
        ([0, 1, 2], {}, "must have shape"),
    ],
)
def test_bad_meshes_are_refused_with_a_sentence(points, cells, words):
    with pytest.raises(InputError, match=words):
        Mesh(np.array(points, float), {k: np.array(v) for k, v in cells.items()})


def test_bad_groups_are_refused_with_a_sentence():
    square = Grid((2, 2)).to_mesh()
    for group, words in (
        (Group(2, cells=[1]), "expected 0 to 0"),
        (Group(1, cells=[0]), "contains a quad"),
        (Group(1, facets=[[0, 9]]), "expected 0 to 3"),
        (Group(1, facets=[[0, 1, 2, 3]]), "No cell"),
    ):
        with pytest.raises(InputError, match=words):
            Mesh(square.points, square.cells, {"part": group})
    with pytest.raises(InputError, match="exactly one"):
        Group(1)


def test_meshes_are_immutable_own_their_arrays_and_can_be_sent_to_other_processes():
    points = np.array([[0.0, 0], [1, 0], [0, 1]])
    mesh = Mesh(points, {"triangle": np.array([[0, 1, 2]])}, {"all": Group(2, cells=np.array([0]))})
    points[0] = 7
    assert mesh.points[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        mesh.points[0] = 7
    with pytest.raises(TypeError):
        mesh.cells["line"] = np.array([[0, 1]])
    copy = pickle.loads(pickle.dumps(mesh))
    assert np.array_equal(copy.points, mesh.points)
    assert np.array_equal(copy.groups["all"].cells, [0])


@pytest.mark.parametrize("name", ["square", "square_quad", "cube", "cube_hex"])
def test_interpolation_reproduces_linear_functions_and_located_cells_contain_their_positions(name):
    mesh = make_mesh(name, 2)
    x = np.random.default_rng(0).uniform(0.05, 0.95, (50, mesh.dim))
    linear = lambda p: 1 + p @ np.arange(1.0, mesh.dim + 1)  # noqa: E731
    assert np.abs(mesh.interpolate(linear(mesh.points), x) - linear(x)).max() < 1e-12
    corners = mesh.points[next(iter(mesh.cells.values()))[mesh.locate(x)]]
    assert (corners.min(axis=1) <= x + 1e-12).all()
    assert (corners.max(axis=1) >= x - 1e-12).all()
    with pytest.raises(InputError, match="outside"):
        mesh.locate(np.full((1, mesh.dim), 3.0))


def test_scikit_fem_sees_the_groups_of_facets_and_of_cells_as_the_same_boundary():
    mesh = make_mesh("square", 2)
    left = mesh.groups["boundary"].facets
    left = left[(mesh.points[left][:, :, 0] == 0).all(axis=1)]
    as_facets = Mesh(mesh.points, mesh.cells, {"left": Group(1, facets=left)})
    as_cells = Mesh(mesh.points, {"line": left, **mesh.cells}, {"left": Group(1, cells=np.arange(len(left)))})
    for one in (as_facets, as_cells):
        found = one.to_skfem()
        assert np.abs(found.p[0, found.facets[:, found.boundaries["left"]]]).max() == 0
        assert len(found.boundaries["left"]) == 4


@pytest.mark.parametrize(
    ("shape", "centring", "periodic"),
    [
        ((7,), "vertex", False),
        ((5, 4), "cell", False),
        ((5, 4), "vertex", (True, False)),
        ((3, 4, 5), "vertex", True),
        ((3, 4, 5), "cell", False),
    ],
)
def test_grid_weights_sum_to_the_box_and_spacing_matches_the_axes(shape, centring, periodic):
    dim = len(shape)
    grid = Grid(shape, tuple(-1.0 - k for k in range(dim)), tuple(2.0 + k for k in range(dim)), periodic, centring)
    box = np.prod(np.subtract(grid.upper, grid.lower))
    assert grid.volumes().sum() == pytest.approx(box, rel=1e-14)
    for axis, h in zip(grid.axes(), grid.spacing, strict=True):
        assert np.diff(axis) == pytest.approx(np.full(len(axis) - 1, h), rel=1e-12)
    if not any(grid.periodic):
        mesh = grid.to_mesh()
        assert mesh.volumes().sum() == pytest.approx(box, rel=1e-13)
        centres = mesh.points[next(iter(mesh.cells.values()))].mean(axis=1)
        places = centres if centring == "cell" else mesh.points
        assert np.abs(places - grid.coordinates().reshape(-1, dim)).max() < 1e-14


def test_bad_grids_are_refused():
    for keywords, words in (
        ({"shape": (0, 3)}, "at least"),
        ({"shape": (1, 3)}, "at least 2"),
        ({"shape": (3, 3), "lower": (0, 1), "upper": (1, 1)}, "smaller than upper"),
        ({"shape": (3, 3), "lower": (0,)}, "one entry"),
        ({"shape": (2,) * 4}, "1 to 3 axes"),
        ({"shape": (3,), "centring": "middle"}, "centring"),
    ):
        with pytest.raises(InputError, match=words):
            Grid(**keywords)


@pytest.mark.parametrize("name", ["square", "square_quad", "cube", "cube_hex"])
def test_norm_of_a_field_converges_with_second_order_to_the_integral(name):
    exact = np.sqrt(0.5) ** (2 if "square" in name else 3)  # of prod_k sin(pi x_k) on the unit cube
    errors = []
    for k in (2, 3, 4):
        mesh = make_mesh(name, k)
        errors.append(abs(Field("u", np.prod(np.sin(np.pi * mesh.points), axis=1), mesh).norm() - exact))
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.15)


def test_norm_is_exact_for_linear_fields_and_constants_and_agrees_between_meshes_and_grids():
    mesh = make_mesh("square", 3)
    assert Field("x", mesh.points[:, 0], mesh).norm() == pytest.approx(np.sqrt(1 / 3), rel=1e-13)
    assert Field("v", np.tile([3.0, 4.0], (mesh.n_points, 1)), mesh).norm() == pytest.approx(5, rel=1e-13)
    assert Field("k", np.full(mesh.n_cells, 2.0), mesh, "cells").norm() == pytest.approx(2, rel=1e-13)
    for centring in ("cell", "vertex"):
        grid = Grid((33, 9), centring=centring)
        assert Field("v", np.tile([3.0, 4.0], (33, 9, 1)), grid).norm() == pytest.approx(5, rel=1e-13)
    series = Field("u", np.stack([np.full(mesh.n_points, t) for t in (1.0, 2.0)]), mesh, times=[0, 1])
    assert series.norm() == pytest.approx([1, 2], rel=1e-13)


def test_relative_error_ignores_how_points_are_spread_unlike_a_mean_over_points():
    x = np.concatenate([np.linspace(0, 0.5, 501), np.linspace(0.5, 1, 6)[1:]])
    mesh = Mesh(x[:, None], {"line": np.stack([np.arange(len(x) - 1), np.arange(1, len(x))], axis=1)})
    reference = Field("u", np.ones_like(x), mesh)
    half_wrong = Field("u", np.where(x < 0.5, 1.0, 1.1), mesh)
    assert half_wrong.relative_error(reference) == pytest.approx(0.1 * np.sqrt(0.5), rel=2e-3)
    with pytest.raises(InputError, match="is zero"):
        reference.relative_error(Field("u", np.zeros_like(x), mesh))
    with pytest.raises(InputError, match="same places"):
        reference.relative_error(Field("u", np.ones(mesh.n_cells), mesh, "cells"))


def test_bad_fields_are_refused():
    grid = Grid((3, 4), centring="cell")
    for values, keywords, words in (
        (np.ones((4, 3)), {}, "needs shape"),
        (np.full((3, 4), "a"), {}, "are texts, expected numerical ones"),
        (np.ones((2, 3, 4)), {"times": [1, 0]}, "increasing"),
        (np.ones((3, 4)), {"location": "points"}, "cell-centred"),
    ):
        with pytest.raises(InputError, match=words):
            Field("u", values, grid, **keywords)
    with pytest.raises(InputError, match="printable"):
        Field("a\nb", np.ones((3, 4)), grid)


def test_tensors_that_require_gradients_become_plain_values():
    torch = pytest.importorskip("torch")
    grid = Grid((3, 4), centring="cell")
    values = torch.arange(12.0).reshape(3, 4).requires_grad_()
    assert np.array_equal(Field("u", values, grid).values, np.arange(12.0).reshape(3, 4))
