"""The data: what the generator of smoke keeps, and what it takes."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Kind, Limit, Row
from sciml.bench.text2pde.rows.common import COUNT, SHORT

_CASES: tuple[tuple[str, str, Kind, dict[str, int]], ...] = (
    ("conservative", "conservative, the default", "ours", {"few": 4}),
    ("paper", "as PDEArena makes them", "classical", {}),
)

GROUPS = (
    Group(
        "data",
        "simulations of smoke, 64 x 64 cells and 32 frames, by the generator",
        (
            Column("divergence", "largest divergence"),
            Column("lost", "smoke that goes or comes"),
            Column("made", "200 trajectories: CPU time [s]", SHORT),
            Column("different", "bytes that differ by two processes", COUNT),
        ),
        tuple(
            row
            for case, title, kind, few in _CASES
            for row in (
                Row(f"{case}-kept", f"{title}: 8 flows", "generator:kept", kind, {"case": case, "flows": 8},
                    {"flows": 1}),
                Row(case, f"{title}: data sets", "generator:made", kind, {"case": case, "count": 200, **few},
                    {"count": 2}),
            )
        ),
        (
            Limit("smoke: largest divergence / share that is lost", "conservative-kept",
                  (Bound("divergence", 1e-12), Bound("lost", 0.02, 0.01)), beside="paper-kept"),
            Limit("200 trajectories of smoke: CPU time [s] / bytes that differ by two processes", "conservative",
                  (Bound("made", 75.0, 25.0, form=SHORT), Bound("different", 0.0, form=COUNT)), beside="paper"),
        ),
        (Case("smoke, 64² and 32 frames: share that is lost", "conservative-kept", "lost"),),
        note="Flows start at rest. Trajectories of data sets have 8 frames before their first one; the CPU time is "
        "that of one process with its file.",
    ),
)  # fmt: skip
