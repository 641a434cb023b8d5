"""Apply a trained task to a file, with the options that its ``predict_file`` declares.

The keyword-only parameters of :meth:`~sciml.training.task.Task.predict_file` are the options, but for ``progress``:
their annotations are the types, their defaults the values of options that are left out. A task whose ``source`` may be
None needs no input file. Numbers that a single task knows by name, such as the parameters of its data, are options of
that name, too, and passed on in ``parameters``.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from sciml import strict_yaml
from sciml.config_errors import Where, in_words, members, shorten
from sciml.errors import InputError
from sciml.typed_values import TypedValues

if TYPE_CHECKING:
    from sciml.training.task import PredictionProgress, Task

SAMPLING = ("members", "seed")  # options of tasks that draw an ensemble, which have flags of their own
_GIVEN = ("self", "source", "output", "progress")  # parameters of predict_file that are no options


def predict_file(
    task: Task,
    source: Path | None,
    output: Path,
    options: Sequence[str] = (),
    *,
    progress: PredictionProgress | None = None,
    name: str = "sciml predict",
) -> dict[str, float]:
    """Apply a task to a file, write the result, and return numbers about it by name.

    Parameters
    ----------
    task : from :func:`sciml.training.stored.load_task`
    source : the input file; None for a task that needs none
    output : the file to write
    options : ``KEY=VALUE`` as given on the command line
    progress : passed to a task that reports its progress
    name : of the run, for errors

    Raises
    ------
    ConfigError
        If an option does not exist, is missing or has another type; the sentence lists the options.
    InputError
        If the task needs an input file and there is none.
    """
    method = type(task).predict_file
    found = parse_options(method, options, name, task.parameter_options)
    parameters = inspect.signature(method).parameters
    if source is None and types.NoneType not in members(get_type_hints(method).get("source", Path)):
        raise InputError(f"{type(task).__name__} is applied to a file; give its name after {name}.")
    told = {"progress": progress} if "progress" in parameters else {}
    return task.predict_file(source, output, **told, **found)


def parse_options(
    method: Callable[..., Any], words: Sequence[str], name: str = "sciml predict", entries: Collection[str] = ()
) -> dict[str, Any]:
    """Return the options that ``KEY=VALUE`` words give for a ``predict_file``, checked against its annotations.

    Parameters
    ----------
    method : ``predict_file`` of a class
    words : such as ``"time=0.5"``; the value is YAML, and taken literally where text is expected
    name : of the run, for errors
    entries : names of the entries of the option ``parameters`` that are options, too
    """
    parameters, where = _options(method), Where(name)
    try:
        hints = get_type_hints(method)
    except (NameError, TypeError) as error:
        raise where.error("", f"the annotations of {method.__qualname__} cannot be read: {error}") from error
    entries = [entry for entry in entries if entry not in parameters]
    values: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise where.error(word, f"{word!r} is not an option, expected KEY=VALUE; {_listing(parameters, hints)}")
        if key not in parameters and key in SAMPLING:
            remedy = "leave -n and --seed out (in Python, members and seed)"
            raise where.error(key, f"the task draws no samples, so it takes no {key}; {remedy}")
        if key not in parameters and key not in entries:
            near = get_close_matches(key, [*parameters, *entries], 1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise where.error(key, f"there is no option {key!r}{meant}; {_listing(parameters, hints)}")
        owner = given if key in entries else values
        if key in owner or (given and "parameters" in values):
            raise where.error(key, f"the option {key} is given twice; give it once")
        owner[key] = _value(text, hints.get(key, Any), word)
    if given:
        values["parameters"] = given
    return TypedValues(where).check_call(method, values, _GIVEN) if parameters else {}


def _options(method: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the options that a ``predict_file`` declares."""
    parameters = inspect.signature(method).parameters
    return {
        name: entry
        for name, entry in parameters.items()
        if entry.kind is inspect.Parameter.KEYWORD_ONLY and name not in _GIVEN
    }


def _value(text: str, hint: Any, word: str) -> Any:
    """Return the value of a word; YAML would take ``a jet: fast`` for a mapping where text is expected."""
    kinds = set(members(hint))
    if kinds <= {str, types.NoneType} and str in kinds:
        return None if text == "null" and types.NoneType in kinds else text
    return strict_yaml.parse(text, f"the value of {word!r}")


def _listing(parameters: Mapping[str, inspect.Parameter], hints: Mapping[str, Any]) -> str:
    """Return the options with their types and defaults in words."""
    if not parameters:
        return "this task has no options"
    listed = []
    for name, entry in parameters.items():
        is_needed = entry.default is inspect.Parameter.empty
        default = "required" if is_needed else f"default {shorten(entry.default)}"
        listed.append(f"{name} ({in_words(hints.get(name, Any))}; {default})")
    return f"the options are {', '.join(listed)}"
