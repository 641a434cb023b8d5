r"""Number of modes and bandwidth of the functions that a network has to represent, in any frame.

Two runs can be compared side by side: the state on labels that move with the flow has few modes, which change slowly;
u at fixed points has many, or few that change fast, and either is hard to learn.

References
----------
Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks", CMAME 404, 2023:
n-widths in both frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice, number
from sciml.domains.output_points import points_of
from sciml.lpinn.diagnostics.n_width import n_width, temporal_bandwidth
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout.field import SpaceTimeField
from sciml.numerics.derivatives import jet_of

TOLERANCE = 1e-6  # share of the norm that the modes need not represent
GRID = {1: 256, 2: 48, 3: 16}  # points along each axis
TIMES = {1: 101, 2: 41, 3: 21}  # at least
MOST_TIMES = 2001
FINE = 4  # resolved wave numbers of the initial condition, relative to the mean one
MOMENTS = 9  # times at which velocities are sampled
BUMP = 0.3  # width of the bump of the table
LONG = np.linspace(0, 10, 4001)[
    :, None
]  # times for bandwidths of the table: the longer, the finer the resolution in frequency


@dataclass(frozen=True)
class Modes:
    """The number of modes of a history in space, and the bandwidth of its changes in time, in cycles per unit time."""

    number: int
    bandwidth: float


def modes(
    field: SpaceTimeField, *, grid: int | None = None, times: int | None = None, tolerance: float = TOLERANCE
) -> dict[str, Modes]:
    """Return mode counts and bandwidths over a run.

    Parameters
    ----------
    field : a solution in any frame
    grid : points along each axis; by default 256, 48 or 16 in one, two or three dimensions
    times : number of snapshots, at least 4; by default enough to resolve the advected initial condition
    tolerance : share of the norm over space and time that the modes need not represent

    Returns
    -------
    dict
        ``"u"`` at points and, where it is known, ``"u_exact"``; ``"w"``, the state on labels, and ``"X"``, their
        position. From u and w the mean of the initial condition is subtracted, which would hide small fluctuations.

    References
    ----------
    See :mod:`sciml.lpinn.diagnostics.n_width`.
    """
    problem, dim = field.problem, field.problem.domain.dim
    count = times or _enough_times(problem)
    every = [problem.duration * number / (count - 1) for number in range(count)]
    lattices = ((box, points_of(box.lattice([grid or GRID[dim]] * dim))) for box in (problem.domain, field.label_box))
    points, labels = (every_point[box.contains(every_point)].to(field.weights) for box, every_point in lattices)
    mean = problem.initial(problem.probes()).mean().to(field.weights)
    histories: dict[str, list[Tensor]] = {"u": [field(points, time) - mean for time in every]}
    if problem.exact(points[:1], 0.0) is not None:
        histories["u_exact"] = [problem.exact(points, time) - mean for time in every]
    followed = [field.follow(labels, time) for time in every]
    histories["w"] = [state - mean for _, state in followed]
    histories["X"] = [position for position, _ in followed]
    found = {name: torch.stack(history).detach().cpu().numpy() for name, history in histories.items()}
    step = problem.duration / (count - 1)
    return {name: Modes(n_width(h, tolerance), temporal_bandwidth(h, step)) for name, h in found.items()}


def transported_modes(start: Literal["bump", "sine"], speed: float) -> dict[str, Modes]:
    """Return modes of exact convection on [0, 2 pi) for one unit of time: u at points, and w and X on moving labels.

    A linear basis needs many modes for a narrow travelling bump, but two for a sine at any speed, which PINNs learn no
    better: there only the bandwidth grows. On labels neither grows.

    Parameters
    ----------
    start : ``exp(-(x / 0.3)^2)`` or ``sin x``
    speed : in units of 1 / (2 pi) rounds per unit of time

    Returns
    -------
    dict
        ``"u"``, ``"w"`` and ``"X"``: modes for 256 points and 101 times; bandwidths over ten units of time, which
        resolve some tenths of a cycle, up to the speed 100.
    """
    starts: dict[str, Callable[[np.ndarray], np.ndarray]] = {"bump": _bump, "sine": np.sin}
    choice("the initial condition", start, starts)
    number("the speed", speed)
    initial, circle = starts[start], np.linspace(0, 2 * math.pi, GRID[1], endpoint=False)
    histories: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "u": lambda x, t: initial(x - speed * t),
        "w": lambda x, t: initial(x) + 0 * t,
        "X": lambda x, t: x + speed * t,
    }
    once, few, step = np.linspace(0, 1, TIMES[1])[:, None], circle[::16], float(LONG[1, 0])
    return {
        name: Modes(n_width(history(circle, once), TOLERANCE), temporal_bandwidth(history(few, LONG), step))
        for name, history in histories.items()
    }


def _enough_times(problem: TransportProblem) -> int:
    """Return the number of snapshots that resolves the initial condition as it passes a point at the largest speed."""
    points = problem.probes()
    axes = torch.eye(problem.domain.dim, dtype=points.dtype)
    start = jet_of(problem.initial, points, 1, axes)
    fluctuation = float((start.value - start.value.mean()).square().mean())
    wave_number = (float(start.first.square().sum(0).mean()) / fluctuation) ** 0.5 if fluctuation else 0.0
    speed = 0.0
    for time in torch.linspace(0.0, problem.duration, MOMENTS, dtype=points.dtype):
        velocity = problem.velocity(points, time.expand(len(points), 1), start.value)
        speed = max(speed, float(velocity.norm(dim=1).max()))
    cycles = problem.duration * speed * FINE * wave_number / (2 * math.pi)
    return int(min(max(TIMES[problem.domain.dim], 2 + 2 * cycles), MOST_TIMES))


def _bump(x: np.ndarray) -> np.ndarray:
    return np.exp(-((((x + math.pi) % (2 * math.pi) - math.pi) / BUMP) ** 2))
