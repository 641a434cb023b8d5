"""``sciml bench lpinn``: characteristics as networks beside finite volumes, and the same fits in a frame at rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from sciml.bench.lpinn.cases import CASES, GROUNDS, RIVALS, Case
from sciml.bench.runner import Campaign, Progress, check_names, refuse_peers
from sciml.bench.worker import Job
from sciml.training.config_files import find_config

# A job is measured again when one of these has changed since; the configs are added where they are found.
MEASURED_CODE = (
    "lpinn",
    "nets",
    "numerics",
    "domains",
    *(f"reference/{name}.py" for name in ("burgers", "conservation", "finite_volumes", "flow_maps")),
    *(f"reference/{name}.py" for name in ("pseudo_spectral", "semi_lagrangian")),
    *(f"bench/lpinn/{name}.py" for name in ("jobs", "grids", "rivals")),
)
GROUPS = {
    "convection": "waves with speeds from 30 to 1000: a correctness check, Adam, and a frame at rest",
    "diffusion": "a wave that moves and decays",
    "variable": "a speed that varies on the circle",
    "burgers": "Burgers' equation with mean speed 50, and the standard case",
    "inviscid": "Burgers' equation without viscosity, past the shock",
    "plane": "rotation, and the swirl that returns",
    "bounded": "intervals with values at their ends, and a disc",
    "rivals": "usual PINNs in a frame at rest, each with the same processor time",
    "front": "the same on the front of Burgers' equation",
    "modes": "how many modes a transported start needs, and its bandwidth in time",
}
OPTIONAL_PEERS: tuple[str, ...] = ()
OURS, GRID, RIVAL = (f"sciml.bench.lpinn.{name}:" for name in ("jobs", "grids", "rivals"))


@dataclass(frozen=True)
class Plan:
    """Seeds and efforts.

    Attributes
    ----------
    seeds : of initial weights and points
    rounds : at most, of every case; None for all that the configs have
    updates : at most, of every usual PINN; None for as many as its time allows
    quick : small
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    rounds: int | None = None
    updates: int | None = None
    quick: bool = False

    @property
    def file_name(self) -> str:
        """Where the results go: a quick run never overwrites a full one."""
        return "lpinn_quick.json" if self.quick else "lpinn.json"


QUICK = Plan(seeds=(0,), rounds=1, updates=20, quick=True)


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
    configs = {str(find_config(job["config"])) for job in known if "config" in job}
    code = (*MEASURED_CODE, *sorted(configs))
    campaign = Campaign("lpinn", Path(folder) / plan.file_name, {"plan": asdict(plan)}, known, code)
    return campaign.run([job for job in known if not only or job["group"] in only], fresh=fresh, progress=progress)


def _jobs(plan: Plan, group: str) -> Iterator[Job]:
    for case in (case for case in CASES if case.group == group):
        yield from _case_jobs(plan, case)
        yield from _classical_jobs(case)
    if group == "burgers":
        yield {
            "key": "burgers/label", "group": group, "method": "label", "kind": "published", "seed": 0, "threads": 1,
            "title": "the equation of the official code, solved exactly", "config": "lpinn/burgers_cpu",
            "function": RIVAL + "label_diffusion",
        }  # fmt: skip
    yield from _rival_jobs(plan, group)
    if group == "modes":
        for start in ("bump", "sine"):
            yield {
                "key": f"modes/{start}", "group": group, "method": start, "title": start, "kind": "reference",
                "seed": 0, "threads": 1, "function": RIVAL + "modes", "start": start,
            }  # fmt: skip


def _case_jobs(plan: Plan, case: Case) -> Iterator[Job]:
    for seed in plan.seeds:
        yield {
            "key": f"{case.group}/{case.method}/{seed}", "group": case.group, "method": case.method,
            "title": case.title, "config": f"lpinn/{case.config}", "changes": list(case.changes), "threads": 1,
            "seed": seed, "kind": "baseline" if case.fails else "ours", "rounds": plan.rounds,
            "function": OURS + "case",
        }  # fmt: skip


def _classical_jobs(case: Case) -> Iterator[Job]:
    """Who solves it without networks, each with the numbers that its resolution may be."""
    for method, title, numbers in case.classical:
        for number in numbers:
            yield {
                "key": f"{case.group}/{case.method}-{method}{number}", "group": case.group, "seed": 0, "threads": 1,
                "method": f"{case.method}-{method}{number}", "of": case.method, "kind": "classical", "number": number,
                "title": title.format(number), "config": f"lpinn/{case.config}", "changes": list(case.changes),
                "function": GRID + method,
            }  # fmt: skip


def _rival_jobs(plan: Plan, group: str) -> Iterator[Job]:
    for ground, rival in product((ground for ground in GROUNDS if ground.group == group), RIVALS):
        for seed in plan.seeds:
            yield {
                "key": f"{group}/{ground.name}-{rival.name}/{seed}", "group": group, "seed": seed, "threads": 1,
                "method": f"{ground.name}-{rival.name}", "title": rival.title, "kind": "baseline",
                "config": f"lpinn/{ground.config}", "changes": list(ground.changes), "baseline": rival.baseline,
                "settings": {**rival.settings, **rival.on.get(ground.name, {})}, "seconds": ground.seconds,
                "updates": plan.updates, "function": RIVAL + "baseline",
            }  # fmt: skip
