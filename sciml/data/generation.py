"""`generate`: make a data set, in parallel and in parts; what comes out depends on the seed alone.

Sample number k draws from the random stream (seed, k), so the number of jobs, the size of the parts and the machine
leave no trace in the result. Parts that are finished stay when a run is stopped, and the next run goes on from them.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

from sciml.atomic import check_no_link
from sciml.checks import whole_number
from sciml.data.formats import DatasetWriter, Description, open_dataset
from sciml.data.outputs import Output
from sciml.data.plans import Plan, plan_of
from sciml.errors import DataFormatError, InputError, MissingExtraError
from sciml.run_folder import FolderLock

SAFE_PATH = "PYTHONSAFEPATH"  # a process of Python that sees it does not import from the working directory
LARGEST_PART = 16  # trajectories: what is lost at most for each job when a run is stopped
MOST_TRAJECTORIES = 10**7  # of one call, which knows all of its parts from the start
LARGEST_SEED = 2**63 - 1  # that a file holds as a number
Progress = Callable[[int, int], None]


def generate(  # noqa: PLR0913 - one verb, whose options are keywords
    name: str,
    count: int,
    path: str | os.PathLike[str],
    *,
    options: dict[str, str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    shard: tuple[int, int] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    resume: bool = False,
) -> Description:
    """Make a data set and write it to one file, or to a folder if it is one of shot records.

    The parts are made in the folder ``path.parts``, which goes when the data set is complete. A run that was stopped
    keeps it, and the same call goes on from there. While one call makes them, another one is refused.

    Parameters
    ----------
    name : key of `sciml.data.generators.GENERATORS`
    count : number of trajectories
    path : of the file or folder
    options : of the generator, as text by name
    seed : of the random streams, from 0 to 2^63 - 1
    jobs : processes on this machine
    shard : (i, n) makes only the i-th of n equal shares, counted from 1; `convert` joins them
    executor : runs the jobs instead of local processes, such as that of a Dask or MPI cluster; its workers must see
        the folder of ``path``
    progress : called with the number of trajectories that are done and that of all
    resume : leave a data set that is complete as it is, where it would be refused otherwise

    Returns
    -------
    Description
        Of the data set.

    Examples
    --------
    On a cluster with Dask::

        with distributed.Client(scheduler) as client:
            generate("burgers", 10_000, "burgers.h5", executor=client.get_executor())

    and with MPI, under ``mpirun -n 64 python -m mpi4py.futures``::

        with mpi4py.futures.MPIPoolExecutor() as executor:
            generate("burgers", 10_000, "burgers.h5", executor=executor)
    """
    path = Path(path)
    if executor is not None and jobs != 1:
        raise InputError(f"jobs={jobs} has no effect on an executor, which has workers of its own; leave it out.")
    first, stop = _share(count, seed, jobs, shard)
    plan = plan_of(name, options, count, seed)
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it first.")
    output = plan.output(path, first, stop)
    with _folder_of_parts(path) as folder:
        if output.begin(resume=resume):
            _remove_parts(folder)  # which a kill at the very end leaves
            return open_dataset(path).description
        units = {
            (low, high): {folder / f"{start:09d}-{end:09d}.h5": (start, end) for start, end in _parts(low, high)}
            for low, high in output.units()
        }
        parts = {part: bounds for unit in units.values() for part, bounds in unit.items()}
        missing = {part: bounds for part, bounds in parts.items() if not _is_finished(part, plan, *bounds)}
        done = stop - first - sum(high - low for low, high in missing.values())
        _join_finished(output, units, missing)
        for part in _written(plan, dict(missing), jobs, executor):
            low, high = missing.pop(part)
            done += high - low
            if progress is not None:
                progress(done, stop - first)
            _join_finished(output, units, missing)
        _remove_parts(folder)
    return open_dataset(path).description


@contextmanager
def dask_executor(scheduler: str) -> Iterator[Executor]:
    """Open the executor of a Dask cluster, for :func:`generate`.

    Parameters
    ----------
    scheduler : its address, such as ``tcp://10.0.0.1:8786``

    Raises
    ------
    MissingExtraError : Dask is not installed
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("Dask is not installed; run: pip install 'sciml[dask]'") from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"there is no Dask scheduler at {scheduler}; check the address ({error}).") from error
    with client:
        yield client.get_executor()


