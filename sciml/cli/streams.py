"""The standard streams of a command: always open, never in the way of a character, and closed without a complaint.

A shell may start a command with closed streams (``>&-``), a reader may leave early (``| head``), and a file name may
hold bytes that are no text. None of these is an error of the command.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import unicodedata

VARIABLE = "SCIML_PROGRESS"  # "off" in the environment: no progress and no notices outside of a terminal
_HIDDEN = re.compile(r"[^\n\t -~\u00a1-\u00ac\u00ae-\u02ff]")  # may be; all others are shown
_CATEGORIES = {"Cc", "Cf", "Zl", "Zp"}  # of Unicode: control, format, ends of lines and of paragraphs
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_streams() -> None:
    """Give the process the standard streams that it lacks, and let text be written that the streams cannot encode.

    The first file that a process with a closed stream opens would take the place of the stream, and what a library
    prints would go into it.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                with contextlib.suppress(OSError):
                    os.fstat(number)  # which may belong to a file that is open by now
                    number = descriptor
                if number != descriptor:
                    os.dup2(descriptor, number)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - open to the end of the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str, *, end: str = "\n", flush: bool = False) -> None:
    """Write text on standard output, with what a terminal would obey in escapes.

    Parameters
    ----------
    text : one line or several
    end : what follows
    flush : whether it is seen at once, also in a pipe
    """
    print(printable(text), end=end, flush=flush)


def report(text: str) -> None:
    """Write text on standard error, at once, as :func:`say` does."""
    print(printable(text), file=sys.stderr, flush=True)


def complain(sentence: str) -> None:
    """Write one sentence on standard error; if nobody listens there, let it be."""
    if sentence:
        with contextlib.suppress(OSError):
            report("sciml: " + " ".join(sentence.splitlines()))


def printable(text: str) -> str:
    r"""Return text with the characters in escapes that a terminal obeys or hides instead of showing them.

    These are the control characters of C0 and C1 but for tabs and line ends, with which a file could move the cursor,
    change the title of the window or fill the clipboard; the marks that reverse the order of characters and others
    without a shape; and the other ends of lines.

    Examples
    --------
    >>> printable("\x1b]0;title\x07 \u202etxt.exe")
    '\\x1b]0;title\\x07 \\u202etxt.exe'
    """
    return "".join(_escaped(character) for character in text) if _HIDDEN.search(text) else text


def one_line(text: str) -> str:
    """Return text as one line for a heading or a cell, with all ends of lines as spaces, and as :func:`printable`."""
    return printable(" ".join(text.splitlines()))


class Notices(logging.Handler):
    """A handler that writes what the library logs, as that it compiles kernels, in sentences on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one notice, above the line of the progress if there is one."""
        complain(record.getMessage())


def show_notices() -> None:
    """Show what the library logs on standard error, unless the environment asks for no progress there."""
    logger = logging.getLogger("sciml")
    if os.environ.get(VARIABLE) != "off" and not any(isinstance(each, Notices) for each in logger.handlers):
        logger.addHandler(Notices())
        logger.setLevel(logging.INFO)


def silence() -> None:
    """Let what the streams still hold go nowhere, where it cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):  # a stream of a test may have no descriptor
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escaped(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _CATEGORIES:
        return character
    return character.encode("unicode_escape").decode()
