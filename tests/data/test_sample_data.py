"""Batches of samples with their own meshes and grids: packed and padded ones hold the same values as the file."""

from __future__ import annotations

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.utilities import move_data_to_device
from trainers import quiet_trainer

from sciml.data import (
    DataField,
    DatasetWriter,
    Description,
    FieldData,
    SampleData,
    VaryingMesh,
    open_dataset,
)
from sciml.data.sample_batches import Pack, Pad, SampleBatch
from sciml.data.samples import Samples
from sciml.errors import InputError
from sciml.mesh import Mesh
from sciml.numerics.random import seeded
from sciml.training.batches import count_samples, to_float64
from tests.data.test_named_places import described, sample

SIZES = [3, 1, 17, 8, 40, 2, 5, 9, 30, 6]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("samples") / "all.h5"
    random = np.random.default_rng(0)
    with DatasetWriter(path, described(len(SIZES))) as writer:
        for points in SIZES:
            writer.append(*sample(random, points))
    return str(path)


def batch_of(path: str, kind: type, numbers: list[int], **options) -> tuple[SampleBatch, Samples]:
    samples = Samples(open_dataset(path), range(len(SIZES)), **options)
    return kind(samples.dataset.description, torch.float64)([samples[number] for number in numbers]), samples


def test_a_packed_batch_is_one_mesh_whose_parts_are_the_samples(path: str) -> None:
    """The batch, read as a mesh, has the lines of the samples between the points of the samples."""
    numbers = [2, 0, 1, 7]
    batch, samples = batch_of(path, Pack, numbers)
    place = batch.places["network"]
    whole = Mesh(place["points"].numpy(), {"line": place["cells/line"].numpy()})
    points, cells = place["point_offsets"].tolist(), place["cell_offsets"].tolist()
    for position, number in enumerate(numbers):
        true = samples[number]
        mesh, first, past = true.places["network"], points[position], points[position + 1]
        lines = slice(cells[position], cells[position + 1])
        assert np.array_equal(whole.points[first:past], mesh.points)
        assert np.array_equal(whole.points[whole.cells["line"][lines]], mesh.points[mesh.cells["line"]])
        assert np.array_equal(batch.fields["pressure"][:, first:past].numpy(), true.fields["pressure"])
        assert np.array_equal(batch.fields["diameter"][lines].numpy(), true.fields["diameter"])
        assert batch.parameters["K"][position] == true.parameters["K"]
    inlet = torch.zeros(whole.n_points, dtype=torch.bool)
    inlet[place["groups/inlet"].ravel()] = True
    wide = torch.zeros(whole.n_cells, dtype=torch.bool)
    wide[place["groups/wide"]] = True
    for position, number in enumerate(numbers):
        groups = samples[number].places["network"].groups
        one, line = inlet[points[position] : points[position + 1]], wide[cells[position] : cells[position + 1]]
        assert np.array_equal(np.flatnonzero(one), np.unique(groups["inlet"].members))
        assert np.array_equal(np.flatnonzero(line), groups["wide"].members)


def test_a_padded_batch_holds_each_sample_in_its_corner_and_zeros_beyond(path: str) -> None:
    numbers = [2, 0, 1, 7]
    batch, samples = batch_of(path, Pad, numbers)
    place, box = batch.places["network"], batch.places["box"]
    assert batch.fields["pressure"].shape == (4, 3, 17) and batch.fields["kind"].dtype == torch.int64
    for position, number in enumerate(numbers):
        true = samples[number]
        mesh, grid = true.places["network"], true.places["box"]
        assert torch.equal(place["point_mask"][position], torch.arange(17) < mesh.n_points)
        assert int(place["cell_mask"][position].sum()) == mesh.n_cells
        assert np.array_equal(place["points"][position][place["point_mask"][position]].numpy(), mesh.points)
        assert np.array_equal(place["cells/line"][position][: mesh.n_cells].numpy(), mesh.cells["line"])
        assert (place["cells/line"][position][mesh.n_cells :] == -1).all()
        assert np.array_equal(batch.fields["pressure"][position][:, : mesh.n_points].numpy(), true.fields["pressure"])
        assert (batch.fields["pressure"][position][:, mesh.n_points :] == 0).all()
        inside = box["value_mask"][position]
        assert box["shape"][position].tolist() == list(grid.shape) and int(inside.sum()) == grid.size
        values = batch.fields["flow"][position][:, inside].numpy()
        assert np.array_equal(values.reshape(true.fields["flow"].shape), true.fields["flow"])


