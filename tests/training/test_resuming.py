"""The config of a run folder: only with the values that the run used is it resumed, evaluated, applied and exported."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from toy_runs import rows_of, toy, weights_of

from sciml import strict_yaml
from sciml.config_files import apply_overrides
from sciml.errors import CheckpointError, ConfigError, InputError, SciMLError
from sciml.training import run as running
from sciml.training.checkpoints import read_checkpoint, write_checkpoint
from sciml.training.config import config_from_values, load_config
from sciml.training.resuming import allowed_changes, as_read, differences
from sciml.training.run import evaluate, export_weights, finished, load_task, train


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.plots.training_history", lambda rows, path, **words: None)  # half the time
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(toy(), folder)
    return folder


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return shutil.copytree(run, tmp_path / "copy")


def changed(*overrides: str, values: dict | None = None):
    """The toy config as the command line reads it with KEY=VALUE."""
    values, _ = apply_overrides(toy().values if values is None else values, overrides, "toy.yaml")
    return replace(config_from_values(values, "toy.yaml"), overrides=overrides)


EDITS = [
    ("seed: 5", "seed: 6", r"seed \(6, the run used 5\)"),
    ("learning_rate: 0.01", "learning_rate: 0.1", r"training\.phases\.0\.learning_rate \(0\.1, the run used 0\.01\)"),
    ("epochs: 2", "epochs: 4", r"training\.phases\.1\.epochs \(4, the run used 2\)"),
    ("ema_decay: 0.9", "ema_decay: null", r"training\.ema_decay \(null, the run used 0\.9\)"),
    ("accelerator: cpu", "accelerator: auto", r"trainer\.accelerator \('auto', the run used 'cpu'\)"),
    ("width: 8", "width: 8\n    more: 3", r"task\.init_args\.more \(3, the run used null\)"),
    ("title: toy", "title: true", r"title \(true, the run used 'toy'\)"),
]


@pytest.mark.parametrize(("old", "new", "named"), EDITS, ids=[new for _, new, _ in EDITS])
def test_an_edited_config_is_refused_and_its_keys_are_named(copy, tmp_path, old, new, named):
    file = copy / "config.yaml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    for action in (
        lambda: train(toy(), copy, resume=True),
        lambda: evaluate(copy),
        lambda: load_task(copy),
        lambda: load_task(copy / "checkpoints" / "best.ckpt"),
        lambda: export_weights(copy, tmp_path / "w.safetensors"),
    ):
        with pytest.raises(CheckpointError, match=rf"config\.yaml is not the config of .*\.ckpt: {named}; restore"):
            action()
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "w.safetensors").exists()


def test_a_config_of_a_run_folder_that_is_edited_starts_a_new_run(copy, tmp_path):
    file = copy / "config.yaml"
    file.write_text(file.read_text().replace("seed: 5", "seed: 6"))
    train(load_config(file), tmp_path / "new")
    train(changed("seed=6"), tmp_path / "other")
    assert weights_of(tmp_path / "new") == weights_of(tmp_path / "other") != weights_of(copy)


def test_each_flipped_byte_of_the_config_is_found_or_changes_no_value(copy):
    file = copy / "config.yaml"
    data, values = file.read_bytes(), strict_yaml.read(file)
    checkpoint = read_checkpoint(copy / "checkpoints" / "last.ckpt")
    draws, read = np.random.default_rng(0), 0
    for place in range(len(data)):
        file.write_bytes(data[:place] + bytes([data[place] ^ (1 << draws.integers(8))]) + data[place + 1 :])
        found = None
        with suppress(CheckpointError, ConfigError):
            seen = running.read_config(copy, checkpoint, Path("last.ckpt"))
            # the rest is a key without a value, whose name no class knows
            found = seen if seen == values else config_from_values(seen, "config.yaml").values
        read += found is not None
        assert found is None or repr(found) == repr(values), place
    assert read < len(data) / 20


def test_more_epochs_of_a_constant_rate_give_the_bits_of_the_longer_run_and_are_recorded(run, tmp_path):
    train(toy((3, 4)), tmp_path / "long")
    for start in ("finished", "stopped"):
        folder = shutil.copytree(run, tmp_path / start)
        if start == "stopped":
            (folder / "result.json").unlink()
        result = train(changed("training.phases.1.epochs=4"), folder, resume=True)
        assert weights_of(folder) == weights_of(tmp_path / "long")
        assert rows_of(folder) == rows_of(tmp_path / "long")
        assert result["changed"] == {"training.phases.1.epochs": 4} and result["epochs"] == 7
        environment = json.loads((folder / "environment.json").read_text())
        assert [entry["changed"] for entry in environment["resumed"]] == [{"training.phases.1.epochs": 4}]
        assert strict_yaml.read(folder / "config.yaml")["training"]["phases"][1]["epochs"] == 4
        assert evaluate(folder) == evaluate(tmp_path / "long")
        assert train(toy((3, 4)), folder, resume=True) == result
        with pytest.raises(ConfigError, match=r"in training\.phases\.1\.epochs \(2, it was 4\)"):
            train(toy(), folder, resume=True)
    assert "changed" not in finished(tmp_path / "long")


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6])
def test_a_change_survives_a_kill_at_any_moment(run, tmp_path, monkeypatch, call):
    folder = shutil.copytree(run, tmp_path / "run")
    config = changed("training.phases.1.epochs=3")

    class Killed(BaseException):
        pass

    with monkeypatch.context() as patch:
        rename, calls = os.replace, []  # which gives every file its name

        def replace(*arguments):
            calls.append(1)
            if len(calls) == call:
                raise Killed
            return rename(*arguments)

        patch.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            train(config, folder, resume=True)
    result = train(config, folder, resume=True)
    train(toy((3, 3)), tmp_path / "long")
    assert weights_of(folder) == weights_of(tmp_path / "long")
    assert result["changed"] == {"training.phases.1.epochs": 3}


def test_where_a_run_is_computed_and_what_is_said_about_it_may_change_until_it_has_finished(copy):
    with pytest.raises(ConfigError, match="has finished already, so that title cannot change any more"):
        train(changed("title=another"), copy, resume=True)
    (copy / "result.json").unlink()
    result = train(changed("trainer.accelerator=auto", "title=another", "cite=[kaneda2023]"), copy, resume=True)
    assert result["changed"] == {"title": "another", "trainer.accelerator": "auto", "cite": ["kaneda2023"]}
    assert load_task(copy)


@pytest.mark.parametrize(
    "override",
    [
        "seed=6",
        "training.phases.0.epochs=4",  # not the last phase
        "training.phases.1.epochs=1",  # fewer
        "training.phases.1.learning_rate=0.1",
        "task.init_args.width=9",
        "data.init_args.copies=2",
        "trainer.precision=64-true",
    ],
)
def test_what_changes_the_meaning_of_a_run_is_refused(copy, override):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    key = override.partition("=")[0].replace(".", r"\.")
    with pytest.raises(ConfigError, match=rf"a resumed run keeps its config, got {key} \(.*; start a new run"):
        train(changed(override), copy, resume=True)
    with pytest.raises(ConfigError, match=rf"in {key} \("):  # without a word on the command line
        train(changed(values=changed(override).values), copy, resume=True)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_longer_phase_with_another_schedule_is_refused(tmp_path):
    train(toy((3,)), tmp_path / "run")
    config = changed("training.phases.0.epochs=4", values=toy((3,)).values)
    with pytest.raises(ConfigError, match=r"a resumed run keeps its config, got training\.phases\.0\.epochs"):
        train(config, tmp_path / "run", resume=True)


def test_a_folder_of_an_earlier_version_says_nothing_about_its_config_and_still_loads(copy, run):
    for name in ("last.ckpt", "best.ckpt"):
        checkpoint = read_checkpoint(copy / "checkpoints" / name)
        del checkpoint["sciml_config"]
        write_checkpoint(checkpoint, copy / "checkpoints" / name)
    assert evaluate(copy) == evaluate(run)
    (copy / "result.json").unlink()
    train(toy(), copy, resume=True)
    assert weights_of(copy) == weights_of(run)


@pytest.mark.parametrize("text", [3, "", "[1]", "a: [", {"seed": 5}])
def test_a_checkpoint_whose_config_is_none_is_refused(copy, text):
    last = copy / "checkpoints" / "last.ckpt"
    write_checkpoint({**read_checkpoint(last), "sciml_config": text}, last)
    for action in (lambda: load_task(copy), lambda: train(toy(), copy, resume=True)):
        with pytest.raises(CheckpointError, match=r"last\.ckpt is no checkpoint of sciml"):
            action()


def test_a_checkpoint_from_the_middle_of_a_run_is_not_exported(copy, tmp_path):
    train(toy((3, 4)), tmp_path / "long")
    shutil.copy(copy / "checkpoints" / "last.ckpt", tmp_path / "long" / "checkpoints" / "last.ckpt")
    with pytest.raises(SciMLError, match=r"config\.yaml is not the config of"):
        export_weights(tmp_path / "long", tmp_path / "w.safetensors")
    last = copy / "checkpoints" / "last.ckpt"
    checkpoint = read_checkpoint(last)
    checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] = 4
    write_checkpoint(checkpoint, last)
    with pytest.raises(InputError, match=r"last\.ckpt is that of 4 of 5 epochs"):
        export_weights(copy, tmp_path / "w.safetensors")
    assert not list(tmp_path.glob("w.*"))


def test_differences_are_found_by_key():
    old = {"a": 1, "b": [1, {"c": 2}], "d": None, "n": float("nan")}
    assert differences(old, {**old, "n": float("nan")}) == {}
    assert differences(old, {"a": True, "b": [1, {"c": 3}], "e": 4, "n": 0}) == {
        "a": (1, True), "b.1.c": (2, 3), "n": (old["n"], 0), "e": (None, 4),
    }  # fmt: skip
    assert differences(old, {**old, "b": [1]}) == {"b": (old["b"], [1])}


def test_a_config_that_no_task_takes_is_refused_by_an_export(copy, tmp_path):
    last = copy / "checkpoints" / "last.ckpt"
    values = {**toy().values, "task": {"class_path": "toy_runs.Nothing", "init_args": {}}}
    (copy / "config.yaml").write_text(yaml.safe_dump(values))
    write_checkpoint({**read_checkpoint(last), "sciml_config": strict_yaml.dump(values)}, last)
    with pytest.raises(ConfigError, match=r"task\.class_path is toy_runs\.Nothing"):
        export_weights(copy, tmp_path / "w.safetensors")
    assert not list(tmp_path.glob("w.*"))


def test_whatever_reads_a_run_folder_holds_its_config_to_the_limits_of_stored_ones(copy, tmp_path):
    last = copy / "checkpoints" / "last.ckpt"
    for width, error, sentence in (
        (10**9, ConfigError, r"task\.init_args\.width is 1000000000, more than 10000000, which no run needs"),
        (10**7, CheckpointError, r"more numbers would be allocated than the 67\d+ that the weights account for"),
    ):
        values = toy().values
        values = {**values, "task": {**values["task"], "init_args": {**values["task"]["init_args"], "width": width}}}
        (copy / "config.yaml").write_text(strict_yaml.dump(values))
        write_checkpoint({**read_checkpoint(last), "sciml_config": strict_yaml.dump(values)}, last)
        (copy / "result.json").rename(copy / "result")

        def resume():
            train(load_config(copy / "config.yaml", stored=True), copy, resume=True)

        with pytest.raises(error, match=sentence):
            resume()
        shutil.move(last, tmp_path / "last.ckpt")
        with pytest.raises(error, match=sentence):
            resume()  # before the first checkpoint
        shutil.move(tmp_path / "last.ckpt", last)
        (copy / "result").rename(copy / "result.json")
        for read in (load_task, evaluate, lambda folder: export_weights(folder, tmp_path / "w.safetensors")):
            with pytest.raises(error, match=sentence):
                read(copy)
    assert not list(tmp_path.glob("w.*"))


def test_data_that_have_moved_are_not_taken_for_those_of_the_run(tmp_path):
    data = {"class_path": "sciml.data.FieldData", "init_args": {"path": "old/a.h5"}}
    values = {**toy().values, "data": data}
    config = changed("data.init_args.path=new/a.h5", values=values)
    with pytest.raises(
        ConfigError, match=r"data\.init_args\.path .*no record.*put the file, or a link to it, where it"
    ):
        allowed_changes(config, as_read(config_from_values(values, "toy.yaml")), tmp_path / "config.yaml")
