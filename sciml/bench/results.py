"""The raw results of a benchmark, and the queries that tables, limits and scoreboard ask them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sciml import checks, strict_json
from sciml.errors import DataFormatError, InputError

Raw = dict[str, Any]  # the JSON that a benchmark writes
Run = dict[str, Any]  # one job of it, with what was measured
CHECKSUM = "jobs_sha256"  # beside the jobs; results of earlier versions have none


def read_results(path: Path, name: str) -> Raw:
    """Read a file that ``sciml bench NAME`` has written.

    Raises
    ------
    DataFormatError
        The file holds no results of that benchmark, or its jobs are not those that were written.
    """
    path = Path(path)
    try:
        raw = strict_json.read(path)
    except DataFormatError as error:
        raise foreign(path, name, str(error)) from error
    if not isinstance(raw, dict) or raw.get("name") != name:
        raise foreign(path, name)
    if not all(isinstance(raw.get(part), dict) for part in ("environment", "plan", "jobs")):
        raise foreign(path, name)
    for key, job in raw["jobs"].items():
        if not isinstance(job, dict) or not isinstance(job.get("group"), str):
            raise foreign(path, name, f"the job {checks.shown(key)} is {checks.shown(job)}.")
    try:
        strict_json.check_seal(raw, CHECKSUM, "jobs")
    except InputError as error:
        raise foreign(path, name, str(error)) from error
    return raw


@contextmanager
def understood(path: Path, name: str) -> Iterator[None]:
    """Turn what fails in a ``with`` block, on results that were read from a file, into the error of that file."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise foreign(path, name, f"{type(error).__name__}: {error}.") from error


def foreign(path: Path, name: str, reason: str = "") -> DataFormatError:
    """Return the error of a file that is not what ``sciml bench NAME`` writes."""
    why = f" ({reason.rstrip('.')})" if reason else ""
    return DataFormatError(
        f"{path} holds no results of 'sciml bench {name}'{why}; move it away or choose another folder."
    )


class Results:
    """Queries to the raw results of one benchmark.

    A query returns a list with one value per seed where it can; the list is empty if nothing was measured. A run that
    failed counts as infinite.

    Parameters
    ----------
    raw : as a benchmark writes them
    titles : names of methods in tables by the key of the job, instead of those that were written when it was measured
    """

    def __init__(self, raw: Raw, titles: Mapping[str, str] | None = None) -> None:
        titles = titles or {}
        self.jobs: list[Run] = [
            job | {"title": titles[key]} if key in titles else job for key, job in raw["jobs"].items()
        ]
        self.plan: dict[str, Any] = raw["plan"]
        self.paper: dict[str, str] = raw.get("paper", {})

    def select(self, *groups: str, **properties: Any) -> list[Run]:
        """Return the jobs of some groups (of all, without any) with these properties; None matches everything."""
        wanted = {name: value for name, value in properties.items() if value is not None}
        return [
            job
            for job in self.jobs
            if (not groups or job["group"] in groups) and all(job.get(name) == value for name, value in wanted.items())
        ]

    def methods(self, *groups: str, kind: str | None = None, of: str | None = None) -> dict[tuple[str, str], list[Run]]:
        """Return the runs of each method of some groups by (group, method), in the order of measurement."""
        found: dict[tuple[str, str], list[Run]] = {}
        for group in groups:
            for run in self.select(group, kind=kind, of=of):
                found.setdefault((group, run["method"]), []).append(run)
        return found

    def runs(self, group: str, method: str) -> list[Run]:
        """Return the runs of one method, one per seed."""
        return self.select(group, method=method)

    def best(
        self,
        group: str,
        path: Sequence[str],
        *,
        kind: str = "classical",
        of: str | None = None,
        limit: Callable[[list[Run]], bool] = lambda _: True,
    ) -> list[Run]:
        """Return the runs of the method with the smallest median error, among those within a limit; or none."""
        return smallest(filter(limit, self.methods(group, kind=kind, of=of).values()), path)


def smallest(methods: Iterable[list[Run]], path: Sequence[str]) -> list[Run]:
    """Return the runs of the method with the smallest median of a value; empty if no method has measured it."""
    measured = [runs for runs in methods if values(runs, *path)]
    return min(measured, key=lambda runs: statistics.median(values(runs, *path)), default=[])


def values(runs: Sequence[Run], *path: str) -> list[float]:
    """Return one value of each run, such as ``("last", "relative_l2")``; runs that did not measure it are left out."""
    found: list[float] = []
    for run in runs:
        if run.get("failed"):
            found.append(math.inf)
            continue
        value: Any = run
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            found.append(float(value))
    return found


def values_at(runs: Sequence[Run], name: str, time: float) -> list[float]:
    """Return one value of each run at a time of its history; runs that did not reach the time are left out."""
    found = []
    for run in runs:
        if run.get("failed"):
            found.append(math.inf)
            continue
        times = run["history"].get("time", [])
        found += [row for at, row in zip(times, run["history"].get(name, []), strict=False) if abs(at - time) < 1e-9]
    return found


def seconds_of(runs: Sequence[Run]) -> list[float]:
    """Return the CPU seconds of the runs that came to the end."""
    return [float(run["seconds"]) for run in runs if not run.get("failed")]


def middle(numbers: Sequence[float]) -> float:
    """Return the median, infinite for an empty sequence."""
    return statistics.median(numbers) if numbers else math.inf
