"""Meshes of channels: conforming, exact on the boundary, without small angles, graded as asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ellipe, ellipeinc

from sciml.errors import InputError
from sciml.mesh import make_channel
from sciml.mesh.force_equilibrium import MOST, force_equilibrium, least_angles
from sciml.mesh.obstacles import Circle, Ellipse, Polygon

BODIES = {
    "circle": Circle((0.35, 0.2), 0.05),
    "ellipse": Ellipse((0.35, 0.2), (0.07, 0.035), 25.0),
    "square": Polygon(((0.3, 0.15), (0.4, 0.15), (0.4, 0.25), (0.3, 0.25))),
    "clockwise wedge": Polygon(((0.3, 0.15), (0.3, 0.25), (0.45, 0.2))),
    "L": Polygon(((0.3, 0.12), (0.45, 0.12), (0.45, 0.18), (0.36, 0.18), (0.36, 0.27), (0.3, 0.27))),
}


def area(loop):
    after = np.roll(loop, -1, axis=0)
    return abs(np.sum(loop[:, 0] * after[:, 1] - loop[:, 1] * after[:, 0])) / 2


def random_circles(seed, count):
    random = np.random.default_rng(seed)
    for _ in range(count):
        yield Circle((random.uniform(0.25, 0.4), random.uniform(0.15, 0.26)), random.uniform(0.03, 0.065))


@pytest.mark.parametrize("name", BODIES)
def test_a_channel_is_the_rectangle_without_its_obstacle(name):
    nodes = BODIES[name].nodes(0.01)
    mesh = make_channel(BODIES[name], length=1.0, size=0.01)
    triangles = mesh.cells["triangle"]
    assert mesh.volumes().sum() == pytest.approx(0.41 - area(nodes), rel=1e-12)
    assert len(np.unique(triangles)) == mesh.n_points  # no point without a cell
    assert mesh.n_points - len(mesh.edges()) + mesh.n_cells == 0  # Euler's formula of a plane domain with one hole
    corners = mesh.points[triangles]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert (first[:, 0] * second[:, 1] > first[:, 1] * second[:, 0]).all()  # counter-clockwise
    assert least_angles(mesh.points, triangles).min() > 30


@pytest.mark.parametrize("name", BODIES)
def test_groups_divide_the_boundary_and_their_nodes_lie_exactly_on_it(name):
    mesh = make_channel(BODIES[name], length=1.0, size=0.01)
    whole = {frozenset(edge) for edge in mesh.boundary().cells["line"].tolist()}
    parts = {key: [frozenset(edge) for edge in group.facets.tolist()] for key, group in mesh.groups.items()}
    assert sorted(parts) == ["inlet", "obstacle", "outlet", "wall"]
    assert sum(map(len, parts.values())) == len(whole) and set().union(*parts.values()) == whole
    x = {key: mesh.points[np.unique(group.facets)] for key, group in mesh.groups.items()}
    assert (x["inlet"][:, 0] == 0).all() and (x["outlet"][:, 0] == 1).all()
    assert ((x["wall"][:, 1] == 0) | (x["wall"][:, 1] == 0.41)).all()
    assert np.array_equal(np.sort(x["obstacle"], axis=0), np.sort(BODIES[name].nodes(0.01), axis=0))
    lengths = {
        key: np.linalg.norm(np.diff(mesh.points[g.facets], axis=1), axis=2).sum() for key, g in mesh.groups.items()
    }
    assert [lengths[key] for key in ("inlet", "outlet", "wall")] == pytest.approx([0.41, 0.41, 2.0], rel=1e-12)


def test_nodes_are_on_the_circle_and_the_ellipse_equally_far_apart_along_the_arc():
    circle = Circle((0.3, 0.2), 0.05).nodes(0.004)
    assert np.abs(np.hypot(*(circle - [0.3, 0.2]).T) - 0.05).max() < 1e-16
    a, b, turn = 0.07, 0.04, np.radians(25)
    nodes = Ellipse((0.3, 0.2), (a, b), 25).nodes(0.004) - [0.3, 0.2]
    along = nodes @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    assert np.abs((along[:, 0] / a) ** 2 + (along[:, 1] / b) ** 2 - 1).max() < 1e-14
    from_minor = np.unwrap(np.arctan2(along[:, 0] / a, along[:, 1] / b))[::-1]  # the angle of the tables of E
    arcs = a * np.diff(ellipeinc(from_minor, 1 - (b / a) ** 2))
    assert arcs == pytest.approx(np.full(len(arcs), 4 * a * ellipe(1 - (b / a) ** 2) / len(nodes)), rel=1e-4)


def test_corners_of_a_polygon_are_nodes_in_either_sense():
    corners = BODIES["L"].corners
    for given in (corners, corners[::-1]):
        nodes = Polygon(given).nodes(0.01)
        assert all((nodes == corner).all(axis=1).any() for corner in corners)
        following = np.roll(nodes, -1, axis=0)
        assert np.sum(nodes[:, 0] * following[:, 1] - nodes[:, 1] * following[:, 0]) > 0
    edges = np.linalg.norm(np.roll(nodes, -1, axis=0) - nodes, axis=1)
    assert edges.min() > 0.0075 and edges.max() < 0.0125


@pytest.mark.parametrize(("seed", "count"), [(2024, 12), pytest.param(2025, 200, marks=pytest.mark.slow)])
def test_random_channels_have_no_small_angle(seed, count):
    for circle in random_circles(seed, count):
        mesh = make_channel(circle, length=1.6, size=0.008, far_size=0.032)
        assert least_angles(mesh.points, mesh.cells["triangle"]).min() >= 30


@pytest.mark.parametrize(("size", "far", "growth"), [(0.01, 0.04, 0.1), (0.02, 0.02, 0.0), (0.006, 0.05, 0.2)])
def test_edges_are_as_long_as_asked(size, far, growth):
    mesh = make_channel(Circle((0.4, 0.2), 0.05), 1.2, 0.41, size, far, growth)
    ends = mesh.points[mesh.edges()]
    distance = np.hypot(*(ends.mean(axis=1) - [0.4, 0.2]).T) - 0.05
    wanted = np.minimum(far, size + growth * distance)
    ratio = np.linalg.norm(np.diff(ends, axis=1)[:, 0], axis=1) / wanted
    assert np.median(ratio) == pytest.approx(1.0, abs=0.08)
    assert ratio.min() > 0.5 and ratio.max() < 1.8


def test_one_call_gives_one_mesh_whatever_was_drawn_before():
    first = make_channel(BODIES["circle"], length=0.8, size=0.015)
    np.random.default_rng().random(5)
    second = make_channel(BODIES["circle"], length=0.8, size=0.015)
    assert first.points.tobytes() == second.points.tobytes()
    assert first.cells["triangle"].tobytes() == second.cells["triangle"].tobytes()


def test_a_channel_scales_with_its_lengths():
    small = make_channel(BODIES["circle"], 1.0, 0.41, 0.015)
    large = make_channel(Circle((0.35 * 64, 0.2 * 64), 0.05 * 64), 64.0, 0.41 * 64, 0.015 * 64)
    assert np.array_equal(large.points, 64 * small.points)  # without rounding, as 64 is a power of 2


def test_a_disturbed_lattice_relaxes_to_nearly_equilateral_triangles():
    i, j = np.meshgrid(np.arange(-6, 7), np.arange(-6, 7))
    ring = np.maximum(np.maximum(abs(i), abs(j)), abs(i + j))
    lattice = np.stack([i + j / 2, j * np.sqrt(3) / 2], axis=-1)
    boundary, inner = lattice[ring == 6], lattice[ring < 6]
    disturbed = inner + np.random.default_rng(3).uniform(-0.3, 0.3, inner.shape)
    found = force_equilibrium(boundary, disturbed, lambda x: np.ones(len(x)), lambda x: x)
    assert np.array_equal(found.points[: len(boundary)], boundary)
    assert found.steps < MOST and found.least_angle > 45
    assert len(found.triangles) == 6 * 6**2


def test_least_angles_are_those_of_known_triangles():
    points = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, np.sqrt(3) / 2), (2.0, 1e-9)])
    triangles = np.array([(0, 1, 2), (0, 1, 3), (0, 1, 4)])
    assert least_angles(points, triangles) == pytest.approx([45, 60, np.degrees(5e-10)], abs=1e-5)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: make_channel(Circle((0.2, 0.2), 0.21)), "expected a place inside the channel of 2.2 by 0.41"),
        (lambda: make_channel(Circle((2.19, 0.2), 0.05)), "reaches x from 2.14 to 2.24"),
        (lambda: make_channel(Circle((0.2, 0.07), 0.05)), "the gap between obstacle and lower wall is 0.02"),
        (lambda: make_channel(Circle((0.2, 0.2), 0.01), size=0.02), "too coarse for an obstacle with a radius"),
        (lambda: make_channel(Polygon(((0.3, 0.2), (0.32, 0.2), (0.3, 0.22))), size=0.04), "a polygon with an edge of"),
        (lambda: make_channel(size=0.2), "the size is 0.2, expected a positive number of at most 0.1025"),
        (lambda: make_channel(size=0.01, far_size=0.005), "the far size is 0.005"),
        (lambda: make_channel(size=1e-5), "too fine for a channel"),
        (lambda: make_channel(growth=0.5), "the growth is 0.5"),
        (lambda: make_channel(length=np.nan), "the length of a channel is nan"),
    ],
)
def test_what_cannot_be_meshed_is_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_an_acute_corner_of_the_fluid_is_refused_instead_of_a_sliver():
    notched = Polygon(((0.3, 0.1), (0.5, 0.1), (0.5, 0.3), (0.32, 0.3), (0.45, 0.2), (0.305, 0.3)))
    with pytest.raises(InputError, match="too coarse for this obstacle"):
        make_channel(notched, length=1.0, size=0.01)
