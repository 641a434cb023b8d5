"""Comparisons of the config of a run with the one that its checkpoint was made with, and the changes that are allowed.

A checkpoint holds the config of its run. ``config.yaml`` beside it is for reading: where it has other values, the run
is not resumed, evaluated, applied or exported. Values of a run that is resumed change only by ``KEY=VALUE``, only where
the updates that were made stay those of the new config, and ``environment.json`` records them:

- how and where the run is computed: ``trainer.accelerator``, ``devices``, ``num_nodes``, ``strategy``,
  ``detect_anomaly``, ``logger``;
- what is said about it: ``title``, ``paper``, ``cite``;
- more epochs of the last phase, if its schedule is constant.

The record of overridden parameters follows what changes. A data set stays where it was: a run does not record what is
in it, and a file elsewhere may be another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciml import strict_yaml
from sciml.config_errors import shorten
from sciml.config_files import read_yaml
from sciml.errors import CheckpointError, ConfigError
from sciml.overrides import KEY
from sciml.renamed import current_values
from sciml.run_records import read_environment
from sciml.training.checkpoints import config_of
from sciml.training.config import Config

CONFIG = "config.yaml"
_FREE = (
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "detect_anomaly", "logger")),
    *("title", "paper", "cite"),
)
DATA = "data.init_args.path"
_MOST_SHOWN = 5

Differences = dict[str, tuple[Any, Any]]


def differences(old: Any, new: Any, key: str = "") -> Differences:
    """Return the values that differ by dotted key, the old and the new one; a missing value is None."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        pairs = [(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(number, *pair) for number, pair in enumerate(zip(old, new, strict=True))]
    else:
        return {} if _is_same(old, new) else {key: (old, new)}
    found: Differences = {}
    for name, *pair in pairs:
        found |= differences(*pair, f"{key}.{name}".lstrip("."))
    return found


def as_read(config: Config) -> dict[str, Any]:
    """Return all values of a config as they are read back from a file; infinity remains, which JSON lacks."""
    return strict_yaml.parse(strict_yaml.dump(config.values), config.source)


def read_config(folder: Path, checkpoint: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Return the values of ``config.yaml`` in the folder of a run, which are those that made the checkpoint.

    Parameters
    ----------
    folder : of the run
    checkpoint : read from ``source``; one of an earlier version says nothing about its config

    Raises
    ------
    CheckpointError
        If ``config.yaml`` has other values and no resumption has recorded them; the sentence names the keys.
    """
    file = folder / CONFIG
    values, used = read_yaml(file), config_of(checkpoint, source)
    found = {} if used is None else differences(current_values(used), current_values(values))
    if found:
        environment = read_environment(folder)
        recorded = {} if environment is None else environment.changed
        found = {key: pair for key, pair in found.items() if key not in recorded or recorded[key] != pair[1]}
    if found:
        listed = _listed(found, "the run used")
        raise CheckpointError(
            f"{file} is not the config of {source}: {listed}; restore the file, or start a new run with it in another "
            "folder."
        )
    return values


def allowed_changes(config: Config, old: Mapping[str, Any], file: Path) -> Differences:
    """Return the values in which the config for a resumed run differs from that of the run.

    Parameters
    ----------
    config : for the resumed run, with its overrides
    old, file : values of the run, and where they were read

    Raises
    ------
    ConfigError
        If a difference was not asked for by ``KEY=VALUE``, or changes what the run computes; it names the keys.
    """
    found = differences(current_values(old), as_read(config))
    asked = [override.partition("=")[0] for override in config.overrides]
    strange = {key: pair for key, pair in found.items() if not _is_below(key, [*asked, KEY])}
    if strange:
        raise ConfigError(
            f"{config.source} differs from {file}, the config of the run to resume, in {_listed(strange)}; "
            "resume with the same config, or choose another folder."
        )
    refused = {
        key: pair for key, pair in found.items() if not (_is_below(key, (*_FREE, KEY)) or _is_longer(key, pair, config))
    }
    if any(_is_below(key, (DATA,)) for key in refused):
        raise ConfigError(
            f"a resumed run keeps its data, got {_listed(refused)}; the run has no record of what the file held, so "
            "that another one cannot be told from it: put the file, or a link to it, where it was."
        )
    if refused:
        raise ConfigError(
            f"a resumed run keeps its config, got {_listed(refused)}; what may change is {', '.join(_FREE)}, and the "
            "epochs of a last phase with a constant schedule, upwards; start a new run in another folder."
        )
    return found


def changes_in_effect(config: Config, folder: Path) -> dict[str, Any]:
    """Return the recorded changes of a resumed run that its config has, by dotted key."""
    environment = read_environment(folder)
    recorded = {} if environment is None else environment.changed
    return {key: new for key, new in recorded.items() if _is_same(_at(as_read(config), key), new)}


def _at(values: Any, key: str) -> Any:
    """Return the value of a dotted key, None if there is none."""
    for step in key.split("."):
        if isinstance(values, list) and step.isdigit() and int(step) < len(values):
            values = values[int(step)]
        else:
            values = values.get(step) if isinstance(values, dict) else None
    return values


def _is_same(old: Any, new: Any) -> bool:
    """Return whether two values are equal: true is not 1, and a value that is not a number equals itself."""
    return isinstance(old, bool) is isinstance(new, bool) and (old == new or (old != old and new != new))


def _is_below(key: str, parents: tuple[str, ...] | list[str]) -> bool:
    """Return whether a dotted key is one of some keys, or lies below one."""
    return any(key == parent or key.startswith(f"{parent}.") for parent in parents)


def _is_longer(key: str, pair: tuple[Any, Any], config: Config) -> bool:
    """Return whether the last phase gets more epochs, and the learning rates of those before stay what they were."""
    last = config.training.phases[-1]
    is_last = key == f"training.phases.{len(config.training.phases) - 1}.epochs"
    return is_last and last.schedule == "constant" and isinstance(pair[0], int) and pair[1] > pair[0]


def _listed(found: Differences, was: str = "it was") -> str:
    """Return the keys that differ, with their values."""
    listed = [f"{key} ({shorten(new)}, {was} {shorten(old)})" for key, (old, new) in found.items()]
    more = f" and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
    return ", ".join(listed[:_MOST_SHOWN]) + more
