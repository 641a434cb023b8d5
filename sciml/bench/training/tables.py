"""Limit, table and headline of ``sciml bench training``, made from its raw results and from nothing else."""

from __future__ import annotations

import statistics

from sciml.bench.headline import Competitor, Headline
from sciml.bench.report import Check, Part, Section, markdown, shown
from sciml.bench.results import Raw, Results, values

LIMITED, MUST = 50, 1.25  # updates per batch, and the limit of the ratio
TIMES = ("microseconds", "bare_microseconds", "ratio")


def checks(raw: Raw) -> list[Check]:
    """Return the limit, with what was measured."""
    ratio = Part(_measured(raw, LIMITED)["ratio"], MUST, None, True, "{:.2f}".format)
    title = f"CPU time of an update over that of a bare PyTorch loop, {LIMITED} updates per batch"
    return [Check(title, f"≤ {MUST:g}", "", [ratio])]


def sections(raw: Raw) -> list[Section]:
    """Return the table of all numbers of updates per batch."""
    rows = []
    for updates in raw["plan"]["updates_per_batch"]:
        found = _measured(raw, updates)
        if found["ratio"]:
            middle = (f"{statistics.median(found[name]):.0f}" for name in TIMES[:2])
            rows.append((str(updates), *middle, shown(found["ratio"], "{:.3g}".format)))
    heads = ("updates per batch", "CPU time of an update [µs]", "bare loop [µs]", "ratio")
    return [Section("Cost of an update", markdown(heads, rows) if rows else "")]


def headlines(raw: Raw) -> list[Headline]:
    """Return the row of the number of updates per batch that has a limit."""
    found = _measured(raw, LIMITED)
    if not found["ratio"]:
        return []
    return [
        Headline(
            method="training backbone",
            case=f"tiny network, {LIMITED} updates per batch: CPU time of an update [µs]",
            ours=found["microseconds"],
            classical=Competitor("bare PyTorch loop", found["bare_microseconds"]),
            cost=statistics.median(found["ratio"]),
            form="{:.0f}".format,
            command="sciml bench training",
        )
    ]


def legend(raw: Raw) -> str:
    """Return what the numbers count."""
    return (
        "Network 2-32-32-32-1 on 256 points, Adam, one thread, both loops in turn in one process; medians over "
        f"{raw['plan']['runs']} runs, with the range."
    )


def _measured(raw: Raw, updates_per_batch: int) -> dict[str, list[float]]:
    runs = Results(raw).select("overhead", updates_per_batch=updates_per_batch)
    return {name: values(runs, name) for name in TIMES}
