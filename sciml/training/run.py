"""Train or solve, resume and evaluate in a run folder.

``config.yaml`` (resolved), ``environment.json``, ``metrics.csv``, ``checkpoints/last.ckpt`` and ``best.ckpt``,
``result.json`` once the run is over, ``figures/``; a task that solves adds ``states/``, ``fields.*``, ``animation.*``
and ``diagnostics.*``.

On several ranks each calls :func:`train` with the same arguments, as ``torchrun`` and SLURM do; the first one writes.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from sciml import strict_yaml
from sciml.atomic import check_no_link, check_replaceable, make_folder
from sciml.config_files import read_yaml
from sciml.errors import CheckpointError, ConfigError, DivergenceError, InputError, SciMLError
from sciml.numerics.random import seeded
from sciml.run_folder import LOCK, FolderLock, RunFolder, plain
from sciml.run_records import ENVIRONMENT, METRICS, RESULT, read_environment, read_result, read_rows
from sciml.status import Status
from sciml.training.callbacks import (
    EpochCheckpoints,
    GlobalDraws,
    Progress,
    Reports,
    Rows,
    Signals,
    averaging,
    obey,
)
from sciml.training.checkpoint_states import check_state, restoring_failed
from sciml.training.checkpoints import CheckpointFiles, read_checkpoint
from sciml.training.config import Config
from sciml.training.resuming import CONFIG, allowed_changes, as_read, changes_in_effect, read_config
from sciml.training.states import STATES
from sciml.training.stored import LAST, evaluate, export_weights, load_task, restore
from sciml.training.task import StageProgress, Task
from sciml.weights import assign, find_shipped

__all__ = ["evaluate", "export_weights", "finished", "load_task", "train"]

FIGURES = "figures"
_OF_A_SOLUTION = ("states/*", "fields.*", "animation.*", "diagnostics.*")
_OURS = (
    *(RESULT, METRICS, CONFIG, "evaluation.json", "checkpoints/*.ckpt", "figures/*", "events.out.tfevents.*"),
    *_OF_A_SOLUTION,
)
_LEFT_BY_A_KILL = ("*.part", "*/*.part", "hpc_ckpt_*.ckpt")  # the last is SLURM's, from the middle of an epoch


def train(
    config: Config,
    folder: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    started: Callable[[Task], None] | None = None,
    stage: StageProgress | None = None,
) -> dict[str, Any]:
    """Train the task of a config, or solve its case.

    A run that is stopped in whatever way and resumed ends with the same weights, bit for bit on the CPU, as one that
    is not stopped. SIGINT and SIGTERM take effect after the batch in progress; the checkpoint is that of the last end
    of an epoch.

    Parameters
    ----------
    config : checked
    folder : of the run; new or empty unless one of the next two is True
    resume : go on from the last checkpoint in the folder; in a new folder start, and after the end do nothing. The
        config is that of the run, but for what :mod:`sciml.training.resuming` allows
    overwrite : remove the run that is in the folder
    progress : called now and then with the state of the run
    started : called with the task once the folder is ready, before the first update; not if the run has finished
    stage : called with the name of each stage after the last epoch, such as ``"writing fields"``, and with the fraction
        of it that is done or None

    Returns
    -------
    dict
        What ``result.json`` holds: ``status`` is ``"finished"``.

    Raises
    ------
    InputError
        If the folder holds other things, or another run is in it.
    ConfigError
        If the run to resume has another config; the sentence names the keys.
    CheckpointError
        If the checkpoint to resume from is damaged, or the config in the folder is not the one that it was made with.
    DataFormatError
        If the result, the environment or the metrics in the folder are damaged.
    DivergenceError
        If a loss or a weight is not finite any more; ``status`` is ``"diverged"`` then. The last checkpoint stays.
    """
    folder, begin = Path(folder), time.perf_counter()
    if resume and overwrite:
        raise InputError("a run is either resumed or overwritten; choose one of the two.")
    _check_device(config)
    # Built and prepared before the folder is made: what a task refuses leaves nothing behind.
    goes_on = resume and (folder / LAST).exists()
    task, data = (None, None) if resume and finished(folder, config) else _checked(config, folder, goes_on)
    with ExitStack() as stack:
        writer, changed = None, {}
        if _rank() == 0:
            stack.enter_context(FolderLock(folder))
            changed = _check_folder(config, folder, resume, overwrite)
        if resume and (result := finished(folder, config)):
            if changed:
                raise ConfigError(
                    f"{folder} has finished already, so that {', '.join(changed)} cannot change any more."
                )
            return result
        if _rank() == 0:
            writer = _open(config, folder, resume, overwrite, changed)
            if not (resume or overwrite):
                stack.enter_context(_freed_without_progress(folder))
        stack.enter_context(_quiet())
        stack.enter_context(seeded(config.seed))
        if task is None:
            task, data = _checked(config, folder, goes_on)
        if started is not None:
            started(task)
        rows, signals = Rows(folder / METRICS, config.trainer["logger"] == "tensorboard"), Signals()
        trainer = _trainer(config, folder, [rows, signals, *([Reports(progress, rows)] if progress else [])])
        try:
            _fit(trainer, task, data, folder / LAST if goes_on else None)
            solved = _conclude(task, config, folder, trainer, stage) if writer is not None else {}
        except DivergenceError:
            _finish(writer, config, Status.DIVERGED, rows, begin)
            raise
        # Last of all: a finished run is never opened again.
        result = _finish(writer, config, Status.FINISHED, rows, begin, solved)
    if signals.number is not None:
        obey(signals.number)
    return result


def finished(folder: str | Path, config: Config | None = None) -> dict[str, Any] | None:
    """Return the result of the run in a folder if it has finished, None otherwise.

    Parameters
    ----------
    folder : of the run
    config : with which it is resumed; a run with fewer epochs has not finished then

    Raises
    ------
    DataFormatError
        If there is a result, but a damaged one.
    """
    result = read_result(Path(folder))
    if result is None or result.status != Status.FINISHED:
        return None
    is_over = config is None or result.values.get("epochs") in (None, config.training.epochs)
    return result.values if is_over else None


def _rank() -> int:
    """Return the rank of this process before torch.distributed is initialised, from its launcher."""
    return rank_zero_only.rank or 0


def _prepared(config: Config, folder: Path) -> Task:
    """Return a new task that knows how it is trained; that of a run folder is no larger than its checkpoint."""
    is_there = config.stored and (folder / LAST).exists()
    task = config.build_task(read_checkpoint(folder / LAST)["state_dict"] if is_there else None)
    task.prepare(config.training, config.seed)
    return task


def _checked(config: Config, folder: Path, goes_on: bool) -> tuple[Task, lightning.LightningDataModule]:
    """Return a new task that knows how it is trained, with given weights unless it goes on, and data that suit it."""
    task = _prepared(config, folder)
    if config.training.initial_weights is not None and not goes_on:
        _begin_with(task, config.training.initial_weights)
    with seeded(config.seed):
        data = config.build_data()
        task.check_data(data)
    return task, data


def _begin_with(task: Task, name: str) -> None:
    """Give a task the weights of a run, or published ones."""
    try:
        assign(task, load_task(find_shipped(name) or name).state_dict(), Path(name))
    except (CheckpointError, InputError) as error:
        raise ConfigError(f"training.initial_weights names no weights for this task: {error}") from error


def _check_device(config: Config) -> None:
    """Refuse a device that this machine lacks."""
    accelerator = config.trainer["accelerator"]
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    found["gpu"] = any(found.values())
    if not found.get(accelerator, True):
        raise ConfigError(
            f"{config.source} asks for trainer.accelerator={accelerator}, but torch finds none on this machine; set it "
            "to cpu or auto."
        )


def _check_folder(config: Config, folder: Path, resume: bool, overwrite: bool) -> dict[str, Any]:
    """Refuse to resume another or a damaged run, and to start where a run is; return what a resumed one changes."""
    file = folder / CONFIG
    if resume and file.exists():
        return _check_resumed(config, folder)
    if resume:
        strange = sorted(path.name for path in folder.iterdir() if path.name not in (LOCK, "environment.json"))
        strange = [name for name in strange if not name.endswith(".part")]
        if strange:
            raise InputError(
                f"{folder} holds {strange[0]} but no {CONFIG}, so no run to resume; choose another folder."
            )
    elif file.exists() and not overwrite:
        raise InputError(
            f"{folder} holds a run already; continue it with --resume, or start it anew with --overwrite (in Python, "
            "resume=True or overwrite=True)."
        )
    return {}


def _check_resumed(config: Config, folder: Path) -> dict[str, Any]:
    """Refuse to resume another or a damaged run; return the values that change, by dotted key."""
    file, last = folder / CONFIG, folder / LAST
    _check_links(folder)
    read_environment(folder)
    rows = read_rows(folder / METRICS)
    checkpoint = read_checkpoint(last) if last.exists() else None
    values = read_yaml(file) if checkpoint is None else read_config(folder, checkpoint, last)
    changed = allowed_changes(config, values, file)
    if checkpoint is not None:
        check_state(checkpoint, last, config.training)
    elif rows and finished(folder, config) is None:  # a checkpoint comes before the first row
        raise CheckpointError(
            f"{last} does not exist, but the run has ended epoch {rows[-1]['epoch']}; restore it, or start "
            "the run anew with --overwrite (in Python, overwrite=True)."
        )
    return {key: new for key, (_, new) in changed.items()}


def _check_links(folder: Path) -> None:
    """Refuse links in the places of files that a resumed run writes, before any is read and before the work."""
    for pattern in (ENVIRONMENT, *_OURS):
        for path in folder.glob(pattern):
            if path.is_symlink() and path.suffix != ".part":  # such a one is removed
                check_replaceable(path)


def _open(config: Config, folder: Path, resume: bool, overwrite: bool, changed: Mapping[str, Any]) -> RunFolder:
    """Prepare the folder: remove old files where that is asked for, record changes, and write the config."""
    for name in (FIGURES, STATES, LAST.parent):
        check_no_link(folder / name)  # before anything is removed there
    for pattern in (*(_OURS if overwrite else ()), *(_LEFT_BY_A_KILL if overwrite or resume else ())):
        for path in folder.glob(pattern):
            if path.is_symlink() or not (path.is_dir() or (path.parent != folder and path.parent.is_symlink())):
                path.unlink()
    writer = RunFolder(folder, overwrite=overwrite, resume=resume, changed=changed)
    if changed or not (folder / CONFIG).exists():
        writer.write_text(CONFIG, strict_yaml.dump(as_read(config)))
    return writer


@contextmanager
def _freed_without_progress(folder: Path) -> Iterator[None]:
    """Remove the config and the environment of a new run that an input stops before anything was computed.

    So that after the mistake is mended, the same command starts the run.
    """
    try:
        yield
    except SciMLError:
        if not any((folder / name).exists() for name in (RESULT, METRICS, LAST)):
            for name in (CONFIG, ENVIRONMENT):
                (folder / name).unlink(missing_ok=True)
        raise


def _trainer(config: Config, folder: Path, callbacks: list[Callback]) -> lightning.Trainer:
    return lightning.Trainer(
        **{**config.trainer, "logger": False},
        max_epochs=config.training.epochs,
        default_root_dir=folder,
        callbacks=[
            *callbacks,
            GlobalDraws(config.seed),
            *averaging(config.training),
            EpochCheckpoints(folder / LAST.parent),
        ],
        plugins=[CheckpointFiles(as_read(config))],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        inference_mode=False,
    )


def _fit(trainer: lightning.Trainer, task: Task, data: lightning.LightningDataModule, checkpoint: Path | None) -> None:
    """Run the trainer; Lightning turns each interrupt into ``SystemExit``, which is turned back."""
    signals = next(callback for callback in trainer.callbacks if isinstance(callback, Signals))
    if trainer.world_size > 1:
        atexit.register(_leave_group)
    with signals:
        try:
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint)
        except SystemExit as leaving:
            if signals.number is not None:
                obey(signals.number)
            if isinstance(leaving, SIGTERMException):
                raise SystemExit(143) from leaving
            if isinstance(leaving.__context__, KeyboardInterrupt):
                raise leaving.__context__ from None
            raise
        except Exception as error:
            if isinstance(error, RuntimeError) and signals.number is not None and trainer.world_size > 1:
                obey(signals.number)  # the other ranks have obeyed already
            if checkpoint is not None and (damage := restoring_failed(error, checkpoint)) is not None:
                raise damage from error
            raise


def _leave_group() -> None:
    """Leave the group of ranks: the threads of one that is still there when the process ends can abort it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _conclude(
    task: Task, config: Config, folder: Path, trainer: lightning.Trainer, stage: StageProgress | None
) -> dict[str, float]:
    """Draw the run, and let a task that solves write its solution; return the metrics of the solution.

    The task has the weights of the last checkpoint: averaged ones where the run averages them.
    """
    from sciml.plots import training_history

    if trainer.world_size > 1:  # a strategy may have sharded the weights of the one at hand
        task = _prepared(config, folder)
    task.trainer = None  # as a task that is loaded from the folder
    restore(task, folder)
    task.listener = stage
    task.tell("drawing figures")
    figures = make_folder(folder / FIGURES)
    if len(rows := read_rows(folder / METRICS)) > 1:
        training_history(
            rows, figures / "history.png", units=task.units_of(rows[0])
        )  # a solution may draw a better one
    task.figures(figures)
    if not task.solves():
        return {}
    task.tell("writing the solution")
    with torch.no_grad():
        solved = task.to(trainer.strategy.root_device).solution(folder)
    return {name: float(value) for name, value in solved.items()}


