"""Limits, tables and headlines of ``sciml bench poisson``, made from its raw results and from nothing else."""

from __future__ import annotations

import statistics
from typing import Any

from sciml.bench.headline import Competitor, Headline
from sciml.bench.poisson.peers import PEERS, PYAMG
from sciml.bench.poisson.results import PoissonResults
from sciml.bench.report import Check, Part, Section, markdown, span
from sciml.bench.results import Raw

CASES = ("mixed", "smoke", "walls", "jumps", "box")
HYPRE = ("pfmg", "boomeramg")
TITLES = {name: peer.title for name, peer in PEERS.items()} | {
    "pfmg": "hypre PFMG + CG",
    "boomeramg": "hypre BoomerAMG + CG",
}


def checks(raw: Raw) -> list[Check]:
    """Return every limit, with what was measured."""
    plan, results = raw["plan"], PoissonResults(raw)
    return [*_iteration_checks(plan, results), *_time_checks(plan, results), *_other_checks(plan, results)]


def sections(raw: Raw) -> list[Section]:
    """Return the tables of everything that was measured."""
    note = "set-up + solve in seconds of wall time (iterations), medians over the seeds"
    return [Section("Solvers side by side", time_table(raw), note)]


def time_table(raw: Raw) -> str:
    """Return set-up + solve in seconds and iterations per solver and case, medians over the seeds."""
    results = PoissonResults(raw)
    cases = [case for case in CASES if results.unknowns(case)]
    rows = []
    for name, title in TITLES.items():
        runs = [results.typical_run(_group(case, name), case, name) for case in cases]
        if any(runs):
            rows.append((title, *map(_timing, runs)))
    head = [f"{case}, {results.unknowns(case) / 1e6:.3g} M unknowns" for case in cases]
    return markdown(("solver", *head), rows) if rows else ""


def losses(raw: Raw) -> list[str]:
    """Return a sentence about each solver that beats our multigrid, and about each that missed the tolerance."""
    results = PoissonResults(raw)
    found = []
    for case in CASES:
        for name, title in TITLES.items():
            ratios = results.ratios(_group(case, name), case, (name,))
            if ratios and (ratio := statistics.median(ratios)) < 1:
                found.append(f"On {case}, {title} is {1 / ratio:.1f}x faster than our multigrid.")
                if name == "transform":
                    found.append('`method="auto"` takes it where it applies: on boxes without obstacles.')
    return found + [f"Not converged: {which}." for which in results.not_converged()]


def legend(raw: Raw) -> str:
    """Return what the numbers count."""
    plan, compiled = raw["plan"], PoissonResults(raw).compile_seconds()
    return (
        f"Medians over seeds {span(plan['seeds'])} ({span(plan['jump_seeds'])} for iterations on jumps), with the "
        f"range; the right-hand side is white noise, rtol {raw['rtol']:g}, wall time includes the set-up, one thread "
        "by default, solvers in turn in one process (hypre in its own). The assembly of the matrix is not counted for "
        "solvers that need it"
        + "".join(f"; compiling our kernels, once per machine, takes {seconds:.0f} s more" for seconds in compiled)
        + "."
    )


def headlines(raw: Raw) -> list[Headline]:
    """Return one row per case: our multigrid beside the fastest other solver."""
    results, rows = PoissonResults(raw), []
    for case in CASES:
        others = {name: results.ratios(_group(case, name), case, (name,)) for name in TITLES if name != "multigrid"}
        measured = {name: statistics.median(ratios) for name, ratios in others.items() if ratios}
        if not measured:
            continue
        fastest = min(measured, key=measured.__getitem__)
        group = _group(case, fastest)
        rows.append(
            Headline(
                method="multigrid",
                case=f"Poisson, {case}, {raw['plan']['medium']}³: wall time [s]",
                ours=results.total_seconds(group, case, "multigrid"),
                classical=Competitor(TITLES[fastest], results.total_seconds(group, case, fastest)),
                cost=1 / measured[fastest],
                form="{:.2f}".format,
                command=f"sciml bench poisson --only {group}",
                featured=case == "mixed",
            )
        )
    return rows


# ---------------------------------------------------------------------------------------------------------- the limits


