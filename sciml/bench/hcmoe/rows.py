"""The measurements of ``sciml bench hcmoe`` as data.

To add a measurement: write its function in a module beside this one, and add a :class:`~sciml.bench.frame.Row` to a
group here, with the columns that show its quantities and its limits.
"""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_PLAIN, _COUNT, _SHORT = "{:.2f}".format, "{:,.0f}".format, "{:.2g}".format
_SMALLER = [f"task.init_args.{key}" for key in ("elements.degree=14", "elements.smallest=0.01", "time_degree=8")]
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

FACES = Group(
    "faces",
    "eight polynomial experts in a layer, too few for the front, by their coupling",
    (Column("error", "relative L2 error"), Column("jump", "jump"), Column("start", "missed at the start")),
    tuple(
        Row(name, title, "layers:faces", kind, {"coupling": coupling, "start": start, "boxes": [2, 4]}, drawn=False)
        for name, title, kind, coupling, start in (
            ("exact", "exact faces, lifted start", "ours", "exact", "lift"),
            ("weighted", "faces as weighted rows", "ours", "faces", "rows"),
            ("independent", "independent experts, as published", "published", "independent", "rows"),
        )
    ),
    (
        Limit("layer of Chebyshev experts: jump / start", "exact",
              (Bound("jump", 1e-10, 1e-13), Bound("start", 1e-10, 1e-13)), beside="weighted"),
    ),
    (Case("layer of 8 Chebyshev experts, Burgers: jump across faces", "exact", "jump"),),
)  # fmt: skip

PROJECTION = Group(
    "projection",
    "outputs of an untrained Fourier operator, projected to start, boundary and masses",
    (
        Column("before", "violation before"),
        Column("violation", "after"),
        Column("moved", "moved by a second projection"),
        Column("cosine", "cosine to what is allowed"),
    ),
    (Row("projected", "projection", "layers:projected", "ours", {"grid": [16, 32]}, {"grid": [4, 8]}),),
    (
        Limit("projected start, boundary, mass / second projection / cosine", "projected",
              tuple(Bound(name, 1e-10, 1e-13) for name in ("violation", "moved", "cosine"))),
    ),
)  # fmt: skip

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

GROUPS: tuple[Group, ...] = (BURGERS, SORPTION, FACES, PROJECTION, GRADIENTS, COSTS)
