"""Read YAML strictly: safe tags only, 1e-3 is a number, keys are unique, nothing refers to something else.

>>> parse("{rate: 1e-3, sizes: [64]}", "a config")
{'rate': 0.001, 'sizes': [64]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sciml.errors import ConfigError
from sciml.regular_files import read_text

LARGEST = 1 << 20  # bytes; a config is written by hand


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, repeated keys and numbers that are read as text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not known here", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-3 as text; YAML 1.2 and everybody else reads a number.
_FLOAT = re.compile(r"^[-+]?\d[\d_]*(\.\d*)?[eE][-+]?\d+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))


class _Dumper(yaml.SafeDumper):
    """The safe dumper without aliases, which :class:`_Loader` refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def read(path: Path) -> Any:
    """Return the value of a YAML file.

    Raises
    ------
    ConfigError
        If the file does not exist or cannot be read, is no regular file, is larger than :data:`LARGEST`, or is not
        valid YAML.
    """
    try:
        text = read_text(path, LARGEST, ConfigError)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; check the name.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text, expected YAML.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Any:
    """Return the value of a piece of YAML; ``source`` names it in errors."""
    try:
        return yaml.load(text, Loader=_Loader)  # a child of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{source}{line}: invalid YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not a text that YAML allows: {str(error).splitlines()[0]}.") from error
    except RecursionError:
        raise ConfigError(f"{source} is nested too deeply for a config.") from None
    except ValueError as error:  # such as 2026-13-45, a date that does not exist
        raise ConfigError(f"{source} has a value that YAML cannot read: {error}.") from error


def dump(values: Mapping[str, Any]) -> str:
    """Return plain values as YAML, the keys in their order."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
