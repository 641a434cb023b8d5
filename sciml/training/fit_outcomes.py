"""The ends of the fits of a run, for tasks that fit in every step: numbers for ``result.json``, and a sentence.

>>> rows = [{"loss/rms": "1e-3", "loss/solves": "8", **{f"loss/{k}": str(v) for k, v in columns(s).items()}}
...         for s in (Status.LIMIT, Status.CONVERGED)]
>>> numbers = summed(rows, "step", "rms")
>>> numbers
{'largest_residual': 0.001, 'solves': 16.0, 'steps': 2.0, 'steps_at_limit': 1.0, 'steps_stalled': 0.0}
>>> print(*remarks(numbers, "step", "allow more solves"))  # doctest: +NORMALIZE_WHITESPACE
in 1 of 2 steps a fit stopped at its limit; the largest residual is 1.0e-03. If that is too large, allow more
solves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sciml.status import Status

AT_LIMIT, STALLED = "at_limit", "stalled"


def columns(status: Status) -> dict[str, float]:
    """Return the columns of ``metrics.csv`` for the worst fit of a step."""
    return {AT_LIMIT: float(status == Status.LIMIT), STALLED: float(status == Status.STALLED)}


def summed(
    rows: Sequence[Mapping[str, str]], unit: str, residual: str, last: Sequence[Mapping[str, str]] | None = None
) -> dict[str, float]:
    """Return the largest residual, the solves, and in how many steps a fit stopped before its tolerance.

    Parameters
    ----------
    rows : of ``metrics.csv``; without the columns of older runs, nothing is known of their ends
    unit : what is counted, such as ``"step"``
    residual : the column of the residuals
    last : the rows that are counted, such as the last round of each slab; all by default
    """
    counted = rows if last is None else last
    numbers = {
        "largest_residual": max((float(row[f"loss/{residual}"]) for row in counted), default=0.0),
        "solves": sum(float(row["loss/solves"]) for row in rows),
    }
    if all(f"loss/{AT_LIMIT}" in row for row in counted):
        numbers[f"{unit}s"] = float(len(counted))
        for name in (AT_LIMIT, STALLED):
            numbers[f"{unit}s_{name}"] = sum(float(row[f"loss/{name}"]) for row in counted)
    return numbers


def remarks(metrics: Mapping[str, float], unit: str, remedy: str) -> list[str]:
    """Return a sentence if fits stopped before they met their tolerance.

    Parameters
    ----------
    metrics : with those of :func:`summed`
    unit : as there
    remedy : what the user may do if the residual is too large, an imperative
    """
    total = metrics.get(f"{unit}s")
    found = {name: metrics.get(f"{unit}s_{name}", 0.0) for name in (AT_LIMIT, STALLED)}
    if not total or not any(found.values()):
        return []
    words = {AT_LIMIT: "a fit stopped at its limit", STALLED: "one found no step that decreases its residual further"}
    told = [f"in {count:.0f} of {total:.0f} {unit}s {words[name]}" for name, count in found.items() if count]
    told_residual = f"the largest residual is {metrics['largest_residual']:.1e}"
    return [f"{' and '.join(told)}; {told_residual}. If that is too large, {remedy}."]
