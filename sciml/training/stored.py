"""Tasks from disk: with the weights of a run, or with published ones."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sciml import __version__, weights
from sciml.atomic import write_text
from sciml.checks import finite
from sciml.commands import published
from sciml.errors import CheckpointError, ConfigError, InputError
from sciml.overrides import KEY, recorded
from sciml.run_folder import plain
from sciml.run_records import read_environment, read_result
from sciml.status import Status
from sciml.tables import counted
from sciml.training.checkpoints import completed_epochs, read_checkpoint
from sciml.training.config import Config, config_from_values
from sciml.training.resuming import CONFIG, read_config
from sciml.training.task import StageProgress, Task

LAST = Path("checkpoints/last.ckpt")
EVALUATION = "evaluation.json"
PROTECTED = (errno.EACCES, errno.EPERM, errno.EROFS)  # of a folder that may be read and not written


def load_task(path: str | Path, *, modules: Sequence[str | Path] = ()) -> Task:
    """Return the trained task, on the CPU and in evaluation mode.

    Parameters
    ----------
    path : the folder of a run, whose ``last.ckpt`` is taken; one of its checkpoints; or published weights
        ``NAME.safetensors`` beside ``NAME.yaml``. Where a run averaged its weights, they are the averaged ones
    modules : Python files with the classes of a user's own that the config names; they are executed

    Raises
    ------
    CheckpointError
        If there are no weights, they are damaged, or they are those of something else.
    ConfigError
        If the config names files that are not given, or have changed.
    """
    return load_with_config(path, modules=modules)[0]


def evaluate(
    path: str | Path,
    data_path: str | Path | None = None,
    *,
    modules: Sequence[str | Path] = (),
    stage: StageProgress | None = None,
) -> dict[str, float]:
    """Return the metrics of ``Task.evaluate``, the headline error first; a run keeps them in ``evaluation.json``.

    A folder that may not be written only lacks that file.

    Parameters
    ----------
    path : as :func:`load_task` takes it
    data_path : another file for ``data.init_args.path``; by default the data of the run
    modules : as :func:`load_task` takes them
    stage : called with the name of each stage of the evaluation and the fraction of it that is done, or None
    """
    return measure(path, data_path, modules=modules, stage=stage).metrics


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a task, with what they were measured on.

    Attributes
    ----------
    metrics : by name
    config : with the data
    samples : their number in words, such as ``500 pairs``; None where the metrics are no means over samples
    notes : for the reader
    """

    metrics: dict[str, float]
    config: Config
    samples: str | None = None
    notes: tuple[str, ...] = ()


def measure(
    path: str | Path,
    data_path: str | Path | None = None,
    *,
    modules: Sequence[str | Path] = (),
    stage: StageProgress | None = None,
) -> Evaluation:
    """Return the metrics as :func:`evaluate` does, and what they were measured with."""
    path = Path(path)
    task, config = load_with_config(path, data_path, modules)
    task.listener = stage
    data = config.build_data()
    data.prepare_data()
    metrics = {name: float(value) for name, value in task.evaluate(data).items()}
    progress, notes = unfinished(task, config), []
    if progress is not None:
        notes.append(f"{path} is {progress}")
    if path.is_dir():
        result = {"metrics": metrics, "samples": task.evaluated, "units": task.units_of(metrics)}
        result |= {"data": None if data_path is None else str(data_path), "version": __version__}
        text = json.dumps(plain(result), indent=2, allow_nan=False)
        try:
            write_text(path / EVALUATION, text + "\n", durable=True)
        except OSError as error:  # the folder of somebody else
            if error.errno not in PROTECTED:
                raise
            notes.append(f"{path / EVALUATION} could not be written: {error.strerror}")
    samples = None if task.evaluated is None else counted(task.evaluated, task.sample_name)
    return Evaluation(metrics, config, samples, tuple(notes))


def unfinished(task: Task, config: Config) -> str | None:
    """Return how far the run has got that a task was loaded from, in words; None if it has finished."""
    done, epochs = task.completed_epochs, config.training.epochs
    if done is None or done >= epochs:
        return None
    return f"not finished: {done} of {counted(epochs, 'step' if config.training.is_own else 'epoch')}"


