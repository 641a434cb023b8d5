"""The rows of the scoreboard from ``sciml bench insr``."""

from __future__ import annotations

import math

from sciml.bench.headline import Competitor, Headline
from sciml.bench.insr.results import ERRORS, InsrResults, title_of
from sciml.bench.report import DASH, error_shown, memory_shown
from sciml.bench.results import Raw, Run, middle, seconds_of, smallest, values

# In the README; not the steady Taylor-Green vortices, on which a scheme that does nothing is exact.
FEATURED = (("advection", "pade22"), ("vortices", "insr"), ("tension", "insr"))
NAMES = {
    "mean_absolute_error": "mean absolute error over time",
    "mean_square_error": "mean square error at the end",
    "relative_l2": "relative L2 error at the end",
}


def headlines(raw: Raw) -> list[Headline]:
    """Return one row per case and time-stepping scheme, one for the optimiser, and one for each dimension."""
    results = InsrResults(raw)
    rows = [
        _row(results, group, method, runs)
        for group in ERRORS
        for (_, method), runs in results.methods(group, kind="ours").items()
    ]
    dimensions = [_dimension_row(runs) for runs in results.methods("high_dimension").values()]
    return [*rows, *_optimiser_row(results), *dimensions]


def _row(results: InsrResults, group: str, method: str, runs: list[Run]) -> Headline:
    title, path, _ = ERRORS[group]
    best = results.best(group, path)
    neural = smallest(results.methods("pinn").values(), path) if group == "advection" else []
    return Headline(
        method="INSR",
        case=f"{title}, {title_of(runs)}: {NAMES[path[-1]]}",
        ours=values(runs, *path),
        paper=results.paper.get(group, DASH),
        classical=Competitor(best[0]["title"], values(best, *path)) if best else None,
        neural=Competitor(neural[0]["title"], values(neural, *path)) if neural else None,
        cost=middle(seconds_of(runs)) / middle(seconds_of(best)) if best else None,
        command=f"sciml bench insr --only {group}{' --only pinn' if neural else ''}",
        featured=(group, method) in FEATURED,
    )


def _optimiser_row(results: InsrResults) -> list[Headline]:
    runs = results.runs("adam", "adam")
    if not runs:
        return []
    adam = [min(each["relative_l2"] for each in run["adam"].values()) for run in runs]
    return [
        Headline(
            method="INSR",
            case=f"advection in 1-D, least squares after {runs[0]['steps']} steps: {NAMES['relative_l2']}",
            ours=[run["least_squares"]["relative_l2"] for run in runs],
            neural=Competitor("INSR with tuned Adam, equal time", adam),
            command="sciml bench insr --only adam",
        )
    ]


def _dimension_row(runs: list[Run]) -> Headline:
    """Return the row of one dimension: the memory of the network, and of the Fourier modes with the same error."""
    nodes = [run["grids"]["waves"]["nodes"] for run in runs if run.get("grids")]
    dimension, error = runs[0]["dimension"], error_shown(middle(values(runs, "last", "relative_l2")))
    sizes = [math.inf if count is None else 8 * count**dimension for count in nodes]
    return Headline(
        method="INSR",
        case=f"a pulse in {dimension}-D with relative L2 error {error}: memory",
        ours=[run["memory_bytes"] for run in runs],
        classical=Competitor("Fourier modes, exact in time", sizes) if sizes else None,
        form=memory_shown,
        command="sciml bench insr --only high_dimension",
    )
