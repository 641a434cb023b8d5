"""Write files so that a reader finds the old file or the new one, whole, and never a part of either.

Every file of the package is written under another name beside its own and renamed into place. A run that is killed in
between leaves at most a file ``NAME.part`` or ``NAME.PID.part``, or a folder ``.NAME.*.part``, which can be deleted.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class AtomicFile:
    """A file that appears under its name only when it is complete.

    As a context manager it yields itself; write to :attr:`part`. On leaving the block without an error the part becomes
    ``path``, otherwise it is removed and the file at ``path`` stays as it was. A writer that stays open for long, such
    as one of HDF5, calls :meth:`commit` or :meth:`discard` itself.

    Parameters
    ----------
    path : the name of the complete file; its folder must exist
    unique : put the process id into the name of the part, for files that several processes may write at once
    keep_name : give the part the same file name in a temporary folder, for writers that look at the ending of the name

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "table.md"
    >>> with AtomicFile(path) as file:
    ...     _ = file.part.write_text("| method |")
    >>> path.read_text(), file.part.exists()
    ('| method |', False)
    """

    def __init__(self, path: str | os.PathLike[str], *, unique: bool = False, keep_name: bool = False) -> None:
        self.path = Path(path)
        self._folder: Path | None = None
        if keep_name:
            folder = tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
            self._folder = Path(folder)
            self.part = self._folder / self.path.name
        else:
            mark = f".{os.getpid()}" if unique else ""
            self.part = self.path.with_name(f"{self.path.name}{mark}.part")

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
        if kind is None:
            self.commit()
        else:
            self.discard()


def write_bytes(
    path: str | os.PathLike[str], *pieces: bytes | memoryview, durable: bool = False, unique: bool = False
) -> None:
    """Write a file atomically from pieces that follow one another.

    Parameters
    ----------
    path : the name of the file; its folder must exist
    pieces : the contents
    durable : wait until the disk has the contents before the file gets its name, so that a loss of power costs nothing
    unique : put the process id into the temporary name, for files that several processes may write at once

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk; its ``filename`` is set, and a file at ``path`` stays as
        it was.
    """
    with AtomicFile(path, unique=unique) as atomic:
        try:
            with atomic.part.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            error.filename = error.filename or str(path)  # a full disk does not say which file
            raise


def write_text(path: str | os.PathLike[str], text: str, *, durable: bool = False, unique: bool = False) -> None:
    """Write a UTF-8 text file atomically; the options are those of :func:`write_bytes`."""
    write_bytes(path, text.encode(), durable=durable, unique=unique)
