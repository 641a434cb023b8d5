"""Plain values of a file against the annotations of a constructor: checked, filled with defaults, and built.

:meth:`TypedValues.check` compares plain values (what YAML holds: numbers, text, null, lists, mappings) with the
annotations of a class or function and returns them plain, with every default filled in, so that they can be written
down and read again. :meth:`TypedValues.construct` calls the class with them, the innermost objects first. What an
annotation takes:

============================================  ==================================================================
``int``, ``float``, ``bool``, ``str``         a value of that kind; a whole number is a ``float`` too
``None``, ``Literal[...]``, an ``Enum``       null; one of the values; the name of a member
``Path``                                      text
``list``, ``Sequence``, ``tuple``             a list, each item checked; ``tuple[float, float]`` fixes its length
``dict``, ``Mapping``                         a mapping, each key and value checked
a dataclass                                   a mapping of its fields, or ``class_path`` and ``init_args``
any other class                               ``class_path`` and ``init_args``, or the path alone
a union                                       what one of its members takes, the first that does
``Any``                                       plain values, which name no class
============================================  ==================================================================

What a mapping of the fields of a dataclass leaves out comes from the default of its parameter where that is a
dataclass, else, and behind ``class_path``, from the defaults of the fields.

Nothing else is ever done with a value: no text is evaluated, and a class is imported only where an annotation asks for
one of its bases and its name is on the list of :mod:`sciml.config_classes`.

A config that is stored in a run folder or in a card of weights may come from somebody else. It names classes of sciml,
and those of modules that the user gives again; a whole number in it, but for those of :data:`NO_COUNTS`, is at most
:data:`LARGEST_COUNT`; files that it names are not those of another machine; and what it builds is held to the numbers
of the weights beside it (:func:`sciml.numerics.allocation.limited_allocation`).
"""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sciml.config_classes import ClassList, shipped_classes
from sciml.config_errors import Where, in_words, members, shorten
from sciml.errors import ConfigError, DataFormatError, InputError, MeshFileError, SciMLError
from sciml.memory import shortage
from sciml.user_modules import blame