def test_fields_on_grids_are_packed_by_sample_and_step(path: str) -> None:
    batch, samples = batch_of(path, Pack, [4, 5])
    offsets = batch.places["box"]["value_offsets"].tolist()
    for position, number in enumerate([4, 5]):
        values = batch.fields["flow"][:, offsets[position] : offsets[position + 1]].numpy()
        assert np.array_equal(values.reshape(samples[number].fields["flow"].shape), samples[number].fields["flow"])
    assert batch.fields["velocity"].shape == (2, 4, 5)  # on a place that all samples share


@pytest.mark.parametrize("form", ["packed", "padded"])
def test_training_counts_the_samples_of_a_batch_and_changes_its_precision(path: str, form: str) -> None:
    batches = list(SampleData(path, batch=form, batch_size=3, fractions=(1.0, 0.0)).train_dataloader())
    assert [count_samples(batch) for batch in batches] == [3, 3, 3, 1]
    before = batches[0].fields["pressure"]
    after = to_float64(batches[0])
    assert before.dtype == torch.float32 and batches[0].fields["pressure"] is before
    assert after.fields["pressure"].dtype == after.places["network"]["points"].dtype == torch.float64
    assert after.places["network"]["cells/line"].dtype == after.sample.dtype == torch.int64
    assert move_data_to_device(after, torch.device("meta")).fields["pressure"].is_meta


def test_every_window_of_every_trajectory_comes_once(path: str) -> None:
    data = SampleData(path, fields=["pressure", "diameter"], steps=2, batch_size=4, fractions=(0.5, 0.3))
    parts = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    seen = [
        (int(n), int(s)) for part in parts for batch in part for n, s in zip(batch.sample, batch.start, strict=True)
    ]
    assert sorted(seen) == [(number, start) for number in range(len(SIZES)) for start in range(2)]
    with open_dataset(path) as true:
        for batch in parts[0]:
            place = batch.places["network"]
            assert list(batch.places) == ["network"]  # nothing else is read
            for position, (number, start) in enumerate(zip(batch.sample.tolist(), batch.start.tolist(), strict=True)):
                rows = slice(*place["point_offsets"][position : position + 2].tolist())
                expected = true.read("pressure", number, slice(start, start + 2)).astype(np.float32)
                assert np.array_equal(batch.fields["pressure"][:, rows].numpy(), expected)


def test_samples_are_split_as_trajectories_of_other_data_modules_are(path: str) -> None:
    data = SampleData(path, seed=3)
    other = FieldData(path, seed=3)
    assert data.split == other.split and len(data.split["train"]) == 8
    assert SampleData(path, seed=4).split != data.split


def test_workers_that_read_ahead_see_the_same(path: str) -> None:
    alone, helped = (list(SampleData(path, batch_size=3, workers=count).train_dataloader()) for count in (0, 1))
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.sample, other.sample)
        assert all(torch.equal(values, other.fields[name]) for name, values in one.fields.items())
        assert all(torch.equal(values, other.places["network"][name]) for name, values in one.places["network"].items())


def test_the_values_for_a_normaliser_are_those_of_the_training_split(path: str) -> None:
    data = SampleData(path)
    with open_dataset(path) as true:
        expected = np.concatenate([true.read("flow", number).reshape(-1, 2) for number in data.split["train"]])
    assert np.array_equal(np.concatenate(list(data.training_values("flow"))), expected)


