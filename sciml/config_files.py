"""Config files as text: finding them, reading YAML strictly, applying ``key=value``. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import metadata
from itertools import takewhile
from pathlib import Path
from typing import Any

from sciml import strict_yaml
from sciml.config_errors import Where, shorten
from sciml.errors import ConfigError

COST = "# Takes "
_CLONE = Path(__file__).resolve().parents[1] / "configs"


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a config file into plain values.

    Raises
    ------
    ConfigError
        If it does not exist, cannot be read, is not valid YAML, is empty or is not a mapping.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, expected a config file{_configs_in(path)}.")
    if not path.exists():
        raise ConfigError(f"{path} does not exist{_near_file(path)}")
    values = strict_yaml.read(path)
    if values is None:
        raise ConfigError(f"{path} is empty, expected title, task, data and training.")
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {shorten(values)}, expected keys such as title, task, data and training.")
    return values


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str], file: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values with every ``key=value`` applied, each to what those before it left, and those that did change.

    Parameters
    ----------
    values : what the file holds
    overrides : such as ``"training.phases.0.epochs=5"``; the part after ``=`` is YAML
    file : named in errors
    """
    result, changes = _copy(values), []
    for override in overrides:
        key, equals, text = override.partition("=")
        steps = key.split(".")
        if not equals or not all(steps):
            raise ConfigError(f"{override!r} does not change {file}, expected key=value such as seed=5.")
        before = _copy(result)
        where, place, done = Where(file, (override,)), result, ""
        for step in steps[:-1]:
            place, done = _descend(where, place, step, done), f"{done}.{step}".lstrip(".")
        _put(where, place, steps[-1], strict_yaml.parse(text, f"the value of {override!r}"), done)
        changes += [override] if result != before else []
    return result, changes


def shipped_configs() -> dict[str, Path]:
    """Return the configs that come with sciml by their names, such as ``dcdm/box2d_cpu``."""
    if _CLONE.is_dir():
        return {path.relative_to(_CLONE).with_suffix("").as_posix(): path for path in sorted(_CLONE.rglob("*.yaml"))}
    try:
        installed = metadata.files("sciml") or []
    except metadata.PackageNotFoundError:
        return {}
    found = [file for file in sorted(installed) if "share/sciml/configs/" in file.as_posix() and file.suffix == ".yaml"]
    return {
        file.as_posix().partition("share/sciml/configs/")[2].removesuffix(".yaml"): Path(str(file.locate())).resolve()
        for file in found
    }


def told_cost(path: Path) -> str | None:
    """Return what a shipped config says that it takes, such as ``"0.6 CPU minutes"``: a line of its header.

    The minutes are those of one thread on a laptop, with the start, the fields and the figures.
    """
    header = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    lines = [line for line in header if line.startswith(COST)]
    return lines[-1].removeprefix(COST).rstrip(".") if lines else None


def find_config(name: str | Path) -> Path:
    """Return the file of a config given by its path or by the name of a shipped one."""
    path = Path(name)
    if path.exists():
        return path
    shipped = shipped_configs()
    short = path.as_posix().removeprefix("configs/").removesuffix(".yaml")
    if short in shipped and not path.is_absolute():
        return shipped[short]
    raise ConfigError(f"{path} does not exist{_near_file(path)}")


def _near_file(path: Path) -> str:
    """Return words for the nearest config beside a path that does not exist, or among the shipped ones."""
    beside = [other.stem for other in sorted(path.parent.glob("*.yaml"))]
    if near := get_close_matches(path.stem, beside, 1):
        return f"; did you mean {path.with_name(near[0] + '.yaml')}?"
    shipped = list(shipped_configs())
    name = path.as_posix().removeprefix("configs/").removesuffix(".yaml")
    if near := get_close_matches(name, shipped, 1):
        return f"; did you mean {near[0]}?"
    near = get_close_matches(name, shipped, 3, cutoff=0.0)
    return f"; the nearest shipped configs are {', '.join(near)}, see `sciml list configs`." if near else "; check it."


def _configs_in(folder: Path) -> str:
    inside = [other.name for other in sorted(folder.glob("*.yaml"))][:5]
    return f" such as {folder / inside[0]}" if inside else ""


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _descend(where: Where, place: Any, step: str, done: str) -> Any:
    """Return the mapping or list under one step of a dotted key; a missing mapping is created."""
    if isinstance(place, list):
        return place[_index(where, place, step, done)]
    if not isinstance(place, dict):
        raise where.error(done, f"{done} is {shorten(place)} and has no {step!r}")
    if place.get(step) is None:
        place[step] = {}
    return place[step]


def _put(where: Where, place: Any, step: str, value: Any, done: str) -> None:
    if isinstance(place, list):
        place[_index(where, place, step, done)] = value
    elif isinstance(place, dict):
        place[step] = value
    else:
        raise where.error(done, f"{done} is {shorten(place)} and has no {step!r}")


def _index(where: Where, place: list[Any], step: str, done: str) -> int:
    if not step.isascii() or not step.isdigit() or int(step) >= len(place):
        raise where.error(done, f"{done} is a list of {len(place)}, expected a number below that and not {step!r}")
    return int(step)
