"""Kernels that numba compiles once and keeps: a cache that is damaged or cannot be written is no error.

numba itself stops with a traceback if a file of its cache was cut short, and runs whatever machine code a changed one
holds. Here every file of the cache ends with its checksum. One that does not fit is compiled anew and replaced, and
without a folder that can be written each process compiles for itself.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sciml.linalg.kernels.guarded_numba import caching, njit

NOTICE = "compiling kernels (once per machine; up to a minute)"
NOTICE_WITHOUT_CACHE = "compiling kernels (up to a minute in each process: no folder for a cache can be written)"

_LOGGER = logging.getLogger("sciml.kernels")
_DIGEST = hashlib.sha256().digest_size  # bytes at the end of a file, behind what numba reads of it


class _CheckedFiles(caching.IndexDataCacheFile):
    """The index and the data of the cache of one kernel, with a checksum at the end of each file."""

    def _load_index(self) -> Any:
        return super()._load_index() if _is_whole(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not _is_whole(self._data_path(name)):
            raise OSError(f"{name} is damaged")  # which numba takes for a file that is not there
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getbuffer())
            file.write(hashlib.sha256(content.getbuffer()).digest())


class KernelCache(caching.FunctionCache):
    """The cache of one kernel.

    Parameters
    ----------
    function : the kernel in Python

    Raises
    ------
    RuntimeError
        If there is no folder for it that can be written.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _CheckedFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled kernel for a signature, None if it has to be compiled."""
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001 - numba raises whatever its parsers stumble over
            found = None
        if found is None:
            _announce(NOTICE)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compiled kernel into the cache; on a full disk the next process compiles it again."""
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk, or a folder that has been made read-only
            return


class NoCache(caching.NullCache):
    """The cache of a kernel for which no folder can be written: it keeps nothing."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Return nothing, so that the kernel is compiled."""
        _announce(NOTICE_WITHOUT_CACHE)


@cache
def _announce(notice: str) -> None:
    """Log, the first time in a process, that kernels are compiled: it takes long, and looks like a hang."""
    _LOGGER.info(notice)


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function with `numba.njit` and keeps the result for later processes.

    Parameters
    ----------
    options : of `numba.njit`, but for ``cache``
    """

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = njit(**options)(function)
        try:
            dispatcher._cache = KernelCache(function)
        except (RuntimeError, OSError):  # no folder for a cache can be written
            dispatcher._cache = NoCache()
        return dispatcher

    return compiled


def _is_whole(path: str) -> bool:
    """Return whether a file ends with the checksum of what is before."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]
