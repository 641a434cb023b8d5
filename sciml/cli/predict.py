"""``sciml predict``: a trained task applied to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sciml.cli.frame import verb_app
from sciml.cli.runs import ModuleOption
from sciml.cli.streams import say

app = verb_app("Apply a trained task to a file.")


@app.command()
def predict(
    run: Annotated[
        str, typer.Argument(help="The folder of a run, one of its checkpoints, or the name of shipped weights.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the result.")],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="INPUT", help="What the task takes, such as a Poisson system, a mesh, or points."),
    ] = None,
    options: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Options of the task, as rtol=1e-4.")
    ] = None,
    time: Annotated[
        list[str] | None,
        typer.Option("--time", metavar="T", help="Of a solution: the time; repeat it for several, or say all."),
    ] = None,
    members: Annotated[
        int | None, typer.Option("-n", "--members", metavar="N", help="Of a task that samples: predictions to draw.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="S", help="Of a task that samples: of the draws.")
    ] = None,
    module: ModuleOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Apply a trained task to INPUT and write the result; an unknown option is answered with those of the task.

    A solution of `sciml solve` is evaluated at the points of INPUT, a mesh or a table of points, or on its own grid.
    A task that samples draws N members from the seed; others refuse -n and --seed.
    The ending of the output says how it is written: .vtu, .xdmf (a series, for ParaView), .npz, .csv.
    """
    from sciml.cli.output import cell_text, print_json
    from sciml.cli.progress import ProgressLine
    from sciml.cli.runs import find_run
    from sciml.errors import InputError
    from sciml.regular_files import regular_file
    from sciml.run_folder import check_writable
    from sciml.run_records import check_not_diverged

    path = find_run(run)
    check_not_diverged(path)
    source, options = input_and_options(source, options or [])
    options += time_option(time or [])
    options += sampling_options(members, seed)
    if source is not None and not source.exists():
        raise InputError(f"{source} does not exist.")
    if source is not None:
        regular_file(source)
    if source is not None and os.path.realpath(output) == os.path.realpath(source):
        raise InputError(f"-o {output} would replace the input; choose another name.")
    check_writable(output, (output.suffix.lower(),))
    with ProgressLine(run) as line:
        line.stage("loading the weights")
        from sciml.training.prediction import predict_file
        from sciml.training.stored import load_with_config, unfinished

        task, config = load_with_config(path, modules=module or [])
        line.stage("predicting")
        numbers = predict_file(task, source, output, options, progress=line.fraction, name=run)
    if json:
        print_json(numbers)
        return
    told = "".join(f", {name} {cell_text(value)}" for name, value in numbers.items())
    say(f"{output} written{told}")
    for remark in type(task).remarks(numbers):
        say(f"note: {remark}")
    if so_far := unfinished(task, config):
        say(f"note: {run} is {so_far}")


def time_option(times: list[str]) -> list[str]:
    """Return the times of the command line as an option of the task: one time, a list, or ``all``."""
    if not times:
        return []
    if "all" in times:
        return ["time=all"]
    return [f"time={times[0]}" if len(times) == 1 else f"time=[{', '.join(times)}]"]


def sampling_options(members: int | None, seed: int | None) -> list[str]:
    """Return ``-n`` and ``--seed`` of the command line as options of the task."""
    return [f"{name}={value}" for name, value in (("members", members), ("seed", seed)) if value is not None]


def input_and_options(source: Path | None, options: list[str]) -> tuple[Path | None, list[str]]:
    """Return the input file and the options; a first word with ``=`` is an option unless a file has that name."""
    if source is not None and "=" in str(source) and not source.exists():
        return None, [str(source), *options]
    return source, options
