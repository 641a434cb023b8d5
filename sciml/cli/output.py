"""Standard output of the verbs: one JSON object for programs, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sciml.run_folder import plain

LARGEST_WHOLE = 1e9  # whole numbers below are shown digit by digit: counts, bytes
PIPE_WIDTH = 160  # characters of a table when standard output is not a terminal and has no width of its own


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object, on one line, and nothing else."""
    sys.stdout.write(json.dumps(plain(result), allow_nan=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print a table; numbers are aligned to the right.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : iterable of sequences
        One cell per column: text as it is, floats with four significant digits, None as a dash.
    title : str, optional
        A line above the table.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sciml.cli.streams import one_line

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # which the frame answers; rich would exit with code 1

    rows = [tuple(row) for row in rows]
    heading = None if title is None else Text(one_line(title), style="table.title")
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for position, name in enumerate(columns):
        numeric = any(isinstance(row[position], int | float) for row in rows)
        table.add_column(Text(one_line(name)), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(one_line(cell_text(value))) for value in row))
    Output(file=sys.stdout, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def cell_text(value: Any) -> str:
    """Return the text of one table cell."""
    if value is None:
        return "-"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:
        return f"{value:.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as Markdown, its cells as in :func:`print_table`."""
    lines = [columns, ["---"] * len(columns), *([cell_text(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
