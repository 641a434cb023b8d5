"""The measurements of ``sciml bench cgs`` on solvers: large pore networks, and the adjoint beside the forward solve."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from sciml.bench.cgs.peers import cubic_network
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.errors import DivergenceError
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.reference.pore_networks import length_at_density, random_network

USUAL = 50  # base points at the density of training
WARM_UP = 12  # pores along an axis

Network = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # throats, conductances, inlet, outlet


def network(job: Job) -> dict[str, Any]:
    """Measure ``job["solver"]`` of ``GraphLaplacian`` at an error of at most 1e-8 of the pressures.

    ``job["network"]`` is ``"delaunay"`` or ``"voronoi"`` with ``job["base"]`` base points at the density of training,
    or ``"cubic"`` with ``job["pores"]`` along each axis.

    Returns
    -------
    dict
        ``last`` holds ``pores``, ``contrast`` of the conductances, ``iterations``, the proven bound ``error``, the CPU
        times ``forward``, set-up and checks of the structure included, and ``backward``, and the ratio of the two.
    """

    def measure() -> dict[str, float]:
        for method in ("multigrid", "amg"):  # loads libraries and compiles kernels
            _solve(cubic_network(WARM_UP, 0), method)[0].sum().backward()
        given = _network(job["network"], job.get("base"), job.get("pores"), job["seed"])
        (x, info, conductance), forward = cpu_timed(lambda: _solve(given, job["solver"]))
        _, backward = cpu_timed(lambda: x.square().sum().backward())
        throats, conductances, inlet, _ = given
        if not bool(torch.isfinite(conductance.grad).all()):
            raise DivergenceError("the adjoint solve gave gradients that are not finite.")
        return {
            "pores": len(inlet),
            "throats": len(throats),
            "contrast": float(conductances.max() / conductances.min()),
            "iterations": float(np.max(info.iterations)),
            "error": float(info.error_bound.max()),
            "forward": forward,
            "backward": backward,
            "ratio": backward / forward,
            "seconds": forward,
        }

    return outcome(measure)


def _solve(given: Network, method: str) -> tuple[torch.Tensor, Any, torch.Tensor]:
    throats, conductances, inlet, outlet = given
    conductance = torch.tensor(conductances, requires_grad=True)
    graph = GraphLaplacian(throats, len(inlet), inlet | outlet)
    x, info = graph.solve(conductance, torch.from_numpy(inlet.astype(float)), rtol=1e-8, method=method)
    return x, info, conductance


@cache
def _network(kind: str, base: int | None, pores: int | None, seed: int) -> Network:
    if kind == "cubic":
        return cubic_network(pores, seed)
    made = random_network(kind, base, np.random.default_rng(seed), length=length_at_density(base, USUAL))
    return made.throats, np.array(made.conductances()), made.inlet, made.outlet
