"""Flows in a periodic square by operators that learn without solutions, beside Fourier series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_COUNT, _SHORT = "{:,.0f}".format, "{:.2g}".format
_GRID: dict[str, Any] = {"shape": [16, 32, 32], "cases": 16}
_SMALL_GRID: dict[str, Any] = {"shape": [8, 16, 16], "cases": 2}
_CONFIG: dict[str, Any] = {"config": "hcmoe/vorticity_cpu", "cases": 16}
_NETWORK = "task.init_args.network.init_args"
_QUICK = (
    "task.init_args.family.init_args.shape=[8,16,16]", f"{_NETWORK}.widths=[12,12,12]", f"{_NETWORK}.degree=5",
    "task.init_args.soft_epochs=2", "training.phases.0.epochs=1", "data.init_args.batches_per_epoch=10",
    "data.init_args.resolution=32", "data.init_args.places=16",
)  # fmt: skip


def _operator(method: str, title: str, epochs: int, changes: Sequence[str] = ()) -> Row:
    """Return the row of the shipped config in another mode, with as many first epochs as take the same CPU time."""
    every = [f"task.init_args.mode={method}", f"task.init_args.soft_epochs={epochs}",
             f"training.phases.0.epochs={epochs - 1}", "data.init_args.cases=1", *changes]  # fmt: skip
    return Row(
        method, title, "vorticity:operator", "ours" if method == "experts" else "neural",
        {**_CONFIG, "changes": every}, {"cases": 1, "changes": [*every, *_QUICK]},
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
            Column("single", "with at most one expert"),
            Column("sum", "error without the constraint"),
            Column("independent", "experts of their own boxes alone"),
        ),
        (
            Row("floor", "least residual of all fields on the grid", "vorticity:floor", "classical",
                {**_GRID, "cases": 4, "iterations": 2000}, {**_SMALL_GRID, "cases": 1, "iterations": 50}, drawn=False),
            *(_spectral(values) for values in (16, 24, 32, 48, 64)),
            _operator("soft", "soft constraint", 250, (f"{_NETWORK}.outputs=1",)),
            _operator("experts", "experts in 2 x 2 windows, 48 functions and 8 shifts", 233),
        ),
        (
            Limit("flows in a periodic square: experts / hard constraint", "experts",
                  (Bound("error", 1.0, 0.71, of="single", form=_SHORT),), beside="spectral_16", paper="0.71"),
            Limit("flows in a periodic square: hard / soft constraint", "experts",
                  (Bound("single", 1.0, 0.65, over="soft", form=_SHORT),), paper="0.65"),
        ),
        (
            Case("flows in a periodic square, without solutions: mean relative L2 error", "experts", "error",
                 paper="8.3e-2"),
        ),
        "The CPU time of an operator is that of its training; that of Fourier series is for one flow. The floor is the "
        "error of the fields with the least residual on this grid. The basis is trained by the sum of its fields, "
        "since updates through the constraint cost ten times as much; in tests a hard constraint (one expert) and "
        "experts combine the same functions and shifts of their sum along x and y. Experts of their own boxes alone "
        "are the same outputs, combined independently as published: their velocity is not that of the field, which "
        "jumps between the boxes. The paper has 64 values per axis, flows of its own and GPUs: 18.1 % soft, 11.8 % "
        "hard, 8.3 % by experts.",
    ),
)  # fmt: skip
