"""The jobs of ``sciml bench lpinn``: every case, its classical competitors, and standard PINNs on some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product

from sciml.bench.lpinn.cases import CASES, COMPARISONS, EULERIAN_PINNS, Case
from sciml.bench.worker import Job

GROUPS = {
    "convection": "convection at speeds from 30 to 1000: a correctness check, Adam, and the Eulerian frame",
    "diffusion": "convection and diffusion",
    "variable": "convection with variable speed on a periodic domain",
    "burgers": "Burgers' equation with mean speed 50, and the standard case",
    "inviscid": "Burgers' equation without viscosity, past the shock",
    "plane": "rotation, and the swirl that reverses",
    "bounded": "intervals with Dirichlet ends, and a disc",
    "rivals": "standard PINNs in the Eulerian frame, each with the same CPU time",
    "front": "standard PINNs on the front of Burgers' equation",
    "modes": "modes that a transported initial condition needs, and its bandwidth in time",
}
OURS, GRID, BASELINE = (f"sciml.bench.lpinn.{name}:" for name in ("jobs", "grids", "baselines"))


@dataclass(frozen=True)
class Plan:
    """The seeds and the efforts of one run of the benchmark.

    Attributes
    ----------
    seeds : of initial parameters and points
    rounds : at most, of every case; None for all that the configs have
    updates : at most, of every standard PINN; None for as many as its time allows
    quick : whether this is a quick run
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    rounds: int | None = None
    updates: int | None = None
    quick: bool = False


QUICK = Plan(seeds=(0,), rounds=1, updates=20, quick=True)


def plan_jobs(plan: Plan, _: Collection[str] = ()) -> list[Job]:
    """Return every job of the plan, in the order in which they run; there are no optional peers."""
    return [job for group in GROUPS for job in _jobs(plan, group)]


def _jobs(plan: Plan, group: str) -> Iterator[Job]:
    for case in (case for case in CASES if case.group == group):
        yield from _case_jobs(plan, case)
        yield from _classical_jobs(case)
    if group == "burgers":
        yield {
            "key": "burgers/label", "group": group, "method": "label", "kind": "published", "seed": 0, "threads": 1,
            "title": "the equation of the official code, solved exactly", "config": "lpinn/burgers_cpu",
            "function": BASELINE + "label_diffusion",
        }  # fmt: skip
    yield from _baseline_jobs(plan, group)
    if group == "modes":
        for start in ("bump", "sine"):
            yield {
                "key": f"modes/{start}", "group": group, "method": start, "title": start, "kind": "reference",
                "seed": 0, "threads": 1, "function": BASELINE + "modes", "start": start,
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
    """Return the jobs of the classical competitors of a case, at each of their resolutions."""
    for method, title, numbers in case.classical:
        for number in numbers:
            yield {
                "key": f"{case.group}/{case.method}-{method}{number}", "group": case.group, "seed": 0, "threads": 1,
                "method": f"{case.method}-{method}{number}", "of": case.method, "kind": "classical", "number": number,
                "title": title.format(number), "config": f"lpinn/{case.config}", "changes": list(case.changes),
                "function": GRID + method,
            }  # fmt: skip


def _baseline_jobs(plan: Plan, group: str) -> Iterator[Job]:
    for problem, pinn in product((problem for problem in COMPARISONS if problem.group == group), EULERIAN_PINNS):
        for seed in plan.seeds:
            yield {
                "key": f"{group}/{problem.name}-{pinn.name}/{seed}", "group": group, "seed": seed, "threads": 1,
                "method": f"{problem.name}-{pinn.name}", "title": pinn.title, "kind": "baseline",
                "config": f"lpinn/{problem.config}", "changes": list(problem.changes), "baseline": pinn.baseline,
                "settings": {**pinn.settings, **pinn.on.get(problem.name, {})}, "seconds": problem.seconds,
                "updates": plan.updates, "function": BASELINE + "baseline",
            }  # fmt: skip
