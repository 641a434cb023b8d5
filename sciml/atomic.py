"""Write files so that a reader finds the old file or the new one, whole, and never a part of either.

Every file of the package is written under another name beside its own and renamed into place. A run that is killed in
between leaves at most a file ``NAME.*.part`` or a folder ``.NAME.*.part``, which can be deleted. The star stands for
random letters, so that two processes that write one file do not write one part: the last that ends has the file.

Nothing is written through a link. A name that is a symbolic link, a pipe or a device is refused in a sentence, and no
link can wait under the name of a part, which nobody knows before: a folder from elsewhere may hold
``metrics.csv -> ~/.profile``.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from sciml.errors import InputError
from sciml.regular_files import kind_of

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none; there, making a link takes a privilege


class AtomicFile:
    """A file that appears under its name only when it is complete.

    As a context manager it yields itself; write to :attr:`part`. On leaving the block without an error the part becomes
    ``path``, otherwise it is removed and the file at ``path`` stays as it was. A writer that stays open for long, such
    as one of HDF5, calls :meth:`commit` or :meth:`discard` itself.

    Parameters
    ----------
    path : the name of the complete file; its folder must exist
    keep_name : give the part the same file name in a temporary folder, for writers that look at the ending of the name

    Raises
    ------
    InputError
        If ``path`` is a symbolic link, a pipe, a device or a folder.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "table.md"
    >>> with AtomicFile(path) as file:
    ...     _ = file.part.write_text("| method |")
    >>> path.read_text(), file.part.exists()
    ('| method |', False)
    """

    def __init__(self, path: str | os.PathLike[str], *, keep_name: bool = False) -> None:
        self.path = check_replaceable(path)
        self._folder: Path | None = None
        if keep_name:
            folder = tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
            self._folder = Path(folder)
            self.part = self._folder / self.path.name
        else:
            self.part = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.part")

    def commit(self) -> None:
        """Give the complete file its name; a file of that name is replaced."""
        try:
            os.replace(self.part, self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written so far, if anything was."""
        self.part.unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and error.filename in (None, str(self.part), self.part):
            # A full disk does not say which file, and other errors know the part only.
            error.filename = str(self.path)
        if kind is None:
            self.commit()
        else:
            self.discard()


def check_replaceable(path: str | os.PathLike[str]) -> Path:
    """Return a path under which a file may be written: nothing is there, or a regular file that is replaced.

    Parameters
    ----------
    path : of a file; links on the way to its folder are followed

    Raises
    ------
    InputError
        If there is a symbolic link, a pipe, a device or a folder.
    """
    path = Path(path)
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # nothing there, or whoever writes it says what is wrong
        return path
    if stat.S_ISLNK(mode):
        raise InputError(
            f"{path} is a symbolic link to {os.readlink(path)}, through which nothing is written; give the name of the "
            "file itself, or remove the link."
        )
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder, expected a file name.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is {kind_of(mode)}, expected a regular file or a new name.")
    return path


def make_folder(path: Path) -> Path:
    """Make a folder inside that of a run unless it is there, and return it; a link to another folder is refused."""
    check_no_link(path)
    path.mkdir(exist_ok=True)
    return path


def check_no_link(path: Path) -> None:
    """Refuse a symbolic link in the place of a folder that files are written into and removed from."""
    if path.is_symlink():
        raise InputError(
            f"{path} is a symbolic link to {os.readlink(path)}, expected a folder of its own; remove the link."
        )


def is_full(error: BaseException | None) -> bool:
    """Return whether an error is that of a full disk, a used-up quota or a file of the largest size allowed."""
    if not isinstance(error, OSError):
        return False
    cut_short = error.errno is None and "requested and" in str(error.args)  # NumPy's tofile does not say why
    return cut_short or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def append_text(path: str | os.PathLike[str], text: str) -> None:
    """Append UTF-8 text to a file that exists; a link is not followed.

    Raises
    ------
    OSError
        If there is no such file, or it is a link or cannot be written; its ``filename`` is set.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | NOFOLLOW)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_bytes(path: str | os.PathLike[str], *pieces: bytes | memoryview, durable: bool = False) -> None:
    """Write a file atomically from pieces that follow one another.

    Parameters
    ----------
    path : the name of the file; its folder must exist
    pieces : the contents
    durable : wait until the disk has the contents before the file gets its name, so that a loss of power costs nothing

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk; its ``filename`` is set, and a file at ``path`` stays as
        it was.
    """
    with AtomicFile(path) as atomic, atomic.part.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def write_text(path: str | os.PathLike[str], text: str, *, durable: bool = False) -> None:
    """Write a UTF-8 text file atomically; ``durable`` is that of :func:`write_bytes`."""
    write_bytes(path, text.encode(), durable=durable)
