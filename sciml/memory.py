"""The memory of the machine: whether what is about to be computed fits, and what an error says that found too little.

Linux hands out more memory than there is and ends a process that uses it, so what may be large is estimated before.
"""

from __future__ import annotations

import os
import re

from sciml.errors import InputError

GIBIBYTE = 2**30
UNKNOWN = 16 * GIBIBYTE  # of a system that does not tell
# Of torch, which may not be loaded here and raises a RuntimeError where memory or the numbers for its size end.
_OF_TORCH = re.compile(
    r"can't allocate memory|not enough memory|out of memory|ALLOC_FAILED|Storage size calculation overflowed|"
    r"integer multiplication overflow|Overflow when unpacking"
)


def machine_memory() -> int:
    """Return the bytes of memory of the machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return UNKNOWN


def check_memory(what: str, needed: float, remedy: str) -> None:
    """Refuse what needs more memory than the machine has.

    Parameters
    ----------
    what : with a verb, such as ``"the records of 500 maps take"``
    needed : bytes, an estimate that need not count everything
    remedy : what to do about it

    Raises
    ------
    InputError
        If it needs more.

    Examples
    --------
    >>> check_memory("the records take", 2**70, "give fewer at once")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    sciml.errors.InputError: the records take 1.1e+12 GiB of memory, expected at most the ... GiB of this machine; ...
    """
    available = machine_memory()
    if needed > available:
        raise InputError(
            f"{what} {needed / GIBIBYTE:.3g} GiB of memory, expected at most the {available / GIBIBYTE:.3g} GiB of "
            f"this machine; {remedy}."
        )


def shortage(error: BaseException) -> str | None:
    """Return what an error says about memory that could not be had, in words with a verb; None for any other error.

    Examples
    --------
    >>> shortage(MemoryError("Unable to allocate 9 TiB"))
    'needs more memory than is available (Unable to allocate 9 TiB)'
    """
    is_of_torch = isinstance(error, RuntimeError | TypeError) and _OF_TORCH.search(str(error)) is not None
    if not (isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or is_of_torch):
        return None
    asked = re.search(r"tried to allocate (\d+) bytes", str(error))  # by torch, whose words are for its developers
    detail = f"{int(asked[1]) / GIBIBYTE:.3g} GiB at once" if asked else str(error).partition("\n")[0]
    return f"needs more memory than is available{f' ({detail})' if detail else ''}"
