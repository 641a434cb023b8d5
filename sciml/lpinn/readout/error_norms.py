"""Errors of a read-out against the exact solution, at points and along labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sciml.domains import Box
from sciml.domains.output_points import points_of
from sciml.errors import InputError
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout.field import Followed, Readout

EVALUATION = {1: (256, 101), 2: (64, 21), 3: (24, 7)}  # points along each axis and times, by number of dimensions
LABELS = 256  # whose error is monitored during the run


def errors(field: Followed, progress: Callable[[float], None] | None = None) -> dict[str, float]:
    """Return relative L2 errors of the fluctuation over the run and at its end, and the smallest J of the run.

    Parameters
    ----------
    field : the solution
    progress : called with the fraction of the times that are measured
    """
    _, number = EVALUATION[field.problem.domain.dim]
    stretches = [float(field.stretch(time)) for time in _spread(field.problem.duration, number)]
    return {**relative_errors(field, progress), "smallest_stretch": min(stretches)}


def relative_errors(field: Readout, progress: Callable[[float], None] | None = None) -> dict[str, float]:
    """Return relative L2 errors of the fluctuation over the run and at its end; none without an exact solution."""
    problem = field.problem
    count, number = EVALUATION[problem.domain.dim]
    times, points = _spread(problem.duration, number), points_of(problem.domain.lattice(count))
    points = points[problem.domain.contains(points)]
    if problem.exact(points[:1], 0.0) is None:
        return {}
    return {
        "relative_l2": relative_error(field, times, points, progress),
        "relative_l2_at_end": relative_error(field, times[-1:], points),
    }


def relative_error(
    field: Readout, times: Sequence[float], points: Tensor, progress: Callable[[float], None] | None = None
) -> float:
    """Return ``|u - exact| / |exact - mean|`` over points and times: relative to the fluctuation, not to a large mean.

    Parameters
    ----------
    field : of a problem whose exact solution is known
    times : 0 to the duration
    points : ``(n, dim)``
    progress : called with the fraction of the times that are measured

    Raises
    ------
    InputError
        If there is no exact solution, or it is constant.
    """
    problem = field.problem
    if problem.exact(points, 0.0) is None:
        raise InputError(f"{type(problem).__name__} has no exact solution, so its error cannot be computed.")
    difference = size = 0.0
    mean = float(problem.initial(problem.probes()).mean())
    for number, time in enumerate(times):
        if progress is not None:
            progress(number / len(times))
        exact = problem.exact(points, time)
        difference += float((field(points, time).to(exact) - exact).square().sum())
        size += float((exact - mean).square().sum())
    if not size:
        raise InputError("the exact solution is constant, so that no error is relative to its fluctuation.")
    return (difference / size) ** 0.5


class LabelErrors:
    """The error of the states on labels, at the positions of these: it needs no inversion, and exists despite folds.

    Parameters
    ----------
    problem : knows the exact solution, or not
    labels : the box of the labels
    """

    def __init__(self, problem: TransportProblem, labels: Box) -> None:
        self._problem = problem
        self.labels = labels.interior(LABELS, torch.Generator().manual_seed(1), kind="shifted")
        self.known = problem.exact(self.labels[:1], 0.0) is not None
        self._mean = float(problem.initial(problem.probes()).mean())

    def __call__(self, field: Followed, times: Sequence[float]) -> float:
        """Return ``|w - exact| / |exact - mean|`` over the times and the labels that are in the domain."""
        difference = size = 0.0
        for time in times:
            position, state = field.follow(self.labels.to(field.device), time)
            position = field.home(position)
            inside = self._problem.domain.contains(position)
            exact = self._problem.exact(position[inside], time)
            difference += float((state[inside] - exact).square().sum())
            size += float((exact - self._mean).square().sum())
        return (difference / max(size, 1e-300)) ** 0.5


def _spread(duration: float, number: int) -> list[float]:
    return [duration * k / (number - 1) for k in range(number)]
