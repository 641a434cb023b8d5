"""Tasks that update their weights themselves: their steps, their solution, and that a stopped run is a whole one."""

from __future__ import annotations

import csv
import json
import math
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from toy_runs import rows_of, wait_for
from toy_solves import Decay, Parabola, decay, start_command, states_of, values_of

from sciml.errors import ConfigError, DivergenceError, InputError
from sciml.training.checkpoints import read_checkpoint
from sciml.training.config import config_from_values
from sciml.training.run import evaluate, finished, load_task, train
from sciml.training.settings import Phase, Training
from sciml.training.task import Task

NOISY = {"steps": 6, "noise": 0.3}


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    monkeypatch.setattr(
        "sciml.plots.training_history", lambda rows, path, **words: None
    )  # half of the time of a toy run


@pytest.fixture(scope="module")
def noisy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("noisy") / "run"
    train(decay(**NOISY), folder)
    return folder


def with_training(training: object, task: str = "Decay", **more: object) -> dict[str, object]:
    return {**values_of(task), "training": training, **more}


def refused(values: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as error:
        config_from_values(values, "x.yaml").build_task()
    return str(error.value)


def files_of(folder: Path) -> dict[str, bytes]:
    names = [*folder.glob("states/*"), folder / "fields.txt"]
    return {path.name: path.read_bytes() for path in names}


def assert_same(folder: Path, whole: Path) -> None:
    assert states_of(folder) == states_of(whole)
    assert rows_of(folder) == rows_of(whole)
    assert files_of(folder) == files_of(whole)
    assert finished(folder)["metrics"] == finished(whole)["metrics"]


class Stopped(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def stopped(monkeypatch, name: str, call: int) -> None:
    real, calls = getattr(Decay, name), []

    def counted(*arguments):
        calls.append(1)
        found = real(*arguments)
        if len(calls) == call:
            raise Stopped  # after its work, before anybody has heard of it
        return found

    monkeypatch.setattr(Decay, name, counted)


def test_each_step_is_that_of_explicit_euler_and_one_row(tmp_path):
    folder = tmp_path / "run"
    result = train(decay(steps=8), folder)
    exact, euler = [math.exp(-0.125 * step) for step in range(1, 9)], [0.875**step for step in range(1, 9)]
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["update"]) for row in rows] == [(str(step), str(step)) for step in range(1, 9)]
    # to the last digits: 32 bits would leave 1e-8
    assert [float(row["loss/error"]) for row in rows] == pytest.approx(
        [true - found for true, found in zip(exact, euler, strict=True)], rel=1e-13
    )
    assert [float(row["loss/energy"]) for row in rows] == pytest.approx([0.5 * x**2 for x in euler], rel=1e-15)
    assert result["metrics"] == pytest.approx(
        {
            "final_error": exact[-1] - euler[-1],
            "position": euler[-1],
            "loss/error": exact[-1] - euler[-1],
            "loss/energy": 0.5 * euler[-1] ** 2,
        }
    )
    assert list(result["metrics"])[:2] == ["final_error", "position"], "the whole run first"
    assert (result["status"], result["epochs"]) == ("finished", 8)
    task = load_task(folder)
    assert task.x.dtype == task.weight.dtype == torch.float64
    assert float(task.x) == pytest.approx(euler[-1], rel=1e-15)
    assert float(task.weight.detach()) == pytest.approx(0.125 * (1 + sum(euler[:-1])), rel=1e-15)
    assert evaluate(folder) == {"final_error": result["metrics"]["final_error"]}


def test_the_error_of_explicit_euler_falls_with_the_step(tmp_path):
    errors = []
    for halvings in range(3):
        steps = 8 * 2**halvings
        result = train(decay(steps=steps, step=1 / steps), tmp_path / str(steps))
        errors.append(result["metrics"]["final_error"])
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert orders == pytest.approx([1, 1], abs=0.06)


def test_the_config_says_all_by_the_arguments_of_the_task(noisy):
    config = decay(**NOISY)
    assert config.training == Training([Phase(6, "none")])
    assert config.trainer["precision"] == "64-true", "the first that the task stands"
    assert config.values["data"] is None and config.values["training"] is None
    assert list(config.build_data().train_dataloader()) == [0]
    assert list(config.build_data().val_dataloader()) == []
    stored = yaml.safe_load((noisy / "config.yaml").read_text())
    assert stored == config.values
    again = config_from_values(stored, "config.yaml")
    assert (again.values, again.training) == (config.values, config.training)


def test_sections_that_agree_may_be_given():
    data = {"class_path": "sciml.data.Draws", "init_args": {"batches_per_epoch": 2, "validation_batches": 0}}
    config = config_from_values(with_training({"phases": [{"epochs": 5, "optimizer": "none"}]}, data=data), "x.yaml")
    assert list(config.build_data().train_dataloader()) == [0, 1]
    assert config_from_values(config.values, "config.yaml").training == config.training == Training([Phase(5, "none")])


