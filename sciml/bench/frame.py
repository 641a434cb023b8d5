"""Groups of measurements as data: rows, columns, limits and cases of a method's benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sciml.bench.report import DASH, Check, Form, Part, error_shown, seconds_shown, shown
from sciml.bench.results import Results, middle, seconds_of, values

Kind = Literal["ours", "published", "neural", "classical"]


@dataclass(frozen=True)
class Row:
    """One method of a group: the function that measures it, with settings.

    Attributes
    ----------
    method, title : its key and its name in the tables
    function : ``"module:name"`` below the package of the benchmark
    kind : ours, the published method run by us, another network, or a classical method
    settings : entries of the job, such as ``config`` and ``changes``
    quick : settings in place of those in a quick run
    drawn : whether weights or data are drawn at random, so that there is one job for each seed of the plan
    """

    method: str
    title: str
    function: str
    kind: Kind = "ours"
    settings: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = True


@dataclass(frozen=True)
class Column:
    """A measured quantity in the table of a group: its name in the results, its heading, and how it is written."""

    quantity: str
    head: str
    form: Form = error_shown


@dataclass(frozen=True)
class Bound:
    """The limit of one quantity of a method.

    Attributes
    ----------
    quantity : its name in the results; ``seconds`` is the CPU time of the job
    must, goal : the limit, and the better value hoped for
    most : whether the limit is an upper bound
    of : another quantity of the same run, by which this one is divided
    over : a method of the same group, by whose median of the quantity this one is divided
    form : how a value is written
    """

    quantity: str
    must: float
    goal: float | None = None
    most: bool = True
    of: str | None = None
    over: str | None = None
    form: Form = error_shown

    @property
    def text(self) -> str:
        """Limit in words, such as "≤ 1e-6"."""
        return f"{'≤' if self.most else '≥'} {self.form(self.must)}{' of it' if self.over else ''}"

    def part(self, results: Results, group: str, method: str) -> Part:
        """Return the measured values beside the limit."""
        found = quantity(results, group, method, self.quantity)
        if self.of:
            others = quantity(results, group, method, self.of)
            found = [value / other for value, other in zip(found, others, strict=True)]
        if self.over:
            other = quantity(results, group, self.over, self.quantity)
            found = [value / middle(other) for value in found] if other else []
        if not self.most:  # what failed is infinite
            found = [value if math.isfinite(value) else -math.inf for value in found]
        return Part(found, self.must, self.goal, self.most, self.form)


@dataclass(frozen=True)
class Limit:
    """The limits of one method of a group: all of them must hold.

    Attributes
    ----------
    title : what is measured, in words
    method : whose results
    bounds : of its quantities
    beside : a competitor of the same group, whose value of the first quantity is shown
    paper : the value of the paper
    """

    title: str
    method: str
    bounds: tuple[Bound, ...]
    beside: str | None = None
    paper: str = DASH

    def check(self, results: Results, group: str) -> Check:
        """Return the row of the limit with what was measured."""
        goals = [bound.form(bound.goal) for bound in self.bounds if bound.goal is not None]
        return Check(
            self.title,
            " / ".join(bound.text for bound in self.bounds),
            " / ".join(goals),
            [bound.part(results, group, self.method) for bound in self.bounds],
            self.paper,
            seconds=seconds_of(results.runs(group, self.method)),
            classical=self._beside(results, group),
        )

    def _beside(self, results: Results, group: str) -> str:
        runs = results.runs(group, self.beside) if self.beside else []
        if not runs:
            return DASH
        bound = self.bounds[0]
        found = shown(quantity(results, group, runs[0]["method"], bound.quantity), bound.form)
        return f"{runs[0]['title']}: {found} in {seconds_shown(seconds_of(runs))} s"


@dataclass(frozen=True)
class Case:
    """A row of the scoreboard: one quantity of our method, beside its best classical and neural competitors.

    Attributes
    ----------
    title : the case and its number, in words; a smaller number is better
    method, quantity : of ours; competitors are the rows of the group that have the quantity
    classical : title and quantity of a classical competitor that was measured in the same runs
    form : how a number is written
    featured : whether the row stands in the README too
    """

    title: str
    method: str
    quantity: str
    form: Form = error_shown
    featured: bool = False
    classical: tuple[str, str] | None = None
    paper: str = DASH


@dataclass(frozen=True)
class Group:
    """One group of measurements, with one table.

    Attributes
    ----------
    name, title : on the command line, and of the table
    columns : of the table, beside method, weights and CPU time
    rows : what is measured
    limits, cases : what must hold, and the rows of the scoreboard
    note : on what the cells mean
    peer : the optional peer on whose request alone the group is measured, if any
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    limits: tuple[Limit, ...] = ()
    cases: tuple[Case, ...] = ()
    note: str = ""
    peer: str | None = None


def quantity(results: Results, group: str, method: str, name: str) -> list[float]:
    """Return one quantity of a method, one value per seed; infinite where the method failed."""
    path = (name,) if name == "seconds" else ("last", name)
    return values(results.runs(group, method), *path)
