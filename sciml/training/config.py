"""Configs: one YAML file with a task, its data and its training, or with a case to solve without data.

>>> config = load_config("configs/dcdm/box_2d_cpu.yaml", ["training.phases.0.epochs=5"])   # doctest: +SKIP
>>> task, data = config.build_task(), config.build_data()                                  # doctest: +SKIP

A task that writes a solution or updates its weights itself needs no ``data``, and the latter no ``training``: what is
not given stays null in ``config.yaml``, so that the arguments of the task remain the only source.

The parameters of a class are its config keys. Types are checked against the annotations by jsonargparse; keys that do
not exist, and classes from outside, are found here first, because then the sentence can say which key was meant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.checks import whole_number
from sciml.config_errors import Where, shorten
from sciml.config_files import apply_overrides, find_config, read_yaml
from sciml.errors import InputError
from sciml.renamed import current_values
from sciml.training.citations import check_keys
from sciml.training.constructors import check, construct, import_class
from sciml.training.settings import Phase, Training
from sciml.training.trainer_settings import OWNED, TrainerSettings

if TYPE_CHECKING:
    import lightning

    from sciml.training.task import Task

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Paper:
    """The claim of the paper about the case of a config.

    Parameters
    ----------
    claim : in words
    source : paper and table or figure
    metrics : the paper's numbers, by the names of our metrics
    """

    claim: str
    source: str
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Head:
    """The keys of a config that belong to no section; they are checked like those of a class."""

    title: str
    seed: int = 0
    cite: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Config:
    """A config that has been checked, with all of its defaults.

    Parameters
    ----------
    title : of the run, for headers and tables
    seed : of all random numbers of the run
    training : phases, updates, clipping, weights of the loss terms
    trainer : keyword arguments of ``lightning.Trainer``
    paper : claim, source and numbers of the paper, None if there are none
    cite : keys of ``citations.bib``
    values : all of it, defaults included, as plain values: what ``config.yaml`` holds
    source : the file, for errors
    """

    title: str
    seed: int
    training: Training
    trainer: dict[str, Any]
    paper: dict[str, Any] | None
    cite: list[str]
    values: dict[str, Any]
    source: str

    @property
    def task_class(self) -> type[Task]:
        """Class of the task, imported from its dotted path."""
        return import_class(Where(self.source), "task.class_path", self.values["task"]["class_path"])

    def build_task(self) -> Task:
        """Return a new task in the precision of the trainer; its initial weights are a function of the seed."""
        from sciml.numerics.random import seeded

        with seeded(self.seed):
            task = self._build("task")
        # The trainer would do it too late: it loads a checkpoint first, and would cut its weights down to 32 bits.
        return task.double() if self.trainer["precision"] == "64-true" else task

    def build_data(self) -> lightning.LightningDataModule:
        """Return a new data module; for a task that draws its points itself, one batch in each epoch."""
        if self.values["data"] is None:
            from sciml.data.modules import Draws

            return Draws(1, validation_batches=int(self.task_class.validate is not _task().validate))
        return self._build("data")

    def _build(self, key: str) -> Any:
        section = self.values[key]
        where = Where(self.source)
        cls = import_class(where, f"{key}.class_path", section["class_path"])
        return construct(where, cls, section["init_args"], f"{key}.init_args")


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check a config.

    Parameters
    ----------
    path : a YAML file, or the name of a shipped config such as ``dcdm/box_2d_cpu``
    overrides : ``key=value`` with dotted keys, such as ``"task.init_args.width=32"``, ``"training.phases.0.epochs=5"``

    Raises
    ------
    ConfigError
        One sentence that names the file, the key and the nearest valid key.
    """
    path = find_config(path)
    values = apply_overrides(read_yaml(path), overrides, str(path))
    return _config(values, Where(str(path), tuple(overrides)))


def config_from_values(values: Mapping[str, Any], source: str) -> Config:
    """Check a config that is a dictionary already, such as that of a finished run; ``source`` names it in errors."""
    return _config(values, Where(source))


def _config(values: Mapping[str, Any], where: Where) -> Config:
    values = {key: current_values(section) for key, section in values.items()}
    heads = list(Head.__dataclass_fields__)
    sections = ["task", "data", "training", "trainer", "paper"]
    for key in values:
        if key not in (*heads, *sections):
            raise where.no_key("", key, ["title", "seed", *sections, "cite"])
    _check_there(where, values, ("title", "task"))
    resolved = check(where, Head, {key: values[key] for key in heads if values.get(key) is not None}, "")
    if not 0 <= resolved["seed"] <= LARGEST_SEED:
        raise where.error("seed", f"seed is {resolved['seed']}, expected a whole number from 0 to 2^63 - 1")
    check_keys(resolved["cite"], where)
    task_class, resolved["task"] = _section(where, "task", values["task"])
    is_own = task_class.epochs_of is not None
    draws = is_own or task_class.solves()
    _check_there(where, values, [*([] if draws else ["data"]), *([] if is_own else ["training"])])
    given = values.get("data") is not None
    resolved["data"] = _section(where, "data", values["data"])[1] if given else None
    training = _training(where, task_class, values.get("training"), resolved["task"]["init_args"])
    resolved["training"] = None if values.get("training") is None else asdict(training)
    trainer = {} if values.get("trainer") is None else values["trainer"]
    resolved["trainer"] = _check_trainer(where, trainer, task_class.precisions)
    if training.is_own:
        _check_one_process(where, task_class, resolved["trainer"])
    paper = values.get("paper")
    resolved["paper"] = None if paper is None else check(where, Paper, paper, "paper")
    return Config(
        title=resolved["title"],
        seed=resolved["seed"],
        training=training,
        trainer=dict(resolved["trainer"]),
        paper=resolved["paper"],
        cite=list(resolved["cite"]),
        values={key: resolved[key] for key in ("title", "seed", *sections, "cite")},
        source=where.file,
    )


