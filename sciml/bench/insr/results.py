"""Queries to the raw results of ``sciml bench insr``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sciml.bench.insr.plan import Plan, plan_jobs
from sciml.bench.report import Form
from sciml.bench.results import Raw, Results, Run

# By group: its title, the error by which methods are ranked, and how the error is written.
ERRORS: dict[str, tuple[str, tuple[str, ...], Form]] = {
    "advection": ("advection in 1-D", ("mean", "mean_absolute_error"), "{:.1e}".format),
    "taylor_green": ("Taylor-Green", ("last", "mean_square_error"), "{:.1e}".format),
    "euler": ("the unsteady Euler flow", ("last", "relative_l2"), "{:.1e}".format),
    "vortices": ("two vortices", ("last", "relative_l2"), "{:.1e}".format),
    "burgers": ("Burgers", ("last", "relative_l2"), "{:.1e}".format),
    "tension": ("tension", ("last", "relative_l2"), "{:.1e}".format),
}
SLACK = 1.02  # two per cent more memory is equal memory
OURS = "**INSR**, "  # opens the titles of our methods


class InsrResults(Results):
    """Queries about errors of networks and of their competitors, Adam and nested differentiation among them."""

    def __init__(self, raw: Raw) -> None:
        super().__init__(raw, _titles())

    def ours(self, group: str) -> list[Run]:
        """Return the runs of our first method of a group."""
        return next(iter(self.methods(group, kind="ours").values()), [])

    def adam_ratios(self, which: str, fresh: bool | None = None) -> list[float]:
        """Return per seed the error of the best Adam over that of least squares; ``fresh``: on new points, or not."""
        found = []
        for run in self.runs("adam", "adam"):
            found_here = run[which].values()
            errors = [each["relative_l2"] for each in found_here if fresh is None or each["settings"][2] == fresh]
            if errors:
                found.append(min(errors) / run["least_squares"]["relative_l2"])
        return found

    def jet_ratios(self, task: str, others: Sequence[str], network: str | None = None) -> list[float]:
        """Return per network and repetition the seconds of the fastest of some methods over those of jets."""
        found = []
        for run in self.runs("jets", "jets"):
            for name, measured in run["networks"].items():
                if network in (None, name):
                    seconds = measured[task]
                    fastest = map(min, zip(*(seconds[other] for other in others), strict=True))
                    found += [slow / quick for slow, quick in zip(fastest, seconds["jets"], strict=True)]
        return found


def title_of(runs: Sequence[Run]) -> str:
    """Return the title of a method, without the name of ours."""
    return runs[0]["title"].removeprefix(OURS)


@cache
def _titles() -> dict[str, str]:
    """Return the titles of the present plan by key: those of older results may use other words."""
    return {job["key"]: job["title"] for job in plan_jobs(Plan(), ("deepxde",))}
