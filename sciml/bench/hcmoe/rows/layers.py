"""Constraint layers and projections: what holds exactly."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

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

GROUPS = (FACES, PROJECTION)
