"""Trajectories from their first frames: training on latents, checkpoints that hold all, samples, files, refusals."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sciml.data import open_dataset
from sciml.errors import ConfigError, InputError
from sciml.mesh import Grid, write_fields
from sciml.mesh.series import read_series
from sciml.metrics import energy_score
from sciml.numerics.random import generator
from sciml.text2pde import FirstFrameTask
from sciml.text2pde.predicting import _checked_parameters
from sciml.text2pde.stored_place import StoredPlace
from sciml.training.config import config_from_values
from sciml.training.prediction import predict_file
from sciml.training.run import train
from sciml.training.stored import evaluate, export_weights, load_task
from tests.text2pde import plumes
from tests.text2pde.test_autoencoder_task import NETWORK
from tests.text2pde.test_autoencoder_task import config as autoencoder_config

AUTOENCODER = {"class_path": "sciml.text2pde.PatchAutoencoder", "init_args": {**NETWORK, "latent_channels": 6}}
LATENT = {"shape": [2, 2, 2], "channels": 6}
FRAMES = {"shape": [16, 16], "channels": 3, "width": 12, "parameters": 1, "halvings": 2, "guess_channels": 6}


def made(name: str, **arguments: object) -> dict:
    return {"class_path": name, "init_args": arguments}


def config(folder: Path, epochs: int = 2, **task: object) -> dict:
    sizes = {"patch": [1, 1, 1], "width": 24, "depth": 2, "heads": 2, "condition_width": 12, "condition_channels": 6}
    path = made("sciml.generative.Interpolant", path=made("sciml.generative.LinearPath"), noise=0.5)
    arguments = {
        "autoencoder": AUTOENCODER,
        "network": made("sciml.nets.DiffusionTransformer", **LATENT, **sizes),
        "conditioner": made("sciml.text2pde.FirstFrameConditioner", **FRAMES),
        "objective": made("sciml.generative.PathObjective", path=path),
        "sampler": made("sciml.generative.Euler"),
        "fields": plumes.FIELDS,
        "parameters": ["buoyancy"],
        "autoencoder_run": str(folder / "autoencoder"),
    }
    return {
        "title": "small",
        "task": {"class_path": "sciml.text2pde.FirstFrameTask", "init_args": {**arguments, **task}},
        "data": plumes.data(folder / "puffs.h5"),
        "training": {"phases": [{"epochs": epochs, "optimizer": "adamw", "learning_rate": 3e-3}]},
        "trainer": {"accelerator": "cpu"},
    }


def trained(values: dict, folder: Path, **options: object) -> dict[str, float]:
    return train(config_from_values(values, "test"), folder, **options)["metrics"]


def stopped(monkeypatch: pytest.MonkeyPatch, values: dict, folder: Path, gone: Path | None = None) -> None:
    """Train into a folder, stop within the second epoch of 5 batches, remove another folder, and resume to the end."""
    real, calls = FirstFrameTask.loss, []

    def stopping(task: FirstFrameTask, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        calls.append(1)
        if len(calls) == 8:
            raise KeyError("stopped")
        return real(task, given)

    with monkeypatch.context() as patch:
        patch.setattr(FirstFrameTask, "loss", stopping)
        with pytest.raises(KeyError, match="stopped"):
            trained(values, folder)
    if gone is not None:
        shutil.rmtree(gone)
    trained(values, folder, resume=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a data set, the run of an autoencoder, and that of a denoiser whose autoencoder has gone."""
    folder = tmp_path_factory.mktemp("first_frame")
    plumes.write(folder / "puffs.h5", 30)
    values = autoencoder_config(folder / "puffs.h5", network={"latent_channels": 6}, epochs=1)
    trained(values, folder / "autoencoder")
    shutil.copytree(folder / "autoencoder", folder / "elsewhere")
    trained(config(folder, epochs=40, autoencoder_run=str(folder / "elsewhere")), folder / "run")
    shutil.rmtree(folder / "elsewhere")
    return folder


def first_frame(path: Path, grid: Grid = plumes.GRID, **fields: object) -> Path:
    """Write the first frame of a puff; return the file."""
    values = {name: each[0].astype(float) for name, each in plumes.trajectory((0.4, 0.5), 0.4).items()}
    write_fields(path, grid, {name: each for name, each in {**values, **fields}.items() if each is not None})
    return path


