"""Configs: one YAML file with a task, its data and its training, or with a case to solve without data.

>>> config = load_config("configs/dcdm/box2d_cpu.yaml", ["training.phases.0.epochs=5"])   # doctest: +SKIP
>>> task, data = config.build_task(), config.build_data()                                  # doctest: +SKIP

A task that writes a solution or updates its weights itself needs no ``data``, and the latter no ``training``: what is
not given stays null in ``config.yaml``, so that the arguments of the task remain the only source.

The parameters of a class are its config keys, their annotations the types (:mod:`sciml.typed_values`), and only the
classes that :mod:`sciml.config_classes` lists can be named: a config is data, reading one runs nothing from outside.
Classes of a user's own come from files that the user gives beside the config (:mod:`sciml.user_modules`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.checks import whole_number
from sciml.config_classes import ClassList, shipped_classes
from sciml.config_errors import Where, shorten
from sciml.config_files import apply_overrides, find_config, read_yaml
from sciml.errors import InputError
from sciml.overrides import KEY, recorded, shown_title
from sciml.renamed import current_values
from sciml.training.citations import check_keys
from sciml.training.settings import Phase, Training
from sciml.training.trainer_settings import OWNED, TrainerSettings
from sciml.typed_values import TypedValues
from sciml.user_modules import load_modules
from sciml.weights import room_for

if TYPE_CHECKING:
    import lightning
    from torch import Tensor

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
    overridden: list[str] = field(default_factory=list)


HEADS, SECTIONS = tuple(Head.__dataclass_fields__), ("task", "data", "training", "trainer", "paper")


@dataclass(frozen=True)
class Config:
    """A config that has been checked, with all of its defaults.

    Parameters
    ----------
    title : of the run with the parameters that were overridden, for headers and tables
    seed : of all random numbers of the run
    training : phases, updates, clipping, weights of the loss terms
    trainer : keyword arguments of ``lightning.Trainer``
    paper : claim, source and numbers of the paper, None if there are none
    cite : keys of ``citations.bib``
    values : all of it, defaults included, as plain values: what ``config.yaml`` holds
    source : the file, for errors
    classes : that the config may name
    overrides : ``key=value`` with which the file was read; those of parameters are in the values, too
    stored : whether it is that of a run folder or of a card of weights, for which less is allowed than for one's own
    """

    title: str
    seed: int
    training: Training
    trainer: dict[str, Any]
    paper: dict[str, Any] | None
    cite: list[str]
    values: dict[str, Any]
    source: str
    classes: ClassList = field(default_factory=shipped_classes, repr=False)
    overrides: tuple[str, ...] = ()
    stored: bool = False

    @property
    def task_class(self) -> type[Task]:
        """Class that ``task.class_path`` names, imported."""
        return self._class("task")

    def build_task(self, tensors: Mapping[str, Tensor] | None = None) -> Task:
        """Return a new task in the precision of the trainer; its initial weights are a function of the seed.

        Parameters
        ----------
        tensors : the weights that the task will get, by name. The task of a stored config is built with a limit on what
            is allocated, which follows from them

        Raises
        ------
        CheckpointError
            If the task of a stored config would allocate more.
        ConfigError
            If its network would not fit into the memory when it is trained.
        """
        from sciml.numerics.allocation import fitting_parameters
        from sciml.numerics.random import seeded

        with seeded(self.seed), room_for(tensors or {}) if self.stored else fitting_parameters():
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
        typed = TypedValues(Where(self.source), self.classes)
        return typed.construct(self._class(key), self.values[key]["init_args"], f"{key}.init_args")

    def _class(self, key: str) -> type:
        path = self.values[key]["class_path"]
        return self.classes.find(Where(self.source), f"{key}.class_path", path, [_base(key)])


def load_config(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    modules: Sequence[str | Path] = (),
    classes: ClassList | None = None,
    stored: bool = False,
) -> Config:
    """Read and check a config.

    Parameters
    ----------
    path : a YAML file, or the name of a shipped config such as ``dcdm/box2d_cpu``
    overrides : ``key=value`` with dotted keys, such as ``"task.init_args.width=32"``, ``"training.phases.0.epochs=5"``
    modules : Python files with classes of a user's own that the config names; they are executed
    classes : that the config may name besides; by default those of sciml, which :meth:`ClassList.extended
        <sciml.config_classes.ClassList.extended>` adds classes to that are in memory
    stored : whether the file is that of a run folder; less is then allowed (:mod:`sciml.typed_values`)

    Raises
    ------
    ConfigError
        One sentence that names the file, the key and the nearest valid key.
    InputError
        If one of the modules cannot be executed.
    """
    path = find_config(path)
    given = read_yaml(path)
    values, changes = apply_overrides(given, overrides, str(path))
    if known := recorded(given, changes):
        values[KEY] = known
    return _config(values, Where(str(path), tuple(overrides), stored), modules, classes)


def config_from_values(
    values: Mapping[str, Any],
    source: str,
    *,
    modules: Sequence[str | Path] = (),
    classes: ClassList | None = None,
    stored: bool = False,
) -> Config:
    """Check a config that is a dictionary already, such as that of a finished run.

    Parameters
    ----------
    values : what a config file holds
    source : names it in errors
    modules, classes, stored : as :func:`load_config` takes them
    """
    return _config(values, Where(source, stored=stored), modules, classes)


def _config(
    values: Mapping[str, Any], where: Where, modules: Sequence[str | Path], classes: ClassList | None
) -> Config:
    values = {key: current_values(section) for key, section in values.items()}
    for key in values:
        if key not in (*HEADS, *SECTIONS, "modules"):
            raise where.no_key("", key, ["title", "seed", *SECTIONS, "cite"])
    own = load_modules(modules, values.get("modules"), where)
    typed = TypedValues(where, (classes or shipped_classes()).extended(own.classes(object)))
    _check_there(where, values, ("title", "task"))
    resolved = _head(typed, values)
    task_class, resolved["task"] = _section(typed, "task", values["task"])
    is_own = task_class.epochs_of is not None
    draws = is_own or task_class.solves()
    _check_there(where, values, [*([] if draws else ["data"]), *([] if is_own else ["training"])])
    given = values.get("data") is not None
    resolved["data"] = _section(typed, "data", values["data"])[1] if given else None
    training = _training(typed, task_class, values.get("training"), resolved["task"]["init_args"])
    resolved["training"] = None if values.get("training") is None else asdict(training)
    trainer = {} if values.get("trainer") is None else values["trainer"]
    resolved["trainer"] = _check_trainer(typed, trainer, task_class.precisions)
    if training.is_own:
        _check_one_process(where, task_class, resolved["trainer"])
    paper = values.get("paper")
    resolved["paper"] = None if paper is None else typed.check(Paper, paper, "paper")
    own.check_used(where, resolved)
    recorded_beside = {"modules": own.records()} if own else {}
    if resolved[KEY]:
        recorded_beside[KEY] = resolved[KEY]
    return Config(
        title=shown_title(resolved),
        seed=resolved["seed"],
        training=training,
        trainer=dict(resolved["trainer"]),
        paper=resolved["paper"],
        cite=list(resolved["cite"]),
        values={key: resolved[key] for key in ("title", "seed", *SECTIONS, "cite")} | recorded_beside,
        source=where.file,
        classes=typed.classes,
        overrides=where.overrides,
        stored=where.stored,
    )


def _head(typed: TypedValues, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that belong to no section, with their defaults."""
    head = typed.check(Head, {key: values[key] for key in HEADS if values.get(key) is not None}, "")
    if not 0 <= head["seed"] <= LARGEST_SEED:
        raise typed.where.error("seed", f"seed is {head['seed']}, expected a whole number from 0 to 2^63 - 1")
    check_keys(head["cite"], typed.where)
    return head


