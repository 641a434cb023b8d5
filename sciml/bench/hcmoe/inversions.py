"""The measurements of ``sciml bench hcmoe`` on an inverse problem: viscosity and start of Burgers' equation.

The case is that of a shipped config, whose points and noise the seed draws. Errors are those of the vector of unknowns,
in which the viscosity is its logarithm, over the deviations of Cramér and Rao at the true coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.errors import DivergenceError
from sciml.hcmoe.coupled import CoupledExperts
from sciml.hcmoe.inverse import Misfits, identify
from sciml.hcmoe.problems import SpaceTimeProblem
from sciml.hcmoe.readings import Readings
from sciml.hcmoe.unknowns import Unknowns
from sciml.reference.conservation_laws_entropy import BURGERS
from sciml.reference.conservation_laws_fourier import conservation, nodes

DEGREE = 5  # of the spline in space and time through the values of Fourier collocation


class Case(NamedTuple):
    """An inverse problem with known answer: its unknowns, readings and truth, and the experts of the config."""

    unknowns: Unknowns
    readings: Readings
    truth: SpaceTimeProblem
    experts_of: Callable[[Tensor], CoupledExperts]

    def errors(self, found: Tensor) -> dict[str, float]:
        """Return the root mean square and the largest of the errors of a vector, over the deviations."""
        truth = self.unknowns.vector(self.truth)
        deviations, _ = Misfits(self.experts_of, self.readings).assess(truth)
        ratios = (found - truth) / deviations
        return {"error": float(ratios.square().mean().sqrt()), "error_most": float(ratios.abs().max())}


def experts(job: Job) -> dict[str, Any]:
    """Find the unknowns of ``job["config"]`` by :func:`~sciml.hcmoe.inverse.identify`, with ``job["changes"]``.

    Returns
    -------
    dict
        ``error`` over the deviations of Cramér and Rao, root mean square, and ``error_most``; ``misfit`` over the
        deviation of the noise, root mean square; ``solves``, how many solutions it took; ``forward_error`` of the
        solver at the readings, relative, for the true coefficients.
    """

    def measure() -> dict[str, float]:
        case = _case(job)
        found, seconds = cpu_timed(lambda: identify(case.experts_of, case.readings, case.unknowns.start))
        with torch.no_grad():
            values = case.experts_of(case.unknowns.vector(case.truth)).values_at(case.readings.x, case.readings.t)
        numbers = {"misfit": found.misfit, "solves": found.solves, "forward_error": _forward_error(case, values)}
        return {**case.errors(found.value), **numbers, "seconds": seconds}

    return outcome(measure)


def least_squares(job: Job) -> dict[str, Any]:
    """Find the unknowns by :func:`scipy.optimize.least_squares` with Fourier collocation and differences.

    ``job["number"]`` is that of the points of a period, ``job["steps"]`` that of the times through which a spline is
    laid. Returns what :func:`experts` does.
    """

    def measure() -> dict[str, float]:
        from scipy.optimize import least_squares as minimised

        case, solves = _case(job), 0

        def misfits(w: np.ndarray) -> np.ndarray:
            nonlocal solves
            solves += 1
            try:
                values = fourier_values(case, torch.from_numpy(w), job["number"], job["steps"])
            except DivergenceError:  # of a trial step, which is then shortened
                return np.full(len(case.readings.u), np.inf)
            return (values - case.readings.u.numpy()) / case.readings.deviation

        found, seconds = cpu_timed(lambda: minimised(misfits, case.unknowns.start.numpy()))
        values = fourier_values(case, case.unknowns.vector(case.truth), job["number"], job["steps"])
        misfit = float(np.sqrt(2 * found.cost / len(values)))
        numbers = {"misfit": misfit, "solves": solves, "forward_error": _forward_error(case, torch.from_numpy(values))}
        return {**case.errors(torch.from_numpy(found.x)), **numbers, "seconds": seconds}

    return outcome(measure)


def fourier_values(case: Case, w: Tensor, number: int, steps: int) -> np.ndarray:
    """Return u at the readings by Fourier collocation on the odd, periodic continuation, and a spline through it."""
    from scipy.interpolate import RectBivariateSpline

    viscosity, *waves = case.unknowns.values(w).tolist()
    length, duration = case.truth.domain.upper[0], case.truth.duration
    x, times = nodes(2 * length, number), np.linspace(0.0, duration, steps + 1)
    start = sum(size * np.sin(k * np.pi * x / length) for k, size in enumerate(waves, start=1))
    u = conservation(start, 2 * length, BURGERS, times, viscosity)[:, : number // 2 + 1]
    spline = RectBivariateSpline(times, x[: number // 2 + 1], u, kx=DEGREE, ky=DEGREE)
    return spline.ev(case.readings.t.numpy(), case.readings.x.numpy())


def _case(job: Job) -> Case:
    from sciml.training.config import load_config

    task = load_config(job["config"], list(job.get("changes", ()))).build_task()
    return Case(task.unknowns, task.source.read(job["seed"]), task.source.truth, task.experts_of)


def _forward_error(case: Case, values: Tensor) -> float:
    """Return the relative error of a solution at the readings with the true coefficients."""
    pairs = zip(case.readings.x, case.readings.t, strict=True)
    exact = torch.stack([case.truth.exact(place[None, None], float(time))[0, 0] for place, time in pairs])
    return float((values - exact).norm() / exact.norm())
