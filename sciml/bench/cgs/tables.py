"""Limits and tables of ``sciml bench cgs``, made from its raw results and from nothing else."""

from __future__ import annotations

from sciml.bench.cgs.frame import Group, quantity
from sciml.bench.cgs.peers import PEERS
from sciml.bench.cgs.plan import Plan, plan_jobs
from sciml.bench.cgs.rows import GROUPS
from sciml.bench.report import DASH, Check, Section, markdown, seconds_shown, shown, span
from sciml.bench.results import Raw, Results, seconds_of


def results_of(raw: Raw) -> Results:
    """Return the queries, with the titles of the present plan: those of older results may use other words."""
    return Results(raw, {job["key"]: job["title"] for job in plan_jobs(Plan(), PEERS)})


def checks(raw: Raw) -> list[Check]:
    """Return every limit, with what was measured."""
    results = results_of(raw)
    return [limit.check(results, group.name) for group in GROUPS for limit in group.limits]


def sections(raw: Raw) -> list[Section]:
    """Return the tables of everything that was measured, one for each group."""
    results = results_of(raw)
    return [
        Section(f"{group.title[0].upper()}{group.title[1:]}", _table(results, group), group.note)
        for group in GROUPS
        if results.select(group.name)
    ]


def legend(raw: Raw) -> str:
    """Return what the numbers count."""
    return (
        f"Medians over seeds {span(raw['plan']['seeds'])} with the range; settings were chosen on other seeds. CPU "
        "time is that of training or set-up and solution, on one thread; networks that are compared with each "
        "other had the same."
    )


def _table(results: Results, group: Group) -> str:
    rows = []
    for (_, method), runs in results.methods(group.name).items():
        title = f"**{runs[0]['title']}**" if runs[0]["kind"] == "ours" else runs[0]["title"]
        cells = (shown(quantity(results, group.name, method, column.quantity), column.form) for column in group.columns)
        rows.append((title, *cells, _weights(results, group.name, method), seconds_shown(seconds_of(runs))))
    heads = ("method", *(column.head for column in group.columns), "weights", "CPU time [s]")
    if all(row[-2] == DASH for row in rows):
        return markdown((*heads[:-2], heads[-1]), [(*row[:-2], row[-1]) for row in rows])
    return markdown(heads, rows)


def _weights(results: Results, group: str, method: str) -> str:
    found = quantity(results, group, method, "weights")
    return f"{found[0]:,.0f}" if found else DASH
