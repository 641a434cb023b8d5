"""Parts that the groups of ``sciml bench generative`` share: sizes, columns, and rows of flows."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Column, Kind, Row

THREE, TWO, SHORT = "{:.3f}".format, "{:.2f}".format, "{:.2g}".format
SIZES: dict[str, Any] = {"train": 1600, "tests": 128, "modes": 160}
QUICK: dict[str, Any] = {"train": 24, "tests": 4, "modes": 8, "updates": 3}
CALLS = [1, 2, 4, 8, 50]

SCORES = (
    Column("sample", "rel. L2 of a member", THREE),
    Column("mean", "of the mean", THREE),
    Column("energy", "energy score", THREE),
    Column("ratio", "spread / skill", TWO),
    Column("coverage", "coverage", TWO),
    Column("fine", "fine waves", TWO),
)
SCREENED = "Rows without a range are screened: measured with the first seed alone."
BY_CALLS = tuple(Column(f"energy_{calls}", f"with {calls} call{'s' * (calls > 1)}", THREE) for calls in CALLS)
COSTS = (Column("update", "an update [ms]", SHORT), Column("draw", "a member [ms]", SHORT))


def row(method: str, title: str, function: str, kind: Kind = "ours", *, screened: bool = False, **settings: Any) -> Row:
    """Return a row on simulations of the common sizes; a quick run has few simulations, updates and calls.

    Parameters
    ----------
    method, title, function, kind : of the row
    screened : whether it is measured with the first seed alone
    settings : entries of the job
    """
    at = min(settings.get("at", 2), 2)
    fewer = {"calls": sorted({at, *(calls for calls in settings.get("calls", ()) if calls <= 2)}), "at": at}
    quick = {**QUICK, **{name: value for name, value in fewer.items() if name in settings}}
    return Row(method, title, function, kind, {**SIZES, **settings}, quick, drawn=not screened)


def within(quantity: str, low: float, high: float, goal: tuple[float, float] | None = None) -> tuple[Bound, Bound]:
    """Return the limits of a quantity that must lie between two numbers."""
    lower, upper = goal or (None, None)
    return Bound(quantity, low, lower, most=False, form=TWO), Bound(quantity, high, upper, form=TWO)
