"""The optional peers of ``sciml bench cgs``: OpenPNM's own solver and torch-sla on a cubic network."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import numpy as np

from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.errors import MissingExtraError

PEERS = {"openpnm": "openpnm", "torch-sla": "torch_sla"}  # names on the command line, and modules


def require(peer: str) -> None:
    """Raise an error in one sentence if a peer is not installed."""
    require_module(peer, PEERS[peer])


def require_module(peer: str, module: str) -> None:
    """Raise an error in one sentence if the module of a peer cannot be imported."""
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{peer} is not installed ({error}); run: pip install {peer}, which 'sciml[peers]' has too, or leave "
            f"--peers {peer} out."
        ) from error


def cubic_network(pores: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a cubic lattice of ``pores``^3 with lognormal conductances: throats, conductances, inlet and outlet."""
    numbers = np.arange(pores**3).reshape(pores, pores, pores)
    throats = np.concatenate(
        [
            np.stack([np.moveaxis(numbers, axis, 0)[:-1].ravel(), np.moveaxis(numbers, axis, 0)[1:].ravel()], axis=1)
            for axis in range(3)
        ]
    )
    conductances = np.exp(np.random.default_rng(seed).standard_normal(len(throats)))
    inlet, outlet = np.zeros(pores**3, bool), np.zeros(pores**3, bool)
    inlet[numbers[0].ravel()], outlet[numbers[-1].ravel()] = True, True
    return throats, conductances, inlet, outlet


def openpnm(job: Job) -> dict[str, Any]:
    """Measure OpenPNM's ``StokesFlow`` with its default solver on a cubic network of ``job["pores"]``^3 pores."""

    def measure() -> dict[str, float]:
        import openpnm as op

        throats, conductances, inlet, outlet = cubic_network(job["pores"], job["seed"])
        network = op.network.Network(coords=np.zeros((len(inlet), 3)), conns=throats)
        phase = op.phase.Phase(network=network)
        phase["throat.hydraulic_conductance"] = conductances
        flow = op.algorithms.StokesFlow(network=network, phase=phase)
        flow.set_value_BC(pores=np.flatnonzero(inlet), values=1.0)
        flow.set_value_BC(pores=np.flatnonzero(outlet), values=0.0)
        begin = time.process_time()
        flow.run()
        return _measured(time.process_time() - begin, flow["pore.pressure"], throats, conductances, inlet | outlet)

    return outcome(measure)


def torch_sla(job: Job) -> dict[str, Any]:
    """Measure torch-sla's sparse solver with ``job["options"]`` on the same network."""

    def measure() -> dict[str, float]:
        import torch
        import torch_sla as sla

        from sciml.reference.diffusion_finite_elements import laplacian

        throats, conductances, inlet, outlet = cubic_network(job["pores"], job["seed"])
        free = ~(inlet | outlet)
        matrix = laplacian(throats, conductances, len(free))
        right = torch.from_numpy(-(matrix @ inlet.astype(float))[free])
        inner = matrix[free][:, free].tocoo()
        rows, columns = (torch.from_numpy(each.astype(np.int64)) for each in inner.coords)
        begin = time.process_time()
        found = sla.spsolve(torch.from_numpy(inner.data), rows, columns, inner.shape, right, **job["options"])
        seconds = time.process_time() - begin
        pressure = inlet.astype(float)
        pressure[free] = found.numpy()
        return _measured(seconds, pressure, throats, conductances, ~free)

    return outcome(measure)


def _measured(
    seconds: float, pressure: np.ndarray, throats: np.ndarray, conductances: np.ndarray, pinned: np.ndarray
) -> dict[str, float]:
    """Return the CPU time, and the largest imbalance of the flows relative to the flow through the network."""
    first, second = throats.T
    flow = conductances * (pressure[first] - pressure[second])
    balance = np.bincount(first, flow, len(pressure)) - np.bincount(second, flow, len(pressure))
    through = np.abs(balance[pinned]).sum() / 2
    return {"seconds": seconds, "imbalance": float(np.abs(balance[~pinned]).max() / through)}
