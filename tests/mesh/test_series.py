"""Series and snapshots, read back by ourselves and by independent code that walks the XDMF and slices the HDF5."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import h5py
import numpy as np
import pytest

from sciml.errors import DataFormatError, InputError, MeshFileError
from sciml.mesh import Field, Grid, Group, Mesh, SeriesWriter, make_mesh, read_series, write_fields


def resolve(item: ElementTree.Element, folder: Path) -> np.ndarray:
    """Return the values of an XDMF DataItem, as the XDMF documentation defines them."""
    shape = [int(n) for n in item.get("Dimensions").split()]
    if item.get("ItemType") == "HyperSlab":
        selection, source = list(item)
        start, stride, count = np.array(selection.text.split(), int).reshape(3, -1)
        whole = resolve(source, folder)
        part = whole[tuple(slice(a, a + s * n, s) for a, s, n in zip(start, stride, count, strict=True))]
        return part.reshape(shape)
    if item.get("Format") == "XML":
        return np.array(item.text.split(), float).reshape(shape)
    name, path = item.text.strip().split(":")
    with h5py.File(folder / name, "r") as file:
        data = file[path]
        assert list(data.shape) == shape
        kind = {"f": "Float", "i": "Int", "u": "UInt"}[data.dtype.kind]
        assert (item.get("NumberType"), item.get("Precision")) == (kind, str(data.dtype.itemsize))
        return data[()]


def steps_of(path: Path) -> list[tuple[float | None, ElementTree.Element]]:
    """Return time and grid element of every step."""
    top = ElementTree.parse(path).getroot().find("Domain/Grid")
    if top.get("GridType") == "Uniform":
        return [(None, top)]
    assert top.get("CollectionType") == "Temporal"
    return [(float(grid.find("Time").get("Value")), grid) for grid in top.findall("Grid")]


def lattice_values(grid: ElementTree.Element, folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return positions (z, y, x, 3) and values (z, y, x[, components]) of a lattice."""
    topology, geometry = grid.find("Topology"), grid.find("Geometry")
    assert topology.get("TopologyType") == "3DCoRectMesh"
    assert geometry.get("GeometryType") == "ORIGIN_DXDYDZ"
    vertices = np.array(topology.get("Dimensions").split(), int)
    origin, spacing = (resolve(item, folder) for item in geometry)
    attributes = grid.findall("Attribute")
    cells = attributes[0].get("Center") == "Cell"
    axes = [o + h * (np.arange(n - cells) + cells / 2) for o, h, n in zip(origin, spacing, vertices, strict=True)]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)[..., ::-1]  # listed as z, y, x
    return positions, {a.get("Name"): resolve(a.find("DataItem"), folder) for a in attributes}


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("centring", ["cell", "vertex"])
@pytest.mark.parametrize("series", [True, False])
def test_lattices_have_each_value_at_its_position_for_an_independent_reader(dim, centring, series, tmp_path):
    grid = Grid((5, 4, 3)[:dim], (1.0, 2.0, 3.0)[:dim], (3.0, 8.0, 9.0)[:dim], centring=centring)
    x = np.concatenate([grid.coordinates(), np.zeros((*grid.shape, 3 - dim))], axis=-1)
    value = x @ [1.0, 10.0, 100.0]
    path = tmp_path / "f.xdmf"
    if series:
        with SeriesWriter(path, grid) as writer:
            for time in (0.0, 0.25):
                writer.append(time, u=value + time, position=x)
    else:
        write_fields(path, grid, {"u": value, "position": x})
    steps = steps_of(path)
    assert [time for time, _ in steps] == ([0.0, 0.25] if series else [None])
    for time, element in steps:
        positions, values = lattice_values(element, tmp_path)
        assert np.abs(values["position"] - positions).max() < 1e-13
        assert np.abs(values["u"] - positions @ [1.0, 10.0, 100.0] - (time or 0)).max() < 1e-12
    again = read_series(path)
    assert again.on == grid
    assert np.array_equal(again["u"].values[-1] if series else again["u"].values, value + (0.25 if series else 0))


