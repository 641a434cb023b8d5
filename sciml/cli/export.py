"""``sciml export``: the weights of a run as a file for publication."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.cli.frame import verb_app
from sciml.cli.runs import ModuleOption
from sciml.cli.streams import say

app = verb_app("Export the weights of a finished run as NAME.safetensors, with a card NAME.yaml that describes them.")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="NAME.safetensors; NAME.yaml is written beside it.")],
    half: Annotated[bool, typer.Option("--half", help="Write numbers in half precision, for half the size.")] = False,
    module: ModuleOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the weights of a run (averaged ones, where it averaged them) for `evaluate`, `predict`, `precondition`."""
    from sciml.cli.output import print_json
    from sciml.cli.progress import ProgressLine
    from sciml.cli.runs import CHECKPOINT, find_run
    from sciml.errors import InputError
    from sciml.run_folder import check_writable

    folder = find_run(run)
    if folder.suffix == CHECKPOINT:
        raise InputError(f"{run} is a checkpoint, expected the folder of a run.")
    if not folder.is_dir():
        raise InputError(f"{run} is exported already, expected the folder of a run.")
    check_writable(output, (".safetensors",))
    card = output.with_suffix(".yaml")
    check_card(card)
    with ProgressLine(str(run)) as line:
        line.stage("loading torch")
        from sciml.training.run import export_weights

        line.stage("writing")
        written = export_weights(folder, output, modules=module or [], half=half)
    if json:
        about = {"weights": str(output), "card": str(card), "metrics": written.metrics, "sha256": written.sha256}
        print_json(about)
    else:
        say(f"{output} and {card} written; keep the two together")


def check_card(card: Path) -> None:
    """Refuse to write the description of weights over another file, such as the config of the run.

    Parameters
    ----------
    card : ``NAME.yaml``; nothing, or the description of the weights that are replaced
    """
    from sciml.errors import InputError
    from sciml.run_folder import check_writable
    from sciml.weights import is_card

    check_writable(card, (".yaml",))
    if card.exists() and not is_card(card):
        other = card.with_name(f"{card.stem}_weights.safetensors")
        raise InputError(
            f"{card} exists and does not describe weights, whose description would take its name; choose another, such "
            f"as -o {other}."
        )
