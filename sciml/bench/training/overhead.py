"""The cost of the training backbone beside a bare PyTorch loop: the measurement of ``sciml bench training``.

The network is tiny (2-32-32-32-1 on 256 points), which makes all overhead visible. Both loops take turns,
one batch of updates each, in one process: the bare loop runs inside a callback of the trainer.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from sciml.bench.measure import load_average
from sciml.bench.worker import Job
from sciml.data.modules import Draws
from sciml.numerics.random import generator, seeded
from sciml.training.settings import Phase, Training
from sciml.training.task import Task

POINTS, SIZES, RATE = 256, (2, 32, 32, 32, 1), 1e-3
WARM_UP = 100  # updates that do not count


class Regression(Task):
    """The regression task that fits ``sin(pi x) sin(pi y)`` at fixed points."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(0):
            layers = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(SIZES)]
        self.net = nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))[:-1]
        points = torch.rand(POINTS, 2, generator=generator(0))
        self.register_buffer("points", points)
        self.register_buffer("values", torch.sin(torch.pi * points).prod(1, keepdim=True))

    def loss(self, batch: int) -> dict[str, Tensor]:
        """Return the mean squared error; the batch is only a counter."""
        return {"data": (self.net(self.points) - self.values).square().mean()}


class _Turns(lightning.Callback):
    """A callback that runs an equal batch of the bare loop after each batch of the trainer, and times both."""

    def __init__(self, bare: Callable[[], None]) -> None:
        self.bare = bare
        self.trainer_seconds: list[float] = []
        self.bare_seconds: list[float] = []
        self._last = 0.0

    def on_train_batch_end(self, *_: Any) -> None:
        """Time the batch of the trainer, then run and time the bare loop."""
        start = time.process_time()
        self.trainer_seconds.append(start - self._last)
        self.bare()
        self._last = time.process_time()
        self.bare_seconds.append(self._last - start)


def overhead(job: Job) -> dict[str, Any]:
    """Measure the CPU time of one update in both loops and their ratio: medians over the batches after the warm-up.

    Parameters
    ----------
    job : with ``updates_per_batch`` and ``updates``, those of each loop that count
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # of this process, which is only here to measure
    updates = job["updates_per_batch"]
    warm_up = -(-WARM_UP // updates)
    turns = _Turns(_bare_loop(updates))
    task = Regression()
    task.prepare(Training([Phase(1, learning_rate=RATE, options={"foreach": False})], updates), seed=0)
    with tempfile.TemporaryDirectory(prefix="sciml-bench-") as folder:
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            logger=CSVLogger(folder),
            callbacks=[turns],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, datamodule=Draws(warm_up + job["updates"] // updates))
    ours, bare = turns.trainer_seconds[warm_up:], turns.bare_seconds[warm_up:]
    return {
        "microseconds": 1e6 * statistics.median(ours) / updates,
        "bare_microseconds": 1e6 * statistics.median(bare) / updates,
        "ratio": statistics.median(one / other for one, other in zip(ours, bare, strict=True)),
        "load": load_average(),
    }


def _bare_loop(updates: int) -> Callable[[], None]:
    task = Regression()
    optimizer = torch.optim.Adam(task.parameters(), RATE, foreach=False)

    def loop() -> None:
        for _ in range(updates):
            optimizer.zero_grad()
            loss = (task.net(task.points) - task.values).square().mean()
            loss.backward()
            optimizer.step()

    return loop
