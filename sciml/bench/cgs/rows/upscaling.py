"""Upscaling of Darcy flow: errors of learned and classical transmissibilities, and the time of many sources."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_PLAIN = "{:.2f}".format
_FIELDS, _QUICK = {"fields": 24}, {"fields": 2}
_SHORT_RUN = ["data.init_args.fields=8", "data.init_args.validation_fields=2", "data.init_args.test_fields=2",
              "training.phases.0.epochs=2"]  # fmt: skip
_LARGE, _SMALL = {"size": 1024, "pairs": 100, "checked": 20}, {"size": 128, "pairs": 4, "checked": 2}

GROUPS = (
    Group(
        "upscaling",
        "upscaling of Darcy flow from 64 x 64 to 8 x 8 cells and from 128 x 128 to 16 x 16, correlation length 3, "
        "deviation 1.5: relative errors",
        (Column("rate_64", "rate, 64²"), Column("pair_rate_64", "between wells"), Column("pressure_64", "pressure"),
         Column("rate_128", "rate, 128²"), Column("pair_rate_128", "between wells"),
         Column("pressure_128", "pressure")),
        (
            Row("learned", "learned transmissibilities", "jobs:trained", "ours",
                {"config": "cgs/upscaling_2d_cpu", "seeded": ["seed", "data.init_args.seed"], **_FIELDS,
                 "evaluation": "sciml.bench.cgs.upscaling:errors"},
                {"changes": _SHORT_RUN, **_QUICK}),
            *(
                Row(name, title, "upscaling:classical", "classical", {"upscaling": name, **_FIELDS}, _QUICK)
                for name, title in (("averages", "averages"), ("local", "local flow-based"),
                                    ("extended", "extended local flow-based"))
            ),
        ),
        (
            Limit("upscaling, 64² / 128²: error of the rate through the box", "learned",
                  (Bound("rate_64", 0.02, 0.01), Bound("rate_128", 0.02, 0.01)), beside="extended"),
            Limit("the same between wells", "learned",
                  (Bound("pair_rate_64", 0.02, 0.01), Bound("pair_rate_128", 0.02, 0.01)), beside="extended"),
            Limit("rate / between wells / pressure over extended local upscaling", "learned",
                  (Bound("rate_ratio", 0.7, form=_PLAIN), Bound("pair_rate_ratio", 0.7, form=_PLAIN),
                   Bound("pressure_ratio", 1.0, form=_PLAIN))),
            Limit("fields of other lengths and deviations: over local upscaling, or 1 % where that is better",
                  "learned", (Bound("others", 1.0, form=_PLAIN),)),
        ),
        (Case("upscaling of Darcy flow, 64² to 8²: error of the rate", "learned", "rate_64"),),
    ),
    Group(
        "many_sources",
        "100 pairs of wells on 1024 x 1024 cells, set-ups included; errors against the fine solution",
        (Column("pair_rate", "rate between wells"), Column("pair_pressure", "pressure")),
        tuple(
            Row(name, title, "upscaling:many_sources", kind, {"solver": name, **_LARGE}, _SMALL)
            for name, title, kind in (
                ("learned", "learned upscaling to 128 x 128", "ours"),
                ("extended", "extended local flow-based upscaling", "classical"),
                ("factors", "fine, sparse factors that are kept", "classical"),
                ("multigrid", "fine, multigrid with one set-up", "classical"),
            )
        ),
        (
            Limit("100 pairs of wells: time over fine factors / fine multigrid", "learned",
                  (Bound("seconds", 1 / 20, 1 / 50, over="factors", form="{:.3f}".format),
                   Bound("seconds", 1 / 20, 1 / 50, over="multigrid", form="{:.3f}".format))),
        ),
    ),
)  # fmt: skip
