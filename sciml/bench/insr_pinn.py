"""A PINN by DeepXDE on the pulse in 1-D, for ``sciml bench insr``: one network for all of space and time.

DeepXDE sets torch's default type and everybody's seeds: its jobs are run in processes of their own.
"""

from __future__ import annotations

import math
import os
import time as clock
from typing import Any

import numpy as np
import torch

from sciml.bench.insr_cases import Case, build, summary
from sciml.bench.measure import load_average
from sciml.bench.worker import Job
from sciml.insr.output import evaluation_points
from sciml.metrics import relative_l2

# The best of twenty settings at about as much time as ours: more waves, points, layers or Adam made it worse.
WIDTH, LAYERS, WAVES, DECAY, TIME_WAVES = 40, 3, 8, 5.0, 12
POINTS, RESAMPLED = 2000, 50
RATE = 2e-3
ADAM_SHARE = 0.03  # of the time; L-BFGS has the rest
ITERATIONS_PER_LOOK = 10  # of L-BFGS between two looks at the clock


def pinn(job: Job) -> dict[str, Any]:
    """Train for ``job["seconds"]`` of processor time; errors at the times of the steps of a config.

    The start holds by the form ``u(x, 0) + t N(x, t)``, periodicity by waves as features: nothing is left but the
    equation. Adam on points drawn anew every so often, then L-BFGS.
    """
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde

    case = build(job["config"], job["seed"], steps=job.get("steps"))
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(job["seed"])
    model = _model(dde, case)
    begin = clock.process_time()
    limit = _limit(dde, begin + ADAM_SHARE * job["seconds"])
    model.compile("adam", lr=RATE, decay=("step", 1000, 0.8), verbose=0)
    resampled = dde.callbacks.PDEPointResampler(period=RESAMPLED)
    options = {"display_every": 10**9, "verbose": 0}
    model.train(iterations=10**9, callbacks=[limit, resampled], **options)
    adam = model.train_state.iteration
    _, past = dde.optimizers.set_LBFGS_options(maxiter=10**7, maxcor=50), dde.optimizers.LBFGS_options
    past |= {"iter_per_step": ITERATIONS_PER_LOOK, "fun_per_step": 2 * ITERATIONS_PER_LOOK}
    model.compile("L-BFGS", verbose=0)
    model.train(callbacks=[_limit(dde, begin + job["seconds"])], **options)
    seconds = clock.process_time() - begin
    numbers = sum(weight.numel() for weight in model.net.parameters())
    return {
        "numbers": numbers,
        "memory_bytes": 8 * numbers,
        "seconds": seconds,
        "adam_iterations": adam,
        "iterations": model.train_state.iteration,
        "loss": float(np.sum(model.train_state.loss_train)),
        **summary(_rows(model, case)),
        "load": load_average(),
    }


def _model(dde: Any, case: Case) -> Any:
    problem, span = case.task.problem, case.steps * case.task.time_step
    (lower,), (upper,), (speed,) = problem.domain.lower, problem.domain.upper, problem.velocity
    numbers = torch.arange(1, WAVES + 1)
    amplitudes, waves = 2 * torch.exp(-((numbers / DECAY) ** 2) / 2), 2 * math.pi / (upper - lower) * numbers

    beats = math.pi / span * torch.arange(1, TIME_WAVES + 1)

    def features(inputs: torch.Tensor) -> torch.Tensor:
        phase, beat = (inputs[:, :1] - lower) * waves.to(inputs), inputs[:, 1:] * beats.to(inputs)
        scale = amplitudes.to(inputs)
        shown = [scale * torch.sin(phase), scale * torch.cos(phase), torch.sin(beat), torch.cos(beat)]
        return torch.cat([*shown, 2 * inputs[:, 1:] / span - 1], 1)

    def held(inputs: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return problem.solution(inputs[:, :1], 0.0) + inputs[:, 1:] * outputs

    def equation(inputs: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return dde.grad.jacobian(u, inputs, i=0, j=1) + speed * dde.grad.jacobian(u, inputs, i=0, j=0)

    domain = dde.geometry.GeometryXTime(dde.geometry.Interval(lower, upper), dde.geometry.TimeDomain(0.0, span))
    data = dde.data.TimePDE(domain, equation, [], num_domain=POINTS, num_test=10)
    network = dde.nn.FNN([2 * (WAVES + TIME_WAVES) + 1, *[WIDTH] * LAYERS, 1], "tanh", "Glorot normal")
    network.apply_feature_transform(features)
    network.apply_output_transform(held)
    return dde.Model(data, network)


def _limit(dde: Any, end: float) -> Any:
    """A callback that ends training once the processor time has come."""

    class Limit(dde.callbacks.Callback):
        def on_epoch_end(self) -> None:
            self.model.stop_training = clock.process_time() >= end

    return Limit()


def _rows(model: Any, case: Case) -> list[dict[str, float]]:
    problem, points = case.task.problem, evaluation_points(case.task.problem.domain)
    rows = []
    for step in range(1, case.steps + 1):
        time = step * case.task.time_step
        found = model.predict(np.column_stack([points.numpy(), np.full(len(points), time)]))
        exact = problem.solution(points, time).numpy()
        error = {"mean_absolute_error": float(np.abs(found - exact).mean())}
        rows.append({"time": time, **error, "relative_l2": relative_l2(found, exact)})
    return rows
