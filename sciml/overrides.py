"""Overridden parameters of a config, those of the command line, as titles and the paper's numbers need them.

>>> values = {"title": "Burgers"}
>>> values[KEY] = recorded(values, ["task.init_args.problem.init_args.viscosity=0.02", "seed=3"])
>>> shown_title(values)
'Burgers (changed: problem.viscosity=0.02)'
>>> of_the_problem(values, ["problem"])
['problem.viscosity=0.02']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

KEY = "overridden"
SECTIONS = ("task", "data", "training")  # whose values are parameters; others are where, with what seed, and the like
OUTPUT = "task.init_args.output"


def recorded(before: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """Return the overridden parameters of a config, earlier ones too; of two overrides with one key, the later one.

    Where the file lies that a config names is no parameter: another folder for a file of the same name is left out.

    Parameters
    ----------
    before : the config without the new overrides
    overrides : ``key=value`` with dotted keys
    """
    found = {each.partition("=")[0]: each for each in _overridden(before)}
    for override in filter(_is_parameter, overrides):
        if not _only_moves_a_file(before, override):
            found[override.partition("=")[0]] = override
    return list(found.values())


def shown_title(values: Mapping[str, Any]) -> str:
    """Return the title of a config with the parameters that were changed."""
    changed = ", ".join(map(_short, _overridden(values)))
    return f"{values.get('title')}{f' (changed: {changed})' if changed else ''}"


def of_the_problem(values: Mapping[str, Any], arguments: Sequence[str]) -> list[str]:
    """Return the overrides by which a run solves another problem than that of the paper, or learns from other data.

    Parameters
    ----------
    values : of the config
    arguments : of the task that state the problem, such as ``problem``
    """
    found = []
    for each in _overridden(values):
        section, *steps = each.partition("=")[0].split(".")
        is_whole = section == "task" and steps in ([], ["init_args"])
        is_stated = section == "task" and steps[:1] == ["init_args"] and not is_whole and steps[1] in arguments
        if section == "data" or is_whole or is_stated:
            found.append(_short(each))
    return found


def _overridden(values: Mapping[str, Any]) -> list[str]:
    known = values.get(KEY)
    return [each for each in known if isinstance(each, str)] if isinstance(known, list) else []


def _is_parameter(override: str) -> bool:
    key = override.partition("=")[0]
    return key.split(".")[0] in SECTIONS and not f"{key}.".startswith(f"{OUTPUT}.")


def _only_moves_a_file(before: Mapping[str, Any], override: str) -> bool:
    """Return whether an override is a path to the file that the config names, or to its folder of the same name."""
    key, _, value = override.partition("=")
    named: Any = before
    for step in key.split("."):
        named = named.get(step) if isinstance(named, Mapping) else None
    path = PurePath(value)
    if not isinstance(named, str) or len(path.parts) < 2:
        return False
    file = PurePath(named)
    return bool(file.suffix) and path.name in (file.name, file.stem)


def _short(override: str) -> str:
    """Return an override without the steps of its key that every key has."""
    key, _, value = override.partition("=")
    steps = [step for step in key.split(".") if step != "init_args"]
    return f"{'.'.join(steps[steps[0] == 'task' :])}={value}"
