"""Every layout is told by its content and read back to the values that were written in it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from sciml.data import convert, open_dataset
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, Mesh, SeriesWriter
from sciml.reference.incompressible_smoke import FIELDS, RisingSmoke, random_smoke
from tests.data import foreign

LAYOUTS = {
    "tensor 1-D": ("pdebench_tensor", lambda path: foreign.pdebench_tensor(path, 1)),
    "tensor 2-D": ("pdebench_tensor", lambda path: foreign.pdebench_tensor(path, 2)),
    "tensor 3-D": ("pdebench_tensor", lambda path: foreign.pdebench_tensor(path, 3, extra_time=0)),
    "darcy": ("pdebench_tensor", foreign.pdebench_darcy),
    "fluid 1-D": ("pdebench_fluid", lambda path: foreign.pdebench_fluid(path, 1)),
    "fluid 2-D": ("pdebench_fluid", lambda path: foreign.pdebench_fluid(path, 2)),
    "fluid 3-D": ("pdebench_fluid", lambda path: foreign.pdebench_fluid(path, 3)),
    "groups 1-D": ("pdebench_groups", lambda path: foreign.pdebench_groups(path, 1, 1)),
    "groups 2-D": ("pdebench_groups", lambda path: foreign.pdebench_groups(path, 2, 2)),
    "groups 3-D": ("pdebench_groups", lambda path: foreign.pdebench_groups(path, 3, 3)),
    "the well": ("the_well", foreign.the_well),
    "pdearena": ("pdearena", foreign.pdearena),
    "pdearena, one buoyancy": ("pdearena", lambda path: foreign.pdearena(path, "valid", buoyancy=False)),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_foreign_layout_is_read_to_the_values_written(case: str, tmp_path: Path) -> None:
    layout, write = LAYOUTS[case]
    path = tmp_path / "data.bin"  # the name says nothing
    expected = write(path)
    with open_dataset(path) as data:
        about = data.description
        assert about.layout == layout and about.trajectories == 3
        assert sorted(entry.name for entry in about.fields) == sorted(expected)
        for name, values in expected.items():
            assert about.shape(name) == values.shape
            read = np.stack([data.read(name, trajectory) for trajectory in range(3)])
            assert read.dtype == values.dtype and np.array_equal(read, values)
        if len(about.times) > 1:
            assert np.allclose(about.times, [0.0, 0.1, 0.2, 0.3])
            name = next(entry.name for entry in about.fields if entry.time_varying)
            assert np.array_equal(data.read(name, 1, slice(1, 3)), expected[name][1, 1:3])


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_foreign_layout_converted_to_ours_has_the_same_values_places_and_times(case: str, tmp_path: Path) -> None:
    expected = LAYOUTS[case][1](tmp_path / "theirs.h5")
    before = open_dataset(tmp_path / "theirs.h5").description
    convert([tmp_path / "theirs.h5"], tmp_path / "ours.h5")
    with open_dataset(tmp_path / "ours.h5") as data:
        after = data.description
        assert after.layout == "sciml" and after.fields == before.fields
        assert after.on == before.on and np.array_equal(after.times, before.times)
        assert after.boundary == before.boundary
        assert all(np.array_equal(after.parameters[name], values) for name, values in before.parameters.items())
        for name, values in expected.items():
            assert all(np.array_equal(data.read(name, trajectory), values[trajectory]) for trajectory in range(3))


def test_the_grid_has_the_coordinates_of_the_file(tmp_path: Path) -> None:
    foreign.pdebench_fluid(tmp_path / "a.h5", 2)
    grid = open_dataset(tmp_path / "a.h5").description.on
    assert np.allclose(grid.axes()[0], foreign.centres(8, 2.0)) and np.allclose(grid.axes()[1], foreign.centres(6, 2.0))
    assert np.allclose(grid.lower + grid.upper, [0, 0, 2, 2])
    foreign.the_well(tmp_path / "b.h5")
    about = open_dataset(tmp_path / "b.h5").description
    assert np.allclose(about.on.axes()[0], np.arange(8) / 8)
    assert about.on.periodic == (True, False) and about.boundary == {"x": "periodic", "y": "wall"}
    assert np.allclose(about.on.upper[0] - about.on.lower[0], 1.0)  # one period


def test_smoke_of_pdearena_is_a_flow_that_our_solver_goes_on_with(tmp_path: Path) -> None:
    """As its program stores a flow: the lower faces, coordinates to the walls, times that are spread too far."""
    problem = RisingSmoke(16, case="paper")
    flows = [problem.still(random_smoke(16, np.random.default_rng(5)))]
    for _ in range(5):
        flows.append(problem.advanced(flows[-1], 0.4, 1))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["test/u"] = np.stack([flow.density for flow in flows])[None]
        file["test/vx"] = np.stack([flow.along[:-1] for flow in flows])[None]
        file["test/vy"] = np.stack([flow.across[:, :-1] for flow in flows])[None]
        file["test/x"] = file["test/y"] = np.linspace(0.0, 32.0, 16)[None]
        file["test/t"], file["test/dt"] = np.linspace(18.0, 27.0, 6)[None], [1.5]
        file["test/buo_y"] = [0.4]
        file["test/text_labels/0"] = "one plume"
    with open_dataset(tmp_path / "a.h5") as data:
        about, frames = data.description, {name: data.read(name, 0) for name in FIELDS}
    expected = problem.frames(flows[0], 0.4, 6)
    assert all(np.array_equal(frames[name], expected[name]) for name in FIELDS)
    assert about.on == Grid((16, 16), (0.0, 0.0), (32.0, 32.0), centring="cell")
    assert about.times.tolist() == [18.0, 19.5, 21.0, 22.5, 24.0, 25.5] and about.parameters["buoyancy"] == [0.4]
    assert about.ignored == ("test/text_labels",)
    errors = problem.resolve_errors(frames, 0.4, first=1)
    assert max(errors["smoke"].max(), errors["velocity"].max()) < 1e-4


def test_scalars_of_the_well_become_parameters_of_each_trajectory(tmp_path: Path) -> None:
    foreign.the_well(tmp_path / "a.h5")
    parameters = open_dataset(tmp_path / "a.h5").description.parameters
    assert parameters["nu"].tolist() == [0.1] * 3
    assert parameters["speed"].tolist() == [1.0, 2.0, 3.0]
    assert parameters["force"].tolist() == [[0.0, 1.0, 2.0, 3.0]] * 3


def test_uneven_coordinates_give_the_mesh_of_the_points(tmp_path: Path) -> None:
    expected = foreign.pdebench_tensor(tmp_path / "a.h5", 2)
    x = np.array([0, 1, 2, 4, 7, 11, 16, 22.0])
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["x-coordinate"][...] = x
    with open_dataset(tmp_path / "a.h5") as data:
        mesh = data.description.on
        assert isinstance(mesh, Mesh) and mesh.n_points == 48
        assert np.isclose(mesh.volumes().sum(), 22.0 * (5 / 6))
        assert np.array_equal(data.read("u", 2), expected["u"][2].reshape(4, 48))
        corner = np.flatnonzero((mesh.points == mesh.points.max(axis=0)).all(axis=1))
        assert data.read("u", 2)[3, corner] == expected["u"][2, 3, -1, -1]
    convert([tmp_path / "a.h5"], tmp_path / "b.h5")
    assert np.array_equal(open_dataset(tmp_path / "b.h5").read("u", 2), expected["u"][2].reshape(4, 48))


def test_arrays_of_openfwi_are_mapped_into_memory(tmp_path: Path) -> None:
    model, shots = foreign.values(3, 1, 7, 7), foreign.values(3, 5, 20, 7)
    np.save(tmp_path / "model1.npy", model)
    np.save(tmp_path / "data1.npy", shots)
    with open_dataset(tmp_path / "model1.npy") as data:
        assert data.description.shape("velocity") == (3, 1, 7, 7)
        assert np.array_equal(data.read("velocity", 2)[0], model[2, 0])
        assert isinstance(data.handle(), np.memmap)
    with open_dataset(tmp_path / "data1.npy") as data:
        assert data.description.shape("shots") == (3, 1, 20, 7, 5)
        assert np.array_equal(data.read("shots", 1)[0, ..., 4], shots[1, 4])


class Canary:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_in_an_array_file_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([[[[Canary(tmp_path / "trace")]]]], dtype=object), allow_pickle=True)
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(Canary(tmp_path / "trace")))
    for name in ("data.npy", "plain.npy"):
        with pytest.raises(DataFormatError, match=name):
            open_dataset(tmp_path / name)
    assert not (tmp_path / "trace").exists()


def test_values_that_lie_in_another_file_are_refused(tmp_path: Path) -> None:
    """A data set from elsewhere must not read the files of this machine."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(96))
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("tensor", (2, 3, 4), "f4", external=[(str(secret), 0, 96)])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["tensor"] = np.zeros((2, 3, 4))
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["tensor"] = h5py.ExternalLink("other.h5", "tensor")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((2, 3, 4), "f8")
        layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "tensor", (2, 3, 4))
        file.create_virtual_dataset("tensor", layout)
    for name in ("external.h5", "link.h5", "virtual.h5"):
        with pytest.raises(DataFormatError, match=f"{name}.*another file"):
            open_dataset(tmp_path / name)