def test_noise_is_a_function_of_seed_and_step(noisy, tmp_path):
    train(decay(**NOISY), tmp_path / "again")
    assert_same(tmp_path / "again", noisy)
    train(config_from_values({**values_of(**NOISY), "seed": 1}, "x.yaml"), tmp_path / "other")
    assert states_of(tmp_path / "other") != states_of(noisy)
    positions = [float.fromhex(text) for text in (noisy / "fields.txt").read_text().split()]
    drawn = [new - 0.875 * old for old, new in pairwise([1.0, *positions])]
    assert len({f"{value:.6f}" for value in drawn}) == 6, "each step draws anew"


@pytest.mark.parametrize(("name", "call"), [("advance", 1), ("advance", 3), ("advance", 6), ("solution", 1)])
def test_stopped_and_resumed_is_not_stopped(noisy, tmp_path, name, call):
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stopped(patch, name, call)
        with pytest.raises(Stopped):
            train(decay(**NOISY), folder)
    assert finished(folder) is None
    train(decay(**NOISY), folder, resume=True)
    assert_same(folder, noisy)


@pytest.mark.parametrize("step", [1, 4])
def test_kill_9_loses_nothing_but_the_step_in_progress(noisy, tmp_path, step):
    gate = tmp_path / "gate"
    (tmp_path / "decay.yaml").write_text(yaml.safe_dump(values_of(**NOISY, gate=str(gate), closed_after=step)))
    words = ["solve", tmp_path / "decay.yaml", "-o", tmp_path / "run", "--resume"]
    process = start_command(tmp_path, *words)
    wait_for(tmp_path / "run" / "states" / f"{step:04d}.txt")
    process.kill()
    process.join()
    assert finished(tmp_path / "run") is None
    gate.touch()
    resumed = start_command(tmp_path, *words)
    resumed.join(3600)
    assert resumed.exitcode == 0
    assert_same(tmp_path / "run", noisy)


def test_a_task_that_finds_itself_diverged_keeps_the_last_good_state(tmp_path):
    # |1 - 3.5| = 2.5: 2.5, 6.25, 15.6 > 10
    folder = tmp_path / "run"
    with pytest.raises(DivergenceError, match=r"the particle is at -15\.62 after step 3; take smaller steps\."):
        train(decay(rate=3.5, step=1.0), folder)
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "diverged"
    assert result["metrics"]["loss/energy"] == pytest.approx(0.5 * 6.25**2)
    assert float(load_task(folder).x) == 6.25
    assert not (folder / "fields.txt").exists()
    with pytest.raises(DivergenceError, match="after step 3"):
        train(decay(rate=3.5, step=1.0), folder, resume=True)


def test_a_number_that_is_not_finite_is_named_with_its_step(tmp_path):
    sentence = (
        r"the run diverged in epoch 2: the term energy of the step is nan at update 2 .*"
        r"its last finite value was 0\.293091; take smaller steps\."
    )
    with pytest.raises(DivergenceError, match=sentence):
        train(decay(poisoned_step=2), tmp_path / "run")
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["epoch"] == 1
    assert len(rows_of(tmp_path / "run")) == 3


def test_overwriting_removes_what_a_solution_left_and_nothing_else(tmp_path):
    folder = tmp_path / "run"
    train(decay(steps=5), folder)
    mine = [folder / "notes.txt", folder / "my.gif", folder / "more" / "fields.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (folder / "fields.h5").write_text("old")
    (folder / "figures" / "old.png").write_text("old")
    (folder / "states" / "kept").mkdir()
    with pytest.raises(InputError, match="holds a run already"):
        train(decay(steps=2), folder)
    assert (folder / "fields.h5").exists()
    train(decay(steps=2), folder, overwrite=True)
    assert all(path.read_text() == "mine" for path in mine)
    assert sorted(path.name for path in (folder / "states").iterdir()) == ["0001.txt", "0002.txt", "kept"]
    assert not (folder / "fields.h5").exists() and not (folder / "figures" / "old.png").exists()
    assert len((folder / "fields.txt").read_text().split()) == 2


def test_the_task_that_is_announced_is_the_one_that_runs_and_the_stages_after_it_are_named(tmp_path):
    told: list[object] = []

    def stage(name: str, done: float | None) -> None:
        told.append(name)

    train(decay(), tmp_path / "run", started=lambda task: told.append(float(task.x)), stage=stage)
    assert told == [1.0, "drawing figures", "writing the solution"]
    told.clear()
    train(decay(), tmp_path / "run", resume=True, started=told.append, stage=stage)
    assert not told, "a finished run is not run again"


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"phases": [{"epochs": 5}]}, "training has the optimizer adam, but Decay updates its weights itself"),
        ({"phases": [{"epochs": 7, "optimizer": "none"}]}, "training has 7 epochs, but task.init_args.steps is 5"),
        ({"phases": [{"epochs": 5, "optimizer": "none", "learning_rate": 0.1}]}, "learning_rate cannot be combined"),
        ({"phases": [{"epochs": 5, "optimizer": "none", "schedule": "cosine"}]}, "schedule cannot be combined"),
        ({"phases": [{"epochs": 5, "optimizer": "none", "options": {"a": 1}}]}, "options cannot be combined"),
        ({"phases": [{"epochs": 5, "optimizer": "none"}], "ema_decay": 0.9}, "ema_decay cannot be combined"),
        ({"phases": [{"epochs": 5, "optimizer": "none"}], "updates_per_batch": 2}, "updates_per_batch cannot"),
        ({"phases": [{"epochs": 4, "optimizer": "none"}, {"epochs": 1}]}, "the optimizers none and adam"),
    ],
)
def test_a_training_section_that_contradicts_the_task_is_refused(training, words):
    said = refused(with_training(training))
    assert said.startswith("x.yaml: ") and words in said


