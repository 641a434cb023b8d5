"""Queries to the raw results of ``sciml bench dcdm``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sciml.bench.results import Raw, Results, Run

GRID_GROUPS = ("plane", "cube", "large")
LOOSE, TIGHT = "0.0001", "1e-06"


@dataclass(frozen=True)
class Place:
    """A case on a grid of ``size`` cells per axis, where solvers are compared; ``groups`` are those of the jobs."""

    dimension: int
    size: int
    case: str
    groups: tuple[str, ...] = GRID_GROUPS

    @property
    def grid(self) -> str:
        """The size of the grid in words, such as 64²."""
        return f"{self.size}{'²' if self.dimension == 2 else '³'}"


class DcdmResults(Results):
    """Queries about iterations and seconds of solvers, each of which solved for several kinds of right-hand sides."""

    def __init__(self, raw: Raw) -> None:
        super().__init__(raw)
        self.networks: dict[str, dict[str, Any]] = raw["networks"]

    def at(self, place: Place) -> list[Run]:
        """Return the jobs of one place."""
        return self.select(*place.groups, dimension=place.dimension, size=place.size, case=place.case)

    def by_seed(self, place: Place, solver: str, kind: str = "white") -> dict[int, dict[str, Any]]:
        """Return the runs of a solver by seed, with ``setup_seconds`` among the rest."""
        found = {}
        for job in self.at(place):
            entry = job["solvers"].get(solver)
            if entry and kind in entry["kinds"]:
                found[job["seed"]] = {"setup_seconds": entry["setup_seconds"], **entry["kinds"][kind]}
        return found

    def iterations(self, place: Place, solver: str, kind: str = "white", rtol: str = LOOSE) -> list[float]:
        """Return the iterations to a tolerance; infinite where it was not reached."""
        return [_count(run, rtol) for run in self.by_seed(place, solver, kind).values()]

    def ratios(
        self, place: Place, upper: str, lower: str, kind: str = "white", measure: Callable[..., float] | None = None
    ) -> list[float]:
        """Return per seed iterations to 1e-4 (or another ``measure`` of a run) of one solver over those of another."""
        measure = measure or loose_iterations
        above, below = self.by_seed(place, upper, kind), self.by_seed(place, lower, kind)
        pairs = [(measure(above[seed]), measure(below[seed])) for seed in above if seed in below]
        # A seed at which neither of them reached the tolerance is left out.
        return [first / second for first, second in pairs if math.isfinite(first) or math.isfinite(second)]

    def growth(self, small: Place, solver: str) -> list[float]:
        """Return per seed the iterations to 1e-4 at twice the size over those at this size, for white noise."""
        large = Place(small.dimension, 2 * small.size, small.case, small.groups)
        before, after = self.by_seed(small, solver), self.by_seed(large, solver)
        pairs = [(loose_iterations(before[seed]), loose_iterations(after[seed])) for seed in before if seed in after]
        return [last / first for first, last in pairs if math.isfinite(first)]

    def learned_over_classical(self, case: str, size: int) -> list[float]:
        """Return per seed the iterations to 1e-6 of learned over classical multigrid."""
        return self.ratios(Place(3, size, case, ("multigrid",)), "learned", "multigrid", measure=tight_iterations)

    def network(self, weights: str, case: str) -> dict[str, Any]:
        """Return ``parameters`` and ``loss`` of a network on a case; empty if not measured."""
        jobs = self.select("networks", weights=weights, case=case)
        return jobs[0] if jobs else {}

    def solvers(self, dimension: int) -> list[str]:
        """Return the names of the solvers on the grids of a dimension, in the order in which they ran."""
        groups = ("plane",) if dimension == 2 else ("cube", "large")
        names = [name for job in self.select(*groups) for name in job["solvers"]]
        return list(dict.fromkeys(names))

    def titles(self) -> dict[str, str]:
        """Return the names of the solvers in tables."""
        return {name: entry["title"] for job in self.jobs for name, entry in job.get("solvers", {}).items()}


def total_seconds(run: Run) -> float:
    """Return the seconds of set-up and solve to 1e-6; infinite where it was not reached."""
    seconds = run["seconds"][TIGHT]
    return math.inf if seconds is None else run["setup_seconds"] + seconds


def loose_iterations(run: Run) -> float:
    """Return the iterations to 1e-4; infinite where it was not reached."""
    return _count(run, LOOSE)


def tight_iterations(run: Run) -> float:
    """Return the iterations to 1e-6; infinite where it was not reached."""
    return _count(run, TIGHT)


def median_or_none(values: Sequence[float]) -> float | None:
    """Return the median, None for an empty sequence."""
    return statistics.median(values) if values else None


def _count(run: Run, rtol: str) -> float:
    count = run["iterations"][rtol]
    return math.inf if count is None else count
