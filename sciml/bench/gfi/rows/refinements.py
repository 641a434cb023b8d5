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
_QUICK = {"maps": 1, "solves": 20}


def _row(method: str, title: str, kind: Any = "ours", **settings: Any) -> Row:
    given = {"start": "smoothed", "solves": 300, **settings}
    return Row(method, title, "refinements:refined", kind, given, _QUICK)


GROUPS = (
    Group(
        "refined-smoothed",
        "16 genuine CurveVel-A maps, smoothed by 10 cells, refined from their records",
        _COLUMNS,
        (
            _row("stages", "stages of frequencies, total variation"),
            _row("rising", "the same, velocities that rise with depth", prior="rising"),
            _row("plain", "full band, total variation", "classical", plain=True),
            _row("noisy", "stages, noise of 10 dB", noise=0.316),
            _row("missing", "stages, 30 % of the traces missing", missing=0.3),
            _row("wavelet", "stages, wavelet unknown", unknown_wavelet=True),
        ),
        (
            Limit("smoothed maps refined by 300 solves: change of the error", "stages",
                  (Bound("change", 0.0, -0.4, form=_change),), beside="plain"),
            Limit("the same: maps that are better / largest error after over before", "stages",
                  (Bound("lower", 0.9, 1.0, most=False, form=_share), Bound("worst", 1.05, 1.0, form=_RATIO)),
                  beside="plain"),
            Limit("10 dB of noise: change of the error", "noisy", (Bound("change", -0.05, -0.15, form=_change),)),
            Limit("30 % of the traces missing: change of the error", "missing",
                  (Bound("change", -0.1, -0.25, form=_change),)),
            Limit("wavelet unknown: change of the error", "wavelet",
                  (Bound("change", -0.1, -0.25, form=_change),)),
        ),
        (
            Case("16 smoothed maps refined by 300 solves: mean absolute error [m/s]", "stages", "error", _METRES),
        ),
        note="Data by OpenFWI's own scheme, inverted by another. Each seed has a third of the maps, noise and mask. "
        "Plain inversion is L-BFGS in the full band with total variation, the same solves.",
    ),
    Group(
        "refined-classical",
        "the same maps from starts without a network",
        _COLUMNS,
        (
            _row("profile", "mean profile of 500 other maps", "classical", start="profile"),
            _row("gradient", "velocities that rise linearly", "classical", start="gradient"),
            _row("plain-profile", "mean profile, full band", "classical", start="profile", plain=True),
        ),
    ),
)  # fmt: skip