def _iteration_checks(plan: dict[str, Any], results: PoissonResults) -> list[Check]:
    sizes = f"{plan['small']}³ and {plan['medium']}³"

    def parts(case: str, limits: tuple[float, float], goals: tuple[float, float]) -> list[Part]:
        rows = zip((plan["small"], plan["medium"]), limits, goals, strict=True)
        return [Part(results.iterations(case, size), must, goal, True, "{:g}".format) for size, must, goal in rows]

    easy = [part for case in ("mixed", "smoke", "box") for part in parts(case, (7, 7), (5, 5))]
    walls, jumps = parts("walls", (13, 16), (9, 10)), parts("jumps", (18, 28), (10, 14))
    return [
        Check(f"iterations, mixed / smoke / box, each at {sizes}", "≤ 7", "5", easy),
        Check(f"iterations, thin walls, {sizes}", "≤ 13 / 16", "9 / 10", walls),
        Check(f"iterations, 1000:1 jumps, {sizes}", "≤ 18 / 28", "10 / 14", jumps),
    ]


def _time_checks(plan: dict[str, Any], results: PoissonResults) -> list[Check]:
    size, times = f"{plan['medium']}³", "{:.1f}x".format

    def part(case: str, must: float, goal: float, what: str = "total") -> Part:
        return Part(results.ratios("times", case, PYAMG, what), must, goal, form=times)

    hypre = [
        Part(results.ratios("hypre", case, HYPRE), must, 5, form=times)
        for case, must in zip(CASES, (3.5, 2.3, 1.5, 2.3), strict=False)
    ]
    easy = [part(case, 10, 20) for case in ("mixed", "smoke")]
    again = [part(case, 4, 8, "again") for case in ("mixed", "smoke")]
    hard = [part("walls", 6, 10), part("jumps", 3, 6)]
    return [
        Check(f"faster than the best of PyAMG's SA and RS, {size}, mixed / smoke", "≥ 10x", "≥ 20x", easy),
        Check("the same, thin walls / jumps", "≥ 6x / 3x", "≥ 10x / 6x", hard),
        Check(
            f"faster than the best of hypre's PFMG and BoomerAMG, {size}, mixed / smoke / walls / jumps",
            "≥ 3.5x / 2.3x / 1.5x / 2.3x",
            "≥ 5x",
            hypre,
        ),
        Check(f"second solve without set-up, against PyAMG's best, {size}, mixed / smoke", "≥ 4x", "≥ 8x", again),
    ]


def _other_checks(plan: dict[str, Any], results: PoissonResults) -> list[Check]:
    small, medium, large = (f"{plan[name]}³" for name in ("small", "medium", "large"))
    memory = Part(results.memory_ratio("sa"), 1 / 3, 1 / 5, True, lambda ratio: f"1/{1 / ratio:.1f}")
    seconds = Part(results.large_seconds(), 12, 6, True, "{:.1f} s".format)
    gigabytes = Part(results.large_gigabytes(), 2.5, 2.5, True, "{:.2f} GB".format)
    threads = Part(results.speed_ups(), 1.6, 1.9, form="{:.2f}x".format)
    residual = Part(results.largest_residual(), 1.1e-10, None, True, "{:.1e}".format)
    useless = Part(results.sabotage(), 1, None, True, "{:.2f}".format)
    return [
        Check(f"peak extra memory against PyAMG SA, mixed {medium}", "≤ 1/3", "≤ 1/5", [memory]),
        Check(
            f"mixed {large} on 2 threads: seconds, peak of the process",
            "≤ 12 s / 2.5 GB",
            "≤ 6 s",
            [seconds, gigabytes],
        ),
        Check(f"speed-up of 2 threads over 1, mixed {medium}, cores awake", "≥ 1.6x", "1.9x", [threads]),
        Check(f"rtol 1e-10: largest true residual, all cases, {medium}", "≤ 1.1e-10", "", [residual]),
        Check(
            f"useless preconditioners (nan, -r, 0, random), mixed {small}: iterations / (1.1 CG + 10)",
            "≤ 1",
            "",
            [useless],
        ),
    ]


def _group(case: str, solver: str) -> str:
    return "hypre" if solver in HYPRE else "box" if case == "box" else "times"


def _timing(run: dict[str, Any] | None) -> str:
    if run is None:
        return ""
    return f"{run['setup_seconds']:.2f} + {run['solve_seconds']:.2f} ({run['iterations']:g})"
