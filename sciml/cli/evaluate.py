"""``sciml evaluate``: the metrics of a trained task on held-out data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sciml.cli.frame import verb_app
from sciml.cli.runs import ModuleOption
from sciml.cli.streams import say

if TYPE_CHECKING:
    from sciml.training.config import Config

app = verb_app("Evaluate a trained task on held-out data.")


@app.command()
def evaluate(
    run: Annotated[
        str, typer.Argument(help="The folder of a run, one of its checkpoints, or the name of shipped weights.")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data set to evaluate on; that of the config by default.")
    ] = None,
    module: ModuleOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the metrics of a trained task, in physical units; the first is the headline error."""
    from sciml.cli.output import print_json
    from sciml.cli.progress import ProgressLine
    from sciml.cli.runs import find_run, print_metrics
    from sciml.errors import InputError
    from sciml.run_records import check_not_diverged

    folder = find_run(run)
    check_not_diverged(folder)
    if data is not None and not data.exists():
        raise InputError(f"--data {data} does not exist; check the name.")
    with ProgressLine(run) as line:
        line.stage("loading torch")
        from sciml.training.stored import measure

        line.stage("evaluating")
        found = measure(folder, data, modules=module or [], stage=line.stage)
    if json:
        print_json(found.metrics)
        return
    print_metrics(found.metrics, found.config, title=run)
    if found.samples is not None:
        say(f"means over {found.samples}{of_data(data, found.config)}")
    for note in found.notes:
        say(f"note: {note}")


def of_data(data: Path | None, config: Config) -> str:
    """Return where the samples are, in words; nothing where they are in no file."""
    given = config.values["data"] or {"init_args": {}}
    path = data or given["init_args"].get("path")
    return "" if path is None else f" of {path}"
