"""Implicit gradients: exactness, memory against unrolled iterations, and errors by tolerance."""

from __future__ import annotations

from sciml.bench.frame import Bound, Column, Group, Limit, Row

_PLAIN, _SHORT = "{:.2f}".format, "{:.2g}".format
_HEADS = (("contraction", "contractive head, Picard's method"), ("anchored", "anchored head, conjugate gradients"))

GROUPS = (
    Group(
        "gradients",
        "gradients through fixed points, gamma 0.5: exactness, and memory against an unrolled iteration",
        (
            Column("gradient_error", "relative error"),
            Column("memory_ratio", "memory unrolled / ours", _PLAIN),
            Column("memory_growth", "memory at 1e-12 / at 1e-3", _PLAIN),
        ),
        (Row("implicit", "implicit differentiation", "gradients:memory", "ours", {"networks": 8, "heads": 16},
             {"networks": 2, "heads": 3}),),
        (Limit("gradient, gamma 0.5: error / memory unrolled over ours / growth with the iterations", "implicit",
               (Bound("gradient_error", 1e-10), Bound("memory_ratio", 5.0, most=False, form=_PLAIN),
                Bound("memory_growth", 1.0, form=_PLAIN))),),
    ),
    Group(
        "tolerances",
        "errors of gradients by tolerance of the solver, from 1e-3 to 1e-9",
        (
            Column("error_1e-03", "relative error at 1e-3"),
            Column("error_1e-06", "at 1e-6"),
            Column("error_1e-09", "at 1e-9"),
            Column("exponent", "exponent", _PLAIN),
            Column("error_over_bound", "largest error / bound", _SHORT),
            Column("error_over_estimate", "largest error / estimate", _SHORT),
        ),
        tuple(
            Row(name, title, "gradients:tolerance", "ours", {"head": name, "heads": 4}, {"heads": 2})
            for name, title in _HEADS
        ),
        tuple(
            Limit(f"forward tolerance 1e-3 to 1e-9, {title}: exponent of the gradient's error / error over its bound",
                  name,
                  (Bound("exponent", 0.8, most=False, form=_PLAIN), Bound("exponent", 1.25, form=_PLAIN),
                   Bound("error_over_bound", 1.0, form=_SHORT)))
            for name, title in _HEADS
        ),
    ),
)  # fmt: skip
