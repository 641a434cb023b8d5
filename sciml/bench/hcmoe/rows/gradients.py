"""Gradients of constrained solves: exactness and memory."""

from __future__ import annotations

from sciml.bench.frame import Bound, Column, Group, Limit, Row

_PLAIN, _COUNT = "{:.2f}".format, "{:,.0f}".format

GRADIENTS = Group(
    "gradients",
    "implicit gradients of 16 experts of unlike iteration counts, against 8 unrolled Newton steps",
    (
        Column("gradient_error", "relative difference"),
        Column("iterations_least", "least iterations", _COUNT),
        Column("iterations_most", "most iterations", _COUNT),
        Column("memory_ratio", "memory unrolled / ours", _PLAIN),
        Column("memory_growth", "memory at 1e-12 / at 1e-3", _PLAIN),
    ),
    (Row("implicit", "implicit differentiation", "gradients:unrolling", "ours",
         {"experts": 16, "points": 64, "functions": 16}, {"experts": 4}),),
    (
        Limit("gradients against unrolled: difference / growth of memory with the iterations", "implicit",
              (Bound("gradient_error", 1e-9), Bound("memory_growth", 1.0, form=_PLAIN))),
    ),
)  # fmt: skip

GROUPS = (GRADIENTS,)
