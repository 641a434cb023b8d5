"""Gradients of constrained solves: exactness, memory, and what they cost."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_PLAIN, _COUNT, _SHORT = "{:.2f}".format, "{:,.0f}".format, "{:.2g}".format

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

_WAVES = {"waves": 64, "turns": 5}
SENSITIVITIES = Group(
    "sensitivities",
    "one gradient in 64 coefficients of the start of Burgers' equation, over the solution alone",
    (
        Column("forward", "solution alone [s]", _SHORT),
        Column("ratio", "solution and gradient over it", _SHORT),
        Column("backward_ratio", "adjoint pass over it", _SHORT),
        Column("error", "relative error of the gradient"),
    ),
    (
        Row("adjoint", "adjoint solves of 16 coupled experts", "sensitivities:adjoint", "ours", _WAVES,
            {"waves": 8, "turns": 1}),
        Row("differences", "one-sided differences", "sensitivities:differences", "classical", {**_WAVES, "turns": 1},
            {"waves": 8}),
    ),
    (
        Limit("one gradient in 64 coefficients: forward and backward / backward, over forward", "adjoint",
              (Bound("ratio", 2.0, form=_PLAIN), Bound("backward_ratio", 2.0, 1.0, form=_PLAIN)),
              beside="differences"),
    ),
    (Case("one gradient in 64 coefficients: CPU time over that of the solution", "adjoint", "ratio", _PLAIN),),
    "Errors are along 4 random directions, against central differences; those of adjoint solves are about as large as "
    "the residual.",
)  # fmt: skip

GROUPS = (GRADIENTS, SENSITIVITIES)
