"""A run that was stopped, wherever, and resumed ends with the bits of the run that was not."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import toy_runs
from toy_runs import BATCHES, Noisy, rows_of, start, toy, wait_for, weights_of

from sciml.errors import CheckpointError, ConfigError
from sciml.training import checkpoints
from sciml.training.checkpoints import read_checkpoint
from sciml.training.run import finished, train

UPDATES = 5 * BATCHES * 2
SECONDS_PER_LOSS = 0.005


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    monkeypatch.setattr(
        "sciml.plots.training_history", lambda rows, path, **words: None
    )  # half of the time of a toy run


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(toy(), folder)
    return folder


def assert_same(folder: Path, whole: Path) -> None:
    assert weights_of(folder) == weights_of(whole)
    assert weights_of(folder, "best.ckpt") == weights_of(whole, "best.ckpt")
    assert rows_of(folder) == rows_of(whole)
    assert finished(folder)["metrics"] == finished(whole)["metrics"]
    assert (folder / "figures" / "drawn.txt").read_text() == (whole / "figures" / "drawn.txt").read_text()
    assert not list(folder.rglob("*.part"))
    assert not (folder / ".lock").exists()


class Stopped(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def stop_at(monkeypatch, owner: object, name: str, call: int) -> None:
    """Let the n-th call of a function, counted from 1, raise before it does anything."""
    real, calls = getattr(owner, name), []

    def counted(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise Stopped
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)


def test_two_equal_runs_have_equal_bits_and_another_seed_has_not(whole, tmp_path):
    train(toy(), tmp_path / "again")
    assert_same(tmp_path / "again", whole)
    values = toy().values
    train(toy_runs.config_from_values({**values, "seed": 6}, "other.yaml"), tmp_path / "other")
    assert weights_of(tmp_path / "other") != weights_of(whole)


MOMENTS = [
    *[(Noisy, "sample", update) for update in (1, 9, 24, 25, UPDATES)],
    *[(Noisy, "validate", batch) for batch in (1, 10)],
    # environment, config, the head of the rows, the initial weights, rows, the best and last of epoch 1, ...
    *[(checkpoints.os, "replace", call) for call in (1, 2, 3, 4, 5, 6, 7, 8)],
    *[(Noisy, "figures", 1)],
]


@pytest.mark.parametrize(("owner", "name", "call"), MOMENTS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_stopped_and_resumed_is_not_stopped(whole, tmp_path, owner, name, call):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, owner, name, call)
        with pytest.raises(Stopped):
            train(toy(), tmp_path / "run")
    assert finished(tmp_path / "run") is None
    train(toy(), tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def test_stopped_again_and_again(whole, tmp_path):
    for update in (11, 3, 9, 13, 1):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, Noisy, "sample", update)
            with pytest.raises(Stopped):
                train(toy(), tmp_path / "run", resume=True)
    train(toy(), tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def test_a_row_that_the_kill_cut_short_comes_again(whole, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, Noisy, "sample", 20)
        with pytest.raises(Stopped):
            train(toy(), tmp_path / "run")
    with (tmp_path / "run" / "metrics.csv").open("a") as file:
        file.write("3,24,0.1,0.28")
    (tmp_path / "run" / "checkpoints" / "last.ckpt.part").write_text("half")
    train(toy(), tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def killed_and_resumed(whole: Path, folder: Path, seconds: float) -> None:
    slow = {"seconds": SECONDS_PER_LOSS}
    process = start(folder, slow, resume=True)
    wait_for(folder / "config.yaml")
    time.sleep(seconds)
    process.kill()
    process.join()
    resumed = start(folder, slow, resume=True)
    resumed.join(3600)
    assert resumed.exitcode == 0
    assert_same(folder, whole)


def test_kill_9_at_a_random_moment(whole, tmp_path):
    # How long a loss takes is part of the config and none of the result.
    for number, seconds in enumerate(np.random.default_rng().uniform(0.05, 0.8, 2)):
        killed_and_resumed(whole, tmp_path / str(number), seconds)


@pytest.mark.slow
def test_kill_9_at_thirty_random_moments(whole, tmp_path):
    for number, seconds in enumerate(np.random.default_rng().uniform(0.0, 1.2, 30)):
        killed_and_resumed(whole, tmp_path / str(number), seconds)


def test_a_finished_run_is_left_as_it_is(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert train(toy(), whole, resume=True) == finished(whole)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_another_config_is_refused_and_its_key_named(whole):
    for changed, key in [
        (toy(width=9), r"task\.init_args\.width \(9, it was 8\)"),
        (toy((3, 4)), r"training\.phases\.1\.epochs \(4, it was 2\)"),
        (toy((3,)), r"training\.phases \("),
    ]:
        with pytest.raises(ConfigError, match=f"toy.yaml differs from .*config.yaml.* in {key}"):
            train(changed, whole, resume=True)


def test_a_damaged_checkpoint_is_refused_and_nothing_is_lost(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "result.json").unlink()
    last = folder / "checkpoints" / "last.ckpt"
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 4
    last.write_bytes(data)
    rows = (folder / "metrics.csv").read_bytes()
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged"):
        train(toy(), folder, resume=True)
    assert (folder / "metrics.csv").read_bytes() == rows
    shutil.copy(whole / "checkpoints" / "best.ckpt", last)  # what one would do by hand
    train(toy(), folder, resume=True)
    assert_same(folder, whole)


def test_a_disk_that_fills_up_costs_one_epoch(whole, tmp_path, small_files):
    folder = tmp_path / "run"

    def progress(done: float, *others: object) -> None:
        if done == 2:  # told before the checkpoint of the second epoch
            small_files(1000)

    with pytest.raises(OSError, match=r"File too large.*best\.ckpt"):
        train(toy(), folder, progress=progress)
    small_files(None)
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["epoch"] == 0
    train(toy(), folder, resume=True)
    assert_same(folder, whole)


def test_the_checkpoint_that_slurm_requeues_from_the_middle_of_an_epoch_is_not_taken(whole, tmp_path):
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, Noisy, "sample", 20)
        with pytest.raises(Stopped):
            train(toy(), folder)
    # Lightning prefers a file of this name to the one it is given
    shutil.copy(folder / "checkpoints" / "best.ckpt", folder / "hpc_ckpt_1.ckpt")
    (folder / "hpc_ckpt_2.ckpt").write_bytes(b"from the middle of an epoch")
    train(toy(), folder, resume=True)
    assert_same(folder, whole)
    assert not list(folder.glob("hpc_ckpt_*"))


@pytest.mark.parametrize(
    ("optimizer", "warmup"), [("adam", None), ("adam", 10.0), ("soap", 4.0), ("lbfgs", None), ("least_squares", None)]
)
def test_every_optimizer_goes_on_exactly(tmp_path, optimizer, warmup):
    training = {"phases": [{"optimizer": optimizer, "epochs": 3}], "ema_decay": 0.9, "ema_warmup": warmup}
    config = toy_runs.config_from_values({**toy().values, "training": training}, "toy.yaml")
    train(config, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, Noisy, "sample", 2 * BATCHES + 2)
        with pytest.raises(Stopped):
            train(config, tmp_path / "run")
    train(config, tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", tmp_path / "whole")
