"""The measurements of ``sciml bench poisson``. A job is a dict; so is its result, ready for JSON."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.bench.linear_systems import System, true_residual
from sciml.bench.measure import extra_memory, interleave, load_average, timed
from sciml.bench.poisson.peers import PEERS, run_peer
from sciml.bench.worker import Job

if TYPE_CHECKING:
    from sciml.linalg import VoxelPoisson

RTOL, TIGHT_RTOL = 1e-6, 1e-10
WARM_UP_SIZE = 32
# Keeps the white noise of b independent of the geometry of the same seed.
NOISE_SEED = 1000


def iterations(job: Job) -> dict[str, Any]:
    """Count the iterations of our multigrid to 1e-6, for white noise and for a smooth source."""
    from sciml.linalg import MultigridPreconditioner, solve

    problem, white, smooth = _problem(job)
    preconditioner = MultigridPreconditioner(problem)
    result: dict[str, Any] = {"unknowns": problem.unknowns}
    for name, b in (("white", white), ("smooth", smooth)):
        answer = solve(problem, b, preconditioner=preconditioner, rtol=RTOL)
        result |= {name: answer.iterations, f"{name}_residual": answer.true_residual, f"{name}_status": answer.status}
    return result


def compare(job: Job) -> dict[str, Any]:
    """Measure solvers in turn on one system; ``job["solvers"]`` maps each to its number of runs.

    With ``job["again"]`` each solves twice. The result has the median of each measurement per solver, and the runs.
    """
    system, smooth, assembly = _system(job)
    available = {name: count for name, count in job["solvers"].items() if PEERS[name].installed}
    for name in available:
        _warm_up(name, job["case"])
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in available}
    for name in interleave(available):
        again = smooth if job.get("again") else None
        runs[name].append(run_peer(PEERS[name], system, RTOL, again, busy=job.get("busy", False)))
    return {
        "unknowns": system.problem.unknowns,
        "matrix_seconds": assembly,
        "load": load_average(),
        "solvers": {name: median_run(each) for name, each in runs.items()},
        "runs": runs,
        "not_installed": sorted(set(job["solvers"]) - set(available)),
    }


def hypre(job: Job) -> dict[str, Any]:
    """Measure our multigrid and hypre's PFMG and BoomerAMG in turn; hypre runs in processes of its own."""
    from sciml.bench.poisson.hypre import SOLVERS, run_hypre

    system, _, _ = _system(job)
    _warm_up("multigrid", job["case"])
    ours = [run_peer(PEERS["multigrid"], system, RTOL)]
    solvers: dict[str, Any] = {}
    for name in SOLVERS:
        solvers |= {name: run_hypre(system.problem, system.b, RTOL, solvers=(name,))[0]}
        ours.append(run_peer(PEERS["multigrid"], system, RTOL))
    return {
        "unknowns": system.problem.unknowns,
        "load": load_average(),
        "solvers": {"multigrid": median_run(ours), **solvers},
        "runs": {"multigrid": ours},
    }


def memory(job: Job) -> dict[str, Any]:
    """Measure the peak memory of a solver beyond problem, matrix and right-hand side, in a process of its own."""
    system, _, _ = _system(job)
    peer = PEERS[job["solver"]]
    _warm_up(job["solver"], job["case"])
    b = system.b[system.problem.fluid] if peer.flat else system.b

    def solve() -> tuple[Any, Any]:
        prepared = peer.prepare(system)
        return prepared, prepared(b, RTOL)

    return {"unknowns": system.problem.unknowns, **extra_memory(solve)}


def large(job: Job) -> dict[str, Any]:
    """Measure set-up and solve of our multigrid in seconds, and the peak memory of the whole process."""
    system, _, _ = _system(job, with_matrix=False)
    _warm_up("multigrid", job["case"])
    run: dict[str, Any] = {}
    used = extra_memory(lambda: run.update(run_peer(PEERS["multigrid"], system, RTOL)))
    return {"unknowns": system.problem.unknowns, "load": load_average(), **run, **used}


def accuracy(job: Job) -> dict[str, Any]:
    """Measure the true residual at rtol 1e-10 with the float32 preconditioner."""
    from sciml.linalg import solve

    problem, white, _ = _problem(job)
    answer = solve(problem, white, method="multigrid", rtol=TIGHT_RTOL)
    residual = true_residual(System(problem, None, white), answer.x)
    return {"iterations": answer.iterations, "status": answer.status, "true_residual": residual}


def sabotage(job: Job) -> dict[str, Any]:
    """Count the iterations with useless preconditioners, and those of plain conjugate gradients."""
    from sciml.linalg import solve

    problem, white, _ = _problem(job)
    plain = solve(problem, white, method="cg", rtol=RTOL)
    result: dict[str, Any] = {"cg": plain.iterations, "preconditioners": {}}
    for name, preconditioner in _saboteurs(job["seed"]).items():
        answer = solve(problem, white, preconditioner=preconditioner, rtol=RTOL)
        result["preconditioners"][name] = {
            "iterations": answer.iterations,
            "status": answer.status,
            "true_residual": answer.true_residual,
        }
    return result


def compilation(job: Job) -> dict[str, Any]:
    """Measure the first and the second solve in seconds, in a process that finds no compiled kernels."""
    problem, white, _ = _problem(job)
    system = System(problem, None, white)
    seconds = [timed(lambda: run_peer(PEERS["multigrid"], system, RTOL))[1] for _ in range(2)]
    return {"first_seconds": seconds[0], "second_seconds": seconds[1]}


def median_run(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every measurement; iterations are those of the median run."""
    return {name: statistics.median_low(run[name] for run in runs) for name in runs[0]}


def _problem(job: Job) -> tuple[VoxelPoisson, np.ndarray, np.ndarray]:
    """Return the problem, a white-noise right-hand side and a smooth one."""
    from sciml.linalg import VoxelPoisson
    from sciml.reference.poisson_cases import poisson_case

    case = poisson_case(job["case"], job["size"], job["seed"])
    problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
    white = case.right_hand_side("white", NOISE_SEED + job["seed"])
    return problem, white, case.right_hand_side("smooth")


def _system(job: Job, *, with_matrix: bool = True) -> tuple[System, np.ndarray, float]:
    """Return the system, another right-hand side, and the seconds that the assembly of the matrix took."""
    if "cpus" in job and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-job["cpus"] :])
    problem, white, smooth = _problem(job)
    matrix, seconds, _ = timed(problem.to_csr) if with_matrix else (None, 0.0, 0.0)
    return System(problem, matrix, white), smooth, seconds


@cache
def _warm_up(solver: str, case: str) -> None:
    """Load what the solver needs and compile its kernels, on a small system of the same kind."""
    system, _, _ = _system({"case": case, "size": WARM_UP_SIZE, "seed": 0})
    run_peer(PEERS[solver], system, RTOL)


def _saboteurs(seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    random = np.random.default_rng(seed)
    return {
        "nan": lambda r: np.full_like(r, np.nan),
        "-r": lambda r: -r,
        "0": lambda r: np.zeros_like(r),
        "random": lambda r: random.standard_normal(r.shape),
    }
