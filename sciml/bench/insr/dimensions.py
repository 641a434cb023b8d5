"""A pulse in several dimensions for ``sciml bench insr``, and what a grid would need for the same error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from sciml.bench.insr.cases import Case, build, solve
from sciml.bench.worker import Job
from sciml.insr import Advection
from sciml.insr.integrators import NeuralFields
from sciml.numerics.random import generator
from sciml.reference.advection_grids import amplification

POINTS = 20_000  # of the errors
SPREAD = 1.5  # of the points around the pulse, in its own width
GROWTH, MOST = 1.1, 4000  # of the numbers of nodes that are tried
FINE = 2048  # points of integrals along one axis
GRIDS = {"central4": "fourth-order differences, Padé(2,2)", "waves": "Fourier modes, exact in time"}


def pulse(job: Job) -> dict[str, Any]:
    """Solve a config by our network, and find the memory of the grids whose error is as small as its last one.

    Returns
    -------
    dict
        As of ``solve``, with ``dimension`` and, by name of the grid, ``grids``: ``nodes`` per axis and ``bytes``.
    """
    case = build(job["config"], job["seed"], steps=job.get("steps"))
    problem = case.task.problem

    def measure(fields: NeuralFields, time: float) -> Mapping[str, float]:
        return {"relative_l2": sampled_error(problem, fields, time)}

    result = solve(case, measure)
    error = result["last"].get("relative_l2", math.inf)
    grids = {name: _smallest_grid(case, name, error) for name in GRIDS} if math.isfinite(error) else {}
    return result | {"dimension": problem.domain.dim, "grids": grids}


def sampled_error(problem: Advection, fields: NeuralFields, time: float) -> float:
    """Return the relative L2 error of a pulse by importance sampling: half of the points around it, half everywhere.

    Evenly spread points would miss a pulse that fills a millionth of the box.
    """
    box, dim = problem.domain, problem.domain.dim
    draws, deviation = generator(1, dim), SPREAD * problem.width
    centre = problem.centre + time * torch.tensor(problem.velocity, dtype=torch.float64)
    near = centre + deviation * torch.randn(POINTS // 2, dim, generator=draws, dtype=torch.float64)
    if problem.periodic:
        near = box.wrap(near)
    points = torch.cat([near[box.contains(near)], box.interior(POINTS // 2, draws, kind="uniform")])
    period = torch.tensor([-1.0, 0.0, 1.0] if problem.periodic else [0.0], dtype=torch.float64) * _length(problem)
    offsets = points[:, :, None] - centre[:, None] - period
    normal = torch.exp(-offsets.square() / (2 * deviation**2)).sum(2) / (math.sqrt(2 * math.pi) * deviation)
    density = 0.5 / box.measure + 0.5 * normal.prod(1)
    square = (fields("u", points) - problem.exact(points, time)).square()[:, 0]
    x = torch.linspace(box.lower[0], box.upper[0], FINE, dtype=torch.float64)
    shifted = x[:, None] - centre
    if problem.periodic:
        shifted = shifted - _length(problem) * torch.round(shifted / _length(problem))
    exact = torch.trapezoid(torch.exp(-((shifted / problem.width) ** 2)), x, dim=0).prod()
    return math.sqrt(float((square / density).sum() / POINTS / exact))


def grid_error(case: Case, space: str, nodes: int) -> float:
    """Return the relative L2 error of the periodic grid with ``nodes`` per axis, after all steps, by its Fourier modes.

    The pulse is a product of equal factors of one coordinate each, the axes commute, and so the solution of a grid is
    the product of one-dimensional ones: its error follows from theirs exactly, in any dimension.
    """
    problem, dim = case.task.problem, case.task.problem.domain.dim
    length, span = _length(problem), case.steps * case.task.time_step
    frequencies = 2 * np.pi / length * np.arange(nodes // 2 + 1)
    spacing = length / nodes
    if space == "waves":
        factor = amplification("exact", 1j * frequencies * problem.velocity[0] * span)
    else:
        seen = (8 * np.sin(frequencies * spacing) - np.sin(2 * frequencies * spacing)) / (6 * spacing)
        factor = amplification("pade22", 1j * seen * problem.velocity[0] * case.task.time_step) ** case.steps
    fine = max(FINE, 2 * nodes) // nodes * nodes
    modes = np.fft.rfft(_factor(problem, nodes, 0.0)) * factor
    found = np.fft.irfft(modes, fine) * (fine / nodes)
    exact = _factor(problem, fine, span)
    size, overlap = (found @ found) / (exact @ exact), (found @ exact) / (exact @ exact)
    return math.sqrt(max(0.0, size**dim - 2 * overlap**dim + 1))


def _smallest_grid(case: Case, space: str, error: float) -> dict[str, Any]:
    nodes = 8
    while grid_error(case, space, nodes) > error:
        nodes = math.ceil(GROWTH * nodes)
        if nodes > MOST:
            return {"nodes": None, "bytes": None}
    return {"nodes": nodes, "bytes": 8 * nodes**case.task.problem.domain.dim}


def _factor(problem: Advection, nodes: int, time: float) -> np.ndarray:
    """Return the factor of one coordinate at equally spaced nodes of a period, its nearest image."""
    length = _length(problem)
    x = problem.domain.lower[0] + length / nodes * np.arange(nodes)
    offset = x - problem.centre - time * problem.velocity[0]
    return np.exp(-((offset - length * np.round(offset / length)) ** 2) / (2 * problem.width**2))


def _length(problem: Advection) -> float:
    return problem.domain.upper[0] - problem.domain.lower[0]
