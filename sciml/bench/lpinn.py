"""``sciml bench lpinn``: characteristics as networks beside finite volumes, and the same fits in a frame at rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sciml.bench.runner import Campaign, Progress, check_names, refuse_peers
from sciml.bench.worker import Job
from sciml.training.config_files import find_config

# A job is measured again when one of these has changed since; the configs are added where they are found.
MEASURED_CODE = (
    "lpinn",
    "nets",
    "numerics",
    *(f"pde/{name}.py" for name in ("burgers", "conservation", "finite_volumes", "flow_maps", "sampling")),
    "bench/lpinn_jobs.py",
)
GROUPS = {
    "convection": "a wave with speed 50: a correctness check, Adam, and a frame at rest",
    "diffusion": "a wave that moves and decays",
    "variable": "a speed that varies on the circle",
    "burgers": "Burgers' equation with mean speed 50, and the standard case",
    "inviscid": "Burgers' equation without viscosity, past the shock",
    "plane": "rotation, and the swirl that returns",
}
OPTIONAL_PEERS: tuple[str, ...] = ()
MODULE = "sciml.bench.lpinn_jobs:"
CELLS = (256, 1024)  # of finite volumes
_TASK = "task.init_args"


@dataclass(frozen=True)
class Case:
    """A config, with changes.

    Attributes
    ----------
    group, method, title : where it stands in the tables
    config, changes : what is solved, and how
    baseline : whether it is there to be compared with
    """

    group: str
    method: str
    title: str
    config: str
    changes: tuple[str, ...] = ()
    baseline: bool = False


CASES = (
    Case("convection", "lpinn", "convection, speed 50, Lagrangian", "convection_cpu"),
    Case("convection", "adam", "convection, speed 50, Lagrangian, Adam", "convection_adam_cpu"),
    Case("convection", "eulerian", "convection, speed 50, Eulerian", "convection_eulerian_cpu", baseline=True),
    Case("diffusion", "strong", "convection and diffusion, viscosity 0.1", "convection_diffusion_cpu"),
    Case("diffusion", "weak", "convection and diffusion, viscosity 0.01", "convection_diffusion_cpu",
         (f"{_TASK}.problem.init_args.viscosity=0.01",)),
    Case("variable", "lpinn", "speed 1 + sin(x) / 2, T = 2 pi", "variable_convection_cpu"),
    Case("burgers", "fast", "Burgers, mean 50, viscosity 0.01", "burgers_cpu"),
    Case("burgers", "standard", "Burgers, viscosity 0.01 / pi", "burgers_standard_cpu"),
    Case("inviscid", "lpinn", "Burgers without viscosity, t = 2, least action", "inviscid_burgers_cpu"),
    Case("plane", "rotation", "rotation, one revolution", "rotation_cpu"),
    Case("plane", "swirl", "swirl, to the largest deformation", "swirl_cpu",
         (f"{_TASK}.problem.init_args.duration=0.75", f"{_TASK}.slabs=6")),
    Case("plane", "reversal", "swirl, there and back", "swirl_cpu"),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Seeds and efforts.

    Attributes
    ----------
    seeds : of initial weights and points
    rounds : at most, of every case; None for all that the configs have
    quick : small
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    rounds: int | None = None
    quick: bool = False

    @property
    def file_name(self) -> str:
        """Where the results go: a quick run never overwrites a full one."""
        return "lpinn_quick.json" if self.quick else "lpinn.json"


QUICK = Plan(seeds=(0,), rounds=1, quick=True)


def plan_jobs(plan: Plan) -> list[Job]:
    """Every job of the plan, in the order in which they run."""
    return [job for group in GROUPS for job in _jobs(plan, group)]


def run(
    folder: Path,
    plan: Plan | None = None,
    *,
    only: Sequence[str] = (),
    peers: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Measure, and write the raw results into ``folder`` after every job; parameters and result as in ``poisson.run``.

    Raises
    ------
    InputError
        Wrong names; optional peers, of which there are none.
    """
    plan = plan or Plan()
    check_names(only, GROUPS, "group")
    refuse_peers("lpinn", peers)
    known = plan_jobs(plan)
    configs = {str(find_config(job["config"])) for job in known}
    code = (*MEASURED_CODE, *sorted(configs))
    campaign = Campaign("lpinn", Path(folder) / plan.file_name, {"plan": asdict(plan)}, known, code)
    return campaign.run([job for job in known if not only or job["group"] in only], fresh=fresh, progress=progress)


def _jobs(plan: Plan, group: str) -> Iterator[Job]:
    for case in (case for case in CASES if case.group == group):
        job = {"group": group, "config": f"lpinn/{case.config}", "changes": list(case.changes), "threads": 1}
        for seed in plan.seeds:
            yield {
                **job, "key": f"{group}/{case.method}/{seed}", "method": case.method, "title": case.title, "seed": seed,
                "kind": "baseline" if case.baseline else "ours", "function": MODULE + "case", "rounds": plan.rounds,
            }  # fmt: skip
        if group == "plane" or case.baseline or case.method == "adam":
            continue
        for cells in CELLS:
            yield {
                **job, "key": f"{group}/{case.method}-weno{cells}", "method": f"{case.method}-weno{cells}", "seed": 0,
                "title": f"finite volumes (WENO5), {cells} cells", "kind": "classical", "cells": cells,
                "function": MODULE + "finite_volumes",
            }  # fmt: skip
