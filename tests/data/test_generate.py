"""Generated files depend on the seed alone: not on jobs, shards, executors or on having been stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

from sciml.data import convert, generate, open_dataset
from sciml.data.generation import Plan, dask_executor, write_part
from sciml.data.generators import Heat, Poisson
from sciml.errors import InputError

SMALL = {"size": "16", "dimension": "1", "steps": "3"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """40 trajectories made in one go."""
    path = tmp_path_factory.mktemp("whole") / "heat.h5"
    generate("heat", 40, path, options=SMALL, seed=3)
    return path


def test_sample_number_k_is_a_function_of_seed_and_k(whole: Path) -> None:
    with open_dataset(whole) as data:
        for number in (0, 7, 39):
            expected = Heat(16, 1, 3).sample(np.random.default_rng([3, number]))[0]["u"].astype(np.float32)
            assert np.array_equal(data.read("u", number), expected)


def test_two_processes_write_the_bytes_that_one_writes(whole: Path, tmp_path: Path) -> None:
    generate("heat", 40, tmp_path / "two.h5", options=SMALL, seed=3, jobs=2)
    assert (tmp_path / "two.h5").read_bytes() == whole.read_bytes()
    generate("heat", 40, tmp_path / "other.h5", options=SMALL, seed=4)
    assert (tmp_path / "other.h5").read_bytes() != whole.read_bytes()


def test_smoke_has_the_same_bytes_from_two_processes_and_after_a_stop(tmp_path: Path) -> None:
    """Its loops are compiled and its transforms are of SciPy: neither may depend on the process."""
    options = {"cells": "16", "steps": "3", "warm_up": "2"}
    generate("smoke", 6, tmp_path / "one.h5", options=options, seed=3)

    def stop(done: int, _: int) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate("smoke", 6, tmp_path / "stopped.h5", options=options, seed=3, progress=stop)
    generate("smoke", 6, tmp_path / "stopped.h5", options=options, seed=3, jobs=2)
    assert (tmp_path / "stopped.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


@pytest.mark.parametrize("shards", [1, 3, 40])
def test_shards_join_to_the_bytes_of_the_whole_in_any_order(whole: Path, tmp_path: Path, shards: int) -> None:
    paths = [tmp_path / f"shard{number}.h5" for number in range(1, shards + 1)]
    for number, path in enumerate(paths, start=1):
        about = generate("heat", 40, path, options=SMALL, seed=3, shard=(number, shards))
        assert (about.part is None) == (shards == 1)
    if shards == 1:
        assert paths[0].read_bytes() == whole.read_bytes()
        return
    convert(paths[::-1], tmp_path / "joined.h5")
    assert (tmp_path / "joined.h5").read_bytes() == whole.read_bytes()
    for wrong in (paths[:1] + paths[2:], [*paths, paths[0]], [paths[0], whole]):
        with pytest.raises(InputError):
            convert(wrong, tmp_path / "wrong.h5")
    assert convert(paths[:2], tmp_path / "some.h5").part == (0, open_dataset(paths[1]).description.part[1], 40)


def test_any_executor_runs_the_jobs(whole: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with ThreadPoolExecutor(3) as executor:
        generate(
            "heat",
            40,
            tmp_path / "a.h5",
            options=SMALL,
            seed=3,
            executor=executor,
            progress=lambda done, total: seen.append((done, total)),
        )
    assert (tmp_path / "a.h5").read_bytes() == whole.read_bytes()
    assert seen[-1] == (40, 40) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_threads_of_the_solver_leave_no_trace(tmp_path: Path) -> None:
    before, fields = numba.get_num_threads(), []
    try:
        for threads in {1, min(2, numba.config.NUMBA_NUM_THREADS)}:
            numba.set_num_threads(threads)
            fields.append(Poisson(size=32, dimension=3).sample(np.random.default_rng([0, 0]))[0]["p"])
    finally:
        numba.set_num_threads(before)
    assert all(np.array_equal(fields[0], field) for field in fields)


class Stopped(Exception):
    """In place of a crash."""


def test_a_run_that_was_stopped_goes_on_from_its_finished_parts(whole: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(done: int, total: int) -> None:
        if done >= total / 2:
            raise Stopped

    path = tmp_path / "heat.h5"
    with pytest.raises(Stopped):
        generate("heat", 40, path, options=SMALL, seed=3, progress=stop)
    assert not path.exists()
    finished = {part.name: part.stat().st_mtime_ns for part in (tmp_path / "heat.h5.parts").iterdir()}
    assert len(finished) == 10
    made = []

    def counted(plan: Plan, first: int, stop: int, part: Path) -> int:
        made.append(first)
        return write_part(plan, first, stop, part)

    monkeypatch.setattr("sciml.data.generation.write_part", counted)
    generate("heat", 40, path, options=SMALL, seed=3)
    assert len(made) == 10 and path.read_bytes() == whole.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["heat.h5"]


KILLED = """
import os, signal
from sciml.data import generate, generation
made, write_part = [], generation.write_part
def killed(plan, first, stop, part):
    if len(made) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(part)
    return write_part(plan, first, stop, part)
