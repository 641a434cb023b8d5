"""The tables of ``sciml bench lpinn``, made from its raw results and from nothing else."""

from __future__ import annotations

from typing import Any

from sciml.bench.answers import DASH, Answers, Run, memory_shown, seconds_of, seconds_shown, shown, values
from sciml.bench.lpinn import GROUPS
from sciml.bench.table import Check, Part, markdown, span

ERROR = ("last", "relative_l2")
# Group, method, what it must and may reach, and the error of the paper, where there is one.
LIMITS: tuple[tuple[str, str, float, float | None, str], ...] = (
    ("convection", "lpinn", 1e-12, None, "3.4e-2"),
    ("convection", "adam", 3.4e-2, None, "3.4e-2"),
    ("diffusion", "strong", 1e-6, None, DASH),
    ("diffusion", "weak", 1e-6, None, DASH),
    ("variable", "lpinn", 1e-6, None, DASH),
    ("burgers", "fast", 1e-4, 1e-5, "floor 1.26e-2"),
    ("burgers", "standard", 1e-3, 1e-6, DASH),
    ("inviscid", "lpinn", 1e-5, None, DASH),
    ("plane", "rotation", 1e-4, 1e-6, DASH),
    ("plane", "swirl", 1e-3, None, DASH),
    ("plane", "reversal", 1e-3, None, DASH),
)
FAILS = 0.5  # error that the frame at rest has at least, for the comparison to mean something


def report(results: dict[str, Any]) -> str:
    """Everything as one Markdown text."""
    answers = Answers(results)
    quick = "A quick run: one seed, one round; the limits are meant for the full one." * results["plan"]["quick"]
    groups = [f"**{title[0].upper()}{title[1:]}**\n\n{table}" for title, table in _group_tables(answers)]
    return "\n\n".join(part for part in (quick, check_table(results), *groups, provenance(results)) if part) + "\n"


def checks(results: dict[str, Any]) -> list[Check]:
    """Every row of the table of limits."""
    answers, rows = Answers(results), []
    for group, method, must, goal, _ in LIMITS:
        runs = answers.runs(group, method)
        part = Part(values(runs, *ERROR), must, goal, True, "{:.1e}".format)
        rows.append(Check(_title(runs, group, method), f"≤ {must:.1e}", f"{goal:.0e}" if goal else "", [part]))
    runs = answers.runs("convection", "eulerian")
    part = Part(values(runs, *ERROR), FAILS, None, False, "{:.2f}".format)
    return [*rows, Check(f"{_title(runs, 'convection', 'eulerian')}: the baseline fails", f"≥ {FAILS}", "", [part])]


def check_table(results: dict[str, Any]) -> str:
    """Markdown: case, limits, measured, met, processor seconds, best finite volumes."""
    answers, rows = Answers(results), []
    names = [(group, method, paper) for group, method, _, _, paper in LIMITS] + [("convection", "eulerian", DASH)]
    for row, (group, method, paper) in zip(checks(results), names, strict=True):
        runs = answers.runs(group, method)
        verdict = DASH if results["plan"]["quick"] else row.verdict
        about = (row.title, row.must, row.goal or DASH, paper, row.measured, verdict, seconds_shown(seconds_of(runs)))
        rows.append((*about, _rival(answers, group, method)))
    heads = ("case: relative L2", "must", "goal", "paper", "measured: median (range)", "met", "CPU s", "finite volumes")
    return markdown(heads, rows)


def provenance(results: dict[str, Any]) -> str:
    """Where, when and from what the numbers come, and what they count."""
    origin, plan, jobs = results["environment"], results["plan"], results["jobs"].values()
    commits = {f"{str(job.get('commit'))[:10]}{' with changes' if job.get('dirty') else ''}" for job in jobs}
    dates = sorted({job["finished"][:10] for job in jobs})
    return (
        f"Medians over seeds {span(plan['seeds'])} with the range; settings were chosen on seed 0 against the same "
        "exact solutions. Errors are relative to the fluctuation, over space and time. Processor seconds on one "
        "thread, of the fits; memory is that of the solution at all times, of finite volumes that at one time. "
        "Convection at rounding is a correctness check: drift and start are in the form, and nothing is left to learn. "
        f"{origin['processor']}, {origin['cores']} cores; Python {origin['python']}; "
        f"commit {', '.join(sorted(commits)) or DASH}; {span(dates)}."
    )


def _group_tables(answers: Answers) -> list[tuple[str, str]]:
    tables = []
    for group, title in GROUPS.items():
        rows = [_row(runs) for runs in answers.methods(group).values()]
        if rows:
            heads = ("method", "numbers", "memory", "relative L2", "at the end", "solves", "CPU s")
            tables.append((title, markdown(heads, rows)))
    return tables


def _row(runs: list[Run]) -> tuple[str, ...]:
    ours = runs[0]["kind"] == "ours"
    return (
        f"**LPINN**, {runs[0]['title']}" if ours else runs[0]["title"],
        f"{runs[0]['numbers']:,}",
        memory_shown(runs[0]["memory_bytes"]),
        shown(values(runs, *ERROR)),
        shown(values(runs, "last", "relative_l2_at_end")),
        f"{sorted(run['solves'] for run in runs)[len(runs) // 2]}" if "solves" in runs[0] else DASH,
        seconds_shown(seconds_of(runs)),
    )


def _title(runs: list[Run], group: str, method: str) -> str:
    return runs[0]["title"] if runs else f"{group}, {method}"


def _rival(answers: Answers, group: str, method: str) -> str:
    """Finite volumes on the same problem, the finest."""
    rivals = [runs for (_, name), runs in answers.methods(group, kind="classical").items() if name.startswith(method)]
    if not rivals:
        return DASH
    best = rivals[-1]
    return f"{best[0]['cells']} cells: {shown(values(best, *ERROR))} in {seconds_shown(seconds_of(best))} s"
