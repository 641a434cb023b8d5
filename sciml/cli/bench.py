"""``sciml bench``: the side-by-side measurements behind the published tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sciml.cli.frame import verb_app

BENCHES = ("poisson", "dcdm", "insr", "lpinn", "training")
PUBLISHED = Path("datasets/results")

app = verb_app("Measure our solvers beside the best classical ones, on this machine.")


@app.command(no_args_is_help=False)
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME ...]", help="poisson, dcdm, insr, lpinn, training; all by default."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small systems, one seed: minutes.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP", help="Measure this group only, such as iterations or times; may be repeated."),
    ] = None,
    peers: Annotated[
        list[str] | None, typer.Option(metavar="PEER", help="Measure an optional peer too: hypre, deepxde.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the raw JSON.")] = Path("runs/bench"),
    publish: Annotated[bool, typer.Option("--publish", help=f"The same as -o {PUBLISHED}.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what an earlier run has finished.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the checks as one JSON object.")] = False,
) -> None:
    """Measure side by side, save raw JSON after every measurement, print the tables.

    A run that was interrupted goes on where it stopped, as long as the measured code is the same.
    """
    from sciml.bench import table
    from sciml.bench.dcdm import plan as dcdm
    from sciml.bench.dcdm import table as dcdm_table
    from sciml.bench.insr import plan as insr
    from sciml.bench.insr import table as insr_table
    from sciml.bench.lpinn import plan as lpinn
    from sciml.bench.lpinn import table as lpinn_table
    from sciml.bench.poisson import plan as poisson
    from sciml.bench.training import plan as training
    from sciml.cli.output import print_json
    from sciml.errors import InputError

    modules = {"poisson": poisson, "dcdm": dcdm, "insr": insr, "lpinn": lpinn, "training": training}
    tables = {"poisson": table, "dcdm": dcdm_table, "insr": insr_table, "lpinn": lpinn_table, "training": training}
    for name in names or ():
        if name not in BENCHES:
            raise InputError(f"there is no benchmark {name!r}, expected one of {', '.join(BENCHES)}.")
    if publish and quick:
        raise InputError("--publish is for the full run: a quick one is not published; leave one of the two out.")
    if publish and not PUBLISHED.parent.is_dir():
        raise InputError(f"--publish writes into {PUBLISHED}, which is not here; run it at the top of a clone.")
    folder = PUBLISHED if publish else output
    # Groups and peers belong to one benchmark: without a name they say which.
    chosen = names or [name for name in BENCHES if set(only or ()) <= set(modules[name].GROUPS)] or BENCHES[:1]
    chosen = [name for name in chosen if names or set(peers or ()) <= set(modules[name].OPTIONAL_PEERS)] or chosen
    rows, files = [], []
    for name in chosen:
        module = modules[name]
        plan = module.QUICK if quick else module.Plan()
        results = module.run(folder, plan, only=only or (), peers=peers or (), fresh=fresh, progress=_progress)
        files.append(str(folder / plan.file_name))
        rows += [
            {"check": row.title, "must": row.must, "goal": row.goal, "measured": row.measured, "met": row.met}
            for row in tables[name].checks(results)
        ]
        if not json:
            print(tables[name].report(results))
            print(f"raw results: {files[-1]}")
    if json:
        print_json({"results": files, "quick": quick, "checks": rows})


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
