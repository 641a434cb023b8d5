"""The measurements of ``sciml bench hcmoe`` on layers and projections: what holds exactly, and what is left."""

from __future__ import annotations

from typing import Any

import torch

from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.bases import ChebyshevBasis
from sciml.hcmoe.layer import ConstraintSettings, ExpertConstraint
from sciml.hcmoe.problems import Burgers
from sciml.nets.fno import FourierNeuralOperator
from sciml.numerics.projection import LinearConstraints
from sciml.numerics.random import generator, seeded

VISCOSITY = 0.05
GRID = (24, 48)  # times and places
DEGREES = (3, 4)  # in time and space, too few for the front
OUTPUTS = 8  # of the untrained operator that are projected


def faces(job: Job) -> dict[str, Any]:
    """Solve Burgers' equation by polynomials in ``job["boxes"]``, with ``job["coupling"]`` and ``job["start"]``.

    Returns
    -------
    dict
        ``error``, relative; ``jump``, the largest of u and of slopes times the size of a box; ``start``, the largest
        error of the start.
    """

    def measure() -> dict[str, float]:
        problem = Burgers(VISCOSITY)
        times, x = (torch.linspace(*ends, dtype=torch.float64) for ends in ((0, 1, GRID[0]), (-1, 1, GRID[1])))
        basis = ChebyshevBasis(problem.domain, problem.duration, *DEGREES)
        settings = ConstraintSettings(coupling=job["coupling"], start=job["start"])
        layer = ExpertConstraint(problem, times, x, tuple(job["boxes"]), settings)
        output = layer(basis)
        exact = torch.stack([problem.exact(x[:, None], float(time))[:, 0] for time in times])
        return {
            "error": float((output.u[0] - exact).norm() / exact.norm()),
            "jump": float(layer.jumps(basis, output.weights)[0]),
            "start": float((output.u[0, 0] - exact[0]).abs().max()),
        }

    return outcome(measure)


def projected(job: Job) -> dict[str, Any]:
    """Project the outputs of an untrained Fourier neural operator to given start, boundary and masses.

    Returns
    -------
    dict
        ``violation`` of all of these, the largest, over the largest u, and ``before``, likewise; ``moved``, the
        relative change by a second projection; ``cosine`` between change and the fields that are allowed.
    """

    def measure() -> dict[str, float]:
        times, places = job["grid"]
        with seeded(job["seed"]):
            network = FourierNeuralOperator(1, 1, (4, 8), (8, 8, 8), 16)
        draws = generator(job["seed"])
        fields = torch.randn(OUTPUTS, times, places, 1, generator=draws)
        u = network(fields)[..., 0].detach().double().flatten(1)
        constraints = LinearConstraints(_rows(times, places))
        target = torch.randn(OUTPUTS, times * places, generator=draws, dtype=torch.float64)
        values = constraints.apply(target)  # which some fields have
        found = constraints.project(u, values)
        allowed = constraints.project(target + fields.double().flatten(1), values) - found
        change = found - u
        return {
            "violation": _missed(constraints, found, values),
            "before": _missed(constraints, u, values),
            "moved": float((constraints.project(found, values) - found).norm() / found.norm()),
            "cosine": float((allowed * change).sum().abs() / (allowed.norm() * change.norm())),
        }

    return outcome(measure)


def _rows(times: int, places: int) -> dict[str, torch.Tensor]:
    """Return the start, both ends at all times, and the mass at all times, by the trapezoidal rule."""
    each = torch.eye(times * places, dtype=torch.float64).unflatten(1, (times, places))
    by_point = each.unflatten(0, (times, places))
    weights = torch.full((places,), 1 / (places - 1), dtype=torch.float64)
    weights[[0, -1]] *= 0.5
    masses = torch.einsum("tpij,p->tij", by_point, weights)
    groups = {"start": by_point[0], "lower": by_point[:, 0], "upper": by_point[:, -1], "mass": masses}
    return {name: rows.flatten(1) for name, rows in groups.items()}


def _missed(constraints: LinearConstraints, u: torch.Tensor, values: dict[str, torch.Tensor]) -> float:
    """Return the largest violation of any constraint, over the largest u."""
    found = constraints.apply(u)
    return max(float((found[name] - values[name]).abs().max()) for name in found) / float(u.abs().max())
