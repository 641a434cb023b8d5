"""The jobs of ``sciml bench insr``: every case by our networks and by their competitors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sciml.bench.insr.variants import ABLATION, ADVECTION_GRIDS, BURGERS_GRIDS, FLOW_GRIDS, TENSION_ELEMENTS
from sciml.bench.worker import Job

GROUPS = {
    "metric": "the grids of the paper, which fix the definition of its errors",
    "jets": "derivatives by jets beside nested automatic differentiation",
    "advection": "a pulse in 1-D beside grids, splines and Fourier modes",
    "pinn": "a PINN on the pulse (with --peers deepxde)",
    "adam": "least squares against tuned Adam, five steps",
    "taylor_green": "the steady Taylor-Green vortices",
    "euler": "an unsteady Euler flow",
    "vortices": "two vortices of different size",
    "burgers": "Burgers' equation",
    "high_dimension": "a pulse in two, three and five dimensions",
    "tension": "a square stretched to twice its length, beside finite elements",
    "drop": "an elastic ball that falls on a plane",
    "ablation": "basis, boundary, time-stepping scheme and optimiser, one at a time",
}
ADVECTION, MIDPOINT = "insr/advection_1d_cpu", "insr/advection_1d_midpoint_cpu"
BURGERS, TENSION, DROP = "insr/burgers_1d_cpu", "insr/tension_2d_cpu", "insr/drop_3d_cpu"
FLOWS = {"taylor_green": "insr/taylor_green_cpu", "euler": "insr/euler_cpu", "vortices": "insr/two_vortices_cpu"}
# Cells per axis of the sine series, which has two thirds as many modes; 0 for the memory of the network.
SINES = {"taylor_green": (13, 0), "euler": (28, 0), "vortices": (72, 0)}
DIMENSIONS = (2, 3, 5)
PAPER_NODES = (901, 7001)
# The numbers of the paper by group: error, time, memory. They stand beside ours in the tables.
PAPER = {
    "advection": "3.0e-3, 5.33 GPU h, 3.52 kB",
    "taylor_green": "3.35e-4, 14.02 GPU h, 25.9 kB",
    "tension": "8.82e-2 (grid 1.99e-1)",
}
MODULE = "sciml.bench.insr."


@dataclass(frozen=True)
class Plan:
    """The seeds and the efforts of one run of the benchmark.

    Attributes
    ----------
    seeds : of initial parameters and points
    steps : at most, of every case; None for all that the configs have
    ablation_steps : of the ablation
    adam_steps, longer : steps on which Adam is compared, and how many of its settings get ten times the time
    seconds : CPU time for the refined grid and the PINN, about that of the network
    more_time : how many times as much one more PINN has
    jet_calls : of derivatives, in each repetition
    cells, vortex_cells : of the references of flows, along each axis
    body_steps : of elastic bodies, at most
    element_seconds : CPU time for refined finite elements, about that of the network
    quick : whether this is a quick run
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int | None = None
    ablation_steps: int = 30
    adam_steps: int = 5
    longer: int = 1
    seconds: float = 25.0
    more_time: int = 10
    jet_calls: int = 10
    cells: int = 128
    vortex_cells: int = 256
    body_steps: int | None = None
    element_seconds: float = 8.0
    quick: bool = False


QUICK = Plan(
    seeds=(0,),
    steps=4,
    ablation_steps=2,
    adam_steps=2,
    longer=0,
    seconds=1.0,
    more_time=2,
    jet_calls=2,
    cells=64,
    vortex_cells=96,
    body_steps=1,
    element_seconds=1.0,
    quick=True,
)


def plan_jobs(plan: Plan, peers: Collection[str] = ()) -> list[Job]:
    """Return every job of the plan, in the order in which they run."""
    return [
        *_metric_jobs(plan),
        _jet_job(plan),
        *_advection_jobs(plan),
        *(_pinn_jobs(plan) if "deepxde" in peers else ()),
        *_adam_jobs(plan),
        *_flow_jobs(plan),
        *_burgers_jobs(plan),
        *_dimension_jobs(plan),
        *_body_jobs(plan),
        *_ablation_jobs(plan),
    ]


def _job(group: str, method: str, function: str, title: str, config: str, seed: int = 0, **parameters: Any) -> Job:
    """Return a job, by default of the classical kind."""
    return {
        "key": f"{group}/{method}/{seed}", "group": group, "function": MODULE + function, "threads": 1,
        "method": method, "title": title, "kind": "classical", "config": config, "seed": seed, **parameters,
    }  # fmt: skip


def _ours(plan: Plan, group: str, method: str, function: str, config: str, title: str, **parameters: Any) -> list[Job]:
    """Return one job of ours for each seed."""
    options = {"kind": "ours"} | parameters
    return [_job(group, method, function, title, config, seed, **options) for seed in plan.seeds]


def _metric_jobs(plan: Plan) -> Iterator[Job]:
    options = {"steps": plan.steps, "at": "nodes"}
    for nodes in PAPER_NODES:
        title, grid = f"upwind + midpoint, {nodes:,} nodes", {"space": "upwind", "time": "midpoint", "nodes": nodes}
        yield _job("metric", f"upwind{nodes}", "grids:advection", title, ADVECTION, **grid, **options)
    grid = {"space": "waves", "time": "midpoint", "nodes": 1024}
    yield _job(
        "metric", "floor", "grids:advection", "midpoint scheme alone, exact in space", ADVECTION, **grid, **options
    )


