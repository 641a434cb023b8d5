"""A PINN by DeepXDE on the pulse in 1-D, for ``sciml bench insr``: one network for all of space and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sciml.bench.insr.cases import Case, build, summary
from sciml.bench.measure import load_average
from sciml.bench.worker import Job
from sciml.deepxde_backend import deepxde, double_precision, seeded
from sciml.domains.output_points import evaluation_points
from sciml.lpinn.baselines import Budget
from sciml.lpinn.baselines.deepxde_pinn import Features, train, with_initial
from sciml.metrics import relative_l2

# The best of twenty settings at about the time of ours: more Fourier features, points, layers or Adam made it worse.
WIDTH, LAYERS, WAVES, TIME_WAVES = 40, 3, 8, 12
POINTS = 2000  # Hammersley's
RATE = 2e-3
ADAM_SHARE = 0.03  # of the time; L-BFGS has the rest


def pinn(job: Job) -> dict[str, Any]:
    """Train a PINN for ``job["seconds"]`` of CPU time; its errors are those at the time steps of a config.

    The initial condition holds by the ansatz ``u(x, 0) + t N(x, t)``, periodicity by Fourier features: only the
    equation is left. The optimiser is Adam, then L-BFGS.
    """
    deepxde()
    case = build(job["config"], job["seed"], steps=job.get("steps"))
    with double_precision() as dde, seeded(job["seed"]):
        model = _model(dde, case)
        tracker = Budget(job["seconds"], job.get("updates")).track()
        loss = train(model, tracker, rate=RATE, adam=ADAM_SHARE, resampled=None)
        seconds, rows = tracker.seconds, _rows(model, case)
    numbers = sum(weight.numel() for weight in model.net.parameters())
    return {
        "numbers": numbers,
        "memory_bytes": 8 * numbers,
        "seconds": seconds,
        "iterations": tracker.updates,
        "loss": loss,
        **summary(rows),
        "load": load_average(),
    }


def _model(dde: Any, case: Case) -> Any:
    problem, span = case.task.problem, case.steps * case.task.time_step
    (lower,), (upper,), (speed,) = problem.domain.lower, problem.domain.upper, problem.velocity

    def equation(inputs: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return dde.grad.jacobian(u, inputs, i=0, j=1) + speed * dde.grad.jacobian(u, inputs, i=0, j=0)

    domain = dde.geometry.GeometryXTime(dde.geometry.Interval(lower, upper), dde.geometry.TimeDomain(0.0, span))
    data = dde.data.TimePDE(domain, equation, [], num_domain=POINTS)
    shown = Features(problem.domain, span, WAVES, frequencies=TIME_WAVES)
    network = dde.nn.FNN([shown.count, *[WIDTH] * LAYERS, 1], "tanh", "Glorot normal")
    network.apply_feature_transform(shown)
    network.apply_output_transform(with_initial(lambda x: problem.exact(x, 0.0)))
    return dde.Model(data, network)


def _rows(model: Any, case: Case) -> list[dict[str, float]]:
    problem, points = case.task.problem, evaluation_points(case.task.problem.domain)
    rows = []
    for step in range(1, case.steps + 1):
        time = step * case.task.time_step
        found = model.predict(np.column_stack([points.numpy(), np.full(len(points), time)]))
        exact = problem.exact(points, time).numpy()
        error = {"mean_absolute_error": float(np.abs(found - exact).mean())}
        rows.append({"time": time, **error, "relative_l2": relative_l2(found, exact)})
    return rows
