"""The commands that sentences propose: whoever pastes one runs ``sciml`` with exactly these words and nothing else."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from sciml.errors import InputError


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


def published(command: str) -> str:
    """Return a command as it is published: of the absolute paths of the machine that it ran on, the last parts.

    Parameters
    ----------
    command : as a shell takes it

    Raises
    ------
    InputError
        It is none, such as one with an open quotation.

    Examples
    --------
    >>> published("sciml train cgs/mutag_cpu data.init_args.path=/home/me/MUTAG.txt -o /home/me/runs/mine")
    'sciml train cgs/mutag_cpu data.init_args.path=MUTAG.txt -o mine'
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"the command {command!r} is none that a shell takes ({error}); correct it.") from None
    return shlex.join(re.sub(r"(^|=)/(?:[^/]*/)*(?=[^/])", r"\1", word) for word in words)


def _word(word: str | os.PathLike[str]) -> str:
    text = os.fspath(word)
    is_option = isinstance(word, Path) and text.startswith("-")
    return os.path.join(os.curdir, text) if is_option else text