def _jet_job(plan: Plan) -> Job:
    options = {"points": 1000, "repetitions": 3, "calls": plan.jet_calls, "kind": "ours"}
    return _job("jets", "jets", "jets:jets", "jets of second order", "", **options)


def _advection_jobs(plan: Plan) -> Iterator[Job]:
    steps = {"steps": plan.steps}
    yield from _ours(plan, "advection", "pade22", "jobs:case", ADVECTION, "**INSR**, Padé(2,2)", **steps)
    yield from _ours(plan, "advection", "midpoint", "jobs:case", MIDPOINT, "**INSR**, midpoint", **steps)
    for space, time, nodes, title in ADVECTION_GRIDS:
        grid = {"space": space, "time": time, "nodes": nodes}
        yield _job("advection", f"{space}-{time}-{nodes}", "grids:advection", title, ADVECTION, **grid, **steps)
    grid = {"space": "upwind", "time": "midpoint", "nodes": 901, "seconds": plan.seconds}
    title = "upwind + midpoint, refined in space and time to equal time"
    yield _job("advection", "refined", "grids:advection", title, ADVECTION, **grid, **steps)


def _pinn_jobs(plan: Plan) -> Iterator[Job]:
    """Return the jobs of the PINN: every seed at equal time, one of them with more."""
    for seed in plan.seeds:
        yield _pinn_job(plan, 1, "equal time", seed)
    yield _pinn_job(plan, plan.more_time, f"{plan.more_time} times the time", plan.seeds[0])


def _pinn_job(plan: Plan, factor: int, words: str, seed: int) -> Job:
    """Return a job of the PINN, in a process of its own: DeepXDE changes torch's global state."""
    options = {"seconds": factor * plan.seconds, "steps": plan.steps, "kind": "peer", "alone": True}
    return _job("pinn", f"pinn{factor}", "pinn:pinn", f"PINN (DeepXDE), {words}", ADVECTION, seed, **options)


def _adam_jobs(plan: Plan) -> list[Job]:
    options = {"steps": plan.adam_steps, "longer": plan.longer}
    return _ours(plan, "adam", "adam", "adam:compare", ADVECTION, "Adam against least squares", **options)


def _flow_jobs(plan: Plan) -> Iterator[Job]:
    for group, config in FLOWS.items():
        options = {"steps": plan.steps, "cells": plan.vortex_cells if group == "vortices" else plan.cells}
        yield from _ours(plan, group, "insr", "flows:flow", config, "**INSR**, stream function", **options)
        for method, nodes, scheme, title in FLOW_GRIDS:
            grid = {"nodes": nodes, "scheme": scheme}
            yield _job(group, method, "flows:stable_fluids", title, config, **grid, **options)
        for nodes in SINES[group]:
            count = (2 * nodes - 1) // 3 if nodes else 0
            title = f"series of {count}² sines, RK4 in time" if nodes else "sine series, RK4 in time, equal memory"
            yield _job(group, f"sines{count or ''}", "flows:sines", title, config, nodes=nodes, **options)


def _burgers_jobs(plan: Plan) -> Iterator[Job]:
    yield from _ours(plan, "burgers", "insr", "jobs:burgers", BURGERS, "**INSR**, SDIRK3", steps=plan.steps)
    for space, nodes, title in BURGERS_GRIDS:
        yield _job("burgers", space, "grids:burgers", title, BURGERS, space=space, nodes=nodes, steps=plan.steps)


def _dimension_jobs(plan: Plan) -> Iterator[Job]:
    for dimension in DIMENSIONS:
        config, title = f"insr/advection_{dimension}d_cpu", f"**INSR**, {dimension}-D"
        steps = {"steps": plan.steps}
        yield from _ours(plan, "high_dimension", f"{dimension}d", "dimensions:pulse", config, title, **steps)


def _body_jobs(plan: Plan) -> Iterator[Job]:
    options = {"steps": plan.body_steps}
    yield from _ours(plan, "tension", "insr", "bodies:tension", TENSION, "**INSR**, ends held exactly", **options)
    for degree, cells, grading, refined, title in TENSION_ELEMENTS:
        mesh = {"degree": degree, "cells": cells, "grading": grading}
        if refined:
            mesh["seconds"] = plan.element_seconds
        name = f"p{degree}-{cells}-{grading:g}{'-refined' if refined else ''}"
        yield _job("tension", name, "bodies:tension_fem", title, TENSION, **mesh)
    yield from _ours(plan, "drop", "insr", "bodies:drop", DROP, "**INSR**, incremental potential", **options)


def _ablation_jobs(plan: Plan) -> Iterator[Job]:
    for method, (title, changes) in ABLATION.items():
        function = "jobs:adam" if method == "adam" else "jobs:case"
        options = {"changes": changes, "steps": plan.ablation_steps, "kind": "ablation"}
        yield from _ours(plan, "ablation", method, function, ADVECTION, title, **options)
