"""The parts of a report: limits and whether they hold, Markdown tables, and numbers as text."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

Form = Callable[[float], str]
DASH, NOT_MEASURED = "–", "not measured"


@dataclass(frozen=True)
class Part:
    """One measured quantity of a check: the median of its values, beside a limit and a goal.

    Attributes
    ----------
    values : one per seed; empty where nothing was measured
    must, goal : the limit and the better value hoped for
    most : whether the limit is an upper bound; a lower bound by default
    form : how a value is written
    """

    values: list[float]
    must: float
    goal: float | None
    most: bool = False
    form: Form = "{:.3g}".format

    def keeps(self, limit: float | None) -> bool:
        """Return whether the median keeps to a limit; False where there is no limit or no value."""
        if limit is None or not self.values:
            return False
        median = statistics.median(self.values)
        return median <= limit if self.most else median >= limit

    def __str__(self) -> str:
        return shown(self.values, self.form) if self.values else NOT_MEASURED


@dataclass(frozen=True)
class Check:
    """One row of the limits of a benchmark, with what stands beside it.

    Attributes
    ----------
    title, must, goal : what is measured, and both limits in words
    parts : the measured quantities; the limit holds if it holds for each of them
    paper : the value of the paper
    seconds : CPU time of our runs
    classical : the best classical method and what it reaches
    """

    title: str
    must: str
    goal: str
    parts: list[Part] = field(default_factory=list)
    paper: str = DASH
    seconds: list[float] = field(default_factory=list)
    classical: str = DASH

    @property
    def measured(self) -> str:
        """The medians, with the range where the values differ as printed."""
        if not any(part.values for part in self.parts):
            return NOT_MEASURED
        return " / ".join(map(str, self.parts))

    @property
    def met(self) -> bool | None:
        """True if every part keeps to its limit; None if one was not measured."""
        if not all(part.values for part in self.parts):
            return None
        return all(part.keeps(part.must) for part in self.parts)

    @property
    def verdict(self) -> str:
        """The verdict on limit and goal in words; a dash if it is not known."""
        if self.met is None:
            return DASH
        if not self.met:
            return "**no**"
        goals = [part for part in self.parts if part.goal is not None]
        return "yes, the goal too" if goals and all(part.keeps(part.goal) for part in goals) else "yes"


@dataclass(frozen=True)
class Section:
    """A table of a report with its title and a note on what its cells mean; without rows, the table is empty."""

    title: str
    table: str
    note: str = ""

    def text(self) -> str:
        """Return title, note and table for the terminal."""
        return f"**{self.title}**{f': {self.note}' if self.note else ''}\n\n{self.table}"

    def on_page(self) -> str:
        """Return title, note and table for a page."""
        return "\n\n".join(part for part in (f"## {self.title}", sentence(self.note), self.table) if part)


def check_table(checks: Sequence[Check], *, limits: bool = True, quick: bool = False) -> str:
    """Return what was measured as a Markdown table; columns without any entry are left out.

    Parameters
    ----------
    checks : its rows
    limits : whether must, goal and verdict are shown
    quick : whether the run was a quick one, whose sizes are not those of the limits: it meets none of them
    """
    columns = {
        "quantity": [check.title for check in checks],
        "must": [check.must if limits else DASH for check in checks],
        "goal": [check.goal or DASH if limits else DASH for check in checks],
        "paper": [check.paper for check in checks],
        "measured: median (range)": [check.measured for check in checks],
        "met": [DASH if quick or not limits else check.verdict for check in checks],
        "CPU time [s]": [seconds_shown(check.seconds) for check in checks],
        "best classical method": [check.classical for check in checks],
    }
    always = ("met",) if limits else ()
    kept = {head: cells for head, cells in columns.items() if head in always or set(cells) != {DASH}}
    return markdown(kept, zip(*kept.values(), strict=True))


def sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop; nothing of nothing."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return columns and rows as a Markdown table."""
    lines = [list(columns), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(numbers: Sequence[float], form: Form = "{:.1e}".format) -> str:
    """Return median and range; "failed" for infinite values, a dash where there are no values."""
    if not numbers:
        return DASH
    three = (statistics.median(numbers), min(numbers), max(numbers))
    median, low, high = (form(number) if math.isfinite(number) else _infinite(form) for number in three)
    return median if low == high else f"{median} ({low} to {high})"


def _infinite(form: Form) -> str:
    text = form(math.inf)
    return "failed" if "inf" in text else text


def error_shown(error: float) -> str:
    """Return an error with two digits, such as 3.4e-2."""
    return re.sub(r"e([+-])0(\d)", lambda found: f"e{found[1].replace('+', '')}{found[2]}", f"{error:.1e}")


def seconds_shown(numbers: Sequence[float]) -> str:
    """Return the median of CPU seconds with two digits."""
    if not numbers:
        return DASH
    seconds = statistics.median(numbers)
    return f"{seconds:.0f}" if seconds >= 10 else "< 0.01" if seconds < 0.01 else f"{seconds:.2g}"


def memory_shown(size: float | None) -> str:
    """Return bytes in the unit that keeps them short."""
    if size is None:
        return DASH
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size:.0f} B"


def times_shown(ratio: float) -> str:
    """Return a ratio with two significant digits, such as 0.014x, 3.2x or 1,300x."""
    if not math.isfinite(ratio):
        return DASH
    digits = max(0, 1 - math.floor(math.log10(ratio))) if ratio > 0 else 0
    return f"{round(ratio, 1 - math.floor(math.log10(ratio))):,.{digits}f}x" if ratio > 0 else "0x"


def span(numbers: Sequence[object]) -> str:
    """Return the first and the last of some numbers, as in "0 to 2"."""
    if not numbers:
        return "none"
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"


def joined(*parts: str) -> str:
    """Return paragraphs and tables as one text, the empty ones left out."""
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"
