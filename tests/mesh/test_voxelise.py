"""Voxelised surfaces against analytic volumes, symmetries and an independent inside test."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from sciml.errors import InputError
from sciml.mesh import Grid, Mesh, read_mesh
from sciml.mesh.voxelise import fit_into_box, voxelise
from sciml.metrics import convergence_order

BOX_FACES = np.array([[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]])


def box(lower, upper) -> Mesh:
    corners = np.array(list(itertools.product(*zip(lower, upper, strict=True))), dtype=float)
    return Mesh(corners, {"quad": BOX_FACES})


def swept(points: np.ndarray) -> Mesh:
    """The closed quadrilateral surface through points of shape (n, m, 3), periodic in both directions."""
    number = np.arange(points[..., 0].size).reshape(points.shape[:2])
    around, along = np.roll(number, -1, axis=1), np.roll(number, -1, axis=0)
    quads = np.stack([number, along, np.roll(along, -1, axis=1), around], axis=-1).reshape(-1, 4)
    return Mesh(points.reshape(-1, 3), {"quad": quads})


def torus(major=0.3, minor=0.12, centre=(0.5, 0.5, 0.5), n=160, m=80) -> Mesh:
    u, v = np.meshgrid(np.arange(n) * 2 * np.pi / n, np.arange(m) * 2 * np.pi / m, indexing="ij")
    ring = major + minor * np.cos(v)
    return swept(np.stack([ring * np.cos(u), ring * np.sin(u), minor * np.sin(v)], axis=-1) + np.array(centre))


def sphere(radius=0.35, centre=(0.5, 0.5, 0.5), levels=5) -> Mesh:
    """An octahedron, divided and projected on the sphere."""
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=float)
    triangles = np.array([[a, b, c] for a in (0, 1) for b in (2, 3) for c in (4, 5)])
    for _ in range(levels):
        corner = points[triangles]
        middle = corner + np.roll(corner, -1, axis=1)
        middle /= np.linalg.norm(middle, axis=2, keepdims=True)
        a, b, c = np.moveaxis(corner, 1, 0)
        ab, bc, ca = np.moveaxis(middle, 1, 0)
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        soup = np.concatenate([np.stack(part, axis=1) for part in parts]).reshape(-1, 3)
        points, inverse = np.unique(soup, axis=0, return_inverse=True)
        triangles = inverse.reshape(-1, 3)
    return Mesh(radius * points + np.array(centre), {"triangle": triangles})


def triangles_of(mesh: Mesh) -> np.ndarray:
    quads = mesh.cells.get("quad", np.empty((0, 4), dtype=int))
    return np.concatenate([mesh.cells.get("triangle", np.empty((0, 3), dtype=int)), quads[:, :3], quads[:, [0, 2, 3]]])


def winding_number(mesh: Mesh, positions: np.ndarray) -> np.ndarray:
    """The solid angle of the surface over 4 pi (van Oosterom and Strackee 1983): an inside test without rays."""
    total = np.zeros(len(positions))
    for triangle in mesh.points[triangles_of(mesh)]:
        a, b, c = (corner - positions for corner in triangle)
        la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
        dots = np.sum(a * b, 1) * lc + np.sum(b * c, 1) * la + np.sum(c * a, 1) * lb
        total += np.arctan2(np.sum(a * np.cross(b, c), axis=1), la * lb * lc + dots)
    return total / (2 * np.pi)


def cube(n: int, lower=0.0, upper=1.0) -> Grid:
    return Grid((n,) * 3, (lower,) * 3, (upper,) * 3, centring="cell")


SHAPES = {
    "sphere": (lambda centre: sphere(0.35, centre), 4 / 3 * math.pi * 0.35**3),
    "torus": (lambda centre: torus(0.3, 0.12, centre), 2 * math.pi**2 * 0.3 * 0.12**2),
    "box": (lambda centre: box(np.array(centre) - 0.31, np.array(centre) + 0.27), 0.58**3),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_volume_converges_to_the_analytic_one_at_first_order_or_better(shape):
    make, volume = SHAPES[shape]
    shifts = np.random.default_rng(1).uniform(-0.05, 0.05, (6, 3))
    sizes = [8, 16, 32, 64]
    errors = [
        np.sqrt(np.mean([(voxelise(make(0.5 + s), cube(n)).mean() - volume) ** 2 for s in shifts])) for n in sizes
    ]
    assert convergence_order(errors, 1.0 / np.array(sizes)) > 1.0
    assert errors[-1] < 0.02 * volume


def test_cells_agree_with_the_winding_number_of_a_rotated_surface():
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0]
    flat = torus(n=24, m=12)
    surface = Mesh((flat.points - 0.5) @ turn.T + 0.5, dict(flat.cells))
    grid = cube(20)
    winding = winding_number(surface, grid.coordinates().reshape(-1, 3)).reshape(grid.shape)
    assert np.array_equal(voxelise(surface, grid), np.abs(winding) > 0.5)


@settings(max_examples=25, deadline=None)
@given(shift=st.tuples(*[st.integers(-6, 6)] * 3))
def test_a_shift_by_whole_cells_moves_the_voxels_exactly(shift):
    # Spacing and shift are powers of two, and the points are rounded to a finer lattice, so the shift is exact.
    surface = torus(0.25, 0.1, n=40, m=20)
    surface = Mesh(np.round(surface.points * 2**20) / 2**20, dict(surface.cells))
    moved = Mesh(surface.points + np.array(shift) / 32, dict(surface.cells))
    grid = cube(64, -0.5, 1.5)
    assert np.array_equal(voxelise(moved, grid), np.roll(voxelise(surface, grid), shift, axis=(0, 1, 2)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_neither_orientation_nor_order_of_vertices_and_triangles_matters(seed):
    rng = np.random.default_rng(seed)
    surface, grid = torus(n=30, m=15), cube(24)
    number = rng.permutation(surface.n_points)
    points = np.empty_like(surface.points)
    points[number] = surface.points
    shuffled = rng.permuted(number[triangles_of(surface)], axis=1)
    mixed = Mesh(points, {"triangle": rng.permutation(shuffled)})
    assert np.array_equal(voxelise(mixed, grid), voxelise(surface, grid))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_permuting_the_axes_permutes_the_voxels(order):
    surface = torus(centre=(0.48, 0.53, 0.51))
    grid = Grid((20, 24, 28), (0.0, 0.1, 0.2), (1.0, 0.9, 0.8), centring="cell")
    turned = Mesh(surface.points[:, order], dict(surface.cells))
    lattice = Grid(
        *(tuple(np.array(entry)[list(order)]) for entry in (grid.shape, grid.lower, grid.upper)), centring="cell"
    )
    assert np.array_equal(voxelise(turned, lattice), voxelise(surface, grid).transpose(order))


def together(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0] + [mesh.n_points for mesh in meshes])
    cells = [triangles_of(mesh) + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.points for mesh in meshes]), {"triangle": np.concatenate(cells)})


def test_a_surface_inside_another_is_a_cavity_by_parity_and_solid_by_union():
    grid = cube(32)
    outer, inner = voxelise(sphere(0.4), grid), voxelise(sphere(0.2), grid)
    both = together(sphere(0.4), sphere(0.2))
    assert np.array_equal(voxelise(both, grid), outer & ~inner)
    assert np.array_equal(voxelise(both, grid, rule="union"), outer)


def test_overlapping_bodies_are_joined_by_union():
    grid = cube(32)
    left, right = sphere(0.25, (0.35, 0.5, 0.5)), sphere(0.25, (0.6, 0.5, 0.52))
    expected = voxelise(left, grid) | voxelise(right, grid)
    assert np.array_equal(voxelise(together(left, right), grid, rule="union"), expected)


def test_a_box_on_the_cell_centres_holds_its_lower_sides_and_not_its_upper_ones():
    inside = voxelise(box((2.5, 1.5, 0.5), (5.5, 6.5, 3.5)), Grid((8, 8, 8), (0, 0, 0), (8, 8, 8), centring="cell"))
    expected = np.zeros((8, 8, 8), dtype=bool)
    expected[2:5, 1:6, 0:3] = True
    assert np.array_equal(inside, expected)


@settings(max_examples=60, deadline=None)
@given(heights=st.lists(st.integers(1, 7), min_size=9, max_size=9), diagonal=st.booleans())
def test_bodies_that_share_a_face_through_cell_centres_fill_the_box_once(heights, diagonal):
    # A roof over a 4 x 4 lattice splits a box in two. Its vertices, edges and often its faces lie on cell centres.
    n = 4
    roof = np.full((n, n), 4.0)
    roof[:3, :3] = np.reshape(heights, (3, 3))

    def half(level: float) -> np.ndarray:
        top = [(i, j, roof[i, j]) for i in range(n) for j in range(n)]
        base = [(i, j, level) for i in range(n) for j in range(n)]
        at = np.arange(n * n).reshape(n, n)
        a, b, c, d = at[:-1, :-1].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel(), at[:-1, 1:].ravel()
        split = [(a, b, c), (a, c, d)] if diagonal else [(a, b, d), (b, c, d)]
        cap = np.concatenate([np.column_stack(part) for part in split])
        rim = np.concatenate([at[:-1, 0], at[-1, :-1], at[:0:-1, -1], at[0, :0:-1]])
        after = np.roll(rim, -1)
        wall = np.concatenate([np.column_stack([rim, after, rim + n * n]),
                               np.column_stack([after, after + n * n, rim + n * n])])  # fmt: skip
        return Mesh(np.array(top + base, dtype=float), {"triangle": np.concatenate([cap, cap + n * n, wall])})

    grid = Grid((4, 4, 9), (-0.5, -0.5, -0.5), (3.5, 3.5, 8.5), centring="cell")
    below, above = voxelise(half(0.0), grid), voxelise(half(8.0), grid)
    whole = np.zeros(grid.shape, dtype=bool)
    whole[:3, :3, :8] = True
    assert not np.any(below & above)
    assert np.array_equal(below | above, whole)


def test_vertices_and_edges_on_the_lines_through_cell_centres_count_once():
    # Octahedra with vertices, edges and diagonals exactly on cell centres, against |x| + |y| + |z| < r off the surface.
    grid = Grid((16, 16, 16), (-8.5,) * 3, (7.5,) * 3, centring="cell")
    distance = np.abs(grid.coordinates()).sum(axis=-1)
    for radius in range(1, 8):
        inside = voxelise(sphere(radius, (0.0, 0.0, 0.0), levels=0), grid)
        assert np.array_equal(inside[distance != radius], (distance < radius)[distance != radius])


def test_a_triangle_soup_with_rounding_noise_is_closed_by_the_merge_tolerance():
    surface, grid = torus(), cube(32)
    soup = surface.points[triangles_of(surface)].reshape(-1, 3)
    soup = soup + 1e-9 * np.random.default_rng(3).standard_normal(soup.shape)
    noisy = Mesh(soup, {"triangle": np.arange(len(soup)).reshape(-1, 3)})
    assert np.array_equal(voxelise(noisy, grid), voxelise(surface, grid))
    with pytest.raises(InputError, match="not closed"):
        voxelise(noisy, grid, merge_tolerance=0.0)


def test_triangles_that_collapse_when_merged_are_dropped():
    surface, grid = box((0.2, 0.2, 0.2), (0.7, 0.7, 0.7)), cube(16)
    points = np.concatenate([surface.points, surface.points[:1]])
    cells = {"quad": surface.cells["quad"], "triangle": [[0, 8, 1], [8, 0, 5]]}
    assert np.array_equal(voxelise(Mesh(points, cells), grid), voxelise(surface, grid))


def test_an_open_surface_is_refused_with_the_number_of_open_edges():
    open_box = Mesh(box((0.2,) * 3, (0.8,) * 3).points, {"quad": BOX_FACES[:5]})
    with pytest.raises(InputError, match=r"not closed: got 4 of 17 edges .* expected 0; close"):
        voxelise(open_box, cube(8))


def test_flat_holes_are_closed_exactly():
    lower, upper, grid = (0.2,) * 3, (0.83, 0.7, 0.9), cube(24)
    for missing in range(6):
        faces = np.delete(BOX_FACES, missing, axis=0)
        opened = Mesh(box(lower, upper).points, {"quad": faces})
        assert np.array_equal(voxelise(opened, grid, close_holes=True), voxelise(box(lower, upper), grid))


def test_each_of_several_holes_gets_its_own_cap():
    surface, grid = sphere(0.4, levels=4), cube(24)
    far = np.abs(surface.points[triangles_of(surface)].mean(axis=1) - 0.5).max(axis=1) < 0.385
    opened = Mesh(surface.points, {"triangle": triangles_of(surface)[far]})
    closed = voxelise(opened, grid, close_holes=True)
    assert not np.any(closed & ~voxelise(surface, grid))
    assert closed.mean() == pytest.approx(4 / 3 * math.pi * 0.4**3, rel=0.03)


def test_a_sheet_thinner_than_a_cell_vanishes_or_is_kept_as_a_tight_wall():
    normal = np.array([0.3, 0.5, 0.81])
    turn = np.linalg.qr(np.column_stack([normal, np.eye(3)[:, :2]]))[0]
    slab = box((-0.001, -5, -5), (0.001, 5, 5))
    sheet, grid = Mesh(slab.points @ turn.T + 0.503, dict(slab.cells)), cube(16)
    assert label(~voxelise(sheet, grid))[1] == 1
    wall = voxelise(sheet, grid, keep_thin=True)
    assert label(~wall)[1] == 2
    distance = np.abs((grid.coordinates() - 0.503) @ turn[:, 0])
    assert np.all(distance[wall] < 0.001 + 0.5 / 16) and np.all(wall[distance < 0.25 / 16])


def test_places_outside_the_surface_and_surfaces_outside_the_box_give_no_voxels():
    assert not voxelise(box((2, 2, 2), (3, 3, 3)), cube(8)).any()
    assert voxelise(box((-1, -1, -1), (3, 3, 3)), cube(8)).all()
    assert not voxelise(box((2, 2, 2), (3, 3, 3)), cube(8), keep_thin=True).any()


def test_a_vertex_centred_grid_is_tested_at_its_vertices():
    inside = voxelise(box((0.2, 0.2, 0.2), (0.6, 0.6, 0.6)), Grid((5, 5, 5)))
    assert np.array_equal(np.argwhere(inside), np.array(list(itertools.product([1, 2], repeat=3))))


@pytest.mark.parametrize(
    ("surface", "grid", "options", "sentence"),
    [
        (box((0,) * 3, (1,) * 3), Grid((4, 4)), {}, "three dimensions"),
        (box((0,) * 3, (1,) * 3), cube(4), {"rule": "odd"}, "'parity' or 'union'"),
        (box((0,) * 3, (1,) * 3), cube(4), {"merge_tolerance": math.nan}, "merge tolerance"),
        (Mesh(np.eye(2), {"line": [[0, 1]]}), cube(4), {}, "three dimensions"),
        (Mesh(np.eye(3), {"line": [[0, 1]]}), cube(4), {}, "no cells of type 'triangle'"),
        (Mesh(np.eye(4, 3), {"tetra": [[0, 1, 2, 3]]}), cube(4), {}, "got cells of type 'tetra'"),
        (Mesh(np.zeros((3, 3)), {"triangle": [[0, 1, 2]]}), cube(4), {}, "every triangle is degenerate"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(surface, grid, options, sentence):
    with pytest.raises(InputError, match=sentence):
        voxelise(surface, grid, **options)


def test_fitting_centres_the_surface_and_fills_the_given_share_without_distortion():
    surface = torus(3.0, 1.0, (7.0, -2.0, 5.0))
    lower, upper = np.array([0.0, 0.0, -1.0]), np.array([2.0, 1.0, 1.0])
    fitted = fit_into_box(surface, lower, upper, fill=0.6)
    extent = np.ptp(fitted.points, axis=0)
    assert np.max(extent / (upper - lower)) == pytest.approx(0.6)
    assert fitted.points.min(axis=0) + fitted.points.max(axis=0) == pytest.approx(lower + upper)
    assert extent / np.ptp(surface.points, axis=0) == pytest.approx(np.full(3, 0.6 / 8))


@pytest.mark.parametrize(("upper", "fill"), [((1, 1, 0), 0.5), ((1, 1), 0.5), ((1, 1, 1), 0.0), ((1, 1, 1), 1.5)])
def test_a_wrong_box_is_refused(upper, fill):
    with pytest.raises(InputError, match="box"):
        fit_into_box(sphere(levels=1), (0, 0, 0), upper, fill)


def test_the_shipped_surface_is_closed_and_has_the_volume_of_its_tube(repository):
    # A tube of constant radius has the volume of its cross section times the length of its axis (Pappus).
    knot, _ = read_mesh(repository / "datasets" / "surfaces" / "trefoil.ply")
    t = np.arange(4096) * 2 * np.pi / 4096
    axis = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)], axis=1)
    length = np.linalg.norm(np.roll(axis, -1, axis=0) - axis, axis=1).sum()
    lower, upper = knot.points.min(axis=0) - 0.1, knot.points.max(axis=0) + 0.1
    inside = voxelise(knot, Grid((96, 96, 64), tuple(lower), tuple(upper), centring="cell"))
    assert inside.mean() * np.prod(upper - lower) == pytest.approx(np.pi * 0.55**2 * length, rel=0.03)
    assert label(inside)[1] == 1


def test_a_scanned_nut_has_the_volume_that_the_divergence_theorem_gives(reference_data):
    nut, _ = read_mesh(reference_data / "meshes" / "nut.ply")
    nut = fit_into_box(nut, (0, 0, 0), (1, 1, 1), fill=0.8)
    a, b, c = np.moveaxis(nut.points[nut.cells["triangle"]], 1, 0)
    volume = abs(np.sum(a * np.cross(b, c))) / 6
    # Its flat sides lie along the axes, where one position of the grid errs by half a layer: average over positions.
    shifts = np.random.default_rng(4).uniform(-0.5, 0.5, (16, 3)) / 64
    shares = [voxelise(Mesh(nut.points + shift, dict(nut.cells)), cube(64)).mean() for shift in shifts]
    assert np.mean(shares) == pytest.approx(volume, rel=0.01)


def test_an_airplane_with_open_parts_is_refused_and_becomes_one_body_when_asked(reference_data):
    airplane, _ = read_mesh(reference_data / "meshes" / "airplane.ply")
    airplane, grid = fit_into_box(airplane, (0, 0, 0), (1, 1, 1), fill=0.9), cube(96)
    with pytest.raises(InputError, match="not closed"):
        voxelise(airplane, grid)
    body = voxelise(airplane, grid, rule="union", close_holes=True, keep_thin=True)
    pieces, count = label(body, np.ones((3, 3, 3)))
    assert np.bincount(pieces.ravel())[1:].max() > 0.99 * body.sum(), count
    span = np.ptp(np.argwhere(body), axis=0) + 1  # the wings, thinner than a cell, reach their tips
    assert np.all(np.abs(span - 96 * np.ptp(airplane.points, axis=0)) <= 2.0)
