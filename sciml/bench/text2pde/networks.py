"""The measurements of ``sciml bench text2pde`` on networks: configs, shipped weights, and rivals that step in time."""

from __future__ import annotations

import math
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sciml import weights
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.text2pde.autoencoders import first_stage
from sciml.bench.text2pde.rivals import Stepper, StepTraining, train
from sciml.bench.text2pde.simulations import MEMBERS, Simulations, simulations
from sciml.bench.worker import Job
from sciml.errors import InputError
from sciml.numerics.random import generator
from sciml.text2pde import FirstFrameTask

SHIPPED = "text2pde/smoke_ff_cpu"
REGRESSION = Path(__file__).with_name("regression.py")
DRAWS = 2  # stream of members


def network(job: Job) -> dict[str, Any]:
    """Train the two stages of a config on the simulations of a job, and measure ensembles for its tests.

    Returns
    -------
    dict
        The scores of :meth:`~sciml.bench.text2pde.simulations.Simulations.scores` with ``job["at"]`` calls of the
        network; ``energy_N`` with N calls, where the sampler can have so many; the number of ``weights``, CPU
        milliseconds of an ``update`` of the second stage, and ``seconds`` of both stages together.
    """

    def measure() -> dict[str, float]:
        task, seconds, updates = _trained(job)
        return {
            **_scores(task, job), "seconds": first_stage(job).seconds + seconds, "update": 1e3 * seconds / updates
        }  # fmt: skip

    return outcome(measure)


def shipped(job: Job) -> dict[str, Any]:
    """Measure the weights that come with the package; as for :func:`network`, without what is of the training."""
    return outcome(lambda: _scores(shipped_task(), job))


def stepper(job: Job) -> dict[str, Any]:
    """Train a ``rival`` that steps from frame to frame for ``job["budget"]`` CPU seconds, and measure it on the tests.

    Returns
    -------
    dict
        The scores of a single prediction; ``weights``, ``updates``, CPU milliseconds of an ``update``, ``seconds``.
    """

    def measure() -> dict[str, float]:
        case = simulations(job)
        given = case.training.fields, case.training.buoyancy
        _, once = cpu_timed(lambda: train(_stepper(job, case), *given, StepTraining(job["trials"], seed=job["seed"])))
        updates = max(1, math.floor(job["budget"] * job["trials"] / once))
        model = _stepper(job, case)
        _, seconds = cpu_timed(lambda: train(model, *given, StepTraining(updates, seed=job["seed"])))

        @torch.no_grad()
        def rollout(block: slice) -> Tensor:
            frames = case.tests.fields.shape[2]
            return model.rollout(case.tests.first[block], case.tests.buoyancy[block], frames)[None]

        return {**case.scores(rollout), "weights": _count(model), "updates": updates, "seconds": seconds,
                "update": 1e3 * seconds / updates}  # fmt: skip

    return outcome(measure)


@lru_cache(maxsize=1)
def shipped_task() -> FirstFrameTask:
    """Return the task with the weights that come with the package.

    Raises
    ------
    InputError
        If this version comes without them.
    """
    from sciml.training import run

    return run.load_task(weights.find(SHIPPED))


def _trained(job: Job) -> tuple[FirstFrameTask, float, int]:
    """Return the task of the second stage after its training, the CPU seconds of that, and the number of updates."""
    from sciml.training import run
    from sciml.training.config import load_config

    places = [f"data.init_args.path={simulations(job).training.path}",
              f"task.init_args.autoencoder_run={first_stage(job).path}"]  # fmt: skip
    changes = [f"seed={job['seed']}", *places, *job["changes"]]
    modules = [REGRESSION] if job.get("regression") else []
    config = load_config(job["config"], changes, modules=modules)
    with tempfile.TemporaryDirectory(prefix="sciml-bench-") as folder:
        begin = time.process_time()
        run.train(config, Path(folder, "run"))
        seconds = time.process_time() - begin
        task = run.load_task(Path(folder, "run"), modules=modules)
    batches = config.training.epochs * len(config.build_data().train_dataloader())
    return task, seconds, batches * config.training.updates_per_batch


def _scores(task: FirstFrameTask, job: Job) -> dict[str, float]:
    case = simulations(job)
    found: dict[str, float] = {"weights": _count(task.network) + _count(task.conditioner)}
    for calls in job["calls"]:
        if not _possible(task, calls):
            continue
        scored = case.scores(lambda block: members(task, case, block, job, calls))  # noqa: B023
        found[f"energy_{calls}"] = scored["energy"]
        if calls == job["at"]:
            found |= scored
    return found


def members(task: FirstFrameTask, case: Simulations, block: slice, job: Job, calls: int) -> Tensor:
    """Return members for the first frames of some tests, ``(m, tests, 3, frames, x, y)``."""
    frames, buoyancy = case.tests.first[block], case.tests.buoyancy[block]
    draws = generator(job["seed"], DRAWS, block.start)
    drawn = [task.draw(frames, buoyancy, draws, calls) for _ in range(job.get("members", MEMBERS))]
    return torch.stack([torch.from_numpy(task.constraints(each, frames, task.place.grid)) for each in drawn])


def _possible(task: FirstFrameTask, calls: int) -> bool:
    """Return whether the sampler of a task can have so many calls."""
    try:
        task.objective.check_sampler(task.sampler, task.sampler.calls(calls))
    except InputError:
        return False
    return True


def _stepper(job: Job, case: Simulations) -> Stepper:
    return Stepper(job["rival"], case.training.fields, case.training.buoyancy, job["seed"])


def _count(module: nn.Module) -> float:
    return float(sum(each.numel() for each in module.parameters()))
