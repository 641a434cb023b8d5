"""One table for each group of ``sciml bench insr``, with every row that was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sciml.bench.answers import (
    DASH,
    Answers,
    Form,
    Run,
    memory_shown,
    middle,
    seconds_of,
    seconds_shown,
    shown,
    values,
    values_at,
)
from sciml.bench.table import markdown

BURGERS_TIME = 1.0
# By group: what it is called, which error says who is better, how that is written.
ERRORS: dict[str, tuple[str, tuple[str, ...], Form]] = {
    "advection": ("advection in 1-D", ("mean", "mean_absolute_error"), "{:.1e}".format),
    "taylor_green": ("Taylor-Green", ("last", "mean_square_error"), "{:.1e}".format),
    "euler": ("the Euler flow that moves", ("last", "relative_l2"), "{:.1e}".format),
    "vortices": ("two vortices", ("last", "relative_l2"), "{:.1e}".format),
    "burgers": ("Burgers", ("last", "relative_l2"), "{:.1e}".format),
    "tension": ("tension", ("last", "relative_l2"), "{:.1e}".format),
}
FLOWS = ("taylor_green", "euler", "vortices")
SLACK = 1.02  # two per cent more memory is equal memory
Cells = Callable[[list[Run]], tuple[str, ...]]


def group_tables(answers: Answers) -> list[tuple[str, str]]:
    """Pairs of title and table; the table is empty where nothing was measured."""
    pulse = ("mean absolute error", "relative L2 at the end")
    flow = ("mean square error", "relative L2", "change of energy", "divergence")
    burgers = (f"relative L2 at t = {BURGERS_TIME:g}", "at the end")
    flows = [(_flow_title(answers, name), _table(answers, (name,), flow, _flow)) for name in FLOWS]
    nested = "milliseconds by jets, and how many times as long nested differentiation takes"
    return [
        ("**Equal memory, equal time**: the best classical method that takes no more than ours", _equal(answers)),
        (
            "**Advection in 1-D**: errors averaged over the steps and at the end",
            _table(answers, ("advection", "pinn"), pulse, _pulse),
        ),
        (
            "**The error of the paper's grid, and of its time step alone**",
            _table(answers, ("metric",), pulse, _pulse),
        ),
        ("**Optimisers**: relative L2 error after the same steps from the same start", _adam(answers)),
        *flows,
        ("**Burgers**", _table(answers, ("burgers",), burgers, _burgers)),
        ("**A pulse in many dimensions**, and what a grid needs for the same error", _dimensions(answers)),
        (
            "**Tension** of a square: displacement and energy beside quadratic elements on a fine mesh",
            _table(answers, ("tension",), ("relative L2", "energy too high by", "memory of the mesh"), _tension),
        ),
        ("**A ball that falls on a plane**", _drop(answers)),
        (
            "**Ablation**, advection in 1-D, one thing at a time",
            _table(answers, ("ablation",), (*pulse, "solves"), _ablation),
        ),
        (
            f"**Derivatives**: {nested}, first the derivatives alone, then with the gradient over the weights",
            _jets(answers),
        ),
    ]


def _flow_title(answers: Answers, group: str) -> str:
    title = ERRORS[group][0]
    exact = [change for runs in answers.methods(group).values() for change in values(runs, "exact_energy_change")]
    ending = f"; the exact change of the energy is {_percent(exact[0])}" if exact else ""
    return f"**{title[0].upper()}{title[1:]}**, at the end{ending}"


def _percent(share: float) -> str:
    return "0.00%" if abs(share) < 5e-5 else f"{share:+.2%}"


def adam_ratios(answers: Answers, which: str, fresh: bool | None = None) -> list[float]:
    """Per seed, the error of the best Adam over that of least squares; ``fresh`` asks for new points, or for fixed."""
    found = []
    for run in answers.runs("adam", "adam"):
        errors = [
            rival["relative_l2"] for rival in run[which].values() if fresh is None or rival["settings"][2] == fresh
        ]
        if errors:
            found.append(min(errors) / run["least_squares"]["relative_l2"])
    return found


def jet_ratios(answers: Answers, task: str, rivals: Sequence[str], network: str | None = None) -> list[float]:
    """Per network and repetition, seconds of the faster one of some methods over those of jets."""
    found = []
    for run in answers.runs("jets", "jets"):
        for name, measured in run["networks"].items():
            if network in (None, name):
                seconds = measured[task]
                fastest = map(min, zip(*(seconds[rival] for rival in rivals), strict=True))
                found += [slow / quick for slow, quick in zip(fastest, seconds["jets"], strict=True)]
    return found


# ---------------------------------------------------------------------------------------------------------- the tables


def _table(answers: Answers, groups: Sequence[str], heads: Sequence[str], cells: Cells) -> str:
    """Every method of some groups: title, numbers and memory, what the group measures, processor seconds."""
    rows = []
    for runs in answers.methods(*groups).values():
        numbers, memory = (statistics.median(run[name] for run in runs) for name in ("numbers", "memory_bytes"))
        seconds = seconds_shown(seconds_of(runs))
        rows.append((runs[0]["title"], f"{numbers:,.0f}", memory_shown(memory), *cells(runs), seconds))
    return markdown(("method", "numbers", "memory", *heads, "CPU s"), rows) if rows else ""


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


def _drop(answers: Answers) -> str:
    rows = []
    for runs in answers.methods("drop").values():
        numbers, memory = f"{runs[0]['numbers']:,}", memory_shown(runs[0]["memory_bytes"])
        depth = shown(values(runs, "fall", "penetration"), "{:.2%}".format)
        free = shown(values(runs, "fall", "free_fall_error"))
        momenta = [shown(values(runs, "fall", f"momentum_{when}"), "{:.2f}".format) for when in ("before", "after")]
        ratio = shown(values(runs, "fall", "smallest_volume_ratio"), "{:.2f}".format)
        title, seconds = runs[0]["title"], seconds_shown(seconds_of(runs))
        rows.append((title, numbers, memory, depth, free, *momenta, ratio, seconds))
    heads = ("method", "numbers", "memory", "penetration / height", "error of free fall", "momentum down before",
             "momentum up after", "smallest volume ratio", "CPU s")  # fmt: skip
    return markdown(heads, rows) if rows else ""


def _equal(answers: Answers) -> str:
    rows = []
    for group, (title, path, form) in ERRORS.items():
        for (_, _), ours in answers.methods(group, kind="ours").items():
            memory, seconds = (middle([run[name] for run in ours]) for name in ("memory_bytes", "seconds"))
            same = answers.best(group, path, lambda runs, most=memory: runs[0]["memory_bytes"] <= SLACK * most)
            quick = answers.best(group, path, lambda runs, most=seconds: middle(seconds_of(runs)) <= most)
            about = f"{memory_shown(memory)}, {seconds_shown(seconds_of(ours))} s"
            name = ours[0]["title"].removeprefix("**INSR**, ")
            cells = (_best(each, path, form) for each in (same, quick))
            rows.append((f"{title}, {name}", f"{shown(values(ours, *path), form)} ({about})", *cells))
    heads = ("case", "INSR", "classical, no more memory", "classical, no more time")
    return markdown(heads, rows) if rows else ""


def _best(runs: list[Run], path: Sequence[str], form: Form) -> str:
    if not runs:
        return DASH
    about = f"{memory_shown(runs[0]['memory_bytes'])}, {seconds_shown(seconds_of(runs))} s"
    return f"{form(middle(values(runs, *path)))} ({about}): {runs[0]['title']}"


def _adam(answers: Answers) -> str:
    runs = answers.runs("adam", "adam")
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
            ratio = shown(adam_ratios(answers, which, fresh), "{:.0f}x".format)
            rows.append((f"{title} ({'; '.join(settings)})", *_fit([rival for _, rival in best]), ratio))
    return markdown(("method", "relative L2", "solves or iterations", "CPU s", "error over least squares"), rows)


def _best_adam(rivals: dict[str, Any], fresh: bool | None) -> tuple[str, dict[str, Any]] | None:
    """Name, which begins with rate and schedule, and result."""
    found = [pair for pair in rivals.items() if fresh is None or pair[1]["settings"][2] == fresh]
    return min(found, key=lambda pair: pair[1]["relative_l2"], default=None)


def _fit(found: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    solves = f"{statistics.median(each['solves'] for each in found):g}"
    return shown([each["relative_l2"] for each in found]), solves, seconds_shown([each["seconds"] for each in found])


def _dimensions(answers: Answers) -> str:
    rows = []
    for runs in answers.methods("high_dimension").values():
        dimension, numbers = runs[0]["dimension"], f"{runs[0]['numbers']:,}"
        error, seconds = shown(values(runs, "last", "relative_l2")), seconds_shown(seconds_of(runs))
        grids = [_grid(runs, name, dimension) for name in ("central4", "waves")]
        rows.append((runs[0]["title"], numbers, memory_shown(runs[0]["memory_bytes"]), error, seconds, *grids))
    heads = ("method", "numbers", "memory", "relative L2", "CPU s", "4th-order grid, Padé(2,2)", "waves, exact in time")
    return markdown(heads, rows) if rows else ""


def _grid(runs: list[Run], name: str, dimension: int) -> str:
    """Median over the seeds, for every seed has an error of its own."""
    nodes = [run["grids"][name]["nodes"] for run in runs if run.get("grids")]
    if not nodes:
        return DASH
    if None in nodes:
        return "none reaches it"
    typical = statistics.median_low(nodes)
    return f"{typical}^{dimension} nodes, {memory_shown(8 * typical**dimension)}"


def _jets(answers: Answers) -> str:
    rows = list(_jet_rows(answers))
    heads = ("network in 2-D", "weights", "largest difference", "ms", "`autograd.grad` twice", "`torch.func`", "ms",
             "`autograd.grad` twice", "`torch.func`")  # fmt: skip
    return markdown(heads, rows) if rows else ""


def _jet_rows(answers: Answers) -> Iterator[tuple[str, ...]]:
    for run in answers.runs("jets", "jets"):
        for name, found in run["networks"].items():
            cells = []
            for task in ("seconds", "training"):
                cells.append(f"{1e3 * statistics.median(found[task]['jets']):.1f}")
                for rivals in (("backward",), ("forward", "mixed")):
                    cells.append(shown(jet_ratios(answers, task, rivals, name), "{:.1f}x".format))
            yield name, f"{found['parameters']:,}", f"{found['difference']:.0e}", *cells
