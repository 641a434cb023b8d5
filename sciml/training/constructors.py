"""Constructors and the plain values of a config: checked against the annotations, then called.

Types are checked by jsonargparse. Keys that do not exist, and classes from outside, are found here first, because then
the sentence can say which key was meant, and because importing is running code.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from sciml.config_errors import Where, did_you_mean, in_words, members, shorten
from sciml.errors import InputError, SciMLError

if TYPE_CHECKING:
    import jsonargparse

    _Parser = tuple[jsonargparse.ArgumentParser, list[str]]

ROOTS = ("sciml", "torch", "lightning")  # importing is running code, so a config may import only from these
_PLAIN = (str, int, float, bool, types.NoneType, list, tuple, dict, Mapping, Sequence)


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
        raise where.error(key, f"{key} is {path}, but a config imports only from {', '.join(ROOTS)}")
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
    made = _parser(cls)
    names = made[1]
    if not isinstance(values, Mapping):
        raise where.error(key, f"{key} is {shorten(values)}, expected keys such as {', '.join(names[:4])}")
    hints = get_type_hints(cls if is_dataclass(cls) else cls.__init__)
    return _checked(where, made, values, hints, key)


def check_call(
    where: Where, function: Callable[..., Any], values: Mapping[str, Any], skip: Collection[str] = ()
) -> dict[str, Any]:
    """Check values against the parameters of a function and return them plain, with every default filled in.

    Parameters
    ----------
    where : the source, for errors
    function : also one of a class
    values : by the names of the parameters; a parameter that has neither a value nor a default is an error
    skip : names of the parameters that are not among the values
    """
    return _checked(where, _parser(function, frozenset(skip)), values, get_type_hints(function), "")


def _checked(
    where: Where, made: _Parser, values: Mapping[str, Any], hints: Mapping[str, Any], key: str
) -> dict[str, Any]:
    parser, names = made
    for name, value in values.items():
        if name not in names:
            raise where.no_key(key, name, names)
        hint, full = hints.get(name, Any), f"{key}.{name}".lstrip(".")
        if value is None and not {types.NoneType, Any} & set(members(hint)):
            raise where.wrong_type(full, value, hint)  # jsonargparse would take it for "not given"
        _check_inside(where, hint, value, full)
    if not names:
        return {}
    parsed = _parse(where, parser, dict(values), hints, key)
    return _plain(where, parsed, key)


def _check_inside(where: Where, hint: Any, value: Any, key: str) -> None:
    """Check the parts of one value, so that the sentence names the innermost key; no string imports anything."""
    if isinstance(value, Mapping):
        if "class_path" in value:
            cls = import_class(where, f"{key}.class_path", value["class_path"])
            _check_kind(where, hint, cls, f"{key}.class_path")
            if cls.__module__.partition(".")[0] == ROOTS[0] and isinstance(value.get("init_args", {}), Mapping):
                check(where, cls, value.get("init_args", {}), f"{key}.init_args")
                return
        kinds = [part for part in members(hint) if is_dataclass(part)]
        if kinds:
            check(where, kinds[0], value, key)
            return
        for name, item in value.items():
            _check_inside(where, _inner(hint), item, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_inside(where, _inner(hint), item, f"{key}.{number}")
    elif isinstance(value, str) and "." in value and any(map(_is_object, members(hint))):
        import_class(where, key, value)


def _check_kind(where: Where, hint: Any, cls: type, key: str) -> None:
    """Refuse a class that is not a subclass of the annotated one, where the annotation can be compared."""
    parts = [part for part in members(hint) if part is not types.NoneType]
    untold = any(part is Any or not isinstance(part, type) or getattr(part, "_is_protocol", False) for part in parts)
    if not untold and not issubclass(cls, tuple(parts)):
        names = " or a ".join(part.__name__ for part in parts)
        raise where.error(key, f"{key} is {cls.__module__}.{cls.__name__}, expected a class that is a {names}")


def _inner(hint: Any) -> Any:
    """Return the annotation of the items of a list or of the values of a mapping."""
    inner = [
        member
        for part in members(hint)
        for member in (get_args(part)[1:] if get_origin(part) in (dict, Mapping) else get_args(part))
        if member is not Ellipsis and get_origin(part) is not Literal
    ]
    return Union[tuple(inner)] if inner else Any  # noqa: UP007 - made of a tuple


def _is_object(hint: Any) -> bool:
    """Return whether jsonargparse would import the object that a string names."""
    kind = get_origin(hint) or hint
    if kind is Any or kind is Literal:
        return False
    return not (isinstance(kind, type) and issubclass(kind, (*_PLAIN, PurePath, Enum)))


@cache
def _parser(target: Callable[..., Any], skip: frozenset[str] = frozenset()) -> _Parser:
    """Return a parser of the parameters of a class or of a function, and their names.

    Kept, because jsonargparse reads the source of a class to find its parameters, which takes a second for some.
    """
    import jsonargparse

    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    if isinstance(target, type):
        added = parser.add_class_arguments(target, "it", fail_untyped=True)
    else:
        added = parser.add_function_arguments(target, "it", skip=set(skip), fail_untyped=True)
    return parser, list(dict.fromkeys(name.split(".")[1] for name in added))


def _parse(
    where: Where, parser: jsonargparse.ArgumentParser, values: dict[str, Any], hints: Mapping[str, Any], key: str
) -> Any:
    """Check the types with jsonargparse, whose errors name the key; ours add what was expected."""
    import jsonargparse

    try:
        return parser.parse_object({"it": deepcopy(values)})["it"]  # it changes what it is given
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        for name, value in values.items():
            if f'"it.{name}"' in str(error):
                raise where.wrong_type(f"{key}.{name}".lstrip("."), value, hints.get(name, Any)) from error
        required = str(error).partition("are required: ")[2].split(",")
        for name in (word.strip().removeprefix("it.") for word in required if word.strip()):
            full = f"{key}.{name}".lstrip(".")
            raise where.error(full, f"{full} is missing, expected {in_words(hints.get(name, Any))}") from error
        raise where.error(key, f"{key} does not fit: {' '.join(str(error).split())[:200]}") from error


def construct(where: Where, cls: type, values: Mapping[str, Any], key: str) -> Any:
    """Call the constructor with checked values; what it refuses is an error of the config."""
    parser, names = _parser(cls)
    try:
        if not names:
            return cls()
        return parser.instantiate(parser.parse_object({"it": deepcopy(dict(values))}))["it"]
    except InputError as error:
        raise where.error(key, f"{key}: {str(error).rstrip('.')}") from error
    except SciMLError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        sentence = _of_a_member(str(error))
        refusal = f": {sentence}" if sentence else f" is refused by {cls.__name__}: {error}"
        raise where.error(key, f"{key}{refusal}") from error


def _of_a_member(report: str) -> str | None:
    """Return the sentence in which a class refused its arguments, from the report of jsonargparse on a union."""
    if "Union subtypes" not in report:
        return None
    lines = [line.strip().removeprefix("- ") for line in report.splitlines()[1:]]
    others = ("Does not validate", "Subtypes:", "Errors:", "Expected a ", "Given value", "Import path ", "Not a ")
    ours = [line for line in lines if line and not line.startswith(others)]
    return ours[0].rstrip(".") if ours else None


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