def test_a_size_that_the_file_cannot_hold_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("tensor", (1 << 30, 1 << 10, 4), "f4", chunks=(1, 1, 4))
    with pytest.raises(DataFormatError, match="not complete"):
        open_dataset(tmp_path / "a.h5")


def _changed(name: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        foreign.pdearena(path)
        with h5py.File(path, "a") as file:
            del file[f"train/{name}"]
            if value is not None:
                file[f"train/{name}"] = value

    change.__name__ = f"_{name}_of_pdearena"
    return change


def _two_parts(path: Path) -> None:
    foreign.pdearena(path)
    with h5py.File(path, "a") as file:
        file.copy("train", "test")


def _no_file(path: Path) -> None:
    path.unlink(missing_ok=True)


def _times_go_back(path: Path) -> None:
    foreign.pdebench_tensor(path)
    with h5py.File(path, "a") as file:
        file["t-coordinate"][2] = -1.0


def _too_many_times(path: Path) -> None:
    foreign.pdebench_tensor(path, extra_time=2)


def _wrong_coordinates(path: Path) -> None:
    foreign.pdebench_tensor(path)
    with h5py.File(path, "a") as file:
        del file["x-coordinate"]
        file["x-coordinate"] = np.arange(3.0)


def _spherical(path: Path) -> None:
    foreign.the_well(path)
    with h5py.File(path, "a") as file:
        file.attrs["grid_type"] = "spherical"


def _unlike_groups(path: Path) -> None:
    foreign.pdebench_groups(path)
    with h5py.File(path, "a") as file:
        del file["0001/data"]
        file["0001/data"] = np.zeros((2, 2, 2, 2), np.float32)


def _unknown(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["temperature"] = np.zeros(3)


def _series(path: Path) -> None:
    with SeriesWriter(path.with_suffix(".xdmf"), on=Grid((3,))) as series:
        series.append(0.0, u=np.zeros(3))


WRONG = {
    _no_file: "no file",
    _times_go_back: "increase",
    _too_many_times: "expected",
    _wrong_coordinates: "coordinates",
    _spherical: "spherical",
    _unlike_groups: "0001/data",
    _unknown: "temperature",
    _series: "read_series",
    _two_parts: "the parts train and test, expected one",
    _changed("u", np.zeros((3, 4, 8))): r"train/u has shape \(3, 4, 8\)",
    _changed("vy", np.zeros((3, 4, 6, 8))): "train/vy has float64 of shape",
    _changed("vy", np.zeros((3, 4, 8, 6), int)): "train/vy has int64 of shape .*expected floating-point",
    _changed("vx", np.full((3, 4, 8, 6), b"a")): "train/vx must be a data set of numbers",
    _changed("t", np.tile(np.arange(4.0), (3, 1)) + np.arange(3)[:, None]): "train/t differs among",
    _changed("t", np.zeros((3, 5))): r"train/t has shape \(3, 5\)",
    _changed("dt", np.array([0.1, 0.2, 0.1])): "train/dt must be one positive number",
    _changed("dt", np.full(3, -0.1)): "train/dt must be one positive number",
    _changed("dt", np.full(3, 1e308)): "no numbers that increase",
    _changed("x", np.zeros((3, 8))): "must increase",
    _changed("buo_y", np.array([0.2, np.nan, 0.1])): "train/buo_y has shape",
    _changed("dt", None): "not complete",
}


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_what_cannot_be_read_is_refused_with_a_sentence(make, tmp_path: Path) -> None:
    path = tmp_path / "wrong.h5"
    make(path)
    with pytest.raises(DataFormatError, match=WRONG[make]) as caught:
        open_dataset(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_row_of_texts_that_never_ends_is_refused(tmp_path: Path) -> None:
    """A flipped size leads to a free object of size 0, where the library would stay for ever."""
    foreign.the_well(tmp_path / "a.h5")
    content = bytearray((tmp_path / "a.h5").read_bytes())
    start = content.index(b"GCOL")
    content[start + 24 : start + 32] = (2000).to_bytes(8, "little")
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(DataFormatError, match=r"a\.h5.*texts"):
        open_dataset(tmp_path / "a.h5")


def test_a_folder_a_text_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("tensor")
    for path in (tmp_path, tmp_path / "empty", tmp_path / "text"):
        with pytest.raises(DataFormatError, match=str(path)):
            open_dataset(path)


def test_fields_and_trajectories_that_are_not_there_are_refused(tmp_path: Path) -> None:
    foreign.pdebench_tensor(tmp_path / "a.h5")
    with open_dataset(tmp_path / "a.h5") as data:
        for name, trajectory in (("v", 0), ("u", 3), ("u", -1)):
            with pytest.raises(InputError):
                data.read(name, trajectory)


# By inheritance, in which a worker must not use the handle of its parent; in a process of its own, because a fork of
# one with threads may never wake up.
FORK = """
import sys
from multiprocessing import get_context
from sciml.data import open_dataset

def mean(data):
    return float(data.read("u", 1).mean())

with open_dataset(sys.argv[1]) as data:
    before = mean(data)
    with get_context("fork").Pool(1) as pool:
        print(before, pool.apply(mean, (data,)), mean(data))
"""


def test_a_data_set_can_be_sent_to_other_processes_while_it_is_open(tmp_path: Path) -> None:
    expected = foreign.pdebench_tensor(tmp_path / "a.h5")["u"][1]
    with open_dataset(tmp_path / "a.h5") as data:
        assert np.array_equal(data.read("u", 1), expected)  # now it is open
        handle = data.handle()
        copy = pickle.loads(pickle.dumps(data))
        assert np.array_equal(copy.read("u", 1), expected) and copy.handle() is not handle
        copy.close()
        assert np.array_equal(data.read("u", 1), expected)
    command = [sys.executable, "-c", FORK, str(tmp_path / "a.h5")]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True).stdout
    assert [float(word) for word in printed.split()] == pytest.approx(3 * [float(expected.mean())])


def test_a_field_of_a_data_set_has_its_times_and_unit(tmp_path: Path) -> None:
    expected = foreign.the_well(tmp_path / "a.h5")
    with open_dataset(tmp_path / "a.h5") as data:
        velocity, height = data.field("velocity", 2), data.field("height", 2)
    assert np.array_equal(velocity.values, expected["velocity"][2]) and np.allclose(velocity.times, np.arange(4) / 10)
    assert velocity.components == (2,) and height.times is None
    assert np.array_equal(height.values, expected["height"][2, 0])


def test_what_is_not_read_of_a_foreign_layout_is_listed(tmp_path):
    path = tmp_path / "a.h5"
    foreign.pdebench_tensor(path)
    assert open_dataset(path).description.ignored == ()
    with h5py.File(path, "a") as file:
        file["Nu"] = np.zeros(3)  # the coefficient of Darcy flow is nu
    assert open_dataset(path).description.ignored == ("Nu",)
    assert convert([path], tmp_path / "b.h5").ignored == ()


@pytest.mark.parametrize("name", ["dimensions", "boundary_conditions", "t0_fields", "scalars", "0", "deep/down"])
def test_no_group_of_another_file_is_opened(tmp_path, name):
    os.mkfifo(tmp_path / "secret.h5")  # which would be waited for if it were opened
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[name] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
        for group in {"dimensions", "t0_fields"} - {name} if name != "0" else ():
            file.create_group(group)
    with pytest.raises(DataFormatError, match="link to another file"):
        open_dataset(tmp_path / "a.h5")
