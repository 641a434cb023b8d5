"""Limits of ``sciml bench insr``, and what its numbers count, made from the raw results and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sciml.bench.insr.results import ERRORS, SLACK, InsrResults, title_of
from sciml.bench.insr.tables import BURGERS_TIME
from sciml.bench.report import DASH, Check, Part, memory_shown, seconds_shown, span
from sciml.bench.results import Raw, Run, middle, seconds_of, values, values_at

PIN = 1e-4  # tolerance for the errors of the paper's grid
EULER_TIME = 2.5


@dataclass(frozen=True)
class Pinned(Part):
    """A measured quantity that has to equal its limit, from both sides."""

    def keeps(self, limit: float | None) -> bool:
        """Return whether the median equals that number."""
        return limit is not None and bool(self.values) and abs(middle(self.values) - limit) <= PIN


def checks(raw: Raw) -> list[Check]:
    """Return every limit, with what was measured."""
    results = InsrResults(raw)
    return [
        *_metric_rows(results),
        *_advection_rows(results),
        *_adam_rows(results),
        *_flow_rows(results),
        *_scalar_rows(results),
        *_body_rows(results),
        _jet_row(results),
    ]


def losses(raw: Raw) -> list[str]:
    """Return a sentence about each case in which a classical method is more accurate than ours in no more time."""
    results, found = InsrResults(raw), []
    for group, (title, path, _) in ERRORS.items():
        ours = results.ours(group)
        error, seconds = middle(values(ours, *path)), middle(seconds_of(ours))
        classical = results.methods(group, kind="classical").values()
        better = [
            runs[0]["title"]
            for runs in classical
            if values(runs, *path) and middle(values(runs, *path)) < error and middle(seconds_of(runs)) <= seconds
        ]
        if ours and better:
            found.append(f"On {title}, more accurate than ours in less time: {'; '.join(better)}.")
    return found


def legend(raw: Raw) -> str:
    """Return what the numbers count."""
    plan = raw["plan"]
    return (
        f"Medians over seeds {span(plan['seeds'])} of parameters and points, with the range; classical methods have "
        "none. CPU time is on one thread, with the fit of the initial condition, without the errors. Memory is that of "
        "the field at one time, eight bytes per number; for a PINN, of all times. Errors of flows are those of the "
        f"velocity, against a sine series on {plan['cells']}² cells ({plan['vortex_cells']}² for two vortices)."
    )


# ------------------------------------------------------------------------------------------------------------ the rows


def _metric_rows(results: InsrResults) -> list[Check]:
    runs = [results.runs("metric", name) for name in ("upwind901", "upwind7001")]
    parts = [
        Pinned(values(each, "mean", "mean_absolute_error"), must, None, form="{:.4f}".format)
        for each, must in zip(runs, (0.0146, 0.0029), strict=True)
    ]
    title = "the paper's grid, 901 / 7,001 nodes: mean absolute error over time"
    return [Check(title, "0.0146 / 0.0029 ± 1e-4", "", parts, "0.0146 / 0.0029", seconds_of(runs[-1]))]


def _advection_rows(results: InsrResults) -> list[Check]:
    paper, error = results.paper.get("advection", DASH), ("mean", "mean_absolute_error")
    classical = _best(results, "advection")
    rows = []
    for method, must, goal in (("midpoint", 2.2e-3, None), ("pade22", 3e-5, 1e-5)):
        runs = results.runs("advection", method)
        parts, limits = [_error(values(runs, *error), must, goal)], f"≤ {must:.1e}"
        if method == "pade22":
            seconds = Part(seconds_of(runs), 180.0, 180.0, True, "{:.0f} s".format)
            parts, limits = [*parts, seconds], f"{limits} in ≤ 180 s"
        title = _title("advection", runs)
        rows.append(Check(title, limits, f"{goal:.0e}" if goal else "", parts, paper, seconds_of(runs), classical))
    return rows


def _adam_rows(results: InsrResults) -> list[Check]:
    ratio = Part(results.adam_ratios("adam"), 20.0, None, form="{:.0f}x".format)
    runs = results.runs("adam", "adam")
    seconds = [run["least_squares"]["seconds"] for run in runs]
    steps = "".join(f", {run['steps']} steps" for run in runs[:1])
    title = f"error of tuned Adam over that of least squares, equal time{steps}"
    return [Check(title, "≥ 20x", "", [ratio], seconds=seconds)]


def _flow_rows(results: InsrResults) -> list[Check]:
    green, euler, pair = (results.ours(group) for group in ("taylor_green", "euler", "vortices"))
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
    grid = middle(values(results.runs("vortices", "stable48"), "last", "relative_l2"))
    found = values(pair, "last", "relative_l2")
    ratio = Part([grid / error for error in found] if grid < float("inf") else [], 10.0, None, form="{:.0f}x".format)
    return [
        Check(f"{_title('Taylor-Green', green)}: mean square error, divergence",
            "≤ 1e-9, ≤ 1e-10 in ≤ 60 s", "", still, results.paper.get("taylor_green", DASH), seconds_of(green),
            _best(results, "taylor_green")),
        Check(f"{_title('unsteady Euler flow', euler)}: relative L2 at t = {EULER_TIME}, energy",
            "≤ 2e-3, ≤ 0.3 %", "", moving, DASH, seconds_of(euler), _best(results, "euler")),
        Check(f"{_title('two vortices', pair)}: error of stable fluids 48² over ours", "≥ 10x", "", [ratio], DASH,
            seconds_of(pair), _best(results, "vortices")),
    ]  # fmt: skip


def _scalar_rows(results: InsrResults) -> list[Check]:
    burgers, many = results.ours("burgers"), results.runs("high_dimension", "5d")
    nodes = [run["grids"]["waves"] for run in many if run.get("grids")]
    grid = (
        f"Fourier modes, exact in time: {nodes[0]['nodes']}⁵ nodes, {memory_shown(nodes[0]['bytes'])}"
        if nodes
        else DASH
    )
    return [
        Check(f"{_title('Burgers', burgers)}: relative L2 at t = {BURGERS_TIME:g}", "≤ 1e-3", "",
            [_error(values_at(burgers, "relative_l2", BURGERS_TIME), 1e-3)], DASH, seconds_of(burgers),
            _best(results, "burgers")),
        Check(f"{_title('advection', many)}: relative L2 at the end", "≤ 1e-2", "",
            [_error(values(many, "last", "relative_l2"), 1e-2)], DASH, seconds_of(many), grid),
    ]  # fmt: skip


def _body_rows(results: InsrResults) -> list[Check]:
    pulled, fallen = results.ours("tension"), results.ours("drop")
    error = ("last", "relative_l2")
    memory = middle([run["memory_bytes"] for run in pulled])
    linear = results.best(
        "tension", error, limit=lambda r: r[0].get("degree") == 1 and r[0]["memory_bytes"] <= SLACK * memory
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
        Check(f"{_title('tension', pulled)}: error over that of P1 elements, equal memory", "≤ 1", "≤ 0.5", [ratio],
            results.paper.get("tension", DASH), seconds_of(pulled), _best(results, "tension")),
        Check(f"{_title('ball on a plane', fallen)}: penetration, free fall, momentum after over before",
            "≤ 1 %, ≤ 1e-6, > 0", "", fall, DASH, seconds_of(fallen)),
    ]  # fmt: skip


def _jet_row(results: InsrResults) -> Check:
    found = [network["difference"] for run in results.runs("jets", "jets") for network in run["networks"].values()]
    faster = results.jet_ratios("seconds", ("forward", "mixed"))
    title = "jets of second order: largest difference to nested differentiation, times faster than `torch.func`"
    parts = [_error([max(found)] if found else [], 1e-10), Part(faster, 2.0, None, form="{:.1f}x".format)]
    return Check(title, "≤ 1e-10, ≥ 2x", "", parts)


def _error(found: list[float], must: float, goal: float | None = None) -> Part:
    return Part(found, must, goal, True, "{:.1e}".format)


def _title(case: str, runs: Sequence[Run]) -> str:
    """Return what was solved, by which scheme, in how many steps, with how many parameters."""
    if not runs:
        return case
    steps = runs[0]["steps"]
    return f"{case}, {title_of(runs)}, {steps} step{'' if steps == 1 else 's'}, {runs[0]['numbers']:,} parameters"


def _best(results: InsrResults, group: str) -> str:
    """Return the classical method with the smallest error, its error and its time."""
    _, path, form = ERRORS[group]
    best = results.best(group, path)
    if not best:
        return DASH
    return f"{best[0]['title']}: {form(middle(values(best, *path)))} in {seconds_shown(seconds_of(best))} s"