def test_a_data_set_on_one_grid_is_fed_too(tmp_path: Path) -> None:
    from sciml.data import generate

    generate("heat", 3, tmp_path / "heat.h5", options={"size": "9", "dimension": "1", "steps": "4"})
    (batch,) = SampleData(str(tmp_path / "heat.h5"), fractions=(1.0, 0.0)).train_dataloader()
    assert batch.fields["u"].shape == (3, 4, 9) and batch.places == {}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": 4}, "trajectories of 3 steps, expected at least the 4"),
        ({"steps": 0}, "steps of a window"),
        ({"fields": ["presure"]}, "did you mean 'pressure'"),
        ({"batch": "stacked"}, "packed"),
        ({"batch_size": 0}, "batch_size"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(path: str, wrong: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        SampleData(path, **wrong).train_dataloader()


def test_windows_of_fields_on_meshes_that_differ_say_what_to_use_instead(path: str) -> None:
    with pytest.raises(InputError, match=r"places of their own \(network, box\).*SampleData"):
        FieldData(path).train_dataloader()


class Recorder(lightning.LightningModule):
    """Remembers the batches that it is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.seen = torch.nn.Linear(1, 1), []

    def training_step(self, batch: SampleBatch, index: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, batch.sample.tolist()))
        return self.network(batch.fields["diameter"][:, None]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-3)


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_training_sees_the_samples_in_the_order_of_an_uninterrupted_one(path: str, tmp_path: Path) -> None:
    def fit(epochs: int, resume: str | None = None) -> tuple[Recorder, lightning.Trainer]:
        with seeded(0):
            model = Recorder()
        trainer = quiet_trainer(epochs)
        data = SampleData(path, batch_size=3, seed=2)
        trainer.fit(model, data, ckpt_path=resume, weights_only=True if resume else None)
        return model, trainer

    whole, _ = fit(3)
    _, trainer = fit(1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    resumed, _ = fit(3, str(tmp_path / "one.ckpt"))
    assert [entry for entry in whole.seen if entry[0] >= 1] == resumed.seen
    assert torch.equal(whole.network.weight, resumed.network.weight)


def test_each_cell_of_a_mesh_with_several_types_finds_its_value(tmp_path: Path) -> None:
    """The values are a function of the points of the cell, by which the value of each cell is known."""

    def mesh(triangles: int, quads: int) -> Mesh:
        points = np.random.default_rng(triangles).random((3 * triangles + 4 * quads, 2))
        corners = np.arange(len(points))
        cut = 3 * triangles
        return Mesh(points, {"triangle": corners[:cut].reshape(-1, 3), "quad": corners[cut:].reshape(-1, 4)})

    meshes = [mesh(2, 1), mesh(1, 3), mesh(0, 2), mesh(4, 0)]
    kind = VaryingMesh.of(meshes[0])
    entry = DataField("k", (), "float64", "", "cells", False, "mesh")
    about = Description("mixed", {"mesh": kind}, np.zeros(1), (entry,), len(meshes))
    with DatasetWriter(tmp_path / "mixed.h5", about) as writer:
        for each in meshes:
            means = [each.points[nodes, 0].mean(axis=1) for nodes in each.cells.values()]
            writer.append({"k": np.concatenate(means)[None]}, {}, {"mesh": each})
    samples = Samples(open_dataset(tmp_path / "mixed.h5"), range(len(meshes)))
    packed, padded = (form(samples.dataset.description, torch.float64)(list(samples)) for form in (Pack, Pad))
    place, count = packed.places["mesh"], 0
    for name in ("triangle", "quad"):
        means = place["points"][place[f"cells/{name}"], 0].mean(1)
        assert torch.allclose(packed.fields["k"][place[f"numbers/{name}"]], means)
        count += len(means)
        own = padded.places["mesh"]
        for row in range(len(meshes)):
            there = own[f"numbers/{name}"][row] >= 0
            cells = own[f"cells/{name}"][row]
            assert torch.equal(there, cells[:, 0] >= 0)
            means = own["points"][row][cells[there], 0].mean(1)
            assert torch.allclose(padded.fields["k"][row][own[f"numbers/{name}"][row][there]], means)
    assert count == len(packed.fields["k"])
