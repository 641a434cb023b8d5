"""Our layout: what is written is read, a changed byte is found, and a crash leaves nothing that looks complete."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sciml.data import DataField, DatasetWriter, Description, convert, inspect, open_dataset
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, Group, Mesh, make_mesh

DTYPES = ["float32", "float64", "uint8", "int32"]


@st.composite
def descriptions(draw) -> Description:
    """Any grid or a mesh, 1 to 3 fields of any kind, steps and trajectories from one."""
    dim = draw(st.integers(1, 3))
    if draw(st.booleans()):
        centring = draw(st.sampled_from(["vertex", "cell"]))
        on: Grid | Mesh = Grid(
            tuple(draw(st.integers(2, 5)) for _ in range(dim)),
            tuple(draw(st.floats(-9, 9)) for _ in range(dim)),
            tuple(10.0 + axis for axis in range(dim)),
            tuple(draw(st.booleans()) for _ in range(dim)),
            centring,
        )
        locations = ["cells" if centring == "cell" else "points"]
    else:
        on, locations = make_mesh("square", 1), ["points", "cells"]
    fields = tuple(
        DataField(
            name,
            tuple(draw(st.lists(st.integers(1, 3), max_size=2))),
            draw(st.sampled_from(DTYPES)),
            draw(st.sampled_from(["", "m/s", "°C"])),
            draw(st.sampled_from(locations)),
            draw(st.booleans()),
        )
        for name in draw(st.lists(st.sampled_from(["u", "velocity", "p'", "Ω 1"]), min_size=1, max_size=3, unique=True))
    )
    names = draw(st.lists(st.sampled_from(["nu", "angle"]), max_size=2, unique=True))
    return Description(
        draw(st.sampled_from(["a", "two words", "ü"])),
        on,
        np.cumsum(draw(st.lists(st.floats(1e-3, 10), min_size=1, max_size=4))),
        fields,
        draw(st.integers(1, 3)),
        draw(st.sampled_from([{}, {"x": "periodic"}, {"x-": "wall", "x+": "open"}])),
        dict.fromkeys(names, np.zeros(0)),
        draw(st.sampled_from(["", "some command"])),
        draw(st.sampled_from([None, 0, 7])),
    )


def sample(about: Description, random: np.random.Generator) -> tuple[dict, dict]:
    fields = {
        entry.name: (100 * random.random(about.shape(entry.name)[1:])).astype(entry.dtype) for entry in about.fields
    }
    return fields, {name: random.random() for name in about.parameters}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(descriptions(), st.booleans())
def test_what_is_written_is_read(tmp_path: Path, about: Description, compress: bool) -> None:
    random = np.random.default_rng(0)
    samples = [sample(about, random) for _ in range(about.trajectories)]
    with DatasetWriter(tmp_path / "a.h5", about, compress=compress) as writer:
        for fields, parameters in samples:
            writer.append(fields, parameters)
    convert([tmp_path / "a.h5"], tmp_path / "b.h5", compress=compress)
    for path in (tmp_path / "a.h5", tmp_path / "b.h5"):
        with open_dataset(path) as data:
            read = data.description
            assert (read.fields, read.trajectories, read.boundary) == (about.fields, about.trajectories, about.boundary)
            assert (read.generator, read.seed) == (about.generator, about.seed)
            assert np.array_equal(read.times, about.times)
            if isinstance(about.on, Grid):
                assert read.on == about.on
            else:
                assert np.array_equal(read.on.points, about.on.points)
                assert all(np.array_equal(read.on.cells[kind], nodes) for kind, nodes in about.on.cells.items())
                assert set(read.on.groups) == set(about.on.groups)
            for number, (fields, parameters) in enumerate(samples):
                for name, values in fields.items():
                    again = data.read(name, number)
                    assert again.dtype == values.dtype and np.array_equal(again, values)
                assert {name: values[number] for name, values in read.parameters.items()} == parameters
        path.unlink()


def waves(trajectories: int = 3, dtype: str = "float32") -> Description:
    fields = (DataField("u", dtype=dtype), DataField("velocity", (2,)), DataField("k", time_varying=False))
    return Description("waves", Grid((16, 12)), np.arange(4.0), fields, trajectories, parameters={"nu": np.zeros(0)})


def write(path: Path, about: Description, seed: int = 0, **options) -> list[tuple[dict, dict]]:
    random = np.random.default_rng(seed)
    samples = [sample(about, random) for _ in range(about.trajectories)]
    with DatasetWriter(path, about, **options) as writer:
        for fields, parameters in samples:
            writer.append(fields, parameters)
    return samples


@pytest.mark.parametrize("compress", [False, True])
def test_one_flipped_byte_of_a_field_is_found_and_named(compress: bool, tmp_path: Path) -> None:
    path = tmp_path / "waves.h5"
    write(path, waves(), compress=compress)
    content = path.read_bytes()
    with h5py.File(path) as file:
        places = {
            name: [file[name].id.get_chunk_info(k) for k in range(file[name].id.get_num_chunks())]
            for name in ("t0_fields/u", "t1_fields/velocity", "t0_fields/k")
        }
    random = np.random.default_rng(1)
    for name, chunks in places.items():
        for chunk in chunks:
            byte = chunk.byte_offset + int(random.integers(chunk.size))
            path.write_bytes(
                content[:byte] + bytes([content[byte] ^ (1 << int(random.integers(8)))]) + content[byte + 1 :]
            )
            _, reports = inspect(path)
            wrong = [report for report in reports if not report.sound]
            assert [report.name for report in wrong] == [name.split("/")[1]]
            assert len(wrong[0].damage) == 1 and str(path) in wrong[0].damage[0] and name in wrong[0].damage[0]
            assert f"trajectory {chunk.chunk_offset[0]}" in wrong[0].damage[0]


def test_every_flipped_byte_of_the_rest_is_found_or_changes_nothing(tmp_path: Path) -> None:
    """Names, units, times and attributes lie where HDF5 has no checksum of its own, or has one."""
    path = tmp_path / "waves.h5"
    samples = write(path, waves(1))
    content = path.read_bytes()
    good = open_dataset(path).description
    random, refused = np.random.default_rng(2), 0
    for byte in random.integers(len(content), size=400):
        path.write_bytes(content[:byte] + bytes([content[byte] ^ (1 << int(random.integers(8)))]) + content[byte + 1 :])
        try:
            data, reports = inspect(path)
        except DataFormatError:
            refused += 1
            continue
        if not all(report.sound for report in reports):
            refused += 1
            continue
        about = data.description
        assert (about.name, about.fields, about.on, about.times.tolist()) == (
            good.name,
            good.fields,
            good.on,
            [0, 1, 2, 3],
        )
        assert about.parameters["nu"] == samples[0][1]["nu"]
        with data:  # or HDF5 shows the next reader what it remembers of this file
            assert np.array_equal(data.read("u", 0), samples[0][0]["u"])
    assert refused > 200


def test_values_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    about = waves(2)
    fields, parameters = sample(about, np.random.default_rng(0))
    fields["u"][1, 2, 3], fields["u"][2, 0, 0] = np.nan, np.inf
    with DatasetWriter(tmp_path / "a.h5", about) as writer:
        writer.append(fields, parameters)
        writer.append(*sample(about, np.random.default_rng(1)))
    reports = {report.name: report for report in inspect(tmp_path / "a.h5")[1]}
    assert [report.not_finite for report in reports.values()] == [2, 0, 0]
    assert np.isfinite([reports["u"].mean, reports["u"].deviation, reports["u"].largest]).all()


def test_the_statistics_of_a_report_are_those_of_the_values(tmp_path: Path) -> None:
    samples = write(tmp_path / "a.h5", waves())
    whole = np.stack([fields["velocity"] for fields, _ in samples]).astype(np.float64)
    report = inspect(tmp_path / "a.h5")[1][1]
    assert report.values == whole.size
    assert report.mean == pytest.approx(whole.mean()) and report.deviation == pytest.approx(whole.std())
    assert (report.smallest, report.largest) == (whole.min(), whole.max())


def test_equal_values_have_equal_checksums_in_any_packing(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", waves())
    write(tmp_path / "b.h5", waves(), compress=True)
    write(tmp_path / "c.h5", waves(), seed=1)
    one, other, unlike = (
        [report.sha256 for report in inspect(tmp_path / name)[1]] for name in ("a.h5", "b.h5", "c.h5")
    )
    assert one == other and not set(one) & set(unlike)


def test_an_error_while_writing_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with DatasetWriter(tmp_path / "a.h5", waves()) as writer:
            writer.append(*sample(waves(), np.random.default_rng(0)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(InputError, match="was to get 3 trajectories, but got 0"):
        DatasetWriter(tmp_path / "b.h5", waves()).close()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", waves())
    before = (tmp_path / "a.h5").read_bytes()
    writer = DatasetWriter(tmp_path / "a.h5", waves(1))
    assert (tmp_path / "a.h5").read_bytes() == before
    writer.append(*sample(waves(), np.random.default_rng(0)))
    writer.close()
    assert open_dataset(tmp_path / "a.h5").description.trajectories == 1


WRONG = {
    "no trajectory": {"trajectories": 0},
    "no field": {"fields": ()},
    "name with a slash": {"fields": (DataField("a/b"),)},
    "one name twice": {"fields": (DataField("u"), DataField("u"))},
    "three axes of components": {"fields": (DataField("u", (2, 2, 2)),)},
    "complex numbers": {"fields": (DataField("u", dtype="complex64"),)},
    "times that go back": {"times": np.array([0.0, -1.0])},
    "no time": {"times": np.zeros(0)},
    "boundary of no axis": {"boundary": {"z": "wall"}},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_description_that_makes_no_sense_is_refused(case: str, tmp_path: Path) -> None:
    given = {"name": "a", "on": Grid((4, 4)), "times": np.arange(2.0), "fields": (DataField("u"),), "trajectories": 1}
    with pytest.raises(InputError):
        DatasetWriter(tmp_path / "a.h5", Description(**{**given, **WRONG[case]}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "case", ["missing field", "unknown field", "wrong shape", "complex", "missing parameter", "one too many"]
)
def test_a_trajectory_that_does_not_fit_is_refused(case: str, tmp_path: Path) -> None:
    about = waves(1)
    fields, parameters = sample(about, np.random.default_rng(0))
    if case == "missing field":
        del fields["u"]
    elif case == "unknown field":
        fields["v"] = fields["u"]
    elif case == "wrong shape":
        fields["u"] = fields["u"][:, :-1]
    elif case == "complex":
        fields["u"] = fields["u"] * 1j
    elif case == "missing parameter":
        parameters = {}
    writer = DatasetWriter(tmp_path / "a.h5", about)
    if case == "one too many":
        writer.append(fields, parameters)
    with pytest.raises(InputError):
        writer.append(fields, parameters)
    writer.abandon()


def test_float64_and_non_contiguous_values_are_taken(tmp_path: Path) -> None:
    about = waves(1, "float64")
    fields, parameters = sample(about, np.random.default_rng(0))
    turned = {**fields, "u": np.asfortranarray(fields["u"]), "velocity": fields["velocity"][:, ::-1][:, ::-1]}
    with DatasetWriter(tmp_path / "a.h5", about) as writer:
        writer.append(turned, parameters)
    assert np.array_equal(open_dataset(tmp_path / "a.h5").read("u", 0), fields["u"])


def test_groups_of_a_mesh_come_back(tmp_path: Path) -> None:
    square = make_mesh("square", 1)
    mesh = Mesh(square.points, square.cells, {"part": Group(2, cells=[1, 3]), **square.groups})
    about = Description("m", mesh, np.zeros(1), (DataField("u"), DataField("k", location="cells")), 1)
    with DatasetWriter(tmp_path / "a.h5", about) as writer:
        writer.append({"u": np.zeros((1, mesh.n_points)), "k": np.ones((1, mesh.n_cells))})
    read = open_dataset(tmp_path / "a.h5").description.on
    assert np.array_equal(read.groups["part"].cells, [1, 3])
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["grid_type"] == "unstructured" and "points" in file["mesh"]


def test_the_file_has_the_layout_of_the_well(tmp_path: Path) -> None:
    """What a reader of The Well asks for is there, in the types it expects."""
    write(tmp_path / "a.h5", waves())
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file.attrs["dataset_name"], file.attrs["grid_type"]) == ("waves", "cartesian")
        assert (int(file.attrs["n_spatial_dims"]), int(file.attrs["n_trajectories"])) == (2, 3)
        assert list(file["dimensions"].attrs["spatial_dims"]) == ["x", "y"]
        assert file["dimensions/time"].shape == (4,) and file["dimensions/x"].shape == (16,)
        assert [list(file[f"t{order}_fields"].attrs["field_names"]) for order in range(3)] == [
            ["u", "k"],
            ["velocity"],
            [],
        ]
        assert file["t1_fields/velocity"].shape == (3, 4, 16, 12, 2) and file["t0_fields/k"].shape == (3, 16, 12)
        assert file["t0_fields/u"].attrs["time_varying"] and not file["t0_fields/k"].attrs["time_varying"]
        assert list(file["scalars"].attrs["field_names"]) == ["nu"] and file["scalars/nu"].attrs["sample_varying"]
        assert all(
            file[name].fletcher32 for name in ("t0_fields/u", "t1_fields/velocity", "dimensions/time", "scalars/nu")
        )


def test_data_sets_are_joined_only_if_they_fit(tmp_path: Path) -> None:
    samples = write(tmp_path / "a.h5", waves(2)) + write(tmp_path / "b.h5", waves(1), seed=1)
    about = convert([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "ab.h5")
    assert about.trajectories == 3
    with open_dataset(tmp_path / "ab.h5") as data:
        assert all(np.array_equal(data.read("u", k), samples[k][0]["u"]) for k in range(3))
    write(tmp_path / "double.h5", waves(1, "float64"))
    for sources, target in itertools.product((["a.h5", "double.h5"], [], ["a.h5"]), ("a.h5", "c.h5")):
        if sources != ["a.h5"] or target == "a.h5":
            with pytest.raises(InputError):
                convert([tmp_path / name for name in sources], tmp_path / target)
    assert not (tmp_path / "c.h5").exists()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("scalars/Nu", "a parameter in the group scalars is 'Nu', expected none"),
        ("t0_fields/U", "a field in the group t0_fields is 'U', expected u; did you mean .u."),
        ("t1_fields/w", "a field in the group t1_fields is 'w', expected none"),
        ("t0_field/u", "a group of the file is 't0_field', expected one of .*; did you mean .t0_fields."),
    ],
)
def test_what_a_hand_has_added_to_our_layout_is_refused_by_its_name(place, words, tmp_path):
    path = tmp_path / "waves.h5"
    about = Description("waves", Grid((8,)), np.arange(3.0), (DataField("u"),), trajectories=1)
    with DatasetWriter(path, about) as writer:
        writer.append({"u": np.zeros((3, 8))})
    with h5py.File(path, "a") as file:
        file[place] = np.zeros(1)
    with pytest.raises(DataFormatError, match=words):
        open_dataset(path)


@pytest.mark.parametrize(
    ("dtype", "values", "words"),
    [
        ("float32", np.full((3, 8), 1e300), "holds 1e.300, which float32 does not hold"),
        ("int8", np.full((3, 8), 300), "holds 300, which int8 does not hold"),
        ("uint8", np.full((3, 8), -1), "holds -1, which uint8 does not hold"),
        ("int32", np.full((3, 8), 1.5), "are floating-point numbers, expected whole ones"),
        ("float64", np.zeros((3, 8), complex), "are complex, expected real ones"),
        ("float64", np.zeros((3, 8), "M8[s]"), "are dates, expected real ones"),
        ("float64", np.ma.masked_equal(np.zeros((3, 8)), 0), "24 of 24 values .* are masked"),
        ("float64", np.zeros((8, 3)), r"of shape \(3, 8\), got the shape \(8, 3\)"),
    ],
)
def test_values_that_a_field_cannot_hold_are_refused_instead_of_cut(dtype, values, words, tmp_path):
    about = Description("waves", Grid((8,)), np.arange(3.0), (DataField("u", (), dtype),), trajectories=1)
    with pytest.raises(InputError, match=words), DatasetWriter(tmp_path / "waves.h5", about) as writer:
        writer.append({"u": values})
    assert not (tmp_path / "waves.h5").exists()
