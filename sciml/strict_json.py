"""Read JSON strictly: UTF-8 of a bounded size and depth, finite 64-bit numbers, keys that are given once.

>>> parse('{"status": "finished", "seconds": 1.5}', "result.json")
{'status': 'finished', 'seconds': 1.5}
>>> parse('{"seconds": NaN}', "result.json")
Traceback (most recent call last):
sciml.errors.DataFormatError: result.json holds the number NaN, expected finite numbers of at most 64 bits.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from sciml.errors import DataFormatError, InputError
from sciml.regular_files import read_bytes

LARGEST = 1 << 26  # bytes
DEEPEST = 100  # mappings and lists inside one another
_LONGEST_INTEGER = 20  # characters: 2^64 has 20 digits


def read(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFormatError
        If it is no regular file, cannot be read, is larger than :data:`LARGEST`, or is not what :func:`parse` takes.
    """
    return parse(read_text(path, LARGEST), str(path))


def read_text(path: Path, largest: int) -> str:
    """Return the text of a UTF-8 file of at most this many bytes; the errors are those of :func:`read`."""
    try:
        return read_bytes(path, largest, DataFormatError).decode()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataFormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{path} is not text: byte {error.start} is not UTF-8.") from None


def parse(text: str, source: str) -> Any:
    """Return the value of a piece of JSON; ``source`` names it in errors.

    Raises
    ------
    DataFormatError
        If it is not JSON, is nested deeper than :data:`DEEPEST`, gives a key twice, or holds a number that is not
        finite or an integer of more than 64 bits.
    """

    def refuse(number: str) -> NoReturn:
        shown = number if len(number) <= _LONGEST_INTEGER else f"{number[:_LONGEST_INTEGER]} ..."
        raise DataFormatError(f"{source} holds the number {shown}, expected finite numbers of at most 64 bits.")

    def integer(digits: str) -> int:
        value = int(digits) if len(digits) <= _LONGEST_INTEGER else refuse(digits)
        return value if -(1 << 63) <= value < 1 << 64 else refuse(digits)

    def real(digits: str) -> float:
        value = float(digits)
        return value if math.isfinite(value) else refuse(digits)

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise DataFormatError(f"{source} gives the key {name[:40]!r} twice, expected each key once.")
            found[name] = value
        return found

    try:
        value = json.loads(text, parse_int=integer, parse_float=real, parse_constant=refuse, object_pairs_hook=mapping)
    except json.JSONDecodeError as error:
        raise DataFormatError(f"{source}, line {error.lineno}, is not JSON: {error.msg.lower()}.") from None
    except RecursionError:
        raise DataFormatError(f"{source} is nested too deeply, expected at most {DEEPEST} levels.") from None
    if _depth(value) > DEEPEST:
        raise DataFormatError(f"{source} is nested too deeply, expected at most {DEEPEST} levels.")
    if "\\u" in text and not _is_text(value):
        raise DataFormatError(f"{source} holds half of a surrogate pair, which is no character.")
    return value


def digest(value: Any) -> str:
    """Return a SHA-256, in hexadecimal, of a value as YAML or JSON reads it, whatever text it was written as.

    The order of keys counts, and so do types: 1, 1.0, true and "1" differ.

    Raises
    ------
    TypeError
        If a key is not a string, a number or null.
    """
    text = json.dumps(value, separators=(",", ":"), default=lambda other: [type(other).__name__, str(other)])
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(values: Mapping[str, Any], key: str, part: str | None = None) -> dict[str, Any]:
    """Return values with their checksum under a key, in place of an earlier one; :func:`check_seal` compares it.

    Parameters
    ----------
    values : as JSON or YAML reads them
    key : of the checksum
    part : key of the one value that the checksum is of; that of all others by default
    """
    return {**values, key: digest(_under_seal(values, key, part))}


def check_seal(values: Mapping[str, Any], key: str, part: str | None = None) -> None:
    """Refuse values that are not those that were sealed; those of earlier versions have no checksum.

    Parameters
    ----------
    values, key, part : as :func:`sealed` returned and took them

    Raises
    ------
    InputError
        If the values do not match the checksum.
    """
    try:
        is_whole = key not in values or values[key] == digest(_under_seal(values, key, part))
    except TypeError as error:
        raise InputError(f"it has a key that is neither text nor a number: {error}.") from error
    if not is_whole:
        raise InputError(f"its {part or 'values'} do not match their checksum, {key}.")


def _under_seal(values: Mapping[str, Any], key: str, part: str | None) -> Any:
    return {name: value for name, value in values.items() if name != key} if part is None else values[part]


def _depth(value: Any) -> int:
    """Return the number of mappings and lists inside one another, without recursion."""
    depth, level = 0, _containers([value])
    while level:
        level = [inner for outer in level for inner in _containers(_items(outer))]
        depth += 1
    return depth


def _is_text(value: Any) -> bool:
    """Return whether all strings can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
