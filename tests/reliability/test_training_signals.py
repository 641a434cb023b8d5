"""SIGINT and SIGTERM during training: out after the batch in progress, with a checkpoint and the right exit code."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from toy_runs import rows_of, start, start_two_ranks, toy, wait_for, weights_of

from sciml.training.checkpoints import read_checkpoint
from sciml.training.run import finished, train

SECONDS_PER_LOSS = 0.02  # 0.16 s of losses in an epoch


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(toy(), folder)
    torch.set_num_threads(threads)
    return folder


@pytest.mark.parametrize(
    ("number", "code", "moment"),
    [(signal.SIGTERM, 143, "metrics.csv"), (signal.SIGINT, 130, "checkpoints/best.ckpt"),
     (signal.SIGTERM, 143, "config.yaml")],
)  # fmt: skip
def test_a_signal_leaves_a_checkpoint_from_which_the_run_goes_on_exactly(whole, tmp_path, number, code, moment):
    folder = tmp_path / "run"
    process = start(folder, {"seconds": SECONDS_PER_LOSS})
    wait_for(folder / moment)
    if moment == "config.yaml":  # before the first epoch is over
        wait_for(folder / "checkpoints" / "last.ckpt")
    os.kill(process.pid, number)
    process.join(600)
    assert process.exitcode == code
    epochs = len(rows_of(folder)) - 1
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["loops"]["fit_loop"]["epoch_progress"]["total"][
        "processed"
    ] == max(epochs, 0)
    assert finished(folder) is None
    assert not (folder / ".lock").exists()
    resumed = start(folder, {"seconds": SECONDS_PER_LOSS}, resume=True)
    resumed.join(600)
    assert resumed.exitcode == 0
    assert weights_of(folder) == weights_of(whole)
    assert rows_of(folder) == rows_of(whole)


def test_the_second_signal_does_not_wait_for_a_long_batch(tmp_path):
    folder = tmp_path / "run"
    process = start(folder, {"seconds": 3600.0, "marks": str(tmp_path)})
    wait_for(tmp_path / "in a batch")
    os.kill(process.pid, signal.SIGTERM)
    wait_for(tmp_path / "told to stop")
    assert process.is_alive()
    os.kill(process.pid, signal.SIGTERM)
    process.join(600)
    assert process.exitcode == 143
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["epoch"] == 0


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_library_user_gets_the_usual_exception_and_the_handlers_back(tmp_path, number, expected):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def progress(done: float, *others: object) -> None:
        if done >= 2:
            signal.raise_signal(number)

    with pytest.raises(expected) as caught:
        train(toy(), tmp_path / "run", progress=progress)
    if expected is SystemExit:
        assert caught.value.code == 143
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert len(rows_of(tmp_path / "run")) == 3
    train(toy(), tmp_path / "run", resume=True)
    assert len(rows_of(tmp_path / "run")) == 6


def test_a_signal_in_the_last_epoch_is_obeyed_once_the_result_is_written(tmp_path):
    def progress(done: float, epochs: int, *others: object) -> None:
        if done == epochs:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(toy(), tmp_path / "run", progress=progress)
    assert finished(tmp_path / "run")["status"] == "finished"


def test_two_ranks_stop_on_a_signal_and_go_on_exactly(tmp_path):
    def run_to_the_end(folder: Path, **options: bool) -> list[int | None]:
        ranks = start_two_ranks(folder, {"seconds": SECONDS_PER_LOSS}, **options)
        for rank in ranks:
            rank.join(600)
        return [rank.exitcode for rank in ranks]

    assert run_to_the_end(tmp_path / "whole") == [0, 0]
    ranks = start_two_ranks(tmp_path / "run", {"seconds": SECONDS_PER_LOSS})
    wait_for(tmp_path / "run" / "checkpoints" / "best.ckpt")
    for rank in ranks:  # as torchrun and SLURM do
        os.kill(rank.pid, signal.SIGTERM)
    for rank in ranks:
        rank.join(600)
    assert ranks[0].exitcode == 143
    assert ranks[1].exitcode not in (0, None)
    assert finished(tmp_path / "run") is None
    assert run_to_the_end(tmp_path / "run", resume=True) == [0, 0]
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")
    assert len(rows_of(tmp_path / "run")) == 6
