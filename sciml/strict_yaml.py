"""Read YAML strictly: plain values alone, 1e-3 is a number, keys are unique text, nothing refers to something else.

>>> parse("{rate: 1e-3, sizes: [64]}", "a config")
{'rate': 0.001, 'sizes': [64]}

A value is null, true or false, a number, text, a list or a mapping, as in JSON, and a date is text. Aliases, merge
keys, sets, binary data and all other tags are refused: a file means one thing, and no larger one than it looks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sciml.errors import ConfigError
from sciml.regular_files import read_text

LARGEST = 1 << 18  # bytes; a config is written by hand
DEEPEST = 40  # mappings and lists inside one another
_BITS = 64  # of a whole number
_PREFIX = "tag:yaml.org,2002:"
_PLAIN = [f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")]
_NUMBERS = [f"{_PREFIX}int", f"{_PREFIX}float"]


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, merge and repeated keys, dates, and numbers that are read as text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the parent declares it
        letter: [(tag, pattern) for tag, pattern in found if tag in (*_PLAIN, f"{_PREFIX}merge")]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012
        tag: maker for tag, maker in yaml.SafeLoader.yaml_constructors.items() if tag is None or tag in _PLAIN
    }
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not known here", problem_mark=mark)
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem="this is nested too deeply for a config", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Return the tag of a value without one: 1:30 is text, and not 90, as YAML 1.1 has it."""
        tag = super().resolve(kind, value, implicit)
        return f"{_PREFIX}str" if tag in _NUMBERS and ":" in value else tag

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag == f"{_PREFIX}merge":
                raise yaml.MarkedYAMLError(problem="merge keys are not known here", problem_mark=key.start_mark)
            if key.tag != f"{_PREFIX}str":
                found = repr(key.value) if isinstance(key, yaml.ScalarNode) else f"a {key.id}"
                raise yaml.MarkedYAMLError(problem=f"a key is {found[:60]}, not text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def _whole_number(self, node: Any) -> int:
        self._check_base(node)
        value = self.construct_yaml_int(node)
        if value.bit_length() > _BITS:
            raise yaml.MarkedYAMLError(
                problem=f"a number has {value.bit_length()} bits, expected at most {_BITS}",
                problem_mark=node.start_mark,
            )
        return value

    def _number(self, node: Any) -> float:
        self._check_base(node)
        value = self.construct_yaml_float(node)
        if math.isinf(value) and "inf" not in node.value.lower():
            raise yaml.MarkedYAMLError(problem="a number is larger than 1.8e308", problem_mark=node.start_mark)
        return value

    @staticmethod
    def _check_base(node: Any) -> None:
        if ":" in node.value:  # a tag asks for a number
            raise yaml.MarkedYAMLError(
                problem="numbers to the base 60 are not known here", problem_mark=node.start_mark
            )


# YAML 1.1 reads 1e-3 as text; YAML 1.2 and everybody else reads a number.
_FLOAT = re.compile(r"^[-+]?\d[\d_]*(\.\d*)?[eE][-+]?\d+$")
_Loader.add_constructor(f"{_PREFIX}int", _Loader._whole_number)
_Loader.add_constructor(f"{_PREFIX}float", _Loader._number)


class _Dumper(yaml.SafeDumper):
    """The safe dumper without aliases, which :class:`_Loader` refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _each in (_Loader, _Dumper):  # the dumper then puts the text "1e3" into quotes
    _each.add_implicit_resolver(f"{_PREFIX}float", _FLOAT, list("-+0123456789"))


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
    except (
        ValueError,
        LookupError,
        ArithmeticError,
    ) as error:  # such as !!int x, !!bool maybe, or a number of 5000 digits
        raise ConfigError(f"{source} has a value that YAML cannot read: {str(error)[:100]}.") from error


def dump(values: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Return plain values as YAML, the keys in their order.

    Parameters
    ----------
    values : plain
    ascii_only : whether to write all other characters as escapes
    """
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=not ascii_only)
