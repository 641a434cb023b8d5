"""Numbers against time: errors on a logarithmic axis, energies and masses on a linear one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.plots.style import COLOURS, INK, checked_path, entitle, own_look, save, tidy

Rows = Sequence[Mapping[str, Any]]


@own_look
def time_curves(
    rows: Rows | Mapping[str, Rows],
    path: str | Path,
    *,
    errors: Sequence[str] = (),
    amounts: Sequence[str] = (),
    relative: bool = False,
) -> None:
    """Draw errors (logarithmic) beside energies and masses (linear) against time, and write the picture.

    Parameters
    ----------
    rows : one for each time, with ``time`` and values by name; or several such lists by the name of the method
    path : .png, .pdf or .svg
    errors : names of what has a logarithmic axis; rows without the name are left out, zeros leave a gap
    amounts : names of what has a linear axis
    relative : divide each amount by its first value

    Raises
    ------
    InputError : neither errors nor amounts, a name that no row has, rows without a time, a first value of zero
    """
    checked_path(path)
    save(curves(rows, errors, amounts, relative), path)


def curves(rows: Rows | Mapping[str, Rows], errors: Sequence[str], amounts: Sequence[str], relative: bool) -> Figure:
    """Return the figure of `time_curves`, errors left of amounts."""
    tables = dict(rows) if isinstance(rows, Mapping) else {"": rows}
    groups = [(name, names) for name, names in (("error", errors), ("amount", amounts)) if len(names)]
    if not groups or any(isinstance(names, str) for _, names in groups):
        raise InputError(f"The curves need lists of names: got errors={errors!r} and amounts={amounts!r}.")
    figure = Figure(figsize=(6.2 * len(groups), 4.2), layout="constrained")
    for axes, (kind, names) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        divide = relative and kind == "amount"
        _draw(axes, tables, names, divide)
        if kind == "error":
            axes.set_yscale("log", nonpositive="mask")
        shown = names[0] if len(names) == 1 else kind
        axes.set(xlabel="t", ylabel=f"{shown} / first value" if divide else shown)
        amount = names[0].replace("_", " ").capitalize() if len(names) == 1 else "Energy and mass"
        entitle(axes, "Error" if kind == "error" else "Conservation" if divide else amount)
    return figure


def _draw(axes: Axes, tables: Mapping[str, Rows], names: Sequence[str], divide: bool) -> None:
    curve = 0
    for name in names:
        for method, rows in tables.items():
            times, values = _column(rows, name)
            if not len(times):
                continue
            if divide and values[0] == 0.0:
                raise InputError(f"{name!r} starts at zero, so it has no relative size; draw it with relative=False.")
            axes.plot(
                times,
                values / values[0] if divide else values,
                color=COLOURS[curve % len(COLOURS)],
                linestyle="-" if curve < len(COLOURS) else "--",
                linewidth=1.8,
                marker="o" if len(times) <= 25 else "",
                markersize=3.5,
                label=name if not method else method if len(names) == 1 else f"{method}: {name}",
            )
            curve += 1
        if not any(name in row for rows in tables.values() for row in rows):
            raise InputError(f"No row has a value {name!r}: the rows have {sorted(_known(tables))}.")
    axes.grid(True, which="major", color="#e6e8eb", linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    tidy(axes)


def _column(rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times and the values of the rows that have this name."""
    having = [row for row in rows if row.get(name) not in (None, "")]
    if any("time" not in row for row in having):
        raise InputError(f"Each row needs its 'time': got a row with {sorted(having[0])}.")
    try:
        return np.array([float(row["time"]) for row in having]), np.array([float(row[name]) for row in having])
    except (TypeError, ValueError):
        raise InputError(f"The times and the values of {name!r} must be numbers.") from None


def _known(tables: Mapping[str, Rows]) -> set[str]:
    return {name for rows in tables.values() for row in rows for name in row} - {"time"}
