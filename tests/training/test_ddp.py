"""Two gloo ranks on the CPU against one process on the same global batch, in one launch of two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from torch import nn

PROGRAM = Path(__file__).with_name("ddp_program.py")
OPTIMIZERS = ("adam", "lbfgs")


@pytest.fixture(scope="module")
def program() -> ModuleType:
    location = util.spec_from_file_location("ddp_program", PROGRAM)
    module = util.module_from_spec(location)
    location.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ddp")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", str(PROGRAM), ",".join(OPTIMIZERS), str(folder), "2"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def load(folder: Path, optimizer: str) -> list[dict]:
    return [torch.load(folder / f"{optimizer}_2_{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_ranks_equal_one_process_on_the_global_batch(program: ModuleType, folder: Path, optimizer: str) -> None:
    first, second = load(folder, optimizer)
    assert torch.equal(first["weights"], second["weights"])
    task, trainer = program.fit(optimizer, ranks=1)
    alone = nn.utils.parameters_to_vector(task.parameters()).detach()
    assert first["updates"] == trainer.global_step == 24
    assert float((first["weights"] - alone).norm() / alone.norm()) < 1e-6
    start = nn.utils.parameters_to_vector(program.Fit().parameters()).detach()
    assert float((alone - start).norm() / alone.norm()) > 1e-2  # something was learnt
    for name, value in trainer.callback_metrics.items():
        assert first["losses"][name] == second["losses"][name] == pytest.approx(float(value), rel=1e-6), name


def test_ranks_draw_different_numbers_and_rank_0_those_of_one_process(program: ModuleType, folder: Path) -> None:
    first, second = (rank["drawn"] for rank in load(folder, "adam"))
    assert len({*first, *second}) == 48
    task, _ = program.fit("adam", ranks=1)
    assert task.drawn == first


def test_divergence_on_one_rank_stops_both(folder: Path) -> None:
    first, second = ((folder / f"divergence_{rank}.txt").read_text() for rank in range(2))
    assert "the term reported of the loss is nan at update 0" in second
    assert "in epoch 0 on another rank, in the updates 0 to 1" in first


CONFIG = {
    "title": "the same points on every rank",
    "seed": 0,
    "task": {"class_path": "sciml.bench.training.overhead.Regression"},
    "data": {"class_path": "sciml.data.Draws", "init_args": {"batches_per_epoch": 3}},
    "training": {"phases": [{"epochs": 2}], "updates_per_batch": 5},
    "trainer": {"accelerator": "cpu"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [[], ["torch.distributed.run", "--nproc-per-node=2", "--standalone"]], ids=["alone", "torchrun"]
)
def test_the_command_trains_on_two_ranks_as_on_one(launcher: list[str], tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    metrics = []
    words = {"one": [], "two": ["trainer.devices=2", "trainer.strategy=ddp"]}
    for name, changes in words.items():
        launched = [*launcher, "-m", "sciml"] if launcher and changes else ["sciml"]
        command = [sys.executable, "-m", *launched, "train", str(config), "-o", str(tmp_path / name), *changes]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
        assert done.returncode == 0, done.stderr
        rows = [line.split(",") for line in (tmp_path / name / "metrics.csv").read_text().splitlines()]
        assert [row[:2] for row in rows] == [["epoch", "update"], ["1", "15"], ["2", "30"]]
        metrics.append([float(value) for row in rows[1:] for value in row[3:]])
    assert metrics[1] == pytest.approx(metrics[0], rel=1e-5)
