"""Queries to the raw results of ``sciml bench poisson``."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from sciml.bench.results import Results, Run
from sciml.status import Status

COMPARISONS = ("times", "box", "hypre")  # groups of jobs in which several solvers have one system


class PoissonResults(Results):
    """Queries about iterations, times and memory of solvers of Poisson systems."""

    def iterations(self, case: str, size: int) -> list[float]:
        """Return the iterations for white noise; infinite where they did not converge."""
        jobs = self.select("iterations", case=case, size=size)
        return [job["white"] if job["white_status"] == Status.CONVERGED else float("inf") for job in jobs]

    def ratios(self, group: str, case: str, competitors: Sequence[str], what: str = "total") -> list[float]:
        """Return per seed the seconds of the fastest competitor over ours.

        ``what`` is ``"total"``, set-up and solve, or ``"again"``, the second solve.
        """
        found = []
        for job in self.select(group, case=case):
            seconds = {name: _seconds(run, what) for name, run in job["solvers"].items()}
            measured = [seconds[name] for name in competitors if name in seconds]
            if measured and "multigrid" in seconds:
                found.append(min(measured) / seconds["multigrid"])
        return found

    def total_seconds(self, group: str, case: str, solver: str) -> list[float]:
        """Return per seed the seconds of set-up and solve of one solver."""
        jobs = self.select(group, case=case)
        return [_seconds(job["solvers"][solver], "total") for job in jobs if solver in job["solvers"]]

    def memory_ratio(self, competitor: str) -> list[float]:
        """Return the peak extra bytes of our multigrid over those of another solver."""
        extra = {job["solver"]: job["extra_bytes"] for job in self.select("memory")}
        return [extra["multigrid"] / extra[competitor]] if {"multigrid", competitor} <= extra.keys() else []

    def large_seconds(self) -> list[float]:
        """Return the seconds of set-up and solve of the large system."""
        return [_seconds(job, "total") for job in self.select("large")]

    def large_gigabytes(self) -> list[float]:
        """Return the peak memory of the process that makes and solves the large system."""
        return [job["process_peak_bytes"] / 1e9 for job in self.select("large")]

    def speed_ups(self) -> list[float]:
        """Return per seed the seconds on one thread over those on two."""
        seconds: dict[int, dict[int, float]] = {}
        for job in self.select("threads"):
            run = job["solvers"]["multigrid"]
            seconds.setdefault(job["seed"], {})[job["threads"]] = _seconds(run, "total")
        return [each[1] / each[2] for each in seconds.values() if {1, 2} <= each.keys()]

    def largest_residual(self) -> list[float]:
        """Return the largest true residual at rtol 1e-10 over all cases."""
        residuals = [job["true_residual"] for job in self.select("accuracy")]
        return [max(residuals)] if residuals else []

    def sabotage(self) -> list[float]:
        """Return iterations over 1.1 CG + 10 for the worst useless preconditioner; infinite if one did not converge."""
        found = []
        for job in self.select("sabotage"):
            counts = [
                run["iterations"] if Status(run["status"]).success else float("inf")
                for run in job["preconditioners"].values()
            ]
            found.append(max(counts) / (1.1 * job["cg"] + 10))
        return found

    def compile_seconds(self) -> list[float]:
        """Return by how much the first solve takes longer than the second where no kernel was compiled before."""
        return [job["first_seconds"] - job["second_seconds"] for job in self.select("compile")]

    def unknowns(self, case: str) -> int:
        """Return the unknowns of the systems on which solvers were compared; 0 if none were."""
        found = [job["unknowns"] for job in self.select(*COMPARISONS, case=case)]
        return int(statistics.median(found)) if found else 0

    def typical_run(self, group: str, case: str, solver: str) -> Run | None:
        """Return the medians over the seeds of set-up seconds, solve seconds and iterations."""
        runs = [job["solvers"][solver] for job in self.select(group, case=case) if solver in job["solvers"]]
        names = ("setup_seconds", "solve_seconds", "iterations")
        return {name: statistics.median(run[name] for run in runs) for name in names} if runs else None

    def not_converged(self) -> list[str]:
        """Return which solver missed the tolerance on which system, if any did."""
        return [
            f"{name} on {job['case']} {job['size']}³, seed {job['seed']} (residual {run['true_residual']:.1e})"
            for group in COMPARISONS
            for job in self.select(group)
            for name, run in job["solvers"].items()
            if run["true_residual"] > 1.1 * job["rtol"]
        ]


def _seconds(run: Run, what: str) -> float:
    return run["setup_seconds"] + run["solve_seconds"] if what == "total" else run["again_seconds"]
