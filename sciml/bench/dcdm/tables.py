"""Limits and tables of ``sciml bench dcdm``, made from its raw results and from nothing else."""

from __future__ import annotations

import math
import statistics
from typing import Any

from sciml.bench.dcdm.results import LOOSE, TIGHT, DcdmResults, Place, median_or_none, tight_iterations, total_seconds
from sciml.bench.report import DASH, Check, Part, Section, markdown, span
from sciml.bench.results import Raw, Run
from sciml.status import Status

TRAINED, UNSEEN = "box", "spheres"
CASES = (TRAINED, UNSEEN, "mixed", "walls", "jumps")
FAMILIES = (*CASES, "blocks", "lognormal", "smoke")
KINDS = {"white": "white", "ritz": "Ritz-like", "smooth": "smooth"}
MUST_TRAINED = {2: 8.0, 3: 5.0}
MUST_UNSEEN, MUST_GROWTH, MUST_LEARNED, GOAL_LEARNED = 3.0, 1.5, 0.9, 0.7
FALLBACK, TIME_UP = "†", "‡"


def checks(raw: Raw) -> list[Check]:
    """Return every limit, with what was measured."""
    results, plan = DcdmResults(raw), raw["plan"]
    rows = [row for name, about in results.networks.items() for row in _network_checks(results, name, about)]
    sizes = [f"{size}³" for size in plan["multigrid"]]

    def ratio(case: str, size: int, must: float, goal: float | None) -> Part:
        return Part(results.learned_over_classical(case, size), must, goal, True, "{:.2f}".format)

    jumps = [ratio("jumps", size, MUST_LEARNED, GOAL_LEARNED) for size in plan["multigrid"]]
    others = [ratio(case, size, 1.0, None) for size in plan["multigrid"] for case in FAMILIES if case != "jumps"]
    title = "iterations to 1e-6 of learned over classical multigrid"
    worst = [max((part for part in others if part.values), key=_middle)] if any(p.values for p in others) else []
    rows.append(Check(f"{title}, jumps, {' / '.join(sizes)}", "≤ 0.90", "≤ 0.70", jumps))
    rows.append(Check(f"{title}, the worst of the other families", "≤ 1", "", worst or others[:1]))
    return rows


def losses(raw: Raw) -> list[str]:
    """Return a sentence about each network that is slower than our multigrid, and each solver that beats multigrid."""
    results, found = DcdmResults(raw), []
    titles = results.titles()
    for dimension, size in _grids(results):
        for solver in results.solvers(dimension):
            beaten, slower = [], []
            for case in CASES:
                place = Place(dimension, size, case)
                ratios = results.ratios(place, solver, "multigrid", measure=total_seconds)
                middle = median_or_none(ratios)
                if middle is not None and middle < 1 and solver not in ("multigrid", "learned"):
                    beaten.append(f"{case} ({1 / middle:.1f}x)")
                if solver.startswith("dcdm:") and middle is not None and 1 < middle < math.inf:
                    slower.append(f"{case} ({middle:.0f}x)")
            grid = Place(dimension, size, TRAINED).grid
            if beaten:
                found.append(f"At {grid}, {titles[solver]} is faster than our multigrid on {', '.join(beaten)}.")
            if slower:
                found.append(f"At {grid}, {titles[solver]} takes longer than our multigrid on {', '.join(slower)}.")
    return found


def legend(raw: Raw) -> str:
    """Return what the numbers count."""
    plan = raw["plan"]
    absent = sorted({name for job in raw["jobs"].values() for name in job.get("not_installed", ())})
    large = f" (one seed at {plan['large']}³)" if plan["large"] else ""
    return (
        f"Medians over seeds {span(plan['seeds'])}{large}; white noise by default, residual norms relative to |b|, "
        "each solver run once to 1e-6 and timed when it reached 1e-4; wall time on one thread, set-up before the plus "
        "sign, solvers in turn in one process. The assembly of the matrix is not counted for solvers that need it, nor "
        "the training of networks. Right-hand sides and obstacles are not those of training. "
        f"{FALLBACK} the network was useless and conjugate gradients finished, their iterations included. {TIME_UP} "
        f"stopped after {plan['limit']:g} s ({plan['large_limit']:g} s at the largest size), iterations so far in "
        "parentheses. The vectors of deflated CG come from five steps of LOBPCG preconditioned by our multigrid, which "
        "finds them faster than Lanczos iterations do. An iteration of DCDM evaluates the network once per resolution, "
        "from 8 cells per axis on, minimises along the residual as well, and has a fallback; “as published” has "
        "neither. On boxes, the fast transform, which solves directly, is faster still; it was not among the solvers."
        + (f" Not installed here: {', '.join(absent)}." if absent else "")
    )


