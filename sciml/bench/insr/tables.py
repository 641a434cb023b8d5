"""One table for each group of ``sciml bench insr``, with every row that was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sciml.bench.insr.results import ERRORS, SLACK, InsrResults, title_of
from sciml.bench.report import DASH, Form, Section, markdown, memory_shown, seconds_shown, shown
from sciml.bench.results import Raw, Run, middle, seconds_of, values, values_at

BURGERS_TIME = 1.0
FLOWS = ("taylor_green", "euler", "vortices")
Cells = Callable[[list[Run]], tuple[str, ...]]


def sections(raw: Raw) -> list[Section]:
    """Return the tables of everything that was measured."""
    results = InsrResults(raw)
    pulse = ("mean absolute error", "relative L2 at the end")
    flow = ("mean square error", "relative L2", "change of energy", "divergence")
    burgers = (f"relative L2 at t = {BURGERS_TIME:g}", "at the end")
    tension = ("relative L2", "energy too high by", "memory of the mesh")
    return [
        Section("Equal memory, equal time", _equal(results), "the best classical method that takes no more than ours"),
        Section(
            "Advection in 1-D",
            _table(results, ("advection", "pinn"), pulse, _pulse),
            "errors averaged over the steps and at the end",
        ),
        Section("The paper's grid, and its time step alone", _table(results, ("metric",), pulse, _pulse), "errors"),
        Section("Optimisers", _adam(results), "relative L2 error after the same steps from the same initial weights"),
        *(
            Section(_flow_title(name), _table(results, (name,), flow, _flow), _flow_note(results, name))
            for name in FLOWS
        ),
        Section("Burgers", _table(results, ("burgers",), burgers, _burgers)),
        Section("A pulse in several dimensions", _dimensions(results), "and what a grid needs for the same error"),
        Section(
            "Tension of a square",
            _table(results, ("tension",), tension, _tension),
            "displacement and energy, against quadratic elements on a fine mesh",
        ),
        Section("A ball that falls on a plane", _drop(results)),
        Section(
            "Ablation",
            _table(results, ("ablation",), (*pulse, "solves"), _ablation),
            "advection in 1-D, one thing at a time",
        ),
        Section(
            "Derivatives",
            _jets(results),
            "milliseconds by jets, and how many times as long nested differentiation takes, first for the derivatives "
            "alone, then with the gradient over the parameters",
        ),
    ]


def _flow_title(group: str) -> str:
    title = ERRORS[group][0].removeprefix("the ")
    return f"{title[0].upper()}{title[1:]}"


def _flow_note(results: InsrResults, group: str) -> str:
    exact = [change for runs in results.methods(group).values() for change in values(runs, "exact_energy_change")]
    return f"at the end; the exact change of the energy is {_percent(exact[0])}" if exact else "at the end"


def _percent(share: float) -> str:
    return "0.00%" if abs(share) < 5e-5 else f"{share:+.2%}"


# ---------------------------------------------------------------------------------------------------------- the tables


def _table(results: InsrResults, groups: Sequence[str], heads: Sequence[str], cells: Cells) -> str:
    """Return every method of some groups: title, degrees of freedom and memory, what the group measures, CPU time."""
    rows = []
    for runs in results.methods(*groups).values():
        numbers, memory = (statistics.median(run[name] for run in runs) for name in ("numbers", "memory_bytes"))
        seconds = seconds_shown(seconds_of(runs))
        rows.append((runs[0]["title"], f"{numbers:,.0f}", memory_shown(memory), *cells(runs), seconds))
    return markdown(("method", "degrees of freedom", "memory", *heads, "CPU time [s]"), rows) if rows else ""


def _pulse(runs: list[Run]) -> tuple[str, ...]:
    return shown(values(runs, "mean", "mean_absolute_error")), shown(values(runs, "last", "relative_l2"))


def _ablation(runs: list[Run]) -> tuple[str, ...]:
    failed = any(run.get("failed") for run in runs)
    return *_pulse(runs), DASH if failed else f"{statistics.median(run['solves'] for run in runs):g}"


def _flow(runs: list[Run]) -> tuple[str, ...]:
    errors = (shown(values(runs, "last", name)) for name in ("mean_square_error", "relative_l2"))
    energy = shown(values(runs, "energy_change"), _percent)
    return *errors, energy, shown(values(runs, "last", "divergence"))


def _burgers(runs: list[Run]) -> tuple[str, ...]:
    return shown(values_at(runs, "relative_l2", BURGERS_TIME)), shown(values(runs, "last", "relative_l2"))


def _tension(runs: list[Run]) -> tuple[str, ...]:
    excess = [run["last"]["elastic_energy"] / run["reference_energy"] - 1 for run in runs if not run.get("failed")]
    mesh = values(runs, "mesh_bytes")
    return (
        shown(values(runs, "last", "relative_l2")),
        shown(excess, _percent),
        memory_shown(mesh[0]) if mesh else "none",
    )


def _drop(results: InsrResults) -> str:
    rows = []
    for runs in results.methods("drop").values():
        numbers, memory = f"{runs[0]['numbers']:,}", memory_shown(runs[0]["memory_bytes"])
        depth = shown(values(runs, "fall", "penetration"), "{:.2%}".format)
        free = shown(values(runs, "fall", "free_fall_error"))
        momenta = [shown(values(runs, "fall", f"momentum_{when}"), "{:.2f}".format) for when in ("before", "after")]
        ratio = shown(values(runs, "fall", "smallest_volume_ratio"), "{:.2f}".format)
        title, seconds = runs[0]["title"], seconds_shown(seconds_of(runs))
        rows.append((title, numbers, memory, depth, free, *momenta, ratio, seconds))
    heads = ("method", "degrees of freedom", "memory", "penetration / height", "error of free fall",
             "momentum down before", "momentum up after", "smallest volume ratio", "CPU time [s]")  # fmt: skip
    return markdown(heads, rows) if rows else ""


def _equal(results: InsrResults) -> str:
    rows = []
    for group, (title, path, form) in ERRORS.items():
        for (_, _), ours in results.methods(group, kind="ours").items():
            memory, seconds = (middle([run[name] for run in ours]) for name in ("memory_bytes", "seconds"))
            same = results.best(group, path, limit=lambda runs, most=memory: runs[0]["memory_bytes"] <= SLACK * most)
            quick = results.best(group, path, limit=lambda runs, most=seconds: middle(seconds_of(runs)) <= most)
            about = f"{memory_shown(memory)}, {seconds_shown(seconds_of(ours))} s"
            cells = (_best(each, path, form) for each in (same, quick))
            rows.append((f"{title}, {title_of(ours)}", f"{shown(values(ours, *path), form)} ({about})", *cells))
    heads = ("case", "INSR", "classical, no more memory", "classical, no more time")
    return markdown(heads, rows) if rows else ""


def _best(runs: list[Run], path: Sequence[str], form: Form) -> str:
    if not runs:
        return DASH
    about = f"{memory_shown(runs[0]['memory_bytes'])}, {seconds_shown(seconds_of(runs))} s"
    return f"{form(middle(values(runs, *path)))} ({about}): {runs[0]['title']}"


def _adam(results: InsrResults) -> str:
    runs = results.runs("adam", "adam")
    if not runs:
        return ""
    squares = [run["least_squares"] for run in runs]
    rows = [("least squares", *_fit(squares), DASH)]
    kinds = (
        ("best Adam of all", "adam", None),
        ("best Adam on fixed points", "adam", False),
        ("best Adam on new points in every iteration, as published", "adam", True),
        ("best Adam, ten times the time", "longer", None),
    )
    for title, which, fresh in kinds:
        best = [found for run in runs if (found := _best_adam(run[which], fresh))]
        if best:
            settings = sorted({name.rsplit(", ", 1)[0] for name, _ in best})
            ratio = shown(results.adam_ratios(which, fresh), "{:.0f}x".format)
            rows.append((f"{title} ({'; '.join(settings)})", *_fit([fit for _, fit in best]), ratio))
    return markdown(("method", "relative L2", "solves or iterations", "CPU time [s]", "error over least squares"), rows)


def _best_adam(settings: dict[str, Any], fresh: bool | None) -> tuple[str, dict[str, Any]] | None:
    """Return the name of the best Adam, which begins with rate and schedule, and its result."""
    found = [pair for pair in settings.items() if fresh is None or pair[1]["settings"][2] == fresh]
    return min(found, key=lambda pair: pair[1]["relative_l2"], default=None)


def _fit(found: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    solves = f"{statistics.median(each['solves'] for each in found):g}"
    return shown([each["relative_l2"] for each in found]), solves, seconds_shown([each["seconds"] for each in found])


def _dimensions(results: InsrResults) -> str:
    rows = []
    for runs in results.methods("high_dimension").values():
        dimension, numbers = runs[0]["dimension"], f"{runs[0]['numbers']:,}"
        error, seconds = shown(values(runs, "last", "relative_l2")), seconds_shown(seconds_of(runs))
        grids = [_grid(runs, name, dimension) for name in ("central4", "waves")]
        rows.append((runs[0]["title"], numbers, memory_shown(runs[0]["memory_bytes"]), error, seconds, *grids))
    heads = (
        "method",
        "parameters",
        "memory",
        "relative L2",
        "CPU time [s]",
        "4th-order grid, Padé(2,2)",
        "Fourier modes, exact in time",
    )
    return markdown(heads, rows) if rows else ""


def _grid(runs: list[Run], name: str, dimension: int) -> str:
    """Return the median over the seeds of the grid that has the error of the network."""
    nodes = [run["grids"][name]["nodes"] for run in runs if run.get("grids")]
    if not nodes:
        return DASH
    if None in nodes:
        return "none reaches it"
    typical = statistics.median_low(nodes)
    return f"{typical}^{dimension} nodes, {memory_shown(8 * typical**dimension)}"


def _jets(results: InsrResults) -> str:
    rows = list(_jet_rows(results))
    heads = ("network in 2-D", "parameters", "largest difference", "ms", "`autograd.grad` twice", "`torch.func`", "ms",
             "`autograd.grad` twice", "`torch.func`")  # fmt: skip
    return markdown(heads, rows) if rows else ""


def _jet_rows(results: InsrResults) -> Iterator[tuple[str, ...]]:
    for run in results.runs("jets", "jets"):
        for name, found in run["networks"].items():
            cells = []
            for task in ("seconds", "training"):
                cells.append(f"{1e3 * statistics.median(found[task]['jets']):.1f}")
                for others in (("backward",), ("forward", "mixed")):
                    cells.append(shown(results.jet_ratios(task, others, name), "{:.1f}x".format))
            yield name, f"{found['parameters']:,}", f"{found['difference']:.0e}", *cells
