"""``sciml predict``: a trained task applied to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.cli.frame import verb_app

app = verb_app("Apply a trained task to a file.")


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="The folder of a run, or the name of shipped weights (`sciml list`).")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="What the task takes, such as a Poisson system.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the result.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Apply a trained task to INPUT and write the result."""
    from sciml.cli.output import cell_text, print_json
    from sciml.cli.progress import ResidualLine
    from sciml.cli.weights import find_run
    from sciml.errors import InputError
    from sciml.run_folder import check_writable

    path = find_run(run)
    if not source.is_file():
        raise InputError(f"{source} {'is a folder, expected a file' if source.exists() else 'does not exist'}.")
    if output.resolve() == source.resolve():
        raise InputError(f"-o {output} would replace the input; choose another name.")
    check_writable(output, (output.suffix.lower(),))
    with ResidualLine(run) as line:
        line.stage("loading the weights")
        from sciml.training.run import load_task

        task = load_task(path)
        line.stage("predicting")
        numbers = task.predict_file(source, output)
    if json:
        print_json(numbers)
        return
    told = "".join(f", {name} {cell_text(value)}" for name, value in numbers.items())
    print(f"{output} written{told}")
