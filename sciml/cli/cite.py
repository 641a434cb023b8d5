"""``sciml cite``: the references of the methods that a config uses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.cli.frame import verb_app
from sciml.cli.streams import say

app = verb_app("Print the BibTeX entries of the methods that a config uses.")


@app.command()
def cite(
    config: Annotated[Path, typer.Argument(help="A config, the name of a shipped one, or the folder of a run.")],
) -> None:
    """Print the BibTeX of the method and of the optimisers of a config."""
    from sciml.cli.streams import complain
    from sciml.config_files import find_config, read_yaml
    from sciml.training.citations import keys_of, read_citations

    file = config / "config.yaml" if (config / "config.yaml").is_file() else find_config(config)
    entries = read_citations()
    keys = keys_of(read_yaml(file), str(file))
    if keys:
        say("\n\n".join(entries[key] for key in keys))
    else:  # standard output is for BibTeX
        complain(f"{file} names no reference; its key `cite` could")
