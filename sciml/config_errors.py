"""The sentences of config errors: where the fault is, what is there, what is expected, which name was meant."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from sciml import checks
from sciml.errors import ConfigError

LONGEST_VALUE = 60  # characters of a wrong value that a sentence repeats
_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    types.NoneType: "null",
    Any: "anything",
}


@dataclass(frozen=True)
class Where:
    """The file that a config comes from, and the overrides on top of it.

    Parameters
    ----------
    file : the name of the file, or other words for the source
    overrides : ``key=value``, as given
    stored : whether the config is that of a run folder or of a card of weights, which somebody else may have written,
        and not the user's own; less is then allowed: see :mod:`sciml.typed_values`
    """

    file: str
    overrides: tuple[str, ...] = ()
    stored: bool = False

    def error(self, key: str, sentence: str) -> ConfigError:
        """Return an error that names the file, and the override if the fault lies in one."""
        end = "" if sentence.endswith("?") else "."
        for override in reversed(self.overrides):  # of two with one key, the later one stands
            name = override.partition("=")[0]
            if name == key or name.startswith(f"{key}.") or key.startswith(f"{name}."):
                return ConfigError(f"{self.file}, changed by {override}: {sentence}{end}")
        return ConfigError(f"{self.file}: {sentence}{end}")

    def no_key(self, parent: str, key: object, valid: Sequence[str]) -> ConfigError:
        """Return the error of a key that does not exist."""
        place = f"{parent} has no {key!r}" if parent else f"there is no key {key!r}"
        return self.error(f"{parent}.{key}".lstrip("."), place + did_you_mean(str(key), valid))

    def wrong_type(self, key: str, value: Any, hint: Any) -> ConfigError:
        """Return the error of a value that does not fit its annotation."""
        sentence = f"{key} is {shorten(value)}, expected {in_words(hint)}"
        options = [text for text in literals(hint) if isinstance(text, str)]
        near = get_close_matches(value, options, 1) if isinstance(value, str) else []
        return self.error(key, sentence + (f"; did you mean {near[0]!r}?" if near else ""))


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``; did you mean 'learning_rate'?``, or the list of what there is when nothing is near."""
    valid = list(valid)
    if near := checks.did_you_mean(name, valid):
        return near
    return f"; there are {', '.join(valid)}" if valid else "; it takes none"


def shorten(value: Any) -> str:
    """Return a value as a sentence shows it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 4] + " ..."


def literals(hint: Any) -> list[Any]:
    """Return the values that an annotation lists one by one."""
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return [value for part in get_args(hint) for value in literals(part)]
    return []


def members(hint: Any) -> list[Any]:
    """Return the members of a union, of unions inside it too, or the annotation itself."""
    if get_origin(hint) in (Union, types.UnionType):
        return [part for member in get_args(hint) for part in members(member)]
    return [hint]


def in_words(hint: Any) -> str:
    """Return what an annotation asks for, in words: ``list[int] | None`` is "a list (each a whole number) or null"."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _WORDS:
        return _WORDS[hint]
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}" if len(parts) > 1 else str(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(in_words, parts)))
    kind = origin or hint
    if kind in (list, tuple) or (isinstance(kind, type) and issubclass(kind, Sequence) and kind is not str):
        inner = dict.fromkeys(in_words(part) for part in parts if part is not Ellipsis)
        length = f" of {len(parts)}" if kind is tuple and parts and Ellipsis not in parts else ""
        return f"a list{length} ({' / '.join(inner)} each)" if inner else "a list"
    if isinstance(kind, type) and (issubclass(kind, Mapping) or is_dataclass(kind)):
        return "a mapping of keys to values"
    name = getattr(hint, "__name__", str(hint))
    return f"class_path and init_args of a {name}"
