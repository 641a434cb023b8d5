"""Points in a mesh and on its boundary: integrals over disk, ball, L and sphere, the divergence theorem, groups."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from sciml.domains import MeshDomain
from sciml.errors import InputError, MeshFileError
from sciml.mesh import Group, Mesh, make_mesh, write_mesh
from sciml.numerics.random import generator

SHAPES = ("interval", "square", "disk", "l_shape", "cube", "ball")
TWO = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])


def triangles(*cells: tuple[int, ...], groups: dict[str, Group] | None = None) -> Mesh:
    return Mesh(TWO, {"triangle": np.array(cells)}, groups or {})


def mean_error(domain, kind: str, count: int, function, exact: float) -> float:
    means = [function(domain.interior(count, generator(1, seed), kind)).mean().item() for seed in range(30)]
    return math.sqrt(np.mean((np.array(means) - exact) ** 2))


@pytest.mark.parametrize("kind", ["uniform", "stratified"])
@pytest.mark.parametrize("name", SHAPES)
def test_points_are_uniform_over_the_cells(name: str, kind: str) -> None:
    """Each cell is hit in proportion to its measure, and inside it the barycentric coordinates are Dirichlet."""
    mesh = make_mesh(name, 1)
    x = torch.cat([MeshDomain(mesh).interior(64, generator(0, seed), kind) for seed in range(60)]).numpy()
    cells, volumes = mesh.locate(x), mesh.volumes()
    expected = volumes / volumes.sum() * len(x)
    counts = np.bincount(cells, minlength=mesh.n_cells)
    if kind == "uniform":
        assert stats.chisquare(counts, expected).pvalue > 1e-4
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    (nodes,) = mesh.cells.values()
    corners = np.concatenate([mesh.points[nodes[cells]], np.ones((len(x), mesh.dim + 1, 1))], axis=2)
    coordinates = np.linalg.solve(corners.transpose(0, 2, 1), np.c_[x, np.ones(len(x))][:, :, None])[:, :, 0]
    for k in range(mesh.dim + 1):
        assert stats.kstest(coordinates[:, k], stats.beta(1, mesh.dim).cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    ("name", "moment"), [("disk", 0.5), ("ball", 0.6), ("sphere", 1.0)], ids=["disk", "ball", "sphere"]
)
def test_the_mean_square_radius_converges_to_that_of_the_round_shape(name: str, moment: float) -> None:
    """E |x|^2 = d / (d + 2) in a ball. A mesh of straight edges is smaller by O(h^2)."""
    errors = []
    for refinements in (1, 2, 3):
        x = MeshDomain(name, refinements).interior(100_000, generator(0))
        errors.append(moment - (x**2).sum(dim=1).mean().item())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.3).all() and (orders < 2.5).all()


@pytest.mark.parametrize(("name", "degree"), [("square", 5), ("cube", 2), ("interval", 7)])
def test_polynomials_are_integrated_exactly_in_the_limit(name: str, degree: int) -> None:
    """The error of stratified points falls like n^(-1/2 - 1/dim)."""
    domain = MeshDomain(name, 0)
    exact = (1 / (degree + 1)) ** domain.dim
    few, many = (
        mean_error(domain, "stratified", count, lambda x: (x**degree).prod(dim=1), exact) for count in (512, 32768)
    )
    order = math.log(few / many) / math.log(64)
    assert order == pytest.approx(0.5 + 1 / domain.dim, abs=0.1)
    assert many < 2e-3 * exact


@pytest.mark.parametrize("refinements", [1, 5])
def test_stratified_points_beat_independent_ones_on_coarse_and_fine_meshes(refinements: int) -> None:
    """16 cells have many points each, and of 4,096 cells few have any: the parts are compact in both cases."""
    domain = MeshDomain("square", refinements)
    exact = (1 - math.cos(3)) / 3 * (math.e - 1)
    errors = {
        kind: mean_error(domain, kind, 1024, lambda x: torch.sin(3 * x[:, 0]) * x[:, 1].exp(), exact)
        for kind in ("uniform", "stratified")
    }
    assert errors["stratified"] < 0.12 * errors["uniform"]


def test_stratified_points_lie_one_in_each_of_equal_parts() -> None:
    """Four equal triangles and 4^k points: one in each triangle that k - 1 halvings of the edges make."""
    mesh = make_mesh("square", 0)
    fine = make_mesh("square", 4)  # 512 triangles, of the same shape as the children
    x = MeshDomain(mesh).interior(512, generator(0))
    assert (np.bincount(fine.locate(x.numpy()), minlength=512) == 1).all()


@pytest.mark.parametrize("name", SHAPES)
def test_the_divergence_theorem_holds(name: str) -> None:
    """The flux of x is dim times the measure, exactly on straight facets; that of a constant is zero."""
    domain = MeshDomain(name, 2)
    x, normals = domain.boundary(4000, generator(0))
    assert (normals.norm(dim=1) - 1).abs().max() < 1e-14
    area = MeshDomain(domain.mesh.boundary()).measure if domain.dim > 1 else 2.0
    flux = area * (x * normals).sum(dim=1).mean().item()
    assert flux == pytest.approx(domain.dim * domain.measure, rel=2e-3)
    assert normals.mean(dim=0).abs().max() < 2e-3


@pytest.mark.parametrize("name", ["disk", "ball"])
def test_boundary_points_of_round_shapes_are_near_the_circle_and_normals_radial(name: str) -> None:
    x, normals = MeshDomain(name, 3).boundary(500, generator(0))
    assert (x.norm(dim=1) <= 1 + 1e-14).all() and (x.norm(dim=1) > 0.97).all()
    assert ((x * normals).sum(dim=1) > 0.97).all()


def test_boundary_points_of_a_polygon_lie_on_its_edges() -> None:
    x, normals = MeshDomain("l_shape", 3).boundary(800, generator(0))
    x1, x2 = x.T
    on_edge = ((x1.abs() - 1).abs() < 1e-14) | ((x2.abs() - 1).abs() < 1e-14)
    notch = ((x1.abs() < 1e-14) & (x2 >= 0)) | ((x2.abs() < 1e-14) & (x1 >= 0))
    assert (on_edge | notch).all() and int((notch & ~on_edge).sum()) == 200
    # a step outwards leaves the domain, and a step inwards stays in it

    def inside(p):
        return (p.abs() <= 1).all(dim=1) & ~((p[:, 0] > 0) & (p[:, 1] > 0))

    assert not inside(x + 1e-6 * normals).any()
    assert inside(x - 1e-6 * normals).float().mean() > 0.99


def test_numbering_and_orientation_of_cells_do_not_matter_for_normals() -> None:
    mesh = make_mesh("cube", 1)
    mirrored = Mesh(mesh.points, {"tetra": mesh.cells["tetra"][:, [1, 0, 2, 3]]})
    mixed = np.array(mesh.cells["tetra"])
    mixed[::2] = mixed[::2][:, [0, 1, 3, 2]]
    for other in (mirrored, Mesh(mesh.points, {"tetra": mixed})):
        x, normals = MeshDomain(other).boundary(600, generator(0))
        assert (x * normals).sum(dim=1).mean().item() == pytest.approx(0.5, rel=1e-2)


def test_the_boundary_of_a_surface_in_space_points_out_of_the_surface() -> None:
    """Half a cylinder of radius 1: normals on its straight sides are tangents of the circle, on its ends the axis."""
    square = make_mesh("square", 4)
    angle, height = math.pi * square.points[:, 0], square.points[:, 1]
    points = np.stack([np.cos(angle), np.sin(angle), height], axis=1)
    domain = MeshDomain(Mesh(points, square.cells))
    assert domain.measure == pytest.approx(math.pi, rel=2e-3)
    x, normals = domain.boundary(400, generator(0))
    ends = (x[:, 2] < 1e-12) | (x[:, 2] > 1 - 1e-12)
    assert torch.allclose(normals[ends, 2], 2 * x[ends, 2] - 1, atol=1e-3)
    tangent = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
    assert ((normals[~ends] @ tangent) > 0.99).all() and int((~ends).sum()) == pytest.approx(
        400 * 2 / (2 + 2 * math.pi), abs=4
    )


def test_a_group_is_sampled_alone() -> None:
    square = make_mesh("square", 2)
    facets = square.boundary().cells["line"]
    left = facets[(square.points[facets][:, :, 0] == 0).all(axis=1)]
    lines = np.concatenate([left, left[:1]])  # one of them twice
    mesh = Mesh(square.points, {**square.cells, "line": left}, {"wall": Group(1, facets=lines)} | {
        "inlet": Group(1, cells=np.arange(square.n_cells, square.n_cells + len(left)))
    })  # fmt: skip
    for group in ("wall", "inlet"):
        x, normals = MeshDomain(mesh).boundary(40, generator(0), group)
        assert (x[:, 0] == 0).all() and (normals == torch.tensor([-1.0, 0.0])).all()
        assert (torch.floor(x[:, 1].sort().values * 40).long() == torch.arange(40)).all()
    with pytest.raises(InputError, match="no group of facets 'outlet'; there are wall, inlet"):
        MeshDomain(mesh).boundary(10, generator(0), "outlet")
    with pytest.raises(InputError, match="there are none"):
        MeshDomain(Mesh(square.points, square.cells)).boundary(10, generator(0), "wall")


def test_the_ends_of_an_interval_are_a_group() -> None:
    x, normals = MeshDomain("interval", 3).boundary(10, generator(0), "boundary")
    assert (x == (normals + 1) / 2).all() and int(normals.sum()) == 0


def test_a_group_inside_the_mesh_has_no_outer_side() -> None:
    crack = triangles((0, 1, 2), (0, 2, 3), groups={"crack": Group(1, facets=np.array([[0, 2]]))})
    with pytest.raises(InputError, match=r"'crack' has the facet \[0, 2\], which is not on the boundary"):
        MeshDomain(crack).boundary(4, generator(0), "crack")
    empty = triangles((0, 1, 2), groups={"nothing": Group(1, facets=np.empty((0, 2), int))})
    with pytest.raises(InputError, match="'nothing' has no boundary"):
        MeshDomain(empty).boundary(4, generator(0), "nothing")
    with pytest.raises(InputError, match="the mesh is closed and has no boundary"):
        MeshDomain("sphere", 1).boundary(4, generator(0))


def test_vertices_are_those_of_cells() -> None:
    """A mesh file may carry points that no cell uses, such as the centres of arcs: they may lie outside."""
    domain = MeshDomain(Mesh(np.vstack([TWO, [[9, 9]]]), {"triangle": np.array([[0, 1, 2], [0, 2, 3]])}))
    assert domain.vertices.tolist() == TWO.tolist()
    assert domain.measure == 1.0 and domain.dim == 2


def test_meshes_come_from_names_and_files(tmp_path) -> None:
    write_mesh(tmp_path / "my.part.vtu", make_mesh("cube", 1))
    assert MeshDomain(str(tmp_path / "my.part.vtu")).measure == pytest.approx(1.0)
    assert MeshDomain("cube").mesh.n_cells == make_mesh("cube", 3).n_cells
    with pytest.raises(
        InputError, match=r"no mesh 'dsik'; expected one of interval.* or a file that ends in one of \.vtu"
    ):
        MeshDomain("dsik")
    with pytest.raises(MeshFileError, match="absent"):
        MeshDomain(str(tmp_path / "absent.msh"))
    with pytest.raises(InputError, match="mesh is a int; expected"):
        MeshDomain(3)


@pytest.mark.parametrize(
    ("name", "types"), [("square_quad", "the mesh has quad"), ("cube_hex", "the mesh has hexahedron")]
)
def test_other_cells_are_refused_by_their_names(name: str, types: str) -> None:
    with pytest.raises(InputError, match=types):
        MeshDomain(name, 1)


def test_meshes_that_fill_nothing_or_something_twice_are_refused() -> None:
    with pytest.raises(InputError, match="the mesh has no cells"):
        MeshDomain(Mesh(TWO, {}))
    with pytest.raises(InputError, match="the mesh has vertex"):
        MeshDomain(Mesh(TWO, {"vertex": np.array([[0], [1]])}))
    with pytest.raises(InputError, match="the mesh has triangle, quad"):
        MeshDomain(Mesh(np.vstack([TWO, [[2, 0], [2, 1]]]), {"triangle": [[0, 1, 2]], "quad": [[1, 4, 5, 2]]}))
    with pytest.raises(InputError, match="triangle 0 has no area"):
        MeshDomain(Mesh(np.array([[0, 0], [1, 0], [2, 0.0]]), {"triangle": np.array([[0, 1, 2]])}))
    with pytest.raises(InputError, match="no length or area"):
        MeshDomain(Mesh(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0.0]]), {"triangle": np.array([[0, 1, 2]])}))


def test_flipped_cells_are_found_and_named() -> None:
    """The middle point of a fan is drawn out of the square, so that one triangle turns around and covers another."""
    points = np.vstack([TWO, [[0.5, -0.25]]])
    fan = Mesh(points, {"triangle": np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])})
    with pytest.raises(InputError, match=r"cell 0 \(area -0.125\) and cell \d \(area 0.\d+\).*one is flipped"):
        MeshDomain(fan)
    drawn = make_mesh("cube", 2)
    moved = np.array(drawn.points)
    inner = int(np.flatnonzero((np.abs(moved - 0.5) < 0.4).all(axis=1))[0])
    moved[inner] = [1.5, 0.4, 0.45]
    with pytest.raises(InputError, match=r"cell \d+ \(volume .* lie on the same side"):
        MeshDomain(Mesh(moved, drawn.cells))
    three = Mesh(np.vstack([TWO, [[2.0, 0.5]]]), {"triangle": np.array([[0, 1, 2], [0, 2, 3], [2, 0, 4]])})
    with pytest.raises(InputError, match=r"cell 0 .* and cell 1 .* and cell 2"):
        MeshDomain(three)


def test_what_no_points_can_be_drawn_from_is_refused() -> None:
    domain = MeshDomain("disk", 1)
    with pytest.raises(InputError, match="'shifted', expected one of uniform, stratified"):
        domain.interior(10, generator(0), "shifted")
    for draw in (domain.interior, domain.boundary):
        with pytest.raises(InputError, match="number of points is 0"):
            draw(0, generator(0))


def test_draws_are_a_function_of_the_generator() -> None:
    domain = MeshDomain("ball", 1)
    for draw in (domain.interior, lambda n, g: domain.boundary(n, g).points):
        assert torch.equal(draw(50, generator(3, 1)), draw(50, generator(3, 1)))
        assert not torch.equal(draw(50, generator(3, 1)), draw(50, generator(3, 2)))
