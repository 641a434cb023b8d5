"""Darcy flow: experts on rectangles beside finite volumes and one polynomial on the whole square."""

from __future__ import annotations

from sciml.bench.frame import Column, Group, Row

_COUNT = "{:,.0f}".format
_CASE = {"config": "hcmoe/darcy_cpu"}
_FEWER = ["task.init_args.elements.degree=10", "task.init_args.elements.smallest=0.08"]

GROUPS = (
    Group(
        "darcy",
        "Darcy flow through log-normal media on the unit square",
        (Column("error", "relative L2 error"), Column("unknowns", "unknowns", _COUNT)),
        (
            Row("experts", "8 x 8 experts of degree 14, as in the config", "flows:experts", "ours",
                _CASE),
            Row("fewer", "8 x 8 experts of degree 10", "flows:experts", "ours",
                {**_CASE, "changes": _FEWER}),
            Row("galerkin", "Galerkin's method, one polynomial of degree 48", "flows:galerkin", "classical",
                {"degree": 48}),
            Row("galerkin_32", "the same, degree 32", "flows:galerkin", "classical", {"degree": 32}),
            Row("volumes", "finite volumes, 320 x 320 cells", "flows:volumes", "classical", {"cells": 320},
                quick={"cells": 64}),
        ),
        note="The pressure behaves like r^2 log r at the corners, towards which elements are graded; they hold one "
        "polynomial back.",
    ),
)  # fmt: skip
