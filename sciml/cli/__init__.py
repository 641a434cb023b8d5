"""The command line: one file per verb, each loaded only when it is called; :mod:`sciml.cli.frame` lists the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command ``sciml`` and end the process with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``sciml``; by default those of the process.

    Raises
    ------
    SystemExit
        Always: 0 success, 1 failed, diverged or a full disk, 2 wrong usage or input, 130 interrupted, 141 the reader of
        standard output has gone, 143 terminated.
    """
    from sciml.cli.frame import run

    run(arguments)
