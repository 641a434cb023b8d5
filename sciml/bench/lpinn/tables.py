"""Limits and tables of ``sciml bench lpinn``, made from its raw results and from nothing else."""

from __future__ import annotations

from functools import cache

from sciml.bench.lpinn.cases import COMPARISONS, EULERIAN_PINNS, LIMITED, Case, Comparison
from sciml.bench.lpinn.plan import GROUPS, Plan, plan_jobs
from sciml.bench.report import DASH, Check, Part, Section, markdown, memory_shown, seconds_shown, shown, span
from sciml.bench.results import Raw, Results, Run, middle, seconds_of, values

ERROR = ("last", "relative_l2")
# By an independent singular value decomposition, at speeds 1, 10, 30, 50, 100.
MODES = {
    "bump": {"modes of u": (13, 48, 45, 48, 47), "modes of w": (1,) * 5, "modes of X": (2,) * 5},
    "sine": {"modes of u": (2,) * 5, "modes of w": (1,) * 5, "modes of X": (2,) * 5},
}


def results_of(raw: Raw) -> Results:
    """Return the queries, with the titles of the present plan: those of older results may use other words."""
    return Results(raw, _titles())


@cache
def _titles() -> dict[str, str]:
    return {job["key"]: job["title"] for job in plan_jobs(Plan())}


def checks(raw: Raw) -> list[Check]:
    """Return every limit, with what was measured."""
    results = results_of(raw)
    return [*(_check(results, case) for case in LIMITED), _mode_check(results)]


def sections(raw: Raw) -> list[Section]:
    """Return the tables of everything that was measured."""
    results = results_of(raw)
    return [
        Section(f"{title[0].upper()}{title[1:]}", _table(results, group))
        for group, title in GROUPS.items()
        if results.select(group)
    ]


def legend(raw: Raw) -> str:
    """Return what the numbers count."""
    return (
        f"Medians over seeds {span(raw['plan']['seeds'])} with the range. Settings were chosen on seed 0 against the "
        "same exact solutions, those of intervals on all seeds, and those of standard PINNs on seed 0 of the same "
        "problems. Errors are relative L2 errors of the fluctuation, over space and time; bandwidths are in cycles per "
        "unit of time. CPU time is that of the fits on one thread; memory is that of the solution at all times, for "
        "classical methods at one time. Convection at rounding level is a correctness check: drift and initial "
        "condition are part of the ansatz, and little is left to learn."
    )


def best_classical(results: Results, case: Case) -> list[Run]:
    """Return the runs of the classical method with the smallest error on the problem of a case."""
    return results.best(case.group, ERROR, of=case.method)


def _check(results: Results, case: Case) -> Check:
    runs = results.runs(case.group, case.method)
    found, best = values(runs, *ERROR), best_classical(results, case)
    about = {
        "paper": case.paper,
        "seconds": seconds_of(runs),
        "classical": f"{best[0]['title']}: {shown(values(best, *ERROR))} in {seconds_shown(seconds_of(best))} s"
        if best
        else DASH,
    }
    if case.fails:
        part = Part(found, case.fails, None, False, "{:.2f}".format)
        return Check(f"{case.title}: the baseline fails", f"≥ {case.fails}", "", [part], **about)
    parts, must = [Part(found, case.must, case.goal, True, "{:.1e}".format)], f"≤ {case.must:.1e}"
    if case.solves:
        parts.append(Part(values(runs, "solves"), case.solves, None, True, "{:.0f} solves".format))
        must += f" / {case.solves} solves"
    return Check(case.title, must, f"{case.goal:.0e}" if case.goal else "", parts, **about)


def _mode_check(results: Results) -> Check:
    """Return the check of the modes of a bump and a sine against those of an independent decomposition."""
    off = []
    for start, expected in MODES.items():
        for run in results.runs("modes", start):
            found = {name: [row[name] for row in run["modes"]] for name in expected}
            off += [abs(a - b) for name, numbers in expected.items() for a, b in zip(found[name], numbers, strict=True)]
    part = Part([max(off)] if off else [], 1, 0, True, "{:.0f}".format)
    return Check("modes of a bump and a sine at five speeds: largest deviation", "≤ 1", "0", [part])


def _table(results: Results, group: str) -> str:
    problems = [problem for problem in COMPARISONS if problem.group == group]
    if problems:
        return _comparison_table(results, problems)
    return _mode_table(results) if group == "modes" else _method_table(list(results.methods(group).values()))


def _method_table(methods: list[list[Run]]) -> str:
    heads = ("method", "degrees of freedom", "memory", "relative L2", "at the end", "solves", "CPU time [s]")
    return markdown(heads, [_row(runs) for runs in methods])


def _row(runs: list[Run]) -> tuple[str, ...]:
    ours = runs[0]["kind"] == "ours"
    return (
        f"**LPINN**, {runs[0]['title']}" if ours else runs[0]["title"],
        f"{runs[0]['numbers']:,}" if "numbers" in runs[0] else DASH,
        memory_shown(runs[0].get("memory_bytes")),
        shown(values(runs, *ERROR)),
        shown(values(runs, "last", "relative_l2_at_end")),
        f"{middle(values(runs, 'solves')):g}" if "solves" in runs[0] else DASH,
        seconds_shown(seconds_of(runs)) if "seconds" in runs[0] else DASH,
    )


def _comparison_table(results: Results, problems: list[Comparison]) -> str:
    rows = []
    for pinn in EULERIAN_PINNS:
        found = [results.runs(problem.group, f"{problem.name}-{pinn.name}") for problem in problems]
        rows.append((pinn.title, *map(_error_and_seconds, found)))
    rows.append(("**LPINN**", *(_error_and_seconds(results.runs(*problem.ours)) for problem in problems)))
    return markdown(("relative L2 after CPU time [s]", *(problem.title for problem in problems)), rows)


def _error_and_seconds(runs: list[Run]) -> str:
    return f"{shown(values(runs, *ERROR))} after {seconds_shown(seconds_of(runs))}" if runs else DASH


def _mode_table(results: Results) -> str:
    rows = []
    for (_, start), (run,) in results.methods("modes").items():
        for name in run["modes"][0]:
            if name != "speed":
                rows.append((f"{start}: {name}", *(f"{row[name]:.3g}" for row in run["modes"])))
        heads = ("initial condition: quantity", *(f"speed {row['speed']:g}" for row in run["modes"]))
    return markdown(heads, rows)
