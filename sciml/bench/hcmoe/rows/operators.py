"""Diffusion with sorption by operators that learn without solutions, for the published family and a wide one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Kind, Limit, Row

_SHORT, _PLAIN = "{:.2g}".format, "{:.2f}".format
_TESTS: dict[str, Any] = {"cases": 16, "tests": 900}
_FEW: dict[str, Any] = {"cases": 1}
_LAYER = {**_TESTS, "coupling": "windows"}
_FAMILY = "task.init_args.family.init_args"
_PAPER = (f"{_FAMILY}.family=paper", "data.init_args.family=paper", "task.init_args.network.init_args.inputs=3")
_QUICK = ("training.phases.0.epochs=2", "data.init_args.batches_per_epoch=5", "data.init_args.cases=1")
_ROWS_AT_START = (f"{_FAMILY}.constraint.start=rows",)


def _trained(
    method: str, title: str, kind: Kind, mode: str, family: str, changes: Sequence[str] = (), function: str = "trained",
    **settings: Any,
) -> Row:  # fmt: skip
    """Return the row of a shipped config with changes."""
    every = [*(_PAPER if family == "paper" else ()), "data.init_args.cases=2", *changes]
    soft = [] if mode == "soft" else ["task.init_args.soft_epochs=1", "task.init_args.single_epochs=0"]
    return Row(
        method, title, f"operators:{function}", kind,
        {**_TESTS, "family": family, "config": f"hcmoe/sorption_{mode}_cpu", "changes": every, **settings},
        {**_FEW, "changes": [*every, *_QUICK, *soft]},
    )  # fmt: skip


_COLUMNS = (
    Column("error", "mean relative L2 error"),
    Column("residual", "mean square of the residual"),
    Column("conditions", "of the conditions"),
)
_SWEEP = {1: [1, 1], 2: [1, 2], 4: [2, 2], 8: [2, 4], 16: [2, 8]}  # numbers of experts: along time, along space

GROUPS = (
    Group(
        "operators",
        "diffusion with sorption from constant starts, learned without solutions on 26 x 32 points",
        _COLUMNS,
        (
            Row("floor", "least residual of all fields on the grid", "operators:floor", "classical",
                {**_TESTS, "family": "paper"}, _FEW, drawn=False),
            _trained("soft", "soft, the start in the loss, as published", "published", "soft", "paper", _ROWS_AT_START),
            _trained("soft-exact", "soft, exact start", "neural", "soft", "paper"),
            _trained("hard", "one expert, 16 functions", "neural", "hard", "paper"),
            _trained("experts", "4 experts, 16 functions", "ours", "experts", "paper"),
        ),
        (
            Limit("sorption on 26 x 32 points: error of the rows themselves", "floor", (Bound("error", 5e-3),)),
            Limit("sorption without solutions: experts / over hard / over soft", "experts",
                  (Bound("error", 0.05, 0.01), Bound("error", 1.0, over="hard", form=_PLAIN),
                   Bound("error", 1 / 1.5, over="soft", form=_PLAIN)), beside="floor", paper="3.6e-2"),
        ),
        note="All are trained for about the same CPU time. The floor is the error of the fields with the least "
        "residual on this grid, found from the solutions on. A spline through eight solutions has an error of 4e-7.",
    ),
    Group(
        "operators-wide",
        "diffusion with sorption from random starts with random coefficients, on 26 x 32 points",
        _COLUMNS,
        (
            Row("floor", "least residual of all fields on the grid", "operators:floor", "classical",
                {**_TESTS, "family": "wide"}, _FEW, drawn=False),
            *(
                Row(f"volumes-{cells}", f"finite volumes, {cells} cells", "wide:volumes", "classical",
                    {**_TESTS, "number": cells}, _FEW, drawn=False)
                for cells in (32, 128)
            ),
            _trained("soft", "soft, the start in the loss, as published", "published", "soft", "wide", _ROWS_AT_START),
            _trained("soft-exact", "soft, exact start", "neural", "soft", "wide"),
            _trained("hard", "one expert, 16 functions", "neural", "hard", "wide"),
            _trained("experts", "4 experts, 16 functions", "ours", "experts", "wide"),
            _trained("experts-8", "4 experts, 8 functions", "ours", "experts", "wide",
                     ("task.init_args.network.init_args.outputs=8",)),
            *(
                Row(f"modes-{count}", f"{count} expert{'s' * (count > 1)}, 8 modes of 64 solutions", "wide:modes",
                    "classical", {**_LAYER, "functions": 8, "snapshots": 64, "experts": count},
                    {**_FEW, "snapshots": 9})
                for count in (1, 4)
            ),
            *(
                Row(f"polynomials-{count}", f"{count} expert{'s' * (count > 1)}, 8 polynomials", "wide:polynomials",
                    "classical", {**_LAYER, "degrees": [1, 3], "experts": count}, _FEW, drawn=False)
                for count in (1, 4)
            ),
            Row("supervised", "the network trained on 64 solutions", "operators:supervised", "neural",
                {**_TESTS, "family": "wide", "config": "hcmoe/sorption_soft_cpu",
                 "snapshots": 64, "updates": 15_000}, {**_FEW, "snapshots": 2, "updates": 5}),
        ),
        (
            Limit("wide family without solutions: experts over soft", "experts",
                  (Bound("error", 1.0, over="soft", form=_SHORT), Bound("error", 1.0, over="soft-exact", form=_SHORT)),
                  beside="volumes-32"),
            Limit("wide family, 8 functions: experts over modes of 64 solutions", "experts-8",
                  (Bound("error", 1.0, over="modes-4", form=_SHORT),), beside="modes-4"),
        ),
        (Case("sorption of random starts, without solutions: mean relative L2 error", "experts", "error"),),
        "The CPU time of finite volumes is for all 32 instances; that of modes is of their solutions.",
    ),
    Group(
        "operators-experts",
        "random starts and coefficients: 4 functions, trained with one expert, by the number of experts of the test",
        tuple(Column(f"error_{count}", f"{count} expert" + "s" * (count > 1)) for count in _SWEEP),
        (
            _trained("sweep", "4 functions", "ours", "hard", "wide", ("task.init_args.network.init_args.outputs=4",),
                     "sweep", experts=list(_SWEEP.values())),
        ),
        tuple(
            Limit(f"4 functions, beyond the floor: {count} experts over {count // 2}", "sweep",
                  (Bound(f"error_{count}", 1.0, 0.5, of=f"error_{count // 2}", form=_PLAIN),))
            for count in list(_SWEEP)[1:]
        ),
        note="Errors are relative to the fields of least residual on the grid. 2, 4, 8 and 16 experts are 1 x 2, "
        "2 x 2, 2 x 4 and 2 x 8 boxes along time and space. With boxes along space alone, 16 have two cells each, and "
        "the error of 16 experts is 1.09 of that of 8.",
    ),
    Group(
        "operators-later",
        "trained until 400 s, tested until 500 s",
        (Column("error", "error until 400 s"), Column("error_later", "after"), Column("ratio", "ratio", _PLAIN)),
        (
            _trained("soft", "soft, exact start", "neural", "soft", "paper", (f"{_FAMILY}.trained_until=400",),
                     "later", until=400.0),
            _trained("experts", "4 experts, 16 functions", "ours", "experts", "paper",
                     (f"{_FAMILY}.trained_until=400",), "later", until=400.0),
        ),
        (
            Limit("trained until 400 s: error after over that until then", "experts",
                  (Bound("ratio", 2.0, 1.0, form=_PLAIN),), beside="soft", paper="4.1"),
        ),
    ),
)  # fmt: skip