def _section(typed: TypedValues, key: str, values: Any) -> tuple[type, dict[str, Any]]:
    """Return the class of ``task`` or ``data`` and the section with all its parameters."""
    if not isinstance(values, Mapping):
        raise typed.where.error(key, f"{key} is {shorten(values)}, expected class_path and init_args")
    section = typed.check_named([_base(key)], values, key)
    cls = typed.classes.find(typed.where, f"{key}.class_path", section["class_path"], [_base(key)])
    return cls, {**section, "init_args": section.get("init_args", {})}


def _training(typed: TypedValues, task_class: type[Task], values: Any, arguments: Mapping[str, Any]) -> Training:
    """Return the training settings; those of a task that updates its weights itself follow from its arguments."""
    where, given = typed.where, None
    if values is not None:
        given = typed.construct(Training, typed.check(Training, values, "training"), "training")
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


def _base(key: str) -> type:
    """Return the class that the class of ``task`` or ``data`` inherits from."""
    if key == "task":
        return _task()
    import lightning

    return lightning.LightningDataModule


def _check_trainer(typed: TypedValues, values: Any, precisions: Sequence[str]) -> dict[str, Any]:
    where = typed.where
    for key in values if isinstance(values, Mapping) else ():
        if key in OWNED:
            raise where.error(f"trainer.{key}", f"trainer.{key} is not for a config: {OWNED[key]}")
    if isinstance(values, Mapping):
        values = {"precision": precisions[0], **values}
        key, precision = "trainer.precision", values["precision"]
        if precision not in precisions:
            raise where.error(key, f"{key} is {shorten(precision)}, but the task allows {' or '.join(precisions)}")
    return typed.check(TrainerSettings, values, "trainer")