def test_mixed_meshes_have_each_value_at_its_place_for_an_independent_reader(tmp_path):
    base = Grid((3, 2), centring="cell").to_mesh()
    quads, lines = base.cells["quad"], base.boundary().cells["line"]
    mesh = Mesh(
        base.points,
        {"quad": quads[1:], "triangle": quads[:1, :3], "line": lines},
        {"left": Group(1, cells=6 + np.arange(2)), "rim": Group(1, facets=lines)},
    )
    rng = np.random.default_rng(0)
    steps = [
        {
            "u": rng.random(mesh.n_points),
            "v": rng.random((mesh.n_points, 2)),
            "k": rng.random(mesh.n_cells).astype(np.float32),
        }
        for _ in range(3)
    ]
    with SeriesWriter(tmp_path / "s.xdmf", mesh, units={"u": "m/s"}) as writer:
        for number, fields in enumerate(steps):
            writer.append(0.1 * number, **fields)
    for (time, element), (number, fields) in zip(steps_of(tmp_path / "s.xdmf"), enumerate(steps), strict=True):
        assert time == 0.1 * number
        assert np.array_equal(resolve(element.find("Geometry/DataItem"), tmp_path), mesh.points)
        flat = resolve(element.find("Topology/DataItem"), tmp_path)
        sizes, cells = {5: 4, 4: 3, 2: 2}, []
        place = 0
        while place < len(flat):
            kind = flat[place]
            place += 2 if kind == 2 else 1  # a polyline says how many nodes it has
            cells.append(flat[place : place + sizes[kind]].tolist())
            place += sizes[kind]
        assert cells == [row for block in mesh.cells.values() for row in block.tolist()]
        values = {
            a.get("Name"): (a.get("Center"), resolve(a.find("DataItem"), tmp_path))
            for a in element.findall("Attribute")
        }
        assert {name: center for name, (center, _) in values.items()} == {
            "u": "Node",
            "v": "Node",
            "k": "Cell",
            "group:left": "Cell",
        }
        for name, expected in fields.items():
            assert np.array_equal(values[name][1], expected)
        assert np.flatnonzero(values["group:left"][1]).tolist() == [6, 7]
    again = read_series(tmp_path / "s.xdmf", names=["u", "k"], steps=slice(1, None))
    assert [field.name for field in again.fields] == ["u", "k"]
    assert np.array_equal(again["k"].values, [steps[1]["k"], steps[2]["k"]])
    assert again["u"].unit == "m/s"
    assert np.array_equal(again.on.groups["rim"].facets, lines)


def test_everything_that_a_field_knows_survives(tmp_path):
    grid = Grid((4, 3, 2), periodic=(True, False, False), centring="vertex")
    rng = np.random.default_rng(0)
    stress, z = rng.random((4, 3, 2, 3, 3)), rng.random((4, 3, 2)) + 1j
    write_fields(
        tmp_path / "f.xdmf", grid, {"stress": Field("stress", stress, grid, unit="Pa"), "z": z, "inside": z.real < 0.5}
    )
    again = read_series(tmp_path / "f.xdmf")
    assert again.on == grid
    assert np.array_equal(again["stress"].values, stress)
    assert again["stress"].unit == "Pa"
    assert np.array_equal(again["z.real"].values + 1j * again["z.imag"].values, z)
    assert np.array_equal(again["inside"].values, z.real < 0.5)
    assert again["inside"].values.dtype == np.uint8


def test_a_series_never_holds_more_than_one_step_in_memory(tmp_path):
    import tracemalloc

    grid = Grid((64, 64, 64), centring="cell")
    step = np.zeros(grid.shape)
    tracemalloc.start()
    with SeriesWriter(tmp_path / "s.xdmf", grid) as writer:
        for number in range(12):
            writer.append(number, u=step)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * step.nbytes
    assert read_series(tmp_path / "s.xdmf", steps=slice(-1, None))["u"].values.shape == (1, 64, 64, 64)


def test_a_flipped_byte_in_the_values_is_found_by_the_checksum(tmp_path):
    grid = Grid((16, 16), centring="cell")
    values = np.random.default_rng(0).random((16, 16))
    write_fields(tmp_path / "f.xdmf", grid, {"u": values})
    content = bytearray((tmp_path / "f.h5").read_bytes())
    place = content.find(values.T.tobytes()[:64])
    content[place + 8] ^= 1
    (tmp_path / "f.h5").write_bytes(content)
    with pytest.raises(DataFormatError, match=r"f\.h5 cannot be read, it is damaged"):
        read_series(tmp_path / "f.xdmf")


