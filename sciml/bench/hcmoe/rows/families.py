"""The published family of sorption: 100 of its starts together, beside the methods that need no training either."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_COUNT, _SHORT = "{:,.0f}".format, "{:.2g}".format
_ALL, _FEW = {"count": 100, "cells": 1024}, {"count": 4, "cells": 128}
_ELEMENTS = {"count": 16, "degree": 8, "towards": [0.0, 1.0], "smallest": 1e-4}
_SLABS = {"count": 10, "degree": 6, "first": 2e-7}

GROUPS = (
    Group(
        "family",
        "diffusion with sorption from 100 starts of the published family, at 1024 places and 101 times",
        (
            Column("error", "mean relative L2 error"),
            Column("error_most", "largest"),
            Column("unknowns", "unknowns of each", _COUNT),
            Column("setup", "of which set-up [s]", _SHORT),
        ),
        (
            Row("coupled", "16 coupled experts, all starts in one batch", "families:coupled", "ours",
                {**_ALL, "elements": _ELEMENTS, "slabs": _SLABS}, _FEW, drawn=False),
            Row("spline", "cubic spline through 8 extrapolated solutions", "families:spline", "classical",
                {**_ALL, "snapshots": 8}, _FEW, drawn=False),
            Row("volumes", "finite volumes, LSODA", "families:volumes", "classical", _ALL, _FEW, drawn=False),
            Row("extrapolated", "finite volumes, extrapolated: the reference", "families:reference", "classical",
                _ALL, _FEW, drawn=False),
        ),
        (
            Limit("100 starts of the published family: mean relative L2 error / CPU seconds in all", "coupled",
                  (Bound("error", 1e-3, 1e-4), Bound("seconds", 100.0, form=_COUNT)), beside="spline", paper="3.6e-2"),
        ),
        (
            Case("diffusion with sorption, 100 published starts: mean relative L2 error", "coupled", "error",
                 paper="3.6e-2"),
        ),
        "The starts are the draws of the seeds 9000 to 9099, as PDEBench makes them; the CPU time is that of all. The "
        "errors of the reference are those at the least, the middle and the largest start, against 3 times as many "
        "cells. The number of the paper is that of a trained network on test starts of its own.",
    ),
)  # fmt: skip
