"""Small runs for the tests of training: a task and data whose classes a config may name, and a process that trains."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from sciml.cli.frame import explain, raise_terminated
from sciml.config_classes import ConfigClass, shipped_classes
from sciml.data.sampling import EpochShuffle
from sciml.numerics.random import generator
from sciml.training.callbacks import Signals
from sciml.training.config import Config, config_from_values
from sciml.training.run import train
from sciml.training.task import Task

BATCHES = 4
PATIENCE = 3600.0  # [s] after which a test hangs, whatever else the machine has to do


def named(path: str) -> Callable[[type], type]:
    """List a class in this process and in those forked from it, as if it came with sciml."""

    def put(cls: type) -> type:
        shipped_classes().entries[path] = ConfigClass(path, frozenset(), cls)
        return cls

    return put


@named("toy_runs.Noisy")
class Noisy(Task):
    """A network with dropout, inputs with noise: whatever could depend on the order of draws does."""

    def __init__(
        self,
        width: int = 8,
        seconds: float = 0.0,
        poisoned_update: int = -1,
        marks: str | None = None,
        held_update: int = 0,
        stubborn: bool = False,
    ) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, 1))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.seconds, self.poisoned_update, self.marks = seconds, poisoned_update, marks
        self.held_update, self.stubborn = held_update, stubborn

    def sample(self, batch: list[Tensor]) -> list[Tensor]:
        inputs, targets = batch
        noise = torch.randn(inputs.shape, generator=self.generator())
        return [inputs + 0.01 * noise, targets]

    def loss(self, batch: list[Tensor]) -> dict[str, Tensor]:
        inputs, targets = batch
        error = (self.net(inputs) - targets).square().mean()
        if self.training:
            time.sleep(self.seconds)
            if self.marks is not None and self._update == self.held_update:
                self._hold(Path(self.marks))
            self.seen += 1
            if self._update == self.poisoned_update:
                error = error * torch.nan
        return {"data": error, "size": 1e-4 * sum(weight.square().sum() for weight in self.parameters())}

    def _hold(self, marks: Path) -> None:
        """Stay in this batch until the run has taken note of a signal, once, and longer if stubborn; leave marks."""
        told = marks / f"told to stop {self.global_rank}"
        if told.exists():  # resumed
            return
        (marks / f"in a batch {self.global_rank}").touch()
        end = time.monotonic() + PATIENCE
        while not told.exists() or self.stubborn:
            if any(isinstance(each, Signals) and each.number is not None for each in self.trainer.callbacks):
                told.touch()
            if time.monotonic() > end:
                raise TimeoutError("no signal came")
            time.sleep(0.002)

    def residuals(self, batch: list[Tensor]) -> Tensor:
        inputs, targets = batch
        return self.net(inputs) - targets

    def validate(self, batch: list[Tensor]) -> dict[str, Tensor]:
        inputs, targets = batch
        return {"rms": (self.net(inputs) - targets).square().mean().sqrt()}

    def figures(self, folder: Path) -> None:
        (folder / "drawn.txt").write_text(str(int(self.seen)))


@named("toy_runs.Points")
class Points(LightningDataModule):
    """The product of two numbers at 32 points, in another order in each epoch, each point ``copies`` times."""

    def __init__(self, seed: int = 0, copies: int = 1) -> None:
        super().__init__()
        self.copies = copies
        inputs = torch.rand(48, 2, generator=generator(seed))
        targets = inputs.prod(1, keepdim=True)
        self.train_set = TensorDataset(*(values[:32].repeat(copies, 1) for values in (inputs, targets)))
        self.validation_set = TensorDataset(inputs[32:], targets[32:])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train_set, 32 // BATCHES, sampler=EpochShuffle(32 * self.copies))

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.validation_set, 8)


def toy(epochs: tuple[int, ...] = (3, 2), trainer: dict[str, Any] | None = None, **changes: Any) -> Config:
    """A config: Adam with warm-up and cosine, then AdamW, averaged weights; ``changes`` are arguments of the task."""
    schedule = {"learning_rate": 0.01, "schedule": "cosine", "warmup_epochs": 1}
    phases = [
        {"optimizer": name, "epochs": count, **(schedule if name == "adam" else {"learning_rate": 0.003})}
        for name, count in zip(("adam", "adamw"), epochs, strict=False)
    ]
    values = {
        "title": "toy",
        "seed": 5,
        "task": {"class_path": "toy_runs.Noisy", "init_args": changes},
        "data": {"class_path": "toy_runs.Points"},
        "training": {"phases": phases, "updates_per_batch": 2, "gradient_clip": 1.0, "ema_decay": 0.9},
        "trainer": trainer or {"accelerator": "cpu"},
    }
    return config_from_values(values, "toy.yaml")


def weights_of(folder: Path, name: str = "last.ckpt") -> str:
    """The SHA-256 of the weights, averaged and not, in a checkpoint."""
    checkpoint = torch.load(folder / "checkpoints" / name, weights_only=True)
    digest = hashlib.sha256()
    for key in ("state_dict", "current_model_state"):
        for weight, value in sorted(checkpoint[key].items()):
            digest.update(weight.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def rows_of(folder: Path) -> list[list[str]]:
    """The cells of ``metrics.csv``, without the seconds."""
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    return [row[:2] + row[3:] for row in rows]


def train_as_a_command(folder: str, arguments: dict[str, Any], options: dict[str, Any]) -> None:
    """Train in this process as ``sciml train`` does, with its exit codes."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        train(toy(**arguments), folder, **options)
    except (Exception, KeyboardInterrupt) as error:
        verdict = explain(error)
        if verdict is None:
            raise
        Path(folder + ".answer").write_text(json.dumps(verdict))
        sys.exit(verdict[1])


