"""The commands that sentences propose: whoever pastes one runs ``sciml`` with exactly these words and nothing else."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def command_line(*words: str | os.PathLike[str]) -> str:
    """Return a line for a POSIX shell that runs ``sciml`` with these words.

    Parameters
    ----------
    words : verb, options and arguments; a path that begins with a dash is written from ``./``, so that it is no option

    Examples
    --------
    >>> from pathlib import Path
    >>> command_line("solve", Path("runs/a; b"), "--resume")
    "sciml solve 'runs/a; b' --resume"
    >>> command_line("evaluate", Path("-rf"))
    'sciml evaluate ./-rf'
    """
    return shlex.join(["sciml", *map(_word, words)])


def _word(word: str | os.PathLike[str]) -> str:
    text = os.fspath(word)
    is_option = isinstance(word, Path) and text.startswith("-")
    return os.path.join(os.curdir, text) if is_option else text
