"""The limits of ``sciml bench cgs`` as data, and what the results say to them."""

from __future__ import annotations

from dataclasses import dataclass

from sciml.bench.report import DASH, Check, Form, Part, error_shown, seconds_shown, shown
from sciml.bench.results import Results, middle, seconds_of, values


@dataclass(frozen=True)
class Bound:
    """The limit of one quantity of a method.

    Attributes
    ----------
    quantity : its name in the results; ``seconds`` is the CPU time of the job
    must, goal : the limit, and the better value hoped for
    most : whether the limit is an upper bound
    over : a method of the same group; the quantity is divided by the median of its own
    form : how a value is written
    """

    quantity: str
    must: float
    goal: float | None = None
    most: bool = True
    over: str | None = None
    form: Form = error_shown

    @property
    def text(self) -> str:
        """The limit in words."""
        return f"{'≤' if self.most else '≥'} {self.form(self.must)}{' of it' if self.over else ''}"

    def part(self, results: Results, group: str, method: str) -> Part:
        """Return the measured values beside the limit."""
        found = quantity(results, group, method, self.quantity)
        if self.over:
            other = quantity(results, group, self.over, self.quantity)
            found = [value / middle(other) for value in found] if other else []
        return Part(found, self.must, self.goal, self.most, self.form)


@dataclass(frozen=True)
class Limit:
    """The limits of one method: all of them must hold.

    Attributes
    ----------
    title : what is measured, in words
    group, method : whose results
    bounds : of its quantities
    beside : a competitor of the same group, whose first quantity is shown
    """

    title: str
    group: str
    method: str
    bounds: tuple[Bound, ...]
    beside: str | None = None

    def check(self, results: Results) -> Check:
        """Return the row of the limit with what was measured."""
        goals = [bound.form(bound.goal) for bound in self.bounds if bound.goal is not None]
        return Check(
            self.title,
            " / ".join(bound.text for bound in self.bounds),
            " / ".join(goals),
            [bound.part(results, self.group, self.method) for bound in self.bounds],
            seconds=seconds_of(results.runs(self.group, self.method)),
            classical=self._beside(results),
        )

    def _beside(self, results: Results) -> str:
        runs = results.runs(self.group, self.beside) if self.beside else []
        if not runs:
            return DASH
        bound = self.bounds[0]
        found = shown(quantity(results, self.group, self.beside or "", bound.quantity), bound.form)
        return f"{runs[0]['title']}: {found} in {seconds_shown(seconds_of(runs))} s"


def quantity(results: Results, group: str, method: str, name: str) -> list[float]:
    """Return one quantity of a method, one value per seed; infinite where the method failed."""
    path = (name,) if name == "seconds" else ("last", name)
    return values(results.runs(group, method), *path)


_PLAIN = "{:.2f}".format
LIMITS: tuple[Limit, ...] = (
    *(
        Limit(f"finite elements on a {title}: order", "elements", name, (
            Bound("order", 1.9, most=False, form=_PLAIN), Bound("order", 2.1, form=_PLAIN)))
        for name, title in (("square", "square"), ("cube", "cube"))
    ),
    Limit("learned positive weights on sheared meshes: beyond the boundary values / error over that of clipped ones",
          "obtuse", "learned", (Bound("excess", 0.0, form="{:.2g}".format),
                                Bound("relative_l2", 0.9, over="clipped", form=_PLAIN))),
)  # fmt: skip
