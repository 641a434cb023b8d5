"""Costs by the number of experts."""

from __future__ import annotations

from sciml.bench.frame import Bound, Column, Group, Limit, Row

_PLAIN, _COUNT, _SHORT = "{:.2f}".format, "{:,.0f}".format, "{:.2g}".format
_DIVIDED = {"grid": [64, 128], "turns": 3}
COSTS = Group(
    "costs",
    "CPU seconds by the number of experts, in turns in one process",
    (
        *(Column(f"seconds_{count}", f"{count} experts [s]", _SHORT) for count in (1, 4, 16, 64)),
        Column("ratio", "64 over 16", _PLAIN),
        *(Column(f"speedup_{count}", f"1 over {count}", _PLAIN) for count in (4, 16)),
        *(Column(f"iterations_{count}", f"iterations, {count}", _COUNT) for count in (1, 4, 16)),
    ),
    (
        Row("coupled", "coupled experts of one size", "costs:coupled", "ours",
            {"experts": [16, 64], "slabs": 4, "turns": 3}, {"slabs": 1, "turns": 1}, drawn=False),
        Row("divided", "layer, 256 unknowns in all, 8192 points", "costs:divided", "ours",
            {**_DIVIDED, "unknowns": 256, "each": False}, {"grid": [16, 32], "unknowns": 32, "turns": 1}),
        Row("equal", "layer, 16 unknowns of each expert, 8192 points", "costs:divided", "ours",
            {**_DIVIDED, "unknowns": 16, "each": True}, {"grid": [16, 32], "turns": 1}),
    ),
    (
        Limit("64 over 16 coupled experts of one size: CPU seconds", "coupled",
              (Bound("ratio", 5.0, 4.2, form=_PLAIN),)),
        Limit("256 unknowns in all, 8192 points, forward and backward: 16 / 4 experts over 1", "divided",
              (Bound("speedup_16", 6.0, most=False, form=_PLAIN), Bound("speedup_4", 2.5, most=False, form=_PLAIN))),
    ),
    note="Times of the layer are of one forward and backward pass, with the iterations that each of them takes. With "
    "equal numbers of unknowns of each expert, one expert has the smallest system; no speed-up is claimed.",
)  # fmt: skip

GROUPS = (COSTS,)
