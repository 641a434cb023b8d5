"""The measurement of ``sciml bench cgs`` on what holds by construction, for networks that nobody has trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.cgs import AnchoredGraphSolver, ThroatConductances, ThroatFeatures
from sciml.cgs.data import to_batch
from sciml.reference.pore_network_laws import LAWS
from sciml.reference.pore_networks import random_network

BASE = (13, 87)  # base points of a pore network


def untrained(job: Job) -> dict[str, Any]:
    """Measure anchored heads with random weights on ``job["networks"]`` random pore networks of both tessellations.

    Returns
    -------
    dict
        ``last`` holds the largest excess of a pressure over those of inlet and outlet, and the largest imbalance of the
        flows at a pore relative to the flow through its network.
    """

    def measure() -> dict[str, float]:
        excess, imbalance = 0.0, 0.0
        for number in range(job["networks"]):
            high, off = _violations(number, np.random.default_rng([job["seed"], number]))
            excess, imbalance = max(excess, high), max(imbalance, off)
        return {"excess": excess, "imbalance": imbalance}

    return outcome(measure)


def _violations(number: int, draws: np.random.Generator) -> tuple[float, float]:
    tessellation = ("delaunay", "voronoi")[number % 2]
    network = random_network(tessellation, int(draws.integers(*BASE)), draws, LAWS["hagen_poiseuille"])
    batch, features = to_batch([network]), ThroatFeatures()
    features.fit([batch])
    model = AnchoredGraphSolver(ThroatConductances(2))
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.from_numpy(draws.standard_normal(weight.shape)))
        answer = model(features(batch))
    pressure, (first, second) = answer.values, batch.throat_index
    flux = answer.conductance * (pressure[first] - pressure[second])
    balance = torch.zeros_like(pressure).index_add(0, first, flux).index_add(0, second, -flux)
    through = balance[batch.pinned & (batch.pinned_values == 1)].sum()
    excess = max(float(pressure.max()) - 1.0, -float(pressure.min()), 0.0)
    return excess, float(balance[~batch.pinned].abs().max() / through)
