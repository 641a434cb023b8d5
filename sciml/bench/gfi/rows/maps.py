"""Rows and limits of generated velocity maps beside genuine ones."""

from __future__ import annotations

from sciml.bench.frame import Bound, Column, Group, Limit, Row
from sciml.bench.gfi.maps import PUBLISHED

_SHARE, _CHANCE = "{:.1%}".format, "{:.2f}".format
_NAMES = {"vel": "Vel", "fault": "Fault", "flat": "Flat", "curve": "Curve", "style": "Style"}
_LIMITS = (
    Bound("p", 0.01, most=False, form=_CHANCE),
    Bound("mean", 0.02, form=_SHARE),
    Bound("deviation", 0.02, form=_SHARE),
)


def _title(family: str) -> str:
    """Return the name of a family as OpenFWI writes it."""
    name, letter = family.split("-")
    for word, written in _NAMES.items():
        name = name.replace(word, written)
    return f"{name}-{letter.upper()}"


MAPS = Group(
    "maps",
    "2000 generated velocity maps against genuine ones (1500 of each family), or against published statistics",
    (
        Column("p", "numbers of layers: p", _CHANCE),
        Column("mean", "mean, off by", _SHARE),
        Column("deviation", "standard deviation", _SHARE),
        Column("amplitude", "quantiles of amplitudes", _SHARE),
    ),
    (
        *(
            Row(family, f"{_title(family)}, genuine maps", "maps:genuine", "ours",
                {"family": family, "archive": archive, "files": [1, 2, 3], "maps": 2000},
                {"files": [1], "maps": 500})
            for family, archive in (("flatvel-a", "FlatVelA_train.zip"), ("curvevel-a", "CurveVelA_train.zip"))
        ),
        *(
            Row(family, f"{_title(family)}, our recipe, published statistics", "maps:published", "ours",
                {"family": family, "maps": 2000}, {"maps": 500})
            for family in PUBLISHED
        ),
    ),
    (
        Limit("FlatVel-A maps: chi-square test of the layers / mean / standard deviation", "flatvel-a", _LIMITS),
        Limit("CurveVel-A maps: the same / quantiles of the interfaces' amplitudes", "curvevel-a",
              (*_LIMITS, Bound("amplitude", 0.15, form=_SHARE))),
    ),
    note="Genuine maps are those of the files vmodel1 to vmodel3; the recipe of FlatVel-A and CurveVel-A was read from "
    "vmodel1 to vmodel9. The other families follow recipes of our own, so that results on them do not compare with "
    "published ones.",
)  # fmt: skip

GROUPS = (MAPS,)
