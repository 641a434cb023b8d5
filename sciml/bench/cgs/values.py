"""The measurements of ``sciml bench cgs`` on value iteration: networks that train for equal CPU time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from sciml.bench.cgs.jobs import outcome
from sciml.bench.worker import Job
from sciml.cgs.baselines import AttentionNetwork, ImplicitGraphNetwork, StackedNetwork, SteadyStateEmbedding
from sciml.cgs.decisions import DecisionGraphs, ValueIteration
from sciml.cgs.model import ConvergentGraphSolver, GraphModel
from sciml.numerics.optimizers import make_optimizer
from sciml.numerics.random import generator, seeded
from sciml.training.task import Task

HELD_OUT = 10_000  # added to the seed of graphs that are tested on
GRADIENT_CLIP = 1.0
FINAL_RATE = 0.01  # of the learning rate, at the end of a cosine

NETWORKS: Mapping[str, Callable[..., GraphModel]] = {
    "heads": ConvergentGraphSolver,
    "stacked": StackedNetwork,
    "attention": AttentionNetwork,
    "ignn": ImplicitGraphNetwork,
    "sse": SteadyStateEmbedding,
}


def test_errors(task: Task, job: Job) -> dict[str, float]:
    """Return the errors of a trained task on graphs of 100 and 200 states that depend on the seed of the job."""
    found = task.evaluate(DecisionGraphs(seed=HELD_OUT + job["seed"]))
    right = {f"policy_accuracy_{name}": 1.0 - found[f"policy_error_{name}"] for name in ("100x10", "200x20")}
    return {**right, **found}


def network(job: Job) -> dict[str, Any]:
    """Train ``job["network"]`` with ``job["options"]`` for ``job["cpu_seconds"]`` on 20 to 50 states, and measure it.

    Other settings are ``job["learning_rate"]``, of Adam, and ``job["graphs"]`` in a batch, which is drawn anew for each
    update.
    """

    def measure() -> dict[str, float]:
        begin = time.process_time()
        with seeded(job["seed"]):
            model = NETWORKS[job["network"]](1, 1, 1, **job["options"])
        task, data = ValueIteration(model), DecisionGraphs(graphs=job["graphs"])
        updates = train_for(
            job["cpu_seconds"], model, lambda update: _loss(task, data, job["seed"], update), job["learning_rate"]
        )
        seconds = time.process_time() - begin
        counted = float(sum(each.numel() for each in model.parameters()))
        return {**test_errors(task, job), "weights": counted, "updates": float(updates), "seconds": seconds}

    return outcome(measure)


def train_for(seconds: float, model: torch.nn.Module, loss: Callable[[int], torch.Tensor], learning_rate: float) -> int:
    """Train with Adam until the CPU time is used up, with a cosine over it; return the number of updates.

    Parameters
    ----------
    seconds : CPU time
    loss : of the number of the update
    learning_rate : at first
    """
    optimizer = make_optimizer("adam", model.parameters(), learning_rate)
    begin, updates = time.process_time(), 0
    while (share := (time.process_time() - begin) / seconds) < 1.0:
        rate = FINAL_RATE + (1.0 - FINAL_RATE) * (1.0 + math.cos(math.pi * share)) / 2.0
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate
        optimizer.zero_grad()
        loss(updates).backward()
        clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
        optimizer.step()
        updates += 1
    return updates


def _loss(task: ValueIteration, data: DecisionGraphs, seed: int, update: int) -> torch.Tensor:
    return task.loss(data.draw(generator(seed, update)))["values"]
