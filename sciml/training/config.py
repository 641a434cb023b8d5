"""Configs: one YAML file that says which task learns from which data, and how.

>>> config = load_config("configs/dcdm/box_2d_cpu.yaml", ["training.phases.0.epochs=5"])   # doctest: +SKIP
>>> task, data = config.build_task(), config.build_data()                                  # doctest: +SKIP

The parameters of a class are its config keys. Types are checked against the annotations by jsonargparse; keys that do
not exist, and classes from outside, are found here first, because then the sentence can say which key was meant.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from sciml.errors import ConfigError, InputError, SciMLError
from sciml.training.citations import read_citations
from sciml.training.config_errors import Where, did_you_mean, in_words, shorten
from sciml.training.config_files import apply_overrides, find_config, read_yaml
from sciml.training.settings import Training
from sciml.training.trainer_settings import OWNED, TrainerSettings

if TYPE_CHECKING:
    import jsonargparse
    import lightning

    from sciml.training.task import Task

ROOTS = ("sciml", "torch", "lightning")  # importing is running code, so a config may import only from these
LARGEST_SEED = 2**63 - 1
_PLAIN = (str, int, float, bool, types.NoneType, list, tuple, dict, Mapping, Sequence)


@dataclass(frozen=True)
class Paper:
    """What the paper says about the case of a config.

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
    """The keys of a config that are no class of their own; they are checked like those of a class."""

    title: str
    seed: int = 0
    cite: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Config:
    """A checked config.

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

    def build_task(self) -> Task:
        """Return a new task; its initial weights are a function of the seed."""
        from sciml.numerics.random import seeded

        with seeded(self.seed):
            return self._build("task")

    def build_data(self) -> lightning.LightningDataModule:
        """Return a new data module."""
        return self._build("data")

    def _build(self, key: str) -> Any:
        section = self.values[key]
        where = Where(self.source)
        cls = import_class(where, f"{key}.class_path", section["class_path"])
        return _construct(where, cls, section["init_args"], f"{key}.init_args")


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
    heads = list(Head.__dataclass_fields__)
    sections = ["task", "data", "training", "trainer", "paper"]
    for key in values:
        if key not in (*heads, *sections):
            raise where.no_key("", key, ["title", "seed", *sections, "cite"])
    for key in ("title", "task", "data", "training"):
        if values.get(key) is None:
            raise where.error(key, f"{key} is missing; add it")
    resolved = check(where, Head, {key: values[key] for key in heads if values.get(key) is not None}, "")
    if not 0 <= resolved["seed"] <= LARGEST_SEED:
        raise where.error("seed", f"seed is {resolved['seed']}, expected a whole number from 0 to 2^63 - 1")
    _check_citations(where, resolved["cite"])
    task_class, resolved["task"] = _section(where, "task", values["task"])
    _, resolved["data"] = _section(where, "data", values["data"])
    resolved["training"] = check(where, Training, values["training"], "training")
    trainer = {} if values.get("trainer") is None else values["trainer"]
    resolved["trainer"] = _check_trainer(where, trainer, task_class.precisions)
    paper = values.get("paper")
    resolved["paper"] = None if paper is None else check(where, Paper, paper, "paper")
    return Config(
        title=resolved["title"],
        seed=resolved["seed"],
        training=_construct(where, Training, resolved["training"], "training"),
        trainer=dict(resolved["trainer"]),
        paper=resolved["paper"],
        cite=list(resolved["cite"]),
        values={key: resolved[key] for key in ("title", "seed", *sections, "cite")},
        source=where.file,
    )


def _section(where: Where, key: str, values: Any) -> tuple[type, dict[str, Any]]:
    """Return the class of ``task`` or ``data`` and the section with all its parameters."""
    import lightning

    from sciml.training.task import Task

    base = {"task": Task, "data": lightning.LightningDataModule}[key]
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


def _check_trainer(where: Where, values: Any, precisions: Sequence[str]) -> dict[str, Any]:
    for key in values if isinstance(values, Mapping) else ():
        if key in OWNED:
            raise where.error(f"trainer.{key}", f"trainer.{key} is not for a config: {OWNED[key]}")
    resolved = check(where, TrainerSettings, values, "trainer")
    if resolved["precision"] not in precisions:
        key, allowed = "trainer.precision", " or ".join(precisions)
        raise where.error(key, f"{key} is {resolved['precision']!r}, expected {allowed}, which is what the task allows")
    return resolved


def _check_citations(where: Where, keys: Sequence[str]) -> None:
    known = read_citations()
    for key in keys:
        if key not in known:
            raise where.error("cite", f"cite names {key!r}, which sciml/citations.bib lacks{did_you_mean(key, known)}")


def import_class(where: Where, key: str, path: Any) -> type:
    """Return the class that a config names.

    Raises
    ------
    ConfigError
        If the name is none, lies outside :data:`ROOTS`, or does not exist.
    """
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
        raise where.error(key, f"{key} is {shorten(path)}, expected a class such as sciml.dcdm.DirectionTask")
    if path.partition(".")[0] not in ROOTS:
        raise where.error(key, f"{key} is {path}, expected a class of {', '.join(ROOTS)}: a config imports nothing else")
    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise where.error(key, f"{key} is {path}, a package; expected a class of it")
    module = _import_module(where, key, path, module_name)
    found = getattr(module, name, None)
    if not isinstance(found, type):
        names = getattr(module, "__all__", dir(module))
        classes = [one for one in names if isinstance(getattr(module, one, None), type)]
        raise where.error(key, f"{key} is {path}, but {module_name} has no class {name!r}{did_you_mean(name, classes)}")
    return found


def _import_module(where: Where, key: str, path: str, name: str) -> types.ModuleType:
    """Import step by step, so that the sentence can name the step that does not exist."""
    parent = importlib.import_module(name.partition(".")[0])
    for step in name.split(".")[1:]:
        full = f"{parent.__name__}.{step}"
        try:
            parent = importlib.import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
            inside = [module.name for module in pkgutil.iter_modules(getattr(parent, "__path__", []))]
            near = did_you_mean(step, [one for one in inside if not one.startswith("_")])
            raise where.error(key, f"{key} is {path}, but {parent.__name__} has no module {step!r}{near}") from None
    return parent


def check(where: Where, cls: type, values: Any, key: str) -> dict[str, Any]:
    """Check values against the constructor of a class and return them plain, with every default filled in.

    Parameters
    ----------
    where : the source, for errors
    cls : its ``__init__`` parameters are the valid keys, their annotations the types
    values : a mapping of parameters to plain values
    key : the dotted key of the mapping itself
    """
    parser, names = _parser(cls)
    if not isinstance(values, Mapping):
        raise where.error(key, f"{key} is {shorten(values)}, expected a mapping with keys such as {', '.join(names[:4])}")
    hints = get_type_hints(cls if is_dataclass(cls) else cls.__init__)
    for name, value in values.items():
        if name not in names:
            raise where.no_key(key, name, names)
        _check_inside(where, hints.get(name, Any), value, f"{key}.{name}".lstrip("."))
    parsed = _parse(where, parser, dict(values), hints, key)
    return _plain(where, parsed, key)


def _check_inside(where: Where, hint: Any, value: Any, key: str) -> None:
    """Check what lies inside one value, so that the sentence names the innermost key; and let no string import."""
    if isinstance(value, Mapping):
        if "class_path" in value:
            import_class(where, f"{key}.class_path", value["class_path"])
        kinds = [part for part in _parts(hint) if is_dataclass(part)]
        if kinds:
            check(where, kinds[0], value, key)
            return
        for name, item in value.items():
            _check_inside(where, _inner(hint), item, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_inside(where, _inner(hint), item, f"{key}.{number}")
    elif isinstance(value, str) and "." in value and any(map(_is_object, _parts(hint))):
        import_class(where, key, value)


def _parts(hint: Any) -> list[Any]:
    """The members of a union, or the annotation itself."""
    if get_origin(hint) in (Union, types.UnionType):
        return [part for member in get_args(hint) for part in _parts(member)]
    return [hint]


def _inner(hint: Any) -> Any:
    """What an annotation says about the items of a list or the values of a mapping."""
    inner = [
        member
        for part in _parts(hint)
        for member in (get_args(part)[1:] if get_origin(part) in (dict, Mapping) else get_args(part))
        if member is not Ellipsis and get_origin(part) is not Literal
    ]
    return Union[tuple(inner)] if inner else Any  # noqa: UP007 - made of a tuple


def _is_object(hint: Any) -> bool:
    """Whether jsonargparse would import what a string names."""
    kind = get_origin(hint) or hint
    if kind is Any or kind is Literal:
        return False
    return not (isinstance(kind, type) and issubclass(kind, (*_PLAIN, PurePath, Enum)))


def _parser(cls: type) -> tuple[jsonargparse.ArgumentParser, list[str]]:
    """A parser of the constructor of a class, and the names of its parameters."""
    import jsonargparse

    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    added = parser.add_class_arguments(cls, "it", fail_untyped=True)
    return parser, list(dict.fromkeys(name.split(".")[1] for name in added))


def _parse(
    where: Where, parser: jsonargparse.ArgumentParser, values: dict[str, Any], hints: Mapping[str, Any], key: str
) -> Any:
    """Let jsonargparse check the types; its errors name the key, ours say what was expected."""
    import jsonargparse

    try:
        return parser.parse_object({"it": values})["it"]
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        for name, value in values.items():
            if f'"it.{name}"' in str(error):
                raise where.wrong_type(f"{key}.{name}".lstrip("."), value, hints.get(name, Any)) from error
        required = str(error).partition("are required: ")[2].split(",")
        for name in (word.strip().removeprefix("it.") for word in required if word.strip()):
            full = f"{key}.{name}".lstrip(".")
            raise where.error(full, f"{full} is missing, expected {in_words(hints.get(name, Any))}") from error
        raise where.error(key, f"{key} does not fit: {' '.join(str(error).split())[:200]}") from error


def _construct(where: Where, cls: type, values: Mapping[str, Any], key: str) -> Any:
    """Call the constructor with checked values; what it refuses is an error of the config."""
    parser, _ = _parser(cls)
    parsed = parser.parse_object({"it": dict(values)})
    try:
        return parser.instantiate(parsed)["it"]
    except ConfigError as error:
        raise where.error(key, f"{key}: {str(error).rstrip('.')}") from error
    except InputError as error:
        raise where.error(key, f"{key}: {str(error).rstrip('.')}") from error
    except SciMLError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise where.error(key, f"{key} is refused by {cls.__name__}: {error}") from error


def _plain(where: Where, value: Any, key: str) -> Any:
    """Return a parsed value as YAML knows it."""
    if hasattr(value, "as_dict"):  # a Namespace
        value = value.as_dict()
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(where, item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(where, item, f"{key}.{number}") for number, item in enumerate(value)]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise where.error(key, f"{key} is a {type(value).__name__}, which a file cannot hold; expected plain values")