NAMED = ("class_path", "init_args")
LARGEST_COUNT = 10**7  # of layers, points, epochs ... in a stored config
LONGEST_REASON = 600  # characters of the sentence of a constructor
NO_COUNTS = ("seed", "memory")  # whole numbers that are no counts
_REFUSALS = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError)
_PLAIN = (str, int, float, types.NoneType, Mapping, Sequence, PurePath, Enum)
_UNSET = object()
_TEXTS = ("title", "paper.", "cite", "overridden")  # keys of a config that name no file
_ELSEWHERE = re.compile(r"[/\\]{2}|[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # the beginning of a network share or a URL


class _Misfit(Exception):
    """A value does not fit its annotation; the sentence names the parameter that holds it."""


@dataclass(frozen=True)
class _Parameter:
    """A parameter of a constructor or function: its annotation, and the factory of its default if it has one."""

    hint: Any
    default: Callable[[], Any] | None
    is_annotated: bool = True


@dataclass(frozen=True)
class TypedValues:
    """The values of one file, and the classes that they may name.

    Parameters
    ----------
    where : the source, for errors
    classes : that ``class_path`` may name
    """

    where: Where
    classes: ClassList = field(default_factory=shipped_classes, repr=False)

    def check(self, cls: type, values: Any, key: str) -> dict[str, Any]:
        """Check values against the constructor of a class and return them plain, with every default filled in.

        Parameters
        ----------
        cls : its ``__init__`` parameters are the valid keys, their annotations the types
        values : a mapping of parameters to plain values
        key : the dotted key of the mapping itself

        Raises
        ------
        ConfigError
            If a key does not exist or is missing, or a value does not fit; the sentence names the key.
        """
        try:
            parameters = parameters_of(cls)
        except (NameError, TypeError) as error:
            raise self.where.error(key, f"{key}: the annotations of {cls.__name__} cannot be read: {error}") from error
        if not isinstance(values, Mapping):
            keys = f", expected keys such as {', '.join(list(parameters)[:4])}" if parameters else ", it takes no keys"
            raise self.where.error(key, f"{key} is {shorten(values)}{keys}")
        return self._checked(parameters, values, key)

    def check_call(
        self, function: Callable[..., Any], values: Mapping[str, Any], skip: Collection[str] = ()
    ) -> dict[str, Any]:
        """Check values against the parameters of a function and return them plain, with every default filled in.

        Parameters
        ----------
        function : also one of a class
        values : by the names of the parameters; a parameter that has neither a value nor a default is an error
        skip : names of the parameters that are not among the values
        """
        parameters = {name: entry for name, entry in parameters_of(function).items() if name not in skip}
        return self._checked(parameters, values, "")

    def construct(self, cls: type, values: Mapping[str, Any], key: str) -> Any:
        """Call the constructor with checked values, those inside first; what one refuses is an error of the config."""
        parameters = parameters_of(cls)
        built = {name: self._build(parameters[name].hint, value, _inside(key, name)) for name, value in values.items()}
        try:
            return cls(**built)
        except (InputError, MeshFileError, DataFormatError) as error:
            raise self.where.error(key, f"{key}: {_cut(str(error).rstrip('.'))}") from error
        except SciMLError:
            raise
        except _REFUSALS as error:
            if (lack := shortage(error)) is not None:
                raise self.where.error(key, f"{key} {lack}; choose smaller numbers") from error
            reason = _cut(blame(error) or " ".join(str(error).split())) or type(error).__name__
            raise self.where.error(key, f"{key} is refused by {cls.__name__}: {reason}") from error

    def _checked(self, parameters: Mapping[str, _Parameter], values: Mapping[str, Any], key: str) -> dict[str, Any]:
        for name in values:
            if name not in parameters:
                raise self.where.no_key(key, name, list(parameters))
        plain = {}
        for name, entry in parameters.items():
            full = _inside(key, name)
            if not entry.is_annotated:
                reason = f"{full}: the parameter {name} has no annotation, which is the type of its key"
                raise self.where.error(full, f"{reason}; write {name}: float for example")
            if name not in values and entry.default is None:
                raise self.where.error(full, f"{full} is missing, expected {in_words(entry.hint)}")
            default = None if entry.default is None else entry.default()
            given = _over(default, values[name]) if name in values else _plain(default)
            plain[name] = self._item(entry.hint, given, full)
        return plain

    def _fit(self, hint: Any, value: Any, key: str) -> Any:
        """Return one value as its annotation takes it, still plain."""
        wanted = _classes(members(hint))
        if _names_class(value):
            if not wanted:
                raise self.where.error(key, f"{key} names a class, but only plain values are expected here")
            return self.check_named(wanted, value, key)
        try:
            return self._choose(hint, value, key)[1]
        except _Misfit:
            if isinstance(value, str) and "." in value and wanted:
                return self.check_named(wanted, {"class_path": value}, key)
            raise

    def _choose(self, hint: Any, value: Any, key: str) -> tuple[Any, Any]:
        """Return the first member of an annotation that takes a value that names no class, and the value as it does."""
        refusals = []
        for kind in members(hint):
            try:
                return kind, self._fit_one(kind, value, key)
            except _Misfit:
                continue
            except ConfigError as refusal:
                refusals.append(refusal)
        raise refusals[0] if refusals else _Misfit

    def _fit_one(self, kind: Any, value: Any, key: str) -> Any:
        """Return a value that names no class as one annotation takes it that is no union."""
        if isinstance(value, Mapping):
            if is_dataclass(kind):
                return self.check(kind, value, key)
            if not (_is(kind, Mapping) or kind is Any):
                raise _Misfit
            of_key, of_value = get_args(kind) or (Any, Any)
            pairs = {self._fit(of_key, name, key): (of_value, item) for name, item in value.items()}
            return {name: self._item(*pair, f"{key}.{name}") for name, pair in pairs.items()}
        if isinstance(value, list | tuple):
            return [self._fit(each, item, f"{key}.{i}") for i, (each, item) in enumerate(_paired(kind, value))]
        if (found := _scalar(kind, value)) is _UNSET:
            raise _Misfit
        return found

    def _item(self, hint: Any, value: Any, key: str) -> Any:
        """Return one value that has a key of its own, so that the sentence names it."""
        try:
            fitted = self._fit(hint, value, key)
            if self.where.stored and key.rpartition(".")[2] not in NO_COUNTS:
                self._check_stored(fitted, key)
            return fitted
        except _Misfit:
            raise self.where.wrong_type(key, value, hint) from None

    def _check_stored(self, value: Any, key: str) -> None:
        """Refuse counts that no run needs, and files of other machines, which may ask for a password."""
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, list):
                self._check_stored(item, key)
            elif isinstance(item, str) and _ELSEWHERE.match(item) and not key.startswith(_TEXTS):
                reason = f"{key} is {shorten(item)}, a file of another machine"
                raise self.where.error(key, f"{reason}; copy it, and name the copy in a config of your own")
            elif isinstance(item, int) and abs(item) > LARGEST_COUNT:
                reason = f"{key} is {shorten(value)}, more than {LARGEST_COUNT}, which no run needs"
                raise self.where.error(key, f"{reason}; set it in a config of your own")

    def check_named(self, wanted: Sequence[type], value: Mapping[Any, Any], key: str) -> dict[str, Any]:
        """Return ``class_path`` and ``init_args`` with the defaults of the class, which is one of those wanted."""
        for name in value:
            if name not in NAMED:
                raise self.where.no_key(key, name, NAMED)
        if "class_path" not in value:
            raise self.where.error(f"{key}.class_path", f"{key}.class_path is missing; add it")
        cls = self.classes.find(self.where, f"{key}.class_path", value["class_path"], wanted)
        arguments = value.get("init_args")
        checked = self.check(cls, {} if arguments is None else arguments, f"{key}.init_args")
        return {"class_path": value["class_path"], **({"init_args": checked} if checked else {})}

    def _build(self, hint: Any, value: Any, key: str) -> Any:
        """Return the object of one checked value."""
        if _names_class(value):
            cls = self.classes.find(self.where, f"{key}.class_path", value["class_path"], _classes(members(hint)))
            return self.construct(cls, value.get("init_args", {}), f"{key}.init_args")
        kind, _ = self._choose(hint, value, key)
        if isinstance(value, Mapping):
            if is_dataclass(kind):
                return self.construct(kind, value, key)
            of_value = get_args(kind)[1] if get_args(kind) else Any
            return {name: self._build(of_value, item, f"{key}.{name}") for name, item in value.items()}
        if isinstance(value, list):
            items = [self._build(each, item, f"{key}.{i}") for i, (each, item) in enumerate(_paired(kind, value))]
            return tuple(items) if _is(kind, tuple) else items
        return _object(kind, value)


