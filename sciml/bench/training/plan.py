"""``sciml bench training``: updates through the training backbone beside a bare PyTorch loop, and their table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sciml.bench.runner import Campaign, Progress, check_names, refuse_peers
from sciml.bench.table import DASH, Check, Part, markdown
from sciml.bench.worker import Job

# A job is measured again when one of these has changed since.
MEASURED_CODE = ("training/task.py", "training/divergence.py", "training/settings.py", "bench/training/overhead.py")
GROUPS = {"overhead": "CPU time per update, by updates per batch"}
OPTIONAL_PEERS: tuple[str, ...] = ()
LIMITED, MUST = 50, 1.25


@dataclass(frozen=True)
class Plan:
    """Updates per batch that are compared, updates that are timed in each run, and runs."""

    updates_per_batch: tuple[int, ...] = (1, 10, 50, 100)
    updates: int = 1000
    runs: int = 5
    quick: bool = False

    @property
    def file_name(self) -> str:
        """Where the results go: a quick run never overwrites a full one."""
        return "training_quick.json" if self.quick else "training.json"


QUICK = Plan(updates_per_batch=(50,), updates=500, runs=3, quick=True)


def run(
    folder: Path,
    plan: Plan | None = None,
    *,
    only: Sequence[str] = (),
    peers: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Measure, and write the raw results into ``folder`` after every job; parameters and result as in ``poisson.run``.

    Raises
    ------
    InputError
        Wrong names; optional peers, for there are none.
    """
    plan = plan or Plan()
    check_names(only, GROUPS, "group")
    refuse_peers("training", peers)
    jobs = [
        _job(updates_per_batch, plan.updates, number)
        for number in range(plan.runs)
        for updates_per_batch in plan.updates_per_batch
    ]
    path = Path(folder) / plan.file_name
    return Campaign("training", path, {"plan": asdict(plan)}, jobs, MEASURED_CODE).run(
        jobs, fresh=fresh, progress=progress
    )


def checks(results: dict[str, Any]) -> list[Check]:
    """Every row of the table of limits."""
    ratio = Part(_values(results, LIMITED, "ratio"), MUST, None, True, "{:.2f}".format)
    title = f"CPU time of an update over that of a bare PyTorch loop, {LIMITED} updates per batch"
    return [Check(title, f"≤ {MUST:g}", "", [ratio])]


def report(results: dict[str, Any]) -> str:
    """Everything as one Markdown text."""
    quick = results["plan"]["quick"]
    rows = [(row.title, row.must, row.goal, row.measured, DASH if quick else row.verdict) for row in checks(results)]
    limits = markdown(("check", "must", "goal", "measured", "met"), rows)
    columns = []
    for updates in results["plan"]["updates_per_batch"]:
        ours, bare, ratio = (_values(results, updates, name) for name in ("microseconds", "bare_microseconds", "ratio"))
        if ratio:
            middle = (statistics.median(values) for values in (ours, bare))
            columns.append((str(updates), *(f"{value:.0f}" for value in middle), str(Part(ratio, 0, None))))
    head = ("updates per batch", "microseconds of CPU per update", "bare loop", "ratio")
    origin = results["environment"]
    words = (
        f"Network 2-32-32-32-1 on 256 points, Adam, one thread, both loops in turn in one process; medians over "
        f"{results['plan']['runs']} runs, with the range. {origin['processor']}, {origin['cores']} cores; "
        f"Python {origin['python']}, torch {origin['packages']['torch']}."
    )
    return "\n\n".join((limits, markdown(head, columns), words)) + "\n"


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


def _values(results: dict[str, Any], updates_per_batch: int, name: str) -> list[float]:
    jobs = results["jobs"].values()
    return [job[name] for job in jobs if job["updates_per_batch"] == updates_per_batch]
