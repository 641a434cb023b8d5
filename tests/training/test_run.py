"""One run from the config to the result: what lies in its folder, what is refused, what it leaves alone."""

from __future__ import annotations

import csv
import errno
import json
import logging
import shutil
import warnings
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from toy_runs import BATCHES, Noisy, Points, rows_of, toy, weights_of

import sciml
from sciml.errors import CheckpointError, ConfigError, DivergenceError, InputError, MissingExtraError
from sciml.run_folder import FolderLock
from sciml.training.checkpoints import read_checkpoint, write_checkpoint
from sciml.training.config import config_from_values
from sciml.training.run import evaluate, export_weights, finished, load_task, train
from sciml.training.stored import measure

EPOCHS = 5


@pytest.fixture(scope="module")
def told() -> list[tuple]:
    return []


@pytest.fixture(scope="module")
def run(tmp_path_factory, told) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deep" / "run"
    train(toy(), folder, progress=lambda *what: told.append(what))
    return folder


@pytest.fixture(autouse=True)
def no_curves(monkeypatch, run):
    monkeypatch.setattr(
        "sciml.plots.training_history", lambda rows, path, **words: None
    )  # half of the time of a toy run


def with_values(**changes):
    return config_from_values({**toy().values, **changes}, "toy.yaml")


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").open()))


def test_the_folder_holds_what_a_run_has(run):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert names == {
        "config.yaml", "environment.json", "metrics.csv", "result.json", "checkpoints/last.ckpt",
        "checkpoints/best.ckpt", "figures/history.png", "figures/drawn.txt",
    }  # fmt: skip
    assert yaml.safe_load((run / "config.yaml").read_text()) == toy().values
    assert json.loads((run / "environment.json").read_text())["packages"]["torch"] == torch.__version__


def test_the_result_says_how_the_run_ended(run):
    result = finished(run)
    assert list(result)[:6] == ["status", "metrics", "seconds", "seed", "config", "version"]
    assert (result["status"], result["seed"], result["config"]) == ("finished", 5, toy().values)
    assert (result["version"], result["epochs"]) == (sciml.__version__, EPOCHS)
    assert list(result["metrics"]) == ["val/rms", "loss/data", "loss/size"]  # the headline error first
    assert result["seconds"] > result["training_seconds"] > 0  # pictures and the start are part of the run
    # what torch alone takes, and what this machine may have
    assert 100e6 < result["peak_memory_bytes"] < 1e12


def test_there_is_one_row_for_each_epoch(run):
    rows = table(run)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    assert [int(row["update"]) for row in rows] == [BATCHES * 2 * epoch for epoch in range(1, 6)]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds) and seconds[-1] == finished(run)["training_seconds"]
    assert float(rows[-1]["val/rms"]) == finished(run)["metrics"]["val/rms"]


def test_the_task_has_learnt_and_best_is_the_best_epoch(run, tmp_path):
    errors = [float(row["val/rms"]) for row in table(run)]
    assert errors[-1] < 0.8 * errors[0]
    # with a rate that is far too large at the end the best epoch is not the last
    phases = [{"optimizer": "adam", "epochs": 3, "learning_rate": 0.01}, {"epochs": 2, "learning_rate": 5.0}]
    folder = tmp_path / "run"
    train(with_values(training={"phases": phases}), folder)
    errors = [float(row["val/rms"]) for row in table(folder)]
    best = min(errors)
    assert errors.index(best) < 4
    # counts epochs from 0
    assert read_checkpoint(folder / "checkpoints" / "best.ckpt")["epoch"] == errors.index(best)
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["epoch"] == 4
    found = load_task(folder / "checkpoints" / "best.ckpt").evaluate(Points())
    assert found["rms"] == pytest.approx(best, rel=1e-6)


def test_progress_is_told_from_the_start_to_the_end(run, told):
    done, epochs, terms, left = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert (done[0], done[-1], set(epochs)) == (0, EPOCHS, {EPOCHS})
    assert (left[0], left[-1]) == (None, None)  # nothing is known at the start, and nothing is left at the end
    assert all(seconds is None or seconds > 0 for seconds in left)
    assert terms[0] == {} and terms[-1] == finished(run)["metrics"]