# ------------------------------------------------------------------------------------------------------------ the rows


def _network_checks(results: DcdmResults, name: str, about: dict[str, Any]) -> list[Check]:
    dimension, size, solver = about["dimension"], about["size"], f"dcdm:{name}"
    grid, must = Place(dimension, size, TRAINED).grid, MUST_TRAINED[dimension]

    def fewer(case: str, limit: float) -> list[Part]:
        place = Place(dimension, size, case)
        return [Part(results.ratios(place, "cg", solver, kind), limit, None, form=_ratio) for kind in KINDS]

    growth = [
        Part(results.growth(Place(dimension, size, case), solver), MUST_GROWTH, None, True, "{:.2f}x".format)
        for case in (TRAINED, UNSEEN)
    ]
    kinds = " / ".join(KINDS.values())
    return [
        Check(f"CG over DCDM {name}, iterations to 1e-4, {grid}, training domain, {kinds}", f"≥ {must:g}x", "",
              fewer(TRAINED, must)),
        Check(f"the same on the unseen domain, {kinds}", f"≥ {MUST_UNSEEN:g}x", "", fewer(UNSEEN, MUST_UNSEEN)),
        Check(f"growth of its iterations from {grid} to twice the size, training / unseen domain",
              f"≤ {MUST_GROWTH:g}x", "", growth),
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the tables


def sections(raw: Raw) -> list[Section]:
    """Return the tables of everything that was measured."""
    results = DcdmResults(raw)
    cell = "iterations to 1e-4 / 1e-6 (set-up + solve to 1e-6 in seconds of wall time)"
    grids = [
        Section(f"Grid of {Place(dimension, size, TRAINED).grid}", _grid_table(results, dimension, size), cell)
        for dimension, size in _grids(results)
    ]
    networks = "per domain, iterations of CG over theirs to 1e-4 at the size of training (loss)"
    return [
        Section("Networks", _network_table(results), networks),
        Section("Right-hand sides", _kind_table(results), "iterations to 1e-4, " + " / ".join(KINDS.values())),
        *grids,
        Section("Growth", _growth_table(results), "iterations to 1e-4 on the box at twice the size over those before"),
        Section(
            "Multigrid", _multigrid_table(results), "iterations to 1e-6, classical / relaxed, not learned / learned"
        ),
        Section("Anisotropy", _anisotropic_table(results), f"couplings 1:100, {cell}"),
    ]


def _grids(results: DcdmResults) -> list[tuple[int, int]]:
    plan = results.plan
    large = [plan["large"]] if plan["large"] else []
    return [(2, size) for size in plan["plane"]] + [(3, size) for size in [*plan["cube"], *large]]


def _grid_table(results: DcdmResults, dimension: int, size: int) -> str:
    places = [Place(dimension, size, case) for case in CASES]
    places = [place for place in places if results.at(place)]
    return _solver_table(results, places, results.solvers(dimension), [place.case for place in places])


def _anisotropic_table(results: DcdmResults) -> str:
    jobs = [job for job in results.jobs if job["group"] == "anisotropic"]
    systems = sorted({(job["dimension"], job["size"], job["case"]) for job in jobs})
    places = [Place(*system, ("anisotropic",)) for system in systems]
    solvers = list(dict.fromkeys(name for job in jobs for name in job["solvers"]))
    return _solver_table(results, places, solvers, [f"{place.grid} {place.case}" for place in places])


def _solver_table(results: DcdmResults, places: list[Place], solvers: list[str], heads: list[str]) -> str:
    titles = results.titles()
    rows = []
    for solver in solvers:
        cells = [_timing(list(results.by_seed(place, solver).values())) for place in places]
        if any(cells):
            rows.append((titles[solver], *cells))
    return markdown(("solver", *heads), rows) if rows else ""


def _network_table(results: DcdmResults) -> str:
    rows = []
    for name, about in results.networks.items():
        size = about["size"]
        for solver, title in ((f"dcdm:{name}", name), (f"published:{name}", f"{name}, as published")):
            cells = []
            for case in CASES:
                ratios = results.ratios(Place(about["dimension"], size, case), "cg", solver)
                loss = results.network(name, case).get("loss")
                shown = _ratio(statistics.median(ratios)) if ratios else DASH
                cells.append(shown + ("" if loss is None or solver != f"dcdm:{name}" else f" ({loss:.2g})"))
            parameters = results.network(name, TRAINED).get("parameters")
            grid = Place(about["dimension"], size, TRAINED).grid
            if set(cells) != {DASH}:
                rows.append((title, grid, DASH if parameters is None else f"{parameters:,}", *cells))
    return markdown(("network", "trained at", "parameters", *CASES), rows) if rows else ""


def _kind_table(results: DcdmResults) -> str:
    plan = results.plan
    sizes = [(2, size) for size in plan["plane"][:1]] + [(3, size) for size in plan["cube"][:1]]
    places = [Place(dimension, size, case) for dimension, size in sizes for case in (TRAINED, UNSEEN)]
    titles, rows = results.titles(), []
    for solver in titles:
        cells = []
        for place in places:
            counts = [results.iterations(place, solver, kind) for kind in KINDS]
            cells.append(" / ".join(map(_counts, counts)) if any(counts) else "")
        if any(cells):
            rows.append((titles[solver], *cells))
    return markdown(("solver", *(f"{place.grid} {place.case}" for place in places)), rows) if rows else ""


def _growth_table(results: DcdmResults) -> str:
    grids = _grids(results)
    steps = [(dimension, size) for dimension, size in grids if (dimension, 2 * size) in grids]
    titles, rows = results.titles(), []
    for solver in titles:
        values = [results.growth(Place(dimension, size, TRAINED), solver) for dimension, size in steps]
        if any(values):
            rows.append((titles[solver], *map(_growth, values)))
    heads = [f"{Place(d, n, TRAINED).grid} to {Place(d, 2 * n, TRAINED).grid}" for d, n in steps]
    return markdown(("solver", *heads), rows) if rows else ""


def _multigrid_table(results: DcdmResults) -> str:
    rows = []
    for case in FAMILIES:
        cells = []
        for size in results.plan["multigrid"]:
            place = Place(3, size, case, ("multigrid",))
            counts = [
                [tight_iterations(run) for run in results.by_seed(place, solver).values()]
                for solver in ("multigrid", "relaxed", "learned")
            ]
            cells.append(" / ".join(_counts(each) if each else DASH for each in counts))
        if any(any(character.isdigit() for character in cell) for cell in cells):
            rows.append((case, *cells))
    return markdown(("family", *(f"{size}³" for size in results.plan["multigrid"])), rows) if rows else ""


# ----------------------------------------------------------------------------------------------------------- the cells


def _timing(runs: list[Run]) -> str:
    """Return medians over the seeds, with marks where a tolerance was not reached."""
    if not runs:
        return ""
    mark = (FALLBACK if any(run["status"] == Status.FALLBACK for run in runs) else "") + (
        TIME_UP if any(run["status"] == Status.TIME for run in runs) else ""
    )
    counts = [_median_count([run["iterations"][rtol] for run in runs]) for rtol in (LOOSE, TIGHT)]
    seconds = [run["seconds"][TIGHT] for run in runs]
    setup = statistics.median(run["setup_seconds"] for run in runs)
    solve = statistics.median(math.inf if each is None else each for each in seconds)
    if math.isinf(solve):
        return f"{' / '.join(counts)}{mark} ({statistics.median(run['done'] for run in runs):g})"
    return f"{' / '.join(counts)}{mark} ({_seconds(setup)} + {_seconds(solve)})"


def _seconds(seconds: float) -> str:
    """Return seconds with two digits, and 0 below half a millisecond."""
    return "0" if seconds < 5e-4 else f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def _median_count(counts: list[int | None]) -> str:
    middle = statistics.median(math.inf if count is None else count for count in counts)
    return DASH if math.isinf(middle) else f"{middle:g}"


def _counts(values: list[float]) -> str:
    """Return median and range of some counts."""
    if not values:
        return DASH
    middle, low, high = (f"{value:g}" if math.isfinite(value) else DASH for value in _three(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def _ratio(value: float) -> str:
    """Return how many times fewer, or that the tolerance was not reached."""
    return f"{value:.1f}x" if value else "not reached"


def _growth(ratios: list[float]) -> str:
    if not ratios:
        return ""
    middle = statistics.median(ratios)
    return DASH if math.isinf(middle) else f"{middle:.2f}x"


def _three(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


def _middle(part: Part) -> float:
    return statistics.median(part.values)
