"""Measure the jobs of a benchmark one after the other, save after each, go on where an earlier run stopped."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import sciml
from sciml.bench.results import read_results
from sciml.bench.worker import Job, run_jobs
from sciml.errors import InputError
from sciml.run_folder import check_writable, environment, plain

# Measurements of another machine or of other libraries are not mixed with new ones.
MACHINE = ("python", "packages", "processor", "cores")
# What decides about speed in a folder of the package: code, trained weights and what describes them.
MEASURED_ENDINGS = (".py", ".safetensors", ".yaml")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Campaign:
    """Jobs whose results go into one file.

    Attributes
    ----------
    name : of the benchmark
    path : JSON file that takes the results; its folder is made if it is not there
    header : what is written beside ``name``, ``environment`` and ``jobs``: the plan, the tolerance
    jobs : all that belong to the plan; results of others are dropped from the file
    measured_code : files and folders of the package; a job is measured again when one of them has changed since
    """

    name: str
    path: Path
    header: dict[str, Any]
    jobs: Sequence[Job]
    measured_code: tuple[str, ...]

    def run(self, wanted: Sequence[Job], *, fresh: bool = False, progress: Progress = lambda _: None) -> dict[str, Any]:
        """Measure the wanted jobs, all again if ``fresh``; return what was written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        check_writable(self.path, (".json",))
        origin = environment()
        package = Path(sciml.__file__).parent
        code = fingerprint(package, self.measured_code)
        done, own = self._earlier(origin), {}
        results = {"name": self.name, "environment": origin, **plain(self.header), "jobs": done}
        todo = [job for job in wanted if fresh or done.get(job["key"], {}).get("code") != code]
        stamp = {"code": code, "commit": origin.get("commit"), "dirty": is_changed(package)}
        total, start = len(todo), perf_counter()
        progress(f"{total} measurements to do, {len(wanted) - total} done before")
        for number, (job, result) in enumerate(_measured(todo), start=1):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            own[job["key"]] = {**job, **stamp, "finished": now, **result}
            # What another run, of other groups, has written meanwhile stays.
            results["jobs"] = self._in_order(self._earlier(origin) | own)
            _write(self.path, results)
            progress(f"[{number}/{total}] {job['key']}, {perf_counter() - start:.0f} s")
        if not todo:
            _write(self.path, results)
        return results

    def _earlier(self, origin: dict[str, Any]) -> dict[str, Any]:
        """Jobs of this plan from an earlier run into the same file, on the same machine with the same libraries."""
        if not self.path.exists():
            return {}
        earlier = read_results(self.path, self.name)
        if any(earlier["environment"].get(name) != origin[name] for name in MACHINE):
            return {}
        return self._in_order(earlier["jobs"])

    def _in_order(self, done: dict[str, Any]) -> dict[str, Any]:
        """Results of this plan in its order, whatever was measured first."""
        return {job["key"]: done[job["key"]] for job in self.jobs if job["key"] in done}


def refuse_peers(benchmark: str, peers: Sequence[str]) -> None:
    """Refuse optional peers for a benchmark that has none."""
    if peers:
        raise InputError(f"'sciml bench {benchmark}' has no optional peers, got {', '.join(peers)}; leave them out.")


def check_names(names: Collection[str], known: Collection[str], what: str) -> None:
    """Raise an InputError about the first name that is not known."""
    for name in names:
        if name not in known:
            raise InputError(f"there is no {what} {name!r} in this benchmark, expected one of {', '.join(known)}.")


def fingerprint(root: Path, names: Sequence[str]) -> str:
    """Digest of the code whose speed is measured: files and folders under ``root``, the folder of the package."""
    digest = hashlib.sha256()
    for name in names:
        files = [root / name]
        if files[0].is_dir():
            files = sorted(path for path in files[0].rglob("*") if path.suffix in MEASURED_ENDINGS)
        for path in files:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def is_changed(package: Path) -> bool | None:
    """Whether tracked files of the package differ from the commit; None where there is no clone.

    The whole clone would not do: the results themselves may be tracked, and they change while a run goes on.
    """
    command = ["git", "-C", str(package), "status", "--porcelain", "--untracked-files=no", "--", "."]
    try:
        return bool(subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout)
    except (OSError, subprocess.SubprocessError):
        return None


def _measured(jobs: list[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Each job with its result; neighbours with the same needs share a process."""

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


def _write(path: Path, results: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # another run may write the same file
    part.write_text(json.dumps(plain(results), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)