def test_the_stored_task_is_the_averaged_one_and_evaluates_as_the_run_did(run):
    task = load_task(run)
    checkpoint = read_checkpoint(run / "checkpoints" / "last.ckpt")
    assert not task.training
    for name, value in task.state_dict().items():
        assert torch.equal(value, checkpoint["state_dict"][name])
    assert not torch.equal(checkpoint["current_model_state"]["net.0.weight"], task.net[0].weight)
    found = evaluate(run)
    assert found["rms"] == pytest.approx(finished(run)["metrics"]["val/rms"], rel=1e-6)
    assert json.loads((run / "evaluation.json").read_text())["metrics"] == found


def test_metrics_of_a_folder_that_may_only_be_read_are_told_with_a_note(run, monkeypatch):
    def protected(path, text, **how):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    expected = measure(run)
    assert expected.notes == ()
    monkeypatch.setattr("sciml.training.stored.write_text", protected)
    found = measure(run)
    assert found.metrics == expected.metrics
    assert found.notes == (f"{run / 'evaluation.json'} could not be written: Read-only file system",)


def test_the_average_is_that_of_the_weights_after_each_batch(tmp_path, monkeypatch):
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(
        Noisy, "on_train_batch_end", lambda task, *more: seen.append(task.net[0].weight.detach().clone())
    )
    train(toy((2,)), tmp_path / "run")
    expected = seen[0]
    for weight in seen[1:]:
        expected = 0.9 * expected + 0.1 * weight
    found = load_task(tmp_path / "run").net[0].weight
    assert len(seen) == 2 * BATCHES
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_double_precision_survives_checkpoints_resumption_and_evaluation(tmp_path, monkeypatch):
    config = with_values(trainer={"accelerator": "cpu", "precision": "64-true"})
    whole, folder = tmp_path / "whole", tmp_path / "run"
    train(config, whole)
    task = load_task(whole)
    assert all(weight.dtype == torch.float64 for weight in task.parameters())
    assert not torch.equal(task.net[0].weight, task.net[0].weight.float().double())
    # far below what 32 bits would do
    assert evaluate(whole)["rms"] == pytest.approx(finished(whole)["metrics"]["val/rms"], rel=1e-13)

    def stop(done: float, *others: object) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, folder, progress=stop)
    train(config, folder, resume=True)
    assert weights_of(folder) == weights_of(whole)


def test_other_data_needs_a_path(run):
    with pytest.raises(InputError, match="takes no path"):
        evaluate(run, "other.h5")


def test_published_weights_are_those_of_the_run(run, tmp_path):
    export_weights(run, tmp_path / "toy.safetensors")
    task, published = load_task(run), load_task(tmp_path / "toy.safetensors")
    assert all(torch.equal(value, published.state_dict()[name]) for name, value in task.state_dict().items())
    card = yaml.safe_load((tmp_path / "toy.yaml").read_text())
    assert card["config"] == toy().values
    assert card["metrics"] == finished(run)["metrics"]
    assert card["command"] == json.loads((run / "environment.json").read_text())["command"]
    assert evaluate(tmp_path / "toy.safetensors") == evaluate(run)
    (tmp_path / "toy.yaml").unlink()
    with pytest.raises(CheckpointError, match=r"toy\.yaml does not exist"):
        load_task(tmp_path / "toy.safetensors")


def test_what_is_no_run_has_no_task(run, tmp_path):
    with pytest.raises(CheckpointError, match="is not a run"):
        load_task(tmp_path)
    with pytest.raises(InputError, match="holds no finished run"):
        export_weights(tmp_path, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"expected \.safetensors"):
        export_weights(run, tmp_path / "a.pt")


