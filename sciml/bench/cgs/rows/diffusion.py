"""Diffusion on triangulations: finite elements, and learned positive weights."""

from __future__ import annotations

from sciml.bench.frame import Bound, Column, Group, Limit, Row

_PLAIN, _SHARE, _SHORT = "{:.2f}".format, "{:.0%}".format, "{:.2g}".format
_SHAPES = (("square", "square", 5), ("l_shape", "L-shape", 5), ("cube", "cube", 3))
_MESHES = {"tests": 24, "examples": 64, "updates": 400}
_WEIGHTS = (
    ("fem", "finite elements, no maximum principle", "classical"),
    ("clipped", "finite elements, negative weights set to 0", "classical"),
    ("learned", "learned positive weights", "ours"),
)

GROUPS = (
    Group(
        "elements",
        "finite elements on triangles and tetrahedra as Laplacians of graphs: error and order",
        (Column("relative_l2", "relative L2"), Column("order", "order", _PLAIN)),
        tuple(
            Row(name, f"{title}, {refinements + 1} refinements", "diffusion:order", "classical",
                {"shape": name, "refinements": refinements}, {"refinements": 2}, drawn=False)
            for name, title, refinements in _SHAPES
        ),
        tuple(
            Limit(f"finite elements on a {name}: order", name,
                  (Bound("order", 1.9, most=False, form=_PLAIN), Bound("order", 2.1, form=_PLAIN)))
            for name in ("square", "cube")
        ),
    ),
    Group(
        "obtuse",
        "diffusion on sheared meshes, on which finite elements have negative weights",
        (
            Column("relative_l2", "relative L2"),
            Column("relative_l2_larger", "on 1000 points"),
            Column("excess", "beyond the boundary values", _SHORT),
            Column("negative", "edges negative in finite elements", _SHARE),
        ),
        tuple(
            Row(name, title, "diffusion:obtuse", kind, {"weights": name, **_MESHES},
                {"tests": 4, "examples": 8, "updates": 10})
            for name, title, kind in _WEIGHTS
        ),
        (
            Limit("learned positive weights on sheared meshes: beyond the boundary values / error over clipped ones",
                  "learned",
                  (Bound("excess", 0.0, form=_SHORT), Bound("relative_l2", 0.9, over="clipped", form=_PLAIN))),
        ),
    ),
)  # fmt: skip
