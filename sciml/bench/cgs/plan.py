"""The jobs of ``sciml bench cgs``: the rows of every group, once for each seed where something is drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sciml.bench.cgs.frame import Row
from sciml.bench.cgs.rows import GROUPS
from sciml.bench.worker import Job


@dataclass(frozen=True)
class Plan:
    """The seeds of one run of the benchmark.

    Attributes
    ----------
    seeds : of weights and data; settings were chosen on others
    quick : whether this is a quick run
    """

    seeds: tuple[int, ...] = (301, 302, 303)
    quick: bool = False


QUICK = Plan(seeds=(301,), quick=True)


def plan_jobs(plan: Plan, peers: Collection[str] = ()) -> list[Job]:
    """Return every job of the plan, group by group, with those of some optional peers."""
    asked = [group for group in GROUPS if group.peer in (None, *peers)]
    return [job for group in asked for row in group.rows for job in _jobs(plan, group.name, row)]


def _jobs(plan: Plan, group: str, row: Row) -> Iterator[Job]:
    for seed in plan.seeds if row.drawn else plan.seeds[:1]:
        yield {
            "key": f"{group}/{row.method}/{seed}", "group": group, "method": row.method, "title": row.title,
            "kind": row.kind, "seed": seed, "threads": 1, "function": f"sciml.bench.cgs.{row.function}",
            **row.settings, **(row.quick if plan.quick else {}),
        }  # fmt: skip