def _finish(
    writer: RunFolder | None,
    config: Config,
    status: Status,
    rows: Rows,
    begin: float,
    solved: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write ``result.json``, the metrics of the solution first; return what is in it."""
    metrics = rows.last
    if not metrics:  # resumed after the last epoch, or diverged in the first one
        last = (read_rows(rows.path) or [{}])[-1]
        metrics = {name: float(value) for name, value in last.items() if "/" in name}
    metrics = {**(solved or {}), **metrics, **(solved or {})}  # the first in front, the last with their values
    if writer is None:
        return {"status": status, "metrics": metrics}
    changed = changes_in_effect(config, writer.path)
    return writer.finish(
        status,
        metrics,
        seed=config.seed,
        config=plain(config.values),
        seconds=rows.earlier + time.perf_counter() - begin,
        training_seconds=rows.seconds,
        epochs=config.training.epochs,
        **({"changed": changed} if changed else {}),
        peak_memory_bytes=_peak_memory(),
        peak_device_memory_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
    )


def _peak_memory() -> int | None:
    """Return the peak memory of this process in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the banners, tips and intended warnings of Lightning; those of other packages are left alone."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning(\.|$)")
        warnings.filterwarnings("ignore", category=lightning.pytorch.utilities.warnings.PossibleUserWarning)
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
