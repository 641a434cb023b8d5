"""`Headline`: one row of the scoreboard, our number beside those of the paper and of the best competitors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sciml.bench.report import DASH, Form, error_shown, shown, times_shown
from sciml.bench.results import middle


@dataclass(frozen=True)
class Competitor:
    """A competitor by its name, with its values, one per seed."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Headline:
    """One row of the scoreboard; a smaller number is better.

    Attributes
    ----------
    method, case : what solves what, and which number is shown
    ours : one value per seed
    command : that measures the row
    paper : the number of the paper
    classical, neural : the best competitors that were measured
    cost : our time over that of the best classical competitor
    form : how a number is written
    featured : whether the row stands in the README too
    """

    method: str
    case: str
    ours: Sequence[float]
    command: str
    paper: str = DASH
    classical: Competitor | None = None
    neural: Competitor | None = None
    cost: float | None = None
    form: Form = error_shown
    featured: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the row, the best number in bold."""
        best = min(
            middle(self.ours), *(middle(each.values) for each in (self.classical, self.neural) if each), math.inf
        )
        return (
            self.method,
            self.case,
            self.paper,
            self._number(self.ours, best),
            self._competitor(self.classical, best),
            self._competitor(self.neural, best),
            DASH if self.cost is None else times_shown(self.cost),
            f"`{self.command}`",
        )

    def _number(self, values: Sequence[float], best: float) -> str:
        text = shown(values, self.form)
        return f"**{text}**" if math.isfinite(best) and middle(values) == best else text

    def _competitor(self, one: Competitor | None, best: float) -> str:
        return DASH if one is None else f"{one.name.replace('**', '')}: {self._number(one.values, best)}"