def batch(folder: Path) -> dict[str, torch.Tensor]:
    return next(iter(config_from_values(config(folder), "test").build_data().test_dataloader()))


def test_the_checkpoint_holds_both_networks_and_the_ensemble_beats_persistence(folder: Path) -> None:
    found = evaluate(folder / "run")
    given = batch(folder)
    units = torch.tensor(list(load_task(folder / "run").deviations.values()))
    truth, first = given["target"] / units, given["history"] / units
    still = (first - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)
    assert next(iter(found)) == "energy_score"
    assert found["energy_score"] < 0.7 * float(still.mean())
    assert found["mean_l2"] <= found["relative_l2"]
    assert 0 < found["spread_skill"] < 3


def test_pictures_of_a_run_are_those_of_its_ensembles(folder: Path, tmp_path: Path, monkeypatch) -> None:
    names = ("calls", "calibration", "ensemble")
    assert all((folder / "run" / "figures" / f"{name}.png").stat().st_size > 10_000 for name in names)
    task, given, drawn = load_task(folder / "run"), batch(folder), {}
    for function in ("score_against_calls", "calibration_picture", "ensemble_picture"):
        monkeypatch.setattr(
            f"sciml.plots.{function}", lambda *given, name=function, **named: drawn.update({name: (given, named)})
        )
    task._shown = given
    task.figures(tmp_path)
    (curves, _), named = drawn["score_against_calls"]
    assert list(curves["samples"]) == [1, 2, 4, 8]
    assert 0 < curves["samples"][4] < 0.7 * named["levels"]["first frame at all times"]
    count = given["target"][..., 0].numel()  # of each field, without the first frame
    assert {name: int(ranks.sum()) for name, ranks in drawn["calibration_picture"][0][0].items()} == dict.fromkeys(
        plumes.FIELDS, count
    )
    (members, _), named = drawn["ensemble_picture"]
    assert len(members) == task.members and named["truth"].name == "smoke"
    np.testing.assert_array_equal(named["truth"].values[1:], given["target"][0, ..., -1].double().numpy())


def test_weights_that_are_exported_are_those_of_the_run(folder: Path, tmp_path: Path) -> None:
    export_weights(folder / "run", tmp_path / "weights.safetensors")
    given = batch(folder)
    frames, parameters = given["history"][:, 0].movedim(-1, 1), given["parameters"]
    samples = [
        load_task(path).draw(frames, parameters, generator(0))
        for path in (folder / "run", tmp_path / "weights.safetensors")
    ]
    assert torch.equal(*samples)
    export_weights(folder / "run", tmp_path / "half.safetensors", half=True)
    halved = load_task(tmp_path / "half.safetensors")
    assert next(halved.parameters()).dtype == torch.float32
    assert torch.equal(halved.place.box, torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(halved.draw(frames, parameters, generator(0)), samples[0], rtol=0, atol=0.02)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("weights", "half")]
    assert sizes[1] < 0.6 * sizes[0]


