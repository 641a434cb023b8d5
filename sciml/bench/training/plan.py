"""The jobs of ``sciml bench training``: updates through the training backbone beside a bare PyTorch loop."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sciml.bench.worker import Job

GROUPS = {"overhead": "CPU time per update, by updates per batch"}


@dataclass(frozen=True)
class Plan:
    """The numbers of updates per batch, of timed updates in each run, and of runs."""

    updates_per_batch: tuple[int, ...] = (1, 10, 50, 100)
    updates: int = 1000
    runs: int = 5
    quick: bool = False


QUICK = Plan(updates_per_batch=(50,), updates=500, runs=3, quick=True)


def plan_jobs(plan: Plan, _: Collection[str] = ()) -> list[Job]:
    """Return every job of the plan, in the order in which they run; there are no optional peers."""
    return [
        _job(updates_per_batch, plan.updates, number)
        for number in range(plan.runs)
        for updates_per_batch in plan.updates_per_batch
    ]


def _job(updates_per_batch: int, updates: int, number: int) -> Job:
    return {
        "key": f"overhead/{updates_per_batch}/{number}",
        "group": "overhead",
        "function": "sciml.bench.training.overhead:overhead",
        "threads": 1,
        "updates_per_batch": updates_per_batch,
        "updates": updates,
        "run": number,
    }
