"""Tasks from disk: the weights of a run, and those that sciml ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning
import yaml

from sciml import __version__
from sciml.errors import CheckpointError, ConfigError, InputError
from sciml.status import Status
from sciml.training.checkpoints import load_weights, read_checkpoint, read_weights, write_file, write_weights
from sciml.training.config import Config, config_from_values
from sciml.training.config_files import read_yaml
from sciml.training.task import Task

CONFIG, LAST = "config.yaml", Path("checkpoints/last.ckpt")


def load_task(path: str | Path) -> Task:
    """Return the trained task, on the CPU and in evaluation mode.

    Parameters
    ----------
    path : the folder of a run, whose ``last.ckpt`` is taken; one of its checkpoints; or published weights
        ``NAME.safetensors`` beside ``NAME.yaml``. Where a run averaged its weights, they are the averaged ones

    Raises
    ------
    CheckpointError
        If there are no weights, they are damaged, or they are those of something else.
    """
    return _load(Path(path))[0]


def evaluate(path: str | Path, data_path: str | Path | None = None) -> dict[str, float]:
    """Return what ``Task.evaluate`` measures, the headline error first; a run's folder keeps it in ``evaluation.json``.

    Parameters
    ----------
    path : as :func:`load_task` takes it
    data_path : another file for ``data.init_args.path``; the data of the run unless given
    """
    path = Path(path)
    task, config = _load(path)
    data = _data(config, data_path)
    data.prepare_data()
    metrics = {name: float(value) for name, value in task.evaluate(data).items()}
    if path.is_dir():
        result = {"metrics": metrics, "data": None if data_path is None else str(data_path), "version": __version__}
        write_file(path / "evaluation.json", (json.dumps(result, indent=2) + "\n").encode())
    return metrics


def export_weights(folder: str | Path, path: str | Path) -> None:
    """Publish the weights of a run: ``NAME.safetensors``, and ``NAME.yaml`` with all that made them.

    Parameters
    ----------
    folder : of a finished run
    path : ``NAME.safetensors``; its folder exists

    Raises
    ------
    InputError
        If the run has not finished or the name has another ending.
    """
    folder, path = Path(folder), Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"{path} ends with {path.suffix!r}, expected .safetensors.")
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no finished run; train it to the end first.") from error
    if result["status"] != Status.FINISHED:
        raise InputError(f"the run in {folder} is {result['status']}, expected a finished one.")
    weights = read_checkpoint(folder / LAST)["state_dict"]
    card = {
        "config": read_yaml(folder / CONFIG),
        "command": environment["command"],
        "commit": environment.get("commit"),
        "version": result["version"],
        "metrics": result["metrics"],
        "seconds": result["seconds"],
        "sha256": write_weights(weights, path),
    }
    write_file(path.with_suffix(".yaml"), yaml.safe_dump(card, sort_keys=False, allow_unicode=True).encode())


def _load(path: Path) -> tuple[Task, Config]:
    if path.suffix == ".safetensors":
        return _load_published(path)
    file = path / LAST if path.is_dir() else path
    config_file = file.parent.parent / CONFIG
    if not file.exists() and not config_file.exists():
        raise CheckpointError(f"{path} is no run: there is no {config_file}; train one with 'sciml train'.")
    checkpoint = read_checkpoint(file)
    config = config_from_values(read_yaml(config_file), str(config_file))
    task = _build(config, checkpoint["state_dict"], file)
    task.loaded_from = file.parent.parent
    return task, config


def _load_published(path: Path) -> tuple[Task, Config]:
    card_file = path.with_suffix(".yaml")
    try:
        card = read_yaml(card_file)
        config = config_from_values(card["config"], str(card_file))
        weights = read_weights(path, card.get("sha256"))
    except ConfigError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error
    except (KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{card_file} does not describe weights, expected a config and a checksum.") from error
    return _build(config, weights, path), config


def _build(config: Config, weights: dict[str, Any], file: Path) -> Task:
    task = config.build_task()
    task.prepare(config.training, config.seed)
    load_weights(task, weights, file)
    return task.eval()


def _data(config: Config, path: str | Path | None) -> lightning.LightningDataModule:
    if path is None:
        return config.build_data()
    section = config.values["data"]
    if section is None:
        raise InputError(
            f"{config.task_class.__name__} draws its points itself, so there is no other data to evaluate on."
        )
    if "path" not in section["init_args"]:
        raise InputError(f"{section['class_path']} takes no path, so there is no other data to evaluate on.")
    data = {**section, "init_args": {**section["init_args"], "path": str(path)}}
    return config_from_values({**config.values, "data": data}, config.source).build_data()
