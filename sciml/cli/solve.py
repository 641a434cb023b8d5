"""``sciml solve``: solve the case of a config, without data."""

from __future__ import annotations

from typing import Annotated

import typer

from sciml.cli.frame import verb_app
from sciml.cli.runs import (
    ConfigArgument,
    JsonOption,
    ModuleOption,
    OutputOption,
    OverwriteOption,
    PrintConfigOption,
    ResumeOption,
    run_config,
)

app = verb_app(
    "Solve the case of a config without data. Exit code 0: finished, 1: diverged, 2: wrong input, 130 or 143: stopped."
)


@app.command()
def solve(
    config: ConfigArgument,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes, as task.init_args.steps=5.")
    ] = None,
    output: OutputOption = None,
    module: ModuleOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    print_config: PrintConfigOption = False,
    json: JsonOption = False,
) -> None:
    """Solve, and write the fields, checkpoints, metrics and the result into a folder."""
    run_config(
        "solve",
        config,
        changes or [],
        output,
        modules=module or [],
        resume=resume,
        overwrite=overwrite,
        print_config=print_config,
        json=json,
    )
