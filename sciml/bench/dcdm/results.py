"""Questions to the raw results of ``sciml bench dcdm``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

GRID_GROUPS = ("plane", "cube", "large")
LOOSE, TIGHT = "0.0001", "1e-06"


@dataclass(frozen=True)
class Place:
    """Where solvers are compared: a case on a grid of ``size`` cells per axis; ``groups`` of jobs to look into."""

    dimension: int
    size: int
    case: str
    groups: tuple[str, ...] = GRID_GROUPS

    @property
    def grid(self) -> str:
        """Such as 64²."""
        return f"{self.size}{'²' if self.dimension == 2 else '³'}"


class Answers:
    """Each method answers with a list of numbers, one per seed; empty if nothing was measured.

    Parameters
    ----------
    results : the raw results
    """

    def __init__(self, results: dict[str, Any]) -> None:
        self.jobs = list(results["jobs"].values())
        self.networks: dict[str, dict[str, Any]] = results["networks"]

    def at(self, place: Place) -> list[dict[str, Any]]:
        """Jobs of one place."""
        return [
            job
            for job in self.jobs
            if job["group"] in place.groups
            and (job["dimension"], job["size"], job["case"]) == (place.dimension, place.size, place.case)
        ]

    def runs(self, place: Place, solver: str, kind: str = "white") -> dict[int, dict[str, Any]]:
        """Runs of a solver by seed, with ``setup_seconds`` among the rest."""
        found = {}
        for job in self.at(place):
            entry = job["solvers"].get(solver)
            if entry and kind in entry["kinds"]:
                found[job["seed"]] = {"setup_seconds": entry["setup_seconds"], **entry["kinds"][kind]}
        return found

    def iterations(self, place: Place, solver: str, kind: str = "white", rtol: str = LOOSE) -> list[float]:
        """Iterations to a tolerance; infinite where it was not reached."""
        return [_count(run, rtol) for run in self.runs(place, solver, kind).values()]

    def ratios(
        self, place: Place, upper: str, lower: str, kind: str = "white", measure: Callable[..., float] | None = None
    ) -> list[float]:
        """Per seed, iterations to 1e-4 (or another ``measure`` of a run) of one solver over those of another."""
        measure = measure or _loose
        above, below = self.runs(place, upper, kind), self.runs(place, lower, kind)
        pairs = [(measure(above[seed]), measure(below[seed])) for seed in above if seed in below]
        # What neither reached says nothing.
        return [first / second for first, second in pairs if math.isfinite(first) or math.isfinite(second)]

    def growth(self, small: Place, solver: str) -> list[float]:
        """Per seed, iterations to 1e-4 at twice the size over those at this size, for white noise."""
        large = Place(small.dimension, 2 * small.size, small.case, small.groups)
        before, after = self.runs(small, solver), self.runs(large, solver)
        pairs = [(_loose(before[seed]), _loose(after[seed])) for seed in before if seed in after]
        return [last / first for first, last in pairs if math.isfinite(first)]

    def learned_over_classical(self, case: str, size: int) -> list[float]:
        """Per seed, iterations to 1e-6 of learned over classical multigrid."""
        return self.ratios(Place(3, size, case, ("multigrid",)), "learned", "multigrid", measure=tight_iterations)

    def network(self, weights: str, case: str) -> dict[str, Any]:
        """``parameters`` and ``loss`` of a network on a case; empty if not measured."""
        jobs = [
            job for job in self.jobs if job["group"] == "networks" and (job["weights"], job["case"]) == (weights, case)
        ]
        return jobs[0] if jobs else {}

    def solvers(self, dimension: int) -> list[str]:
        """Names of the solvers of the grids of a dimension, in the order in which they ran."""
        groups = ("plane",) if dimension == 2 else ("cube", "large")
        names = [name for job in self.jobs if job["group"] in groups for name in job["solvers"]]
        return list(dict.fromkeys(names))

    def titles(self) -> dict[str, str]:
        """Names of the solvers in tables."""
        return {name: entry["title"] for job in self.jobs for name, entry in job.get("solvers", {}).items()}


def total_seconds(run: dict[str, Any]) -> float:
    """Set-up and solve to 1e-6."""
    seconds = run["seconds"][TIGHT]
    return math.inf if seconds is None else run["setup_seconds"] + seconds


def tight_iterations(run: dict[str, Any]) -> float:
    """Iterations to 1e-6; infinite where it was not reached."""
    return _count(run, TIGHT)


def median_or_none(values: Sequence[float]) -> float | None:
    """Median; None of nothing."""
    return statistics.median(values) if values else None


def _count(run: dict[str, Any], rtol: str) -> float:
    count = run["iterations"][rtol]
    return math.inf if count is None else count


def _loose(run: dict[str, Any]) -> float:
    return _count(run, LOOSE)
