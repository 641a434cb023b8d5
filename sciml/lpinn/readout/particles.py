"""Paths of particles in one dimension: of the labels where these move with the flow, else by integration through u."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout.field import Followed
from sciml.mesh import Field

PATHS = 24  # particles that begin inside, in a picture
SUBSTEPS = 8  # of the classical method of Runge and Kutta, between two times of the field


def paths(field: Followed, u: Field) -> np.ndarray:
    """Return the positions of particles at the times of a field, ``(particles, times)``.

    They begin at evenly spread points, and at even times where the flow enters through an end. There are
    :data:`PATHS` inside, fewer if each goes round a periodic domain several times. Positions are not brought back into
    a periodic domain, and nan before a particle has entered and after it has left.

    Parameters
    ----------
    field : the solution
    u : its values on a grid of one dimension at rising times, through which particles are followed where labels are
        not particles, as in the frames Ale, Rezoned and Eulerian
    """
    found = _labels(field, u.times) if field.labels_are_particles else integrated(field.problem, u)
    box = field.problem.domain
    laps = np.abs(found[:, -1] - found[:, 0]).max() / (box.upper[0] - box.lower[0]) if all(box.periodic) else 0.0
    return found[:: round((1 + laps) ** 0.5)]


def integrated(problem: TransportProblem, u: Field) -> np.ndarray:
    """Return the solutions of dX/dt = velocity(X, t, u(X, t)), ``(particles, times)``, as :func:`paths` describes them.

    Between two times u is interpolated along the mean velocity, so that a front that moves far in between stays one.
    """
    times, (lower,), (upper,) = u.times, problem.domain.lower, problem.domain.upper
    periodic = bool(problem.domain.periodic[0])
    drift = float(problem.drift()[0]) if periodic else 0.0
    nodes, values = u.on.axes()[0], np.asarray(u.values, dtype=float)
    period = upper - lower if periodic else None

    def speed(x: np.ndarray, number: int, share: float) -> np.ndarray:
        step = times[number + 1] - times[number]
        before = np.interp(x - drift * share * step, nodes, values[number], period=period)
        after = np.interp(x + drift * (1 - share) * step, nodes, values[number + 1], period=period)
        state = (1 - share) * before + share * after
        at, now = _column(x), torch.full((len(x), 1), float(times[number] + share * step), dtype=torch.float64)
        return problem.velocity(problem.domain.wrap(at), now, _column(state))[:, 0].numpy()

    starts, begins = _starts(lower, upper, periodic, len(times))
    found = np.full((len(starts), len(times)), np.nan)
    found[begins == 0, 0] = starts[begins == 0]
    with torch.no_grad():
        for number in range(len(times) - 1):
            enters = begins == number
            found[enters, number] = starts[enters]
            moving = np.flatnonzero(np.isfinite(found[:, number]))
            x = found[moving, number]
            for part in range(SUBSTEPS):
                share, length = part / SUBSTEPS, 1 / SUBSTEPS
                step = length * (times[number + 1] - times[number])
                first = speed(x, number, share)
                second = speed(x + step / 2 * first, number, share + length / 2)
                third = speed(x + step / 2 * second, number, share + length / 2)
                x = x + step / 6 * (first + 2 * second + 2 * third + speed(x + step * third, number, share + length))
            inside = np.ones(len(x), bool) if periodic else (x >= lower) & (x <= upper)
            found[moving, number + 1] = np.where(inside, x, np.nan)
    return found


def _starts(lower: float, upper: float, periodic: bool, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where particles begin, and at which time: inside at the first, at the ends of an interval now and then."""
    inside = lower + (upper - lower) * (np.arange(PATHS) + 0.5) / PATHS
    if periodic:
        return inside, np.zeros(PATHS, int)
    later = np.unique(np.linspace(0, times - 2, PATHS // 2 + 1).astype(int))
    ends = np.repeat([lower, upper], len(later))
    return np.concatenate([inside, ends]), np.concatenate([np.zeros(PATHS, int), later, later])


def _labels(field: Followed, times: Sequence[float]) -> np.ndarray:
    """Return the positions of evenly spread labels."""
    box = field.label_box
    length = box.upper[0] - box.lower[0]
    labels = box.lower[0] + length * (torch.arange(PATHS, dtype=torch.float64) + 0.5)[:, None] / PATHS
    found = [field.follow(labels.to(field.device), float(time))[0] for time in times]
    return torch.cat(found, 1).cpu().numpy()


def _column(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))[:, None]
