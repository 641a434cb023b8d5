"""The jobs of ``sciml bench dcdm``: every solver on every family of systems, and the losses of the networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sciml.bench.dcdm.jobs import KINDS
from sciml.bench.dcdm.solvers import RTOLS
from sciml.bench.worker import Job

JOBS = "sciml.bench.dcdm.jobs:"
GROUPS = {
    "plane": "2-D, all right-hand sides",
    "cube": "3-D, all right-hand sides at the smallest size",
    "large": "3-D, the largest size, white noise",
    "multigrid": "classical and learned multigrid on every family",
    "anisotropic": "couplings of 1:100 along the axes",
    "networks": "parameters and loss of the networks",
}
TRAINED, UNSEEN = "box", "spheres"
FAR = ("mixed", "walls", "jumps")
CASES = (TRAINED, UNSEEN, *FAR)
CLASSICAL = ("cg", "deflated", "ic0", "sa", "rs")
MULTIGRID = ("multigrid", "learned")
ABLATION = (*MULTIGRID, "relaxed")
VARIABLE = ("blocks", "lognormal")
ANISOTROPIC = ("mixed", "jumps")
# Couplings go with 1 / spacing^2.
STRETCH = 10.0


@dataclass(frozen=True)
class Plan:
    """The sizes, seeds and time limits of one run of the benchmark.

    Attributes
    ----------
    plane, cube : cells per axis in 2-D and in 3-D
    large : cells per axis of the largest systems in 3-D, 0 for none
    multigrid : sizes at which classical and learned multigrid are compared, in 3-D
    seeds, jump_seeds : of geometry and right-hand side, and those of learned multigrid on jumps
    limit, large_limit : seconds of wall time that one solve may take, in general and on the largest systems
    quick : whether this is a quick run
    """

    plane: tuple[int, ...] = (64, 128)
    cube: tuple[int, ...] = (32, 64)
    large: int = 128
    multigrid: tuple[int, ...] = (64, 128)
    seeds: tuple[int, ...] = (100, 101, 102)
    jump_seeds: tuple[int, ...] = tuple(range(100, 110))
    limit: float = 30.0
    large_limit: float = 90.0
    quick: bool = False


QUICK = Plan(plane=(64,), cube=(32,), large=0, multigrid=(32,), seeds=(100,), jump_seeds=(100,), limit=10.0, quick=True)


def networks() -> dict[str, dict[str, Any]]:
    """Return the shipped networks by name, with ``dimension`` and ``size`` of their training."""
    from sciml.dcdm import shipped

    return {name: about for name, about in shipped().items() if about["method"] == "dcdm"}


def plan_jobs(plan: Plan, weights: dict[str, dict[str, Any]]) -> list[Job]:
    """Return every job of the plan, in the order in which they run; ``weights`` as :func:`networks` returns them."""
    names = {d: [name for name, about in weights.items() if about["dimension"] == d] for d in (2, 3)}
    return [
        *_grid_jobs("plane", 2, plan.plane, plan, names[2]),
        *_grid_jobs("cube", 3, plan.cube, plan, names[3]),
        *_large_jobs(plan, names[3]),
        *_multigrid_jobs(plan),
        *_anisotropic_jobs(plan),
        *_network_jobs(plan, weights),
    ]


def header() -> dict[str, Any]:
    """Return tolerances and networks, which stand beside the plan in the results."""
    weights = networks()
    about = {name: {key: values[key] for key in ("dimension", "size")} for name, values in weights.items()}
    return {"rtol": list(RTOLS), "networks": about}


def _job(group: str, function: str, case: str, size: int, seed: int, **parameters: Any) -> Job:
    parts = (group, parameters.get("weights"), f"{parameters['dimension']}d", case, size, seed)
    key = "/".join(str(part) for part in parts if part is not None)
    return {
        "key": key, "group": group, "function": JOBS + function, "threads": 1,
        "case": case, "size": size, "seed": seed, **parameters,
    }  # fmt: skip


def _compare(group: str, case: str, size: int, seed: int, solvers: Sequence[str], **parameters: Any) -> Job:
    return _job(group, "compare", case, size, seed, solvers=list(solvers), **parameters)


def _grid_jobs(group: str, dimension: int, sizes: Sequence[int], plan: Plan, names: list[str]) -> Iterator[Job]:
    """Return the jobs of every case at every size.

    Above the first size in 3-D a network takes a second per iteration, so that only white noise is solved for, and only
    one seed of the cases that are far from those of training.
    """
    for size in sizes:
        full = dimension == 2 or size == sizes[0]
        for seed in plan.seeds:
            for case in CASES:
                nets = [f"dcdm:{name}" for name in names] if full or case not in FAR or seed == plan.seeds[0] else []
                nets += [f"published:{name}" for name in names] if full and seed == plan.seeds[0] else []
                kinds = list(KINDS) if full else ["white"]
                options = {"dimension": dimension, "kinds": kinds, "limit": plan.limit}
                yield _compare(group, case, size, seed, (*MULTIGRID, *CLASSICAL, *nets), **options)


def _large_jobs(plan: Plan, names: list[str]) -> Iterator[Job]:
    """Return the jobs of the largest systems, once each; plain and deflated CG are left out where slowest."""
    if not plan.large:
        return
    for case in (TRAINED, UNSEEN, "jumps"):
        slow = () if case == "jumps" else ("cg",) if case == UNSEEN else ("cg", "deflated")
        nets = [f"dcdm:{name}" for name in names] if case == TRAINED else []
        solvers = (*MULTIGRID, *slow, "ic0", "sa", "rs", *nets)
        options = {"dimension": 3, "kinds": ["white"], "limit": plan.large_limit}
        yield _compare("large", case, plan.large, plan.seeds[0], solvers, **options)


def _multigrid_jobs(plan: Plan) -> Iterator[Job]:
    for size in plan.multigrid:
        for case in (*CASES, *VARIABLE, "smoke"):
            for seed in plan.jump_seeds if case == "jumps" else plan.seeds:
                options = {"dimension": 3, "kinds": ["white"], "limit": plan.limit}
                yield _compare("multigrid", case, size, seed, ABLATION, **options)


def _anisotropic_jobs(plan: Plan) -> Iterator[Job]:
    for dimension, sizes in ((2, plan.plane[-1:]), (3, plan.cube[-1:])):
        for size, case in product(sizes, ANISOTROPIC):
            for seed in plan.seeds:
                spacing = [1.0] * (dimension - 1) + [STRETCH]
                options = {"dimension": dimension, "kinds": ["white"], "limit": plan.limit, "spacing": spacing}
                yield _compare("anisotropic", case, size, seed, (*MULTIGRID, "cg", "ic0", "sa", "rs"), **options)


def _network_jobs(plan: Plan, weights: dict[str, dict[str, Any]]) -> Iterator[Job]:
    for name, about in weights.items():
        dimension = about["dimension"]
        size = min(about["size"], max(plan.plane if dimension == 2 else plan.cube))
        for case in CASES:
            yield _job("networks", "network", case, size, plan.seeds[0], dimension=dimension, weights=name)