@cache
def parameters_of(target: Callable[..., Any]) -> Mapping[str, _Parameter]:
    """Return the parameters of a function or of the constructor of a class, by name.

    Where ``__init__`` takes ``**kwargs``, those of the next class that it inherits from follow.
    """
    if not isinstance(target, type):
        return _parameters(target, get_type_hints(target))
    found: dict[str, _Parameter] = {}
    for cls in target.__mro__:
        if "__init__" not in vars(cls) or cls is object:
            continue
        makes_fields = is_dataclass(cls) and "__dataclass_fields__" in vars(cls)
        own = _parameters(cls.__init__, get_type_hints(cls if makes_fields else cls.__init__))
        if makes_fields:
            factories = {each.name: each.default_factory for each in fields(cls)}
            own = {
                name: entry if (made := factories.get(name, MISSING)) is MISSING else replace(entry, default=made)
                for name, entry in own.items()
            }
        found = {**own, **found}
        if not any(each.kind is each.VAR_KEYWORD for each in inspect.signature(cls.__init__).parameters.values()):
            break
    return found


def _parameters(function: Callable[..., Any], hints: Mapping[str, Any]) -> dict[str, _Parameter]:
    found = {}
    for name, each in inspect.signature(function).parameters.items():
        if name != "self" and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            default = None if each.default is each.empty else (lambda value=each.default: value)
            hint = hints.get(name, Any)
            optional = each.default is None and hint is not Any
            found[name] = _Parameter(hint | None if optional else hint, default, name in hints)
    return found


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_REASON else f"{sentence[:LONGEST_REASON]} ..."


def _inside(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _is(kind: Any, base: type) -> bool:
    kind = get_origin(kind) or kind
    return isinstance(kind, type) and issubclass(kind, base)


def _classes(kinds: Sequence[Any]) -> list[type]:
    """Return the members of an annotation whose values are objects, which a config names by their class."""
    return [
        kind
        for kind in kinds
        if isinstance(kind, type) and kind is not Any and not get_args(kind) and not issubclass(kind, _PLAIN)
    ]


def _names_class(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_path" in value


def _paired(kind: Any, values: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return each item of a list with its annotation.

    Raises
    ------
    _Misfit
        If the annotation takes no such list.
    """
    if kind is not Any and (_is(kind, str) or _is(kind, bytes) or not _is(kind, Sequence)):
        raise _Misfit
    parts = get_args(kind) or (Any,)
    if _is(kind, tuple) and get_args(kind) and parts[-1] is not Ellipsis:
        if len(parts) != len(values):
            raise _Misfit
        return list(zip(parts, values, strict=True))
    return [(parts[0], value) for value in values]


def _scalar(kind: Any, value: Any) -> Any:
    """Return a value that is neither a list nor a mapping as an annotation takes it, or :data:`_UNSET`."""
    if get_origin(kind) is Literal:
        same = [one for one in get_args(kind) if type(one) is type(value) and one == value]
        return same[0] if same else _UNSET
    if kind is float and type(value) in (int, float):
        try:
            return _UNSET if math.isnan(value) else float(value)
        except OverflowError:
            return _UNSET
    is_plain = value is None or type(value) in (bool, int, float, str)
    if kind is Any and is_plain:
        return value
    if isinstance(kind, type) and isinstance(value, str):
        fits = kind is str or issubclass(kind, PurePath) or (issubclass(kind, Enum) and value in kind.__members__)
        return value if fits else _UNSET
    return value if type(value) is kind and is_plain else _UNSET


def _object(kind: Any, value: Any) -> Any:
    """Return the object of a checked value that is neither a list nor a mapping."""
    if _is(kind, Enum):
        return kind[value]
    if _is(kind, PurePath):
        return Path(value) if kind is PurePath else kind(value)
    return value


def _over(default: Any, given: Any) -> Any:
    """Return what a file gives for a dataclass, with what it leaves out from the default of the parameter, if any.

    The default of a parameter may differ from those of the fields of its class.
    """
    if not is_dataclass(default) or not isinstance(given, Mapping):
        return given
    whole = {each.name: getattr(default, each.name) for each in fields(default) if each.init}
    if not set(given) <= set(whole):
        return given  # of another class, or with a key that does not exist
    return {name: _over(value, given[name]) if name in given else _plain(value) for name, value in whole.items()}


def _plain(value: Any) -> Any:
    """Return a default as a file would hold it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.init}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, PurePath) else value
