"""The measurements of ``sciml bench cgs`` as data: one row for each method of a group, and the columns of the groups.

To add a measurement: write its function as :mod:`sciml.bench.cgs.jobs` says, add a :class:`Row` here (its group in
:data:`GROUPS`), the quantities it shows to :data:`COLUMNS`, and its limits to :mod:`sciml.bench.cgs.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sciml.bench.report import Form, error_shown

Kind = Literal["ours", "published", "neural", "classical"]


@dataclass(frozen=True)
class Row:
    """One method of a group: the function that measures it, with settings.

    Attributes
    ----------
    group, method, title : its place, its key and its name in the tables
    function : ``"module:name"`` below :mod:`sciml.bench.cgs`
    kind : ours, the published method run by us, another network, or a classical method
    settings : entries of the job, such as ``config`` and ``changes``
    quick : settings in place of those in a quick run
    drawn : whether weights or data are drawn at random, so that there is one job for each seed of the plan
    """

    group: str
    method: str
    title: str
    function: str
    kind: Kind = "ours"
    settings: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = True


@dataclass(frozen=True)
class Column:
    """A measured quantity in the table of a group: its name in the results, its heading, and how it is written."""

    quantity: str
    head: str
    form: Form = error_shown


GROUPS: dict[str, str] = {
    "elements": "finite elements on triangles and tetrahedra as Laplacians of graphs: error and order",
    "obtuse": "diffusion on sheared meshes, on which finite elements have negative weights",
}

_ORDER = "{:.2f}".format
_SHARE = "{:.0%}".format
COLUMNS: dict[str, tuple[Column, ...]] = {
    "elements": (Column("relative_l2", "relative L2"), Column("order", "order", _ORDER)),
    "obtuse": (
        Column("relative_l2", "relative L2"),
        Column("relative_l2_larger", "on 1000 points"),
        Column("excess", "beyond the boundary values", "{:.2g}".format),
        Column("negative", "edges negative in finite elements", _SHARE),
    ),
}

_ELEMENTS = tuple(
    Row("elements", name, f"{title}, {refinements + 1} refinements",
        "diffusion:order", "classical", {"shape": name, "refinements": refinements}, {"refinements": 2}, drawn=False)
    for name, title, refinements in (("square", "square", 5), ("l_shape", "L-shape", 5), ("cube", "cube", 3))
)  # fmt: skip
_MESHES = {"tests": 24, "examples": 64, "updates": 400}
_OBTUSE = tuple(
    Row("obtuse", name, title, "diffusion:obtuse", kind, {"weights": name, **_MESHES},
        {"tests": 4, "examples": 8, "updates": 10})
    for name, title, kind in (
        ("fem", "finite elements, no maximum principle", "classical"),
        ("clipped", "finite elements, negative weights set to 0", "classical"),
        ("learned", "learned positive weights", "ours"),
    )
)  # fmt: skip

ROWS: tuple[Row, ...] = (*_ELEMENTS, *_OBTUSE)
