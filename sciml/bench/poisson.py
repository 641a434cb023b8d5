"""``sciml bench poisson``: iterations, times, memory and robustness of our multigrid beside classical solvers."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import sciml
from sciml.bench.peers import PYAMG
from sciml.bench.poisson_jobs import RTOL
from sciml.bench.results import read_results
from sciml.bench.worker import Job, run_jobs
from sciml.errors import InputError
from sciml.run_folder import check_writable, environment, plain

JOBS = "sciml.bench.poisson_jobs:"
# A job is measured again when one of these files has changed since.
MEASURED_CODE = ("linalg", "pde/poisson_cases.py", *(f"bench/{n}.py" for n in ("measure", "peers", "poisson_jobs")))
GROUPS = {
    "iterations": "iterations on every case",
    "times": "seconds beside PyAMG, IC(0) and plain CG, one thread",
    "box": "the box, where the fast transform wins",
    "memory": "peak memory beside PyAMG",
    "large": "a large system on two threads",
    "threads": "two threads against one",
    "accuracy": "rtol 1e-10",
    "sabotage": "useless preconditioners",
    "compile": "seconds that compiling the kernels takes, once per machine",
    "hypre": "seconds beside hypre's PFMG and BoomerAMG, one thread (with --peers hypre)",
}
OPTIONAL_PEERS = ("hypre",)
# Measurements of another machine or of other libraries are not mixed with new ones.
MACHINE = ("python", "packages", "processor", "cores")


@dataclass(frozen=True)
class Plan:
    """Sizes and seeds: iterations at ``small`` and ``medium`` cells per axis, all else as the fields say."""

    small: int = 64
    medium: int = 128
    large: int = 256
    seeds: tuple[int, ...] = (100, 101, 102)
    jump_seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    repetitions: int = 3
    quick: bool = False

    @property
    def file_name(self) -> str:
        """Where the results go: a quick run never overwrites a full one."""
        return "poisson_quick.json" if self.quick else "poisson.json"


QUICK = Plan(small=32, medium=64, large=96, seeds=(100,), jump_seeds=(100, 101, 102), quick=True)


def plan_jobs(plan: Plan, peers: Collection[str] = ()) -> list[Job]:
    """Every job of the plan, in the order in which they run."""
    jobs = [*_iteration_jobs(plan), *_time_jobs(plan)]
    box: dict[str, Any] = {"case": "box", "size": plan.medium, "cpus": 1}
    for seed in plan.seeds:
        solvers = {"transform": plan.repetitions, "multigrid": plan.repetitions}
        # Once is enough to see where they stand, and they take most of the time.
        solvers |= {"sa": 1, "rs": 1, "cg": 1} if seed == plan.seeds[0] else {}
        jobs.append(_job("box", "compare", seed=seed, solvers=solvers, **box))
    mixed: dict[str, Any] = {"case": "mixed", "size": plan.medium, "seed": plan.seeds[0]}
    jobs += [_job("memory", "memory", solver=name, alone=True, **mixed) for name in ("multigrid", *PYAMG)]
    for seed in plan.seeds:
        jobs.append(_job("large", "large", case="mixed", size=plan.large, seed=seed, threads=2, alone=True))
    for seed, threads in itertools.product(plan.seeds, (1, 2)):
        solvers = {"multigrid": plan.repetitions}
        job = _job("threads", "compare", threads=threads, solvers=solvers, busy=True, **mixed | {"seed": seed})
        jobs.append(job)
    for case, seed in itertools.product(("mixed", "smoke", "box", "walls", "jumps"), plan.seeds):
        jobs.append(_job("accuracy", "accuracy", case=case, size=plan.medium, seed=seed))
    for seed in plan.seeds:
        jobs.append(_job("sabotage", "sabotage", case="mixed", size=plan.small, seed=seed))
    if not plan.quick:
        jobs.append(_job("compile", "compilation", case="jumps", size=32, seed=0, alone=True, empty_cache=True))
    if "hypre" in peers:
        for case, seed in itertools.product(("mixed", "smoke", "walls", "jumps"), plan.seeds):
            jobs.append(_job("hypre", "hypre", case=case, size=plan.medium, seed=seed))
    return jobs


def run(
    folder: Path,
    plan: Plan | None = None,
    *,
    only: Sequence[str] = (),
    peers: Sequence[str] = (),
    fresh: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure, and write the raw results into ``folder`` after every job.

    Parameters
    ----------
    folder : made if it is not there
    plan : sizes and seeds; the full one by default
    only : some of :data:`GROUPS`; all by default
    peers : optional peers to measure beside us: ``"hypre"``
    fresh : measure again what an earlier run has measured with the same code on the same machine
    progress : called with a line about each job that starts

    Returns
    -------
    dict
        What was written: ``environment``, ``plan``, ``rtol`` and ``jobs``, the results by key.
    """
    plan = plan or Plan()
    _check_names(only, GROUPS, "group")
    _check_names(peers, OPTIONAL_PEERS, "optional peer")
    rivals = {*peers, *(name for name in only if name in OPTIONAL_PEERS)}
    if "hypre" in rivals:
        from sciml.bench.hypre import build_pfmg, find_petsc_python

        build_pfmg()
        find_petsc_python()
    wanted = [job for job in plan_jobs(plan, rivals) if not only or job["group"] in only]
    path = Path(folder) / plan.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path, (".json",))
    origin = environment()
    package = Path(sciml.__file__).parent
    code = fingerprint(package)
    results = {
        "name": "poisson",
        "environment": origin,
        "plan": plain(asdict(plan)),
        "rtol": RTOL,
        "jobs": _earlier(path, plan, origin),
    }
    done = results["jobs"]
    todo = [job for job in wanted if fresh or done.get(job["key"], {}).get("code") != code]
    stamp = {"code": code, "commit": origin.get("commit"), "dirty": is_changed(package)}
    total, start = len(todo), perf_counter()
    progress(f"{total} measurements to do, {len(wanted) - total} done before")
    for number, (job, result) in enumerate(_measured(todo), start=1):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        done[job["key"]] = {**job, **stamp, "finished": now, **result}
        _write(path, results)
        progress(f"[{number}/{total}] {job['key']}, {perf_counter() - start:.0f} s")
    if not todo:
        _write(path, results)
    return results


