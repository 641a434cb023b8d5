"""Questions to the raw results of a benchmark whose methods have one run per seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

Run = dict[str, Any]
Form = Callable[[float], str]
DASH = "–"


class Answers:
    """Each method that returns numbers returns one per seed; a run that failed counts as infinite.

    Parameters
    ----------
    results : as a benchmark writes them
    """

    def __init__(self, results: dict[str, Any]) -> None:
        self.jobs: list[Run] = list(results["jobs"].values())
        self.paper: dict[str, str] = results.get("paper", {})

    def methods(self, *groups: str, kind: str | None = None) -> dict[tuple[str, str], list[Run]]:
        """Runs of each method of some groups, in the order in which they were measured; of one kind, or of all."""
        found: dict[tuple[str, str], list[Run]] = {}
        for group in groups:
            for run in self.jobs:
                if run["group"] == group and kind in (None, run["kind"]):
                    found.setdefault((group, run["method"]), []).append(run)
        return found

    def runs(self, group: str, method: str) -> list[Run]:
        """Runs of one method, one per seed."""
        return self.methods(group).get((group, method), [])

    def best(self, group: str, path: Sequence[str], limit: Callable[[list[Run]], bool] | None = None) -> list[Run]:
        """The classical method of a group with the smallest error, of those within a limit; empty if there is none."""
        rivals = [runs for runs in self.methods(group, kind="classical").values() if limit is None or limit(runs)]
        rivals = [runs for runs in rivals if values(runs, *path)]
        return min(rivals, key=lambda runs: statistics.median(values(runs, *path)), default=[])


def values(runs: Sequence[Run], *path: str) -> list[float]:
    """One number of each run, such as ``("last", "relative_l2")``; runs that did not measure it are left out."""
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
    """One number of each run at a time of its history; runs that were not there are left out."""
    found = []
    for run in runs:
        if run.get("failed"):
            found.append(math.inf)
            continue
        times = run["history"].get("time", [])
        found += [row for at, row in zip(times, run["history"].get(name, []), strict=False) if abs(at - time) < 1e-9]
    return found


def seconds_of(runs: Sequence[Run]) -> list[float]:
    """Processor time, of those that came to the end."""
    return [float(run["seconds"]) for run in runs if not run.get("failed")]


def middle(numbers: Sequence[float]) -> float:
    """Median; infinite of nothing."""
    return statistics.median(numbers) if numbers else math.inf


def shown(numbers: Sequence[float], form: Form = "{:.1e}".format) -> str:
    """Median and range, in words where runs failed, a dash where there are none."""
    if not numbers:
        return DASH
    failed = sum(math.isinf(number) for number in numbers)
    if failed == len(numbers):
        return "failed"
    three = (statistics.median(numbers), min(numbers), max(numbers))
    parts = [form(number) if math.isfinite(number) else "failed" for number in three]
    return parts[0] if len(set(parts)) == 1 else f"{parts[0]} ({parts[1]} to {parts[2]})"


def seconds_shown(numbers: Sequence[float]) -> str:
    """Median of processor seconds with two digits."""
    if not numbers:
        return DASH
    seconds = statistics.median(numbers)
    return f"{seconds:.0f}" if seconds >= 10 else "< 0.01" if seconds < 0.01 else f"{seconds:.2g}"


def memory_shown(numbers: float | None) -> str:
    """Bytes in the unit that keeps them short."""
    if numbers is None:
        return DASH
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if numbers >= size:
            return f"{numbers / size:.3g} {unit}"
    return f"{numbers:.0f} B"