def test_weights_of_another_network_are_refused(run, tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(toy(width=9).values))
    checkpoint = read_checkpoint(run / "checkpoints" / "last.ckpt")
    write_checkpoint(checkpoint, folder / "checkpoints" / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"is not the config of .*: task\.init_args\.width \(9, the run used 8"):
        load_task(folder)
    del checkpoint["sciml_config"]  # as in those of earlier versions
    write_checkpoint(checkpoint, folder / "checkpoints" / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"do not fit Noisy as its config builds it: size mismatch for net\.0"):
        load_task(folder)


def test_a_folder_that_holds_something_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="holds a run already; continue it with --resume"):
        train(toy(), run)
    (tmp_path / "thesis.tex").write_text("precious")
    for options, reason in [({}, "is not empty"), ({"resume": True}, r"holds thesis\.tex but no config\.yaml")]:
        with pytest.raises(InputError, match=reason):
            train(toy(), tmp_path, **options)
    with pytest.raises(InputError, match="either resumed or overwritten"):
        train(toy(), tmp_path, resume=True, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_whose_data_cannot_be_read_leaves_its_folder_free(tmp_path, monkeypatch):
    def missing(*_):
        raise InputError("mine.h5 does not exist.")

    with monkeypatch.context() as broken:
        broken.setattr(Points, "train_dataloader", missing)
        with pytest.raises(InputError, match="does not exist"):
            train(toy((2,)), tmp_path)
        assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as broken:  # what has been computed stays
        broken.setattr(Noisy, "figures", missing)
        with pytest.raises(InputError, match="does not exist"):
            train(toy((2,)), tmp_path)
    assert (tmp_path / "config.yaml").exists() and len(table(tmp_path)) == 2
    assert train(toy((2,)), tmp_path, resume=True)["status"] == "finished"


def test_a_folder_in_use_is_refused(run, tmp_path):
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with FolderLock(run), pytest.raises(InputError, match="is in use by a run"):
            train(toy(), run, **options)
    assert finished(run)


def test_overwriting_starts_anew_and_keeps_what_is_not_ours(tmp_path):
    folder = tmp_path / "run"
    train(toy((2,)), folder)
    (folder / "notes.txt").write_text("mine")
    train(toy((3,), width=3), folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [row["epoch"] for row in table(folder)] == ["1", "2", "3"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["task"]["init_args"]["width"] == 3
    assert load_task(folder).net[0].out_features == 3


def test_resuming_in_a_new_folder_starts_the_run(run, tmp_path):
    train(toy(), tmp_path / "run", resume=True)
    assert weights_of(tmp_path / "run") == weights_of(run)


@pytest.mark.parametrize("update", [0, 19])
def test_divergence_is_an_error_and_the_last_good_checkpoint_stays(tmp_path, update):
    folder = tmp_path / "run"
    with pytest.raises(
        DivergenceError, match=rf"in epoch {update // 8}: the term data of the loss is nan at update {update}"
    ):
        train(toy(poisoned_update=update), folder)
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "diverged"
    assert finished(folder) is None
    assert len(table(folder)) == update // 8
    if update:
        assert result["metrics"]["val/rms"] == float(table(folder)[-1]["val/rms"])
    task = load_task(folder)
    assert all(torch.isfinite(value).all() for value in task.state_dict().values())
    assert int(task.seen) == (update // 8) * 8
    with pytest.raises(InputError, match="is diverged, expected a finished one"):
        export_weights(folder, tmp_path / "a.safetensors")
    # deterministic, so it diverges again, at the same place
    with pytest.raises(DivergenceError, match=f"at update {update}"):
        train(toy(poisoned_update=update), folder, resume=True)


def test_a_rate_that_is_far_too_large_diverges(tmp_path):
    phases = [{"optimizer": "adam", "epochs": 50, "learning_rate": 1e30}]
    with pytest.raises(DivergenceError, match="training diverged in epoch 0"):
        train(with_values(training={"phases": phases}), tmp_path / "run")


def test_nothing_is_printed_warned_or_left_changed(tmp_path, capfd):
    numbers = torch.get_rng_state()
    state = list(warnings.filters), logging.getLogger("lightning.pytorch").level, torch.get_default_dtype()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inside = list(warnings.filters)
        train(toy((2,)), tmp_path / "run")
        assert warnings.filters == inside
    assert [str(warning.message) for warning in caught] == []
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), numbers)
    assert state == (list(warnings.filters), logging.getLogger("lightning.pytorch").level, torch.get_default_dtype())


def test_validation_in_some_epochs_leaves_no_row_out(tmp_path):
    config = with_values(trainer={"accelerator": "cpu", "check_val_every_n_epoch": 2})
    train(config, tmp_path / "run")
    rows = table(tmp_path / "run")
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0]["val/rms"] == "" and rows[1]["val/rms"] != ""
    assert len({len(row) for row in rows_of(tmp_path / "run")}) == 1
    assert next(iter(finished(tmp_path / "run")["metrics"])) == "val/rms"


def test_tensorboard_gets_the_same_numbers(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = tmp_path / "run"
    train(with_values(trainer={"accelerator": "cpu", "logger": "tensorboard"}), folder)
    events = accumulator.EventAccumulator(str(folder)).Reload()
    found = [(event.step, event.value) for event in events.Scalars("val/rms")]
    assert found == [(int(row["epoch"]), pytest.approx(float(row["val/rms"]))) for row in table(folder)]


def test_tensorboard_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match="pip install tensorboard"):
        train(with_values(trainer={"accelerator": "cpu", "logger": "tensorboard"}), tmp_path / "run")


def test_a_precision_that_the_task_does_not_stand_is_refused():
    with pytest.raises(ConfigError, match=r"trainer\.precision"):
        with_values(trainer={"precision": "bf16-mixed"})


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_does_not_grow_with_the_batches(tmp_path):
    held: list[int] = []

    def progress(done: float, *others: object) -> None:
        if done == int(done):
            held.append(int(Path("/proc/self/statm").read_text().split()[1]))

    data = {"class_path": "toy_runs.Points", "init_args": {"copies": 12}}
    train(with_values(data=data, training={"phases": [{"epochs": 12}]}), tmp_path / "run", progress=progress)
    # two epochs, 96 batches, warm up; 480 follow
    assert max(held) < 1.05 * max(held[:3])


def test_a_training_begins_with_the_weights_of_another_run(run, tmp_path):
    begun = []
    config = with_values(training={"phases": [{"epochs": 2, "learning_rate": 1e-3}], "initial_weights": str(run)})
    train(config, tmp_path / "run", started=lambda task: begun.append(deepcopy(task.state_dict())))
    expected = load_task(run).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in begun[0].items())
    assert not torch.equal(load_task(tmp_path / "run").net[0].weight, expected["net.0.weight"])


def test_weights_to_begin_with_are_needed_at_the_begin_alone(run, tmp_path):
    other, folder = tmp_path / "other", tmp_path / "run"
    shutil.copytree(run, other)
    values = {"phases": [{"epochs": 1, "learning_rate": 1e-3}], "initial_weights": str(other)}
    train(with_values(training=values), folder)
    shutil.rmtree(other)
    values["phases"] = [{"epochs": 2, "learning_rate": 1e-3}]
    longer = replace(with_values(training=values), overrides=("training.phases.0.epochs=2",))
    assert train(longer, folder, resume=True)["epochs"] == 2


@pytest.mark.parametrize("name", ["missing", "wider"])
def test_weights_of_nothing_or_of_another_network_are_refused_before_a_folder_is_made(name, tmp_path):
    wider = tmp_path / "wider"
    train(with_values(task={"class_path": "toy_runs.Noisy", "init_args": {"width": 9}}), wider)
    values = {"phases": [{"epochs": 1}], "initial_weights": str(tmp_path / name)}
    with pytest.raises(ConfigError, match=r"training.initial_weights names no weights for this task: .*" + name):
        train(with_values(training=values), tmp_path / "run")
    assert not (tmp_path / "run").exists()
