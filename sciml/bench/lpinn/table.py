"""The tables of ``sciml bench lpinn``, made from its raw results and from nothing else."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from sciml.bench.answers import DASH, Answers, Run, memory_shown, seconds_of, seconds_shown, shown, values
from sciml.bench.lpinn.cases import GROUNDS, LIMITED, RIVALS, Case, Ground
from sciml.bench.lpinn.plan import GROUPS
from sciml.bench.table import Check, Part, markdown, span

ERROR = ("last", "relative_l2")
# By an independent singular value decomposition, at speeds 1, 10, 30, 50, 100.
MODES = {
    "bump": {"modes of u": (13, 48, 45, 48, 47), "modes of w": (1,) * 5, "modes of X": (2,) * 5},
    "sine": {"modes of u": (2,) * 5, "modes of w": (1,) * 5, "modes of X": (2,) * 5},
}


def report(results: dict[str, Any]) -> str:
    """Everything as one Markdown text."""
    answers = Answers(results)
    quick = "A quick run: one seed, one round; the limits are meant for the full one." * results["plan"]["quick"]
    groups = [f"**{title[0].upper()}{title[1:]}**\n\n{table}" for title, table in _group_tables(answers)]
    return "\n\n".join(part for part in (quick, check_table(results), *groups, provenance(results)) if part) + "\n"


def checks(results: dict[str, Any]) -> list[Check]:
    """Every row of the table of limits."""
    answers = Answers(results)
    return [*(_check(case, answers.runs(case.group, case.method)) for case in LIMITED), _mode_check(answers)]


def check_table(results: dict[str, Any]) -> str:
    """Markdown: case, limits, measured, met, processor seconds, best classical method."""
    answers, rows = Answers(results), []
    for row, case in zip_longest(checks(results), LIMITED):
        verdict = DASH if results["plan"]["quick"] else row.verdict
        about = (row.title, row.must, row.goal or DASH, case.paper if case else DASH, row.measured, verdict)
        seconds = seconds_shown(seconds_of(answers.runs(case.group, case.method))) if case else DASH
        rows.append((*about, seconds, _classical(answers, case) if case else DASH))
    heads = (
        "case: relative L2",
        "must",
        "goal",
        "paper",
        "measured: median (range)",
        "met",
        "CPU s",
        "best classical",
    )
    return markdown(heads, rows)


def provenance(results: dict[str, Any]) -> str:
    """Where, when and from what the numbers come, and what they count."""
    origin, plan, jobs = results["environment"], results["plan"], results["jobs"].values()
    commits = {f"{str(job.get('commit'))[:10]}{' with changes' if job.get('dirty') else ''}" for job in jobs}
    dates = sorted({job["finished"][:10] for job in jobs})
    return (
        f"Medians over seeds {span(plan['seeds'])} with the range; settings were chosen on seed 0 against the same "
        "exact solutions, those of intervals on all seeds, and those of usual PINNs on seed 0 of the same problems. "
        "Errors are relative to the fluctuation, over space and time; bandwidths are in cycles per unit of time. "
        "Processor seconds on one thread, of the fits; memory is that of the solution at all times, of classical "
        "methods that at one time. Convection at rounding is a correctness check: drift and start are in the form, "
        "and little is left to learn. "
        f"{origin['processor']}, {origin['cores']} cores; Python {origin['python']}; "
        f"commit {', '.join(sorted(commits)) or DASH}; {span(dates)}."
    )


def _check(case: Case, runs: list[Run]) -> Check:
    found = values(runs, *ERROR)
    if case.fails:
        part = Part(found, case.fails, None, False, "{:.2f}".format)
        return Check(f"{case.title}: the baseline fails", f"≥ {case.fails}", "", [part])
    parts, must = [Part(found, case.must, case.goal, True, "{:.1e}".format)], f"≤ {case.must:.1e}"
    if case.solves:
        parts.append(Part(values(runs, "solves"), case.solves, None, True, "{:.0f} solves".format))
        must += f" / {case.solves} solves"
    return Check(case.title, must, f"{case.goal:.0e}" if case.goal else "", parts)


def _mode_check(answers: Answers) -> Check:
    """Modes against those that were counted by others, for a bump and a sine."""
    off = []
    for start, expected in MODES.items():
        for run in answers.runs("modes", start):
            found = {name: [row[name] for row in run["modes"]] for name in expected}
            off += [abs(a - b) for name, numbers in expected.items() for a, b in zip(found[name], numbers, strict=True)]
    part = Part([max(off)] if off else [], 1, 0, True, "{:.0f}".format)
    return Check("modes of a bump and a sine at five speeds: largest deviation", "≤ 1", "0", [part])


def _group_tables(answers: Answers) -> list[tuple[str, str]]:
    tables = []
    for group, title in GROUPS.items():
        runs = list(answers.methods(group).values())
        if runs:
            grounds = [ground for ground in GROUNDS if ground.group == group]
            table = _mode_table(answers) if group == "modes" else _method_table(runs)
            tables.append((title, _rival_table(answers, grounds) if grounds else table))
    return tables


def _method_table(methods: list[list[Run]]) -> str:
    heads = ("method", "numbers", "memory", "relative L2", "at the end", "solves", "CPU s")
    return markdown(heads, [_row(runs) for runs in methods])


def _row(runs: list[Run]) -> tuple[str, ...]:
    ours = runs[0]["kind"] == "ours"
    return (
        f"**LPINN**, {runs[0]['title']}" if ours else runs[0]["title"],
        f"{runs[0]['numbers']:,}" if "numbers" in runs[0] else DASH,
        memory_shown(runs[0].get("memory_bytes")),
        shown(values(runs, *ERROR)),
        shown(values(runs, "last", "relative_l2_at_end")),
        f"{sorted(run['solves'] for run in runs)[len(runs) // 2]}" if "solves" in runs[0] else DASH,
        seconds_shown(seconds_of(runs)) if "seconds" in runs[0] else DASH,
    )


def _rival_table(answers: Answers, grounds: list[Ground]) -> str:
    rows = []
    for rival in RIVALS:
        found = [answers.runs(ground.group, f"{ground.name}-{rival.name}") for ground in grounds]
        rows.append((rival.title, *map(_error_and_seconds, found)))
    rows.append(("**LPINN**", *(_error_and_seconds(answers.runs(*ground.ours)) for ground in grounds)))
    return markdown(("relative L2 after CPU s", *(ground.title for ground in grounds)), rows)


def _error_and_seconds(runs: list[Run]) -> str:
    return f"{shown(values(runs, *ERROR))} after {seconds_shown(seconds_of(runs))}" if runs else DASH


def _mode_table(answers: Answers) -> str:
    rows = []
    for (_, start), (run,) in answers.methods("modes").items():
        for name in run["modes"][0]:
            if name != "speed":
                rows.append((f"{start}: {name}", *(f"{row[name]:.3g}" for row in run["modes"])))
        heads = ("start: quantity", *(f"speed {row['speed']:g}" for row in run["modes"]))
    return markdown(heads, rows)


def _classical(answers: Answers, case: Case) -> str:
    """The classical method on the same problem with the smallest error, and that of equal error with the least time."""
    rivals = [
        runs for runs in answers.methods(case.group, kind="classical").values() if runs[0].get("of") == case.method
    ]
    rivals = [runs for runs in rivals if values(runs, *ERROR)]
    if not rivals:
        return DASH
    best = min(rivals, key=lambda runs: values(runs, *ERROR))
    return f"{best[0]['title']}: {shown(values(best, *ERROR))} in {seconds_shown(seconds_of(best))} s"
