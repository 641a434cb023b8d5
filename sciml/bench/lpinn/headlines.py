"""The rows of the scoreboard from ``sciml bench lpinn``."""

from __future__ import annotations

from itertools import product

from sciml.bench.headline import Competitor, Headline
from sciml.bench.lpinn.cases import CASES, COMPARISONS, EULERIAN_PINNS, Case
from sciml.bench.lpinn.tables import ERROR, best_classical, results_of
from sciml.bench.report import DASH, error_shown
from sciml.bench.results import Raw, Results, Run, middle, seconds_of, smallest, values

CONVECTION = "convection, "  # completes the titles of cases that name a speed only
FEATURED = (("burgers", "standard"), ("inviscid", "lpinn"))  # in the README


def headlines(raw: Raw) -> list[Headline]:
    """Return one row per case of ours: the error beside the best classical method and the best Eulerian PINN."""
    results = results_of(raw)
    return [_row(results, case) for case in CASES if not case.fails and results.runs(case.group, case.method)]


def _row(results: Results, case: Case) -> Headline:
    runs, best = results.runs(case.group, case.method), best_classical(results, case)
    neural, group = _neural(results, case)
    return Headline(
        method="LPINN",
        case=f"{CONVECTION if case.title.startswith('speed') else ''}{case.title}: relative L2 error",
        ours=values(runs, *ERROR),
        paper=_paper(results, case),
        classical=Competitor(best[0]["title"], values(best, *ERROR)) if best else None,
        neural=Competitor(neural[0]["title"], values(neural, *ERROR)) if neural else None,
        cost=middle(seconds_of(runs)) / middle(seconds_of(best)) if best else None,
        command=f"sciml bench lpinn --only {case.group}{f' --only {group}' if group else ''}",
        featured=(case.group, case.method) in FEATURED,
    )


def _neural(results: Results, case: Case) -> tuple[list[Run], str]:
    """Return the runs of the PINN in the Eulerian frame with the smallest error, and the group that measures it."""
    problems = [problem for problem in COMPARISONS if problem.ours == (case.group, case.method)]
    names = [(problem.group, f"{problem.name}-{pinn.name}") for problem, pinn in product(problems, EULERIAN_PINNS)]
    if case.method.startswith("speed"):
        names.append((case.group, case.method.replace("speed", "rest")))
    best = smallest((results.runs(*name) for name in names), ERROR)
    return best, problems[0].group if problems else ""


def _paper(results: Results, case: Case) -> str:
    """Return the number of the paper; where it has none but other equations, the error of those, solved exactly."""
    published = results.methods(case.group, kind="published").get((case.group, "label"), [])
    if published and published[0]["config"] == f"lpinn/{case.config}":
        return f"{error_shown(middle(values(published, *ERROR)))}, its equations solved exactly"
    return case.paper or DASH
