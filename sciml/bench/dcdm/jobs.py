"""The measurements of ``sciml bench dcdm``. A job is a dict; so is its result, ready for JSON."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.bench.dcdm.solvers import Contender, contender, timed_solve
from sciml.bench.linear_systems import System
from sciml.bench.measure import load_average, timed
from sciml.bench.worker import Job

if TYPE_CHECKING:
    from sciml.linalg import VoxelPoisson

KINDS = ("white", "ritz", "smooth")
WARM_UP_SIZE = 32
# Far from the seeds of training; twice and three times it for Ritz-like sums and for the place of the source.
NOISE_SEED = 1000
RITZ_VECTORS = 100
LOSS_DRAWS = 8


def compare(job: Job) -> dict[str, Any]:
    """Measure solvers in turn on one geometry: each is set up once and solves for every kind of right-hand side.

    ``job["solvers"]`` names the solvers, ``job["kinds"]`` the right-hand sides, ``job["limit"]`` the seconds of one
    solve.
    """
    problem, right = _problem(job)
    matrix, assembly = None, 0.0
    if any(contender(name).assembled for name in job["solvers"]):
        matrix, assembly, _ = timed(problem.to_csr)
    result: dict[str, Any] = {"unknowns": problem.unknowns, "matrix_seconds": assembly, "load": load_average()}
    solvers: dict[str, Any] = {}
    for name in job["solvers"]:
        peer = contender(name)
        if not peer.installed:
            continue
        _warm_up(name, job["dimension"], job["case"])
        solvers[name] = _measure(peer, System(problem, matrix, right["white"]), right, job["limit"])
    return result | {"solvers": solvers, "not_installed": sorted(set(job["solvers"]) - set(solvers))}


def network(job: Job) -> dict[str, Any]:
    """Count the parameters of a network, and measure its loss on held-out Ritz-like right-hand sides.

    The loss is the mean of |r - alpha A f(r)|^2 over unit r, alpha = f(r) . r / f(r) . A f(r), here in NumPy and
    float64, independent of the code that trains.
    """
    import torch

    from sciml.dcdm import DeepConjugateDirections

    solver = DeepConjugateDirections.from_weights(job["weights"])
    losses = []
    problem, _ = _problem(job | {"kinds": []})
    (direction,) = solver.directions(problem, scales=1)
    for r in ritz_like(problem, job["seed"], LOSS_DRAWS):
        q = direction(torch.as_tensor(r)).numpy()
        image = problem.matvec(q)
        losses.append(float(np.sum((r - np.vdot(q, r) / np.vdot(q, image) * image) ** 2)))
    parameters = sum(parameter.numel() for parameter in solver.network.parameters())
    return {"parameters": parameters, "loss": float(np.mean(losses)), "losses": losses}


def ritz_like(problem: VoxelPoisson, seed: int, count: int = 1) -> list[np.ndarray]:
    """Return unit right-hand sides made of Ritz vectors like those of training, float64, from independent draws."""
    from sciml.dcdm.ritz import BoxDraws, RitzDraws
    from sciml.numerics.random import generator

    plain = problem.constant and problem.outside is not None and bool(problem.fluid.all())
    draws = BoxDraws(problem) if plain else RitzDraws(problem, RITZ_VECTORS, seed=seed)
    batch = draws.draw(count, generator(2 * NOISE_SEED + seed))
    return [each[0].numpy().astype(np.float64) for each in batch]


def smooth_source(problem: VoxelPoisson, seed: int) -> np.ndarray:
    """Return exp(-60 |x - x_0|^2) on the fluid, where x_0 is a random point of the inner part of the unit box."""
    place = np.random.default_rng(3 * NOISE_SEED + seed).uniform(0.2, 0.8, problem.fluid.ndim)
    axes = [(np.arange(extent) + 0.5) / extent for extent in problem.shape]
    distance = sum((x - at) ** 2 for x, at in zip(np.meshgrid(*axes, indexing="ij", sparse=True), place, strict=True))
    return np.where(problem.fluid, np.exp(-60.0 * distance), 0.0)


def _problem(job: Job) -> tuple[VoxelPoisson, dict[str, np.ndarray]]:
    """Return the problem and its right-hand sides by kind."""
    from sciml.linalg import VoxelPoisson
    from sciml.reference.poisson_cases import poisson_case

    case = poisson_case(job["case"], job["size"], job["seed"], job["dimension"])
    problem = VoxelPoisson.from_cells(
        case.cells, coefficient=case.coefficient, spacing=job.get("spacing"), outside=case.outside
    )
    makers = {
        "white": lambda: case.right_hand_side("white", NOISE_SEED + job["seed"]),
        "ritz": lambda: ritz_like(problem, job["seed"])[0],
        "smooth": lambda: smooth_source(problem, job["seed"]),
    }
    return problem, {kind: case.compatible(makers[kind]()) for kind in job.get("kinds", ("white",))}


def _measure(peer: Contender, system: System, right: dict[str, np.ndarray], limit: float) -> dict[str, Any]:
    solve, seconds, _ = timed(lambda: peer.setup(system))
    return {
        "title": peer.title,
        "setup_seconds": seconds,
        "kinds": {kind: timed_solve(solve, system, b, limit) for kind, b in right.items()},
    }


@cache
def _warm_up(solver: str, dimension: int, case: str) -> None:
    """Load what the solver needs and compile its kernels, on a small system of the same kind."""
    problem, right = _problem({"case": case, "size": WARM_UP_SIZE, "seed": 0, "dimension": dimension})
    _measure(contender(solver), System(problem, problem.to_csr(), right["white"]), right, 10.0)
