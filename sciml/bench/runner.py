"""Measure the jobs of a benchmark one after the other, save after each, and resume where an earlier run stopped."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import sciml
from sciml import strict_json
from sciml.atomic import write_text
from sciml.bench.benchmark import Benchmark
from sciml.bench.provenance import code_digest, is_changed, same_machine
from sciml.bench.results import CHECKSUM, Raw, read_results
from sciml.bench.worker import Job, run_jobs
from sciml.commands import published
from sciml.run_folder import check_writable, environment, plain

Progress = Callable[[str], None]
LABELS = frozenset({"title", "kind"})  # of a job: what tables call it, and nothing that is measured


def run_benchmark(
    benchmark: Benchmark,
    folder: Path,
    plan: Any = None,
    *,
    only: Sequence[str] = (),
    peers: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress = lambda _: None,
) -> Raw:
    """Measure a benchmark, and write the raw results into a folder after every job.

    Parameters
    ----------
    benchmark : to be measured
    folder : made if it does not exist
    plan : of the benchmark, the full one by default
    only : groups of jobs, all by default
    peers : optional peers to be measured too
    fresh : measure again what an earlier run has measured with the same code on the same machine
    progress : called with a line about each job that is done

    Returns
    -------
    dict
        What was written: ``name``, ``environment``, ``plan`` and what else the benchmark has in its header, and
        ``jobs``, the results by key.

    Raises
    ------
    InputError
        A group or a peer is not known, or a peer is not installed.
    """
    plan = benchmark.plan if plan is None else plan
    wanted_peers = benchmark.peers_for(only, peers)
    for peer in sorted(wanted_peers):
        benchmark.require_peer(peer)
    known = benchmark.jobs(plan, tuple(benchmark.optional_peers))
    wanted = [job for job in benchmark.jobs(plan, wanted_peers) if not only or job["group"] in only]
    path = Path(folder) / benchmark.file_name(plan)
    run = BenchmarkRun(benchmark.name, path, {"plan": asdict(plan), **benchmark.header()}, known, benchmark.code(known))
    return run.measure(wanted, fresh=fresh, progress=progress)


@dataclass(frozen=True)
class BenchmarkRun:
    """One run of a benchmark, whose results go into one file.

    Attributes
    ----------
    name : of the benchmark
    path : JSON file that takes the results; its folder is made if it is not there
    header : entries beside ``name``, ``environment`` and ``jobs``: the plan, the tolerance
    jobs : all jobs of the plan; results of others are dropped from the file
    measured_code : files and folders of the package; a job is measured again when one of them, or a setting of the job,
        has changed
    """

    name: str
    path: Path
    header: dict[str, Any]
    jobs: Sequence[Job]
    measured_code: tuple[str, ...]

    def measure(self, wanted: Sequence[Job], *, fresh: bool = False, progress: Progress = lambda _: None) -> Raw:
        """Measure the wanted jobs, all again if ``fresh``; return what was written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        check_writable(self.path, (".json",))
        origin = environment()
        origin["command"] = published(origin["command"])
        package = Path(sciml.__file__).parent
        code = code_digest(package, self.measured_code)
        done, own = self._earlier(origin), {}
        results = {"name": self.name, "environment": origin, **plain(self.header), "jobs": done}
        todo = [job for job in wanted if fresh or not _measures(done.get(job["key"], {}), job, code)]
        stamp = {"code": code, "commit": origin.get("commit"), "dirty": is_changed(package)}
        total, start = len(todo), perf_counter()
        progress(f"{total} measurements to do, {len(wanted) - total} done before")
        for number, (job, result) in enumerate(_measured(todo), start=1):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            own[job["key"]] = {**job, **stamp, "finished": now, **result}
            # Results that another run, of other groups, has written meanwhile are kept.
            results["jobs"] = self._in_order(self._earlier(origin) | own)
            _write(self.path, results)
            progress(f"[{number}/{total}] {job['key']}, {perf_counter() - start:.0f} s")
        if not todo:
            _write(self.path, results)
        return results

    def _earlier(self, origin: dict[str, Any]) -> dict[str, Any]:
        """Return the jobs of this plan from an earlier run into the same file, on the same machine and libraries."""
        if not self.path.exists():
            return {}
        earlier = read_results(self.path, self.name)
        if not same_machine(earlier["environment"], origin):
            return {}
        return self._in_order(earlier["jobs"])

    def _in_order(self, done: dict[str, Any]) -> dict[str, Any]:
        """Return the results of this plan in its order, whatever was measured first."""
        return {job["key"]: done[job["key"]] for job in self.jobs if job["key"] in done}


def _measures(done: Mapping[str, Any], job: Job, code: str) -> bool:
    """Return whether an earlier result is that of this job by this code; names in tables may differ."""
    return done.get("code") == code and all(done.get(key) == plain(job[key]) for key in job.keys() - LABELS)


def _measured(jobs: list[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield each job with its result; consecutive jobs with the same needs share a process."""

    def process(numbered: tuple[int, Job]) -> tuple[Any, ...]:
        number, job = numbered
        return job["group"], job["threads"], number if job.get("alone") else None

    by_key = {job["key"]: job for job in jobs}
    for (_, threads, _), numbered in itertools.groupby(enumerate(jobs), key=process):
        batch = [job for _, job in numbered]
        with tempfile.TemporaryDirectory(prefix="sciml-bench-") as cache:
            variables = {"NUMBA_CACHE_DIR": cache} if batch[0].get("empty_cache") else {}
            for key, result in run_jobs(batch, threads, variables):
                yield by_key[key], result


def _write(path: Path, results: Raw) -> None:
    """Write the results with a checksum of the jobs; another run may write the same file at the same time."""
    sealed = strict_json.sealed(plain(results), CHECKSUM, "jobs")
    results[CHECKSUM] = sealed[CHECKSUM]
    write_text(path, json.dumps(sealed, indent=1, allow_nan=False) + "\n")
