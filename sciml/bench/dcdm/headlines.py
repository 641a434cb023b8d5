"""The rows of the scoreboard from ``sciml bench dcdm``."""

from __future__ import annotations

from collections.abc import Callable

from sciml.bench.dcdm.results import (
    DcdmResults,
    Place,
    loose_iterations,
    median_or_none,
    tight_iterations,
    total_seconds,
)
from sciml.bench.dcdm.tables import TRAINED, UNSEEN
from sciml.bench.headline import Competitor, Headline
from sciml.bench.report import Form
from sciml.bench.results import Raw, Run, middle

Measure = Callable[[Run], float]


def headlines(raw: Raw) -> list[Headline]:
    """Return rows for wall time and iterations of every network on two domains, and one for learned multigrid."""
    results, rows = DcdmResults(raw), []
    for name, about in results.networks.items():
        for case in (TRAINED, UNSEEN):
            place = Place(about["dimension"], about["size"], case)
            rows.append(_network_row(results, name, place, "wall time to 1e-6 [s]", total_seconds, "{:.2g}".format))
            rows.append(_network_row(results, name, place, "iterations to 1e-4", loose_iterations, "{:g}".format))
    rows.append(_learned_row(results, Place(3, max(results.plan["multigrid"]), "jumps", ("multigrid",))))
    return [row for row in rows if row.ours]


def _network_row(results: DcdmResults, name: str, place: Place, number: str, measure: Measure, form: Form) -> Headline:
    def measured(solver: str) -> list[float]:
        return [measure(run) for run in results.by_seed(place, solver).values()]

    network = f"dcdm:{name}"
    others = [solver for solver in results.solvers(place.dimension) if ":" not in solver and solver != "learned"]
    best = min(
        (solver for solver in others if measured(solver)), key=lambda solver: middle(measured(solver)), default=""
    )
    published = measured(f"published:{name}")
    return Headline(
        method="DCDM",
        case=f"Poisson, {place.grid}, {_case(place)}: {number}",
        ours=measured(network),
        classical=Competitor(results.titles()[best], measured(best)) if best else None,
        neural=Competitor("DCDM as published", published) if published else None,
        cost=median_or_none(results.ratios(place, network, best, measure=total_seconds)),
        form=form,
        command=f"sciml bench dcdm --only {'plane' if place.dimension == 2 else 'cube'}",
        featured=place.dimension == 3 and place.case == TRAINED and measure is total_seconds,
    )


def _case(place: Place) -> str:
    """Return the case in words; on boxes, the fast transform, which solves directly, was not among the competitors."""
    return f"{place.case}, among iterative solvers" if place.case == TRAINED else place.case


def _learned_row(results: DcdmResults, place: Place) -> Headline:
    learned, classical = (
        [tight_iterations(run) for run in results.by_seed(place, solver).values()]
        for solver in ("learned", "multigrid")
    )
    return Headline(
        method="learned multigrid",
        case=f"Poisson, {place.grid}, {place.case}: iterations to 1e-6",
        ours=learned,
        classical=Competitor("sciml multigrid", classical) if classical else None,
        cost=median_or_none(results.ratios(place, "learned", "multigrid", measure=total_seconds)),
        form="{:g}".format,
        command="sciml bench dcdm --only multigrid",
        featured=True,
    )
