"""Mesh files: exact round trips, groups of gmsh, faults of meshio, and the finite element method through files."""

from __future__ import annotations

import os
from pathlib import Path

import meshio
import numpy as np
import pytest
import skfem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sciml.errors import InputError, MeshFileError
from sciml.mesh import Field, Grid, Group, Mesh, SeriesWriter, make_mesh, read_mesh, write_fields, write_mesh

WRITABLE = (".vtu", ".xdmf", ".med", ".msh")
FLOAT_ONLY = (".med", ".msh")


def assert_same(got: tuple[Mesh, list[Field]], mesh: Mesh, fields: list[Field], suffix: str) -> None:
    """Points, cells, groups and fields are equal to the last bit; .med may reorder its blocks."""
    found, found_fields = got
    assert np.array_equal(found.points, mesh.points)
    assert set(found.cells) == set(mesh.cells)
    for name, nodes in mesh.cells.items():
        assert np.array_equal(found.cells[name], nodes), name
    where = {name: place for name, _, place in mesh.blocks()}
    order = np.concatenate([np.arange(where[name].start, where[name].stop) for name in found.cells])
    assert set(found.groups) == {name for name, group in mesh.groups.items() if len(group) or suffix == ".xdmf"}
    for name, group in found.groups.items():
        assert group.dim == mesh.groups[name].dim
        if group.cells is not None:
            assert set(order[group.cells]) == set(mesh.groups[name].cells.tolist())
        else:
            assert np.array_equal(group.facets, mesh.groups[name].facets)
    values = {field.name: field for field in found_fields}
    assert set(values) == {field.name for field in fields}
    for field in fields:
        expected = field.values if field.location == "points" else field.values[order]
        if suffix == ".msh" and expected.shape[1:] == (2,):
            expected = np.pad(expected, ((0, 0), (0, 1)))  # gmsh has no plane vectors
        assert values[field.name].location == field.location
        assert np.array_equal(values[field.name].values, expected, equal_nan=expected.dtype.kind == "f")
        wanted = np.float64 if suffix in FLOAT_ONLY else field.values.dtype
        assert values[field.name].values.dtype == wanted


def some_fields(mesh: Mesh, seed: int = 0) -> list[Field]:
    rng = np.random.default_rng(seed)
    n, m = mesh.n_points, mesh.n_cells
    nan = rng.random(n)
    nan[0] = np.nan
    return [
        Field("u", nan, mesh),
        Field("velocity", rng.random((n, 3)), mesh),
        Field("plane", rng.random((n, 2)), mesh),
        Field("single", rng.random(n).astype(np.float32), mesh),
        Field("id", np.arange(n), mesh),
        Field("k", rng.random(m), mesh, "cells"),
        Field("flux", rng.random((m, 3)), mesh, "cells"),
        Field("tag", rng.integers(0, 9, m).astype(np.int32), mesh, "cells"),
        Field("mask", rng.integers(0, 2, m).astype(np.uint8), mesh, "cells"),
    ]