def _job(group: str, function: str, *, threads: int = 1, **parameters: Any) -> Job:
    parts = (parameters.get(name) for name in ("solver", "case", "size", "seed"))
    key = "/".join(str(part) for part in (group, *parts, f"{threads}t") if part is not None)
    return {"key": key, "group": group, "function": JOBS + function, "threads": threads, "rtol": RTOL, **parameters}


def _iteration_jobs(plan: Plan) -> Iterator[Job]:
    for size in (plan.small, plan.medium):
        for case in ("mixed", "smoke", "box", "walls", "jumps"):
            for seed in plan.jump_seeds if case == "jumps" else plan.seeds:
                yield _job("iterations", "iterations", case=case, size=size, seed=seed)


def _time_jobs(plan: Plan) -> Iterator[Job]:
    for case, seed in itertools.product(("mixed", "smoke", "walls", "jumps"), plan.seeds):
        solvers = {"multigrid": plan.repetitions, "sa": 1, "rs": 1}
        solvers |= {"ic0": 1, "cg": 1} if seed == plan.seeds[0] else {}
        again = case in ("mixed", "smoke")
        yield _job("times", "compare", case=case, size=plan.medium, seed=seed, solvers=solvers, again=again)


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


def fingerprint(root: Path) -> str:
    """Digest of the code whose speed is measured; ``root`` is the folder of the package."""
    digest = hashlib.sha256()
    for name in MEASURED_CODE:
        for path in sorted((root / name).rglob("*.py")) if (root / name).is_dir() else [root / name]:
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


def _earlier(path: Path, plan: Plan, origin: dict[str, Any]) -> dict[str, Any]:
    """Jobs of this plan from an earlier run into the same folder, on the same machine with the same libraries."""
    if not path.exists():
        return {}
    earlier = read_results(path)
    if any(earlier["environment"].get(name) != origin[name] for name in MACHINE):
        return {}
    known = {job["key"] for job in plan_jobs(plan, OPTIONAL_PEERS)}
    return {key: job for key, job in earlier["jobs"].items() if key in known}


def _write(path: Path, results: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(plain(results), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def _check_names(names: Collection[str], known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"there is no {what} {name!r} in this benchmark, expected one of {', '.join(known)}.")