def test_a_run_that_was_stopped_and_resumed_without_its_autoencoder_ends_with_the_same_bits(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    shutil.copytree(folder / "autoencoder", tmp_path / "autoencoder")
    values = config(folder, autoencoder_run=str(tmp_path / "autoencoder"))
    values["training"]["ema_decay"] = 0.9
    trained(values, tmp_path / "whole")
    stopped(monkeypatch, values, tmp_path / "killed", gone=tmp_path / "autoencoder")
    whole, resumed = (load_task(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
    of_run = load_task(folder / "autoencoder").autoencoder.state_dict()
    assert all(torch.equal(whole[f"space.autoencoder.{name}"], tensor) for name, tensor in of_run.items())


def test_latents_that_would_not_fit_into_memory_are_encoded_in_each_update(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    trained(config(folder, epochs=1), tmp_path / "stored")
    monkeypatch.setattr("sciml.text2pde.first_frame_task.MOST_VALUES", 18 * 2 * 6 * 8 - 1)  # of 18 trajectories
    monkeypatch.setattr("sciml.text2pde.first_frame_task.LatentStore", None)
    trained(config(folder, epochs=1), tmp_path / "encoded")
    stored, encoded = (load_task(tmp_path / name).network.state_dict() for name in ("stored", "encoded"))
    for name, weight in stored.items():
        torch.testing.assert_close(encoded[name], weight, rtol=1e-3, atol=1e-4)


def test_the_published_settings_train_and_resume_with_the_same_bits(folder: Path, tmp_path: Path, monkeypatch) -> None:
    """Noise is predicted on the schedule of latent diffusion for frames that are encoded one by one, and drawn."""
    sizes = {"shape": [16, 16], "channels": 3, "latent_channels": 2, "width": 8, "multiples": [1, 1, 1], "blocks": 1}
    autoencoder = made("sciml.text2pde.ConvolutionalAutoencoder", **sizes)
    first = autoencoder_config(folder / "puffs.h5", epochs=1, single_frames=True, residual="absolute")
    first["task"]["init_args"]["autoencoder"] = autoencoder
    first["training"]["weights"] = {"kl": 1e-7}
    trained(first, tmp_path / "frames")
    latent = {"shape": [8, 4, 4], "patch": [1, 2, 2], "channels": 2}
    values = config(
        folder, autoencoder=autoencoder, autoencoder_run=str(tmp_path / "frames"), single_frames=True, source="noise",
        network=made("sciml.nets.DiffusionTransformer", **latent, width=16, depth=1, heads=2, condition_width=12),
        conditioner=made("sciml.text2pde.FirstFrameConditioner", **{**FRAMES, "guess_channels": 0}),
        objective=made("sciml.generative.PathObjective", path=made("sciml.generative.VariancePreservingPath"),
                       prediction="noise"),
        sampler=made("sciml.generative.DDPM"), steps=10, drop=0.0, latent_scale=0.2, sample_latents=True,
    )  # fmt: skip
    trained(values, tmp_path / "whole")
    stopped(monkeypatch, values, tmp_path / "killed")
    whole, resumed = (load_task(tmp_path / name) for name in ("whole", "killed"))
    tensors = whole.state_dict()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in resumed.state_dict().items())
    given, losses = batch(folder), []
    for whole._update in (0, 7):  # the validation of all epochs has the same draws
        with torch.no_grad():
            losses.append(float(whole.validate(given)["denoising"]))
    assert losses[0] == losses[1]
    found = whole.draw(given["history"][:, 0].movedim(-1, 1), given["parameters"], generator(0))
    assert found.shape == (4, 3, 8, 16, 16)
    other = whole.draw(given["history"][:, 0].movedim(-1, 1), given["parameters"], generator(1))
    assert not torch.allclose(found, other)


def test_latents_have_unit_deviation_or_the_constant_factor_of_the_paper(folder: Path) -> None:
    task = load_task(folder / "run")
    data = config_from_values(config(folder), "test").build_data()
    rows = [torch.cat([row["history"], row["target"]]).movedim(-1, 0) for row in data.samples("train")]
    trajectories = torch.stack(rows)
    with torch.no_grad():
        latents = task.space.encode(trajectories).transpose(0, 1).flatten(1)
        assert float(latents.mean(1).abs().max()) < 1e-3
        torch.testing.assert_close(latents.std(1), torch.ones(6), rtol=1e-2, atol=0)
        torch.testing.assert_close(task.space.decode(task.space.encode(trajectories)), task.space.autoencoder.decode(
            task.space.autoencoder.encode(trajectories)), rtol=1e-3, atol=1e-3)  # fmt: skip
    paper = config_from_values(config(folder, latent_scale=0.2), "test").build_task()
    paper.space.autoencoder.load_state_dict(task.space.autoencoder.state_dict())
    unscaled = paper.space.autoencoder.encode(trajectories)
    torch.testing.assert_close(paper.space.encode(trajectories), 0.2 * unscaled, rtol=1e-4, atol=1e-5)


def test_guidance_1_is_the_conditional_sample_bit_for_bit_and_other_factors_are_not(
    folder: Path, tmp_path: Path
) -> None:
    trained(config(folder, epochs=1, source="noise"), tmp_path / "run")
    task, given = load_task(tmp_path / "run"), batch(folder)
    frames, parameters = given["history"][:, 0].movedim(-1, 1), given["parameters"]
    plain = task.draw(frames, parameters, generator(0))
    assert torch.equal(task.draw(frames, parameters, generator(0), guidance=1), plain)
    assert not torch.allclose(task.draw(frames, parameters, generator(0), guidance=2.0), plain)
    other = task.draw(frames.flip(0), parameters.flip(0), generator(0), guidance=0.0)
    torch.testing.assert_close(other, task.draw(frames, parameters, generator(0), guidance=0.0))  # knows no frame
    one = slice(0, 1)  # a sample does not depend on the others of its batch
    torch.testing.assert_close(task.draw(frames[one], parameters[one], generator(0)), plain[one], rtol=1e-3, atol=1e-3)


def test_guidance_of_samples_that_start_from_the_first_frame_is_refused(folder: Path) -> None:
    task, given = load_task(folder / "run"), batch(folder)
    for guidance in (0.0, 2.0):
        with pytest.raises(InputError, match=f"guidance is {guidance:g}, expected 1: samples start from the first"):
            task.draw(given["history"][:, 0].movedim(-1, 1), given["parameters"], generator(0), guidance=guidance)


def test_guidance_of_a_network_without_dropped_conditions_is_refused(folder: Path, tmp_path: Path) -> None:
    trained(config(folder, epochs=1, drop=0.0, source="noise"), tmp_path / "run")
    task = load_task(tmp_path / "run")
    frames = torch.zeros(1, 3, 16, 16)
    with pytest.raises(InputError, match="trained without dropped conditions"):
        task.draw(frames, torch.full((1, 1), 0.3), generator(0), guidance=2.0)
    with pytest.raises(InputError, match=r"give them, such as buoyancy=0\.3"):
        task.predict_file(first_frame(tmp_path / "first.xdmf"), tmp_path / "out.xdmf")


def test_dropped_conditions_are_replaced_by_learned_ones(folder: Path) -> None:
    task, given = load_task(folder / "run"), batch(folder)
    frames, parameters = given["history"][:, 0].movedim(-1, 1), given["parameters"]
    guess = task.space.guess(frames, 8)
    none = torch.zeros(len(frames), dtype=torch.bool)
    with torch.no_grad():
        dropped = task._condition(frames, parameters, guess, none)
        other = task._condition(frames.flip(0), parameters.flip(0), guess.flip(0), none)
        kept = task._condition(frames, parameters, guess)
        alone = task._condition(frames, parameters, guess, ~none, none)
    assert all(torch.equal(dropped[name], other[name]) for name in dropped)
    assert not torch.equal(kept["tokens"], dropped["tokens"]) and not torch.equal(kept["channels"], dropped["channels"])
    assert torch.equal(alone["tokens"][:, :-1], kept["tokens"][:, :-1])
    assert torch.equal(alone["tokens"][:, -1], dropped["tokens"][:, -1])


def test_an_ensemble_is_written_with_its_mean_its_spread_and_its_pictures(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    task = load_task(folder / "run")
    source = first_frame(tmp_path / "first.xdmf")
    numbers = task.predict_file(source, tmp_path / "smoke.xdmf", members=3, seed=1, parameters={"buoyancy": 0.4})
    assert numbers["members"] == 3 and numbers["calls"] == 4 and 0 < numbers["relative_spread"] < 3
    series = read_series(tmp_path / "smoke.xdmf")
    assert series.on.shape == (16, 16) and np.array_equal(series.times, np.arange(8.0))
    members = np.stack([series[f"smoke_{number}"].values for number in (1, 2, 3)])
    np.testing.assert_allclose(series["smoke_mean"].values, members.mean(0), atol=1e-6)
    np.testing.assert_allclose(series["smoke_spread"].values, members.std(0, ddof=1), atol=1e-6)
    assert series["velocity_x_mean"].unit == "m/s"
    assert (tmp_path / "smoke.gif").stat().st_size > 1000 and (tmp_path / "smoke.png").stat().st_size > 1000
    monkeypatch.setattr("sciml.text2pde.predicting._draw", lambda *arguments: None)
    again = task.predict_file(source, tmp_path / "again.xdmf", members=3, seed=1, parameters={"buoyancy": 0.4})
    assert again == numbers
    np.testing.assert_array_equal(read_series(tmp_path / "again.xdmf")["smoke_2"].values, members[1])
    task.predict_file(source, tmp_path / "other.xdmf", members=2, seed=2, steps=1)  # of unknown buoyancy
    assert not np.array_equal(read_series(tmp_path / "other.xdmf")["smoke_1"].values, members[0])


def test_trajectories_of_a_data_set_give_scores(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sciml.text2pde.predicting._draw", lambda *arguments: None)
    task = load_task(folder / "run")
    numbers = task.predict_file(folder / "puffs.h5", tmp_path / "out.xdmf", members=4, trajectory=7)
    with open_dataset(folder / "puffs.h5") as data:
        truth = np.stack([data.read(name, 7) for name in plumes.FIELDS]).astype(float)
    series = read_series(tmp_path / "out.xdmf")
    members = np.stack([[series[f"{name}_{number}"].values for name in plumes.FIELDS] for number in range(1, 5)])
    units = np.reshape(list(task.deviations.values()), (3, 1, 1, 1))
    members, truth = members[:, :, 1:] / units, truth[:, 1:] / units
    expected = energy_score(members[:, None], truth[None])[0] / np.linalg.norm(truth)
    assert numbers["energy_score"] == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(InputError, match="trajectory is 30, expected a whole number from 0 to 29"):
        task.predict_file(folder / "puffs.h5", tmp_path / "out.xdmf", trajectory=30)
    with pytest.raises(InputError, match="trajectory is None, expected a whole number from 0 to 29; say which"):
        task.predict_file(folder / "puffs.h5", tmp_path / "out.xdmf")
    other = plumes.write(tmp_path / "other.h5", 3, units={"u": "m/s", "v": "m/s", "smoke": ""})
    with pytest.raises(InputError, match="no field 'velocity_x'"):
        task.predict_file(other, tmp_path / "out.xdmf", trajectory=0)


def test_a_trajectory_of_other_parameters_is_no_truth(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sciml.text2pde.predicting._draw", lambda *arguments: None)
    task = load_task(folder / "run")
    with open_dataset(folder / "puffs.h5") as data:
        own = float(data.description.parameters["buoyancy"][7])
    other = 0.3 if own > 0.35 else 0.4
    found = [
        task.predict_file(
            folder / "puffs.h5", tmp_path / f"{value}.xdmf", members=2, trajectory=7, parameters={"buoyancy": value}
        )
        for value in (own, other)
    ]
    assert "energy_score" in found[0] and not task.remarks(found[0])
    assert "energy_score" not in found[1] and "no truth" in task.remarks(found[1])[0]
    with pytest.raises(InputError, match="viscosity is no parameter"):
        task.predict_file(folder / "puffs.h5", tmp_path / "out.xdmf", trajectory=7, parameters={"viscosity": 1.0})


def test_some_parameters_without_the_others_are_refused_and_not_dropped() -> None:
    task = SimpleNamespace(names=["buoyancy", "viscosity"], drop=0.1)
    with pytest.raises(InputError, match="buoyancy is known, but viscosity is not, expected all parameters or none"):
        _checked_parameters(task, {"buoyancy": 99.0})
    assert _checked_parameters(task, {}) is None


def test_parameters_of_a_task_are_options_of_the_command(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sciml.text2pde.predicting._draw", lambda *arguments: None)
    task, source = load_task(folder / "run"), first_frame(tmp_path / "first.xdmf")
    predict_file(task, source, tmp_path / "word.xdmf", ["buoyancy=0.4", "members=1"])
    task.predict_file(source, tmp_path / "call.xdmf", members=1, parameters={"buoyancy": 0.4})
    word, call = (read_series(tmp_path / f"{name}.xdmf") for name in ("word", "call"))
    np.testing.assert_array_equal(word["smoke_1"].values, call["smoke_1"].values)
    assert "smoke_spread" not in {field.name for field in word.fields}  # one member has none
    for words, expected in ((["buoyancy=x"], "buoyancy"), (["buoyancy=0.3", "buoyancy=0.4"], "is given twice")):
        with pytest.raises(ConfigError, match=expected):
            predict_file(task, source, tmp_path / "out.xdmf", words)


def test_constraints_are_exact(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sciml.text2pde.predicting._draw", lambda *arguments: None)
    values = config(folder, epochs=1, exact_first_frame=True, divergence_free=["velocity_x", "velocity_y"])
    trained(values, tmp_path / "run")
    task, source = load_task(tmp_path / "run"), first_frame(tmp_path / "first.xdmf", buoyancy=np.full((16, 16), 0.3))
    numbers = task.predict_file(source, tmp_path / "out.xdmf", members=2)
    assert numbers["divergence"] < 1e-10
    wanted = plumes.trajectory((0.4, 0.5), 0.4)["smoke"][0]
    found = read_series(tmp_path / "out.xdmf")
    np.testing.assert_allclose(found["smoke_2"].values[0], wanted, atol=1e-6)
    assert not np.allclose(found["smoke_1"].values[1], found["smoke_2"].values[1])


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, {"steps": 0}, "the number of steps is 0"),
        ({}, {"parameters": {"buoyancy": 0.9}}, "buoyancy is 0.9, expected a number from 0.2"),
        ({}, {"parameters": {"viscosity": 0.3}}, "viscosity is no parameter of the trajectories, expected buoyancy"),
        ({}, {"members": 0}, "members is 0"),
        ({}, {"members": 10**10}, "10000000000 members take .* GiB of memory, .*; draw fewer"),
        ({}, {"trajectory": 3}, "trajectory is 3, but .*first.xdmf is no data set; leave it out"),
        ({}, {"show": "smok"}, "did you mean 'smoke'"),
        ({}, {"guidance": -1.0}, "guidance is -1"),
        ({"smoke": None}, {}, "expected smoke among them"),
        ({"smoke": np.full((16, 16), np.nan)}, {}, "smoke in .*first.xdmf"),
        ({"smoke": np.full((16, 16), 1e3)}, {}, "smoke in .*first.xdmf is up to .* deviations .*its unit"),
        ({"smoke": np.full((16, 16), 1e39)}, {}, "smoke in .*first.xdmf is up to .* deviations"),
        ({"buoyancy": np.arange(256.0).reshape(16, 16)}, {}, "varies from 0 to 255, expected one number"),
    ],
)
def test_bad_requests_get_one_sentence(folder: Path, tmp_path: Path, changes, options, words) -> None:
    task, source = load_task(folder / "run"), first_frame(tmp_path / "first.xdmf", **changes)
    with pytest.raises(InputError, match=words) as raised:
        task.predict_file(source, tmp_path / "out.xdmf", **options)
    assert "\n" not in str(raised.value) and not (tmp_path / "out.xdmf").exists()


def test_first_frames_on_other_grids_or_in_other_units_are_refused(folder: Path, tmp_path: Path) -> None:
    from sciml.mesh.field import Field

    task = load_task(folder / "run")
    for grid in (Grid((16, 16), (0.0, 0.0), (2.0, 1.0), centring="cell"), Grid((16, 16))):
        with pytest.raises(InputError, match=r"expected 16 x 16 cells from \(0.0, 0.0\) to \(1.0, 1.0\)"):
            task.predict_file(first_frame(tmp_path / "other.xdmf", grid), tmp_path / "out.xdmf")
    values = plumes.trajectory((0.4, 0.5), 0.4)["velocity_x"][0]
    own = Field("velocity_x", values, plumes.GRID, unit="km/s")
    with pytest.raises(InputError, match="the unit 'km/s', expected 'm/s'"):
        task.predict_file(first_frame(tmp_path / "units.xdmf", velocity_x=own), tmp_path / "out.xdmf")


def test_data_sets_at_other_times_or_on_other_grids_are_refused_by_evaluate_and_predict(
    folder: Path, tmp_path: Path
) -> None:
    task = load_task(folder / "run")
    wide = Grid((16, 16), (0.0, 0.0), (2.0, 1.0), centring="cell")
    closed = Grid((16, 16), (0.0, 0.0), (1.0, 1.0), (True, False), "cell")
    for number, (change, words) in enumerate(
        (
            ({"time_step": 0.5}, "times that are 0.5 apart, expected 1, as the trajectories of the training"),
            ({"grid": wide}, r"expected 16 x 16 cells from \(0.0, 0.0\) to \(1.0, 1.0\)"),
            ({"grid": closed}, "periodic along the axes 0, expected periodic along no axis"),
        )
    ):
        path = plumes.write(tmp_path / f"{number}.h5", 6, **change)
        with pytest.raises(InputError, match=words):
            task.evaluate(config_from_values({**config(folder), "data": plumes.data(path)}, "test").build_data())
        with pytest.raises(InputError, match=words):
            task.predict_file(path, tmp_path / "out.xdmf", trajectory=1)


def test_the_grid_of_the_training_keeps_all_its_digits(tmp_path: Path) -> None:
    grid = Grid((16, 16), (0.1, -0.3), (0.7, 1.1), (False, False), "cell")
    values = config(tmp_path)
    values["data"] = plumes.data(plumes.write(tmp_path / "puffs.h5", 6, grid=grid))
    place = StoredPlace((16, 16), plumes.STEPS, 1)
    place.fit(config_from_values(values, "test").build_data(), np.array([[0.2], [0.5]]))
    assert place.grid == grid


def test_networks_and_runs_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    small = made("sciml.text2pde.FirstFrameConditioner", **{**FRAMES, "width": 8})
    one_call = made("sciml.generative.EnergyScoreObjective", path=made("sciml.generative.LinearPath"))
    mean_flow = made("sciml.generative.MeanFlowObjective", path=made("sciml.generative.LinearPath"))
    wide = {**AUTOENCODER, "init_args": {**AUTOENCODER["init_args"], "width": 8}}
    for changes, words in (
        ({"conditioner": small}, "condition_width of the network is 12, expected 8"),
        ({"parameters": []}, "parameters of the conditioner is 1, expected 0"),
        ({"objective": one_call}, r"the sampler is Euler\(\) with 4 calls .*one call of DDIM"),
        ({"divergence_free": ["u"]}, "divergence_free has 'u'"),
        ({"divergence_free": ["velocity_x"]}, "divergence_free has 1 components, expected 2, one for each axis"),
        ({"latent_scale": 0.0}, "latent_scale is 0.0, expected a positive number"),
        ({"latent_scale": -1.0}, "latent_scale is -1.0, expected a positive number"),
        ({"sample_latents": True}, "sample_latents is true, but the latents of the autoencoder have no variance"),
        ({"objective": mean_flow}, "sees one time, expected two for MeanFlowObjective; set two_times of the network"),
    ):
        with pytest.raises(ConfigError, match=words):
            config_from_values(config(folder, **changes), "test").build_task()
    for changes, words in (
        ({"autoencoder": wide}, "do not fit PatchAutoencoder"),
        ({"autoencoder_run": str(folder / "run")}, "expected an AutoencoderTask"),
        ({"autoencoder_run": str(folder / "nothing")}, "is not a run"),
    ):
        with pytest.raises(InputError, match=words):
            trained(config(folder, **changes), tmp_path / "refused")
        assert not (tmp_path / "refused" / "config.yaml").exists()
    other = plumes.write(tmp_path / "other.h5", 6, units={"u": "m/s", "v": "m/s", "smoke": ""})
    task = config_from_values(config(folder), "test").build_task()
    for path, options, words in (
        (other, {}, "the data have the fields u, v"),
        (folder / "puffs.h5", {"horizon": 3}, "expected .8, 16, 16"),
    ):
        data = config_from_values({**config(folder), "data": plumes.data(path, **options)}, "test")
        with pytest.raises(ConfigError, match=words):
            task.check_data(data.build_data())


REGRESSION = {
    "source": "regression",
    "mirror": made("sciml.text2pde.Mirror", axis=0, odd=["velocity_x"]),
    "network": made("sciml.nets.DiffusionTransformer", **LATENT, patch=[1, 1, 1], width=24, depth=2, heads=2,
                    condition_width=12, condition_channels=12),
    "conditioner": made("sciml.text2pde.FirstFrameConditioner", **{**FRAMES, "guess_channels": 12}),
    "objective": made("sciml.generative.PathObjective", path=made("sciml.generative.TrigonometricPath")),
}  # fmt: skip


def test_from_a_regression_ensembles_are_near_before_training_and_resumed_runs_equal(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    values = config(folder, **REGRESSION)
    trained(values, tmp_path / "whole")
    stopped(monkeypatch, values, tmp_path / "killed")
    whole, resumed = (load_task(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(each, resumed.state_dict()[name]) for name, each in whole.state_dict().items())
    given = batch(folder)
    frames, parameters = given["history"][:, 0].movedim(-1, 1), given["parameters"]
    with torch.no_grad():
        for zero in (whole.network.head.weight, whole.network.head.bias):
            zero.zero_()
        still, mean = whole._guess(frames, parameters)
        latents = whole.space.encode(torch.cat([given["history"], given["target"]], 1).movedim(-1, 1))
        drawn = torch.stack([whole.space.encode(whole.draw(frames, parameters, generator(k))) for k in range(64)])
    assert float((mean - latents).norm()) < 0.7 * float((still - latents).norm())
    spread = drawn.std(0).mean(0).flatten().log() - whole.regression.deviation.flatten().log()
    assert float(spread.abs().median()) < 0.3  # an encoder that is not linear changes some
