"""Flows in a periodic square by operators that learn without solutions, beside Fourier series."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_COUNT, _SHORT = "{:,.0f}".format, "{:.2g}".format
_GRID: dict[str, Any] = {"shape": [16, 32, 32], "cases": 16}
_SMALL_GRID: dict[str, Any] = {"shape": [8, 16, 16], "cases": 2}
_TRAINING: dict[str, Any] = {
    "seconds": 900.0, "width": 40, "degree": 10, "batch": 4, "step": 3e-3, "shared": 0.95, "times": 4,
}  # fmt: skip
_SHORT_TRAINING = {"seconds": 20.0, "width": 12, "degree": 5}


def _operator(method: str, title: str, functions: int) -> Row:
    return Row(
        method, title, "vorticity:operator", "ours" if method == "experts" else "neural",
        {**_GRID, **_TRAINING, "functions": functions, "mode": method}, {**_SMALL_GRID, **_SHORT_TRAINING},
    )  # fmt: skip


def _spectral(values: int) -> Row:
    return Row(
        f"spectral_{values}", f"Fourier series, {values} x {values}", "vorticity:spectral", "classical",
        {**_GRID, "values": values}, _SMALL_GRID, drawn=False,
    )  # fmt: skip


GROUPS = (
    Group(
        "vorticity",
        "flows in a periodic square, 32 x 32 places and 16 times, learned without solutions",
        (
            Column("error", "mean relative L2 error"),
            Column("error_last", "at the last time"),
            Column("residual", "residual / that of the start"),
            Column("sum", "error without the constraint"),
            Column("updates", "updates", _COUNT),
        ),
        (
            Row("floor", "least residual of all fields on the grid", "vorticity:floor", "classical",
                {**_GRID, "cases": 4, "iterations": 400}, {**_SMALL_GRID, "cases": 1, "iterations": 50}, drawn=False),
            *(_spectral(values) for values in (16, 24, 32, 48, 64)),
            _operator("soft", "soft constraint", 1),
            _operator("hard", "hard constraint, 48 functions", 48),
            _operator("experts", "experts in 2 x 2 windows, 48 functions", 48),
        ),
        (
            Limit("flows in a periodic square: experts / hard constraint", "experts",
                  (Bound("error", 1.0, 0.71, over="hard", form=_SHORT),), beside="spectral_16", paper="0.71"),
            Limit("flows in a periodic square: hard / soft constraint", "hard",
                  (Bound("error", 1.0, 0.65, over="soft", form=_SHORT),), paper="0.65"),
        ),
        (
            Case("flows in a periodic square, without solutions: mean relative L2 error", "experts", "error",
                 paper="8.3e-2"),
        ),
        "The CPU time of an operator is that of its training; that of Fourier series is for one flow. The floor is the "
        "error of the fields with the least residual on this grid. Hard constraints and experts train on the sum of "
        "their fields for 95 % of the time. The paper has 64 values per axis, flows of its own and GPUs: 18.1 % soft, "
        "11.8 % hard, 8.3 % by experts.",
    ),
)  # fmt: skip
