"""``sciml list``: methods, configs, weights, cases, data sets and benchmarks, one line each."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sciml.cli.frame import verb_app

app = verb_app("List methods, configs, weights, cases, data sets and benchmarks, one line each.")


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            help="methods (linear solvers), configs, weights, cases (Poisson systems), datasets or benchmarks."
        ),
    ] = None,
) -> None:
    """List linear solvers, the configs of `train` and `solve` with what they take, weights, cases, data, benchmarks."""
    from sciml.bench.registry import load_benchmarks
    from sciml.cli.output import print_table
    from sciml.data.generators import GENERATORS
    from sciml.errors import InputError
    from sciml.linalg.registry import registered
    from sciml.mesh.shipped import shipped_surfaces
    from sciml.reference.poisson_cases import CASES

    surfaces = [(name, f"closed surface, {path}") for name, path in shipped_surfaces().items()]
    made = [(name, f"{kind.summary}; made by `sciml data generate {name}`") for name, kind in GENERATORS.items()]
    tables: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {
        "methods": (
            ["linear solvers: `sciml precondition --method NAME`", ""],
            [(name, method.summary) for name, method in registered().items()],
        ),
        "configs": (["configs: `sciml VERB NAME`", "verb", "takes", ""], _configs()),
        "weights": (["weights", ""], _weights()),
        "cases": (["Poisson systems: `sciml data generate poisson`", ""], list(CASES.items())),
        "datasets": (["datasets", ""], surfaces + made),
        "benchmarks": (["benchmarks: `sciml bench NAME`", ""], [(each.name, each.title) for each in load_benchmarks()]),
    }
    if what is not None and what not in tables:
        raise InputError(f"There is no list of {what!r}, expected one of {', '.join(tables)}.")
    for title in tables if what is None else [what]:
        print_table(*tables[title])


def _configs() -> list[tuple[Any, ...]]:
    """Return the name of each shipped config, its verb, what it takes, and its title."""
    from sciml.config_files import read_yaml, shipped_configs, told_cost

    rows = []
    for name, path in shipped_configs().items():
        values = read_yaml(path)
        verb = "solve" if values.get("data") is None else "train"
        rows.append((name, verb, told_cost(path), str(values.get("title"))))
    return rows


def _weights() -> list[tuple[str, str]]:
    """Return the title, size and headline metrics of all shipped weights by name."""
    from sciml.cli.output import cell_text
    from sciml.weights import read_card, shipped

    rows = []
    for name, path in shipped().items():
        card = read_card(path)
        numbers = [f"{key} {cell_text(value)}" for key, value in list(card.metrics.items())[:3]]
        rows.append((name, "; ".join([card.title, f"{path.stat().st_size // 1024} KiB", *numbers])))
    return rows
