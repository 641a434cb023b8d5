"""The rows of the scoreboard from ``sciml bench cgs``."""

from __future__ import annotations

from dataclasses import dataclass

from sciml.bench.cgs.limits import quantity
from sciml.bench.cgs.tables import results_of
from sciml.bench.headline import Competitor, Headline
from sciml.bench.report import Form, error_shown
from sciml.bench.results import Raw, Results, middle, seconds_of


@dataclass(frozen=True)
class Case:
    """A row of the scoreboard: one quantity of our method, the best of its classical and neural competitors.

    Attributes
    ----------
    title : the case and its number, in words
    group, method, quantity : of ours
    form : how a number is written
    featured : whether the row stands in the README too
    """

    title: str
    group: str
    method: str
    quantity: str
    form: Form = error_shown
    featured: bool = False


CASES: tuple[Case, ...] = ()


def headlines(raw: Raw) -> list[Headline]:
    """Return the row of each case that was measured."""
    results = results_of(raw)
    return [_row(results, case) for case in CASES if quantity(results, case.group, case.method, case.quantity)]


def _row(results: Results, case: Case) -> Headline:
    classical, neural = _best(results, case, "classical"), _best(results, case, "neural", "published")
    runs = results.runs(case.group, case.method)
    beside = results.runs(case.group, classical[0]) if classical else []
    return Headline(
        method="CGS",
        case=case.title,
        ours=quantity(results, case.group, case.method, case.quantity),
        classical=classical[1] if classical else None,
        neural=neural[1] if neural else None,
        cost=middle(seconds_of(runs)) / middle(seconds_of(beside)) if beside else None,
        form=case.form,
        command=f"sciml bench cgs --only {case.group}",
        featured=case.featured,
    )


def _best(results: Results, case: Case, *kinds: str) -> tuple[str, Competitor] | None:
    """Return the competitor of some kinds with the smallest median of the quantity, with its key; None without any."""
    found = [
        (method, Competitor(runs[0]["title"], measured))
        for (_, method), runs in results.methods(case.group).items()
        if runs[0]["kind"] in kinds and method != case.method
        and (measured := quantity(results, case.group, method, case.quantity))
    ]  # fmt: skip
    return min(found, key=lambda each: middle(each[1].values), default=None)
