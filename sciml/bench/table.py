"""The tables of ``sciml bench poisson``, made from its raw results and from nothing else."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sciml.bench.poisson.peers import PEERS, PYAMG
from sciml.bench.results import Results

CASES = ("mixed", "smoke", "walls", "jumps", "box")
HYPRE = ("pfmg", "boomeramg")
TITLES = {name: peer.title for name, peer in PEERS.items()} | {
    "pfmg": "hypre PFMG + CG",
    "boomeramg": "hypre BoomerAMG + CG",
}
DASH, NOT_MEASURED = "–", "not measured"


@dataclass(frozen=True)
class Part:
    """One measured number of a row, the median of its values, with a limit and a goal.

    ``most`` says that less is better, otherwise more is; ``form`` prints a value; no values: not measured.
    """

    values: list[float]
    must: float
    goal: float | None
    most: bool = False
    form: Callable[[float], str] = "{:.3g}".format

    def keeps(self, limit: float | None) -> bool:
        """Whether the median keeps to a limit; False where there is none, or no value."""
        if limit is None or not self.values:
            return False
        middle = statistics.median(self.values)
        return middle <= limit if self.most else middle >= limit

    def __str__(self) -> str:
        if not self.values:
            return NOT_MEASURED
        three = (statistics.median(self.values), min(self.values), max(self.values))
        middle, low, high = map(self.form, three)
        return middle if low == high else f"{middle} ({low} to {high})"


@dataclass(frozen=True)
class Check:
    """One row of the table of limits."""

    title: str
    must: str
    goal: str
    parts: list[Part] = field(default_factory=list)

    @property
    def measured(self) -> str:
        """Medians, with the range where the values differ as printed."""
        if not any(part.values for part in self.parts):
            return NOT_MEASURED
        return " / ".join(map(str, self.parts))

    @property
    def met(self) -> bool | None:
        """Whether every part keeps to its limit; None if one was not measured."""
        if not all(part.values for part in self.parts):
            return None
        return all(part.keeps(part.must) for part in self.parts)

    @property
    def verdict(self) -> str:
        """Whether limit and goal are met, in words; a dash if it is not known."""
        if self.met is None:
            return DASH
        if not self.met:
            return "**no**"
        return "yes, the goal too" if all(part.keeps(part.goal) for part in self.parts) else "yes"


def checks(results: dict[str, Any]) -> list[Check]:
    """Every row of the table of limits."""
    plan, answers = results["plan"], Results(results["jobs"])
    return [*_iteration_checks(plan, answers), *_time_checks(plan, answers), *_other_checks(plan, answers)]


def check_table(results: dict[str, Any]) -> str:
    """Markdown: check, must, goal, measured, met. A quick run measures other sizes, so it meets nothing."""
    quick = results["plan"]["quick"]
    rows = [(row.title, row.must, row.goal, row.measured, DASH if quick else row.verdict) for row in checks(results)]
    return markdown(("check", "must", "goal", "measured", "met"), rows)


def time_table(results: dict[str, Any]) -> str:
    """Markdown: per solver and case, seconds of set-up + solve and iterations, medians over the seeds."""
    answers = Results(results["jobs"])
    cases = [case for case in CASES if answers.unknowns(case)]
    rows = []
    for name, title in TITLES.items():
        runs = [answers.typical_run(_group(case, name), case, name) for case in cases]
        if any(runs):
            rows.append((title, *map(_timing, runs)))
    head = [f"{case}, {answers.unknowns(case) / 1e6:.3g} M unknowns" for case in cases]
    return markdown(("set-up + solve in seconds (iterations)", *head), rows)


def losses(results: dict[str, Any]) -> list[str]:
    """A sentence about each solver that beats our multigrid somewhere, and about each that missed the tolerance."""
    answers = Results(results["jobs"])
    found = []
    for case in CASES:
        for name, title in TITLES.items():
            ratios = answers.ratios(_group(case, name), case, (name,))
            if ratios and (ratio := statistics.median(ratios)) < 1:
                found.append(f"On {case}, {title} is {1 / ratio:.1f}x faster than our multigrid.")
                if name == "transform":
                    found.append('`method="auto"` takes it where it applies: on boxes without obstacles.')
    return found + [f"Not converged: {which}." for which in answers.not_converged()]


def provenance(results: dict[str, Any]) -> str:
    """Where, when and from what the numbers come, and what they count."""
    origin, plan, jobs = results["environment"], results["plan"], results["jobs"].values()
    commits = {f"{str(job.get('commit'))[:10]}{' with changes' if job.get('dirty') else ''}" for job in jobs}
    dates = sorted({job["finished"][:10] for job in jobs})
    packages = ", ".join(f"{name} {origin['packages'][name]}" for name in ("numpy", "scipy", "numba", "pyamg"))
    compiled = Results(results["jobs"]).compile_seconds()
    return (
        f"Medians over seeds {span(plan['seeds'])} ({span(plan['jump_seeds'])} for iterations on jumps), with the "
        f"range; right-hand side white noise, rtol {results['rtol']:g}, wall time with set-up, one thread unless said "
        "otherwise, solvers in turn in one process (hypre in its own). The assembly of the matrix is not counted for "
        "those that need it"
        + "".join(f"; compiling our kernels, once per machine, takes {seconds:.0f} s more" for seconds in compiled)
        + f". {origin['processor']}, {origin['cores']} cores; Python {origin['python']}, {packages}; "
        f"commit {', '.join(sorted(commits))}; {span(dates)}."
    )


def report(results: dict[str, Any]) -> str:
    """Everything above as one Markdown text."""
    quick = results["plan"]["quick"]
    note = "A quick run on small systems: the limits are meant for 64³, 128³ and 256³." if quick else ""
    parts = (note, check_table(results), time_table(results), " ".join(losses(results)), provenance(results))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(columns), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# ---------------------------------------------------------------------------------------------------------- the limits


def _iteration_checks(plan: dict[str, Any], answers: Results) -> list[Check]:
    sizes = f"{plan['small']}³ and {plan['medium']}³"

    def parts(case: str, limits: tuple[float, float], goals: tuple[float, float]) -> list[Part]:
        rows = zip((plan["small"], plan["medium"]), limits, goals, strict=True)
        return [Part(answers.iterations(case, size), must, goal, True, "{:g}".format) for size, must, goal in rows]

    easy = [part for case in ("mixed", "smoke", "box") for part in parts(case, (7, 7), (5, 5))]
    walls, jumps = parts("walls", (13, 16), (9, 10)), parts("jumps", (18, 28), (10, 14))
    return [
        Check(f"iterations, mixed / smoke / box, each at {sizes}", "≤ 7", "5", easy),
        Check(f"iterations, thin walls, {sizes}", "≤ 13 / 16", "9 / 10", walls),
        Check(f"iterations, 1000:1 jumps, {sizes}", "≤ 18 / 28", "10 / 14", jumps),
    ]


def _time_checks(plan: dict[str, Any], answers: Results) -> list[Check]:
    size, times = f"{plan['medium']}³", "{:.1f}x".format

    def part(case: str, must: float, goal: float, what: str = "total") -> Part:
        return Part(answers.ratios("times", case, PYAMG, what), must, goal, form=times)

    hypre = [
        Part(answers.ratios("hypre", case, HYPRE), must, 5, form=times)
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


def _other_checks(plan: dict[str, Any], answers: Results) -> list[Check]:
    small, medium, large = (f"{plan[name]}³" for name in ("small", "medium", "large"))
    memory = Part(answers.memory_ratio("sa"), 1 / 3, 1 / 5, True, lambda ratio: f"1/{1 / ratio:.1f}")
    seconds = Part(answers.large_seconds(), 12, 6, True, "{:.1f} s".format)
    gigabytes = Part(answers.large_gigabytes(), 2.5, 2.5, True, "{:.2f} GB".format)
    threads = Part(answers.speed_ups(), 1.6, 1.9, form="{:.2f}x".format)
    residual = Part(answers.largest_residual(), 1.1e-10, None, True, "{:.1e}".format)
    useless = Part(answers.sabotage(), 1, None, True, "{:.2f}".format)
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


def span(values: list[Any]) -> str:
    """First to last."""
    return "none" if not values else str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"
