"""The measurements of ``sciml bench hcmoe`` on sorption: operators that learn without solutions, and their rivals.

Errors are relative, over all times and places of one solution, and averaged over the instances of the test set, which
nobody trains on. The CPU time of what is trained is that of its training.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.bench.hcmoe.wide import FINER, TOLERANCE, stated
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.bases import GridBasis
from sciml.hcmoe.families.cases import Batch
from sciml.hcmoe.families.sorption import SorptionFamily
from sciml.hcmoe.families.sorption_cases import SorptionCases
from sciml.hcmoe.families.sorption_instances import coefficients_of_instances
from sciml.hcmoe.layer import ExpertConstraint
from sciml.hcmoe.operator_task import ConstrainedOperator
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.random import generator, seeded
from sciml.reference.diffusion_sorption import extrapolated

SNAPSHOTS = 7  # stream of the solutions that a rival is given


def trained(job: Job) -> dict[str, Any]:
    """Train a shipped config, and test it.

    Parameters
    ----------
    job : the ``config`` with ``changes``, ``cases``, half their number in the test, whose
        seed is ``tests``

    Returns
    -------
    dict
        ``error``; ``residual`` and ``conditions``, their mean squares; ``updates``.
    """
    return outcome(lambda: _tested(*trained_task(job), job))


def sweep(job: Job) -> dict[str, Any]:
    """Train a basis with one expert, and test it with more and more of them.

    Parameters
    ----------
    job : as for :func:`trained`, and the numbers of ``experts`` along time and along space

    Returns
    -------
    dict
        ``error_K`` for each number K, beyond the floor: relative to the solutions of least residual on the grid.
    """

    def measure() -> dict[str, float]:
        task, seconds = trained_task(job)
        batch = _tests(job)
        instances = task.family.instances(batch)
        goal = _least(task.family, batch)
        found = {"seconds": seconds}
        with torch.no_grad():
            outputs = task.network(task._inputs(instances))
        for along_time, along_space in job["experts"]:
            task.family.experts, count = (along_time, along_space), along_time * along_space
            objective = task.family.objective(experts=True)
            u = objective(outputs, instances, generator(0), task.guess.double().expand(1, count, -1)).u
            found[f"error_{count}"] = float(_errors(u, goal).mean())
        return found

    return outcome(measure)


def later(job: Job) -> dict[str, Any]:
    """Train a config on early times, and test it on all: ``error`` until then, ``error_later`` after, their ``ratio``.

    Parameters
    ----------
    job : as for :func:`trained`, and ``until``, the last time in seconds that training sees
    """

    def measure() -> dict[str, float]:
        task, seconds = trained_task(job)
        batch = _tests(job)
        with torch.no_grad():
            u = task.family.compared(task(task.family.instances(batch)), batch)
        seen = batch["times"] <= job["until"]
        error, after = (float(_errors(u[:, part], batch["u"][:, part]).mean()) for part in (seen, ~seen))
        return {"error": error, "error_later": after, "ratio": after / error, "seconds": seconds}

    return outcome(measure)


def floor(job: Job) -> dict[str, Any]:
    """Return the ``error`` of the fields of least residual on the grid, found from the solutions themselves."""

    def measure() -> dict[str, float]:
        family, batch = SorptionFamily(job["family"]), _tests(job)
        u = family.compared(_least(family, batch), batch)
        return {"error": float(_errors(u, batch["u"]).mean())}

    return outcome(measure)


def supervised(job: Job) -> dict[str, Any]:
    """Train the same network on solutions, whose computation counts, for as many updates as a config has."""

    def measure() -> dict[str, float]:
        task = _config(job).build_task()
        family, batch = task.family, _tests(job)
        with seeded(job["seed"]):
            network, seconds = cpu_timed(lambda: _supervised(task, job))
        with torch.no_grad():
            u = family.unconstrained(network(task._inputs(family.instances(batch))), family.instances(batch))
        return {"error": float(_errors(family.compared(u, batch), batch["u"]).mean()), "seconds": seconds}

    return outcome(measure)


def _config(job: Job) -> Any:
    from sciml.training.config import load_config

    return load_config(job["config"], [f"seed={job['seed']}", *job.get("changes", ())])


def trained_task(job: Job) -> tuple[ConstrainedOperator, float]:
    """Return a trained task and its CPU seconds."""
    from sciml.training import run

    config = _config(job)
    with tempfile.TemporaryDirectory(prefix="sciml-bench-") as folder:
        _, seconds = cpu_timed(lambda: run.train(config, Path(folder) / "run"))
        return run.load_task(Path(folder) / "run"), seconds


def _tested(task: ConstrainedOperator, seconds: float, job: Job) -> dict[str, float]:
    with torch.no_grad():
        found = {name: float(value) for name, value in task.validate(_tests(job)).items()}
    weights = sum(each.numel() for each in task.parameters())
    return {"error": found.pop("relative_l2"), **found, "seconds": seconds, "weights": float(weights)}


def _tests(job: Job) -> Batch:
    """Return the solutions of the test set."""
    (batch,) = SorptionCases(family=job["family"], cases=job["cases"], seed=job["tests"]).test_dataloader()
    return batch


def _errors(found: Tensor, expected: Tensor) -> Tensor:
    return (found - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1)


def _solved(family: SorptionFamily, instances: dict[str, Tensor]) -> Tensor:
    """Return solutions by extrapolated finite volumes in the cells of a family, each in the middle of finer ones."""
    times, cells = family.problem.seconds * family.s.numpy() ** 2, FINER * family.shape[1]
    pairs = stated({**instances, "x": family.y, "u": instances["start"]})
    solved = [extrapolated(start, cells, times, each, tolerance=TOLERANCE) for start, each in pairs]
    return torch.from_numpy(np.stack(solved)[..., FINER // 2 :: FINER].copy())


def _least(family: SorptionFamily, batch: Batch) -> Tensor:
    """Return the fields of least residual on the grid of a family, from the solutions on."""
    instances = family.instances(batch)
    times, cells = family.shape
    unknowns = (times - 1) * cells
    each = torch.eye(unknowns, dtype=torch.float64).view(unknowns, times - 1, cells).permute(1, 2, 0)
    basis = torch.cat([each.new_zeros(1, cells, unknowns), each])[None]
    first = (_solved(family, instances) - instances["start"][:, None])[:, 1:].flatten(1)
    settings = type(family.settings)(start="grid", ridge=1e-9, iteration=BatchedSettings(max_solves=30))
    layer = ExpertConstraint(family.problem, family.s, family.y, (1, 1), settings)
    found = []
    for number in range(len(first)):
        one = {name: values[number : number + 1] for name, values in instances.items()}
        guess = torch.cat([first[number], torch.ones(1, dtype=torch.float64)])[None, None]
        with torch.no_grad():
            grid = GridBasis(basis, family.s, family.y, family.order)
            found.append(layer(grid, coefficients_of_instances(one, family.y), guess=guess).u)
    return torch.cat(found)


def _supervised(task: ConstrainedOperator, job: Job) -> torch.nn.Module:
    """Return the network of a task, trained on solutions by mean squares."""
    instances = task.family.sample(job["snapshots"], generator(job["seed"], SNAPSHOTS))
    wanted, network = _solved(task.family, instances), task.network
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, job["updates"], 1e-5)
    draws = generator(job["seed"], 2)
    for _ in range(job["updates"]):
        chosen = torch.randint(len(wanted), (4,), generator=draws)
        own = {name: values[chosen] for name, values in instances.items()}
        loss = (task.family.unconstrained(network(task._inputs(own)), own) - wanted[chosen]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network