@st.composite
def meshes(draw) -> Mesh:
    """Random meshes: parts of a jittered lattice as triangles, quads, tetra, hexahedra, wedges, mixed; with groups."""
    dim = draw(st.sampled_from([1, 2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grid = Grid(tuple(draw(st.integers(1, 3)) for _ in range(dim)), centring="cell")
    base = grid.to_mesh()
    points = base.points + rng.uniform(-0.05, 0.05, base.points.shape)
    points[-1] += 1 / 3  # no coordinate is zero everywhere
    ((kind, nodes),) = base.cells.items()
    cells: dict[str, list] = {}
    for cell in nodes:
        if kind == "quad" and rng.random() < 0.5:
            cells.setdefault("triangle", []).extend([cell[[0, 1, 2]], cell[[0, 2, 3]]])
        elif kind == "hexahedron" and rng.random() < 0.3:
            cells.setdefault("wedge", []).extend([cell[[0, 1, 2, 4, 5, 6]], cell[[0, 2, 3, 4, 6, 7]]])
        elif kind == "hexahedron" and rng.random() < 0.3:
            cells.setdefault("tetra", []).append(cell[[0, 1, 2, 6]])
        else:
            cells.setdefault(kind, []).append(cell)
    blocks = {name: np.array(rows) for name, rows in cells.items()}
    boundary = Mesh(points, blocks).boundary()
    groups = {}
    if draw(st.booleans()):
        blocks |= {name: rows for name, rows in boundary.cells.items() if name != "vertex"}
    elif boundary.cells:
        name, rows = next(iter(boundary.cells.items()))
        groups["wall"] = Group(dim - 1, facets=rows[rng.random(len(rows)) < 0.7])
    start = 0
    for name, rows in blocks.items():
        inside = start + np.flatnonzero(rng.random(len(rows)) < 0.5)
        groups[f"{name} part"] = Group(one_dim(name), cells=inside)
        groups[f"{name}-all"] = Group(one_dim(name), cells=np.arange(start, start + len(rows)))  # overlaps the part
        start += len(rows)
    return Mesh(points, blocks, groups)


def one_dim(name: str) -> int:
    return {"line": 1, "triangle": 2, "quad": 2}.get(name, 3)


@pytest.mark.parametrize("suffix", WRITABLE)
def test_random_meshes_with_groups_and_fields_survive_exactly(suffix, tmp_path):
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(mesh=meshes(), seed=st.integers(0, 99))
    def check(mesh: Mesh, seed: int) -> None:
        fields = some_fields(mesh, seed)
        write_mesh(tmp_path / f"m{suffix}", mesh, fields)
        assert_same(read_mesh(tmp_path / f"m{suffix}"), mesh, fields, suffix)

    check()
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize(("kind", "shape"), [("triangle6", "square"), ("tetra10", "cube"), ("line3", "interval")])
def test_second_order_meshes_survive_exactly(suffix, kind, shape, tmp_path):
    mesh = make_mesh(shape, 1)
    ((_, nodes),) = mesh.cells.items()
    pairs = {
        "triangle6": [(0, 1), (1, 2), (2, 0)],
        "line3": [(0, 1)],
        "tetra10": [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)],
    }[kind]
    ends = np.sort(nodes[:, pairs].reshape(-1, 2), axis=1)
    edges, number = np.unique(ends, axis=0, return_inverse=True)
    points = np.vstack([mesh.points, mesh.points[edges].mean(axis=1)])
    second = Mesh(points, {kind: np.hstack([nodes, mesh.n_points + number.reshape(len(nodes), -1)])})
    fields = some_fields(second)
    write_mesh(tmp_path / f"m{suffix}", second, fields)
    assert_same(read_mesh(tmp_path / f"m{suffix}"), second, fields, suffix)


@pytest.mark.parametrize("suffix", [".xdmf", ".vtu"])
def test_other_readers_see_our_files_with_groups_as_masks(suffix, tmp_path):
    mesh = make_mesh("square", 2)
    lower = np.flatnonzero(mesh.points[mesh.cells["triangle"]].mean(axis=1)[:, 1] < 0.5)
    mesh = Mesh(mesh.points, mesh.cells, {"lower": Group(2, cells=lower)})
    u = np.random.default_rng(0).random(mesh.n_points)
    write_fields(tmp_path / f"m{suffix}", mesh, {"u": u})
    other = meshio.read(tmp_path / f"m{suffix}")
    assert np.array_equal(other.points[:, :2], mesh.points)
    assert np.array_equal(other.point_data["u"], u)
    assert np.array_equal(np.flatnonzero(other.cell_data["group:lower"][0]), lower)


def test_grids_become_their_cells_with_values_in_place(tmp_path):
    grid = Grid((4, 3, 2), upper=(4.0, 3.0, 2.0), centring="cell")
    x = grid.coordinates()
    for suffix in WRITABLE:
        write_fields(tmp_path / f"g{suffix}", grid, {"p": x[..., 0] + 10 * x[..., 1] + 100 * x[..., 2], "x": x})
        mesh, fields = read_mesh(tmp_path / f"g{suffix}")
        centres = mesh.points[mesh.cells["hexahedron"]].mean(axis=1)
        values = {field.name: field.values for field in fields}
        assert np.abs(values["p"] - centres @ [1, 10, 100]).max() < 1e-12
        assert np.abs(values["x"] - centres).max() < 1e-14


@pytest.mark.parametrize("suffix", WRITABLE)
def test_dtypes_without_a_place_in_files_are_converted_by_rule(suffix, tmp_path):
    mesh = make_mesh("square", 1)
    rng = np.random.default_rng(0)
    z = rng.random(mesh.n_points) + 1j * rng.random(mesh.n_points)
    half, yes = rng.random(mesh.n_points).astype(np.float16), rng.random(mesh.n_cells) < 0.5
    big = rng.random(mesh.n_points).astype(">f8")
    write_fields(tmp_path / f"m{suffix}", mesh, {"z": z, "half": half, "yes": yes, "big": big})
    found = {field.name: field.values for field in read_mesh(tmp_path / f"m{suffix}")[1]}
    assert np.array_equal(found["z.real"] + 1j * found["z.imag"], z)
    assert np.array_equal(found["half"], half.astype(np.float32))
    assert np.array_equal(found["yes"], yes)
    assert np.array_equal(found["big"], big)
    if suffix not in FLOAT_ONLY:
        assert [found[n].dtype for n in ("half", "yes", "big")] == [np.float32, np.uint8, np.float64]


def test_big_endian_vtk_files_come_in_the_byte_order_of_the_machine(tmp_path):
    mesh = make_mesh("cube", 1)
    data = np.random.default_rng(0).random(mesh.n_points)
    meshio.Mesh(mesh.points, dict(mesh.cells), point_data={"u": data}).write(tmp_path / "m.vtk", binary=True)
    found, fields = read_mesh(tmp_path / "m.vtk")
    assert np.array_equal(found.points, mesh.points)
    assert np.array_equal(fields[0].values, data)
    assert fields[0].values.dtype.isnative


def test_plane_meshes_come_back_plane_unless_asked_otherwise(tmp_path):
    mesh = make_mesh("square", 1)
    write_mesh(tmp_path / "m.vtu", mesh)
    assert read_mesh(tmp_path / "m.vtu")[0].dim == 2
    assert read_mesh(tmp_path / "m.vtu", keep_3d=True)[0].dim == 3


def test_stl_vertices_are_merged_into_a_closed_surface_of_the_same_volume(tmp_path):
    sphere = make_mesh("sphere", 2)
    for binary in (True, False):
        meshio.Mesh(sphere.points, dict(sphere.cells)).write(tmp_path / "s.stl", file_format="stl", binary=binary)
        found, fields = read_mesh(tmp_path / "s.stl")
        assert (found.n_points, found.n_cells, found.boundary().n_cells, fields) == (sphere.n_points, 128, 0, [])
        assert found.volumes().sum() == pytest.approx(sphere.volumes().sum(), rel=1e-6)


GMSH_22 = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 "inlet side"
1 2 "wall"
2 7 "fluid"
$EndPhysicalNames
$Nodes
5
10 0 0 0
20 1 0 0
30 1 1 0
40 0 1 0
50 0.5 0.5 0
$EndNodes
$Elements
7
1 1 2 1 4 40 10
2 1 2 2 1 10 20
3 1 2 2 3 30 40
4 2 2 7 1 10 20 50
5 2 2 7 1 20 30 50
6 2 2 7 1 30 40 50
7 2 2 0 1 40 10 50
$EndElements
$ElementData
1
"k"
1
0
3
0
1
4
4 0.25
5 0.5
6 0.75
7 1
$EndElementData
"""

GMSH_41 = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 "inlet side"
1 2 "wall"
2 7 "fluid"
$EndPhysicalNames
$Entities
0 2 1 0
1 0 0 0 0 1 0 1 1 0
2 0 0 0 1 0 0 1 2 0
1 0 0 0 1 1 0 1 7 0
$EndEntities
$Nodes
1 5 1 5
2 1 0 5
1
2
3
4
5
0 0 0
1 0 0
1 1 0
0 1 0
0.5 0.5 0
$EndNodes
$Elements
3 7 1 7
1 1 1 1
1 4 1
1 2 1 2
2 1 2
3 3 4
2 1 2 4
4 1 2 5
5 2 3 5
6 3 4 5
7 4 1 5
$EndElements
"""


@pytest.mark.parametrize(("text", "fluid"), [(GMSH_22, 3), (GMSH_41, 4)])
def test_physical_groups_of_gmsh_become_named_groups(text, fluid, tmp_path):
    (tmp_path / "m.msh").write_text(text)
    mesh, fields = read_mesh(tmp_path / "m.msh")
    assert {name: (group.dim, len(group)) for name, group in mesh.groups.items()} == {
        "inlet side": (1, 1),
        "wall": (1, 2),
        "fluid": (2, fluid),
    }
    assert mesh.cells["line"][mesh.groups["inlet side"].cells].tolist() == [[3, 0]]
    assert mesh.volumes()[mesh.groups["fluid"].cells].sum() == pytest.approx(fluid / 4)
    assert mesh.dim == 2
    boundaries = mesh.to_skfem().boundaries
    assert {name: len(facets) for name, facets in boundaries.items()} == {"inlet side": 1, "wall": 2}
    if text is GMSH_22:
        assert np.array_equal(fields[0].values, [np.nan] * 3 + [0.25, 0.5, 0.75, 1], equal_nan=True)
    for suffix in WRITABLE:
        write_mesh(tmp_path / f"again{suffix}", mesh, fields)
        assert_same(read_mesh(tmp_path / f"again{suffix}"), mesh, fields, suffix)


def test_a_cell_that_gmsh_wrote_once_per_group_is_one_cell_in_two_groups(tmp_path):
    twice = GMSH_22.replace("$Elements\n7\n", "$Elements\n8\n").replace(
        "7 2 2 0 1 40 10 50\n", "7 2 2 0 1 40 10 50\n8 2 2 9 1 20 50 10\n"
    )
    (tmp_path / "m.msh").write_text(twice)
    mesh, _ = read_mesh(tmp_path / "m.msh")
    assert len(mesh.cells["triangle"]) == 4
    assert mesh.groups["physical_2d_9"].cells.tolist() == [3]
    assert 3 in mesh.groups["fluid"].cells
    assert mesh.volumes()[3:].sum() == pytest.approx(1)


def test_element_sets_of_abaqus_become_groups(tmp_path):
    (tmp_path / "m.inp").write_text(
        "*NODE\n1, 0., 0., 0.\n2, 1., 0., 0.\n3, 0., 1., 0.\n4, 1., 1., 0.\n"
        "*ELEMENT, TYPE=CPS3\n1, 1, 2, 3\n2, 2, 4, 3\n*ELSET, ELSET=upper\n2,\n"
    )
    mesh, _ = read_mesh(tmp_path / "m.inp")
    assert mesh.groups["upper"].cells.tolist() == [1]


def test_reference_meshes_have_their_known_groups_and_shapes(reference_data: Path):
    found = {path.name: read_mesh(path)[0] for path in sorted((reference_data / "meshes").iterdir())}
    assert {
        n: (m.dim, m.topological_dim)
        for n, m in found.items()
        if n in ("annulus.msh", "box.msh", "nut.ply", "hexbeam.vtk", "airplane.ply")
    } == {"airplane.ply": (3, 2), "annulus.msh": (2, 2), "box.msh": (3, 3), "hexbeam.vtk": (3, 3), "nut.ply": (3, 2)}
    assert {"exter", "inter", "all"} <= set(found["annulus.msh"].groups)
    annulus = found["annulus.msh"].to_skfem()
    radii = {
        name: np.linalg.norm(annulus.p[:, annulus.facets[:, facets]], axis=0)
        for name, facets in annulus.boundaries.items()
    }
    assert np.ptp(radii["exter"]) < 1e-6
    assert np.ptp(radii["inter"]) < 1e-6
    assert radii["exter"].max() > radii["inter"].max()
    assert found["hexbeam.vtk"].volumes().sum() == pytest.approx(5, rel=1e-12)
    assert found["nut.ply"].boundary().n_cells == 0
    assert found["box.msh"].volumes()[found["box.msh"].groups["all"].cells].sum() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("suffix", WRITABLE)
def test_linear_finite_elements_through_files_converge_with_second_order(suffix, tmp_path):
    """-laplace u = f on the unit square, u = sin(pi x) sin(2 pi y), zero on the boundary group of the file."""

    def exact(x):
        return np.sin(np.pi * x[0]) * np.sin(2 * np.pi * x[1])

    errors = []
    for k in (3, 4, 5):
        write_mesh(tmp_path / f"m{suffix}", make_mesh("square", k))
        mesh, _ = read_mesh(tmp_path / f"m{suffix}")
        domain = mesh.to_skfem()
        basis = skfem.Basis(domain, skfem.ElementTriP1(), intorder=4)
        stiffness = skfem.BilinearForm(lambda u, v, w: u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1]).assemble(basis)
        load = skfem.LinearForm(lambda v, w: 5 * np.pi**2 * exact(w.x) * v).assemble(basis)
        u = skfem.solve(*skfem.condense(stiffness, load, D=basis.get_dofs(domain.boundaries["boundary"])))
        error = skfem.Functional(lambda w: (w.u - exact(w.x)) ** 2).assemble(basis, u=basis.interpolate(u))
        errors.append(np.sqrt(error))
        write_fields(tmp_path / f"u{suffix}", mesh, {"u": u})
        assert np.array_equal(read_mesh(tmp_path / f"u{suffix}")[1][0].values, u)
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert 1.9 < orders[-1] < 2.1


def test_faults_are_one_sentence_and_leave_nothing_behind(tmp_path, capfd):
    mesh = make_mesh("square", 1)
    junk = tmp_path / "junk.vtu"
    junk.write_bytes(b"\x00\xff" * 50)
    (tmp_path / "empty.vtu").touch()
    for path in (junk, tmp_path / "empty.vtu", tmp_path / "absent.vtu", tmp_path, tmp_path / "m.docx"):
        with pytest.raises(MeshFileError, match=r"\.$"):
            read_mesh(path)
    before = set(os.listdir(tmp_path))
    for suffix, name in (
        (".docx", "u"),
        (".med", "pressure/hydrostatic"),
        (".med", "größe"),
        (".xdmf", "a/b"),
        (".vtu", "group:x"),
    ):
        with pytest.raises((MeshFileError, InputError), match=r"\.$"):
            write_fields(tmp_path / f"out{suffix}", mesh, {name: np.zeros(mesh.n_points)})
    with pytest.raises(MeshFileError, match="does not exist"):
        write_mesh(tmp_path / "no" / "m.vtu", mesh)
    with pytest.raises(MeshFileError, match="needs cells"):
        write_mesh(tmp_path / "m.vtu", Mesh(mesh.points, {}))
    with pytest.raises(InputError, match="SeriesWriter"):
        write_mesh(tmp_path / "m.vtu", mesh, [Field("u", np.zeros((2, mesh.n_points)), mesh, times=[0, 1])])
    assert set(os.listdir(tmp_path)) == before
    assert capfd.readouterr() == ("", "")


def test_a_failed_write_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    mesh = make_mesh("square", 1)
    write_mesh(tmp_path / "m.vtu", mesh)
    old = (tmp_path / "m.vtu").read_bytes()

    def full_disk(path, *args, **options):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(meshio, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_mesh(tmp_path / "m.vtu", make_mesh("square", 2))
    assert (tmp_path / "m.vtu").read_bytes() == old
    assert os.listdir(tmp_path) == ["m.vtu"]


def test_series_read_as_meshes_carry_their_times(tmp_path):
    grid = Grid((3, 2), centring="cell")
    with SeriesWriter(tmp_path / "s.xdmf", grid) as series:
        for time in (0.0, 0.5):
            series.append(time, u=np.full((3, 2), time))
    mesh, fields = read_mesh(tmp_path / "s.xdmf")
    assert mesh.n_cells == 6
    assert np.array_equal(fields[0].times, [0, 0.5])
    assert np.array_equal(fields[0].values, np.repeat([[0.0], [0.5]], 6, axis=1))
