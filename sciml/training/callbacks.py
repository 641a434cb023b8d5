"""Callbacks of a run: rows of metrics, checkpoints, signals and progress.

All of them work by epochs. A checkpoint is the state at the end of one, and there is one before the first, so a run
that is stopped at any moment loses at most the epoch in progress and then repeats it exactly.
"""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol, Self

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EMAWeightAveraging, WeightAveraging

from sciml.atomic import AtomicFile, append_text, write_text
from sciml.errors import MissingExtraError
from sciml.numerics.random import generator
from sciml.pace import Pace
from sciml.run_records import LEADING, read_rows
from sciml.training.settings import Training

SECONDS_BETWEEN_REPORTS = 0.5
VALIDATION = "val/"


class Progress(Protocol):
    """A function that receives the progress of a run."""

    def __call__(self, done: float, epochs: int, terms: Mapping[str, float], seconds_left: float | None) -> None:
        """Receive the state of the run.

        Parameters
        ----------
        done : epochs, with a fraction inside an epoch
        epochs : in all
        terms : errors and terms of the loss at the end of the last epoch, by name
        seconds_left : None as long as nothing is known
        """


class GlobalDraws(Callback):
    """Make torch's global generators a function of (seed, update, rank), for dropout and whatever else draws from them.

    Set at every batch: a resumed run has drawn other numbers on its way there, such as those of its data loader.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *arguments: Any
    ) -> None:
        """Set the states of torch's global generators."""
        counters = (trainer.global_step, trainer.global_rank)
        torch.set_rng_state(generator(self.seed, *counters).get_state())
        if pl_module.device.type == "cuda":
            state = generator(self.seed, *counters, device=pl_module.device).get_state()
            torch.cuda.set_rng_state(state, pl_module.device)


def averaging(training: Training) -> list[Callback]:
    """Return the callback that averages the weights as the settings say, if they do.

    Parameters
    ----------
    training : its settings
    """
    if training.ema_decay is None:
        return []
    if training.ema_warmup is None:  # the class has a name in the checkpoints of such runs
        return [EMAWeightAveraging(decay=training.ema_decay, use_buffers=False)]

    def averaged(average: torch.Tensor, latest: torch.Tensor, averages: torch.Tensor | int) -> torch.Tensor:
        return torch.lerp(latest, average, training.averaging_decay(int(averages)))

    return [WeightAveraging(use_buffers=False, avg_fn=averaged)]


