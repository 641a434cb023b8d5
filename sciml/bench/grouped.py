"""A benchmark that is made of groups of rows: its jobs, limits, tables and headlines from their data alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sciml.bench.benchmark import Benchmark
from sciml.bench.frame import Case, Group, Row, quantity
from sciml.bench.headline import Competitor, Headline
from sciml.bench.report import DASH, Check, Section, markdown, seconds_shown, shown, span
from sciml.bench.results import Raw, Results, middle, seconds_of
from sciml.bench.worker import Job


@dataclass(frozen=True)
class Plan:
    """The seeds of one run of a benchmark.

    Attributes
    ----------
    seeds : of weights and data; settings were chosen on others
    quick : whether this is a quick run
    """

    seeds: tuple[int, ...] = (301, 302, 303)
    quick: bool = False


QUICK = Plan(seeds=(301,), quick=True)


@dataclass(frozen=True)
class Groups:
    """The groups of a benchmark, and what is made of them and its raw results.

    Attributes
    ----------
    name, method : of the benchmark on the command line, and of the method on the scoreboard
    package : below which the functions of the rows lie
    groups : of rows, in the order in which they are measured
    """

    name: str
    method: str
    package: str
    groups: tuple[Group, ...]

    @property
    def titles(self) -> dict[str, str]:
        """The title of each group."""
        return {group.name: group.title for group in self.groups}

    @property
    def peers(self) -> dict[str, str]:
        """The optional peers, each with the group that it adds."""
        return {group.peer: group.name for group in self.groups if group.peer}

    def benchmark(self, **given: Any) -> Benchmark:
        """Return the benchmark of these groups.

        Parameters
        ----------
        given : what does not follow from the groups, as :class:`~sciml.bench.benchmark.Benchmark` takes it: ``title``,
            ``quick_note``, ``measured_code``, ``packages``, and what is to differ, such as ``legend``
        """
        own = {
            "name": self.name,
            "groups": self.titles,
            "plan": Plan(),
            "quick": QUICK,
            "jobs": self.jobs,
            "checks": self.checks,
            "sections": self.sections,
            "headlines": self.headlines,
            "legend": legend,
            "optional_peers": self.peers,
        }
        return Benchmark(**{**own, **given})

    def jobs(self, plan: Plan, peers: Collection[str] = ()) -> list[Job]:
        """Return every job of the plan, group by group, with those of some optional peers.

        In a group all rows come with the first seed before those with the next one, so that a run that is stopped has
        compared them.
        """
        asked = [group for group in self.groups if group.peer in (None, *peers)]
        each = [[job for row in group.rows for job in self._jobs_of(plan, group.name, row)] for group in asked]
        return [job for jobs in each for job in sorted(jobs, key=lambda job: plan.seeds.index(job["seed"]))]

    def checks(self, raw: Raw) -> list[Check]:
        """Return every limit, with what was measured."""
        results = self._results(raw)
        return [limit.check(results, group.name) for group in self.groups for limit in group.limits]

    def sections(self, raw: Raw) -> list[Section]:
        """Return the tables of everything that was measured, one for each group."""
        results = self._results(raw)
        return [
            Section(f"{group.title[0].upper()}{group.title[1:]}", _table(results, group), group.note)
            for group in self.groups
            if results.select(group.name)
        ]

    def headlines(self, raw: Raw) -> list[Headline]:
        """Return the row of the scoreboard of each case that was measured."""
        results = self._results(raw)
        return [
            self._headline(results, group.name, case)
            for group in self.groups
            for case in group.cases
            if quantity(results, group.name, case.method, case.quantity)
        ]

    def _jobs_of(self, plan: Plan, group: str, row: Row) -> Iterator[Job]:
        for seed in plan.seeds if row.drawn else plan.seeds[:1]:
            yield {
                "key": f"{group}/{row.method}/{seed}", "group": group, "method": row.method, "title": row.title,
                "kind": row.kind, "seed": seed, "threads": 1, "function": f"{self.package}.{row.function}",
                **row.settings, **(row.quick if plan.quick else {}),
            }  # fmt: skip

    def _results(self, raw: Raw) -> Results:
        """Return the queries, with the titles of the present plan: those of older results may use other words."""
        return Results(raw, {job["key"]: job["title"] for job in self.jobs(Plan(), tuple(self.peers))})

    def _headline(self, results: Results, group: str, case: Case) -> Headline:
        classical, neural = _classical(results, group, case), _best(results, group, case, "neural", "published")
        runs = results.runs(group, case.method)
        beside = results.runs(group, classical[0]) if classical else []
        return Headline(
            method=self.method,
            case=case.title,
            ours=quantity(results, group, case.method, case.quantity),
            paper=case.paper,
            classical=classical[1] if classical else None,
            neural=neural[1] if neural else None,
            cost=middle(seconds_of(runs)) / middle(seconds_of(beside)) if beside else None,
            form=case.form,
            command=f"sciml bench {self.name} --only {group}",
            featured=case.featured,
        )


def legend(raw: Raw) -> str:
    """Return what the numbers of a benchmark of groups count."""
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
    return f"{found[0]:,.0f}" if found and math.isfinite(found[0]) else DASH


def _classical(results: Results, group: str, case: Case) -> tuple[str, Competitor] | None:
    """Return the best classical competitor, of the group or measured in our runs, with its key; None without any."""
    if case.classical is None:
        return _best(results, group, case, "classical")
    title, name = case.classical
    return "", Competitor(title, quantity(results, group, case.method, name))


def _best(results: Results, group: str, case: Case, *kinds: str) -> tuple[str, Competitor] | None:
    """Return the competitor of some kinds with the smallest median of the quantity, with its key; None without any."""
    found = [
        (method, Competitor(runs[0]["title"], measured))
        for (_, method), runs in results.methods(group).items()
        if runs[0]["kind"] in kinds and method != case.method
        and (measured := quantity(results, group, method, case.quantity))
    ]  # fmt: skip
    return min(found, key=lambda each: middle(each[1].values), default=None)
