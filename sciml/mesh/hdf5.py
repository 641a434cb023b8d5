"""HDF5 files: written so that a full disk is an error and no crash, and read so that nothing lies outside the file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from sciml.atomic import AtomicFile
from sciml.errors import DataFormatError

LARGEST_RATIO = 1100  # gzip cannot make data smaller than by this factor
_CHECKS = (2, 3)  # the HDF5 filters that leave the size as it is: shuffle, fletcher32
_MOST_STEPS = 1000  # beyond the parts of a name, where soft links lead to one another


class Storage(io.RawIOBase):
    """The bytes of an HDF5 file that is being written; the first error is kept, and the library never sees one.

    The HDF5 library does not survive a write that fails, as on a full disk: it can neither close the file nor end the
    process without a crash. So what is written after the first error stays in memory, which is little, since
    :meth:`check` raises the error after the step in progress.

    Parameters
    ----------
    path : of a file that does not exist
    name : that an error gives it, such as the one that it gets when it is complete
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._error: BaseException | None = None
        self._place = self._end = 0
        self._lost: list[tuple[int, bytes]] = []
        self._file = open(path, "xb+", buffering=0)  # noqa: SIM115 - closed by close

    def check(self) -> None:
        """Raise the first error, if there was one; an `OSError` has its ``filename`` set."""
        if self._error is not None:
            if isinstance(self._error, OSError):
                self._error.filename = self._error.filename or self._name
            raise self._error

    def write(self, data: Any) -> int:
        """Write all of the data at the present place."""
        view = memoryview(data).cast("B")
        if self._error is None:
            self._try(lambda: self._write(view))
        if self._error is not None:
            self._lost.append((self._place, bytes(view)))
        self._place += len(view)
        self._end = max(self._end, self._place)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the present place, with zeros behind the end."""
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        self._try(lambda: self._read(view))
        for start, data in self._lost:
            low, high = max(start, self._place), min(start + len(data), self._place + len(view))
            if low < high:
                view[low - self._place : high - self._place] = data[low - start : high - start]
        self._place += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Give the file a size."""
        self._end = self._place if size is None else size
        if self._error is None:
            self._try(lambda: self._file.truncate(self._end))
        return self._end

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        return self._place

    def tell(self) -> int:
        """Return the place in the file."""
        return self._place

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Close the file, from which nothing is read any more."""
        self._file.close()
        super().close()

    def _write(self, view: memoryview) -> None:
        self._file.seek(self._place)
        while view:
            view = view[self._file.write(view) :]

    def _read(self, view: memoryview) -> None:
        self._file.seek(self._place)
        while view and (count := self._file.readinto(view)):
            view = view[count:]

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - Ctrl-C as well: check raises it once the library has returned
            # Its traceback would hold the frames of all callers, and with them the HDF5 file, open beyond its storage.
            self._error = self._error or error.with_traceback(None)


class NewFile:
    """An HDF5 file that appears under its name when it is complete.

    Parameters
    ----------
    path : of the file; its folder exists

    Attributes
    ----------
    file : the open `h5py.File`

    Examples
    --------
    >>> import tempfile
    >>> new = NewFile(Path(tempfile.mkdtemp()) / "a.h5")
    >>> new.file["u"] = [1.0, 2.0]
    >>> new.finish()
    >>> new.commit()
    >>> new.path.is_file()
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._atomic = AtomicFile(path)
        self.path = self._atomic.path
        self._storage = Storage(self._atomic.part, str(self.path))
        try:
            # this version of the format has checksums on its own structures too: in older ones a flipped bit can make
            # the library loop for ever
            self.file: Any = h5py.File(self._storage, "w", libver=("v110", "v110"))  # None once closed
        except BaseException:
            self._storage.close()
            self._atomic.discard()
            raise

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Give the open file for a step of the work, and raise the error of a write, which the library never sees."""
        try:
            yield self.file
        finally:
            self._storage.check()

    def finish(self) -> None:
        """Close the file, which is complete but has not got its name yet."""
        with self.writing():
            self._close()

    def commit(self) -> None:
        """Give the finished file its name."""
        self._atomic.commit()

    def abandon(self) -> None:
        """Close and remove what was written so far."""
        try:
            self._close()
        finally:
            self._atomic.discard()

    def _close(self) -> None:
        file, self.file = self.file, None
        try:
            if file is not None:
                file.close()
        finally:
            self._storage.close()


def inside(place: Any, name: str) -> Any:
    """Return the group or data set of a name, which lies wholly in the file.

    A file may point at any other file of the machine, by external links, external storage and virtual data sets. These
    are refused before anything of the other file is opened, also where a soft link leads to them. So is a data set of a
    size that the file cannot hold, before memory is taken for it.

    Parameters
    ----------
    place : open file or group
    name : of the object, its parts separated by ``/``

    Raises
    ------
    KeyError
        If there is no such object.
    DataFormatError
        If it lies in another file, or not all of it is there.
    """
    found = place.file if name.startswith("/") else place
    parts = _parts(name)
    steps = len(parts) + _MOST_STEPS  # of the whole search: few links can lead to one another in very many steps
    while parts:
        part, steps = parts.pop(), steps - 1
        if not isinstance(found, h5py.Group):
            raise KeyError(f"{name} has no {part}: what comes before it is no group")
        link = found.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink) or not steps:
            where = f"a link to another file, {link.filename}" if steps else "a loop of links, or too many of them"
            raise DataFormatError(f"{place.file.filename}: {name} is {where}; copy the values into this one.")
        if isinstance(link, h5py.SoftLink):
            found = found.file if link.path.startswith("/") else found
            parts += _parts(link.path)
            if len(parts) > steps:
                raise DataFormatError(f"{place.file.filename}: {name} is a loop of links, or too many of them.")
        else:
            found = found[part]
    if isinstance(found, h5py.Dataset):
        _check_storage(found, place.file, name)
    return found


def _parts(name: str) -> list[str]:
    """Return the parts of a name, the first one last."""
    return [part for part in reversed(name.split("/")) if part not in ("", ".")]


def _check_storage(found: Any, file: Any, name: str) -> None:
    """Refuse a data set whose values lie in another file, or not all in this one."""
    if found.external or found.is_virtual:
        raise DataFormatError(f"{file.filename}: {name} lies in another file; copy the values into this one.")
    creation = found.id.get_create_plist()
    plain = all(creation.get_filter(k)[0] in _CHECKS for k in range(creation.get_nfilters()))
    stored = min(found.id.get_storage_size(), file.id.get_filesize())
    if found.size and found.size * found.dtype.itemsize > stored * (1 if plain else LARGEST_RATIO):
        raise DataFormatError(
            f"{file.filename}: {name} has shape {found.shape}, but not all its values are there; "
            "the file is not complete."
        )


def refuse_external_links(file: Any) -> None:
    """Refuse an HDF5 file that has a link to another file anywhere: so no group is one of another file.

    Parameters
    ----------
    file : open for reading

    Raises
    ------
    DataFormatError
        The sentence names the link.
    """
    # the search ends at the first name that is returned
    found = file.id.links.visit(lambda name, info: name if info.type == h5py.h5l.TYPE_EXTERNAL else None, info=True)
    if found:
        name = os.fsdecode(found)
        raise DataFormatError(f"{file.filename}: {name} is a link to another file; copy the values into this one.")


def check_all_inside(path: Path) -> None:
    """Refuse an HDF5 file of which anything lies in another file, or not all of it is there.

    Parameters
    ----------
    path : of a file that another library will read

    Raises
    ------
    DataFormatError
        If there is such an object; the sentence names it.
    """
    with h5py.File(path, "r") as file:
        names: list[bytes] = []
        file.id.links.visit(lambda name, info: names.append(name), info=True)
        for name in names:
            inside(file, os.fsdecode(name))
