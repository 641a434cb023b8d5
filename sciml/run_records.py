"""Readers of what the folder of a run says about it: ``result.json``, ``environment.json`` and ``metrics.csv``.

Everything that reads one of these files reads it here. A missing file is no error, because a run writes it at its end
or was killed before it; a file that is there and is not what a run writes is refused in a sentence.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sciml import checks, strict_json
from sciml.errors import CheckpointError, DataFormatError, InputError
from sciml.status import Status

RESULT, ENVIRONMENT, METRICS = "result.json", "environment.json", "metrics.csv"
CHECKSUM = "sha256"  # of the other values of result.json; those of earlier versions have none
LEADING = ("epoch", "update", "seconds")  # the first columns of metrics.csv
LARGEST_TABLE = 1 << 28  # bytes
_AGAIN = "delete it and resume the run, which writes it again"
_WITHOUT = "restore it, or delete it to go on without what it says"
_SHORTER = "restore it, or start the run anew"

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """The result of a run, as ``result.json`` holds it.

    Parameters
    ----------
    status : how the run ended
    metrics : by name, the headline first; None where a value was not finite
    seconds : wall time of the whole run
    training_seconds : of its epochs or steps alone; in older runs, which have one number, the same
    version : of sciml
    values : all that the file holds
    """

    status: Status
    metrics: dict[str, float | None]
    seconds: float
    training_seconds: float
    version: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Environment:
    """The environment of a run, as ``environment.json`` holds it.

    Parameters
    ----------
    command : that started the run
    commit : of the clone, None for an installed package
    resumed : the environments in which the run was resumed
    changed : values that a resumed run has been given in place of those of its config, by dotted key
    values : all that the file holds
    """

    command: str
    commit: str | None
    resumed: list[dict[str, Any]]
    changed: dict[str, Any]
    values: dict[str, Any]


def read_result(folder: Path) -> Result | None:
    """Return the result of the run in a folder, None if it has none yet.

    Raises
    ------
    DataFormatError
        If the file is damaged.
    """
    return _read(Path(folder) / RESULT, _AGAIN, _result)


def check_not_diverged(path: Path) -> None:
    """Refuse the folder of a run that has diverged, whose last weights are those of a training that went wrong.

    Parameters
    ----------
    path : the folder of a run; a checkpoint, which is taken as asked for, or published weights

    Raises
    ------
    CheckpointError
        If ``result.json`` says that the run has diverged.
    """
    result = read_result(path) if Path(path).is_dir() else None
    if result is not None and result.status == Status.DIVERGED:
        raise CheckpointError(
            f"the run in {path} has diverged, so that its weights mean little; run it anew with other settings, or "
            f"give one of its checkpoints in {Path(path) / 'checkpoints'} in place of the folder if they are meant."
        )


def read_environment(folder: Path) -> Environment | None:
    """Return the environment of the run in a folder, None if there is no such file.

    Raises
    ------
    DataFormatError
        If the file is damaged.
    """
    return _read(Path(folder) / ENVIRONMENT, _WITHOUT, _environment)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a ``metrics.csv``, none if there is no such file; a row cut short by a kill is left out.

    Each cell is the text of a number; empty ones are left out. The epochs are whole numbers that rise.

    Parameters
    ----------
    path : may be missing

    Raises
    ------
    DataFormatError
        If the file is damaged.
    """
    path = Path(path)
    try:
        text = strict_json.read_text(path, LARGEST_TABLE)
        whole = text[: text.rfind("\n") + 1]
        return _rows(whole, str(path))
    except FileNotFoundError:
        return []
    except (DataFormatError, csv.Error) as error:
        raise DataFormatError(f"{_sentence(path, error)}; {_SHORTER}.") from error


def _read(path: Path, remedy: str, make: Callable[[dict[str, Any]], T]) -> T | None:
    """Return what a JSON file of a run holds, None if there is no such file."""
    try:
        values = strict_json.read(path)
        return make(checks.instance("it", values, dict, "keys and values"))
    except FileNotFoundError:
        return None
    except (DataFormatError, InputError) as error:
        raise DataFormatError(f"{_sentence(path, error)}; {remedy}.") from error


def _sentence(path: Path, error: Exception) -> str:
    """Return an error without its stop, and with the name of the file in front."""
    text = str(error).rstrip(".")
    return text if text.startswith(str(path)) else f"{path} is damaged: {text}"


def _result(values: dict[str, Any]) -> Result:
    ended = Status(checks.choice("status", values.get("status"), [status.value for status in Status]))
    metrics = checks.instance("metrics", values.get("metrics"), dict, "numbers by name")
    for name, value in metrics.items():
        if value is not None:
            checks.number(f"metrics.{name}", value)
    strict_json.check_seal(values, CHECKSUM)
    seconds = checks.number("seconds", values.get("seconds"), at_least=0)
    training = checks.number("training_seconds", values.get("training_seconds", seconds), at_least=0)
    return Result(
        status=ended,
        metrics=metrics,
        seconds=seconds,
        training_seconds=training,
        version=checks.instance("version", values.get("version"), str, "a text"),
        values=values,
    )


def _environment(values: dict[str, Any]) -> Environment:
    for name, kind in (("packages", dict), ("threads", dict), ("resumed", list)):
        checks.instance(name, values.get(name, kind()), kind, "a list" if kind is list else "keys and values")
    resumed = [
        checks.instance("an entry of resumed", one, dict, "keys and values") for one in values.get("resumed", [])
    ]
    changed: dict[str, Any] = {}
    for entry in resumed:
        changed |= checks.instance("changed", entry.get("changed", {}), dict, "keys and values")
    return Environment(
        command=checks.instance("command", values.get("command"), str, "a text"),
        commit=checks.instance("commit", values.get("commit"), str | None, "a text"),
        resumed=resumed,
        changed=changed,
        values=values,
    )


def _rows(text: str, source: str) -> list[dict[str, str]]:
    """Return the rows of a table of numbers whose first column is the epoch."""
    lines = csv.reader(io.StringIO(text), strict=True)
    columns = next(lines, [])
    if text and (tuple(columns[: len(LEADING)]) != LEADING or len(set(columns)) < len(columns)):
        raise DataFormatError(f"{source}, line 1, is {checks.shown(columns)}, expected epoch, update, seconds, ...")
    rows: list[dict[str, str]] = []
    for number, cells in enumerate(lines, start=2):
        if len(cells) > len(columns):
            raise DataFormatError(f"{source}, line {number}, has {len(cells)} cells, expected {len(columns)}")
        row = {name: cell for name, cell in zip(columns, cells, strict=False) if cell}
        _check_row(row, rows[-1] if rows else {"epoch": "0"}, f"{source}, line {number}")
        rows.append(row)
    return rows


def _check_row(row: Mapping[str, str], before: Mapping[str, str], place: str) -> None:
    """Refuse a cell that is no number, and an epoch that does not follow the one before."""
    for name, cell in row.items():
        try:
            float(cell)
        except ValueError:
            raise DataFormatError(f"{place}: {name} is {checks.shown(cell)}, expected a number") from None
    epoch = row.get("epoch", "")
    if not (epoch.isascii() and epoch.isdigit() and len(epoch) < 10 and int(epoch) > int(before["epoch"])):
        raise DataFormatError(f"{place}: the epoch is {checks.shown(epoch)}, expected a number above {before['epoch']}")