def write_part(plan: Plan, first: int, stop: int, path: Path) -> int:
    """Make the trajectories first to stop - 1 and write them to a file; return how many they are.

    Parameters
    ----------
    plan : what to make
    first, stop : which trajectories
    path : of the file
    """
    about = plan.describe(first, stop)
    with DatasetWriter(path, about) as writer:
        for number in range(first, stop):
            writer.append(*plan.sample(number))
    return stop - first


def _share(count: int, seed: int, jobs: int, shard: tuple[int, int] | None) -> tuple[int, int]:
    """Return the first and last trajectory of this call, after a check of its arguments."""
    whole_number("the number of trajectories", count, at_least=1)
    whole_number("the seed", seed, at_least=0, at_most=LARGEST_SEED)
    whole_number("the number of jobs", jobs, at_least=1)
    number, shards = shard or (1, 1)
    if not 1 <= number <= shards <= count:
        raise InputError(
            f"a shard is i/n with i from 1 to n and n at most the {count} trajectories; got {number}/{shards}."
        )
    first, stop = (number - 1) * count // shards, number * count // shards
    if stop - first > MOST_TRAJECTORIES:
        raise InputError(
            f"one call would make {stop - first} trajectories, expected at most {MOST_TRAJECTORIES}; make shards, as "
            f"many as {-(-count // MOST_TRAJECTORIES)}."
        )
    return first, stop


@contextmanager
def _folder_of_parts(path: Path) -> Iterator[Path]:
    """Give the folder of the parts to this call alone; without parts, and nothing else in it, it goes."""
    folder = path.with_name(path.name + ".parts")
    check_no_link(folder)
    try:
        with FolderLock(folder):
            yield folder
    finally:
        with suppress(OSError):  # parts, or what else is in it, stay
            folder.rmdir()


def _parts(first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Bounds of the parts, which depend on the share alone: another number of jobs can go on with them."""
    size = max(1, min(LARGEST_PART, (stop - first) // 16))
    for low in range(first, stop, size):
        yield low, min(low + size, stop)


def _join_finished(
    output: Output, units: dict[tuple[int, int], dict[Path, tuple[int, int]]], missing: Collection[Path]
) -> None:
    """Join the units of which no part is missing, and forget them."""
    for bounds in [bounds for bounds, parts in units.items() if not any(part in missing for part in parts)]:
        output.join(*bounds, list(units.pop(bounds)))


def _is_finished(path: Path, plan: Plan, first: int, stop: int) -> bool:
    """Return True if a part exists and was made by the same plan."""
    if not path.exists():
        return False
    try:
        found = open_dataset(path).description
    except DataFormatError:
        return False
    if (found.generator, found.seed) != (plan.command, plan.seed):
        raise InputError(
            f"{path.parent} holds parts of another data set, made by {found.generator!r}, expected {plan.command!r}; "
            "remove the folder or choose another name."
        )
    return found.trajectories == stop - first


def _written(plan: Plan, parts: dict[Path, tuple[int, int]], jobs: int, executor: Executor | None) -> Iterator[Path]:
    """Write the parts, and tell the name of each when it is there."""
    if executor is not None:
        yield from _through(executor, plan, parts)
    elif jobs == 1 or len(parts) < 2:
        for part, (low, high) in parts.items():
            write_part(plan, low, high, part)
            yield part
    else:
        # a fresh process each: threads of numerical libraries do not survive a fork
        with (
            _without_modules_of_the_folder(),
            ProcessPoolExecutor(min(jobs, len(parts)), get_context("spawn"), _leave_interrupts) as pool,
        ):
            yield from _through(pool, plan, parts)


@contextmanager
def _without_modules_of_the_folder() -> Iterator[None]:
    """Keep the processes of Python that start in this context from importing what lies in the working directory."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


def _through(executor: Executor, plan: Plan, parts: dict[Path, tuple[int, int]]) -> Iterator[Path]:
    names: dict[Future[int], Path] = {
        executor.submit(write_part, plan, low, high, part.absolute()): part for part, (low, high) in parts.items()
    }
    waiting = set(names)
    try:
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                yield names[future]
    except BrokenProcessPool as error:
        raise InputError(
            "a job ended abruptly, perhaps for lack of memory; the same command goes on from the finished parts, with "
            "fewer jobs if need be."
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal: the one that waits for the jobs answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _remove_parts(folder: Path) -> None:
    """Remove the parts from their folder, and nothing else that is in it."""
    for file in folder.iterdir():
        if re.fullmatch(r"\d{9,}-\d{9,}\.h5(\.([0-9a-f]+\.)?part)?", file.name):
            file.unlink()