def _section(where: Where, key: str, values: Any) -> tuple[type, dict[str, Any]]:
    """Return the class of ``task`` or ``data`` and the section with all its parameters."""
    import lightning

    base = {"task": _task(), "data": lightning.LightningDataModule}[key]
    if not isinstance(values, Mapping):
        raise where.error(key, f"{key} is {shorten(values)}, expected class_path and init_args")
    for name in values:
        if name not in ("class_path", "init_args"):
            raise where.no_key(key, name, ["class_path", "init_args"])
    if "class_path" not in values:
        raise where.error(key, f"{key}.class_path is missing, expected a class such as sciml.dcdm.DirectionTask")
    path = values["class_path"]
    cls = import_class(where, f"{key}.class_path", path)
    if not issubclass(cls, base):
        raise where.error(f"{key}.class_path", f"{key}.class_path is {path}, expected a {base.__name__}")
    arguments = {} if values.get("init_args") is None else values["init_args"]
    return cls, {"class_path": path, "init_args": check(where, cls, arguments, f"{key}.init_args")}


def _training(where: Where, task_class: type[Task], values: Any, arguments: Mapping[str, Any]) -> Training:
    """Return the training settings; those of a task that updates its weights itself follow from its arguments."""
    given = None
    if values is not None:
        given = construct(where, Training, check(where, Training, values, "training"), "training")
    name = task_class.__name__
    if task_class.epochs_of is None:
        if given.is_own and task_class.advance is _task().advance:
            reason = f"training.phases has the optimizer none, but {name} does not update its weights itself"
            raise where.error("training.phases", f"{reason}; name another one")
        return given
    factors = [task_class.epochs_of] if isinstance(task_class.epochs_of, str) else task_class.epochs_of
    keys = [f"task.init_args.{factor}" for factor in factors]
    counts = [arguments[factor] for factor in factors]
    for key, count in zip(keys, counts, strict=True):
        try:
            whole_number(key, count, at_least=1)
        except InputError as error:
            raise where.error(key, str(error).removesuffix(".")) from None
    epochs, key = math.prod(counts), " times ".join(keys)
    if given is not None and (not given.is_own or given.epochs != epochs):
        reason = f"{given.epochs} epochs, but {key} is {epochs}"
        if not given.is_own:
            reason = f"the optimizer {given.phases[0].optimizer}, but {name} updates its weights itself"
        raise where.error("training", f"training has {reason}; leave training out")
    return given or Training([Phase(epochs, "none")])


def _check_one_process(where: Where, task_class: type[Task], trainer: Mapping[str, Any]) -> None:
    """Refuse several ranks: nothing averages what a task does to its weights itself."""
    devices = trainer["devices"]
    several = {
        "devices": len(devices) > 1 if isinstance(devices, list) else devices not in (1, "auto"),
        "num_nodes": trainer["num_nodes"] > 1,
    }
    for name in (name for name, too_many in several.items() if too_many):
        reason = f"{task_class.__name__} updates its weights itself, in one process"
        raise where.error(f"trainer.{name}", f"trainer.{name} is {shorten(trainer[name])}, but {reason}; leave it out")


def _check_there(where: Where, values: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in keys:
        if values.get(key) is None:
            raise where.error(key, f"{key} is missing; add it")


def _task() -> type[Task]:
    """Return the base class, imported late because Lightning is slow to import."""
    from sciml.training.task import Task

    return Task


def _check_trainer(where: Where, values: Any, precisions: Sequence[str]) -> dict[str, Any]:
    for key in values if isinstance(values, Mapping) else ():
        if key in OWNED:
            raise where.error(f"trainer.{key}", f"trainer.{key} is not for a config: {OWNED[key]}")
    if isinstance(values, Mapping):
        values = {"precision": precisions[0], **values}
        key, precision = "trainer.precision", values["precision"]
        if precision not in precisions:
            raise where.error(key, f"{key} is {shorten(precision)}, but the task allows {' or '.join(precisions)}")
    return check(where, TrainerSettings, values, "trainer")
