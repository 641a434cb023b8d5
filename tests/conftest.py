"""What all tests share."""

from __future__ import annotations

import itertools
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Several workers share the cores: one thread each, unless the caller says otherwise. Set before numpy is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# How long an example takes says something of the machine and nothing of the code, and a run of the suite that fails
# fails again: new examples are looked for with SCIML_HYPOTHESIS=search.
settings.register_profile("sciml", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("sciml"), derandomize=False)
settings.load_profile(os.environ.get("SCIML_HYPOTHESIS", "sciml"))

# Lines of progress come after some seconds, and how long a program takes says something of the machine.
os.environ["SCIML_PROGRESS"] = "off"

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """A suite that was started in the background ignores Ctrl-C, and so would the programs that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def seeded_draws() -> None:
    """Start each test from the same random state, in whatever order and on however many workers the suite runs."""
    seed = int(os.environ.get("SCIML_TEST_SEED", "0"))
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@pytest.fixture
def in_process(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run ``sciml`` with some words in this process; return exit code, standard output and standard error."""
    from sciml.cli import main

    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(map(str, words)))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    yield call
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def ticking_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the CPU time of this process go on by 0.01 s at each reading and not otherwise, for budgets in seconds."""
    readings = itertools.count()
    monkeypatch.setattr(time, "process_time", lambda: 0.01 * next(readings))


@pytest.fixture
def small_files() -> Iterator[Callable[[int | None], None]]:
    """Let no file of this process grow beyond a number of bytes, as on a full disk, until it is called with None."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before if size is None else (size, before[1]))

    yield limit
    limit(None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder with large reference data, which is not part of the repository; without it the test is skipped."""
    folder = Path(os.environ.get("SCIML_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; set SCIML_REFERENCE_DATA to the folder that holds them")
    return folder
