"""``sciml bench training``: what the training backbone costs beside a bare PyTorch loop.

The network is tiny (2-32-32-32-1 on 256 points), so that everything around the arithmetic shows. Both loops take turns,
one batch of updates each, in one process and on one thread; the bare loop runs inside a callback of the other.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from sciml.data.modules import Draws
from sciml.numerics.random import generator, seeded
from sciml.run_folder import environment, plain
from sciml.training.settings import Phase, Training
from sciml.training.task import Task

FILE_NAME = "training.json"
UPDATES, POINTS, WIDTH, RATE = 50, 256, 32, 1e-3


class Regression(Task):
    """Fit ``sin(pi x) sin(pi y)`` at fixed points."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(0):
            sizes = (2, WIDTH, WIDTH, WIDTH, 1)
            layers = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
        self.net = nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))[:-1]
        points = torch.rand(POINTS, 2, generator=generator(0))
        self.register_buffer("points", points)
        self.register_buffer("values", torch.sin(torch.pi * points).prod(1, keepdim=True))

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Mean squared error; the batch is only a counter."""
        return {"data": (self.net(self.points) - self.values).square().mean()}


class _Turns(lightning.Callback):
    """After each batch of the trainer, an equal batch of the bare loop; CPU seconds of both."""

    def __init__(self, bare: Callable[[], None]) -> None:
        self.bare = bare
        self.trainer_seconds: list[float] = []
        self.bare_seconds: list[float] = []
        self._last = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        """Stop the clock of the trainer, run the bare loop, start it again."""
        self.trainer_seconds.append(time.process_time() - self._last)
        start = time.process_time()
        self.bare()
        self._last = time.process_time()
        self.bare_seconds.append(self._last - start)


def measure(updates: int = UPDATES, batches: int = 12, warm_up: int = 2) -> dict[str, Any]:
    """CPU seconds per update of both loops and their ratio, the median over the batches after the warm-up.

    Parameters
    ----------
    updates : per batch
    batches : of each loop, the warm-up among them
    warm_up : batches that do not count
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        turns = _Turns(_bare_loop(updates))
        task = Regression()
        task.prepare(Training([Phase(1, learning_rate=RATE, options={"foreach": False})], updates), 0)
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
            trainer.fit(task, datamodule=Draws(batches))
    finally:
        torch.set_num_threads(threads)
    ours, bare = turns.trainer_seconds[warm_up:], turns.bare_seconds[warm_up:]
    return {
        "updates_per_batch": updates,
        "batches": len(ours),
        "microseconds": 1e6 * statistics.median(ours) / updates,
        "bare_microseconds": 1e6 * statistics.median(bare) / updates,
        "ratio": statistics.median(one / other for one, other in zip(ours, bare, strict=True)),
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


def run(folder: Path, repetitions: int = 5, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure and write the raw results into ``folder``.

    Parameters
    ----------
    folder : made if it is not there
    repetitions : fits; the median of their ratios is reported
    progress : called with a line about each fit

    Returns
    -------
    dict
        What was written: ``environment``, ``fits`` and ``ratio``.
    """
    fits = []
    for number in range(1, repetitions + 1):
        fits.append(measure())
        progress(f"[{number}/{repetitions}] {fits[-1]['ratio']:.3f} times the bare loop")
    results = {
        "name": "training",
        "environment": environment(),
        "fits": fits,
        "ratio": statistics.median(fit["ratio"] for fit in fits),
    }
    path = Path(folder) / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(plain(results), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)
    return results
