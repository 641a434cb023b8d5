"""What training is fed: the right windows of the right trajectories, in an order that can be repeated."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import lightning
import numpy as np
import pytest
import torch
from trainers import quiet_trainer

from sciml.data import DataField, DatasetWriter, Description, Draws, FieldData, Normaliser
from sciml.errors import DataFormatError, InputError
from sciml.mesh import Grid, make_mesh
from tests.data import foreign

STEPS = 6


def write(path: Path, trajectories: int = 10, shape: tuple[int, ...] = (5, 4), dtype: str = "float64") -> Path:
    """Values that tell where they are from: u = 100 trajectory + step, v = (u, -u), k = trajectory."""
    fields = (DataField("u", (), dtype), DataField("v", (2,), dtype), DataField("k", (), dtype, time_varying=False))
    about = Description(
        "told", Grid(shape), np.arange(float(STEPS)), fields, trajectories, parameters={"nu": np.zeros(0)}
    )
    with DatasetWriter(path, about) as writer:
        for number in range(trajectories):
            u = np.broadcast_to((100.0 * number + np.arange(STEPS)).reshape(-1, *(1,) * len(shape)), (STEPS, *shape))
            writer.append({"u": u, "v": np.stack([u, -u], -1), "k": np.full(shape, float(number))}, {"nu": number / 10})
    return path


@pytest.fixture
def told(tmp_path: Path) -> str:
    return str(write(tmp_path / "told.h5"))


def everything(loader) -> dict[str, torch.Tensor]:
    batches = list(loader)
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


@pytest.mark.parametrize(("history", "horizon"), [(1, 1), (2, 3), (3, 0), (5, 1)])
def test_a_window_holds_the_steps_before_and_after_its_middle(told: str, history: int, horizon: int) -> None:
    data = FieldData(told, history=history, horizon=horizon, inputs=["v", "k"], targets=["u"], batch_size=7)
    assert data.channels("inputs") == ["v.0", "v.1", "k"] and data.channels("targets") == ["u"]
    seen = everything(data.train_dataloader())
    first = 100.0 * seen["trajectory"] + seen["start"]
    assert seen["history"].shape[1:] == (history, 5, 4, 3) and seen["target"].shape[1:] == (max(1, horizon), 5, 4, 1)
    for step in range(history):
        assert torch.equal(seen["history"][:, step, 2, 1, 0], first + step)
        assert torch.equal(seen["history"][:, step, 2, 1, 1], -first - step)
        assert torch.equal(seen["history"][:, step, 2, 1, 2], seen["trajectory"].float())
    for step in range(max(1, horizon)):
        assert torch.equal(seen["target"][:, step, 0, 0, 0], first + history + step - int(horizon == 0))
    assert torch.allclose(seen["parameters"][:, 0], seen["trajectory"] / 10)
    windows = {(int(t), int(s)) for t, s in zip(seen["trajectory"], seen["start"], strict=True)}
    assert windows == set(itertools.product(data.split["train"], range(STEPS - history - horizon + 1)))


def test_trajectories_are_split_and_not_windows(told: str) -> None:
    data = FieldData(told, fractions=(0.6, 0.2))
    parts = [
        set(everything(loader)["trajectory"].tolist())
        for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    ]
    assert [len(part) for part in parts] == [6, 2, 2]
    assert set.union(*parts) == set(range(10))
    assert FieldData(told, fractions=(0.6, 0.2)).split == data.split
    assert FieldData(told, fractions=(0.6, 0.2), seed=1).split != data.split


def test_the_normaliser_sees_the_training_split_alone(told: str) -> None:
    data = FieldData(told, inputs=["u"])
    normaliser = Normaliser(1)
    normaliser.fit(data.training_values("inputs"))
    values = np.add.outer(100.0 * np.array(data.split["train"]), np.arange(STEPS))
    assert normaliser.mean.item() == pytest.approx(values.mean(), rel=1e-12)
    assert normaliser.deviation.item() == pytest.approx(values.std(), rel=1e-12)
    assert values.mean() != pytest.approx(100 * 4.5 + 2.5)  # the mean over all trajectories is another


def test_epochs_are_shuffled_and_repeat_from_seed_and_epoch(told: str) -> None:
    def epoch(number: int) -> list[int]:
        loader = FieldData(told, seed=5).train_dataloader()
        loader.sampler.set_epoch(number)
        return (everything(loader)["start"] + 10 * everything(loader)["trajectory"]).tolist()

    assert epoch(0) == epoch(0) != epoch(1)
    assert sorted(epoch(0)) == sorted(epoch(1)) != epoch(0)


def test_workers_that_read_ahead_see_the_same(told: str) -> None:
    alone, helped = FieldData(told, batch_size=4), FieldData(told, batch_size=4, workers=1)
    helped.dataset.read("u", 0)  # the handle is open when the workers start
    one, other = everything(alone.train_dataloader()), everything(helped.train_dataloader())
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_one_trajectory_is_for_training_and_batches_may_be_larger_than_the_data(tmp_path: Path) -> None:
    data = FieldData(str(write(tmp_path / "one.h5", 1)), batch_size=100)
    assert len(data.train_dataloader()) == 1
    assert everything(data.train_dataloader())["history"].shape[0] == STEPS - 1
    assert data.val_dataloader() == [] and data.test_dataloader() == []


def test_a_data_set_without_trajectories_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["tensor"] = np.zeros((0, 4, 8), np.float32)
    with pytest.raises(DataFormatError, match="no trajectories"):
        FieldData(str(tmp_path / "empty.h5")).train_dataloader()


@pytest.mark.parametrize("shape", [(7,), (17, 33), (3, 5, 2)])
def test_odd_grids_of_each_dimension_and_both_precisions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = str(write(tmp_path / "odd.h5", 3, shape))
    assert everything(FieldData(path).train_dataloader())["history"].shape[2:] == (*shape, 4)
    double = everything(FieldData(path, precision="float64").train_dataloader())
    assert double["history"].dtype == double["parameters"].dtype == torch.float64


def test_fields_that_are_constant_in_time_have_one_window(tmp_path: Path) -> None:
    """Maps from coefficient to solution, as of Darcy flow."""
    about = Description("map", Grid((4,)), np.zeros(1), tuple(DataField(name, time_varying=False) for name in "kp"), 5)
    with DatasetWriter(tmp_path / "map.h5", about) as writer:
        for number in range(5):
            writer.append({"k": np.full(4, number), "p": np.full(4, -number)})
    data = FieldData(str(tmp_path / "map.h5"), horizon=0, inputs=["k"], targets=["p"], fractions=(1.0, 0.0))
    seen = everything(data.train_dataloader())
    assert len(seen["start"]) == 5 and torch.equal(seen["history"], -seen["target"])


def test_foreign_layouts_and_meshes_are_fed_alike(tmp_path: Path) -> None:
    expected = foreign.pdebench_fluid(tmp_path / "fluid.h5", 2)
    data = FieldData(str(tmp_path / "fluid.h5"), fractions=(1.0, 0.0))
    assert data.channels("targets") == ["density", "pressure", "velocity.0", "velocity.1"]
    seen = everything(data.train_dataloader())
    row = int(((seen["trajectory"] == 2) & (seen["start"] == 1)).nonzero())
    assert np.array_equal(seen["target"][row, 0, ..., 2:], expected["velocity"][2, 2])
    mesh = make_mesh("square", 1)
    about = Description("m", mesh, np.arange(3.0), (DataField("u"),), 2)
    with DatasetWriter(tmp_path / "mesh.h5", about) as writer:
        for _ in range(2):
            writer.append({"u": np.ones((3, mesh.n_points))})
    seen = everything(FieldData(str(tmp_path / "mesh.h5")).train_dataloader())
    assert seen["history"].shape[1:] == (1, mesh.n_points, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"history": 0},
        {"horizon": -1},
        {"history": 4, "horizon": 3},
        {"inputs": ["w"]},
        {"inputs": []},
        {"batch_size": 0},
        {"fractions": (0.9, 0.2)},
        {"precision": "float16"},
        {"workers": -1},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(told: str, wrong: dict) -> None:
    with pytest.raises(InputError):
        FieldData(told, **wrong).train_dataloader()


def test_draws_are_the_same_counters_in_each_epoch_and_on_each_rank() -> None:
    draws = Draws(4, 2)
    assert list(draws.train_dataloader()) == list(draws.train_dataloader()) == [0, 1, 2, 3]
    assert list(draws.val_dataloader()) == [0, 1] and len(draws.train_dataloader()) == 4
    assert draws.train_dataloader().sampler.num_replicas == 1  # Lightning leaves a distributed sampler in place
    assert Draws(1, 0).val_dataloader() == []
    for wrong in ((0, 1), (1, -1)):
        with pytest.raises(InputError):
            Draws(*wrong)


class Recorder(lightning.LightningModule):
    """Remembers what it is fed; its normaliser is fitted as a task does it."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.normaliser, self.seen = torch.nn.Linear(1, 1), Normaliser(1), []

    def setup(self, stage: str) -> None:
        if not self.normaliser.fitted:
            self.normaliser.fit(self.trainer.datamodule.training_values("inputs"))

    def training_step(self, batch: dict, index: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, batch["trajectory"].tolist(), batch["start"].tolist()))
        encoded = self.normaliser.encode(batch["history"])
        return (self.network(encoded) - self.normaliser.encode(batch["target"])).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-3)