generation.write_part = killed
generate("heat", 40, "heat.h5", options={"size": "16", "dimension": "1", "steps": "3"}, seed=0)
"""


def test_a_process_that_is_killed_leaves_parts_to_go_on_from(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    assert child.returncode == -signal.SIGKILL
    parts = tmp_path / "heat.h5.parts"
    finished = list(parts.glob("*.h5"))
    assert len(finished) == 3 and not (tmp_path / "heat.h5").exists()
    for part in finished:  # each that has its name is complete
        with open_dataset(part) as data:
            first = data.description.part[0]
            expected = Heat(16, 1, 3).sample(np.random.default_rng([0, first]))[0]["u"].astype(np.float32)
            assert np.array_equal(data.read("u", 0), expected)


def test_a_second_call_for_the_same_file_is_refused_while_the_first_makes_it(whole: Path, tmp_path: Path) -> None:
    path, refused = tmp_path / "heat.h5", []

    def intrude(done: int, total: int) -> None:
        if not refused:
            with pytest.raises(InputError, match=r"heat\.h5\.parts is in use by a run") as found:
                generate("heat", 40, path, options=SMALL, seed=3)
            refused.append(found.value)

    generate("heat", 40, path, options=SMALL, seed=3, progress=intrude)
    assert refused and path.read_bytes() == whole.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["heat.h5"]


def test_a_sample_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    options = {"size": "16", "steps": "2", "resolution": "16", "viscosity": "1e-6", "duration": "0.1"}
    with pytest.raises(InputError, match="of its enstrophy in the smallest scales"):
        generate("vorticity", 1, tmp_path / "flow.h5", options=options)
    assert list(tmp_path.iterdir()) == []


def test_parts_of_another_data_set_are_refused_and_damaged_ones_made_anew(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "heat.h5"
    folder = tmp_path / "heat.h5.parts"
    folder.mkdir()
    first = folder / "000000000-000000002.h5"
    write_part(Plan("heat", Heat(16, 1, 3), 40, 4), 0, 2, first)
    with pytest.raises(InputError, match="another data set"):
        generate("heat", 40, path, options=SMALL, seed=3)
    content = first.read_bytes()
    first.write_bytes(content[: len(content) // 2])
    (folder / "000000002-000000004.h5.1f3a9c2e.part").write_bytes(content[:100])  # a process was killed here
    generate("heat", 40, path, options=SMALL, seed=3)
    assert path.read_bytes() == whole.read_bytes() and not folder.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"count": 10**15},
        {"seed": -1},
        {"seed": 2**63},
        {"jobs": 0},
        {"shard": (0, 2)},
        {"shard": (3, 2)},
        {"shard": (1, 50)},
        {"name": "weather"},
        {"options": {"size": "big"}},
        {"path": "missing/heat.h5"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(tmp_path: Path, wrong: dict) -> None:
    given = {"name": "heat", "count": 40, "path": "heat.h5", **wrong}
    with pytest.raises(InputError):
        generate(given.pop("name"), given.pop("count"), tmp_path / given.pop("path"), **given)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_not_overwritten(whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(InputError, match="exists"):
        generate("heat", 40, whole, options=SMALL)
    assert whole.read_bytes() == before


@pytest.mark.dask
def test_a_dask_cluster_writes_the_bytes_that_one_process_writes(whole: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is optional: pip install 'sciml[dask]'")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            generate("heat", 40, tmp_path / "a.h5", options=SMALL, seed=3, executor=client.get_executor())
        with dask_executor(cluster.scheduler_address) as executor:
            generate("heat", 40, tmp_path / "b.h5", options=SMALL, seed=3, executor=executor)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes() == whole.read_bytes()