def train_interrupted(folder: str, number: int, moment: float) -> None:
    """Train as the user of a library does, with a signal to this process after some epochs; say what was raised."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    sent, raised = [], None

    def progress(done: float, *others: object) -> None:
        if done >= moment and not sent:  # once: the second would take effect at once
            sent.append(done)
            signal.raise_signal(number)

    torch.set_num_threads(1)
    try:
        train(toy(), folder, progress=progress)
    except BaseException as error:  # noqa: BLE001 - the test says what is expected
        raised = [type(error).__name__, *([error.code] if isinstance(error, SystemExit) else [])]
    back = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    Path(folder + ".answer").write_text(json.dumps({"raised": raised, "handlers are back": back}))


def train_as_a_rank(rank: int, port: int, folder: str, arguments: dict[str, Any], options: dict[str, Any]) -> None:
    """Train as one of two processes that ``torchrun`` started."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": 1}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1")
    rank_zero_only.rank = rank  # Lightning has read the environment when it was imported, before the fork
    train_as_a_command(folder, arguments, options)


def start(folder: Path, arguments: dict[str, Any] | None = None, **options: Any) -> BaseProcess:
    """Start a run in a process of its own."""
    return _fork(train_as_a_command, str(folder), arguments or {}, options)


def start_interrupted(folder: Path, number: int, moment: float) -> BaseProcess:
    """Start a run in a process of its own, which sends a signal to itself."""
    return _fork(train_interrupted, str(folder), int(number), moment)


def start_two_ranks(folder: Path, arguments: dict[str, Any] | None = None, **options: Any) -> list[BaseProcess]:
    """Start a run of two processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = {**(arguments or {}), "trainer": {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}}
    return [_fork(train_as_a_rank, rank, port, str(folder), arguments, options) for rank in range(2)]


def _fork(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process that forks from one that has imported Lightning already."""
    home = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["toy_runs"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def wait_for(path: Path, seconds: float = PATIENCE) -> None:
    """Wait until a file exists."""
    end = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{path} did not come")
        time.sleep(0.002)
