"""The measurements of the wave solver: accuracy, exact identities, and speed beside other solvers."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_RATIO, _COUNT, _SECONDS = "{:.2f}".format, "{:,.0f}".format, "{:.3f}".format
WAVES = Group(
    "waves",
    "shot records of generated CurveVel-A maps: 5 shots of 1000 steps, 70 by 70 cells",
    (
        Column("error", "against OpenFWI's scheme"),
        Column("largest", "the largest of a map"),
        Column("shifted", "shifted by a sample"),
        Column("wide", "against a wide domain"),
        Column("pairs", "maps per core-hour", _COUNT),
        Column("green", "against exact waves"),
        Column("surface", "below a free surface"),
        Column("slope", "order of the remainder", _RATIO),
        Column("adjoint", "gradient"),
        Column("reciprocity", "exchanged"),
        Column("mirror", "mirrored"),
        Column("scaled", "scaled"),
    ),
    (
        Row("numba", "numba engine", "waves:records", "ours", {"engine": "numba", "maps": 8, "turns": 5},
            {"maps": 1, "turns": 1}),
        Row("host", "OpenFWI's own scheme", "waves:records", "classical", {"engine": "host", "maps": 8, "turns": 3},
            {"maps": 1, "turns": 1}),
        Row("identities", "numba engine, exact identities", "waves:identities", "ours", {"maps": 1}),
    ),
    (
        Limit("records against OpenFWI's own scheme, median of 8 maps / shifted by a sample: relative L2", "numba",
              (Bound("error", 5e-3, 3e-3), Bound("shifted", 5e-2, most=False))),
        Limit("maps per core-hour, numba engine", "numba",
              (Bound("pairs", 35_000, 80_000, most=False, form=_COUNT),), beside="host"),
        Limit("maps per core-hour, OpenFWI's own scheme", "host",
              (Bound("pairs", 9_000, 15_000, most=False, form=_COUNT),)),
        Limit("exact wave / below a free surface", "identities", (Bound("green", 1e-2), Bound("surface", 1.5e-2))),
        Limit("order of the linearised misfit's remainder, at least / at most", "identities",
              (Bound("slope", 1.9, most=False, form=_RATIO), Bound("slope", 2.1, form=_RATIO))),
        Limit("gradient / reciprocity", "identities", (Bound("adjoint", 1e-4), Bound("reciprocity", 1e-4))),
        Limit("mirrored / scaled records", "identities", (Bound("mirror", 1e-5), Bound("scaled", 1e-5))),
    ),
    (
        Case("records of a velocity map: CPU seconds", "numba", "seconds", _SECONDS),
    ),
    note="The scheme of OpenFWI takes 310 by 310 cells. Where the top layer is faster than about 2200 m/s, its sponge "
    "sends back waves of up to 1.5e-2 of the records, which the numba engine does not have: both are compared with a "
    "domain that is 600 m wider on each side. Exact waves are in a homogeneous medium, also between cells; "
    "gradients in single precision with every fifth step are compared with those of all steps in double precision.",
)  # fmt: skip
PEER = Group(
    "waves-deepwave",
    "one map beside deepwave, 5 shots of 1000 steps, in turns in one process",
    (
        Column("error", "against OpenFWI's scheme"),
        Column("forward", "records [s]", _SECONDS),
        Column("gradient", "with gradient [s]", _SECONDS),
        Column("forward_ratio", "the other over this", _RATIO),
        Column("gradient_ratio", "the same with gradient", _RATIO),
    ),
    (
        Row("numba", "numba engine", "waves:beside", "ours",
            {"engine": "numba", "other": "deepwave", "maps": 1, "turns": 5}, {"turns": 1}),
        Row("deepwave", "deepwave, layers of 10 cells", "waves:beside", "classical",
            {"engine": "deepwave", "other": "numba", "maps": 1, "turns": 5}, {"turns": 1}),
    ),
    (
        Limit("deepwave's CPU time over the numba engine's: records / with gradient", "numba",
              (Bound("forward_ratio", 2.0, 4.0, most=False, form=_RATIO),
               Bound("gradient_ratio", 1.8, 4.0, most=False, form=_RATIO))),
    ),
    (
        Case("records of a velocity map with the gradient: CPU seconds", "numba", "gradient", _SECONDS, featured=True),
    ),
    peer="deepwave",
)  # fmt: skip

GROUPS = (WAVES, PEER)
