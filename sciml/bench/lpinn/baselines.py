"""The measurements of PINNs in the Eulerian frame and of the published equations in ``sciml bench lpinn``."""

from __future__ import annotations

from typing import Any

import torch

from sciml.bench.lpinn.jobs import build
from sciml.bench.measure import load_average
from sciml.bench.worker import Job
from sciml.errors import SciMLError
from sciml.lpinn import CollocationPoints, baselines
from sciml.lpinn.diagnostics import transported_modes
from sciml.lpinn.published.form import LabelDiffusion
from sciml.lpinn.readout import relative_errors

SPEEDS = (1.0, 10.0, 30.0, 50.0, 100.0)  # at which modes are counted


def baseline(job: Job) -> dict[str, Any]:
    """Train the PINN ``job["baseline"]`` with ``job["settings"]``, for ``job["seconds"]`` of CPU time.

    Returns
    -------
    dict
        As of :func:`sciml.bench.lpinn.jobs.case`; ``solves`` are updates, and the residual is the root of the loss.
    """
    problem = build(job["config"], 0, job["changes"]).solver.characteristics.problem
    settings = {
        name: CollocationPoints(**value) if isinstance(value, dict) else value
        for name, value in job["settings"].items()
    }
    method = getattr(baselines, job["baseline"])(**settings)
    found: dict[str, Any] = {"failed": None, "load": load_average(), "last": {}}
    try:
        solution = method(problem, baselines.Budget(job["seconds"], job["updates"]), job["seed"])
        with torch.no_grad():
            found["last"] = relative_errors(solution)
    except SciMLError as error:
        return {**found, "failed": str(error), "numbers": 0, "memory_bytes": 0, "seconds": job["seconds"]}
    about = {"numbers": solution.parameters, "memory_bytes": 8 * solution.parameters, "seconds": solution.seconds}
    return {**found, **about, "solves": solution.updates, "residual": solution.loss**0.5}


def label_diffusion(job: Job) -> dict[str, Any]:
    """Measure the closed-form solution of what the official code solves in place of Burgers' equation."""
    problem = build(job["config"], 0).solver.characteristics.problem
    return {"last": relative_errors(LabelDiffusion(problem)), "failed": None, "load": load_average()}


def modes(job: Job) -> dict[str, Any]:
    """Count modes and bandwidths of a transported initial condition, ``job["start"]``, at every speed.

    Returns
    -------
    dict
        ``modes``, for each speed a row with ``speed`` and the counts by their names.
    """
    rows = []
    for speed in SPEEDS:
        found = transported_modes(job["start"], speed)
        widths = {f"modes of {name}": of.number for name, of in found.items()}
        rows.append({"speed": speed, **widths, **{f"bandwidth of {name}": of.bandwidth for name, of in found.items()}})
    return {"modes": rows, "failed": None, "load": load_average()}
