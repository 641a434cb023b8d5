"""SIGINT and SIGTERM during training: out after the batch in progress, with a checkpoint and the right exit code."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from toy_runs import (
    BATCHES,
    PATIENCE,
    rows_of,
    start,
    start_interrupted,
    start_two_ranks,
    toy,
    wait_for,
    weights_of,
)

from sciml.training.checkpoints import read_checkpoint
from sciml.training.run import finished, train

UPDATES = 2 * BATCHES  # of an epoch, on one device


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(toy(), folder)
    torch.set_num_threads(threads)
    return folder


@pytest.mark.parametrize(
    ("number", "code", "update", "epochs"),
    [(signal.SIGTERM, 143, 0, 0), (signal.SIGINT, 130, 10, 1), (signal.SIGTERM, 143, 2 * UPDATES - 1, 1)],
    ids=["in the first batch", "in the second epoch", "in the last batch of an epoch"],
)
def test_a_signal_leaves_a_checkpoint_from_which_a_run_goes_on_exactly(whole, tmp_path, number, code, update, epochs):
    folder, arguments = tmp_path / "run", {"marks": str(tmp_path), "held_update": update}
    process = start(folder, arguments)
    wait_for(tmp_path / "in a batch 0")
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert process.exitcode == code
    progress = read_checkpoint(folder / "checkpoints" / "last.ckpt")["loops"]["fit_loop"]["epoch_progress"]
    assert progress["total"]["processed"] == epochs
    assert len(rows_of(folder)) == epochs + 1
    assert finished(folder) is None
    assert not (folder / ".lock").exists()
    resumed = start(folder, arguments, resume=True)
    resumed.join(PATIENCE)
    assert resumed.exitcode == 0
    assert weights_of(folder) == weights_of(whole)
    assert rows_of(folder) == rows_of(whole)


def test_the_second_signal_does_not_wait_for_a_long_batch(tmp_path):
    folder = tmp_path / "run"
    process = start(folder, {"stubborn": True, "marks": str(tmp_path)})
    wait_for(tmp_path / "in a batch 0")
    os.kill(process.pid, signal.SIGTERM)
    wait_for(tmp_path / "told to stop 0")
    assert process.is_alive()
    os.kill(process.pid, signal.SIGTERM)
    process.join(PATIENCE)
    assert process.exitcode == 143
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["epoch"] == 0


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, ["KeyboardInterrupt"]), (signal.SIGTERM, ["SystemExit", 143])]
)
def test_a_library_user_gets_the_usual_exception_and_the_handlers_back(tmp_path, number, expected):
    assert _interrupted(tmp_path / "run", number, 2) == {"raised": expected, "handlers are back": True}
    assert len(rows_of(tmp_path / "run")) == 3
    train(toy(), tmp_path / "run", resume=True)
    assert len(rows_of(tmp_path / "run")) == 6


def test_a_signal_in_the_last_epoch_is_obeyed_once_the_result_is_written(tmp_path):
    answer = _interrupted(tmp_path / "run", signal.SIGINT, 5)
    assert answer == {"raised": ["KeyboardInterrupt"], "handlers are back": True}
    assert finished(tmp_path / "run")["status"] == "finished"


def test_a_run_that_nobody_stops_leaves_the_handlers_as_they_were(tmp_path):
    assert _interrupted(tmp_path / "run", signal.SIGTERM, 99) == {"raised": None, "handlers are back": True}


def test_two_ranks_stop_on_a_signal_and_go_on_exactly(tmp_path):
    def run_to_the_end(folder: Path, **options: bool) -> list[int | None]:
        ranks = start_two_ranks(folder, arguments if options else {}, **options)
        for rank in ranks:
            rank.join(PATIENCE)
        return [rank.exitcode for rank in ranks]

    arguments = {"marks": str(tmp_path), "held_update": UPDATES + 1}
    assert run_to_the_end(tmp_path / "whole") == [0, 0]
    ranks = start_two_ranks(tmp_path / "run", arguments)
    for number in range(2):
        wait_for(tmp_path / f"in a batch {number}")
    for rank in ranks:  # as torchrun and SLURM do
        os.kill(rank.pid, signal.SIGTERM)
    for rank in ranks:
        rank.join(PATIENCE)
    assert ranks[0].exitcode == 143
    assert ranks[1].exitcode not in (0, None)
    assert finished(tmp_path / "run") is None
    assert run_to_the_end(tmp_path / "run", resume=True) == [0, 0]
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")
    assert len(rows_of(tmp_path / "run")) == 6


def _interrupted(folder: Path, number: int, moment: float) -> dict[str, object]:
    """Return what a run that sends itself a signal after some epochs says, in a process of its own."""
    process = start_interrupted(folder, number, moment)
    process.join(PATIENCE)
    assert process.exitcode == 0
    return json.loads(Path(f"{folder}.answer").read_text())
