"""The raw results of a benchmark, and the queries that tables, limits and scoreboard ask them."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.errors import DataFormatError

Raw = dict[str, Any]  # the JSON that a benchmark writes
Run = dict[str, Any]  # one job of it, with what was measured


def read_results(path: Path, name: str) -> Raw:
    """Read a file that ``sciml bench NAME`` has written.

    Raises
    ------
    DataFormatError
        The file holds no results of that benchmark.
    """
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        if raw["name"] == name and all(isinstance(raw[part], dict) for part in ("environment", "plan", "jobs")):
            return raw
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise foreign(path, name)


def foreign(path: Path, name: str) -> DataFormatError:
    """Return the error of a file that is not what ``sciml bench NAME`` writes."""
    return DataFormatError(f"{path} holds no results of 'sciml bench {name}'; move it away or choose another folder.")


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
