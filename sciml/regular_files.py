"""Read files of unknown origin: regular ones only, and no more of them than makes sense.

A pipe without a writer, a terminal or a socket makes a reader wait for ever, and ``/dev/zero`` fills the memory. All
readers of the package open with :func:`open_regular`, or take the contents from :func:`read_bytes` or
:func:`read_text`; where another library opens a file by its name, :func:`regular_file` is asked first.

>>> regular_file("/dev/null")
Traceback (most recent call last):
sciml.errors.InputError: /dev/null is a device, expected a regular file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from sciml.errors import InputError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_NONBLOCK = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # the latter is that of Windows


def kind_of(mode: int) -> str:
    """Return what a file is that is no regular one, in words, from its ``st_mode``."""
    return _KINDS.get(stat.S_IFMT(mode), "a special file")


def regular_file(path: str | os.PathLike[str], error: type[Exception] = InputError) -> Path:
    """Return the path of a regular file; links are followed.

    Parameters
    ----------
    path : of the file
    error : the class of the error

    Raises
    ------
    error
        If it is a folder, a pipe, a device or a socket.
    OSError
        If it does not exist or cannot be reached.
    """
    _check(path, os.stat(path).st_mode, error)
    return Path(path)


def open_regular(path: str | os.PathLike[str], error: type[Exception] = InputError) -> BinaryIO:
    """Open a regular file for reading bytes; what is opened is what is checked, whoever replaces the file meanwhile.

    Parameters
    ----------
    path : of the file
    error : the class of the error

    Raises
    ------
    error
        If it is a folder, a pipe, a device or a socket.
    OSError
        If it does not exist or cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | _NONBLOCK)
    try:
        _check(path, os.fstat(descriptor).st_mode, error)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: str | os.PathLike[str], largest: int | None = None, error: type[Exception] = InputError) -> bytes:
    """Return the contents of a regular file, as many bytes as it has when it is opened.

    Parameters
    ----------
    path : of the file; ``/dev/stdin`` and ``/dev/fd/N`` may be pipes if ``largest`` is given
    largest : number of bytes that make sense, None for no limit but the memory
    error : the class of the error

    Raises
    ------
    error
        If it is not a regular file, or larger.
    OSError
        If it does not exist or cannot be read.
    """
    if largest is not None and _is_ours(path) and stat.S_ISFIFO(os.stat(path).st_mode):
        with open(path, "rb") as file:
            content = file.read(largest + 1)
    else:
        with open_regular(path, error) as file:
            size = os.fstat(file.fileno()).st_size
            # No further: what is appended meanwhile is not ours to read, and a file of /proc may have no end.
            content = file.read(size if largest is None else min(size, largest + 1))
    if largest is not None and len(content) > largest:
        raise error(f"{path} is larger than {largest} bytes, which makes no sense here; check the name.")
    return content


def read_text(path: str | os.PathLike[str], largest: int | None = None, error: type[Exception] = InputError) -> str:
    """Return the contents of a regular UTF-8 file, with the line ends of this system as ``\\n``; see `read_bytes`."""
    return read_bytes(path, largest, error).decode().replace("\r\n", "\n").replace("\r", "\n")


def _check(path: str | os.PathLike[str], mode: int, error: type[Exception]) -> None:
    if not stat.S_ISREG(mode):
        raise error(f"{path} is {kind_of(mode)}, expected a regular file.")


def _is_ours(path: str | os.PathLike[str]) -> bool:
    """Return whether a name is that of a stream which this process was started with, as in ``cat FILE | sciml ...``."""
    name = os.fspath(path)
    return name == "/dev/stdin" or name.startswith(("/dev/fd/", "/proc/self/fd/"))