def export_weights(
    folder: str | Path, path: str | Path, *, modules: Sequence[str | Path] = (), half: bool = False
) -> weights.Card:
    """Publish the weights of a run: ``NAME.safetensors``, and ``NAME.yaml`` with all that made them; return the card.

    Parameters
    ----------
    folder : of a finished run
    path : ``NAME.safetensors``; its folder exists
    modules : as :func:`load_task` takes them
    half : whether numbers of single precision are written in half of it, rounded to 3 digits, for half the size; those
        of double precision, such as scales of data, stay as they are

    Raises
    ------
    InputError
        If the run has not finished, the name has another ending, or a number is too large for half precision.
    """
    folder, path = Path(folder), Path(path)
    result, environment = read_result(folder), read_environment(folder)
    if result is None or environment is None:
        raise InputError(f"{folder} holds no finished run; train it to the end first.")
    if result.status != Status.FINISHED:
        raise InputError(f"the run in {folder} is {result.status}, expected a finished one.")
    stored = _read(folder)
    _, config = _built(stored, stored.values, folder, modules)  # whatever does not fit is found here
    if stored.completed_epochs not in (None, config.training.epochs):
        raise InputError(
            f"{folder / LAST} is that of {stored.completed_epochs} of {config.training.epochs} epochs, expected "
            "the last one; resume the run."
        )
    return weights.publish(
        path,
        _halved(stored.tensors) if half else stored.tensors,
        config=stored.values,
        command=published(environment.command),
        commit=environment.commit,
        version=result.version,
        metrics=result.metrics,
        seconds=result.training_seconds,
    )


def _halved(tensors: dict[str, Any]) -> dict[str, Any]:
    """Return tensors of which those of single precision are in half of it."""
    import torch

    found = {name: each.half() if each.dtype == torch.float32 else each for name, each in tensors.items()}
    for name, each in found.items():
        finite(f"{name} in half precision", each, remedy="export it in single precision")
    return found


def restore(task: Task, folder: Path) -> Task:
    """Give a task the weights of the last checkpoint of a run, and evaluation mode; return it."""
    checkpoint = read_checkpoint(folder / LAST)
    task.loaded_from, task.completed_epochs = folder, completed_epochs(checkpoint)
    weights.assign(task, checkpoint["state_dict"], folder / LAST)
    return task.eval()


def load_with_config(
    path: str | Path, data_path: str | Path | None = None, modules: Sequence[str | Path] = ()
) -> tuple[Task, Config]:
    """Return the task as :func:`load_task` does, and its config, with other data if a file is given."""
    path = Path(path)
    stored = _read(path)
    values = stored.values if data_path is None else _with_data(stored.values, data_path)
    return _built(stored, values, path, modules)


def _built(stored: _Stored, values: dict[str, Any], path: Path, modules: Sequence[str | Path]) -> tuple[Task, Config]:
    """Return the task that a config describes, with the stored weights, and the config, checked as a stored one."""
    try:
        config = config_from_values(values, stored.source, modules=modules, stored=True)
        task = config.build_task(stored.tensors)
    except (ConfigError, CheckpointError) as error:
        if stored.folder is None or isinstance(error, CheckpointError):
            raise CheckpointError(f"{path} cannot be used: {error}") from error
        raise
    task.prepare(config.training, config.seed)
    task.loaded_from, task.completed_epochs = stored.folder, stored.completed_epochs
    weights.assign(task, stored.tensors, path)
    return task.eval(), config


@dataclass(frozen=True)
class _Stored:
    """What a run folder or published weights hold.

    Parameters
    ----------
    values, source : the config as it was written, and the file
    tensors : of the task
    folder, completed_epochs : of a run, None otherwise
    """

    values: dict[str, Any]
    source: str
    tensors: dict[str, Any]
    folder: Path | None = None
    completed_epochs: int | None = None


def _read(path: Path) -> _Stored:
    """Read a run folder, a checkpoint in one, or published weights."""
    if path.suffix == weights.ENDING:
        card = weights.read_card(path)
        return _Stored(card.config, str(card.path), weights.read_tensors(path, card))
    file = path / LAST if path.is_dir() else path
    folder = file.parent.parent
    if not file.exists() and not (folder / CONFIG).exists():
        raise CheckpointError(f"{path} is not a run: there is no {folder / CONFIG}; train one with 'sciml train'.")
    checkpoint = read_checkpoint(file)
    values = read_config(folder, checkpoint, file)
    return _Stored(values, str(folder / CONFIG), checkpoint["state_dict"], folder, completed_epochs(checkpoint))


def _with_data(values: dict[str, Any], path: str | Path) -> dict[str, Any]:
    """Return a config whose data lie in another file."""
    section = values.get("data")
    if section is None:
        task = values["task"]["class_path"].rpartition(".")[2]
        raise InputError(f"{task} draws its points itself, so there are no other data to evaluate on.")
    if "path" not in section["init_args"]:
        raise InputError(f"{section['class_path']} takes no path, so there are no other data to evaluate on.")
    data = {**section, "init_args": {**section["init_args"], "path": str(path)}}
    return {**values, "data": data, KEY: recorded(values, [f"data.init_args.path={path}"])}
