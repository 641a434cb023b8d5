"""Velocity maps refined by full-waveform inversion."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_METRES, _COUNT, _RATIO = "{:.0f}".format, "{:,.0f}".format, "{:.2f}".format


def _share(value: float) -> str:
    return f"{value:.0%}"


def _change(value: float) -> str:
    return f"{value:+.0%}"


_COLUMNS = (
    Column("start", "error of the start [m/s]", _METRES),
    Column("error", "refined [m/s]", _METRES),
    Column("change", "change", _change),
    Column("lower", "maps that are better", _share),
    Column("worst", "largest error after / before", _RATIO),
    Column("misfit", "misfit after / before"),
    Column("solves", "solves", _COUNT),
)
_EACH = (
    Bound("lower", 0.9, 1.0, most=False, form=_share),
    Bound("worst", 1.05, 1.0, form=_RATIO),
)
_QUICK = {"maps": 1, "solves": 20}


def _row(method: str, title: str, kind: Any = "ours", **settings: Any) -> Row:
    given = {"start": "smoothed", "solves": 300, **settings}
    return Row(method, title, "refinements:refined", kind, given, _QUICK)


def _network(method: str, title: str, kind: Any = "ours", **settings: Any) -> Row:
    return _row(method, title, kind, start="network", **settings)


_SMOOTHED = Group(
    "refined-smoothed",
    "16 genuine CurveVel-A maps, smoothed by 10 cells, refined from their records",
    _COLUMNS,
    (
        _row("stages", "stages of frequencies, total variation"),
        _row("plain", "full band, total variation", "classical", plain=True),
        _row("noisy", "stages, noise of 10 dB", noise=0.316),
    ),
    (
        Limit("smoothed maps refined by 300 solves: change of the error", "stages",
              (Bound("change", 0.0, -0.4, form=_change),), beside="plain"),
        Limit("the same: maps that are better / largest error after over before", "stages", _EACH, beside="plain"),
        Limit("10 dB of noise: change of the error", "noisy", (Bound("change", -0.05, -0.15, form=_change),)),
    ),
    (
        Case("16 smoothed maps refined by 300 solves: mean absolute error [m/s]", "stages", "error", _METRES),
    ),
    note="The protocol of RED-DiffEq. Data by OpenFWI's own scheme, inverted by another. Each seed has a third of the "
    "maps, and its noise. Plain inversion is L-BFGS in the full band with total variation, the same solves.",
)  # fmt: skip

_FROM_NETWORK = Group(
    "refined-network",
    "16 genuine CurveVel-A maps by the shipped network, refined from their records",
    _COLUMNS,
    (
        _network("network-80", "80 solves", solves=80),
        _network("network-300", "300 solves"),
        _network("noisy", "300 solves, noise of 10 dB", noise=0.316),
        _network("missing", "300 solves, 30 % of the traces missing", missing=0.3, maps=3),
        _network("wavelet", "300 solves, wavelet unknown", unknown_wavelet=True, maps=3),
    ),
    (
        Limit("network refined by 80 solves: change of the error", "network-80",
              (Bound("change", -0.2, form=_change),)),
        Limit("network refined by 300 solves: change of the error", "network-300",
              (Bound("change", -0.35, -0.5, form=_change),)),
        Limit("the same: maps that are better / largest error after over before", "network-300", _EACH),
        Limit("network, 10 dB of noise: change of the error", "noisy",
              (Bound("change", -0.05, -0.15, form=_change),)),
        Limit("network, 30 % of the traces missing: change of the error", "missing",
              (Bound("change", -0.1, -0.25, form=_change),)),
        Limit("network, wavelet unknown: change of the error", "wavelet",
              (Bound("change", -0.1, -0.25, form=_change),)),
    ),
    (
        Case("16 genuine CurveVel-A maps, network and 300 solves: mean absolute error [m/s]", "network-300", "error",
             _METRES, featured=True, paper="48"),
    ),
    note="With missing traces and an unknown wavelet, maps are 9, 3 for each seed. The network is given records as in "
    "sciml predict: behind a Wiener filter of known noise, missing traces interpolated. The wavelet that is not known "
    "begins 5 ms late with half of its amplitude. The paper's number is that of a network trained on 24,000 genuine "
    "maps, on all test maps.",
)  # fmt: skip

_CLASSICAL = Group(
    "refined-classical",
    "16 genuine CurveVel-A maps, refined by 300 solves from the best start without a network",
    (*_COLUMNS[:-2], Column("network", "from the network [m/s]", _METRES),
     Column("won", "maps on which the network's start ends better", _share)),
    (
        Row("classical", "300 solves from the best of mean profile, gradient, nearest map",
            "refinements:classical", "classical", {"solves": 300, "pairs": 1000}, {**_QUICK, "pairs": 4}),
    ),
    (
        Limit("network's start against the best classical one, 300 solves: maps that are better", "classical",
              (Bound("won", 0.9, 1.0, most=False, form=_share),)),
    ),
    note="Each map is refined from the mean profile of 500 other genuine maps, from velocities that rise linearly, and "
    "from the one of 1000 generated maps with the nearest records; the best is chosen map by map, by the true error of "
    "what it ends at.",
)  # fmt: skip

_LONG = Group(
    "refined-long",
    "9 genuine CurveVel-A maps by the shipped network, refined by 1000 solves",
    _COLUMNS,
    (
        _network("network-1000", "1000 solves", solves=1000, maps=3),
    ),
    (
        Limit("network refined by 1000 solves: error [m/s]", "network-1000",
              (Bound("error", 180.0, 48.0, form=_METRES),), paper="48"),
    ),
)  # fmt: skip

_FAMILIES = (
    ("flatvel-a", "FlatVel-A, genuine maps", 100.0, 48.0),
    ("curvefault-a", "CurveFault-A, generated", 160.0, 110.0),
    ("style-a", "Style-A, generated", 260.0, 190.0),
    ("flatvel-b", "FlatVel-B, generated", 500.0, 370.0),
)
_OTHERS = Group(
    "refined-others",
    "maps of other families by the network that was trained on CurveVel-A, refined by 300 solves",
    _COLUMNS,
    tuple(_network(family, title, family=family, maps=3) for family, title, *_ in _FAMILIES),
    tuple(
        Limit(f"trained on CurveVel-A, refined: {title}, error [m/s]", family,
              (Bound("error", must, goal, form=_METRES),))
        for family, title, must, goal in _FAMILIES
    ),
    note="9 maps of each family, 3 for each seed. The start is the unrefined network. Generated maps follow recipes of "
    "our own, so that the errors on them do not compare with published ones.",
)  # fmt: skip

_SPREAD = Group(
    "spread",
    "spread over 8 starts on 4 genuine CurveVel-A maps, 150 solves each",
    (
        Column("start", "error of the network [m/s]", _METRES),
        Column("error", "of the mean [m/s]", _METRES),
        Column("rank", "rank correlation of spread and error", _RATIO),
        Column("covered", "coverage of the 90 % interval", _share),
    ),
    (
        Row("starts", "the network's map, changed by smooth random fields of 150 m/s", "refinements:spread", "ours",
            {"maps": 4, "solves": 150, "starts": 8}, {**_QUICK, "starts": 2}, drawn=False),
    ),
    (
        Limit("spread over 8 starts: rank correlation with the error / coverage of 90 %", "starts",
              (Bound("rank", 0.3, 0.5, most=False, form=_RATIO),
               Bound("covered", 0.0, 0.8, most=False, form=_share))),
    ),
    note="Correlation and coverage are over the cells of a map, and averaged over the maps.",
)  # fmt: skip

GROUPS = (_SMOOTHED, _FROM_NETWORK, _CLASSICAL, _LONG, _OTHERS, _SPREAD)
