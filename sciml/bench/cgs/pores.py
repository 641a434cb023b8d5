"""The measurements of ``sciml bench cgs`` on pore networks with other networks on graphs, for equal CPU time."""

from __future__ import annotations

import time
from typing import Any

from sciml.bench.cgs.jobs import outcome
from sciml.bench.cgs.values import NETWORKS, train_for
from sciml.bench.worker import Job
from sciml.cgs import GraphSolver, NetworkSet, NondimensionalFeatures, PoreNetworks
from sciml.numerics.random import generator, seeded

TESTS = {"50_200": NetworkSet((13, 87)), "200_500": NetworkSet((87, 260)), "1300": NetworkSet((700, 900), 12)}


def network(job: Job) -> dict[str, Any]:
    """Train ``job["network"]`` with ``job["options"]`` for ``job["cpu_seconds"]`` on nondimensional features.

    The networks see the conductances, as the model of the paper does. Other settings are ``job["learning_rate"]``, of
    Adam, and ``job["graphs"]`` in a batch, which is drawn anew for each update.
    """

    def measure() -> dict[str, float]:
        begin = time.process_time()
        data = PoreNetworks(graphs=job["graphs"], tests=TESTS, seed=job["seed"])
        with seeded(job["seed"]):
            model = NETWORKS[job["network"]](5, 3, 1, **job["options"])
        task = GraphSolver(NondimensionalFeatures(), model)
        task.features.fit([data.draw(0, generator(job["seed"], 2**62))])
        updates = train_for(
            job["cpu_seconds"],
            model,
            lambda update: task.loss(data.draw(0, generator(job["seed"], update)))["pressure"],
            job["learning_rate"],
        )
        seconds = time.process_time() - begin
        weights = float(sum(each.numel() for each in model.parameters()))
        return {**task.evaluate(data), "weights": weights, "updates": float(updates), "seconds": seconds}

    return outcome(measure)
