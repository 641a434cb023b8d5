"""The folder of one run: its environment, its files and its result.

``environment.json`` (versions, commit, processor, threads, command) is there from the start, ``result.json``
(``status``, ``metrics``, ``seconds``, ``seed``, ``config``, ``version``, and ``sha256`` of them) only after the run.
What else a run writes lies beside them. :class:`FolderLock` keeps a second run out.
"""

from __future__ import annotations

import errno
import json
import math
import os
import platform
import shlex
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from sciml import __version__, strict_json
from sciml.atomic import NOFOLLOW, AtomicFile, write_text
from sciml.errors import InputError
from sciml.run_records import CHECKSUM, ENVIRONMENT, RESULT, read_environment
from sciml.status import Status

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder are not kept apart there
    fcntl = None  # type: ignore[assignment]

PACKAGES = ("numpy", "scipy", "numba", "torch", "pyamg", "h5py", "meshio", "matplotlib", "tbb", "ilupp", "lightning")
LOCK = ".lock"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class RunFolder:
    """Writer of the folder of one run; the clock of the run starts when it is made.

    Parameters
    ----------
    path : the folder; it must be empty if it exists, and its parents are made
    overwrite : use a folder with files in it all the same; an old ``result.json`` is removed first
    resume : the same, for a run that goes on: ``environment.json`` keeps what it says and gains an entry in ``resumed``
    changed : values of the config that a resumed run changes, by dotted key; the entry records them

    Examples
    --------
    >>> import tempfile
    >>> run = RunFolder(Path(tempfile.mkdtemp()) / "run")
    >>> run.write_text("table.md", "| method |")
    >>> run.finish("converged", {"true_residual": 4e-7}, config={"size": 64})
    >>> sorted(path.name for path in run.path.iterdir())
    ['environment.json', 'result.json', 'table.md']
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        resume: bool = False,
        changed: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        _make_folder(self.path)
        if not (overwrite or resume) and any(file.name != LOCK for file in self.path.iterdir()):
            raise InputError(f"{self.path} is not empty, expected a new folder; choose another name, or overwrite it.")
        self.environment: dict[str, Any] = self._resumed_environment(changed or {}) if resume else environment()
        try:
            (self.path / RESULT).unlink(missing_ok=True)
            self.write_json(ENVIRONMENT, self.environment)
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        self._start = time.perf_counter()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write_text(self, name: str, text: str) -> None:
        """Write a UTF-8 text file of this name into the folder."""
        write_text(self.path / name, text)

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a JSON file of this name into the folder."""
        self.write_text(name, _json(plain(values)))

    def _resumed_environment(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        first = read_environment(self.path)
        if first is None:
            return environment()
        entry = {**environment(), **({"changed": dict(changed)} if changed else {})}
        return {**first.values, "resumed": [*first.resumed, entry]}

    def finish(
        self,
        status: Status | str,
        metrics: Mapping[str, float],
        *,
        seed: int | None = None,
        config: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Write ``result.json``, which nothing else in the package writes, at the end of a run; return what is in it.

        Parameters
        ----------
        status : how the run ended: a :class:`~sciml.status.Status` or its value, such as ``"converged"``
        metrics : values by name; the first is the headline error
        seed : of the random numbers, None where there were none
        config : what the run was asked to do
        more : further entries; ``seconds`` takes the place of the time since the folder was made
        """
        result = plain(
            {
                "status": Status(status),
                "metrics": {name: float(value) for name, value in metrics.items()},
                "seconds": time.perf_counter() - self._start,
                "seed": seed,
                "config": dict(config or {}),
                "version": __version__,
                **more,
            }
        )
        result = strict_json.sealed(result, CHECKSUM)
        write_text(self.path / RESULT, _json(result), durable=True)
        return result


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


class FolderLock:
    """A lock that keeps every other run out of a folder for the length of a ``with`` block.

    The operating system holds the lock and frees it when the process ends in whatever way, so that what a killed run
    leaves behind keeps nobody out. The file names process and host for the sentence that a second run gets.

    Parameters
    ----------
    path : the folder; it is made if it does not exist

    Raises
    ------
    InputError
        If a run is in the folder already, or the folder cannot be written.
    """

    _held: ClassVar[set[Path]] = set()  # a process never excludes itself through the operating system

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(path))  # which goes through a loop of links without an error

    def __enter__(self) -> Self:
        _make_folder(self.path)
        if self.path in self._held:
            raise InputError(f"{self.path} is in use by a run of this process; choose another folder.")
        file = self.path / LOCK
        try:
            self._descriptor = self._open(file)
        except BlockingIOError:
            raise InputError(
                f"{self.path} is in use by a run, {_holder(file)}; wait for its end, or choose another folder."
            ) from None
        except OSError as error:
            raise InputError(f"{self.path} cannot be locked: {error.strerror or error}.") from error
        self._held.add(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.discard(self.path)
        (self.path / LOCK).unlink(missing_ok=True)
        os.close(self._descriptor)

    def _open(self, file: Path) -> int:
        """Open and lock the file, and make sure that it is still the one of that name.

        A folder from elsewhere may hold a link of this name, symbolic or hard, to a file that is not to be emptied.
        """
        while True:
            if file.is_symlink():
                raise InputError(
                    f"{file} is a symbolic link to {os.readlink(file)}; remove it, and see who put it there."
                )
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | NOFOLLOW, 0o644)
            try:
                about = os.fstat(descriptor)
                if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
                    raise InputError(f"{file} is not a file of its own; remove it, and see who put it there.")
                _lock(descriptor)
                # Never opened a second time: closing any descriptor of the file would free the lock.
                if os.path.samestat(os.fstat(descriptor), file.stat()):
                    os.truncate(descriptor, 0)
                    with suppress(OSError):  # of a full disk: the words are for a sentence alone
                        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                    return descriptor
            except FileNotFoundError:  # the run before removed it between our two calls
                pass
            except (OSError, InputError):
                os.close(descriptor)
                raise
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock a file without waiting; BlockingIOError if another process has it."""
    if fcntl is None:
        return
    try:
        # Not flock: its locks live on in the forked workers of a process that was killed.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise BlockingIOError(error.errno, error.strerror) from error
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):  # a file system without locks has none
            raise


def _holder(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip() or "another process"
    except FileNotFoundError:
        return "another process"


def _make_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file, expected a folder for the run; choose another name.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error


def environment() -> dict[str, Any]:
    """Return the environment of a run: versions, commit, machine, threads and command line."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "sciml": __version__,
        **_commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def check_writable(path: str | os.PathLike[str], endings: tuple[str, ...]) -> None:
    """Refuse a file name that could not be written, before the work and not after it.

    Parameters
    ----------
    path : the file to be written
    endings : those that are known, such as ``(".npz", ".vtu")``
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise InputError(f"{path} cannot be written: its ending is {path.suffix!r}, expected {' or '.join(endings)}.")
    try:
        probe = AtomicFile(path)
        probe.part.touch()
        probe.discard()
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}; choose another place.") from error


def plain(value: Any) -> Any:
    """Return the value as JSON knows it: numpy scalars and arrays as numbers and lists, nan and infinity as null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _commit() -> dict[str, Any]:
    """Return the commit of the clone this package lies in and whether it is modified; nothing if it is installed."""
    clone = Path(__file__).resolve().parent.parent
    if not (clone / ".git").exists():
        return {}
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(clone), *words], capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "dirty": bool(changes)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