class Rows(Callback):
    """Writer of ``metrics.csv``, one row for each epoch, and of the same values for TensorBoard if requested.

    A row is written before the checkpoint of its epoch; a run that goes on from a checkpoint drops the rows after it.
    So no epoch is missing, and none is there twice.

    Parameters
    ----------
    path : ``metrics.csv``
    tensorboard : write events beside it

    Raises
    ------
    MissingExtraError
        If TensorBoard is asked for and not installed.
    """

    def __init__(self, path: Path, tensorboard: bool = False) -> None:
        self.path = path
        self._writer = _tensorboard() if tensorboard else None
        self.last: dict[str, float] = {}
        self.seconds = 0.0  # of training, the processes before included
        self.earlier = 0.0  # of the processes before
        self._columns: list[str] = []
        self._events: Any = None

    def state_dict(self) -> dict[str, Any]:
        """Return the time that the run has taken, for the checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the time that the run had taken."""
        self.seconds = self.earlier = float(state_dict["seconds"])

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Drop the rows of epochs that are repeated."""
        self._start = time.perf_counter()
        if trainer.is_global_zero:
            self._rewrite([row for row in read_rows(self.path) if int(row["epoch"]) <= trainer.current_epoch])
            if self._writer is not None:
                self._events = self._writer(str(self.path.parent), purge_step=trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write a row: validation first, because its first number is the headline."""
        self.seconds = self.earlier + time.perf_counter() - self._start
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}  # on every rank: it may wait
        self.last = dict(sorted(found.items(), key=lambda item: not item[0].startswith(VALIDATION)))
        if not trainer.is_global_zero:
            return
        row = {"epoch": trainer.current_epoch + 1, "update": trainer.global_step, "seconds": self.seconds, **self.last}
        if set(row) <= set(self._columns):
            append_text(self.path, _csv(self._columns, [row]))
        else:
            self._rewrite([*read_rows(self.path), row])
        if self._events is not None:
            for name, value in self.last.items():
                self._events.add_scalar(name, value, row["epoch"])
            self._events.flush()

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Close the event file of TensorBoard."""
        if self._events is not None:
            self._events.close()
            self._events = None

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        self._columns = list(dict.fromkeys([*LEADING, *(name for row in rows for name in row)]))
        head = dict(zip(self._columns, self._columns, strict=True))
        write_text(self.path, _csv(self._columns, [head, *rows]), durable=True)


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, columns, lineterminator="\n").writerows(rows)
    return text.getvalue()


class EpochCheckpoints(Checkpoint):
    """Writer of ``last.ckpt``, at the end of each epoch and before the first, and of ``best.ckpt``, by the first error.

    Parameters
    ----------
    folder : of the checkpoints
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name: str | None = None
        self.best = math.inf

    def state_dict(self) -> dict[str, Any]:
        """Return the lowest error and its name."""
        return {"name": self.name, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the lowest error and its name."""
        self.name, self.best = state_dict["name"], state_dict["best"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the initial weights, so that there is a checkpoint from the first batch on."""
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.folder / "last.ckpt")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the checkpoint of the epoch."""
        last, best = self.folder / "last.ckpt", self.folder / "best.ckpt"
        if not self._is_better(trainer):
            trainer.save_checkpoint(last)
            return
        # The best one first: if the run is killed between the two, the epoch comes again and is the best again.
        trainer.save_checkpoint(best)
        if trainer.is_global_zero:
            _copy(best, last)
        trainer.strategy.barrier("checkpoints")

    def _is_better(self, trainer: lightning.Trainer) -> bool:
        values = trainer.callback_metrics
        if self.name is None:
            self.name = next((name for name in values if name.startswith(VALIDATION)), None)
        if self.name is None or self.name not in values:
            return False
        value = float(trainer.strategy.broadcast(float(values[self.name])))
        better = value < self.best
        self.best = value if better else self.best
        return better


class Signals(Callback):
    """Handler of Ctrl-C and SIGTERM: the first takes effect after the batch in progress, a second one at once.

    Parameters
    ----------
    numbers : the signals
    """

    def __init__(self, numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self.numbers = numbers
        self.number: int | None = None
        self._earlier: dict[int, Any] = {}
        self._outer: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Remember the handlers that are there before Lightning sets its own."""
        if threading.current_thread() is threading.main_thread():
            self._outer = {number: signal.getsignal(number) for number in self.numbers}
        return self

    def __exit__(self, *raised: object) -> None:
        """Put them back; Lightning has put its own away by now, and :meth:`restore` alone would bring that back."""
        self.restore()
        for number, handler in self._outer.items():
            if handler is not None:  # one that was not set by Python
                signal.signal(number, handler)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take over from the handlers that are there, Lightning's own among them."""
        if threading.current_thread() is threading.main_thread():
            for number in self.numbers:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._earlier[number] = signal.signal(number, self._note)

    def on_train_batch_end(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        """Stop the run, but not after the last batch of an epoch, whose checkpoint comes next."""
        if not trainer.is_last_batch:
            self._leave()

    def on_validation_batch_end(self, *arguments: Any) -> None:
        """Stop the run if a signal has arrived."""
        self._leave()

    def on_train_epoch_start(self, *arguments: Any) -> None:
        """Stop the run; the checkpoint of the epoch before has been written."""
        self._leave()

    def restore(self) -> None:
        """Put the earlier handlers back."""
        while self._earlier:
            signal.signal(*self._earlier.popitem())

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            self.restore()
            signal.raise_signal(number)
        self.number = number

    def _leave(self) -> None:
        if self.number is not None:
            self.restore()
            raise KeyboardInterrupt  # which Lightning takes for the wish to stop cleanly


def obey(number: int) -> NoReturn:
    """Deliver a signal now that the work is saved: call its handler, or exit with the code 128 + n.

    Parameters
    ----------
    number : of the signal
    """
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    raise SystemExit(128 + number)


class Reports(Callback):
    """Reporter that passes the state of the run to a :class:`Progress`.

    Parameters
    ----------
    progress : called on the first rank
    rows : their last row is reported
    """

    def __init__(self, progress: Progress, rows: Rows) -> None:
        self.progress, self.rows = progress, rows
        self._last_report = -math.inf

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report the start of the run."""
        self._pace = Pace(trainer.max_epochs)
        self._report(trainer, trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take note of each batch, the first of the process included; report at most every half second."""
        done = trainer.current_epoch + (batch_idx + 1) / max(trainer.num_training_batches, 1)
        self._pace.note(done, time.monotonic())
        if time.monotonic() - self._last_report >= SECONDS_BETWEEN_REPORTS:
            self._report(trainer, done)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report the end of the epoch."""
        self._report(trainer, trainer.current_epoch + 1)

    def _report(self, trainer: lightning.Trainer, done: float) -> None:
        if not trainer.is_global_zero:
            return
        now = self._last_report = time.monotonic()
        left = self._pace.seconds_left(now) if done < trainer.max_epochs else None
        self.progress(done, trainer.max_epochs, self.rows.last, left)


def _copy(source: Path, target: Path) -> None:
    """Give a file a second name; files are replaced and never changed, so that both may be one."""
    with AtomicFile(target) as file:
        try:
            os.link(source, file.part)
        except OSError:  # a file system without links
            shutil.copyfile(source, file.part)


def _tensorboard() -> Any:
    """Return the class that writes TensorBoard's events."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "trainer.logger is tensorboard, which is not installed; run 'pip install tensorboard', or leave it out."
        ) from error
    return SummaryWriter
