"""Data sets whose places have names and may differ from sample to sample: what is written is read, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sciml.data import (
    DataField,
    DatasetWriter,
    Description,
    GroupKind,
    VaryingGrid,
    VaryingMesh,
    convert,
    inspect,
    open_dataset,
)
from sciml.data.formats import damaged_parameters, damaged_places
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, Group, Mesh, make_mesh

NETWORKS = VaryingMesh(3, ("line",), (GroupKind("inlet"), GroupKind("outlet"), GroupKind("wide", 1, 0)))
GRIDS = VaryingGrid(2, (True, False), "cell")
PLACES = {"network": NETWORKS, "ground": Grid((4, 5)), "box": GRIDS, "disk": make_mesh("disk", 1)}
FIELDS = (
    DataField("pressure", (), "float64", "Pa", place="network"),
    DataField("diameter", (), "float32", "m", "cells", False, "network"),
    DataField("velocity", (), "float32", "m/s", time_varying=False, place="ground"),
    DataField("flow", (2,), "float64", "", "cells", place="box"),
    DataField("kind", (), "uint8", "", "cells", False, "disk"),
)


def network(random: np.random.Generator, points: int) -> Mesh:
    """A network of any size from one point without a line; the lines have directions, and some occur twice."""
    lines = random.integers(points, size=(0 if points == 1 else 2 * points, 2))
    lines = lines[lines[:, 0] != lines[:, 1]]
    inlet, outlet = (random.integers(points, size=(int(random.integers(3)), 1)) for _ in range(2))
    wide = np.flatnonzero(random.random(len(lines)) < 0.3)
    groups = {"inlet": Group(0, facets=inlet), "outlet": Group(0, facets=outlet), "wide": Group(1, cells=wide)}
    return Mesh(random.standard_normal((points, 3)), {"line": lines}, groups)


def grid(random: np.random.Generator) -> Grid:
    lower = random.random(2)
    return Grid(tuple(random.integers(1, 6, size=2)), tuple(lower), tuple(lower + 0.1), (True, False), "cell")


def described(trajectories: int, times: int = 3) -> Description:
    return Description(
        "all kinds", PLACES, np.arange(float(times)), FIELDS, trajectories, parameters={"K": np.zeros(0)}, seed=4
    )


def sample(random: np.random.Generator, points: int, times: int = 3) -> tuple[dict, dict, dict]:
    mesh, box = network(random, points), grid(random)
    disk = PLACES["disk"]
    return (
        {
            "pressure": random.random((times, mesh.n_points)),
            "diameter": random.random((1, mesh.n_cells)).astype(np.float32),
            "velocity": random.random((1, 4, 5)).astype(np.float32),
            "flow": random.random((times, *box.shape, 2)),
            "kind": random.integers(9, size=(1, disk.n_cells)).astype(np.uint8),
        },
        {"K": random.random()},
        {"network": mesh, "box": box},
    )


def write(path: Path, sizes: list[int], seed: int = 0, **options) -> list[tuple[dict, dict, dict]]:
    random = np.random.default_rng(seed)
    samples = [sample(random, points) for points in sizes]
    with DatasetWriter(path, described(len(sizes)), **options) as writer:
        for each in samples:
            writer.append(*each)
    return samples


def assert_same_mesh(one: Mesh, other: Mesh) -> None:
    assert np.array_equal(one.points, other.points) and list(one.cells) == list(other.cells)
    assert all(np.array_equal(nodes, other.cells[name]) for name, nodes in one.cells.items())
    assert list(one.groups) == list(other.groups)
    for name, group in one.groups.items():
        assert group.dim == other.groups[name].dim and (group.facets is None) == (other.groups[name].facets is None)
        assert np.array_equal(group.members, other.groups[name].members)


def assert_holds(path: Path, samples: list[tuple[dict, dict, dict]]) -> None:
    with open_dataset(path) as data:
        about = data.description
        for number, (fields, parameters, places) in enumerate(samples):
            for name, values in fields.items():
                read = data.read(name, number)
                assert read.dtype == values.dtype and np.array_equal(read, values)
                assert about.shape(name, number) == values.shape
            assert about.parameters["K"][number] == parameters["K"]
            assert_same_mesh(data.place("network", number), places["network"])
            assert data.place("box", number) == places["box"] and data.place("ground", number) == PLACES["ground"]
            assert_same_mesh(data.place("disk", number), PLACES["disk"])
            field = data.field("diameter", number)
            assert field.unit == "m" and field.location == "cells" and field.on.n_points == places["network"].n_points


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.booleans())
def test_what_is_written_is_read_sample_by_sample(tmp_path: Path, sizes: list[int], compress: bool) -> None:
    samples = write(tmp_path / "a.h5", sizes, compress=compress)
    convert([tmp_path / "a.h5"], tmp_path / "b.h5", compress=not compress)
    for name in ("a.h5", "b.h5"):
        assert_holds(tmp_path / name, samples)
        (tmp_path / name).unlink()


def test_samples_that_cross_the_chunks_of_the_file_come_back(tmp_path: Path) -> None:
    """A chunk of points holds 2730 rows."""
    samples = write(tmp_path / "a.h5", [2729, 1, 2731, 9000, 3])
    assert_holds(tmp_path / "a.h5", samples)


def test_any_slice_of_the_steps_is_that_of_the_whole(tmp_path: Path) -> None:
    samples = write(tmp_path / "a.h5", [5, 30])
    with open_dataset(tmp_path / "a.h5") as data:
        for steps in (slice(1, 3), slice(2, None), slice(0, 0), slice(None, None, 2), slice(None, None, -1)):
            for name in ("pressure", "flow"):
                assert np.array_equal(data.read(name, 1, steps), samples[1][0][name][steps])


def test_a_length_that_differs_is_none_until_a_sample_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", [4, 9])
    with open_dataset(tmp_path / "a.h5") as data:
        about = data.description
    assert about.shape("pressure") == (2, 3, None) and about.shape("flow") == (2, 3, None, None, 2)
    assert about.shape("velocity") == (2, 1, 4, 5) and about.varying == ("network", "box")
    assert [about.shape("pressure", number) for number in range(2)] == [(3, 4), (3, 9)]
    assert about.sizes()["network"]["points"].tolist() == [4, 9]


def test_one_sample_is_read_without_the_rows_of_the_others(tmp_path: Path) -> None:
    """Of 40 samples of 3000 points, the rows that are asked of the file are those of one."""
    write(tmp_path / "a.h5", [3000] * 40)
    rows = []
    true = h5py.Dataset.__getitem__

    def counted(found, index, **options):
        values = true(found, index, **options)
        rows.append(np.asarray(values).nbytes)
        return values

    with open_dataset(tmp_path / "a.h5") as data:
        data.handle()
        with mock.patch.object(h5py.Dataset, "__getitem__", counted):
            pressure, mesh = data.read("pressure", 17), data.place("network", 17)
    groups = sum(group.members.nbytes for group in mesh.groups.values())
    assert sum(rows) == pressure.nbytes + mesh.points.nbytes + mesh.cells["line"].nbytes + groups


def test_seismic_pairs_lie_on_two_grids_of_one_file(tmp_path: Path) -> None:
    about = Description(
        "pairs",
        {"ground": Grid((7, 7), (0, 0), (700, 700)), "record": Grid((2, 50, 7), upper=(1, 1, 700))},
        np.zeros(1),
        (DataField("velocity", (), unit="m/s", time_varying=False, place="ground"), DataField("shots", place="record")),
        trajectories=2,
    )
    random = np.random.default_rng(0)
    samples = [{"velocity": random.random((7, 7)), "shots": random.random((1, 2, 50, 7))} for _ in range(2)]
    with DatasetWriter(tmp_path / "a.h5", about) as writer:
        for fields in samples:
            writer.append(fields)
    with open_dataset(tmp_path / "a.h5") as data:
        assert data.description.shape("shots") == (2, 1, 2, 50, 7) and data.description.varying == ()
        assert np.array_equal(data.read("shots", 1), samples[1]["shots"].astype(np.float32))
        assert data.field("velocity", 0).on == about.on["ground"]


def test_parts_join_to_the_bytes_of_the_whole(tmp_path: Path) -> None:
    samples = write(tmp_path / "whole.h5", [3, 8, 1, 20])
    for name, chosen in (("first.h5", samples[:1]), ("second.h5", samples[1:])):
        with DatasetWriter(tmp_path / name, described(len(chosen))) as writer:
            for each in chosen:
                writer.append(*each)
    about = convert([tmp_path / "first.h5", tmp_path / "second.h5"], tmp_path / "joined.h5")
    assert about.trajectories == 4 and about.sizes()["network"]["points"].tolist() == [3, 8, 1, 20]
    convert([tmp_path / "whole.h5"], tmp_path / "again.h5")
    assert_holds(tmp_path / "joined.h5", samples)
    assert [report.sha256 for report in inspect(tmp_path / "joined.h5")[1]] == [
        report.sha256 for report in inspect(tmp_path / "whole.h5")[1]
    ]
    one, other = (open_dataset(tmp_path / name).description for name in ("joined.h5", "again.h5"))
    assert one.fields == other.fields and list(one.places) == list(other.places)
    square = Description("s", {"network": VaryingMesh(2, ("line",))}, np.arange(3.0), (DataField("pressure"),), 1)
    with DatasetWriter(tmp_path / "flat.h5", square) as writer:
        mesh = Mesh(np.eye(2), {"line": [[0, 1]]})
        writer.append({"pressure": np.zeros((3, 2))}, places={"network": mesh})
    with pytest.raises(InputError, match="do not belong together"):
        convert([tmp_path / "whole.h5", tmp_path / "flat.h5"], tmp_path / "wrong.h5")


WRONG = {
    "another type of cells": lambda s: s[2].update(network=make_mesh("disk", 1)),
    "a grid for a mesh": lambda s: s[2].update(network=Grid((3,))),
    "no grid or mesh": lambda s: s[2].update(network="a.vtu"),
    "another centring": lambda s: s[2].update(box=Grid((3, 3), periodic=(True, False))),
    "a missing place": lambda s: s[2].pop("box"),
    "a place that all share": lambda s: s[2].update(ground=Grid((4, 5))),
    "values of another mesh": lambda s: s[0].update(pressure=np.zeros((3, 99))),
    "a missing step": lambda s: s[0].update(pressure=s[0]["pressure"][:2]),
    "another shape of a parameter": lambda s: s[1].update(K=[1.0, 2.0]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_sample_that_does_not_fit_is_refused_and_leaves_no_trace(case: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    good, wrong = [sample(random, 7) for _ in range(3)], sample(random, 5)
    WRONG[case](wrong)
    with DatasetWriter(tmp_path / "a.h5", described(3)) as writer:
        writer.append(*good[0])
        with pytest.raises(InputError):
            writer.append(*wrong)
        writer.append(*good[1])
        writer.append(*good[2])
    assert_holds(tmp_path / "a.h5", good)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"on": NETWORKS}, "needs a name"),
        ({"fields": (DataField("u", place="nowhere"),)}, "expected one of the places network, ground"),
        ({"fields": (DataField("u"),)}, "expected one of the places"),
        ({"boundary": {"x": "wall"}}, "no boundary of axes"),
        ({"on": {"a/b": Grid((2, 2))}, "fields": (DataField("u"),)}, "without '/'"),
        ({"on": {}, "fields": ()}, "at least one"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(change, words, tmp_path: Path) -> None:
    given = {"name": "a", "on": PLACES, "times": np.arange(3.0), "fields": FIELDS, "trajectories": 2}
    with pytest.raises(InputError, match=words):
        DatasetWriter(tmp_path / "a.h5", Description(**{**given, **change}))
    assert list(tmp_path.iterdir()) == []


def test_one_flipped_bit_is_found_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    samples = write(path, [6, 3])
    content, random, refused = path.read_bytes(), np.random.default_rng(2), 0
    for byte in random.integers(len(content), size=400):
        path.write_bytes(content[:byte] + bytes([content[byte] ^ (1 << int(random.integers(8)))]) + content[byte + 1 :])
        try:
            data, reports = inspect(path)
            faults = damaged_places(data)
        except DataFormatError:
            refused += 1
            continue
        if faults or not all(report.sound for report in reports):
            refused += 1
        else:
            assert_holds(path, samples)
    assert refused > 100


def test_a_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, [6, 3])
    content = path.read_bytes()
    for size in np.linspace(0, len(content) - 1, 40, dtype=int):
        path.write_bytes(content[:size])
        with pytest.raises(DataFormatError):
            open_dataset(path)


def offsets(file: h5py.File, values: list[int], part: str = "points") -> None:
    del file[f"places/network/offsets/{part}"]
    file[f"places/network/offsets/{part}"] = values


def rewrite(file: h5py.File, name: str, values: np.ndarray) -> None:
    del file[name]
    file[name] = values


def huge(file: h5py.File, name: str, *row: int) -> None:
    kind = file[name].dtype
    del file[name]
    file.create_dataset(name, (1 << 50, *row), kind, chunks=(9, *row))


DAMAGE = {
    "negative offsets": lambda file: offsets(file, [0, -3, 9]),
    "offsets that go back": lambda file: offsets(file, [0, 12, 9]),
    "offsets beyond the end": lambda file: offsets(file, [0, 6, 1 << 40]),
    "offsets that do not start at 0": lambda file: offsets(file, [1, 6, 9]),
    "offsets that leave rows out": lambda file: offsets(file, [0, 6, 8]),
    "offsets of fewer samples": lambda file: offsets(file, [0, 9]),
    "offsets that are not whole": lambda file: offsets(file, [0.0, 6.0, 9.0]),
    "offsets of narrower numbers": lambda file: offsets(file, np.array([0, 6, 9], np.int16)),
    "offsets of other points than the fields": lambda file: offsets(file, [0, 5, 9]),
    "a part that nothing reads": lambda file: file.create_dataset("places/network/groups/side", data=np.zeros((2, 1))),
    "a huge number of offsets": lambda file: huge(file, "places/network/offsets/points"),
    "a huge number of points": lambda file: huge(file, "places/network/points", 3),
    "a point that is not there": lambda file: file["places/network/cells/line"].__setitem__((0, 0), 77),
    "a coordinate that is not finite": lambda file: file["places/network/points"].__setitem__((0, 0), np.nan),
    "no points": lambda file: file.__delitem__("places/network/points"),
    "a field of fewer values": lambda file: rewrite(file, "fields/pressure", np.zeros(20)),
    "a field of other numbers": lambda file: rewrite(file, "fields/pressure", np.zeros(27, np.float32)),
    "a grid without values": lambda file: rewrite(file, "places/box/shape", np.zeros((2, 2), np.int64)),
    "a huge grid": lambda file: rewrite(file, "places/box/shape", np.full((2, 2), 1 << 40)),
    "a grid turned over": lambda file: rewrite(file, "places/box/upper", np.full((2, 2), -9.0)),
    "a parameter of fewer samples": lambda file: rewrite(file, "parameters/K", np.zeros(1)),
    "a parameter that nothing reads": lambda file: file.create_dataset("parameters/k", data=np.zeros(2)),
    "another group": lambda file: file.create_group("mesh"),
    "another place": lambda file: file.create_group("places/networks"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_file_changed_by_a_hand_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, [6, 3])
    with h5py.File(path, "a") as file:
        DAMAGE[case](file)
    with pytest.raises(DataFormatError) as caught, open_dataset(path) as data:
        for number in range(2):
            for name in ("network", "box"):
                data.place(name, number)
            for entry in FIELDS:
                data.field(entry.name, number)
    assert str(path) in str(caught.value) and str(caught.value)[-1] in ".?" and "\n" not in str(caught.value)


PLAIN = ["kind", "dim", "cells", "groups", "periodic", "centring"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PLAIN + ["trajectories", "places", "name"]),
    st.one_of(st.none(), st.integers(-3, 9), st.just(1 << 70), st.text(max_size=3), st.lists(st.integers(-1, 3))),
)
def test_a_description_changed_by_a_hand_is_refused_or_means_the_same(tmp_path: Path, key: str, value) -> None:
    path = tmp_path / "a.h5"
    samples = write(path, [6, 3])
    with h5py.File(path, "a") as file:
        plain = json.loads(file.attrs["sciml_description"])
        for entry in [plain, *plain["places"].values()] if key in plain else plain["places"].values():
            if key in entry:
                entry[key] = value
        file.attrs["sciml_description"] = np.bytes_(json.dumps(plain).encode())
    try:
        with open_dataset(path) as data:
            for number in range(2):
                data.place("network", number)
    except DataFormatError:
        return
    assert_holds(path, samples)


def test_a_directed_graph_without_positions_is_a_mesh_of_lines(tmp_path: Path) -> None:
    """Edges keep their direction and their order, two may join the same nodes, and nodes need no edge."""
    graphs = [
        Mesh(np.zeros((nodes, 2)), {"line": edges})
        for nodes, edges in ((3, [[2, 0], [0, 2], [2, 0]]), (1, np.zeros((0, 2), int)), (4, [[3, 1]]))
    ]
    about = Description(
        "graphs",
        {"graph": VaryingMesh.of(graphs[0])},
        np.zeros(1),
        (DataField("reward", (), "float64", "", "cells"),),
        3,
    )
    with DatasetWriter(tmp_path / "a.h5", about) as writer:
        for graph in graphs:
            writer.append({"reward": np.arange(graph.n_cells)[None]}, places={"graph": graph})
    with open_dataset(tmp_path / "a.h5") as data:
        for number, graph in enumerate(graphs):
            assert_same_mesh(data.place("graph", number), graph)
            assert data.read("reward", number)[0].tolist() == list(range(graph.n_cells))


def described_as(path: Path, **change) -> None:
    with h5py.File(path, "a") as file:
        plain = json.loads(file.attrs["sciml_description"])
        plain["fields"][0] |= change.pop("field", {})
        plain["places"]["network"] |= change.pop("network", {})
        file.attrs["sciml_description"] = np.bytes_(json.dumps(plain | change).encode())


@pytest.mark.parametrize(
    "change",
    [
        *({"part": value} for value in ([1], "ab", [5, 2, 9], [0, 2, 1], [0, 3, 9], [0, 2.0, 9], [0, True, 1])),
        *({"boundary": value} for value in (5, {"x": 1}, ["x"])),
        *({"seed": value} for value in ("x", 1.0, True)),
        *({"varying_times": value} for value in ("yes", 0, None)),
        *({"parameters": value} for value in (["K", "K"], None, "K", [1])),
        {"name": 7},
        {"generator": 5},
        {"trajectories": 2.0},
        {"fields": {}},
        *({"field": {"unit": value}} for value in (5, None)),
        *({"field": {"time_varying": value}} for value in ("yes", 1)),
        {"field": {"dtype": None}},
        {"field": {"place": None}},
        {"field": {"location": "faces"}},
        {"field": {"components": "a"}},
        {"field": {"name": "diameter"}},
        {"network": {"dim": 3.0}},
        {"network": {"groups": [["inlet", 0.0, 1], ["outlet", 0, 1], ["wide", 1, 0]]}},
        {"network": {"groups": [["inlet", 0, True], ["outlet", 0, 1], ["wide", 1, 0]]}},
    ],
    ids=str,
)
def test_a_description_of_other_types_is_refused_in_one_sentence(change: dict, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, [6, 3])
    described_as(path)
    open_dataset(path)  # written anew, it means the same
    described_as(path, **change)
    with pytest.raises(DataFormatError) as caught:
        open_dataset(path)
    assert str(path) in str(caught.value) and str(caught.value)[-1] in ".?" and "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [np.bytes_(b"1"), np.bytes_(b"3"), np.bytes_(b""), 2, 2.0, "3", None], ids=repr)
def test_a_file_of_another_version_of_the_layout_is_refused(version, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, [6, 3])
    with h5py.File(path, "a") as file:
        del file.attrs["sciml_format"]
        if version is not None:
            file.attrs["sciml_format"] = version
    with pytest.raises(DataFormatError, match=r"sciml_format is .*, expected '2'"):
        open_dataset(path)


def test_parameters_that_are_not_finite_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, [6, 3])
    assert damaged_parameters(open_dataset(path)) == []
    with h5py.File(path, "a") as file:
        file["parameters/K"][1] = np.nan
    (sentence,) = damaged_parameters(open_dataset(path))
    assert "parameter 'K' has 1 values that are not finite" in sentence
