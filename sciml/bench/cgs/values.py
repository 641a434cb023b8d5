"""The measurements of ``sciml bench cgs`` on value iteration, and of networks on graphs trained for equal CPU time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.cgs.baselines import AttentionNetwork, ImplicitGraphNetwork, StackedNetwork, SteadyStateEmbedding
from sciml.cgs.data import NetworkSet, PoreNetworks
from sciml.cgs.decisions import DecisionGraphs, ValueIteration
from sciml.cgs.features import NondimensionalFeatures
from sciml.cgs.model import ConvergentGraphSolver, GraphModel
from sciml.cgs.task import GraphSolver
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


@dataclass(frozen=True)
class Subject:
    """A subject that networks are trained on: a task, the draw of its batches, and the data to test on.

    Attributes
    ----------
    task : with the network
    draw : returns the batch of a generator
    measure : returns the errors in the test
    """

    task: Task
    draw: Callable[[torch.Generator], Any]
    measure: Callable[[], Mapping[str, float]]


def test_errors(task: Task, job: Job) -> dict[str, float]:
    """Return the errors of a trained task on graphs of 100 and 200 states that depend on the seed of the job."""
    found = task.evaluate(DecisionGraphs(seed=HELD_OUT + job["seed"]))
    right = {f"policy_accuracy_{name}": 1.0 - found[f"policy_error_{name}"] for name in ("100x10", "200x20")}
    return {**right, **found}


def network(job: Job) -> dict[str, Any]:
    """Train ``job["network"]`` with ``job["options"]`` for ``job["cpu_seconds"]``, and measure it on larger graphs.

    Other settings are ``job["learning_rate"]`` of Adam, ``job["graphs"]`` in a batch, ``job["reused"]``, the updates on
    a batch, by default 1, and ``job["subject"]``: ``"values"``, graphs of decisions of 20 to 50 states, by default, or
    ``"pores"``, networks of 50 to 200 pores.

    Returns
    -------
    dict
        ``last`` holds the errors on larger graphs by their names, ``weights`` and ``updates``.
    """

    def measure() -> dict[str, float]:
        begin = time.process_time()
        subject = SUBJECTS[job.get("subject", "values")](job)
        task = subject.task
        updates = train(subject, job)
        seconds = time.process_time() - begin
        counted = float(sum(each.numel() for each in task.parameters()))
        return {**subject.measure(), "weights": counted, "updates": float(updates), "seconds": seconds}

    return outcome(measure)


def train(subject: Subject, job: Job) -> int:
    """Train with Adam until the CPU time is used up, with a cosine over it; return the number of updates."""
    weights = list(subject.task.parameters())
    optimizer = make_optimizer("adam", weights, job["learning_rate"])
    begin, updates, batch = time.process_time(), 0, None
    while (share := (time.process_time() - begin) / job["cpu_seconds"]) < 1.0:
        rate = FINAL_RATE + (1.0 - FINAL_RATE) * (1.0 + math.cos(math.pi * share)) / 2.0
        for group in optimizer.param_groups:
            group["lr"] = job["learning_rate"] * rate
        if updates % job.get("reused", 1) == 0:
            batch = subject.draw(generator(job["seed"], updates))
        optimizer.zero_grad()
        total: Tensor = sum(subject.task.loss(batch).values())
        total.backward()
        clip_grad_norm_(weights, GRADIENT_CLIP)
        optimizer.step()
        updates += 1
    return updates


def _values(job: Job) -> Subject:
    data, task = DecisionGraphs(graphs=job["graphs"]), ValueIteration(_network(job, 1, 1))
    return Subject(task, data.draw, lambda: test_errors(task, job))


def _pores(job: Job) -> Subject:
    tests = {"50_200": NetworkSet((13, 87)), "200_500": NetworkSet((87, 260))}
    data = PoreNetworks(graphs=job["graphs"], seed=HELD_OUT + job["seed"], tests=tests)
    features = NondimensionalFeatures()
    features.fit([data.draw(generator(job["seed"], HELD_OUT))])
    task = GraphSolver(features, _network(job, 5, 3))
    return Subject(task, data.draw, lambda: task.evaluate(data))


def _network(job: Job, node_dim: int, edge_dim: int) -> GraphModel:
    with seeded(job["seed"]):
        return NETWORKS[job["network"]](node_dim, edge_dim, 1, **job["options"])


SUBJECTS: Mapping[str, Callable[[Job], Subject]] = {"values": _values, "pores": _pores}
