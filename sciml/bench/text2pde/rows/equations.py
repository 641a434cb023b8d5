"""The residuals of generated simulations in the equations, and what they take beside the solver."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row
from sciml.bench.text2pde.rows.common import SHORT, THREE

_SIZES: dict[str, Any] = {"tests": 32, "calls": 4}
_QUICK: dict[str, Any] = {"tests": 2, "calls": 1}
_OVER = "unprojected"

GROUPS = (
    Group(
        "equations",
        "re-solve errors of simulations of smoke: the solver goes on from their first frame",
        (
            Column("divergence", "largest divergence"),
            Column("velocity", "re-solve error of the velocity", THREE),
            Column("smoke", "of the smoke", THREE),
        ),
        (
            Row("solver", "the solver's own frames", "equations:solver", "classical", {"tests": 32}, {"tests": 2}),
            Row("persistence", "the first frame at all times", "equations:persistence", "classical", {"tests": 32},
                {"tests": 2}),
            Row("unprojected", "shipped weights, 4 calls", "equations:drawn", "ours", _SIZES, _QUICK),
            Row("projected", "the same, velocity projected", "equations:drawn", "ours", {**_SIZES, "projected": True},
                _QUICK),
        ),
        (
            Limit("generated velocity, projected: divergence", "projected", (Bound("divergence", 1e-10),),
                  beside=_OVER),
            Limit("re-solve error of velocity / smoke, projected over unprojected", "projected",
                  (Bound("velocity", 1.0, over=_OVER, form=THREE), Bound("smoke", 1.0, over=_OVER, form=THREE)),
                  beside=_OVER),
        ),
        (Case("generated smoke, projected: re-solve error of the velocity", "projected", "velocity", THREE),),
        note="Errors are relative in L2, means over 31 frames and all simulations. The divergence is that of a "
        "staggered grid seen from the centres of its cells; frames of the solver are stored in single precision.",
    ),
    Group(
        "costs",
        "CPU time of a simulation of smoke from its first frame, 64 x 64 cells and 32 frames",
        (
            Column("member_1", "1 call [ms]", SHORT),
            Column("member_4", "4 calls [ms]", SHORT),
            Column("several", "4 calls, 8 members at once: each [ms]", SHORT),
            Column("member_50", "50 calls [ms]", SHORT),
            Column("solver", "stable fluids [ms]", SHORT),
        ),
        (
            Row("shipped", "shipped weights", "equations:costs", "ours",
                {"tests": 1, "calls": [1, 4, 50], "turns": 7}, {"turns": 1}),
        ),
        note="Medians of turns on one thread. The solver needs no training; where one simulation from a first frame "
        "that is known in full is wanted, it is the better choice.",
    ),
)  # fmt: skip
