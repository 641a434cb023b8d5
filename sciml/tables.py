"""Short plain-text tables, as which problems, solvers and results print themselves.

>>> print(summary("Ale", {"velocity of the labels": "the mean velocity", "relaxation": 0.5}))
Ale
  velocity of the labels   the mean velocity
  relaxation               0.5
"""

from __future__ import annotations

from collections.abc import Mapping

GAP = 3  # spaces between two columns


def summary(title: str, rows: Mapping[str, object]) -> str:
    """Return a title and one line for each name and its value, aligned in two columns.

    Parameters
    ----------
    title : the first line
    rows : value by name; numbers are shown with six significant digits, rows with None are left out, and the lines of
        a value with several are aligned below its first one
    """
    known = {name: shown(value) for name, value in rows.items() if value is not None}
    width = max(map(len, known), default=0) + GAP
    lines = [title]
    for name, value in known.items():
        first, *others = value.splitlines() or [""]
        lines += [f"  {name:<{width}}{first}", *(f"  {'':<{width}}{line}" for line in others)]
    return "\n".join(line.rstrip() for line in lines)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it is not 1: ``1 step``, ``3 steps``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def shown(value: object) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
