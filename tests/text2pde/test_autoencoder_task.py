"""Training of autoencoders: runs that start as principal components, resumption, terms of the loss, other data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.data import open_dataset
from sciml.errors import ConfigError, DataFormatError
from sciml.numerics.random import generator, seeded
from sciml.text2pde import AutoencoderTask, PatchAutoencoder, PatchDiscriminator
from sciml.text2pde.discriminator import adversarial_terms
from sciml.text2pde.trajectories import from_frames, to_frames
from sciml.training.config import config_from_values
from sciml.training.run import train
from sciml.training.stored import evaluate, load_task
from tests.text2pde import plumes

NETWORK = {"shape": [8, 16, 16], "patch": [4, 8, 8], "channels": 3, "latent_channels": 2, "width": 16, "blocks": 1}


def config(path: Path, epochs: int = 2, network: dict | None = None, **task: object) -> dict:
    autoencoder = {"class_path": "sciml.text2pde.PatchAutoencoder", "init_args": {**NETWORK, **(network or {})}}
    return {
        "title": "small",
        "task": {
            "class_path": "sciml.text2pde.AutoencoderTask",
            "init_args": {"autoencoder": autoencoder, "fields": plumes.FIELDS, **task},
        },
        "data": plumes.data(path),
        "training": {"phases": [{"epochs": epochs, "optimizer": "adam", "learning_rate": 3e-3}]},
        "trainer": {"accelerator": "cpu"},
    }


def trained(values: dict, folder: Path, **options: object) -> dict[str, float]:
    return train(config_from_values(values, "test"), folder, **options)["metrics"]


@pytest.fixture(scope="module")
def puffs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plumes.write(tmp_path_factory.mktemp("data") / "puffs.h5", 20)


def test_a_run_ends_below_the_error_of_principal_components_on_unseen_trajectories(puffs: Path, tmp_path: Path) -> None:
    trained(config(puffs, epochs=40), tmp_path / "run")
    found = evaluate(tmp_path / "run")
    assert found["relative_l2"] < 0.95 * found["patch_pca"] < 0.95
    task = load_task(tmp_path / "run")
    with open_dataset(puffs) as dataset:
        values = [np.stack([dataset.read(name, number) for name in plumes.FIELDS]) for number in range(20)]
    wanted = torch.from_numpy(np.stack(values))
    with torch.no_grad():
        decoded = task.autoencoder.decode(task.autoencoder.encode(wanted))
        linear = task.autoencoder.decode_linearly(wanted)
    errors = [(each - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1) for each in (decoded, linear)]
    assert float(errors[0].mean()) < 0.95 * float(errors[1].mean())


def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_bits(puffs: Path, tmp_path: Path, monkeypatch) -> None:
    values = config(puffs, network={"variational": True, "point_width": 8})
    values["training"]["weights"] = {"kl": 1e-4}
    trained(values, tmp_path / "whole")
    real, calls = AutoencoderTask.loss, []

    def stopping(task: AutoencoderTask, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        calls.append(1)
        if len(calls) == 5:  # within the second epoch of 3 batches
            raise KeyError("stopped")
        return real(task, batch)

    monkeypatch.setattr(AutoencoderTask, "loss", stopping)
    with pytest.raises(KeyError, match="stopped"):
        trained(values, tmp_path / "killed")
    monkeypatch.setattr(AutoencoderTask, "loss", real)
    trained(values, tmp_path / "killed", resume=True)
    whole, resumed = (load_task(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_relative_errors_do_not_depend_on_the_unit_of_a_field_and_are_refused_for_zeros(puffs: Path) -> None:
    task = config_from_values(config(puffs), "test").build_task()
    random = torch.randn(4, 3, 8, 16, 16, generator=generator(0))
    errors = []
    for size in (1.0, 1e3):
        values = random * torch.tensor([1.0, 1.0, size]).reshape(3, 1, 1, 1)
        task.autoencoder.fit(lambda values=values: [values])
        rows = values.movedim(1, -1)
        batch = {"history": rows[:, :1], "target": rows[:, 1:], "trajectory": torch.arange(4)}
        errors.append(float(task.validate(batch)["patch_pca"]))
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    with pytest.raises(DataFormatError, match="trajectory 0 of the data is zero"):
        task.validate({name: torch.zeros_like(each) for name, each in batch.items()})


def test_frames_are_encoded_one_by_one(puffs: Path, tmp_path: Path) -> None:
    network = {"shape": [16, 16], "patch": [8, 8], "latent_channels": 4}
    trained(config(puffs, epochs=1, network=network, single_frames=True), tmp_path / "run")
    assert evaluate(tmp_path / "run")["relative_l2"] < 0.8
    given = torch.randn(3, 2, 5, 4, 6, generator=generator(0))
    assert torch.equal(from_frames(to_frames(given), 3), given)
    assert torch.equal(to_frames(given)[5 + 2], given[1, :, 2])


def test_the_adversarial_terms_train_one_network_each() -> None:
    with seeded(0):
        discriminator, last = PatchDiscriminator(2, 3, width=4, layers=2), torch.nn.Conv2d(3, 3, 1)
    fields = torch.randn(4, 3, 8, 8, generator=generator(0))
    decoded = last(fields)
    reconstruction = (decoded - fields).square().mean()
    terms = adversarial_terms(discriminator, fields, decoded, reconstruction, last.weight)
    terms["adversarial"].backward(retain_graph=True)
    assert all(weight.grad is None for weight in discriminator.parameters())
    ours = torch.autograd.grad(reconstruction, last.weight, retain_graph=True)[0]
    assert float(last.weight.grad.norm()) == pytest.approx(float(ours.norm()), rel=0.05)  # of one scale
    last.zero_grad()
    terms["discriminator"].backward()
    assert last.weight.grad is None or not last.weight.grad.any()
    assert any(bool(weight.grad.any()) for weight in discriminator.parameters())


def test_a_discriminator_learns_to_tell_fields_apart_and_the_autoencoder_follows_later(
    puffs: Path, tmp_path: Path
) -> None:
    arguments = {"axes": 3, "channels": 3, "width": 8, "layers": 2}
    discriminator = {"class_path": "sciml.text2pde.PatchDiscriminator", "init_args": arguments}
    trained(config(puffs, epochs=4, discriminator=discriminator, adversarial_after=1), tmp_path / "run")
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    names = rows[0].split(",")
    column = names.index("loss/discriminator")
    values = [float(row.split(",")[column]) for row in rows[1:] if row.split(",")[column]]
    assert values[0] == 0 < values[-1] < min(values[1], 0.97)  # 1 is the loss of one that cannot tell


def test_other_data_are_refused(puffs: Path, tmp_path: Path) -> None:
    other = plumes.write(tmp_path / "other.h5", 4, units={"u": "m/s", "v": "m/s", "smoke": ""})
    units = plumes.write(tmp_path / "units.h5", 4, units={**plumes.FIELDS, "velocity_y": "km/s"})
    task = config_from_values(config(puffs), "test").build_task()
    for path, options, words in (
        (other, {}, "the data have the fields u, v, smoke, expected velocity_x, velocity_y, smoke"),
        (units, {}, "velocity_y of the data has the unit 'km/s', expected 'm/s'"),
        (puffs, {"horizon": 3}, r"trajectories of \[4, 16, 16\] points, expected \[8, 16, 16\]"),
        (puffs, {"inputs": ["smoke"]}, "set inputs of the data"),
    ):
        data = config_from_values({**config(path), "data": plumes.data(path, **options)}, "test").build_data()
        with pytest.raises(ConfigError, match=words):
            task.check_data(data)
    with pytest.raises(ConfigError, match="the number of channels of fields is 1, expected 3"):
        AutoencoderTask(PatchAutoencoder(**NETWORK), {"smoke": ""})


def test_values_that_are_not_finite_are_refused_with_their_trajectory(puffs: Path) -> None:
    task = config_from_values(config(puffs), "test").build_task()
    batch = {"history": torch.zeros(2, 1, 16, 16, 3), "target": torch.zeros(2, 7, 16, 16, 3)}
    batch["target"][1, 2, 3, 4, 0] = torch.nan
    with pytest.raises(DataFormatError, match="trajectory 17 of the data has values that are not finite"):
        task.sample({**batch, "trajectory": torch.tensor([3, 17])})


def test_the_term_of_points_decodes_once_and_is_the_error_of_decode_at(puffs: Path, monkeypatch) -> None:
    with seeded(0):
        task = config_from_values(config(puffs, network={"point_width": 8}), "test").build_task()
    data = config_from_values(config(puffs), "test").build_data()
    batch = next(iter(data.test_dataloader()))
    task.autoencoder.fit(lambda: [torch.cat([batch["history"], batch["target"]], 1).movedim(-1, 1)])
    torch.nn.init.normal_(task.autoencoder.correction.layers[-1].weight, generator=generator(1))
    given, calls, real = task.sample(batch), [], PatchAutoencoder.decoded
    monkeypatch.setattr(PatchAutoencoder, "decoded", lambda *arguments: calls.append(1) or real(*arguments))
    term = task.loss(given)["points"]
    assert len(calls) == 1
    shape = torch.tensor(task.autoencoder.shape) - 1
    found = task.autoencoder.decode_at(task.autoencoder.encode(given["fields"]), given["points"] / shape)
    wanted = given["fields"][(slice(None), slice(None), *given["points"].unbind(-1))]
    units = task.autoencoder.normaliser.deviation.float()[:, None]
    torch.testing.assert_close(term, ((found - wanted) / units).square().mean(), rtol=1e-3, atol=0)
