"""``sciml list``: methods, configs, weights, cases, data sets and benchmarks, one line each."""

from __future__ import annotations

from typing import Annotated

import typer

from sciml.cli.frame import verb_app

SOLVED = "; `sciml solve`"  # how the line of a config that needs no data ends

app = verb_app("List methods, configs, weights, cases, data sets and benchmarks, one line each.")


@app.command("list")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(help="methods, configs, weights, cases, datasets or benchmarks; all of them by default."),
    ] = None,
) -> None:
    """List the methods of `precondition`, the configs of `train` and `solve`, weights, cases, data sets, benchmarks."""
    from sciml.bench.registry import load_benchmarks
    from sciml.cli.output import print_table
    from sciml.data.generators import GENERATORS
    from sciml.errors import InputError
    from sciml.linalg.registry import registered
    from sciml.mesh.shipped import shipped_surfaces
    from sciml.reference.poisson_cases import CASES

    surfaces = {name: f"closed surface, {path}" for name, path in shipped_surfaces().items()}
    made = {name: f"{kind.summary}; made by `sciml data generate {name}`" for name, kind in GENERATORS.items()}
    configs = _configs()
    tables = {
        "methods": {name: method.summary for name, method in registered().items()},
        "configs": configs,
        "weights": _weights(),
        "cases": CASES | {name: about for name, about in configs.items() if about.endswith(SOLVED)},
        "datasets": surfaces | made,
        "benchmarks": {each.name: f"{each.title}; `sciml bench {each.name}`" for each in load_benchmarks()},
    }
    if what is not None and what not in tables:
        raise InputError(f"There is no list of {what!r}, expected one of {', '.join(tables)}.")
    for title in tables if what is None else [what]:
        print_table([title, ""], list(tables[title].items()))


def _configs() -> dict[str, str]:
    """Return the title of each shipped config, the claim of the paper, and the verb where that is `solve`."""
    from sciml.config_files import read_yaml, shipped_configs

    about = {}
    for name, path in shipped_configs().items():
        values = read_yaml(path)
        paper = values.get("paper")
        about[name] = str(values.get("title")) + (f"; paper: {paper['claim']}" if paper else "")
        about[name] += SOLVED if values.get("data") is None else ""
    return about


def _weights() -> dict[str, str]:
    """Return the title, size and headline metrics of all shipped weights by name."""
    from sciml.cli.output import cell_text
    from sciml.weights import read_card, shipped

    about = {}
    for name, path in shipped().items():
        card = read_card(path)
        numbers = [f"{key} {cell_text(value)}" for key, value in list(card.metrics.items())[:3]]
        about[name] = "; ".join([card.title, f"{path.stat().st_size // 1024} KiB", *numbers])
    return about
