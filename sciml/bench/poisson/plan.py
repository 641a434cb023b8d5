"""The jobs of ``sciml bench poisson``: iterations, times, memory and robustness, ours and of classical solvers."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sciml.bench.poisson.jobs import RTOL
from sciml.bench.poisson.peers import PYAMG
from sciml.bench.worker import Job

JOBS = "sciml.bench.poisson.jobs:"
GROUPS = {
    "iterations": "iterations on every case",
    "times": "wall time beside PyAMG, IC(0) and plain CG, one thread",
    "box": "the box, where the fast transform wins",
    "memory": "peak memory beside PyAMG",
    "large": "a large system on two threads",
    "threads": "two threads against one",
    "accuracy": "rtol 1e-10",
    "sabotage": "useless preconditioners",
    "compile": "time to compile the kernels, once per machine",
    "hypre": "wall time beside hypre's PFMG and BoomerAMG, one thread (with --peers hypre)",
}


@dataclass(frozen=True)
class Plan:
    """The sizes, in cells per axis, the seeds and the repetitions of one run of the benchmark."""

    small: int = 64
    medium: int = 128
    large: int = 256
    seeds: tuple[int, ...] = (100, 101, 102)
    jump_seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    repetitions: int = 3
    quick: bool = False


QUICK = Plan(small=32, medium=64, large=96, seeds=(100,), jump_seeds=(100, 101, 102), quick=True)


def plan_jobs(plan: Plan, peers: Collection[str] = ()) -> list[Job]:
    """Return every job of the plan, in the order in which they run."""
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
