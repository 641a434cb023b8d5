"""The rows of the scoreboard from ``sciml bench cgs``."""

from __future__ import annotations

from sciml.bench.cgs.frame import Case, quantity
from sciml.bench.cgs.rows import GROUPS
from sciml.bench.cgs.tables import results_of
from sciml.bench.headline import Competitor, Headline
from sciml.bench.results import Raw, Results, middle, seconds_of


def headlines(raw: Raw) -> list[Headline]:
    """Return the row of each case that was measured."""
    results = results_of(raw)
    return [
        _row(results, group.name, case)
        for group in GROUPS
        for case in group.cases
        if quantity(results, group.name, case.method, case.quantity)
    ]


def _row(results: Results, group: str, case: Case) -> Headline:
    classical, neural = _classical(results, group, case), _best(results, group, case, "neural", "published")
    runs = results.runs(group, case.method)
    beside = results.runs(group, classical[0]) if classical else []
    return Headline(
        method="CGS",
        case=case.title,
        ours=quantity(results, group, case.method, case.quantity),
        classical=classical[1] if classical else None,
        neural=neural[1] if neural else None,
        cost=middle(seconds_of(runs)) / middle(seconds_of(beside)) if beside else None,
        form=case.form,
        command=f"sciml bench cgs --only {group}",
        featured=case.featured,
    )


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