def test_wrong_arguments_of_a_task_that_solves_are_refused():
    assert "task.init_args.steps is 0, expected a whole number of at least 1" in refused(values_of(steps=0))
    assert "task.init_args has no 'stepz'; did you mean 'step'?" in refused(values_of(stepz=1))
    assert "task.init_args: step is -1.0, expected a positive time" in refused(values_of(step=-1.0))
    none = with_training({"phases": [{"epochs": 1, "optimizer": "none"}]}, "Parabola")
    assert "optimizer none, but Parabola does not update its weights itself" in refused(none)
    assert "training is missing" in refused(values_of("Parabola"))
    noisy = {**values_of(), "task": {"class_path": "toy_runs.Noisy"}}
    assert "data is missing" in refused(noisy)


def test_what_a_step_returns_is_checked(tmp_path, monkeypatch):
    for found, words in [({}, "has no terms"), ({"x": torch.ones(2)}, r"the term x .* has shape \(2,\)")]:
        monkeypatch.setattr(Decay, "advance", lambda task, batch, found=found: found)
        with pytest.raises(InputError, match=words):
            train(decay(), tmp_path / f"run{len(found)}")
    monkeypatch.setattr(Decay, "advance", lambda task, batch: {f"x{task.current_epoch}": 1.0})
    with pytest.raises(InputError, match="the step of Decay has the terms x0 at one update and x1 at another"):
        train(decay(), tmp_path / "other")
    monkeypatch.setattr(Decay, "advance", Task.advance)
    with pytest.raises(ConfigError, match="Decay does not update its weights itself"):
        train(decay(), tmp_path / "none")


@pytest.mark.parametrize("trainer", [{"devices": 2}, {"devices": [0, 1]}, {"num_nodes": 2}])
def test_several_processes_are_refused(trainer):
    said = refused({**values_of(), "trainer": trainer})
    assert "Decay updates its weights itself, in one process; leave it out" in said
    assert f"trainer.{next(iter(trainer))} is" in said


def test_other_data_than_what_the_task_draws_is_refused(noisy):
    with pytest.raises(InputError, match="Decay draws its points itself, so there are no other data"):
        evaluate(noisy, "other.h5")


def test_a_task_with_a_loss_solves_by_an_optimizer_on_points_that_it_draws(tmp_path):
    training = {"phases": [{"epochs": 3, "learning_rate": 0.1}], "updates_per_batch": 50}
    result = train(config_from_values(with_training(training, "Parabola"), "x.yaml"), tmp_path / "run")
    assert list(result["metrics"]) == ["error_of_slope", "val/error", "loss/pde"]
    assert result["metrics"]["error_of_slope"] < 1e-3
    assert evaluate(tmp_path / "run")["error"] == pytest.approx(result["metrics"]["error_of_slope"] / 4)


def test_a_solution_is_written_from_the_checkpoint_alone(noisy, tmp_path):
    shutil.copytree(noisy, tmp_path / "run")
    for name in ("result.json", "fields.txt"):
        (tmp_path / "run" / name).unlink()
    train(decay(**NOISY), tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", noisy)


def test_a_task_without_a_solution_says_what_to_do(tmp_path):
    class Plain(Parabola):
        solution = Task.solution

    with pytest.raises(InputError, match="Plain learns from data and has no solution of its own; use 'sciml train'"):
        Plain().solution(tmp_path)
    assert Plain().describe() is None
    assert (Plain.solves(), Parabola.solves(), Decay.solves()) == (False, True, True)
