"""``sciml train``: train the task of a config."""

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

app = verb_app("Train the task of a config. Exit code 0: finished, 1: diverged, 2: wrong input, 130 or 143: stopped.")


@app.command()
def train(
    config: ConfigArgument,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes, as training.phases.0.epochs=5.")
    ] = None,
    output: OutputOption = None,
    module: ModuleOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    print_config: PrintConfigOption = False,
    json: JsonOption = False,
) -> None:
    """Train, and write checkpoints, metrics and the result into a folder."""
    run_config(
        "train",
        config,
        changes or [],
        output,
        modules=module or [],
        resume=resume,
        overwrite=overwrite,
        print_config=print_config,
        json=json,
    )