def test_nothing_but_part_files_exists_before_the_end_and_nothing_after_an_error(tmp_path):
    grid = Grid((4,), centring="cell")
    writer = SeriesWriter(tmp_path / "s.xdmf", grid)
    writer.append(0, u=np.zeros(4))
    (part,) = os.listdir(tmp_path)
    assert re.fullmatch(r"s\.h5\.\w+\.part", part)
    writer.close()
    assert sorted(os.listdir(tmp_path)) == ["s.h5", "s.xdmf"]
    before = (tmp_path / "s.h5").read_bytes()
    with pytest.raises(RuntimeError, match="diverged"), SeriesWriter(tmp_path / "s.xdmf", grid) as broken:
        broken.append(0, u=np.ones(4))
        raise RuntimeError("diverged")
    assert sorted(os.listdir(tmp_path)) == ["s.h5", "s.xdmf"]
    assert (tmp_path / "s.h5").read_bytes() == before


def test_wrong_steps_are_refused_with_a_sentence(tmp_path):
    mesh = make_mesh("square", 1)
    n = mesh.n_points
    writer = SeriesWriter(tmp_path / "s.xdmf", mesh)
    writer.append(1.0, u=np.zeros(n))
    for time, fields, words in (
        (1.0, {"u": np.zeros(n)}, "increase"),
        (np.nan, {"u": np.zeros(n)}, "finite"),
        (2.0, {"v": np.zeros(n)}, "same fields"),
        (2.0, {"u": np.zeros(n, np.float32)}, "same fields"),
        (2.0, {"u": np.zeros(n + 5)}, "needs shape"),
    ):
        with pytest.raises(InputError, match=words):
            writer.append(time, **fields)
    writer.append(2.0, u=np.ones(n))
    writer.close()
    with pytest.raises(InputError, match="closed"):
        writer.append(3.0, u=np.zeros(n))
    assert np.array_equal(read_series(tmp_path / "s.xdmf").times, [1, 2])
    with pytest.raises(InputError, match="There is no field 'w'"):
        read_series(tmp_path / "s.xdmf", names=["w"])
    with pytest.raises(InputError, match=r"NAME\.xdmf"):
        SeriesWriter(tmp_path / "s.h5", mesh)
    with pytest.raises(MeshFileError, match="does not exist"):
        SeriesWriter(tmp_path / "no" / "s.xdmf", mesh)
    with pytest.raises(DataFormatError, match="There is no file"):
        read_series(tmp_path / "other.xdmf")


def test_the_values_of_a_series_replace_those_of_one_and_no_other_file(tmp_path):
    mesh, file = make_mesh("disk", 1), tmp_path / "u.h5"
    write_fields(tmp_path / "u.xdmf", mesh, {"u": np.zeros(mesh.n_points)})
    write_fields(tmp_path / "u.xdmf", mesh, {"u": np.ones(mesh.n_points)})
    (tmp_path / "u.xdmf").unlink()  # as after a kill between the two
    write_fields(tmp_path / "u.xdmf", mesh, {"u": np.ones(mesh.n_points)})
    assert (read_series(tmp_path / "u.xdmf").fields[0].values == 1).all()
    with h5py.File(file, "r+") as values:
        values.attrs["sciml_description"] = "{}"  # a data set
    for name, has_description in (("u", True), ("other", False), ("text", False)):
        file = tmp_path / f"{name}.h5"
        if name == "other":
            h5py.File(file, "w").close()
        elif name == "text":
            file.write_text("notes")
        before = file.read_bytes()
        with pytest.raises(MeshFileError, match=f"{name}.h5, which holds something else, such as a data set"):
            write_fields(tmp_path / f"{name}.xdmf", mesh, {"u": np.ones(mesh.n_points)})
        assert file.read_bytes() == before and (tmp_path / f"{name}.xdmf").exists() is has_description
    assert not list(tmp_path.glob("*.part"))