@pytest.mark.filterwarnings("ignore")
def test_lightning_trains_on_windows_in_the_order_of_seed_and_epoch(told: str, tmp_path: Path) -> None:
    def fit(epochs: int, resume: str | None = None) -> tuple[Recorder, lightning.Trainer]:
        model = Recorder()
        trainer = quiet_trainer(epochs)
        data = FieldData(told, inputs=["u"], targets=["u"], fractions=(0.8, 0.0), batch_size=5, seed=2)
        trainer.fit(model, data, ckpt_path=resume, weights_only=True if resume else None)
        return model, trainer

    whole, _ = fit(3)
    _, trainer = fit(1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    resumed, _ = fit(3, str(tmp_path / "one.ckpt"))
    assert [entry for entry in whole.seen if entry[0] >= 1] == resumed.seen
    orders = [[entry[1:] for entry in whole.seen if entry[0] == epoch] for epoch in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert torch.equal(resumed.normaliser.mean, whole.normaliser.mean) and whole.normaliser.mean != 0


def test_inputs_on_one_grid_and_targets_on_another_are_a_window(tmp_path: Path) -> None:
    """Shots recorded over the ground, and the velocities in it, which are to be found from them."""
    about = Description(
        "pairs",
        {"ground": Grid((7, 6)), "record": Grid((2, 30, 7))},
        np.zeros(1),
        (DataField("velocity", time_varying=False, place="ground"), DataField("shots", place="record")),
        trajectories=3,
    )
    random = np.random.default_rng(0)
    samples = [{"velocity": random.random((7, 6)), "shots": random.random((1, 2, 30, 7))} for _ in range(3)]
    with DatasetWriter(tmp_path / "pairs.h5", about) as writer:
        for fields in samples:
            writer.append(fields)
    given = {
        "inputs": ["shots"],
        "targets": ["velocity"],
        "horizon": 0,
        "fractions": (1.0, 0.0),
        "precision": "float64",
    }
    seen = everything(FieldData(str(tmp_path / "pairs.h5"), **given).train_dataloader())
    assert seen["history"].shape == (3, 1, 2, 30, 7, 1) and seen["target"].shape == (3, 1, 7, 6, 1)
    for row, number in enumerate(seen["trajectory"].tolist()):
        assert np.allclose(seen["history"][row, ..., 0], samples[number]["shots"], rtol=1e-6)
        assert np.allclose(seen["target"][row, 0, ..., 0], samples[number]["velocity"], rtol=1e-6)
    with pytest.raises(InputError, match="the inputs of a window must be at the same places"):
        FieldData(str(tmp_path / "pairs.h5")).train_dataloader()
