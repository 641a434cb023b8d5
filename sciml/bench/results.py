"""Raw results of benchmarks, and questions to those of ``sciml bench poisson``."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from sciml.errors import DataFormatError
from sciml.status import Status

Run = dict[str, Any]


def read_results(path: Path, name: str = "poisson") -> dict[str, Any]:
    """Read a file that ``sciml bench NAME`` has written."""
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
        if results["name"] == name and {"environment", "plan", "jobs"} <= results.keys():
            return results
    except (ValueError, KeyError, TypeError):
        pass
    raise DataFormatError(f"{path} holds no results of 'sciml bench {name}'; move it away or choose another folder.")


class Results:
    """Each method answers with a list of numbers, one per seed where it can be; empty if nothing was measured.

    Parameters
    ----------
    jobs : results by key, the ``"jobs"`` of the raw results
    """

    def __init__(self, jobs: dict[str, dict[str, Any]]) -> None:
        self.jobs = list(jobs.values())

    def of(self, group: str, case: str | None = None) -> list[dict[str, Any]]:
        """Jobs of a group, of one case or of all."""
        return [job for job in self.jobs if job["group"] == group and case in (None, job["case"])]

    def iterations(self, case: str, size: int) -> list[float]:
        """Iterations for white noise; infinite where they did not converge."""
        jobs = [job for job in self.of("iterations", case) if job["size"] == size]
        return [job["white"] if job["white_status"] == Status.CONVERGED else float("inf") for job in jobs]

    def ratios(self, group: str, case: str, rivals: tuple[str, ...], what: str = "total") -> list[float]:
        """Per seed, seconds of the fastest rival over ours: ``"total"``, or ``"again"`` of the second solve."""
        result = []
        for job in self.of(group, case):
            seconds = {name: _seconds(run, what) for name, run in job["solvers"].items()}
            measured = [seconds[name] for name in rivals if name in seconds]
            if measured and "multigrid" in seconds:
                result.append(min(measured) / seconds["multigrid"])
        return result

    def memory_ratio(self, rival: str) -> list[float]:
        """Peak extra bytes of our multigrid over those of another solver."""
        extra = {job["solver"]: job["extra_bytes"] for job in self.of("memory")}
        return [extra["multigrid"] / extra[rival]] if {"multigrid", rival} <= extra.keys() else []

    def large_seconds(self) -> list[float]:
        """Set-up and solve of the large system."""
        return [_seconds(job, "total") for job in self.of("large")]

    def large_gigabytes(self) -> list[float]:
        """Peak memory of the process that solves the large system, its making included."""
        return [job["process_peak_bytes"] / 1e9 for job in self.of("large")]

    def speed_ups(self) -> list[float]:
        """Per seed, seconds on one thread over seconds on two."""
        seconds: dict[int, dict[int, float]] = {}
        for job in self.of("threads"):
            run = job["solvers"]["multigrid"]
            seconds.setdefault(job["seed"], {})[job["threads"]] = _seconds(run, "total")
        return [each[1] / each[2] for each in seconds.values() if {1, 2} <= each.keys()]

    def largest_residual(self) -> list[float]:
        """Largest true residual at rtol 1e-10 over all cases."""
        residuals = [job["true_residual"] for job in self.of("accuracy")]
        return [max(residuals)] if residuals else []

    def sabotage(self) -> list[float]:
        """Iterations over 1.1 CG + 10 for the worst useless preconditioner; infinite if one did not converge."""
        result = []
        for job in self.of("sabotage"):
            counts = [
                run["iterations"] if Status(run["status"]).success else float("inf")
                for run in job["preconditioners"].values()
            ]
            result.append(max(counts) / (1.1 * job["cg"] + 10))
        return result

    def compile_seconds(self) -> list[float]:
        """What the first solve takes longer than the second where no kernel was compiled before."""
        return [job["first_seconds"] - job["second_seconds"] for job in self.of("compile")]

    def unknowns(self, case: str) -> int:
        """Unknowns of the systems on which solvers were compared; 0 if none were."""
        found = [job["unknowns"] for group in ("times", "box", "hypre") for job in self.of(group, case)]
        return int(statistics.median(found)) if found else 0

    def typical_run(self, group: str, case: str, solver: str) -> Run | None:
        """Medians over the seeds of set-up seconds, solve seconds and iterations."""
        runs = [job["solvers"][solver] for job in self.of(group, case) if solver in job["solvers"]]
        names = ("setup_seconds", "solve_seconds", "iterations")
        return {name: statistics.median(run[name] for run in runs) for name in names} if runs else None

    def not_converged(self) -> list[str]:
        """Which solver missed the tolerance on which system, if any did."""
        return [
            f"{name} on {job['case']} {job['size']}³, seed {job['seed']} (residual {run['true_residual']:.1e})"
            for group in ("times", "box", "hypre")
            for job in self.of(group)
            for name, run in job["solvers"].items()
            if run["true_residual"] > 1.1 * job["rtol"]
        ]


def _seconds(run: Run, what: str) -> float:
    return run["setup_seconds"] + run["solve_seconds"] if what == "total" else run["again_seconds"]
