"""The tables of ``sciml bench insr``, made from its raw results and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sciml.bench.answers import (
    DASH,
    Answers,
    Run,
    memory_shown,
    middle,
    seconds_of,
    seconds_shown,
    values,
    values_at,
)
from sciml.bench.insr.group_tables import BURGERS_TIME, ERRORS, SLACK, adam_ratios, group_tables, jet_ratios
from sciml.bench.table import Check, Part, markdown, span

PIN = 1e-4  # how exactly the errors of the paper's grid are to be met
EULER_TIME = 2.5


@dataclass(frozen=True)
class Pinned(Part):
    """A number that has to be met from both sides."""

    def keeps(self, limit: float | None) -> bool:
        """Whether the median is that number."""
        return limit is not None and bool(self.values) and abs(middle(self.values) - limit) <= PIN


@dataclass(frozen=True)
class Row(Check):
    """A row of the table of limits, with what the paper has, processor seconds, and the best rival."""

    paper: str = DASH
    seconds: list[float] = field(default_factory=list)
    rival: str = DASH


def report(results: dict[str, Any]) -> str:
    """Everything as one Markdown text."""
    answers = Answers(results)
    parts = [
        "A quick run: one seed, few steps; the limits are meant for the full one." if results["plan"]["quick"] else "",
        check_table(results),
        *(f"{title}\n\n{table}" for title, table in group_tables(answers) if table),
        " ".join(losses(answers)),
        provenance(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def checks(results: dict[str, Any]) -> list[Row]:
    """Every row of the table of limits."""
    answers = Answers(results)
    return [
        *_metric_rows(answers),
        *_advection_rows(answers),
        *_adam_rows(answers),
        *_flow_rows(answers),
        *_scalar_rows(answers),
        *_body_rows(answers),
        _jet_row(answers),
    ]


def check_table(results: dict[str, Any]) -> str:
    """Markdown: case, limits, measured, met, processor seconds, best rival."""
    quick = results["plan"]["quick"]
    rows = [
        (
            row.title,
            row.must,
            row.goal or DASH,
            row.paper,
            row.measured,
            DASH if quick else row.verdict,
            seconds_shown(row.seconds),
            row.rival,
        )
        for row in checks(results)
    ]
    heads = ("case", "must", "goal", "paper", "measured: median (range)", "met", "CPU s", "best classical rival")
    return markdown(heads, rows)


def losses(answers: Answers) -> list[str]:
    """A sentence about each case in which a classical method is more exact than ours in no more time."""
    found = []
    for group, (title, path, _) in ERRORS.items():
        ours = _ours(answers, group)
        error, seconds = middle(values(ours, *path)), middle(seconds_of(ours))
        rivals = answers.methods(group, kind="classical").values()
        better = [
            runs[0]["title"]
            for runs in rivals
            if values(runs, *path) and middle(values(runs, *path)) < error and middle(seconds_of(runs)) <= seconds
        ]
        if ours and better:
            found.append(f"On {title}, more exact than ours in less time: {'; '.join(better)}.")
    return found


def provenance(results: dict[str, Any]) -> str:
    """Where, when and from what the numbers come, and what they count."""
    origin, plan, jobs = results["environment"], results["plan"], results["jobs"].values()
    commits = {f"{str(job.get('commit'))[:10]}{' with changes' if job.get('dirty') else ''}" for job in jobs}
    dates = sorted({job["finished"][:10] for job in jobs})
    packages = ", ".join(f"{n} {origin['packages'][n]}" for n in ("numpy", "scipy", "torch") if n in origin["packages"])
    return (
        f"Medians over seeds {span(plan['seeds'])} of weights and points, with the range; classical methods have none. "
        "Processor seconds on one thread, the fit of the start included, errors not. Memory is that of the "
        "field at one time, eight bytes a number; for a PINN, of all times. Errors of flows are those of the velocity, "
        f"against a series of sines on {plan['cells']}² cells ({plan['vortex_cells']}² for two vortices). "
        f"{origin['processor']}, {origin['cores']} cores; Python {origin['python']}, {packages}; "
        f"commit {', '.join(sorted(commits)) or DASH}; {span(dates)}."
    )


# ------------------------------------------------------------------------------------------------------------ the rows


def _metric_rows(answers: Answers) -> list[Row]:
    runs = [answers.runs("metric", name) for name in ("upwind901", "upwind7001")]
    parts = [
        Pinned(values(each, "mean", "mean_absolute_error"), must, None, form="{:.4f}".format)
        for each, must in zip(runs, (0.0146, 0.0029), strict=True)
    ]
    title = "the paper's grid, 901 / 7,001 nodes: mean absolute error over time"
    return [Row(title, "0.0146 / 0.0029 ± 1e-4", "", parts, "0.0146 / 0.0029", seconds_of(runs[-1]))]


def _advection_rows(answers: Answers) -> list[Row]:
    paper, error = answers.paper.get("advection", DASH), ("mean", "mean_absolute_error")
    rival = _rival(answers, "advection")
    rows = []
    for method, must, goal in (("midpoint", 2.2e-3, None), ("pade22", 3e-5, 1e-5)):
        runs = answers.runs("advection", method)
        parts, limits = [_error(values(runs, *error), must, goal)], f"≤ {must:.1e}"
        if method == "pade22":
            seconds = Part(seconds_of(runs), 180.0, 180.0, True, "{:.0f} s".format)
            parts, limits = [*parts, seconds], f"{limits} in ≤ 180 s"
        title = _title("advection", runs)
        rows.append(Row(title, limits, f"{goal:.0e}" if goal else "", parts, paper, seconds_of(runs), rival))
    return rows


def _adam_rows(answers: Answers) -> list[Row]:
    ratio = Part(adam_ratios(answers, "adam"), 20.0, None, form="{:.0f}x".format)
    runs = answers.runs("adam", "adam")
    seconds = [run["least_squares"]["seconds"] for run in runs]
    steps = "".join(f", {run['steps']} steps" for run in runs[:1])
    title = f"error of tuned Adam over that of least squares, equal time{steps}"
    return [Row(title, "≥ 20x", "", [ratio], seconds=seconds)]


def _flow_rows(answers: Answers) -> list[Row]:
    green, euler, pair = (_ours(answers, group) for group in ("taylor_green", "euler", "vortices"))
    still = [
        _error(values(green, "last", "mean_square_error"), 1e-9),
        _error(values(green, "last", "divergence"), 1e-10),
        Part(seconds_of(green), 60.0, None, True, "{:.0f} s".format),
    ]
    energy = [abs(change) for change in values(euler, "energy_change")]
    moving = [
        _error(values_at(euler, "relative_l2", EULER_TIME), 2e-3),
        Part(energy, 0.003, None, True, "{:.2%}".format),
    ]
    grid = middle(values(answers.runs("vortices", "stable48"), "last", "relative_l2"))
    found = values(pair, "last", "relative_l2")
    ratio = Part([grid / error for error in found] if grid < float("inf") else [], 10.0, None, form="{:.0f}x".format)
    return [
        Row(f"{_title('Taylor-Green', green)}: mean square error, divergence",
            "≤ 1e-9, ≤ 1e-10 in ≤ 60 s", "", still, answers.paper.get("taylor_green", DASH), seconds_of(green),
            _rival(answers, "taylor_green")),
        Row(f"{_title('Euler flow that moves', euler)}: relative L2 at t = {EULER_TIME}, energy",
            "≤ 2e-3, ≤ 0.3 %", "", moving, DASH, seconds_of(euler), _rival(answers, "euler")),
        Row(f"{_title('two vortices', pair)}: error of stable fluids 48² over ours", "≥ 10x", "", [ratio], DASH,
            seconds_of(pair), _rival(answers, "vortices")),
    ]  # fmt: skip


def _scalar_rows(answers: Answers) -> list[Row]:
    burgers, many = _ours(answers, "burgers"), answers.runs("high_dimension", "5d")
    nodes = [run["grids"]["waves"] for run in many if run.get("grids")]
    grid = f"waves, exact in time: {nodes[0]['nodes']}⁵ nodes, {memory_shown(nodes[0]['bytes'])}" if nodes else DASH
    return [
        Row(f"{_title('Burgers', burgers)}: relative L2 at t = {BURGERS_TIME:g}", "≤ 1e-3", "",
            [_error(values_at(burgers, "relative_l2", BURGERS_TIME), 1e-3)], DASH, seconds_of(burgers),
            _rival(answers, "burgers")),
        Row(f"{_title('advection', many)}: relative L2 at the end", "≤ 1e-2", "",
            [_error(values(many, "last", "relative_l2"), 1e-2)], DASH, seconds_of(many), grid),
    ]  # fmt: skip


def _body_rows(answers: Answers) -> list[Row]:
    pulled, fallen = _ours(answers, "tension"), _ours(answers, "drop")
    error = ("last", "relative_l2")
    memory = middle([run["memory_bytes"] for run in pulled])
    linear = answers.best(
        "tension", error, lambda r: r[0].get("degree") == 1 and r[0]["memory_bytes"] <= SLACK * memory
    )
    best = middle(values(linear, *error))
    ratio = Part([found / best for found in values(pulled, *error)] if linear else [], 1.0, 0.5, True, "{:.2f}".format)
    before, after = (values(fallen, "fall", f"momentum_{when}") for when in ("before", "after"))
    fall = [
        Part(values(fallen, "fall", "penetration"), 0.01, None, True, "{:.2%}".format),
        _error(values(fallen, "fall", "free_fall_error"), 1e-6),
        Part([up / down for up, down in zip(after, before, strict=True)], 1e-3, None, form="{:.2f}".format),
    ]
    return [
        Row(f"{_title('tension', pulled)}: error over that of P1 elements, equal memory", "≤ 1", "≤ 0.5", [ratio],
            answers.paper.get("tension", DASH), seconds_of(pulled), _rival(answers, "tension")),
        Row(f"{_title('ball on a plane', fallen)}: penetration, free fall, momentum after over before",
            "≤ 1 %, ≤ 1e-6, > 0", "", fall, DASH, seconds_of(fallen)),
    ]  # fmt: skip


def _jet_row(answers: Answers) -> Row:
    found = [network["difference"] for run in answers.runs("jets", "jets") for network in run["networks"].values()]
    faster = jet_ratios(answers, "seconds", ("forward", "mixed"))
    title = "jets of second order: largest difference to nested differentiation, times faster than `torch.func`"
    parts = [_error([max(found)] if found else [], 1e-10), Part(faster, 2.0, None, form="{:.1f}x".format)]
    return Row(title, "≤ 1e-10, ≥ 2x", "", parts)


def _error(found: list[float], must: float, goal: float | None = None) -> Part:
    return Part(found, must, goal, True, "{:.1e}".format)


def _ours(answers: Answers, group: str) -> list[Run]:
    """Runs of our first method of a group."""
    return next(iter(answers.methods(group, kind="ours").values()), [])


def _title(case: str, runs: Sequence[Run]) -> str:
    """What was solved, by which rule, in how many steps, with how many weights."""
    if not runs:
        return case
    how = runs[0]["title"].removeprefix("**INSR**, ")
    steps = runs[0]["steps"]
    return f"{case}, {how}, {steps} step{'' if steps == 1 else 's'}, {runs[0]['numbers']:,} weights"


def _rival(answers: Answers, group: str) -> str:
    """The classical method with the smallest error, its error and its time."""
    _, path, form = ERRORS[group]
    best = answers.best(group, path)
    if not best:
        return DASH
    return f"{best[0]['title']}: {form(middle(values(best, *path)))} in {seconds_shown(seconds_of(best))} s"
