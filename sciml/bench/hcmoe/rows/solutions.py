"""Solutions: Burgers' equation and diffusion with sorption beside classical solvers and single domains."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_COUNT, _SHORT = "{:,.0f}".format, "{:.2g}".format
_SMALLER = [f"task.init_args.{key}" for key in ("elements.degree=14", "elements.smallest=0.01", "time_degree=8")]
_COARSER = [
    f"task.init_args.{key}"
    for key in ("elements={count: 20, degree: 8, towards: [0.0, 1.0], smallest: 1e-4}", "slabs=12", "time_degree=6",
                "first_slab=2e-7")
]  # fmt: skip
_EXACTNESS = (
    Column("jump", "jump of u"),
    Column("slope_jump", "jump of the slope"),
    Column("ends", "missed at the ends"),
)
_EXACT = tuple(Bound(name, 1e-10, 1e-13) for name in ("jump", "slope_jump", "ends"))

BURGERS = Group(
    "burgers",
    "Burgers' equation, viscosity 0.01 / pi, against the solution of Cole and Hopf",
    (
        Column("error", "relative L2 error"),
        *_EXACTNESS,
        Column("start", "missed at the start"),
        Column("unknowns", "unknowns", _COUNT),
    ),
    (
        Row("coupled", "16 coupled experts", "solutions:coupled", "ours", {"config": "hcmoe/burgers_cpu"}, drawn=False),
        Row("coupled-small", "16 coupled experts, degrees 14 and 8", "solutions:coupled", "ours",
            {"config": "hcmoe/burgers_cpu", "changes": _SMALLER}, drawn=False),
        Row("fourier", "Fourier collocation, 2048 points", "solutions:fourier", "classical", {"number": 2048},
            drawn=False),
        Row("lpinn", "LPINN of this package", "solutions:lagrangian", "neural",
            {"config": "lpinn/burgers_standard_cpu"},
            {"changes": ["task.init_args.slabs=2", "task.init_args.rounds=1"]}),
        Row("chebyshev", "one domain, Chebyshev polynomials", "solutions:single_domain", "classical",
            {"basis": "chebyshev", "sizes": [[3, 8], [5, 16], [6, 24], [8, 32], [10, 40], [12, 44]]},
            {"sizes": [[3, 8], [5, 16]]}, drawn=False),
        Row("tanh", "one domain, random tanh features", "solutions:single_domain", "neural",
            {"basis": "tanh", "sizes": [32, 64, 128, 192, 256, 384]}, {"sizes": [32, 64]}),
        Row("sine", "one domain, random sine features", "solutions:single_domain", "neural",
            {"basis": "sine", "sizes": [32, 64, 128, 192, 256, 384]}, {"sizes": [32, 64]}),
    ),
    (
        Limit("Burgers, 0.01 / pi: relative L2 error / CPU seconds", "coupled",
              (Bound("error", 1e-7, 1e-9), Bound("seconds", 30.0, form=_SHORT)), beside="fourier"),
        Limit("start / jumps of u / of the slope / ends, over the largest", "coupled",
              (Bound("start", 1e-10, 1e-13), *_EXACT)),
        *(
            Limit(f"16 coupled experts in 5 s over the best of 6 single domains, {basis}: error / CPU seconds",
                  "coupled-small", (Bound("error", 0.01, over=basis), Bound("seconds", 5.0, form=_SHORT)), beside=basis)
            for basis in ("chebyshev", "tanh", "sine")
        ),
    ),
    (Case("Burgers, viscosity 0.01 / pi: relative L2 error", "coupled", "error", featured=True),),
    "Errors are at 257 places and 80 times. A single domain is one expert; its error is the least of six sizes that "
    "took at most 5 CPU seconds, and its time that of this size. Spreads and frequencies of the single domains were "
    "chosen by hand on this viscosity.",
)  # fmt: skip

SORPTION = Group(
    "sorption",
    "diffusion with sorption from u = 0.1, at 8 times, against finite volumes extrapolated from 3072 cells",
    (Column("error", "relative L2 error"), *_EXACTNESS, Column("unknowns", "unknowns", _COUNT)),
    (
        Row("coupled", "32 coupled experts", "solutions:coupled", "ours", {"config": "hcmoe/sorption_cpu"},
            drawn=False),
        Row("coupled-small", "20 coupled experts", "solutions:coupled", "ours",
            {"config": "hcmoe/sorption_cpu", "changes": _COARSER}, drawn=False),
        Row("volumes", "finite volumes, 1024 cells", "solutions:volumes", "classical",
            {"number": 1024, "extrapolated": False}, drawn=False),
        Row("extrapolated", "finite volumes, extrapolated from 1024 cells", "solutions:volumes", "classical",
            {"number": 1024, "extrapolated": True}, drawn=False),
    ),
    (
        Limit("sorption, u0 = 0.1: relative L2 error / CPU seconds", "coupled",
              (Bound("error", 1e-5, 1e-6), Bound("seconds", 30.0, form=_SHORT)), beside="extrapolated"),
        Limit("sorption: jumps of u / of the slope / ends, over the largest", "coupled", _EXACT),
    ),
    (Case("diffusion with sorption: relative L2 error", "coupled", "error"),),
)  # fmt: skip

GROUPS = (BURGERS, SORPTION)
