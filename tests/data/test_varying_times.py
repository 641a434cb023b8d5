"""Data sets whose trajectories have times of their own, as those of a solver that chooses its steps."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sciml.data import (
    DataField,
    DatasetWriter,
    Description,
    FieldData,
    SampleData,
    VaryingMesh,
    VaryingTimes,
    convert,
    inspect,
    open_dataset,
)
from sciml.data.formats import damaged_places
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, Mesh, make_mesh

PLACES = {"mesh": VaryingMesh.of(make_mesh("disk", 1)), "box": Grid((3, 2))}
FIELDS = (
    DataField("flow", (2,), "float64", "m/s", place="mesh"),
    DataField("k", (), "float64", "", "cells", False, "mesh"),
    DataField("u", (), "float64", place="box"),
    DataField("c", (2, 2), "float64", "", time_varying=False, place="box"),
)
MESHES = [make_mesh("disk", 1), make_mesh("disk", 2), make_mesh("square", 1)]


def described(trajectories: int) -> Description:
    return Description("flows", PLACES, VaryingTimes(), FIELDS, trajectories)


def sample(random: np.random.Generator, steps: int) -> tuple[dict, dict, dict, np.ndarray]:
    mesh = MESHES[random.integers(3)]
    mesh = Mesh(mesh.points, mesh.cells)
    fields = {
        "flow": random.random((steps, mesh.n_points, 2)),
        "k": random.random((1, mesh.n_cells)),
        "u": random.random((steps, 3, 2)),
        "c": random.random((1, 3, 2, 2, 2)),
    }
    return fields, {}, {"mesh": mesh}, np.cumsum(random.uniform(0.1, 1, steps))


def write(path: Path, steps: list[int]) -> list[tuple[dict, dict, dict, np.ndarray]]:
    random = np.random.default_rng(0)
    about = Description("flows", {**PLACES, "mesh": VaryingMesh(2, ("triangle",))}, VaryingTimes(), FIELDS, len(steps))
    samples = [sample(random, count) for count in steps]
    with DatasetWriter(path, about) as writer:
        for each in samples:
            writer.append(*each)
    return samples


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_each_trajectory_comes_back_with_its_times(tmp_path: Path, steps: list[int]) -> None:
    samples = write(tmp_path / "a.h5", steps)
    convert([tmp_path / "a.h5"], tmp_path / "b.h5")
    for name in ("a.h5", "b.h5"):
        with open_dataset(tmp_path / name) as data:
            about = data.description
            assert about.shape("u") == (len(steps), None, 3, 2) and about.steps() is None
            for number, (fields, _, places, times) in enumerate(samples):
                assert np.array_equal(data.times(number), times) and about.steps(number) == len(times)
                assert data.place("mesh", number).n_points == places["mesh"].n_points
                for title, values in fields.items():
                    assert np.array_equal(data.read(title, number), values)
                    assert about.shape(title, number) == values.shape
                assert np.array_equal(data.read("flow", number, slice(-1, None)), fields["flow"][-1:])
                assert np.array_equal(data.read("u", number, slice(None, None, 2)), fields["u"][::2])
                assert np.array_equal(data.field("u", number).times, times)
        (tmp_path / name).unlink()


def test_a_step_on_a_large_grid_is_kept_in_chunks_of_some_megabytes(tmp_path: Path) -> None:
    about = Description(
        "large", {"box": Grid((1500, 1500))}, VaryingTimes(), (DataField("u", (), "float64", place="box"),), 1
    )
    step = np.arange(1500.0 * 1500).reshape(1, 1500, 1500)
    with DatasetWriter(tmp_path / "a.h5", about) as writer:
        writer.append({"u": step}, times=[0.5])
    with open_dataset(tmp_path / "a.h5") as data, h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(data.read("u", 0), step)
        assert 1 << 20 < 8 * np.prod(file["fields/u"].chunks) <= 1 << 23


def test_windows_of_any_trajectory_are_batched(tmp_path: Path) -> None:
    samples = write(tmp_path / "a.h5", [4, 2, 6, 3])
    data = SampleData(str(tmp_path / "a.h5"), steps=2, batch_size=3, fractions=(1.0, 0.0), precision="float64")
    seen = set()
    for batch in data.train_dataloader():
        for position, (number, start) in enumerate(zip(batch.sample.tolist(), batch.start.tolist(), strict=True)):
            seen.add((number, start))
            rows = slice(*batch.places["mesh"]["point_offsets"][position : position + 2].tolist())
            fields = samples[number][0]
            assert np.array_equal(batch.fields["flow"][:, rows].numpy(), fields["flow"][start : start + 2])
            assert np.array_equal(batch.fields["u"][position].numpy(), fields["u"][start : start + 2])
            own = data.samples("train")
    assert seen == {(number, start) for number, count in enumerate([4, 2, 6, 3]) for start in range(count - 1)}
    assert np.array_equal(own[3].times, samples[1][3]) and own[3].number == 1


def test_whole_trajectories_are_batches_of_one(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", [4, 2])
    path = str(tmp_path / "a.h5")
    lengths = [
        len(batch.fields["u"][0]) for batch in SampleData(path, batch_size=1, fractions=(1, 0)).train_dataloader()
    ]
    assert sorted(lengths) == [2, 4]
    with pytest.raises(InputError, match="choose the steps of a window"):
        SampleData(path).train_dataloader()
    (batch,) = SampleData(path, fields=["k", "c"], fractions=(1.0, 0.0)).train_dataloader()
    assert batch.fields["c"].shape == (2, 3, 2, 2, 2)
    with pytest.raises(InputError, match="trajectories of 2 steps, expected at least the 3"):
        SampleData(path, steps=3, fractions=(1.0, 0.0)).train_dataloader()
    with pytest.raises(InputError, match="SampleData"):
        FieldData(path).train_dataloader()


def test_times_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    fields, parameters, places, _ = sample(random, 3)
    about = Description("flows", {**PLACES, "mesh": VaryingMesh(2, ("triangle",))}, VaryingTimes(), FIELDS, 1)
    writer = DatasetWriter(tmp_path / "a.h5", about)
    for times in (None, [0, 1], [0, 2, 1], [0, np.nan, 1], [], "now"):
        with pytest.raises(InputError):
            writer.append(fields, parameters, places, times)
    writer.append(fields, parameters, places, [0, 1, 2])
    writer.close()
    with pytest.raises(InputError, match="needs a name"):
        Description("flows", Grid((3,)), VaryingTimes(), (DataField("u"),), 1)
    same = Description("flows", PLACES, np.arange(3.0), FIELDS, 1)
    with pytest.raises(InputError, match="the same times"), DatasetWriter(tmp_path / "b.h5", same) as writer:
        writer.append(fields, {}, {"mesh": Mesh(MESHES[0].points, MESHES[0].cells, MESHES[0].groups)}, [0, 1, 2])


DAMAGE = {
    "offsets that go back": {"time_offsets": [0, 5, 4, 6]},
    "a sample without times": {"time_offsets": [0, 4, 4, 6]},
    "offsets of other times": {"time_offsets": [0, 2, 4, 6]},
    "missing offsets": {"time_offsets": None},
    "fewer times": {"times": np.arange(5.0)},
    "times that go back": {"times": np.array([0, 1, 0.5, 2, 0, 1])},
    "times that are not finite": {"times": np.array([0, 1, np.nan, 2, 0, 1])},
    "whole times": {"times": np.arange(6)},
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_times_are_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, [3, 1, 2])
    with h5py.File(path, "a") as file:
        for name, values in DAMAGE[case].items():
            del file[name]
            if values is not None:
                file[name] = values
    with pytest.raises(DataFormatError) as caught, open_dataset(path) as data:
        for number in range(3):
            data.times(number)
    assert str(path) in str(caught.value)
    if case.startswith("times that"):
        assert len(damaged_places(inspect(path)[0])) == 1


@pytest.mark.parametrize("form", ["packed", "padded"])
def test_a_batch_has_the_times_of_its_windows(tmp_path: Path, form: str) -> None:
    samples = write(tmp_path / "a.h5", [5, 3, 6])
    data = SampleData(str(tmp_path / "a.h5"), batch=form, steps=3, batch_size=4, fractions=(1.0, 0.0))
    for batch in data.train_dataloader():
        expected = [samples[n][3][s : s + 3] for n, s in zip(batch.sample.tolist(), batch.start.tolist(), strict=True)]
        np.testing.assert_allclose(batch.times.numpy(), expected, rtol=1e-6)
        assert batch.to("meta").times.is_meta


def test_times_beyond_the_end_of_a_trajectory_are_not_numbers(tmp_path: Path) -> None:
    """Whole trajectories of different lengths are batches if only what does not vary in time is read."""
    samples = write(tmp_path / "a.h5", [5, 3])
    data = SampleData(str(tmp_path / "a.h5"), fields=["k"], batch_size=2, fractions=(1.0, 0.0))
    batch = next(iter(data.train_dataloader()))
    for number, times in zip(batch.sample.tolist(), batch.times.numpy(), strict=True):
        count = len(samples[number][3])
        np.testing.assert_allclose(times[:count], samples[number][3], rtol=1e-6)
        assert len(times) == 5 and np.isnan(times[count:]).all()
